#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_statistics_info
short_description: Report the state and the backups of servers and volumes of an OpenStack cloud
description:
  - Returns the state, size and attachments of servers and volumes, and the number, the age of the newest and the size of
    the snapshots and backups that this collection has made of them.
  - Requests five lists, independent of the number of servers and volumes, and the diagnostics of each running server.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  servers:
    description:
      - Names or ids of servers. The volumes that are attached to them are included.
      - Without O(servers) and O(volumes), everything in the project is included.
    type: list
    elements: str
    default: []
  volumes:
    description:
      - Names or ids of further volumes.
    type: list
    elements: str
    default: []
  diagnostics:
    description:
      - Request the diagnostics of running servers. Most clouds show them to administrators only; a refusal is no failure.
    type: bool
    default: true
  concurrency:
    description:
      - The number of servers that are queried in parallel.
    type: int
    default: 8
extends_documentation_fragment:
  - freezer.backup._cloud
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.action_group_cloud
attributes:
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.server_snapshot
  - module: freezer.backup.volume_snapshot
"""

EXAMPLES = r"""
- name: Report all of a project
  freezer.backup.cloud_statistics_info:
    cloud: mycloud
  register: found

- name: Fail if a server or a volume has no backup
  ansible.builtin.assert:
    that: found.totals.servers_without_backup == []

- name: Show a table
  ansible.builtin.debug:
    var: found.table
"""

RETURN = r"""
servers:
  description: The servers.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The server's name.
      type: str
      returned: always
    id:
      description: The server's id.
      type: str
      returned: always
    status:
      description: Its state in Nova.
      type: str
      returned: always
    task_state:
      description: The current task of Nova.
      type: str
      returned: always
    created_at:
      description: When it was made.
      type: str
      returned: always
    vcpus:
      description: How many processors its flavor has.
      type: int
      returned: always
    ram_mib:
      description: The memory of its flavor, in MiB.
      type: int
      returned: always
    disk_gib:
      description: The disk of its flavor, in GiB.
      type: int
      returned: always
    volume_ids:
      description: The volumes that are attached to it.
      type: list
      elements: str
      returned: always
    backups:
      description: Its images that this collection has made, complete ones in C(count), others in C(not_whole).
      type: dict
      returned: always
      sample:
        count: 2
        newest: vm-9f1c-before-upgrade-increment
        newest_age_seconds: 3600.5
        newest_created_at: "2026-11-27T17:00:00Z"
        newest_size_bytes: 300000
        not_whole: 0
        size_bytes: 600000
    diagnostics:
      description: The diagnostics of its hypervisor, as Nova returns them, or null.
      type: dict
      returned: with O(diagnostics=true)
    diagnostics_reason:
      description: The reason if there are none.
      type: str
      returned: when RV(servers[].diagnostics) is null
volumes:
  description: The volumes.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The volume's name.
      type: str
      returned: always
    id:
      description: The volume's id.
      type: str
      returned: always
    status:
      description: Its state in Cinder.
      type: str
      returned: always
    created_at:
      description: When it was made.
      type: str
      returned: always
    size_gib:
      description: Its size, in GiB.
      type: int
      returned: always
    volume_type:
      description: Its type.
      type: str
      returned: always
    server_ids:
      description: The servers that it is attached to.
      type: list
      elements: str
      returned: always
    snapshots:
      description: Its snapshots that this collection has made. Sizes are those of the volume then, in GiB.
      type: dict
      returned: always
    backups:
      description: Its backups that this collection has made. Sizes are those of the volume then, in GiB.
      type: dict
      returned: always
totals:
  description: Sums of sizes, the number of servers and volumes, and the names of those without any backup.
  returned: success
  type: dict
table:
  description: The same for people, line by line.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.statistics import statistics
from ansible_collections.freezer.backup.plugins.module_utils._module.cloud_module import CloudModule


def main():
    module = CloudModule(
        {
            "servers": {"type": "list", "elements": "str", "default": []},
            "volumes": {"type": "list", "elements": "str", "default": []},
            "diagnostics": {"type": "bool", "default": True},
            "concurrency": {"type": "int", "default": 8},
        }
    )
    given = {name: module.params[name] for name in ("servers", "volumes", "diagnostics", "concurrency")}
    module.run_info(lambda cloud: statistics(cloud, **given))


if __name__ == "__main__":
    main()
