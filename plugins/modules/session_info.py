#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: session_info
short_description: Look sessions up at a Freezer API
version_added: 1.0.0
description:
  - Returns a session by its id, or all sessions that match.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  session_id:
    description: The id of a session. An unknown id is no error; the list is then empty.
    type: str
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.action_group
  - freezer.backup._document.info
  - freezer.backup._registry
  - freezer.backup._registry.from_host
seealso:
  - module: freezer.backup.session
"""

EXAMPLES = r"""
- name: Look a session up
  freezer.backup.session_info:
    url: http://backup.example.org:9090
    session_id: shop
  register: found
"""

RETURN = r"""
sessions:
  description: The sessions, each a valid set of options for M(freezer.backup.session).
  returned: success, unless O(query) is given
  type: list
  elements: dict
  sample:
    - session_id: shop
      session_tag: 23
      description: The whole shop
      hold_off: 120
      schedule:
        schedule_hour: "2"
      jobs:
        shop_db:
          client_id: db1.example.org
          status: completed
          result: success
          time_started: 1795321994
          time_ended: 1795322001
      status: completed
      result: success
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
            "session_id": {"type": "str"},
            **info_spec(),
        },
        mutually_exclusive=[("session_id", "search"), ("session_id", "limit")],
    )
    params = module.params
    module.run_info(
        "sessions",
        lambda registry: select(
            registry.sessions, params["session_id"], search=params["search"], limit=params["limit"]
        ),
    )


if __name__ == "__main__":
    main()
