# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Jobs and actions: their desired state, events for jobs, and records of runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..action.check import check_action
from ..action.of_job import is_named_only, with_action_defaults
from ..documents.comparison import merged
from ..documents.kinds import JOB
from ..http.errors import NotFound, Rejected, RestError
from ..schedule import grammar
from ..schedule.grammar import TRIGGER_KEYS
from ..schedule.schema import OWN_RUN_KEYS, triggers_of
from .client import Registry
from .collection import Document
from .ensure import carry_out, change_whole, ensure, find
from .plan import DELETE, Plan, Result, removal, storage

#: The keys that identify a job without an id.
UNIQUE_BY = ("client_id", "description")
#: Up to so many clients are looked for one by one.
_FEW_CLIENTS = 5


def ensure_job(registry: Registry, wanted: Mapping[str, Any], state: str, check_mode: bool) -> Result:
    """Bring a job to its desired state, or remove it.

    ``action_defaults`` are put into the actions, where the API keeps them. A job that belongs to a session follows
    the session's schedule: another ``job_schedule`` is then left alone, with a warning. A job that goes leaves its
    session first, because the session would wait for it for ever. Raises ScheduleError, DocumentError, RestError.
    """
    remarks: list[str] = []
    wanted = checked_job(wanted, remarks) if state == "present" else wanted
    plan, warnings = plan_for_job(wanted, find(registry.jobs, wanted, UNIQUE_BY), state)
    warnings = (*remarks, *about_clients(registry, [plan]), *warnings)
    if check_mode:
        return replace(plan.result(), warnings=warnings)
    if plan.operation == DELETE:
        leave_session(registry, plan)
    result = carry_out(registry.jobs, plan)
    return replace(result, warnings=warnings + result.warnings)


def checked_job(wanted: Mapping[str, Any], remarks: list[str] | None = None) -> Document:
    """A job with its ``action_defaults`` in its actions, after a look at what the API would refuse.

    ``remarks`` gets what the agent will make of it otherwise than it says.
    """
    wanted = with_action_defaults(wanted, for_server=True)
    for number, job_action in enumerate(wanted.get("job_actions") or []):
        if is_named_only(job_action):
            continue
        place = f"job_actions.{number}.freezer_action"
        found = check_action(job_action.get("freezer_action") or {}, place)
        if remarks is not None:
            remarks += found
    return {**wanted, "job_schedule": checked_schedule(wanted.get("job_schedule"))}


def plan_for_job(
    wanted: Mapping[str, Any], existing: Mapping[str, Any] | None, state: str
) -> tuple[Plan, tuple[str, ...]]:
    """The plan for a job, and warnings for the user."""
    if state == "absent":
        return removal(JOB, existing), ()
    warnings: tuple[str, ...] = ()
    if existing is not None:
        wanted = _with_known_ids(wanted, existing)
        session = existing.get("session_id")
        if session:
            wanted_schedule = wanted.get("job_schedule")
            if wanted_schedule is not None and triggers_of(wanted_schedule) != triggers_of(
                existing.get("job_schedule") or {}
            ):
                warnings = (
                    f"job {existing['job_id']} follows the schedule of its session {session}, not job_schedule.",
                )
            wanted = {**wanted, "job_schedule": None}
    return storage(JOB, wanted, existing, initial={"job_schedule": {}}), warnings


def about_clients(registry: Registry, plans: Iterable[Plan]) -> tuple[str, ...]:
    """What to tell of clients that jobs are meant for and that are not registered; they may be, later."""
    wanted = {
        str(plan.body["client_id"]): plan for plan in plans if plan.operation != DELETE and plan.body.get("client_id")
    }
    try:
        if len(wanted) > _FEW_CLIENTS:
            known = {registry.clients.kind.id_of(client) for client in registry.clients.all()}
        else:
            known = {client_id for client_id in wanted if registry.clients.get(client_id) is not None}
    except RestError:
        # Not all who may write jobs may look at clients.
        return ()
    return tuple(
        f"No client {client_id} is registered at {registry.url}; the job is run when one is."
        for client_id in sorted(set(wanted) - known)
    )


def leave_session(registry: Registry, plan: Plan) -> None:
    """Take a job that will be deleted out of the session that it may belong to."""
    session_id = (plan.existing or {}).get("session_id")
    if session_id:
        with contextlib.suppress(NotFound):
            registry.remove_session_job(session_id, str(plan.document_id))


