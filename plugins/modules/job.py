#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job
short_description: Store a job with a Freezer API
version_added: 1.0.0
description:
  - Stores a job, changes it, or removes it.
  - A job is a list of actions, the client that runs them, and when.
  - A job document, as M(freezer.backup.job_info) returns it, is a valid set of options.
author:
  - The freezer.backup authors (@freezer-backup)
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._document
  - freezer.backup._document.job
  - freezer.backup._document.job_schedule
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
notes:
  - A job that belongs to a session follows the session's schedule. Another O(job_schedule) is then left alone, with a
    warning.
  - A job that is removed leaves its session first.
  - An unregistered O(client_id) is a warning. The job runs as soon as a client of that name is registered.
seealso:
  - module: freezer.backup.job_info
  - module: freezer.backup.job_event
  - module: freezer.backup.session
"""

EXAMPLES = r"""
- name: Back up /etc and /home of db1 every night at a quarter past two
  freezer.backup.job:
    url: http://backup.example.org:9090
    job_id: nightly_db1
    client_id: db1.example.org
    description: Every night
    action_defaults:
      action: backup
      mode: fs
      storage: local
      container: /var/backups/freezer
      max_level: 7
    job_actions:
      - freezer_action:
          path_to_backup: /etc
          backup_name: etc
      - freezer_action:
          path_to_backup: /home
          backup_name: home
        mandatory: true
        max_retries: 2
        max_retries_interval: 300
    job_schedule:
      schedule_hour: "2"
      schedule_minute: "15"

- name: Fetch a job
  freezer.backup.job_info:
    url: http://backup.example.org:9090
    job_id: nightly_db1
  register: nightly

- name: Store the same for another client
  freezer.backup.job:
    url: http://backup.example.org:9090
    job_id: nightly_db2
    client_id: db2.example.org
    job_actions: "{{ nightly.jobs[0].job_actions }}"
    job_schedule: "{{ nightly.jobs[0].job_schedule }}"

- name: Remove the first one
  freezer.backup.job:
    url: http://backup.example.org:9090
    job_id: nightly_db1
    state: absent
"""

RETURN = r"""
job_id:
  description: The id of the job.
  returned: success
  type: str
  sample: nightly_db1
job:
  description:
    - The job as it is stored now, or V(null) if it does not exist.
    - Asterisks stand for the values of secrets.
  returned: success
  type: dict
  sample:
    job_id: nightly_db1
    client_id: db1.example.org
    description: Every night
    job_actions:
      - freezer_action:
          action: backup
          mode: fs
          path_to_backup: /etc
          backup_name: etc
          storage: local
          container: /var/backups/freezer
          max_level: 7
        action_id: 0bd6a0ad1bb54c8f8e2f2f7cbb3e3c0e
    job_schedule:
      schedule_hour: "2"
      schedule_minute: "15"
      time_created: 1795321994
      time_started: -1
      time_ended: -1
    user_id: anna
    project_id: default
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.jobs import ensure_job
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import (
    job_server_spec,
    job_spec,
    present_absent,
)
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule


def main():
    module = RegistryModule(
        {**job_spec(), **job_server_spec(), "state": present_absent()}, required_by={"action_defaults": "job_actions"}
    )
    wanted = module.document(*job_spec())
    module.run(
        lambda registry: ensure_job(registry, wanted, module.params["state"], module.check_mode),
        name="job",
    )


if __name__ == "__main__":
    main()
