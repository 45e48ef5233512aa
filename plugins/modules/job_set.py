#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job_set
short_description: Store a whole list of jobs with a Freezer API
version_added: 1.0.0
description:
  - Stores, changes and removes many jobs in one call, so that they are as in a list.
  - It reads the existing jobs once and writes the differences in few requests. If the API cannot do that, as upstream's, it
    writes one job after the other.
  - The documentation of M(freezer.backup.job) holds for each of them.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  jobs:
    description:
      - The jobs. Each is a set of options as M(freezer.backup.job) takes them.
      - A job may be in the list once only.
    type: list
    elements: dict
    required: true
  prune:
    description:
      - Remove all other jobs of the clients in O(client_id).
      - Jobs of other clients are never removed. Nothing is removed if any job of the list has failed.
    type: bool
    default: false
  client_id:
    description:
      - The clients whose jobs O(prune) may remove. It must not be empty then.
      - It does not set the client of the jobs in O(jobs); each of them has its own C(client_id).
    type: list
    elements: str
  continue_on_error:
    description:
      - Go on with the other jobs after one has failed. The task still fails at the end.
      - Without it, nothing is written if any job of the list is not valid, and nothing more is written after
        the API has refused one. Jobs that are in the same request as the refused one are still written.
    type: bool
    default: false
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._document.job_set
  - freezer.backup._registry
  - freezer.backup._registry.from_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the jobs that change, each below its id.
  idempotent:
    support: full
seealso:
  - module: freezer.backup.job
  - module: freezer.backup.job_info
"""

EXAMPLES = r"""
- name: Back up /etc of all databases every night, and nothing else of them
  freezer.backup.job_set:
    url: http://backup.example.org:9090
    client_id: "{{ groups['databases'] }}"
    prune: true
    jobs: "{{ lookup('ansible.builtin.template', 'nightly_jobs.yml.j2') | from_yaml }}"

- name: Keep the jobs of one client as in a list, except one that is managed by hand
  freezer.backup.job_set:
    url: http://backup.example.org:9090
    client_id: [db1.example.org]
    prune: true
    jobs:
      - job_id: nightly_db1
        client_id: db1.example.org
        job_actions:
          - freezer_action:
              action: backup
              path_to_backup: /etc
              backup_name: etc
              storage: local
              container: /var/backups/freezer
        job_schedule:
          schedule_hour: "2"
      - job_id: yearly_db1
        ignore: true

- name: Copy all jobs of one project to another
  freezer.backup.job_set:
    url: http://backup.example.org:9090
    project_id: new
    jobs: "{{ found.jobs }}"
"""

RETURN = r"""
results:
  description:
    - The result of each job, in the order of O(jobs), and of each pruned job.
    - It is returned on failure as well, unless nothing could be read.
  returned: always
  type: list
  elements: dict
  contains:
    job_id:
      description: The id of the job, or V(null) for a new one in check mode that was given none.
      type: str
      returned: always
    changed:
      description: Whether the job has been changed.
      type: bool
      returned: always
    outcome:
      description:
        - One of V(unchanged), V(created), V(changed), V(removed), V(pruned) and V(ignored); V(failed) for a job that
          could not be made so, and V(skipped) for one that was not tried after that.
      type: str
      returned: always
    diff:
      description: The job before and after, without what servers write, with asterisks for the values of secrets.
      type: dict
      returned: when the job has been changed
    error:
      description: The error, if the job could not be made so.
      type: str
      returned: when it is not
  sample:
    - job_id: nightly_db1
      changed: true
      outcome: changed
      diff:
        before: {client_id: db1.example.org, job_actions: [], job_schedule: {schedule_hour: "2"}}
        after: {client_id: db1.example.org, job_actions: [], job_schedule: {schedule_hour: "3"}}
    - job_id: yearly_db1
      changed: false
      outcome: ignored
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.job_set import ensure_jobs
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import (
    job_server_spec,
    job_spec,
    present_absent,
)
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule


def main():
    job = {
        **job_spec(),
        **job_server_spec(),
        "project_id": {"type": "str"},
        "state": present_absent(),
        "ignore": {"type": "bool", "default": False},
    }
    module = RegistryModule(
        {
            "jobs": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": job,
                "required_by": {"action_defaults": "job_actions"},
            },
            "prune": {"type": "bool", "default": False},
            "client_id": {"type": "list", "elements": "str"},
            "continue_on_error": {"type": "bool", "default": False},
        },
        required_if=[("prune", True, ["client_id"])],
    )
    params = module.params
    module.run(
        lambda registry: ensure_jobs(
            registry,
            params["jobs"],
            prune=params["prune"],
            client_ids=params["client_id"] or (),
            continue_on_error=params["continue_on_error"],
            check_mode=module.check_mode,
        )
    )


if __name__ == "__main__":
    main()
