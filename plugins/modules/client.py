#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: client
short_description: Register a node as a client with a Freezer API
version_added: 1.0.0
description:
  - Registers a client, changes its description, or removes it.
  - A client is a node on which jobs run. Jobs name it by its O(client_id).
author:
  - The freezer.backup authors (@freezer-backup)
options:
  client_id:
    description:
      - The id of the client, a host name such as V(db1.example.org), with the project and an underscore before it
        where projects share host names.
      - If it is not given, O(hostname) is the id.
    type: str
  hostname:
    description: The name of the host.
    type: str
  description:
    description: A description of the client, for people.
    type: str
  uuid:
    description: A UUID to give to a new client. The server makes one if it is not given. It is never changed afterwards.
    type: str
  config_id:
    description: The id of the client in a configuration management system.
    type: str
  supported_actions:
    description: The actions that the client can run.
    type: list
    elements: str
  supported_modes:
    description: The modes in which it can take backups.
    type: list
    elements: str
  supported_storages:
    description: The storages that it can write to.
    type: list
    elements: str
  supported_engines:
    description: The engines that it supports.
    type: list
    elements: str
  is_central:
    description: Whether the client takes jobs of every project.
    type: bool
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._document
  - freezer.backup._document.stamps
  - freezer.backup._registry
  - freezer.backup._registry.from_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: freezer.backup.client_info
"""

EXAMPLES = r"""
- name: Register every host of the inventory as a client
  freezer.backup.client:
    url: http://backup.example.org:9090
    client_id: "{{ inventory_hostname }}"
    hostname: "{{ inventory_hostname }}"
    description: Database of the shop
  delegate_to: localhost

- name: Remove a client
  freezer.backup.client:
    url: http://backup.example.org:9090
    client_id: db1.example.org
    state: absent
"""

RETURN = r"""
client_id:
  description: The id of the client.
  returned: success
  type: str
  sample: db1.example.org
client:
  description: The client as it is stored now, or V(null) if it does not exist.
  returned: success
  type: dict
  sample:
    client_id: db1.example.org
    hostname: db1.example.org
    description: Database of the shop
    uuid: 7d2c1e6cf3a64a3c9f1c8f0f63a0d3a4
    user_id: anna
    project_id: default
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.kinds import ensure_client
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import present_absent, stamps
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule

KEYS = {
    "client_id": {"type": "str"},
    "hostname": {"type": "str"},
    "description": {"type": "str"},
    "uuid": {"type": "str"},
    "config_id": {"type": "str"},
    "supported_actions": {"type": "list", "elements": "str"},
    "supported_modes": {"type": "list", "elements": "str"},
    "supported_storages": {"type": "list", "elements": "str"},
    "supported_engines": {"type": "list", "elements": "str"},
    "is_central": {"type": "bool"},
}


def main():
    module = RegistryModule(
        {**KEYS, **stamps(), "state": present_absent()}, required_one_of=[("client_id", "hostname")]
    )
    wanted = module.document(*KEYS)
    module.run(
        lambda registry: ensure_client(registry, wanted, module.params["state"], module.check_mode),
        name="client",
    )


if __name__ == "__main__":
    main()
