#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Back up a folder or a file of a host, a server or a volume of a cloud
description:
  - Reads a folder or a file with GNU tar, compresses it, and stores it with the hash of every segment. A backup exists
    when its manifest exists, which is written last.
  - Needs nothing on the host but Python and GNU tar 1.27 or later, and no API.
  - The options are the keys that a C(freezer_action) with the action C(backup) can have. Of a document that has more, such as keys
    for other actions or C(client_id), the filter P(freezer.backup.action_for#filter) selects them.
  - With O(nova_inst_id), O(cinder_vol_id) or O(cindernative_vol_id) the source is a server or a volume of an OpenStack cloud;
    the host that the module runs on sends the requests, and O(path_to_backup) is not needed.
  - Files that cannot be read are listed; RV(outcome) is then C(partial), never C(success).
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
requirements:
  - GNU tar 1.27 or later
  - zstandard (Python) or zstd, for O(compression=zstd)
  - cryptography (Python), for O(encryption), and for the signature of the host
  - root and lvm2 for O(snapshot=lvm), and btrfs-progs where the file system is btrfs
  - mariadb or mysql, psql, or PyMongo or mongosh, for O(mode) other than V(fs)
extends_documentation_fragment:
  - freezer.backup._action
  - freezer.backup._action.backup
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
      - Every run makes a backup, as requested. With O(min_age) a run changes nothing if there is a young enough
        backup.
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.restore
  - module: freezer.backup.verify
"""

EXAMPLES = r"""
- name: Back up the configuration of a host, six increments after each full backup
  freezer.backup.backup:
    path_to_backup: /etc
    backup_name: etc
    storage: local
    container: /srv/backups
    max_level: 6

- name: Back up, encrypted for the key of an administrator, who alone can restore
  freezer.backup.backup:
    path_to_backup: /srv/app
    backup_name: app
    storage: local
    container: /srv/backups
    encryption_recipients:
      - age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p

- name: Back up to two folders at once, at most one backup in twelve hours
  freezer.backup.backup:
    path_to_backup: /var/lib/app
    backup_name: app
    storages:
      - storage: local
        container: /srv/backups
      - storage: local
        container: /mnt/nas/backups
    exclude:
      - "*.tmp"
    min_age: 43200

- name: Back up a running MariaDB, which is quiesced while a snapshot of its volume is made
  freezer.backup.backup:
    path_to_backup: /var/lib/mysql
    backup_name: mysql
    storage: local
    container: /srv/backups
    snapshot: lvm
    lvm_snapsize: 20%ORIGIN
    mode: mysql
    mysql_conf: /root/.freezer/mysql.conf
    max_level: 6

- name: Keep an image of a server in Swift
  freezer.backup.backup:
    nova_inst_name: web1
    storage: swift
    container: backups
    cloud: mycloud

- name: Let Cinder back up a volume, six increments after each full backup, with the database on this host quiesced
  freezer.backup.backup:
    cindernative_vol_id: 3ad7a62f-217a-48cd-a861-43ec0a04a78b
    backup_name: mysql
    max_level: 6
    mode: mysql
    osrc: /root/backup.openrc

- name: Hand over an action document, which may have keys for other actions too
  freezer.backup.backup:
  module_defaults:
    freezer.backup.backup: "{{ lookup('ansible.builtin.file', 'nightly.json') | from_json | freezer.backup.action_for('backup') }}"
"""

RETURN = r"""
chosen:
  description: The choices for O(storage) and O(container) if they are not given, with the reasons, as sentences.
  returned: when one of them was chosen
  type: list
  elements: str
  sample: ["container is not given: freezer_backups was chosen, the default of Freezer's agents for Swift."]
outcome:
  description:
    - V(success), V(partial) if paths could not be read, O(exclude) leaves only the folder itself, or a storage failed,
      V(unchanged) when O(min_age) was not reached, and V(planned) in check mode.
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
  returned: when a backup was made or O(min_age) was not reached
  type: str
  sample: 9d5bd16252b649659a12302c71d93271
level:
  description: The level of the backup, 0 for a full one.
  returned: success
  type: int
  sample: 1
reason:
  description: The reason for the level of the backup, or for making none.
  returned: success
  type: str
  sample: it continues level 0
path_to_backup:
  description: The path that was backed up; of a server or a volume C(<medium>:<id>).
  returned: when O(min_age) does not hold
  type: str
  sample: /etc
parent_backup_id:
  description: The backup that this one continues, null for a full one.
  returned: when O(min_age) does not hold
  type: str
  sample: 46fa5551dc454a6287eb71ab921fa24a
timestamp:
  description: When the backup began, in seconds since 1970.
  returned: when not in check mode
  type: int
  sample: 1795337766
storages:
  description:
    - The outcome in each storage, and the folder of the backup in its container. C(made) is V(true) if this backup has made the
      container.
  returned: when not in check mode
  type: list
  elements: dict
  sample:
    - {storage: local, container: /srv/backups, outcome: success, folder: web1_etc/1795337766_1}
source_bytes:
  description: The size of the contents in this level.
  returned: when a backup was made
  type: int
  sample: 3145728
stored_bytes:
  description: The size of the segments in the storage.
  returned: when a backup was made
  type: int
  sample: 1048576
backup_media:
  description: V(nova), V(cinder) or V(cindernative).
  returned: for servers and volumes
  type: str
  sample: nova
resource_id:
  description: The id of the server or the volume.
  returned: for servers and volumes
  type: str
  sample: 3ad7a62f-217a-48cd-a861-43ec0a04a78b
resource_name:
  description: Its name.
  returned: for servers and volumes
  type: str
  sample: web1
disks:
  description: The objects in the container, one for each disk, with sizes and SHA-256. Cinder's own backups have none.
  returned: when a backup of a server or a volume was made
  type: list
  elements: dict
  sample:
    - object: 3ad7a62f-217a-48cd-a861-43ec0a04a78b/1795337766
      bytes: 2147483648
      sha256: 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
      disk_format: qcow2
      volume_id: null
counts:
  description: The number of members of each kind in this level.
  returned: when a backup of files was made
  type: dict
  sample: {files: 812, directories: 96, symbolic_links: 14, hard_links: 0, fifos: 0, devices: 0, others: 0}
protected_files:
  description:
    - The number of files that this level protects together with the levels below it. Unreadable files do not count; sockets, which
      no archive has, do.
  returned: when a backup of files was made
  type: int
  sample: 10812
protected_folders:
  description: The number of folders that they protect.
  returned: when a backup of files was made
  type: int
  sample: 96
deleted_files:
  description: The number of files of the level before that were deleted or moved. 0 for a full backup.
  returned: when a backup of files was made
  type: int
  sample: 3
deleted_folders:
  description: The number of folders of it that were deleted or moved.
  returned: when a backup of files was made
  type: int
  sample: 1
compression:
  description: The compression.
  returned: when a backup of files was made
  type: str
  sample: zstd
encrypted:
  description: Whether the backup is encrypted.
  returned: when a backup of files was made
  type: bool
  sample: true
encryption:
  description: How it is encrypted, V(age), V(aes-256-cfb) or V(none).
  returned: when a backup of files was made
  type: str
  sample: age
key_id:
  description: The id of the key pair that it is encrypted for, V(null) without one.
  returned: when a backup of files was made
  type: str
  sample: d5190978f6334e06e5dfb213c1c7a7dd
signed_by:
  description:
    - Who signs the backup, the fingerprint of the key or V(passphrase); V(null) for a backup that is not signed.
  returned: when a backup of files was made
  type: str
  sample: SHA256:4ReLiePEy9my4xN5yXq3u4cnActYRirwIPCmADzC/Ag
signed_by_reason:
  description: Why that is V(null), if it is.
  returned: when a backup of files was made
  type: str
  sample: null
consistency:
  description:
    - What was consistent. V(crash) is nothing; V(fs) is the file system, in a snapshot; V(app) is the application as well.
  returned: when a backup was made
  type: str
  sample: app
snapshot:
  description:
    - The snapshot that was read, V(null) if there was none. C(create_seconds) is how long LVM took to make it,
      C(used_percent) how much of its space was used after it was read.
  returned: when a backup of files was made
  type: dict
  sample:
    kind: lvm
    volume: vg0/data
    name: freezer_backup_snap_4a7c2e5f01bb
    file_system: xfs
    thin: false
    bytes: 1073741824
    create_seconds: 0.112
    moment: 1795337766.25
    used_percent: 1.5
held_seconds:
  description: How long the application was quiesced, V(null) if none was.
  returned: when a backup was made
  type: float
  sample: 0.155
source_protected:
  description:
    - Whether the source was read through a private mount, in which no symbolic link is followed. Else another user who puts
      a link in place of a folder while it is read can bring files from outside the source into the backup. V(null) for a user
      other than root, who reads only what this user may read.
  returned: when a backup of files was made
  type: bool
  sample: true
source_protected_reason:
  description: Why it was not, V(null) if it was.
  returned: when a backup of files was made
  type: str
  sample: null
problems:
  description: Problems beside the backup itself, such as a snapshot that could not be removed. They are warnings of the module.
  returned: when a backup was made
  type: list
  elements: str
  sample: []
duration_seconds:
  description: The duration.
  returned: when a backup was made
  type: float
  sample: 2.25
unreadable_count:
  description: The number of unreadable paths.
  returned: when a backup was made
  type: int
  sample: 0
unreadable:
  description: The first 200 unreadable paths, with tar's message. The manifest has all of them.
  returned: when a backup was made
  type: list
  elements: dict
  sample: []
remarks_count:
  description: The number of remarks of tar about files that changed, shrank, vanished or cannot be archived.
  returned: when a backup was made
  type: int
  sample: 1
remarks:
  description: The first 200 of these remarks.
  returned: when a backup was made
  type: list
  elements: dict
  sample:
    - {path: ./run/app.sock, kind: socket, message: socket ignored}
left_out_count:
  description: The number of other file systems below the path that are not in the backup. O(ignore:remarks) has them as well.
  returned: when a backup of files was made
  type: int
  sample: 1
left_out:
  description: The first 200 of them.
  returned: when a backup of files was made
  type: list
  elements: dict
  sample:
    - {path: ./proc, kind: other_file_system, message: proc holds no files; not dumped}
metadata:
  description:
    - The backup as M(freezer.backup.backup_record) takes it, the body of a POST to C(/backups).
    - C(cli) is the command of C(freezer-agent) that makes the same backup, C(broken_links) are symbolic links without
      a target, and C(vol_snap_path) is the path in the snapshot.
  returned: when a backup was made
  type: dict
  sample: {backup_id: 46fa5551dc454a6287eb71ab921fa24a, backup_name: etc, hostname: web1, level: 1}
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.backup import backup
from ansible_collections.freezer.backup.plugins.module_utils._module.host_module import (
    SHOWN_OF_BACKUPS,
    run_on_host,
)


def main() -> None:
    """Hand the options to the engine as an action."""
    run_on_host(
        "backup",
        lambda action, check_mode: backup(action, dry_run=check_mode),
        shown=SHOWN_OF_BACKUPS,
    )


if __name__ == "__main__":
    main()
