#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_snapshot
short_description: Snapshots and backups of volumes of an OpenStack cloud
description:
  - Makes snapshots of volumes, or full and incremental backups in Cinder's backup store, and waits until they are complete.
  - Reverts a volume to a snapshot or a backup, or makes a new volume of it.
  - Handles many volumes in one call. If one fails, the others are still done; the module then fails with the result of
    each.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  volumes:
    description:
      - Names or ids of volumes.
    type: list
    elements: str
    required: true
    aliases: [volume, name]
  snapshot_name:
    description:
      - The name. A snapshot gets the name C(volume-<id>-<snapshot_name>-increment), a backup
        C(volume-<id>-<snapshot_name>-backup).
    type: str
    required: true
  state:
    description:
      - V(present) ensures a complete one of this name.
      - V(absent) removes it. Other snapshots and backups of the volume are not changed.
      - V(applied) restores the content of the volume.
    type: str
    choices: [present, absent, applied]
    default: present
  incremental:
    description:
      - Make a snapshot, which is what Cloudify's plugin calls an increment. With V(false) it is a backup.
    type: bool
    default: true
  backup_level:
    description:
      - Whether a backup is full or has the changes since the volume's newest one. V(auto) is incremental if there is a backup
        to build on.
    type: str
    choices: [full, incremental, auto]
    default: full
  container:
    description:
      - The container for backups of Cinder. The default is Cinder's.
    type: str
  require_quiesce:
    description:
      - Refuse a volume that is attached to a server, because Cinder cannot freeze the file systems on it.
    type: bool
    default: false
  min_age:
    description:
      - Make none if the volume's newest one is younger than this many seconds.
    type: float
  rotation:
    description:
      - The number of snapshots, or of full backups with their increments, that are kept of O(backup_set). Older ones are
        removed as soon as the new one is complete.
    type: int
  backup_set:
    description:
      - The set that O(rotation) counts. The default is O(snapshot_name).
    type: str
  as_groups:
    description:
      - Volumes that are in a group of Cinder get one group snapshot, which is of one point in time if the type of the group has
        C(consistent_group_snapshot_enabled). Volumes that are in none get snapshots of their own.
      - All volumes of such a group have to be named, also when it is removed, because Cinder removes such a group only as a whole.
      - A backup is made of such a snapshot.
    type: bool
    default: false
  held:
    description:
      - What the caller holds meanwhile, by the id of the volume, V(fs) for its file systems or V(app) for its applications. It
        is recorded as the consistency of the snapshot.
    type: dict
    default: {}
  wait_for:
    description:
      - With V(whole) a backup is in Cinder's backup store.
      - With V(taken) no later write to the volume gets into it, so a hold can be released. For a backup there is then a
        snapshot; a second call with V(whole) makes the backup of it. The snapshot is removed together with the backup.
    type: str
    choices: [taken, whole]
    default: whole
  metadata:
    description:
      - Further metadata. Owner, set, level and consistency are always recorded.
    type: dict
    default: {}
  restore_to:
    description:
      - With O(state=applied), whether the V(same) volume is overwritten, which is detached before and attached again
        afterwards, or a V(new) one is made.
      - Cinder reverts a volume to its newest snapshot only. Older ones need V(new).
    type: str
    choices: [same, new]
    default: same
  restore_as:
    description:
      - The name of the new volume. Without it C(volume-restore-<id of the snapshot or backup>).
    type: str
  timeout:
    description:
      - The longest wait for each volume, in seconds. The next run goes on waiting.
    type: float
    default: 1200.0
  concurrency:
    description:
      - The number of volumes that are handled in parallel.
    type: int
    default: 8
extends_documentation_fragment:
  - freezer.backup._cloud
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group_cloud
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
  - module: freezer.backup.server_snapshot
"""

EXAMPLES = r"""
- name: Snapshots of two volumes
  freezer.backup.volume_snapshot:
    cloud: mycloud
    volumes: [data1, data2]
    snapshot_name: before-upgrade

- name: A backup every day, a new chain when there is none
  freezer.backup.volume_snapshot:
    cloud: mycloud
    volumes: data1
    snapshot_name: "{{ now(utc=true).strftime('%Y-%m-%d') }}"
    incremental: false
    backup_level: auto
    backup_set: daily

