# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a run means for its job, as a table: each row is run by a scheduler, by the rules of run_job with outcomes of a script,
and by the playbook run_job with real modules, and comes to the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import next_runs

HOUR, DAY = 3600, 86400
OK, BROKEN, PARTIAL, UNUSABLE = "ok", "broken", "partial", "unusable"
#: A removal that has removed the backup ``old`` from all storages, or from one of two.
REMOVED, REMOVED_IN_PART = "removed", "removed in part"


def at(now: float, seconds: float, hours_from_utc: float = 0) -> str:
    """A date so many seconds from now, with its zone."""
    zone = timezone(timedelta(hours=hours_from_utc))
    return datetime.fromtimestamp(int(now + seconds), zone).isoformat()


@dataclass(frozen=True)
class Row:
    """A job, what the attempts at its actions come to, and what the documents say afterwards.

    ``schedule`` makes the ``job_schedule`` for the present time. An action has the keys of its element in ``job_actions``,
    and what each attempt comes to, the last one again and again. ``due`` makes the moment at which the job is due next, None
    for never.
    """

    name: str
    schedule: Callable[[float], dict[str, Any]] = lambda now: {}
    actions: Sequence[tuple[Mapping[str, Any], Sequence[str]]] = (({}, (OK,)),)
    stopped: bool = False
    #: The tag of a session that has begun a round so many seconds ago, and the one that the job knows.
    session: tuple[int, int, int] | None = None
    status: str = "completed"
    result: str = "success"
    #: What the reason begins with; each part stands in it.
    reason: Sequence[str] = ()
    attempts: Sequence[int] = (1,)
    recorded: Sequence[str] = ("action0",)
    due: Callable[[float], float | None] = lambda now: None
    session_tag: int | None = None
    session_ended: bool = False
    #: Whether the real modules can be brought to it.
    with_modules: bool = True

    @property
    def id(self) -> str:
        """Its name as one word."""
        return re.sub(r"\W+", "_", self.name)

    @property
    def is_about_old(self) -> bool:
        """Whether an action of it removes the backup ``old``, which has the name of action0 in the storage."""
        return any(token in (REMOVED, REMOVED_IN_PART) for _keys, script in self.actions for token in script)


@dataclass(frozen=True)
class Seen:
    """What is stored after a run: documents, names of recorded backups, and how often each action was attempted."""

    job: Mapping[str, Any]
    recorded: Sequence[str]
    attempts: Sequence[int]
    session: Mapping[str, Any] | None = None


def check(row: Row, seen: Seen, began: float, now: float, tolerance: float = 0.0) -> None:
    """Compare everything that is stored with the row. Times since 1970 in seconds; the job was created when it began."""
    schedule = seen.job["job_schedule"]
    assert (schedule["status"], schedule["result"], schedule.get("event", "")) == (row.status, row.result, "")
    assert [part for part in row.reason if part not in schedule["reason"]] == []
    assert bool(schedule["reason"]) == bool(row.reason)
    assert schedule["progress"]["phase"] == ""
    assert list(seen.attempts) == list(row.attempts)
    assert sorted(seen.recorded) == sorted([*row.recorded, *([] if row.is_about_old else ["old"])])
    assert (schedule.get("time_started", -1) >= int(began)) == any(row.attempts)
    assert schedule["time_ended"] >= int(began)
    runs = next_runs(seen.job, now, zone=ZoneInfo("UTC"))
    due = row.due(began)
    assert bool(runs) == (due is not None)
    if due is not None:
        assert abs(runs[0].timestamp() - due) <= tolerance
    if row.session is not None and seen.session is not None:
        assert seen.job["session_tag"] == row.session_tag
        entry = seen.session["jobs"][seen.job["job_id"]]
        assert (entry["status"], entry["result"]) == (("completed", "success") if row.session_ended else ("", ""))


def interval(seconds: int, **keys: str) -> Callable[[float], dict[str, Any]]:
    """A schedule with an interval."""
    return lambda now: {"schedule_interval": f"{seconds} seconds", **keys}


def after(seconds: int) -> Callable[[float], float]:
    """So many seconds from now."""
    return lambda now: now + seconds


