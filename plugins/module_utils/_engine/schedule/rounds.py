# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The rounds of a session, as functions from a document to a document.

The jobs of a session run together, each started by the scheduler of its own node. The first scheduler that asks to
start a round raises the ``session_tag``; the others, who come with a lower tag, join that round. During ``hold_off``
seconds after the start of a round no new one is started. A round ends when its jobs have ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .changes import answerable, has_times, rescheduled
from .errors import NotAMember, TagTooHigh
from .grammar import TRIGGER_KEYS
from .runs import FAIL, SUCCESS
from .schema import triggers_of
from .states import ACTIVE, COMPLETED, NEW, RUNNING, STOP

#: Seconds, for a session that does not say.
HOLD_OFF_SECONDS = 60

#: What a session answers besides ``success``: the job has run in this round, or has missed rounds.
HOLD_OFF, OUT_OF_SYNC = "hold-off", "out-of-sync"

Document = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The answer to a scheduler, and the session as it is then; None where it stays as it is."""

    result: str
    session_tag: int
    session: Document | None = None


def hold_off_of(session: Mapping[str, Any]) -> int:
    """How many seconds after its start a round can be joined, and the next one cannot begin."""
    value = session.get("hold_off")
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else HOLD_OFF_SECONDS


def answer_to(session: Mapping[str, Any], current_tag: int, now: float) -> Answer:
    """The answer to a job that asks to run in a round; ``current_tag`` is the last round that it knows.

    The tag of the answer is that of the round which the job runs in, or has to know. Raises TagTooHigh.
    """
    tag = _number(session, "session_tag", 0)
    if current_tag > tag:
        raise TagTooHigh(f"requested tag value too high. Session Tag: {tag} Job Tag: {current_tag}")
    in_hold_off = now - _number(session, "time_start", 0) <= hold_off_of(session)
    is_behind = current_tag < tag
    if in_hold_off:
        return Answer(SUCCESS if is_behind else HOLD_OFF, tag)
    return Answer(OUT_OF_SYNC, tag) if is_behind else Answer(SUCCESS, tag + 1)


def start(session: Mapping[str, Any], job_id: str, current_tag: int, now: int) -> Answer:
    """A scheduler asks to run a job in a round; ``current_tag`` is the last round that it knows.

    Raises TagTooHigh if the tag lies ahead of the session's, or NotAMember if the job would run and is not in the session.
    """
    answer = answer_to(session, current_tag, now)
    if answer.result != SUCCESS:
        return answer
    jobs = _jobs_with(session, job_id)
    running = {**jobs[job_id], "status": RUNNING, "result": "", "time_started": now}
    if answer.session_tag == _number(session, "session_tag", 0):
        return Answer(SUCCESS, answer.session_tag, {**session, "jobs": {**jobs, job_id: running}})
    # What the other jobs did in an earlier round must not count as done in this one.
    waiting = {other: {**entry, "status": NEW, "result": ""} for other, entry in jobs.items()}
    started: Document = {"session_tag": answer.session_tag, "time_start": now, "time_started": now, "time_ended": -1}
    started.update(status=RUNNING, result="")
    return Answer(SUCCESS, answer.session_tag, {**session, **started, "jobs": {**waiting, job_id: running}})


def end(session: Mapping[str, Any], job_id: str, current_tag: int | None, result: str, now: int) -> Answer:
    """A scheduler reports what a job came to. The session ends when that is clear for all of it.

    A job that reports an earlier round than the one that runs changes nothing. Raises NotAMember.
    """
    tag = _number(session, "session_tag", 0)
    jobs = _jobs_with(session, job_id)
    if current_tag is not None and current_tag < tag:
        return Answer(SUCCESS, tag)
    jobs = {**jobs, job_id: {**jobs[job_id], "status": COMPLETED, "result": result, "time_ended": now}}
    ended: Document = {**session, "jobs": jobs}
    outcome = _outcome(jobs)
    if outcome in (SUCCESS, FAIL) and session.get("status") != COMPLETED:
        ended.update(time_end=now, time_ended=now, result=outcome, status=COMPLETED)
    return Answer(SUCCESS, tag, ended)


def round_to_join(session: Mapping[str, Any], job_tag: int, now: float) -> tuple[int, bool] | None:
    """The round of a session that a job does not know, and whether it can still join it; None if there is no such round.

    ``now`` is the clock of a node, which may be ahead of the API's or behind it; the API decides.
    """
    tag, began = session.get("session_tag"), session.get("time_start")
    if not isinstance(tag, int) or not isinstance(began, (int, float)) or job_tag >= tag:
        return None
    return tag, session.get("status") == RUNNING and abs(now - began) <= hold_off_of(session)


def with_job(
    session: Mapping[str, Any], job: Mapping[str, Any], earlier: Mapping[str, Any] | None = None
) -> tuple[Document, Document]:
    """A session with a job added to it, and the job with the session's schedule. ``earlier`` is the session that it is in.

    The schedule of the session takes the place of the job's own, which the session keeps for it as ``schedule``; what
    the scheduler wrote about runs stays.
    """
    job_id = job["job_id"]
    schedule = job["job_schedule"]
    # A run that is under way began without the session, which will not be told how it ends.
    is_of_none = schedule.get("status") in ACTIVE
    entry = {
        "client_id": job["client_id"],
        "status": "" if is_of_none else schedule.get("status", ""),
        "result": "" if is_of_none else schedule.get("result", ""),
        "time_started": -1 if is_of_none else schedule.get("time_started", -1),
        "time_ended": -1 if is_of_none else schedule.get("time_ended", -1),
    }
    if earlier is None:
        entry["schedule"] = {key: schedule[key] for key in triggers_of(schedule)}
    elif own_schedule(earlier, job_id) is not None:
        entry["schedule"] = own_schedule(earlier, job_id)
    if earlier is not None and earlier["session_id"] == session["session_id"]:
        # It joins again to take a new schedule over, perhaps in the middle of a round.
        entry = {**entry, **_jobs(session).get(job_id, {})}
    associated = {
        "session_id": session["session_id"],
        "session_tag": _number(session, "session_tag", 0),
        "job_schedule": rescheduled(schedule, _with_triggers(schedule, session["schedule"])),
    }
    return {**session, "jobs": {**_jobs(session), job_id: entry}}, {**job, **associated}


def without_job(session: Mapping[str, Any], job_id: str) -> Document:
    """A session without one of its jobs. Raises NotAMember."""
    jobs = _jobs(session)
    if job_id not in jobs:
        raise NotAMember(f"The session {session['session_id']} has no job {job_id}")
    return {**session, "jobs": {other: entry for other, entry in jobs.items() if other != job_id}}


def job_alone(job: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Document:
    """A job that has left its session: it goes on with its ``own`` schedule. None stands for an unknown one.

    Where that says no time, its scheduler is asked to stop it.
    """
    schedule = job["job_schedule"] if own is None else _with_triggers(job["job_schedule"], own)
    if own is None or not has_times(own):
        schedule = answerable({**schedule, "event": STOP})
    else:
        schedule = rescheduled(job["job_schedule"], schedule)
    return {**job, "session_id": "", "session_tag": 0, "job_schedule": schedule}


def own_schedule(session: Mapping[str, Any], job_id: str) -> Document | None:
    """When a job was due before it joined a session; None if that is not known."""
    schedule = _jobs(session).get(job_id, {}).get("schedule")
    return dict(schedule) if isinstance(schedule, Mapping) else None


def _with_triggers(schedule: Mapping[str, Any], other: Mapping[str, Any]) -> Document:
    """A schedule with the times of another one in place of its own."""
    kept = {key: value for key, value in schedule.items() if key not in TRIGGER_KEYS}
    return {**kept, **{key: value for key, value in other.items() if key in TRIGGER_KEYS}}


def _outcome(jobs: Mapping[str, Mapping[str, Any]]) -> str:
    """What the first job says that is not a success; the order is the one in which the jobs were added."""
    for entry in jobs.values():
        if entry.get("status") != COMPLETED:
            return RUNNING
        if entry.get("result") != SUCCESS:
            return FAIL
    return SUCCESS


def _jobs(session: Mapping[str, Any]) -> dict[str, Document]:
    jobs = session.get("jobs")
    return dict(jobs) if isinstance(jobs, Mapping) else {}


def _jobs_with(session: Mapping[str, Any], job_id: str) -> dict[str, Document]:
    jobs = _jobs(session)
    if job_id not in jobs:
        raise NotAMember("job_id not found in session")
    return jobs


def _number(session: Mapping[str, Any], key: str, default: int) -> int:
    value = session.get(key)
    return default if value is None else int(value)