- name: Snapshots of the two volumes of a database, which are a group of Cinder, of one point in time
  freezer.backup.volume_snapshot:
    cloud: mycloud
    volumes: [db-data, db-journal]
    snapshot_name: before-upgrade
    as_groups: true

- name: Revert the volume
  freezer.backup.volume_snapshot:
    cloud: mycloud
    volumes: data1
    snapshot_name: before-upgrade
    state: applied
"""

RETURN = r"""
snapshots:
  description: The result for each volume, in the given order.
  returned: always, when the volumes were found
  type: list
  elements: dict
  contains:
    volume:
      description: The volume's name.
      type: str
      returned: always
    volume_id:
      description: The volume's id.
      type: str
      returned: always
    changed:
      description: Whether anything about it changed, or would in check mode.
      type: bool
      returned: always
    outcome:
      description: C(success), C(unchanged), C(planned) in check mode, C(taken) with O(wait_for=taken), or C(failed).
      type: str
      returned: always
    message:
      description: The error.
      type: str
      returned: with the outcome C(failed)
    reason:
      description: The reason if nothing was done.
      type: str
      returned: where it is not plain
    snapshot:
      description: The name of the snapshot or backup.
      type: str
      returned: always
    snapshot_id:
      description: The snapshot's id.
      type: str
      returned: for snapshots
    backup_id:
      description: The backup's id.
      type: str
      returned: for backups
    size_gib:
      description: The size of the volume then, in GiB.
      type: int
      returned: with O(state=present)
    level:
      description: 0 for snapshots and full backups, one more than its base for an incremental one.
      type: int
      returned: with O(state=present)
    consistency:
      description: C(fs) if the volume was not attached, the value of O(held), else C(crash).
      type: str
      returned: with O(state=present)
    container:
      description: The container of the backup in Cinder.
      type: str
      returned: for backups
    object_count:
      description: The number of objects of the backup.
      type: int
      returned: for backups
    created_at:
      description: When it was made.
      type: str
      returned: with O(state=present)
    removed:
      description: Ids of removed snapshots or backups, by O(rotation) or O(state=absent).
      type: list
      elements: str
      returned: when something was
    restored_volume:
      description: The name of the new volume.
      type: str
      returned: with O(restore_to=new)
    restored_volume_id:
      description: The id of the new volume.
      type: str
      returned: with O(restore_to=new)
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volume_copies import (
    VolumeSnapshotOptions,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volumes import (
    VolumeSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._module.cloud_module import CloudModule


def main():
    module = CloudModule(
        {
            "volumes": {"type": "list", "elements": "str", "required": True, "aliases": ["volume", "name"]},
            "snapshot_name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "applied"], "default": "present"},
            "incremental": {"type": "bool", "default": True},
            "backup_level": {"type": "str", "choices": ["full", "incremental", "auto"], "default": "full"},
            "container": {"type": "str"},
            "require_quiesce": {"type": "bool", "default": False},
            "min_age": {"type": "float"},
            "rotation": {"type": "int"},
            "backup_set": {"type": "str"},
            "as_groups": {"type": "bool", "default": False},
            "held": {"type": "dict", "default": {}},
            "wait_for": {"type": "str", "choices": ["taken", "whole"], "default": "whole"},
            "metadata": {"type": "dict", "default": {}},
            "restore_to": {"type": "str", "choices": ["same", "new"], "default": "same"},
            "restore_as": {"type": "str"},
            "timeout": {"type": "float", "default": 1200.0},
            "concurrency": {"type": "int", "default": 8},
        },
    )
    given = module.params
    same = ("snapshot_name", "incremental", "backup_level", "container", "require_quiesce", "min_age", "rotation")
    options = VolumeSnapshotOptions(
        **{name: given[name] for name in (*same, "backup_set", "as_groups", "held", "wait_for", "metadata")},
        **{name: given[name] for name in ("restore_to", "restore_as", "concurrency")},
        timeout_seconds=given["timeout"],
    )

    def flow(cloud):
        snapshots = VolumeSnapshots(cloud, options)
        return {"present": snapshots.present, "absent": snapshots.absent, "applied": snapshots.applied}

    module.run(given["volumes"], flow)


if __name__ == "__main__":
    main()
