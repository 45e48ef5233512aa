#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job_event
short_description: Ask for the start, the stop or the abort of a job
version_added: 1.0.0
description:
  - Puts an event on a job. The scheduler on the job's client takes it the next time it asks for its jobs.
  - The module does not wait for the scheduler.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  job_id:
    description: The id of the job.
    type: str
    required: true
  event:
    description:
      - V(start) runs the job now; its schedule stays. A job that was stopped is put back into its schedule, and is run now
        if it has none. The result of the last run stays until the next one begins.
      - V(stop) takes it out of its schedule; a current run completes first.
      - V(abort) ends the current run; the schedule goes on.
      - A completed job cannot be stopped or aborted, so nothing is changed then.
    type: str
    choices: [start, stop, abort]
    required: true
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
    details: An event that the scheduler has taken meanwhile can be asked for again.
seealso:
  - module: freezer.backup.job
"""

EXAMPLES = r"""
- name: Run the nightly job now
  freezer.backup.job_event:
    url: http://backup.example.org:9090
    job_id: nightly_db1
    event: start
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
      event: start
      status: scheduled
      result: success
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.jobs import request_event
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule


def main():
    module = RegistryModule(
        {
            "job_id": {"type": "str", "required": True},
            "event": {"type": "str", "choices": ["start", "stop", "abort"], "required": True},
        }
    )
    job_id, event = module.params["job_id"], module.params["event"]
    module.run(lambda registry: request_event(registry, job_id, event, module.check_mode), name="job")


if __name__ == "__main__":
    main()
