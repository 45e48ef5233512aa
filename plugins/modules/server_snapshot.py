#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_snapshot
short_description: Snapshots of servers of an OpenStack cloud
description:
  - Makes images of servers, waits until they are whole, and checks that they have bytes and a checksum.
  - Lets a server become what its snapshot is, or makes a new server of it beside the old one.
  - Takes many servers in one call. One that fails does not keep the others from being done; the module then fails with
    the result of each.
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
      - What the snapshot is called. The image gets the name C(vm-<id>-<snapshot_name>-increment), or C(-backup) with
        O(incremental=false).
    type: str
    required: true
  state:
    description:
      - With V(present) there is a whole snapshot of this name. One that an earlier run began is waited for, one that
        failed is made again.
      - With V(absent) there is none. Snapshots of volumes that belong to it go with it, other snapshots stay.
      - With V(applied) the server is rebuilt from the snapshot. Its id and its addresses stay. It is stopped before, and
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
      - What O(rotation) counts, with O(incremental=false).
    type: str
    default: irregular
  rotation:
    description:
      - So many backups of O(backup_type) are kept of a server, with O(incremental=false). Nova removes the oldest.
    type: int
    default: 1
  require_quiesce:
    description:
      - Refuse a snapshot during which the file systems of the server are not held still. Nova does that for servers
        whose image has both C(hw_qemu_guest_agent) and C(os_require_quiesce); a server that is shut off needs nothing.
    type: bool
    default: false
  min_age:
    description:
      - Make no new snapshot while the newest one of the server is younger than this many seconds.
    type: float
  keep:
    description:
      - So many snapshots of O(backup_set) are kept of a server. Older ones are removed when the new one is whole, or when
        it is found to be there. With it Nova removes none by itself.
    type: int
  backup_set:
    description:
      - What O(keep) counts. Without it O(snapshot_name).
    type: str
  as_groups:
    description:
      - The volumes of a server that boots from a volume get one group snapshot, if they are a group of Cinder. It is of one moment
        where the type of the group has C(consistent_group_snapshot_enabled). Without it Nova asks for a snapshot of one volume
        after the other.
      - Servers whose volumes are in no group are left to Nova. A group that has only some of them, or others too, is an error.
      - Nova takes no part in it and so does not hold the file systems still; O(held) says who does.
      - Cinder removes all snapshots of such a group together, as O(state=absent) and O(keep) do.
    type: bool
    default: false
  held:
    description:
      - What whoever calls this holds still meanwhile, by the id of the server, V(fs) for its file systems or V(app) for its
        applications. It is recorded as the consistency of the snapshot.
    type: dict
    default: {}
  wait_for:
    description:
      - With V(whole) the bytes of the image are in Glance and have a checksum.
      - With V(taken) no later write of the server gets into the snapshot, so that what is held still may go on; its bytes
        may still be on their way. Call it again with V(whole) to wait for them.
    type: str
    choices: [taken, whole]
    default: whole
  metadata:
    description:
      - Further properties of the image. Owner, server, set, level and consistency are recorded anyway.
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
      - With O(state=applied), rebuild a server also if it was made from this very snapshot.
    type: bool
    default: false
  timeout:
    description:
      - How long to wait for each server, in seconds. The next run goes on where this one stopped waiting.
    type: float
    default: 600.0
  concurrency:
    description:
      - So many servers are worked on at once.
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

- name: A database server, all of whose volumes are one group of Cinder, as it was at one moment
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

- name: The server as it was before the upgrade
  freezer.backup.server_snapshot:
    cloud: mycloud
    servers: web1
    snapshot_name: before-upgrade
    state: applied
"""

RETURN = r"""
snapshots:
  description: What became of each server, in the order in which they were named.
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
      description: What went wrong.
      type: str
      returned: with the outcome C(failed)
    reason:
      description: Why nothing was done.
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
      description: C(fs) when file systems were held still or not in use, what O(held) says, C(crash) otherwise.
      type: str
      returned: with O(state=present)
    volume_snapshot_ids:
      description: The snapshots of volumes that the image of a server with volumes stands for.
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
