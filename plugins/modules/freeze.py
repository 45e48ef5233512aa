#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: freeze
short_description: Freeze file systems and quiesce databases and services, for a limited time
description:
  - Quiesces applications and freezes file systems for a copy or a snapshot, and releases them again.
  - A process on the host, the holder, owns every hold. It goes on without the module, Ansible and the network, and releases
    by itself at the deadline, on a signal, and if its guard dies. The guard, a process of its own, releases if the holder is
    killed or hangs. Nothing stays frozen because a controller has failed.
  - Either all targets are held or none is. Commands are taken first, databases next, file systems last; they are released
    in reverse order.
  - Do not freeze a mounted file system for an LVM snapshot. LVM freezes it by itself, and cannot take a snapshot of one
    that is frozen already. Hold only applications then.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
requirements:
  - Linux; root for O(targets[].path)
  - the client mariadb, mysql or psql for these databases
  - PyMongo (Python), mongosh or mongo for MongoDB
options:
  state:
    description:
      - V(frozen) holds the targets. If the same targets are held already, nothing is done, and the deadline does not change.
      - V(thawed) releases the hold called O(name), and cleans up the leftovers of killed holders on the host. Without a hold
        nothing is done.
    type: str
    choices: [frozen, thawed]
    default: frozen
  targets:
    description:
      - The targets. Each has one of the keys.
      - Required with O(state=frozen).
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - A path on a file system, which is frozen as a whole, for a snapshot of a storage or of a hypervisor.
          - File systems that Ansible, Python, the logs or the system itself need are refused, see O(force).
        type: path
      mysql:
        description:
          - A server of MariaDB or MySQL. Nothing is committed while it is held.
        type: dict
        suboptions:
          login_unix_socket:
            description: The server's socket.
            type: path
          login_host:
            description: The server's host.
            type: str
          login_port:
            description: The server's port.
            type: int
          login_user:
            description: The user, who may RELOAD, and REPLICATION CLIENT (BINLOG MONITOR) for the position in the binary log.
            type: str
          login_password:
            description: The user's password. It goes to the client through a pipe.
            type: str
          config_file:
            description: A file of options for the client, with a section C([client]), which may have the password.
            type: path
          os_user:
            description: The user of the host that the client runs as, for logins by its name. Needs root.
            type: str
          lock:
            description:
              - V(backup_stage) is MariaDB's BACKUP STAGE, V(global_read_lock) is FLUSH TABLES WITH READ LOCK, and V(auto) is
                the first if the server has it.
            type: str
            choices: [auto, backup_stage, global_read_lock]
          timeout_seconds:
            description: Another value of O(timeout_seconds) for this target.
            type: float
      postgresql:
        description:
          - A server of PostgreSQL, put into its backup mode with pg_backup_start. Transactions go on.
        type: dict
        suboptions:
          login_unix_socket:
            description: The folder of the server's socket.
            type: path
          login_host:
            description: The server's host.
            type: str
          login_port:
            description: The server's port.
            type: int
          login_user:
            description:
              - The user, who may execute pg_backup_start and pg_backup_stop.
              - With the right to make checkpoints (a superuser, or the role pg_checkpoint from version 15 on) the hold is
                shorter, because a checkpoint is made before it.
            type: str
          login_password:
            description: The user's password. It goes to the client through its environment.
            type: str
          login_db:
            description: The database to connect to.
            type: str
          os_user:
            description: The user of the host that the client runs as, C(postgres) for example. Needs root.
            type: str
          timeout_seconds:
            description: Another value of O(timeout_seconds) for this target.
            type: float
      mongodb:
        description:
          - A server of MongoDB, locked with fsyncLock.
        type: dict
        suboptions:
          login_host:
            description: The server's host.
            type: str
          login_port:
            description: The server's port.
            type: int
          login_user:
            description: The user, who has the role hostManager.
            type: str
          login_password:
            description: The user's password.
            type: str
          login_database:
            description: The database of the user.
            type: str
          tls:
            description: Whether to connect with TLS.
            type: bool
          ca_file:
            description: Certificate authorities to trust.
            type: path
          timeout_seconds:
            description: Another value of O(timeout_seconds) for this target.
            type: float
      command:
        description:
          - Commands of your own. O(targets[].command.finalize) runs after every O(targets[].command.prepare), also after a
            failure, and after a crash may run twice.
        type: dict
        suboptions:
          prepare:
            description: A program and its arguments, which quiesces.
            type: list
            elements: str
          finalize:
            description: A program and its arguments, which releases.
            type: list
            elements: str
          os_user:
            description: The user that they run as. Needs root.
            type: str
          timeout_seconds:
            description: Another value of O(timeout_seconds) for this target.
            type: float
  deadline_seconds:
    description:
      - All targets are released this many seconds after the call of the module, unless they were released before.
    type: float
    default: 60
  timeout_seconds:
    description:
      - The longest time to hold one target, and to release it. If it takes longer, the module fails, and nothing is held.
    type: float
    default: 30
  hold_at:
    description:
      - When to hold, in seconds since 1970 on the host's own clock, at most 600 seconds ahead. This holds several hosts
        at the same time; M(freezer.backup.clock_offset) measures the offsets of their clocks.
      - The module returns as soon as everything is prepared for that time, with RV(ready). A second call of the task waits
        until everything is held, and fails if the hold has failed. O(deadline_seconds) counts from that time.
      - If that time has passed when everything is prepared, the targets are held at once.
    type: float
    version_added: 1.0.0
  name:
    description:
      - A name for the hold, for several at once on one host.
    type: str
    default: default
  state_folder:
    description:
      - Where the holder keeps its socket, record and log, in a folder that only this user can enter.
      - The default is C(/run/freezer-backup) for root. For others it is C(freezer-backup) in C($XDG_RUNTIME_DIR) or C(/run/user/UID)
        if that is theirs, else C(.local/state/freezer-backup/holds) in the home of the user.
      - A folder that belongs to another user, that others can enter, or that is a link is refused.
    type: path
  force:
    description:
      - Freeze also file systems that Ansible or the system itself needs. Ansible may not be able to log in until the deadline.
    type: bool
    default: false
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group_hold
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.backup
"""

EXAMPLES = r"""
- name: Hold a database and the file system below it, for two minutes at most
  freezer.backup.freeze:
    targets:
      - mysql:
          login_unix_socket: /run/mysqld/mysqld.sock
      - path: /srv/data
    deadline_seconds: 120