def ensure_action(registry: Registry, wanted: Mapping[str, Any], state: str, check_mode: bool) -> Result:
    """Bring a stored action to its desired state, or remove it."""
    remarks: list[str] = []
    if state == "present" and wanted.get("freezer_action") is not None:
        remarks = check_action(wanted["freezer_action"])
    result = ensure(registry.actions, wanted, state, check_mode, unique_by=("description",))
    return replace(result, warnings=(*remarks, *result.warnings))


def request_event(registry: Registry, job_id: str, event: str, check_mode: bool) -> Result:
    """Ask for ``start``, ``stop`` or ``abort`` of a job, unless that was asked for before, or the job has ended."""
    job = existing_job(registry, job_id)
    job_schedule = job.get("job_schedule") or {}
    asked_before = job_schedule.get("event") or ""
    if event != "start" and job_schedule.get("status") in ("completed", "removed"):
        # There is no run to end, and no schedule to leave; an API of upstream's would keep the event for ever.
        return Result(False, {"event": asked_before}, {"event": asked_before}, job_id, job)
    if check_mode:
        changed = asked_before != event
    else:
        changed = registry.job_event(job_id, event)
        job = existing_job(registry, job_id)
    before = {"event": asked_before}
    return Result(changed, before, {"event": event} if changed else before, job_id, job)


def record_status(
    registry: Registry,
    job_id: str,
    status: Mapping[str, Any],
    session_tag: int | None,
    check_mode: bool,
) -> Result:
    """Write down how a run of a job goes: keys of ``job_schedule``, and the round of its session.

    Only the named keys are written, so whatever else happens to the job at the same time is kept. An API of upstream's
    does not take all of them.
    """
    job = existing_job(registry, job_id)
    known = job.get("job_schedule") or {}
    wanted: Document = {key: value for key, value in status.items() if value is not None}
    before: Document = {"job_schedule": {key: _named_part(known.get(key), wanted[key]) for key in wanted}}
    after: Document = {"job_schedule": wanted}
    if session_tag is not None:
        before["session_tag"], after["session_tag"] = job.get("session_tag"), session_tag
    changed = before != after
    if changed and not check_mode:
        if registry.jobs.tags_states(job_id):
            registry.jobs.patch(job_id, after)
        else:
            try:
                change_whole(registry.jobs, job_id, lambda current: merged(current, after))
            except Rejected:
                kept = {key: value for key, value in wanted.items() if key not in OWN_RUN_KEYS}
                if kept == wanted:
                    raise
                after = {**after, "job_schedule": kept}
                change_whole(registry.jobs, job_id, lambda current: merged(current, after))
        job = existing_job(registry, job_id)
    return Result(changed, before, after, job_id, merged(job, after))


def _named_part(known: Any, wanted: Any) -> Any:
    """Of an object that is known the keys that are wanted, since the others stay."""
    if isinstance(known, Mapping) and isinstance(wanted, Mapping):
        return {key: known[key] for key in wanted if key in known}
    return known


def existing_job(registry: Registry, job_id: str) -> Document:
    """The job; ``NotFound`` when there is none."""
    job = find(registry.jobs, {"job_id": job_id})
    if job is None:
        raise NotFound(f"There is no job {job_id} at {registry.url}.", status=404)
    return job


def checked_schedule(wanted: Mapping[str, Any] | None) -> Document | None:
    """The schedule without what is empty, after a look at every key of it; ScheduleError when it makes no sense."""
    if wanted is None:
        return None
    grammar.parse(wanted)
    return {key: value for key, value in wanted.items() if value not in (None, "") or key not in TRIGGER_KEYS}


def _with_known_ids(wanted: Mapping[str, Any], existing: Mapping[str, Any]) -> Mapping[str, Any]:
    """A job whose actions have the ids that they have already, where they name others; servers choose them."""
    known = [element.get("action_id") for element in existing.get("job_actions") or []]
    actions = wanted.get("job_actions")
    if not actions:
        return wanted
    return {
        **wanted,
        "job_actions": [
            {**element, "action_id": action_id} if element.get("action_id") and action_id else element
            for element, action_id in zip(actions, [*known, *[None] * len(actions)])
        ],
    }
