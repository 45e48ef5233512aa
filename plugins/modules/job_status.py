#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job_status
short_description: Record the state of a run of a job
version_added: 1.0.0
description:
  - Writes what a scheduler writes into the C(job_schedule) of a job when it runs it, for playbooks that run jobs
    themselves.
  - Only given keys are written. To change the job itself, use M(freezer.backup.job).
author:
  - The freezer.backup authors (@freezer-backup)
options:
  job_id:
    description: The id of the job.
    type: str
    required: true
  status:
    description: The status of the job.
    type: str
    choices: ['', completed, stop, scheduled, running, aborting, removed]
  result:
    description: The result of the run. V('') while it runs.
    type: str
    choices: ['', success, fail, aborted]
  event:
    description: The requested event. V('') means that it was taken.
    type: str
    choices: ['', stop, start, abort, remove]
  time_started:
    description: When the run began, in seconds since 1970.
    type: int
  time_ended:
    description: When it ended, in seconds since 1970, or V(-1) while it runs.
    type: int
  current_pid:
    description: The id of the process that runs it, or V(0).
    type: int
  reason:
    description:
      - The reason for the result, a sentence. V('') if there is none.
      - Upstream's API has neither this key nor O(progress). Both are left out there.
    type: str
  progress:
    description:
      - The progress of the run. Only given keys are written.
      - With C(phase) V(playbook) a scheduler leaves the run to a playbook, and goes on with the job as soon as the
        status is neither V(running) nor V(aborting). With C(after) V(stop) the job is stopped then.
    type: dict
  session_tag:
    description: The round of the session in which it runs, as RV(freezer.backup.session_action#module:session_tag) is.
    type: int
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
seealso:
  - module: freezer.backup.job
  - module: freezer.backup.session_action
"""

EXAMPLES = r"""
- name: Record that the job runs
  freezer.backup.job_status:
    url: http://backup.example.org:9090
    job_id: nightly_db1
    status: running
    result: ''
    reason: ''
    event: ''
    progress:
      phase: playbook
    time_started: "{{ now().timestamp() | int }}"
    time_ended: -1

- name: Record that it succeeded
  freezer.backup.job_status:
    url: http://backup.example.org:9090
    job_id: nightly_db1
    status: completed
    result: success
    progress:
      phase: ''
    time_ended: "{{ now().timestamp() | int }}"
"""

RETURN = r"""
job_id:
  description: The id of the job.
  returned: success
  type: str
  sample: nightly_db1
job:
  description: The job as it is stored now.
  returned: success
  type: dict
  sample:
    job_id: nightly_db1
    client_id: db1.example.org
    job_actions: []
    job_schedule:
      status: completed
      result: success
      time_started: 1795321994
      time_ended: 1795322001
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.jobs import record_status
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import run_spec
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule

KEYS = ("status", "result", "reason", "event", "time_started", "time_ended", "current_pid", "progress")


def main():
    run_keys = run_spec()
    module = RegistryModule(
        {
            "job_id": {"type": "str", "required": True},
            "session_tag": {"type": "int"},
            **{key: run_keys[key] for key in KEYS},
        },
        required_one_of=[(*KEYS, "session_tag")],
    )
    job_id, tag, status = module.params["job_id"], module.params["session_tag"], module.document(*KEYS)
    module.run(lambda registry: record_status(registry, job_id, status, tag, module.check_mode), name="job")


if __name__ == "__main__":
    main()
