#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: action_info
short_description: Look actions up at a Freezer API
version_added: 1.0.0
description:
  - Returns an action by its id, or all actions that match.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  action_id:
    description: The id of an action. An unknown id is no error; the list is then empty.
    type: str
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.action_group
  - freezer.backup._document.info
  - freezer.backup._registry
  - freezer.backup._registry.from_host
seealso:
  - module: freezer.backup.action
"""

EXAMPLES = r"""
- name: List the stored actions
  freezer.backup.action_info:
    url: http://backup.example.org:9090
  register: found
"""

RETURN = r"""
actions:
  description:
    - The actions, each a valid set of options for M(freezer.backup.action).
    - Asterisks stand for the values of secrets. Passed back, they stand for the stored secret.
  returned: success, unless O(query) is given
  type: list
  elements: dict
  sample:
    - action_id: etc
      freezer_action:
        action: backup
        path_to_backup: /etc
        backup_name: etc
        storage: local
        container: /var/backups/freezer
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
            "action_id": {"type": "str"},
            **info_spec(),
        },
        mutually_exclusive=[("action_id", "search"), ("action_id", "limit")],
    )
    params = module.params
    module.run_info(
        "actions",
        lambda registry: select(registry.actions, params["action_id"], search=params["search"], limit=params["limit"]),
    )


if __name__ == "__main__":
    main()
