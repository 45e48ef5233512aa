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
  - Stores, changes and removes many jobs in one call, so that they are as a list says.
  - It reads what there is once and writes what differs in few requests. Where the API cannot do that, as upstream's
    Freezer, it writes one job after the other.
  - Everything that M(freezer.backup.job) says about a job holds for each of them.
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
    suboptions:
      job_id:
        description:
          - The id of the job, which you choose. Letters, digits, C(_) and C(-).
          - If it is not given, the job of O(jobs[].client_id) with this O(jobs[].description) is meant, and a new one gets
            an id.
        type: str
      client_id:
        description: The client that runs the job. A new job needs it.
        type: str
      description:
        description: What the job is for. It identifies the job if O(jobs[].job_id) is not given.
        type: str
      job_actions:
        description:
          - What the job does, in this order. A new job needs it.
          - It is meant whole. Actions that it does not name go away.
        type: list
        elements: dict
        suboptions:
          freezer_action:
            description:
              - What to do, in the keys that M(freezer.backup.backup) and M(freezer.backup.restore) have as options, and
                C(action), which is V(backup), V(restore), V(info), V(admin) or V(exec).
              - Everybody who may read the project can read it, so do not put secrets here. Name a file on the client that
                holds them.
            type: dict
            required: true
          mandatory:
            description: Whether the action runs even after another action of the job has failed.
            type: bool
          max_retries:
            description: How often the action is tried again after a failure.
            type: int
          max_retries_interval:
            description: The pause before it is tried again, in seconds.
            type: int
          action_id:
            description: The id under which the server stores the action by itself. It counts for a new action only.
            type: str
          user_id:
            description: Written by the server. Accepted and ignored.
            type: str
          project_id:
            description: Written by the server. Accepted and ignored.
            type: str
      job_schedule:
        description:
          - When to run, at a date, at an interval, by calendar fields, or at the times of several of these. Without any of
            them it runs once, and again whenever somebody starts it.
          - It is meant whole. What it does not name goes away, except for what the scheduler writes.
          - Times without a zone are in C(schedule_timezone), or in the local time of the node that runs the job.
        type: dict
        suboptions:
          schedule_date:
            description: Run once, at this time (C(YYYY-MM-DDThh:mm:ss)).
            type: str
          schedule_interval:
            description: Run every V(N weeks), V(N days), V(N hours), V(N minutes) or V(N seconds), or V(continuous).
            type: str
          schedule_start_date:
            description: Not before this time.
            type: str
          schedule_end_date:
            description: Not after this time.
            type: str
          schedule_year:
            description: Calendar field, a year with four digits.
            type: str
          schedule_month:
            description: Calendar field, V(1) to V(12) or V(jan) to V(dec), with C(*), lists, ranges and steps as in cron.
            type: str
          schedule_day:
            description: Calendar field, V(1) to V(31), V(last), or a weekday of the month such as V(2nd mon).
            type: str
          schedule_week:
            description: Calendar field, the ISO week, V(1) to V(53).
            type: str
          schedule_day_of_week:
            description: Calendar field, V(0) (Monday) to V(6), or V(mon) to V(sun).
            type: str
          schedule_hour:
            description: Calendar field, V(0) to V(23).
            type: str
          schedule_minute:
            description: Calendar field, V(0) to V(59).
            type: str
          schedule_second:
            description: Calendar field, V(0) to V(59).
            type: str
          schedule_timezone:
            description: The time zone of calendar fields and of times without one, such as V(Europe/Berlin).
            type: str
          schedule_misfire_grace_time:
            description:
              - By how many seconds a run may be late. A time that is missed by more is not made up for.
              - Without it, 3600.
            type: int
          schedule_catch_up:
            description:
              - What becomes of the times that passed while the node was down or the job was still running, V(latest) if it is
                not given. With V(latest) the newest of them is run, with V(all) each of them, one after the other, with V(none)
                none of them.
            type: str
            choices: [latest, all, none]
          time_created:
            description: Written by the server. Accepted, so that a document can be given as it is, and ignored.
            type: int
          time_started:
            description: Written by the scheduler. Accepted and ignored.
            type: int
          time_ended:
            description: Written by the scheduler. Accepted and ignored.
            type: int
          current_pid:
            description: Written by the scheduler. Accepted and ignored.
            type: int
          reason:
            description: Written by the scheduler, a sentence about the last run. Accepted and ignored.
            type: str
          progress:
            description: Written by the scheduler, how far the run is. Accepted and ignored.
            type: dict
          event:
            description: Written by the server. Accepted and ignored, see M(freezer.backup.job_event).
            type: str
            choices: ['', stop, start, abort, remove]
          status:
            description: Written by the scheduler. Accepted and ignored.
            type: str
            choices: ['', completed, stop, scheduled, running, aborting, removed]
          result:
            description: Written by the scheduler. Accepted and ignored.
            type: str
            choices: ['', success, fail, aborted]
      action_defaults:
        description:
          - Keys that every C(freezer_action) in O(jobs[].job_actions) has that does not say otherwise.
          - They are written into the actions. That is how the API keeps them.
        type: dict
      session_id:
        description: Written by the server. Accepted and ignored, see O(freezer.backup.session#module:jobs).
        type: str
      session_tag:
        description: Written by the server. Accepted and ignored.
        type: int
      session_name:
        description: Written by the server. Accepted and ignored.
        type: str
      user_credentials:
        description: Written by the server. Accepted and ignored.
        type: dict
      next_run_time:
        description: Returned by M(freezer.backup.job_info). Accepted and ignored.
        type: str
      user_id:
        description: Written by the server. Accepted, so that a document can be given as it is, and ignored.
        type: str
      _version:
        description: Written by the server. Accepted and ignored.
        type: int
      project_id:
        description: Written by the server. Accepted and ignored, see O(project_id).
        type: str
      state:
        description: Whether the job should exist.
        type: str
        choices: [present, absent]
        default: present
      ignore:
        description: Leave this job as it is, whatever it is, and do not prune it.
        type: bool
        default: false
  prune:
    description:
      - Remove all other jobs of the clients in O(client_id).
      - Jobs of other clients are never removed. Nothing is removed if any job of the list has failed.
    type: bool
    default: false
  client_id:
    description: The clients whose jobs O(prune) may remove. An empty list is not enough for it.
    type: list
    elements: str
  continue_on_error:
    description:
      - Go on with the other jobs when one has failed. The task fails all the same, in the end.
      - Without it, nothing is written if any job of the list cannot be understood, and nothing more is written after
        the API has refused one. Jobs that are in the same request as the refused one are still written.
    type: bool
    default: false
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._registry
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

- name: Keep the jobs of one client as a list says, except for one that is kept by hand
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
    - What became of each job, in the order of O(jobs), and of each job that was pruned.
    - It is returned on failure as well, unless nothing could be looked at.
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
        - One of V(unchanged), V(created), V(changed), V(removed), V(pruned) and V(ignored); V(failed) for a job that is
          not as wanted, and V(skipped) for one that was not tried after that.
      type: str
      returned: always
    diff:
      description: The job before and after, without what servers write, with asterisks for the values of secrets.
      type: dict
      returned: when the job has been changed
    error:
      description: Why the job is not as wanted.
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

from ansible_collections.freezer.backup.plugins.module_utils._engine.registry.job_set import ensure_jobs
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
