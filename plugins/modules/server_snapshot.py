#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_snapshot
short_description: Snapshots of servers of an OpenStack cloud
description:
  - Makes images of servers, waits until they are complete, and checks that they have bytes and a checksum.
  - Rebuilds a server from its snapshot, or makes a new server beside the old one.
  - Handles many servers in one call. If one fails, the others are still done; the module then fails with the result of
    each.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  servers:
    description:
      - Names or ids of servers.
    type: list
    elements: str
    required: true
    aliases: [server, name]
  snapshot_name:
    description:
      - The name of the snapshot. The image gets the name C(vm-<id>-<snapshot_name>-increment), or C(-backup) with
        O(incremental=false).
    type: str
    required: true
  state:
    description:
      - V(present) ensures a complete snapshot of this name. It waits for one that an earlier run began, and repeats one that
        failed.
      - V(absent) removes it together with its snapshots of volumes; other snapshots are kept.
      - V(applied) rebuilds the server from the snapshot. Its id and its addresses stay. It is stopped before, and
        started again if it ran.
    type: str
    choices: [present, absent, applied]
    default: present
  incremental:
    description:
      - Make an image, which is what Cloudify's plugin calls an increment. With V(false) it is a backup of Nova
        (C(createBackup)), with O(rotation). Nova makes no backups of servers that boot from a volume.
    type: bool
    default: true
  backup_type:
    description:
      - The type that O(rotation) counts, with O(incremental=false).
    type: str
    default: irregular
  rotation:
    description:
      - The number of backups of O(backup_type) that are kept of a server, with O(incremental=false). Nova removes the oldest.
    type: int
    default: 1
  require_quiesce:
    description:
      - Refuse a snapshot without frozen file systems. Nova freezes them for servers
        whose image has both C(hw_qemu_guest_agent) and C(os_require_quiesce); a server that is shut off needs nothing.
    type: bool
    default: false
  min_age:
    description:
      - Make no snapshot if the newest one of the server is younger than this many seconds.
    type: float
  keep:
    description:
      - The number of snapshots of O(backup_set) that are kept of a server. Older ones are removed as soon as the new one is
        complete. With it Nova removes none by itself.
    type: int
  backup_set:
    description:
      - The set that O(keep) counts. The default is O(snapshot_name).
    type: str
  as_groups:
    description:
      - The volumes of a server that boots from a volume get one group snapshot, if they are a group of Cinder. It is of one point in time
        if the type of the group has C(consistent_group_snapshot_enabled). Without it Nova takes a snapshot of one volume
        after the other.
      - For servers whose volumes are in no group, Nova takes the snapshots. A group with only some of the volumes, or with other
        volumes too, is an error.
      - Nova takes no part in it and so does not freeze the file systems; O(held) records who does.
      - Cinder removes all snapshots of such a group together, as O(state=absent) and O(keep) do.
    type: bool
    default: false
  held:
    description:
      - What the caller holds meanwhile, by the id of the server, V(fs) for its file systems or V(app) for its applications. It
        is recorded as the consistency of the snapshot.
    type: dict
    default: {}
  wait_for:
    description:
      - With V(whole) the bytes of the image are in Glance and have a checksum.
      - With V(taken) no later write of the server gets into the snapshot, so a hold can be released; its bytes may still be
        uploaded. Call it again with V(whole) to wait for them.
    type: str
    choices: [taken, whole]
    default: whole
  metadata:
    description:
      - Further properties of the image. Owner, server, set, level and consistency are always recorded.
    type: dict
    default: {}
  restore_as:
    description:
      - With O(state=applied) the name of a new server beside the old one. It has the same flavor, key and networks, but
        an id and addresses of its own, because the old server still has its own.
      - This is the only way for servers that boot from a volume.
    type: str
  force:
    description:
      - With O(state=applied), rebuild a server even if it was made from this snapshot.
    type: bool
    default: false
  timeout:
    description:
      - The longest wait for each server, in seconds. The next run goes on waiting.
    type: float
    default: 600.0
  concurrency:
    description:
      - The number of servers that are handled in parallel.
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
  - module: freezer.backup.volume_snapshot
