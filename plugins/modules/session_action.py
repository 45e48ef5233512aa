#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: session_action
short_description: Start or end a job in a session
version_added: 1.0.0
description:
  - Starts and ends a job in its session, as a scheduler does before and after a run, for playbooks that run jobs
    themselves.
  - A start within O(freezer.backup.session#module:hold_off) seconds joins the current round. A later start begins
    a new one, and the C(session_tag) grows by one.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  session_id:
    description: The id of the session.
    type: str
    required: true
  action:
    description: Whether the job starts or ends.
    type: str
    choices: [start, end]
    required: true
  job_id:
    description: The id of the job, one of the jobs of the session.
    type: str
    required: true
  current_tag:
    description:
      - The number of the last round that the job took part in.
      - If it is not given, it is the C(session_tag) of the job.
    type: int
  result:
    description: The result of the job. O(action=end) needs it.
    type: str
    choices: [success, fail, aborted]
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._registry
  - freezer.backup._registry.from_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details: A job that takes part in the round already is held off, or joins it once more without a change.
seealso:
  - module: freezer.backup.session
  - module: freezer.backup.job_status
"""

EXAMPLES = r"""
- name: Join the session
  freezer.backup.session_action:
    url: http://backup.example.org:9090
    session_id: shop
    action: start
    job_id: shop_db
  register: round

- name: Remember the round
  freezer.backup.job_status:
    url: http://backup.example.org:9090
    job_id: shop_db
    status: running
    session_tag: "{{ round.session_tag }}"
  when: round.result == 'success'

- name: End the job in the session
  freezer.backup.session_action:
    url: http://backup.example.org:9090
    session_id: shop
    action: end
    job_id: shop_db
    result: success
"""

RETURN = r"""
result:
  description:
    - V(success) if the job may run.
    - V(hold-off) if it has taken part in this round already, or V(out-of-sync) if it missed rounds. Nothing is changed
      then, and the job should not run.
  returned: success
  type: str
  sample: success
session_id:
  description: The id of the session.
  returned: success
  type: str
  sample: shop
session_tag:
  description: The number of the round. A job that may run has to take it over.
  returned: success
  type: int
  sample: 23
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.sessions import act
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule


def main():
    module = RegistryModule(
        {
            "session_id": {"type": "str", "required": True},
            "action": {"type": "str", "choices": ["start", "end"], "required": True},
            "job_id": {"type": "str", "required": True},
            "current_tag": {"type": "int"},
            "result": {"type": "str", "choices": ["success", "fail", "aborted"]},
        },
        required_if=[("action", "end", ["result"])],
    )
    module.run(
        lambda registry: act(
            registry,
            module.params["session_id"],
            module.params["action"],
            module.params["job_id"],
            module.params["current_tag"],
            module.params["result"],
            module.check_mode,
        )
    )


if __name__ == "__main__":
    main()
