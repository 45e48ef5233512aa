#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lvm_snapshot
short_description: Make, mount and remove a snapshot of an LVM volume
description:
  - Makes a snapshot of the logical volume of a path, or of a named one, and mounts it if requested.
  - LVM freezes a mounted file system itself while it makes the snapshot. Quiesce applications around this module, but
    do not freeze the file system, or LVM cannot make the snapshot.
  - The free space is checked before anything is made. LVM asks no questions, and waits for a lock no longer than
    O(timeout_seconds). If making a snapshot fails, an incomplete snapshot is removed.
  - M(freezer.backup.backup) with O(freezer.backup.backup#module:snapshot=lvm) does not need this module.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
requirements:
  - root on the host
  - lvm2, and btrfs-progs to mount a snapshot of btrfs
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.on_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - Whether the snapshot exists. It is identified by its name. An existing snapshot is kept, with its contents and size, so
        use a new name for a snapshot of a new point in time.
      - An incomplete snapshot of this name, or one that has run out of space, is made again if this collection made it.
      - With V(absent) it is unmounted wherever it is mounted, and removed. Volumes that are not snapshots are never removed.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - A path on the volume. It may be below a mount point, or lead through bind mounts and symbolic links.
      - One of O(path), O(volume) and O(leftovers) is needed.
    type: path
  volume:
    description:
      - The volume to make the snapshot of, as C(group/volume) or by its path below C(/dev).
    type: str
  name:
    description:
      - The name of the snapshot in the group of its volume. Required with O(path) and O(volume), unless O(keep) is given.
    type: str
  prefix_volume:
    description:
      - Whether the name of the volume and a dash are put before O(name), such as C(srv-before-upgrade). One name then does
        for snapshots of several volumes of a group.
    type: bool
    default: false
  set_name:
    description:
      - The set of a new snapshot. O(keep) removes the oldest ones of a set.
    type: str
  keep:
    description:
      - With O(state=absent), the number of snapshots of O(set_name) that are kept of this volume. Older ones are removed.
        Other snapshots are not changed.
    type: int
  held_paths:
    description:
      - Paths whose file systems are frozen around this. It is an error if one of them is on the volume, also in check mode.
    type: list
    elements: path
    default: []
  size:
    description:
      - The space of a classic snapshot for overwritten blocks of its volume, such as V(2G), V(20%ORIGIN), V(50%FREE) or
        V(10%VG). It gets no more than its volume can need. If the space is used up, the snapshot is lost.
      - Without it a thin volume gets a thin snapshot, which takes space of its pool as it needs it, and any other one V(1G).
    type: str
  thin:
    description:
      - Whether the snapshot is thin. The default is V(true) for a thin volume without O(size).
    type: bool
  mount_point:
    description:
      - The folder on which the snapshot is mounted, with the options that its file system needs beside its origin. It is
        made with mode 0700 when it is missing; it has to be empty. Snapshots of one name have one mount point.
      - For btrfs it is the top of the file system that is mounted, whatever subvolume its origin is mounted with.
    type: path
  writable:
    description:
      - Whether the snapshot can be written to. Only used when it is made or mounted.
    type: bool
    default: false
  leftovers:
    description:
      - With O(state=absent), remove the leftover snapshots and mounts of killed backups, of all volumes of this host.
        Snapshots of running backups, and those that this module made, are kept.
    type: bool
    default: false
  timeout_seconds:
    description:
      - The longest time for one step, and for a snapshot in use to become free for its removal.
    type: float
    default: 60
seealso:
  - module: freezer.backup.backup
"""

EXAMPLES = r"""
- name: Snapshot and mount the volume of /srv/data
  freezer.backup.lvm_snapshot:
    path: /srv/data
    name: before-upgrade
    size: 20%ORIGIN
    mount_point: /mnt/before-upgrade

- name: Remove the snapshot
  freezer.backup.lvm_snapshot:
    state: absent
    volume: vg0/data
    name: before-upgrade

- name: Keep the newest seven of those that were made with set_name=daily
  freezer.backup.lvm_snapshot:
    state: absent
    path: /srv/data
    set_name: daily
    keep: 7

- name: Remove leftovers of killed backups
  freezer.backup.lvm_snapshot:
    state: absent
    leftovers: true
"""

RETURN = r"""
snapshot:
  description: The snapshot. V(null) if there is none, and in check mode if it would be made.
  returned: success, unless O(leftovers) or O(keep)
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: before-upgrade
    group:
      description: Its volume group.
      type: str
      sample: vg0
    origin:
      description: The volume that it is a snapshot of.
      type: str
      sample: vg0/data
    device:
      description: Its block device.
      type: str
      sample: /dev/mapper/vg0-before--upgrade
    thin:
      description: Whether it is a thin snapshot.
      type: bool
      sample: false
    size_bytes:
      description: Its size; of a classic snapshot the space for overwritten blocks.
      type: int
      sample: 1073741824
    used_percent:
      description: The used part of that.
      type: float
      sample: 1.25
    moment:
      description: When it was made, in seconds since 1970; V(null) if not by this collection.
      type: int
      sample: 1795337766
    mount_point:
      description: Its mount point, V(null) if it is not mounted.
      type: str
      sample: /mnt/before-upgrade
    path:
      description: The path of O(path) in the mounted snapshot.
      type: str
      sample: /mnt/before-upgrade/app
  sample:
    name: before-upgrade
    group: vg0
    origin: vg0/data
taken_at:
  description:
    - Its point in time, in seconds since 1970 on the host's clock. V(null) if it existed before.
  returned: with O(state=present), unless check mode would make it
  type: float
  sample: 1795337766.25
removed:
  description: The snapshots that were removed, or would be in check mode.
  returned: with O(leftovers) or O(keep)
  type: list
  elements: str
  sample: [vg0/freezer_backup_snap_4a7c2e5f01bb]
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.snapshots import DEFAULT_TIMEOUT_SECONDS
from ansible_collections.freezer.backup.plugins.module_utils._module.snapshot_module import run_snapshot_module


def main() -> None:
    """Hand the options to the engine."""
    run_snapshot_module(
        {
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "path"},
            "volume": {"type": "str"},
            "name": {"type": "str"},
            "prefix_volume": {"type": "bool", "default": False},
            "set_name": {"type": "str"},
            "keep": {"type": "int"},
            "held_paths": {"type": "list", "elements": "path", "default": []},
            "size": {"type": "str"},
            "thin": {"type": "bool"},
            "mount_point": {"type": "path"},
            "writable": {"type": "bool", "default": False},
            "leftovers": {"type": "bool", "default": False},
            "timeout_seconds": {"type": "float", "default": DEFAULT_TIMEOUT_SECONDS},
        }
    )


if __name__ == "__main__":
    main()