"""

EXAMPLES = r"""
- name: Snapshots of two servers before an upgrade
  freezer.backup.server_snapshot:
    cloud: mycloud
    servers: [web1, web2]
    snapshot_name: before-upgrade

- name: A database server, all of whose volumes are one group of Cinder, at one point in time
  freezer.backup.server_snapshot:
    cloud: mycloud
    servers: db1
    snapshot_name: before-upgrade
    as_groups: true

- name: A backup every day, of which seven are kept
  freezer.backup.server_snapshot:
    cloud: mycloud
    servers: web1
    snapshot_name: "{{ now(utc=true).strftime('%Y-%m-%d') }}"
    incremental: false
    backup_type: daily
    rotation: 7

- name: Rebuild the server as it was before the upgrade
  freezer.backup.server_snapshot:
    cloud: mycloud
    servers: web1
    snapshot_name: before-upgrade
    state: applied
"""

RETURN = r"""
snapshots:
  description: The result for each server, in the given order.
  returned: always, when the servers were found
  type: list
  elements: dict
  contains:
    server:
      description: The server's name.
      type: str
      returned: always
    server_id:
      description: The server's id.
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
      description: The name of the image.
      type: str
      returned: always
    image_id:
      description: The image's id.
      type: str
      returned: when there is one
    size_bytes:
      description: The size of the image; nothing for a server that boots from a volume, whose bytes are in snapshots.
      type: int
      returned: with O(state=present)
    checksum:
      description: The hash of the image that Glance keeps.
      type: str
      returned: with O(state=present)
    consistency:
      description: C(fs) if file systems were frozen or not in use, the value of O(held), else C(crash).
      type: str
      returned: with O(state=present)
    volume_snapshot_ids:
      description: The snapshots of volumes that the image of a server with volumes refers to.
      type: list
      elements: str
      returned: with O(state=present)
    created_at:
      description: When the image was made.
      type: str
      returned: with O(state=present)
    removed:
      description: Ids of the images that O(keep) has removed.
      type: list
      elements: str
      returned: when some were
    restored_server:
      description: The name of the new server.
      type: str
      returned: with O(restore_as)
    restored_server_id:
      description: The id of the new server.
      type: str
      returned: with O(restore_as)
    addresses:
      description: The addresses of the new server.
      type: dict
      returned: when a server was made
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.compute.servers import (
    ServerSnapshotOptions,
    ServerSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._module.cloud_module import CloudModule


def main():
    module = CloudModule(
        {
            "servers": {"type": "list", "elements": "str", "required": True, "aliases": ["server", "name"]},
            "snapshot_name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "applied"], "default": "present"},
            "incremental": {"type": "bool", "default": True},
            "backup_type": {"type": "str", "default": "irregular"},
            "rotation": {"type": "int", "default": 1},
            "require_quiesce": {"type": "bool", "default": False},
            "min_age": {"type": "float"},
            "keep": {"type": "int"},
            "backup_set": {"type": "str"},
            "as_groups": {"type": "bool", "default": False},
            "held": {"type": "dict", "default": {}},
            "wait_for": {"type": "str", "choices": ["taken", "whole"], "default": "whole"},
            "metadata": {"type": "dict", "default": {}},
            "restore_as": {"type": "str"},
            "force": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 600.0},
            "concurrency": {"type": "int", "default": 8},
        },
    )
    given = module.params
    same = ("snapshot_name", "incremental", "backup_type", "rotation", "require_quiesce", "min_age", "metadata")
    options = ServerSnapshotOptions(
        **{name: given[name] for name in (*same, "keep", "backup_set", "as_groups", "held", "wait_for")},
        **{name: given[name] for name in ("restore_as", "force", "concurrency")},
        timeout_seconds=given["timeout"],
    )

    def flow(cloud):
        snapshots = ServerSnapshots(cloud, options)
        return {"present": snapshots.present, "absent": snapshots.absent, "applied": snapshots.applied}

    module.run(given["servers"], flow)


if __name__ == "__main__":
    main()
