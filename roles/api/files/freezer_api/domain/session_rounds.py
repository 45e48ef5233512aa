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

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import TRIGGER_KEYS, triggers_of

from ..errors import BadRequestError, NotFoundError
from ..store.base import Document
from .job_schedules import answerable, has_times, rescheduled

#: Seconds, for a session that does not say.
HOLD_OFF_DEFAULT = 60

#: A job that is in one of these has a run.
ACTIVE = ("running", "aborting")

SUCCESS, HOLD_OFF, OUT_OF_SYNC = "success", "hold-off", "out-of-sync"


@dataclass(frozen=True)
class Answer:
    """What a scheduler is told, and the session as it is then; None where it stays as it is."""

    result: str
    session_tag: int
    session: Document | None = None


def start(session: Mapping[str, Any], job_id: str, current_tag: int, now: int) -> Answer:
    """A scheduler asks to run a job in a round; ``current_tag`` is the last round that it knows.

    Raises BadRequestError if the tag lies ahead of the session's, or if the job would run and is not in the session.
    """
    tag = _number(session, "session_tag", 0)
    if current_tag > tag:
        raise BadRequestError(
            f"requested tag value too high. Session Tag: {tag} Job Tag: {current_tag}", title="Bad session tag"
        )
    in_hold_off = now - _number(session, "time_start", 0) <= _number(session, "hold_off", HOLD_OFF_DEFAULT)
    is_behind = current_tag < tag
    if in_hold_off and not is_behind:
        return Answer(HOLD_OFF, tag)
    if not in_hold_off and is_behind:
        return Answer(OUT_OF_SYNC, tag)

    jobs = _jobs_with(session, job_id)
    running = {**jobs[job_id], "status": "running", "result": "", "time_started": now}
    if in_hold_off:
        return Answer(SUCCESS, tag, {**session, "jobs": {**jobs, job_id: running}})
    # What the other jobs did in an earlier round must not count as done in this one.
    waiting = {other: {**entry, "status": "", "result": ""} for other, entry in jobs.items()}
    started: Document = {"session_tag": tag + 1, "time_start": now, "time_started": now, "time_ended": -1}
    started.update(status="running", result="")
    return Answer(SUCCESS, tag + 1, {**session, **started, "jobs": {**waiting, job_id: running}})


def end(session: Mapping[str, Any], job_id: str, current_tag: int | None, result: str, now: int) -> Answer:
    """A scheduler reports what a job came to. The session ends when that is clear for all of it.

    A job that reports an earlier round than the one that runs changes nothing. Raises BadRequestError if the job is
    not in the session.
    """
    tag = _number(session, "session_tag", 0)
    jobs = _jobs_with(session, job_id)
    if current_tag is not None and current_tag < tag:
        return Answer(SUCCESS, tag)
    jobs = {**jobs, job_id: {**jobs[job_id], "status": "completed", "result": result, "time_ended": now}}
    ended: Document = {**session, "jobs": jobs}
    outcome = _outcome(jobs)
    if outcome in ("success", "fail") and session.get("status") != "completed":
        ended.update(time_end=now, time_ended=now, result=outcome, status="completed")
    return Answer(SUCCESS, tag, ended)


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
    """A session without one of its jobs. Raises NotFoundError if it has no such job."""
    jobs = _jobs(session)
    if job_id not in jobs:
        raise NotFoundError(f"The session {session['session_id']} has no job {job_id}")
    return {**session, "jobs": {other: entry for other, entry in jobs.items() if other != job_id}}


def job_alone(job: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Document:
    """A job that has left its session: it goes on with its ``own`` schedule. None stands for an unknown one.

    Where that says no time, its scheduler is asked to stop it.
    """
    schedule = job["job_schedule"] if own is None else _with_triggers(job["job_schedule"], own)
    if own is None or not has_times(own):
        schedule = answerable({**schedule, "event": "stop"})
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
        if entry.get("status") != "completed":
            return "running"
        if entry.get("result") != "success":
            return "fail"
    return "success"


def _jobs(session: Mapping[str, Any]) -> dict[str, Document]:
    jobs = session.get("jobs")
    return dict(jobs) if isinstance(jobs, Mapping) else {}


def _jobs_with(session: Mapping[str, Any], job_id: str) -> dict[str, Document]:
    jobs = _jobs(session)
    if job_id not in jobs:
        raise BadRequestError("job_id not found in session", title="Bad session action")
    return jobs


def _number(session: Mapping[str, Any], key: str, default: int) -> int:
    value = session.get(key)
    return default if value is None else int(value)
