#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: action
short_description: Store an action with a Freezer API
version_added: 1.0.0
description:
  - Stores an action, changes it, or removes it.
  - Stored actions are building blocks for jobs. A job carries its own copy of them, so changing an action changes no
    job.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  action_id:
    description:
      - The id of the action, which you choose. Letters, digits, C(_) and C(-).
      - If it is not given, the action with this O(description) is meant, and a new one gets an id from the server.
    type: str
  description:
    description: What the action is for. It identifies the action if O(action_id) is not given.
    type: str
  freezer_action:
    description:
      - What to do, in the keys that M(freezer.backup.backup) and M(freezer.backup.restore) have as options, and
        C(action), which is V(backup), V(restore), V(verify), V(info), V(admin) or V(exec).
      - Actions that no agent can do are refused. Keys that this release does not know are stored, with a warning.
      - The dictionary is complete, so other keys are removed.
      - Every user of the project can read it, so do not put secrets here. Name a file on the client that holds
        them.
    type: dict
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._document
  - freezer.backup._document.repetition
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
  - module: freezer.backup.action_info
  - module: freezer.backup.job
"""

EXAMPLES = r"""
- name: Store the action for backups of /etc
  freezer.backup.action:
    url: http://backup.example.org:9090
    action_id: etc
    freezer_action:
      action: backup
      mode: fs
      path_to_backup: /etc
      backup_name: etc
      storage: local
      container: /var/backups/freezer
      max_level: 7
    max_retries: 3
    max_retries_interval: 60

- name: Remove it
  freezer.backup.action:
    url: http://backup.example.org:9090
    action_id: etc
    state: absent
"""

RETURN = r"""
action_id:
  description: The id of the action.
  returned: success
  type: str
  sample: etc
action:
  description:
    - The action as it is stored now, or V(null) if it does not exist.
    - Asterisks stand for the values of secrets.
  returned: success
  type: dict
  sample:
    action_id: etc
    freezer_action:
      action: backup
      mode: fs
      path_to_backup: /etc
      backup_name: etc
      storage: local
      container: /var/backups/freezer
      max_level: 7
    max_retries: 3
    max_retries_interval: 60
    user_id: anna
    project_id: default
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.jobs import ensure_action
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import (
    present_absent,
    repetition_spec,
    stamps,
)
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule

KEYS = {
    "action_id": {"type": "str"},
    "description": {"type": "str"},
    "freezer_action": {"type": "dict"},
    **repetition_spec(),
}


def main():
    module = RegistryModule({**KEYS, **stamps(), "state": present_absent()})
    wanted = module.document(*KEYS)
    module.run(
        lambda registry: ensure_action(registry, wanted, module.params["state"], module.check_mode),
        name="action",
    )


if __name__ == "__main__":
    main()
