#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job_info
short_description: Look jobs up at a Freezer API
version_added: 1.0.0
description:
  - Returns a job by its id, or all jobs that match.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  job_id:
    description: The id of a job. An unknown id is no error; the list is then empty.
    type: str
  client_id:
    description: Only jobs of this client.
    type: str
  next_run_time:
    description:
      - Add the time of the next run of each job as RV(jobs[].next_run_time).
      - Jobs with calendar fields need the Python library APScheduler 3 where the module runs.
    type: bool
    default: false
  timezone:
    description:
      - The time zone of the nodes, such as V(Europe/Berlin), for jobs that name none. Without it, that of the host on which
        the module runs.
    type: str
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.action_group
  - freezer.backup._document.info
  - freezer.backup._registry
  - freezer.backup._registry.from_host
seealso:
  - module: freezer.backup.job
  - plugin: freezer.backup.next_runs
    plugin_type: filter
"""

EXAMPLES = r"""
- name: List the jobs of a client
  freezer.backup.job_info:
    url: http://backup.example.org:9090
    client_id: db1.example.org
  register: found

- name: List the jobs that failed
  freezer.backup.job_info:
    url: http://backup.example.org:9090
    search:
      match:
        - result: fail

- name: Return when the jobs of a client run next
  freezer.backup.job_info:
    url: http://backup.example.org:9090
    client_id: db1.example.org
    next_run_time: true
    query: "[].[job_id, next_run_time]"
"""

RETURN = r"""
jobs:
  description:
    - The jobs, each a valid set of options for M(freezer.backup.job).
    - Asterisks stand for the values of secrets. Passed back, they stand for the stored secret.
  returned: success, unless O(query) is given
  type: list
  elements: dict
  contains:
    next_run_time:
      description: When the job runs next, with its offset from UTC. Null if it runs only when it is started.
      returned: with O(next_run_time=true)
      type: str
      sample: "2026-11-23T02:00:00+01:00"
  sample:
    - job_id: nightly_db1
      client_id: db1.example.org
      description: Every night
      job_actions:
        - freezer_action:
            action: backup
            path_to_backup: /etc
            backup_name: etc
            storage: local
            container: /var/backups/freezer
          action_id: 0bd6a0ad1bb54c8f8e2f2f7cbb3e3c0e
      job_schedule:
        schedule_hour: "2"
        time_created: 1795321994
        time_started: -1
        time_ended: -1
      user_id: anna
      project_id: default
query_result:
  description: The result of O(query).
  returned: success and O(query) is given
  type: raw
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.select import select
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import with_next_run_time
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import info_spec
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule


def main():
    module = RegistryModule(
        {
            "job_id": {"type": "str"},
            "client_id": {"type": "str"},
            "next_run_time": {"type": "bool", "default": False},
            "timezone": {"type": "str"},
            **info_spec(),
        },
        mutually_exclusive=[("job_id", "search"), ("job_id", "limit")],
    )
    params = module.params
    match = {key: params[key] for key in ("client_id",)}

    def flow(registry):
        found = select(registry.jobs, params["job_id"], match, search=params["search"], limit=params["limit"])
        return with_next_run_time(found, params["timezone"]) if params["next_run_time"] else found

    module.run_info("jobs", flow)


if __name__ == "__main__":
    main()
