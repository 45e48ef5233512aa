# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: next_runs
short_description: When a job will run
description:
  - Takes a job, a session, or a schedule by itself, and returns the times at which C(freezer-scheduler) will run it.
  - Calendar fields are worked out by the Python library APScheduler 3, which has to be on the controller for them.
  - A time that a change to daylight saving time jumps over is due at the end of the jump, and one that comes twice is
    due the first time. With C(*) or C(*/n) as hours it is due both times, and one of every hour has nothing to make up for.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  _input:
    description:
      - The job, the session, or the schedule.
      - A job that is stopped or completed has no next run. A continuous one has only one, since how long it takes is not
        known.
    type: dict
    required: true
  count:
    description: How many times to return at most.
    type: int
    default: 5
  since:
    description: The times after this one, a date such as C(2026-11-22T08:30:00+01:00). Without it, from now on.
    type: str
  timezone:
    description:
      - The time zone of the node and of the answer, such as V(Europe/Berlin). Without it, that of the controller.
      - C(schedule_timezone) of the job goes before it.
    type: str
positional: count
seealso:
  - module: freezer.backup.job_info
"""

EXAMPLES = r"""
- name: Show when a job will run
  ansible.builtin.debug:
    msg: "{{ {'schedule_hour': '2', 'schedule_day_of_week': 'mon-fri'} | freezer.backup.next_runs(3) }}"

- name: Stop if the nightly backup of a host is not planned for the next day
  ansible.builtin.assert:
    that: (found.jobs[0] | freezer.backup.next_runs(1) | first | to_datetime('%Y-%m-%dT%H:%M:%S%z')) < tomorrow
"""

RETURN = r"""
_value:
  description: The times, with their offset from UTC.
  type: list
  elements: str
  sample: ["2026-11-23T02:00:00+01:00", "2026-11-24T02:00:00+01:00"]
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.old_forms import usual_schedule
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import local_zone
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import next_runs as runs_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError, named_zone

#: Where a job and a session have their schedule.
_SCHEDULES = ("job_schedule", "schedule")


def next_runs(document: Any, count: int = 5, since: str | None = None, timezone: str | None = None) -> list[str]:
    """The next times as ISO dates."""
    if not isinstance(document, Mapping):
        raise AnsibleFilterError(f"next_runs needs a job or a schedule, not {type(document).__name__}.")
    try:
        zone = named_zone(timezone) if timezone else local_zone()
        start = time.time() if since is None else _moment(since, zone)
        usual = usual_schedule(
            {key: usual_schedule(value) if key in _SCHEDULES else value for key, value in document.items()}
        )
        return [run.isoformat(timespec="seconds") for run in runs_of(usual, start, int(count), zone)]
    except (FreezerError, ScheduleError, DocumentError) as error:
        raise AnsibleFilterError(f"{str(error).rstrip('.')}.") from None


def _moment(text: str, zone: Any) -> float:
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        raise AnsibleFilterError(f"since is {text!r}; write a date such as 2026-11-22T08:30:00+01:00.") from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"next_runs": next_runs}
