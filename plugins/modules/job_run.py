# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job_run
short_description: Run a job of a Freezer API on its host
version_added: 1.0.0
description:
  - Runs a job on the host of the task as C(freezer-scheduler) would there. Its actions run in their order, with retries, inside
    its session if it has one. Result, times and backups are recorded with the API.
  - A scheduler of the host leaves the job alone meanwhile. A job that was stopped is stopped again afterwards.
  - Requests to the API come from the controller, which needs the Python libraries for that. Calendar fields need APScheduler 3
    there.
  - A restore of files gets the records of the API for its host and name (O(freezer.backup.restore#module:recorded_manifests)). A backup with
    another manifest than on record is refused, and so is one on no record that nobody has signed who is believed.
  - Only the actions C(backup), C(restore) and C(admin) are run. A job with another action is refused, and nothing is done.
  - The playbook C(freezer.backup.run_job) finds the host of a job and runs it with this.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  job_id:
    description: The id of the job. Whether it belongs to the host is not checked.
    type: str
    required: true
  init:
    description:
      - Accept each container as it is, also one that is not mounted or is another one than before.
      - A job with this option is refused.
    type: bool
    default: false
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._registry
  - freezer.backup._registry.from_controller
attributes:
  check_mode:
    support: full
    details:
      - The actions run in check mode, and nothing is recorded.
      - An action does not fail for want of a backup that the job would make first. It fails for all else that is wrong with it,
        such as a folder to restore into that is not empty.
  diff_mode:
    support: full
  idempotent:
    support: none
    details: Each call is a run.
seealso:
  - module: freezer.backup.job
  - module: freezer.backup.job_event
"""

EXAMPLES = r"""
- name: Run the nightly job now
  freezer.backup.job_run:
    url: http://backup.example.org:9090
    job_id: nightly_db1
"""

RETURN = r"""
job_id:
  description: The id of the job.
  returned: when the job was run
  type: str
  sample: nightly_db1
result:
  description: The result of the job, V(success), V(fail) or V(aborted). The task fails unless it is V(success).
  returned: when the job was run
  type: str
  sample: success
status:
  description: The status of the job afterwards, for example V(scheduled) if it will be due again.
  returned: when the job was run
  type: str
  sample: scheduled
failures:
  description: A sentence for each action that failed.
  returned: when the job was run
  type: list
  elements: str
  sample: []
backup_ids:
  description: The ids of the backups that were made and recorded.
  returned: when the job was run
  type: list
  elements: str
  sample: [5f6c0d4f3f3d4a4f9a4e2a1f0c7d8e9b]
"""