- name: Release them
  freezer.backup.freeze:
    state: thawed
  register: thawed

- name: Prepare to freeze all hosts at the same time, and wait until they are frozen
  freezer.backup.freeze:
    targets:
      - path: /srv/data
    hold_at: "{{ agreed_moment }}"
  register: frozen
  until: not frozen.ready | default(false)
  retries: 1
  delay: 0

- name: Check that they were held all the time
  ansible.builtin.assert:
    that: thawed.released_by == 'request'

- name: Stop a service, and start it again at the deadline at the latest
  freezer.backup.freeze:
    targets:
      - command:
          prepare: [systemctl, stop, app.service]
          finalize: [systemctl, start, app.service]
"""

RETURN = r"""
name:
  description: The name of the hold.
  returned: success
  type: str
  sample: default
ready:
  description: Whether the hold is prepared, and begins at O(hold_at).
  returned: with O(hold_at), until it is held
  type: bool
  sample: true
held_from:
  description: The time from which all targets were held, in seconds since 1970, on the host's clock.
  returned: when something is or was held
  type: float
  sample: 1795337766.25
held_seconds:
  description: The duration of the hold, from before the first target was taken until after the last one was released.
  returned: when something is or was held
  type: float
  sample: 0.75
remaining_seconds:
  description: The time until the deadline.
  returned: when something is or was held
  type: float
  sample: 59.5
released_by:
  description:
    - Why the hold ended. V(request) is this module; V(deadline), V(signal), V(guard lost), V(guard) (the holder was killed or
      hung) and V(cleanup) (both were killed) mean that what was copied meanwhile may not be consistent.
  returned: with O(state=thawed) when something was held
  type: str
  sample: request
consistency:
  description: The consistency of a copy that is made during the hold, V(fs) or V(app).
  returned: when something is or was held
  type: str
  sample: app
targets:
  description:
    - For each target its name, its kind, the time that it took to hold it, and facts such as a position in a log or, at the
      end, PostgreSQL's C(backup_label).
  returned: when something is or was held
  type: list
  elements: dict
  sample:
    - {target: mysql /run/mysqld/mysqld.sock, kind: mysql, take_seconds: 0.02, binlog_file: binlog.000004, binlog_position: 382}
problems:
  description: Problems of the release. The module fails if there are any.
  returned: with O(state=thawed) when something was held
  type: list
  elements: str
  sample: []
cleaned_up:
  description: The names of holds whose killed holders this has cleaned up.
  returned: with O(state=thawed)
  type: list
  elements: str
  sample: []
still_held:
  description: The names of other holds in O(state_folder), which are not changed.
  returned: with O(state=thawed)
  type: list
  elements: str
  sample: [hook_mariadb]
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._module.hold_module import run_hold


def main() -> None:
    """Hold or release."""
    run_hold()


if __name__ == "__main__":
    main()
