#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: client_info
short_description: Look clients up at a Freezer API
version_added: 1.0.0
description:
  - Returns a client by its id, or all clients that match.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  client_id:
    description: The id of a client. An unknown id is no error; the list is then empty.
    type: str
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.action_group
  - freezer.backup._document.info
  - freezer.backup._registry
  - freezer.backup._registry.from_host
seealso:
  - module: freezer.backup.client
"""

EXAMPLES = r"""
- name: List all clients
  freezer.backup.client_info:
    url: http://backup.example.org:9090
  register: found

- name: Look one up
  freezer.backup.client_info:
    url: http://backup.example.org:9090
    client_id: db1.example.org
"""

RETURN = r"""
clients:
  description: The clients, each a valid set of options for M(freezer.backup.client).
  returned: success, unless O(query) is given
  type: list
  elements: dict
  sample:
    - client_id: db1.example.org
      hostname: db1.example.org
      description: Database of the shop
      uuid: 7d2c1e6cf3a64a3c9f1c8f0f63a0d3a4
      user_id: anna
      project_id: default
query_result:
  description: The result of O(query).
  returned: success and O(query) is given
  type: raw
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.kinds import flat_client
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.select import select
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import info_spec
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule


def main():
    module = RegistryModule(
        {
            "client_id": {"type": "str"},
            **info_spec(),
        },
        mutually_exclusive=[("client_id", "search"), ("client_id", "limit")],
    )
    params = module.params
    module.run_info(
        "clients",
        lambda registry: map(
            flat_client, select(registry.clients, params["client_id"], search=params["search"], limit=params["limit"])
        ),
    )


if __name__ == "__main__":
    main()
