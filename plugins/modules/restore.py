#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Restore a backup into a folder, a new server or a new volume
description:
  - Verifies the hash of every segment, replays the chain of the backup into a staging folder inside the target, and moves
    the complete tree to its place. A restore that fails leaves the target as it was.
  - Files that were deleted before the backup are not restored. Files of the target that are not in the backup stay, unless
    O(delete=true).
  - The target, every folder above it, and every folder in it that gets files must belong to root or to the user who
    restores, and other users must not have write access. As root restore into a new folder and move it to its place, for example into
    a home.
  - With O(nova_inst_id), O(cinder_vol_id) or O(cindernative_vol_id) a new server or volume is made; the original need not
    exist any more. A second run finds the new one, and changes nothing.
  - The options are the keys that a C(freezer_action) with the action C(restore) can have. Of a document that has more, such as keys
    for other actions or C(client_id), the filter P(freezer.backup.action_for#filter) selects them.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
requirements:
  - GNU tar 1.27 or later
  - zstandard (Python) or zstd, for backups that were compressed with zstd
  - cryptography (Python), for encrypted backups and for O(trusted_signers)
extends_documentation_fragment:
  - freezer.backup._action
  - freezer.backup._action.restore
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(overwrite=true) a second run finds everything equal and changes nothing. Without it a folder that is
        not empty is refused, and so is one that belongs to another user by then.
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.backup
  - module: freezer.backup.verify
"""

EXAMPLES = r"""
- name: Restore the newest backup into a new folder
  freezer.backup.restore:
    restore_abs_path: /srv/restored
    backup_name: etc
    storage: local
    container: /srv/backups

- name: Put the state of a Sunday evening back in place, as the user that the folder belongs to
  become: true
  become_user: app
  freezer.backup.restore:
    restore_abs_path: /var/lib/app
    backup_name: app
    storage: local
    container: /srv/backups
    restore_from_date: "2026-11-22T20:00:00"
    overwrite: true

- name: Restore one folder, without its public keys
  become: true
  freezer.backup.restore:
    restore_abs_path: /root/found
    backup_name: etc
    storage: local
    container: /srv/backups
    include: /etc/ssh
    exclude: "*.pub"

- name: Make a folder again what it was on Sunday, and keep what that takes away
  become: true
  freezer.backup.restore:
    restore_abs_path: /srv/app
    backup_name: app
    storage: local
    container: /srv/backups
    restore_from_date: "2026-11-22T20:00:00"
    overwrite: true
    only_changed: true
    delete: true
    undo_folder: /srv/app-before-restore

- name: Restore what the agent of OpenStack's Freezer left, encrypted
  become: true
  freezer.backup.restore:
    restore_abs_path: /srv/restored
    backup_name: etc
    hostname: web1
    storage: local
    container: /var/backups/freezer
    encrypt_pass_file: /root/freezer-passphrase

- name: Make a server from the newest image, in another network
  freezer.backup.restore:
    nova_inst_id: 3ad7a62f-217a-48cd-a861-43ec0a04a78b
    storage: swift
    container: backups
    cloud: mycloud
    nova_restore_network: 1f0ad9a5-6a4b-4c8c-9a77-0c2f5f2a8f0e
    restore_as: web1-again
"""

RETURN = r"""
chosen:
  description: The choices for O(storage) and O(container) if they are not given, with the reasons, as sentences.
  returned: when one of them was chosen
  type: list
  elements: str
  sample: ["container is not given: freezer_backups was chosen, the default of Freezer's agents for Swift."]
no_backup:
  description: Whether it failed because there is no backup that the options ask for, and for nothing else.
  returned: failure, if it is so
  type: bool
  sample: true
outcome:
  description:
    - V(success), V(partial) if attributes or special files could not be restored, V(unchanged) if the new server or
      volume exists already, and V(planned) in check mode.
  returned: success
  type: str
  sample: success
hostname:
  description: The host of the backup.
  returned: success
  type: str
  sample: web1
backup_name:
  description: The name of the backup.
  returned: success
  type: str
  sample: etc
backup_id:
  description: The id of the backup.
  returned: success
  type: str
  sample: 9d5bd16252b649659a12302c71d93271
level:
  description: The level of the backup, 0 for a full one.
  returned: success
  type: int
  sample: 1
timestamp:
  description: When the backup began, in seconds since 1970.
  returned: success
  type: int
  sample: 1795337766
chain:
  description: The chain that was read, the full backup first.
  returned: success
  type: list
  elements: dict
  sample:
    - {backup_id: 9d5bd16252b649659a12302c71d93271, level: 0, timestamp: 1795337765}
    - {backup_id: 46fa5551dc454a6287eb71ab921fa24a, level: 1, timestamp: 1795337766}
storage:
  description: The kind of the storage that was read.
  returned: success
  type: str
  sample: local
container:
  description: The container that was read.
  returned: success
  type: str
  sample: /srv/backups
encrypted:
  description: Whether the backup is encrypted.
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: bool
  sample: true
encryption:
  description: How it is encrypted, V(age), V(aes-256-cfb) or V(none).
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: str
  sample: age
key_id:
  description: The id of the key pair that it is encrypted for, V(null) without one.
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: str
  sample: d5190978f6334e06e5dfb213c1c7a7dd
signed_by:
  description:
    - Who has signed the backup, the fingerprint of a key that is believed or V(passphrase); V(null) if that was not checked.
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: str
  sample: SHA256:4ReLiePEy9my4xN5yXq3u4cnActYRirwIPCmADzC/Ag
is_recorded:
  description: Whether the manifest is the one on record; not so if the backup is on no record, and is signed by one who is believed.
  returned: with O(recorded_manifests), for files
  type: bool
  sample: true
signed_by_reason:
  description: Why that is V(null), if it is.
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: str
  sample: null
restored_server:
  description: The name of the new server.
  returned: with O(nova_inst_id)
  type: str
  sample: web1~1795337766
restored_server_id:
  description: Its id.
  returned: with O(nova_inst_id), when not in check mode
  type: str
  sample: 9f3a4a3c-6a53-41a3-8d6e-3c1f4f6dd1a2
restored_volume:
  description: The name of the new volume.
  returned: with O(cinder_vol_id) or O(cindernative_vol_id)
  type: str
  sample: data~1795337766
restored_volume_id:
  description: Its id.
  returned: with O(cinder_vol_id) or O(cindernative_vol_id), when not in check mode
  type: str
  sample: 2c0f8b39-1f0f-4ad8-8c0c-6d7c7ec1a0aa
restore_abs_path:
  description: The folder that was restored into.
  returned: for files
  type: str
  sample: /srv/restored
format:
  description: V(freezer) for a backup that the agent of OpenStack's Freezer has made.
  returned: for such a backup
  type: str
  sample: freezer
counts:
  description:
    - The number of files, folders and so on that were written, or would be, also those in new folders. The target itself and
      equal files do not count.
  returned: for files; in check mode if the target is not empty
  type: dict
  sample: {files: 812, directories: 96, symbolic_links: 14}
selected:
  description: How many paths of the backup O(include) and O(exclude) select, folders among them.
  returned: with one of them; in check mode as well
  type: int
  sample: 7
restored_bytes:
  description: The size of the contents of these files, measured as RV(freezer.backup.backup#module:source_bytes) is.
  returned: for files; in check mode if the target is not empty
  type: int
  sample: 3145728
replaced_paths:
  description:
    - The first 200 of the paths that were replaced or got other attributes, or would be, below the target, which is C(.) itself.
  returned: for files; in check mode if the target is not empty
  type: list
  elements: str
  sample: [hosts]
created_paths:
  description: The first 200 created paths, or of those that would be created; of a new folder only itself.
  returned: for files; in check mode if the target is not empty
  type: list
  elements: str
  sample: [ssh/keys]
removed:
  description: How many paths were removed with O(delete), or would be.
  returned: for files; in check mode if the target is not empty
  type: int
  sample: 0
removed_paths:
  description: The first 200 of them.
  returned: for files; in check mode if the target is not empty
  type: list
  elements: str
  sample: []
undo_folder:
  description: The folder with what was replaced or removed.
  returned: with O(undo_folder), if something was replaced or removed
  type: str
  sample: /srv/undo
created:
  description: The number of created paths; a new folder counts once, with all its contents.
  returned: for files; in check mode if the target is not empty
  type: int
  sample: 12
replaced:
  description: How many paths were replaced or got other attributes, or would be.
  returned: for files; in check mode if the target is not empty
  type: int
  sample: 0
equal:
  description: How many paths were found equal and not touched.
  returned: for files; in check mode if the target is not empty
  type: int
  sample: 0
not_restored_count:
  description: How many attributes or special files could not be restored.
  returned: for files, when not in check mode
  type: int
  sample: 0
not_restored:
  description: The first 200 of them, with tar's message.
  returned: for files, when not in check mode
  type: list
  elements: dict
  sample: []
unreadable_count:
  description: How many paths could not be read when the backup was made, and are missing therefore.
  returned: for files, when not in check mode
  type: int
  sample: 0
unreadable:
  description: The first 200 of them.
  returned: for files, when not in check mode
  type: list
  elements: dict
  sample: []
remarks:
  description:
    - The reason for reading from another storage, what could not be proven of a backup that the agent of OpenStack's Freezer has
      made, other remarks of tar, and folders that O(delete) leaves as containers of backups.
  returned: success
  type: list
  elements: str
  sample: []
duration_seconds:
  description: The duration.
  returned: success
  type: float
  sample: 2.25
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.restore import restore
from ansible_collections.freezer.backup.plugins.module_utils._module.host_module import run_on_host


def main() -> None:
    """Hand the options to the engine as an action."""
    run_on_host(
        "restore",
        lambda action, check_mode: restore(action, dry_run=check_mode),
        shown=[
            "restore_abs_path",
            "restored_server",
            "restored_volume",
            "hostname",
            "backup_name",
            "backup_id",
            "level",
            "timestamp",
        ],
    )


if __name__ == "__main__":
    main()
