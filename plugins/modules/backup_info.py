#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Look backups up at a Freezer API
version_added: 1.0.0
description:
  - Returns the record of a backup by its id, or all backups that match.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  backup_id:
    description: The id of the record of a backup. An unknown id is no error; the list is then empty.
    type: str
  hostname:
    description: Only backups of this host.
    type: str
  backup_name:
    description: Only backups of this name.
    type: str
  container:
    description: Only backups in this container.
    type: str
  time_after:
    description: Only backups taken at this time or later, in seconds since 1970.
    type: int
  time_before:
    description: Only backups taken at this time or earlier, in seconds since 1970.
    type: int
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.action_group
  - freezer.backup._document.info
  - freezer.backup._registry
  - freezer.backup._registry.from_host
seealso:
  - module: freezer.backup.backup_record
"""

EXAMPLES = r"""
- name: List what was backed up of db1 in the last day
  freezer.backup.backup_info:
    url: http://backup.example.org:9090
    hostname: db1.example.org
    time_after: "{{ now().timestamp() | int - 86400 }}"
  register: found
"""

RETURN = r"""
backups:
  description: The records, each a valid set of options for M(freezer.backup.backup_record).
  returned: success, unless O(query) is given
  type: list
  elements: dict
  sample:
    - backup_id: 5f6c0d4f3f3d4a4f9a4e2a1f0c7d8e9b
      backup_metadata:
        container: /var/backups/freezer
        hostname: db1.example.org
        backup_name: etc
        time_stamp: 1795321994
        level: 0
      user_id: anna
      project_id: default
query_result:
  description: The result of O(query).
  returned: success and O(query) is given
  type: raw
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.select import select
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import info_spec
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule


def main():
    module = RegistryModule(
        {
            "backup_id": {"type": "str"},
            "hostname": {"type": "str"},
            "backup_name": {"type": "str"},
            "container": {"type": "str"},
            "time_after": {"type": "int"},
            "time_before": {"type": "int"},
            **info_spec(),
        },
        mutually_exclusive=[("backup_id", "search"), ("backup_id", "limit")],
    )
    params = module.params
    match = {key: params[key] for key in ("hostname", "backup_name", "container")}
    module.run_info(
        "backups",
        lambda registry: select(
            registry.backups,
            params["backup_id"],
            match,
            search=params["search"],
            time_after=params["time_after"],
            time_before=params["time_before"],
            limit=params["limit"],
        ),
    )


if __name__ == "__main__":
    main()