def new_year(now: float) -> float:
    """The first of the next January, in UTC."""
    return datetime(datetime.fromtimestamp(now, UTC).year + 1, 1, 1, tzinfo=UTC).timestamp()


ROWS = [
    Row("one without a schedule is completed"),
    Row("one with an interval stays scheduled", interval(DAY), status="scheduled", due=after(DAY)),
    Row("a date that is to come is still due", lambda now: {"schedule_date": at(now, DAY)}, status="scheduled", due=after(DAY)),
    Row(
        "a date beside an interval does not end the interval",
        lambda now: {"schedule_date": at(now, -DAY), "schedule_interval": "2 days"},
        status="scheduled", due=after(2 * DAY),
    ),
    Row(
        "the calendar goes on behind a date",
        lambda now: {"schedule_date": at(now, -DAY), "schedule_month": "1", "schedule_timezone": "UTC"},
        status="scheduled", due=new_year,
    ),
    Row(
        "an end date is read with its zone: it is still to come",
        lambda now: {"schedule_interval": "1 hours", "schedule_end_date": at(now, 2 * HOUR, -10)},
        status="scheduled", due=after(HOUR),
    ),
    Row(
        "an end date is read with its zone: nothing is due before it",
        lambda now: {"schedule_interval": "1 hours", "schedule_end_date": at(now, HOUR / 2, 10)},
    ),
    Row(
        "a date behind the end date is never due",
        lambda now: {"schedule_date": at(now, DAY)[:19], "schedule_timezone": "UTC", "schedule_end_date": at(now, HOUR)},
    ),
    Row("one that is stopped stays so", interval(DAY), stopped=True, status="stop"),
    Row(
        "a failure skips what is not mandatory",
        actions=[({}, (BROKEN,)), ({}, (OK,)), ({"mandatory": True}, (OK,))],
        result="fail", reason=("Action 1 (backup of action0): ",), attempts=(1, 0, 1), recorded=("action2",),
    ),
    Row(
        "of several failures each has a sentence",
        interval(DAY), [({}, (BROKEN,)), ({"mandatory": True}, (BROKEN,))],
        status="scheduled", due=after(DAY), result="fail", attempts=(1, 1), recorded=(),
        reason=("Action 1 (backup of action0): ", "Action 2 (backup of action1): "),
    ),
    Row(
        "a failure is tried again as often as it may",
        actions=[({"max_retries": 2, "max_retries_interval": 1}, (BROKEN,))],
        result="fail", reason=("Action 1 (backup of action0): ",), attempts=(3,), recorded=(),
    ),
    Row(
        "an attempt that succeeds ends the retries",
        actions=[({"max_retries": 5, "max_retries_interval": 1}, (BROKEN, OK))], attempts=(2,), with_modules=False,
    ),
    Row(
        "what was done in part is a failure, is recorded and is not tried again",
        actions=[({"max_retries": 5, "max_retries_interval": 1}, (PARTIAL,)), ({}, (OK,))],
        result="fail", reason=("Action 1 (backup of action0): it was done in part only",), attempts=(1, 0),
    ),
    Row(
        "what cannot be done as it was asked for is not tried again",
        actions=[({"max_retries": 5, "max_retries_interval": 1}, (UNUSABLE,))],
        result="fail", reason=("Action 1 (backup of action0): ",), attempts=(1,), recorded=(),
    ),
    Row(
        "the record of a backup that was removed goes",
        actions=[({}, (OK,)), ({}, (REMOVED,))], attempts=(1, 1), recorded=("action0",),
    ),
    Row(
        "the record of a backup that a storage may still have stays",
        actions=[({}, (OK,)), ({}, (REMOVED_IN_PART,))],
        result="fail", reason=("Action 2 (admin of action0): it was done in part only",), attempts=(1, 1),
        recorded=("action0", "old"),
    ),
    Row("a job of a session begins its round", session=(4, 10**6, 4), session_tag=5, session_ended=True),
    Row("a job of a session joins its round", session=(4, 5, 3), session_tag=4, session_ended=True),
    Row(
        "a job that is too late for a round knows it then, and is not run",
        interval(DAY), session=(4, 10**6, 2), session_tag=4, status="scheduled", due=after(DAY),
        result="fail", reason=("it came too late for round 4 of its session",), attempts=(0,), recorded=(),
    ),
]  # fmt: skip
