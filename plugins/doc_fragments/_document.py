# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules for documents of the Freezer API."""

from __future__ import annotations

from textwrap import indent

# The options of a job, which several fragments have; job_set has them one level deeper.
_JOB = r"""  job_id:
    description:
      - The id of the job, which you choose. Letters, digits, C(_) and C(-).
      - If it is not given, the job of O(client_id) with this O(description) is meant, and a new one gets an id from the
        server.
    type: str
  client_id:
    description: The client that runs the job. A new job needs it.
    type: str
  description:
    description: What the job is for. It identifies the job if O(job_id) is not given.
    type: str
  job_actions:
    description:
      - What the job does, in this order. A new job needs it.
      - The list is complete, so other actions of the job are removed.
    type: list
    elements: dict
    suboptions:
      freezer_action:
        description:
          - What to do, in the keys that M(freezer.backup.backup) and M(freezer.backup.restore) have as options, and
            C(action), which is V(backup), V(restore), V(verify), V(info), V(admin) or V(exec).
          - Actions that no agent can do are refused. Keys that this release does not know are stored, with a warning.
          - Every user of the project can read it, so do not put secrets here. Name a file on the client that
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
  action_defaults:
    description:
      - Default keys for every C(freezer_action) in O(job_actions) that takes them.
      - They are written into the actions, because the API stores them there.
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
"""

_SCHEDULE = r"""    description:
      - When to run, at a date, at an interval, by calendar fields, or at the times of several of these. Without any of
        them it runs once, and again after each C(start) event.
      - The schedule is complete, so other keys are removed, except those that the scheduler writes.
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
          - The most seconds by which a run may be late. A time that is missed by more is skipped.
          - Without it, 3600. At most a year, 31622400.
        type: int
      schedule_catch_up:
        description:
          - Which missed times are run after the node was down or the job was still running. The default V(latest) runs the
            newest of them, V(all) all of them, one after the other, V(none) none of them.
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
        description: Written by the scheduler, the progress of the run. Accepted and ignored.
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
"""

# Keys that the server writes at the top of every document.
_STAMPS = r"""  user_id:
    description: Written by the server. Accepted, so that a document can be given as it is, and ignored.
    type: str
  _version:
    description: Written by the server. Accepted and ignored.
    type: int
"""

# Keys of a job in a list only.
_LISTED = r"""  project_id:
    description: Written by the server. Accepted and ignored, see O(project_id).
    type: str
  state:
    description: Whether the job should exist.
    type: str
    choices: [present, absent]
    default: present
  ignore:
    description: Do not change or prune this job.
    type: bool
    default: false
"""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description: Whether it should exist.
    type: str
    choices: [present, absent]
    default: present
"""

    # With a type, what is put together: ansible-test's yamllint reads every other assignment as one literal, and stops.
    JOB_SCHEDULE: str = "options:\n  job_schedule:\n" + _SCHEDULE

    SCHEDULE: str = "options:\n  schedule:\n" + _SCHEDULE

    JOB: str = "options:\n" + _JOB

    # A list of jobs: the same one level deeper.
    JOB_SET: str = "options:\n  jobs:\n    suboptions:\n" + indent(
        _JOB.replace("O(job_id)", "O(jobs[].job_id)")
        .replace("O(client_id)", "O(jobs[].client_id)")
        .replace("O(description)", "O(jobs[].description)")
        .replace("O(job_actions)", "O(jobs[].job_actions)")
        + "  job_schedule:\n"
        + _SCHEDULE
        + _STAMPS
        + _LISTED,
        "    ",
    )

    STAMPS: str = "options:\n" + _STAMPS

    REPETITION = r"""
options:
  mandatory:
    description: Whether it runs even after another action of the same job has failed.
    type: bool
  max_retries:
    description: How often it is tried again after a failure.
    type: int
  max_retries_interval:
    description: The pause before it is tried again, in seconds.
    type: int
"""

    INFO = r"""
options:
  search:
    description: A search in the form of the API.
    type: dict
    suboptions:
      match:
        description: Keys and values that all have to be in the document. The key C(_all) means any key.
        type: list
        elements: dict
      match_not:
        description: Keys and values none of which may be in the document.
        type: list
        elements: dict
  limit:
    description: The largest number of documents to return. All are returned without it.
    type: int
  query:
    description:
      - A JMESPath expression for the list. Its result is returned as RV(query_result), in place of the list.
      - It is evaluated where the module runs, after O(search) and O(limit), and gets asterisks for the values of secrets.
      - It needs the Python library jmespath there.
    type: str
"""
