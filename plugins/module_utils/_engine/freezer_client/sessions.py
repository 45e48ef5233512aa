# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Sessions: their desired state, their members, and the rounds that these start and end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..documents.errors import DocumentError
from ..http.errors import Conflict, NotFound, Rejected
from ..schedule.errors import TagTooHigh
from ..schedule.rounds import Answer, answer_to
from .client import Registry
from .collection import Document
from .ensure import find, remove, store
from .jobs import checked_schedule, existing_job
from .plan import Result


def ensure_session(
    registry: Registry,
    wanted: Mapping[str, Any],
    jobs: Any,
    state: str,
    check_mode: bool,
) -> Result:
    """Bring a session to its desired state, with exactly these ``jobs`` (ids, or an object by id; None keeps them), or remove it.

    Jobs take over the schedule of their session when they join it. So they join again when it changes. Jobs of a
    session that goes leave it first, because they would look for it for ever. What leaves has its own schedule again; if
    it has none, or the API does not know it, it is stopped, which a warning says.
    """
    if state == "present":
        wanted = {**wanted, "schedule": checked_schedule(wanted.get("schedule"))}
    existing = find(registry.sessions, wanted, ("description",))
    held = _held_jobs(existing)
    if state == "absent":
        if existing is not None and not check_mode:
            for job_id in held:
                # A job that was deleted already cannot leave.
                with contextlib.suppress(NotFound):
                    registry.remove_session_job(existing["session_id"], job_id)
        result = remove(registry.sessions, existing, check_mode)
        warnings = () if check_mode else about_stopped(registry, held)
        before = {**result.before, "jobs": held} if result.before else {}
        return replace(result, before=before, warnings=(*result.warnings, *warnings))

    named = held if jobs is None else sorted(set(_job_ids(jobs)))
    here = str((existing or {}).get("session_id") or "the new session")
    for job_id in named:
        other = existing_job(registry, job_id).get("session_id") if job_id not in held else None
        if other and other != here and job_id in _held_jobs(registry.sessions.get(other)):
            raise Conflict(f"Job {job_id} belongs to session {other}; take it out there before {here} can hold it.")
    result = store(registry.sessions, wanted, existing, check_mode, initial={"session_tag": 0})
    new_schedule = bool(result.before) and result.before.get("schedule") != result.after.get("schedule")
    joining = [job_id for job_id in named if job_id not in held or new_schedule]
    leaving = [job_id for job_id in held if job_id not in named]
    session_id = result.document_id
    document = result.document
    stopped: tuple[str, ...] = ()
    if session_id is not None and (joining or leaving) and not check_mode:
        for job_id in leaving:
            registry.remove_session_job(session_id, job_id)
        for job_id in joining:
            registry.add_session_job(session_id, job_id)
        document = registry.sessions.get(session_id)
        stopped = about_stopped(registry, leaving)
    return replace(
        result,
        changed=result.changed or bool(joining or leaving),
        before={**result.before, "jobs": held} if result.before else {},
        after={**result.after, "jobs": named},
        document=document,
        warnings=(*result.warnings, *stopped),
    )


def about_stopped(registry: Registry, job_ids: Iterable[str]) -> tuple[str, ...]:
    """What to tell of jobs that have left a session: which of them are stopped now, and what to do."""
    stopped = []
    for job_id in job_ids:
        schedule = (registry.jobs.get(job_id) or {}).get("job_schedule") or {}
        if "stop" in (schedule.get("event"), schedule.get("status")):
            stopped.append(job_id)
    if not stopped:
        return ()
    named, have, them = ("job", "has", "it") if len(stopped) == 1 else ("jobs", "have", "them")
    warning = (
        f"The {named} {', '.join(stopped)} {have} left the session and no schedule to go on with, so the scheduler stops "
        f"{them}. Give {them} a job_schedule and start {them}, or delete {them}."
    )
    return (warning,)


def act(
    registry: Registry,
    session_id: str,
    action: str,
    job_id: str,
    tag: int | None,
    result: str | None,
    check_mode: bool,
) -> Result:
    """Start or end a job in a session. ``tag`` None stands for the tag that the job carries.

    The ``result`` among the values is ``success``, or ``hold-off`` or ``out-of-sync`` when nothing was done.
    """
    session = find(registry.sessions, {"session_id": session_id})
    if session is None:
        raise NotFound(f"There is no session {session_id} at {registry.url}.", status=404)
    if tag is None:
        tag = int(existing_job(registry, job_id).get("session_tag") or 0)
    if job_id not in _held_jobs(session):
        raise Rejected(f"Job {job_id} is not one of the jobs of session {session_id}.")
    if not check_mode:
        answer = registry.session_action(session_id, action, job_id, tag, result)
    elif action == "start":
        answer = _predicted_start(session, tag)
    else:
        answer = Answer("success", int(session.get("session_tag") or 0))
    entry = session["jobs"][job_id]
    before = _at(session.get("session_tag"), job_id, entry.get("status"), entry.get("result"))
    # The end of a round that is over already changes nothing.
    late = action == "end" and tag < int(session.get("session_tag") or 0)
    after = before
    if answer.result == "success" and not late:
        status, outcome = ("running", "") if action == "start" else ("completed", result)
        after = _at(answer.session_tag, job_id, status, outcome)
    values = {"session_id": session_id, "result": answer.result, "session_tag": answer.session_tag}
    return Result(before != after, before, after, session_id, values=values)


def _predicted_start(session: Mapping[str, Any], tag: int) -> Answer:
    """What the API would answer to a start with this tag now. Raises Rejected for a tag that the session has not had."""
    try:
        return answer_to(session, tag, time.time())
    except TagTooHigh as error:
        current = int(session.get("session_tag") or 0)
        raise Rejected(f"The tag {tag} of the job is higher than {current}, the tag of the session.") from error


def _held_jobs(session: Mapping[str, Any] | None) -> list[str]:
    jobs = (session or {}).get("jobs")
    return sorted(jobs) if isinstance(jobs, Mapping) else []


def _job_ids(jobs: Any) -> list[str]:
    if isinstance(jobs, Mapping):
        return [str(job_id) for job_id in jobs]
    if isinstance(jobs, (list, tuple)) and all(isinstance(job_id, str) for job_id in jobs):
        return list(jobs)
    raise DocumentError(f"jobs is {jobs!r}; it must be a list of job ids, or the jobs of a session document.")


def _at(session_tag: Any, job_id: str, status: Any, result: Any) -> Document:
    """Where a job of a session stands, for a diff."""
    return {"session_tag": session_tag, "jobs": {job_id: {"status": status or "", "result": result or ""}}}
