# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""A whole list of jobs at once: read all, plan each, and write in few requests."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ..documents.errors import DocumentError, MissingKeys
from ..documents.kinds import JOB
from ..errors import FreezerError
from ..http.errors import BadAddress
from ..schedule.grammar import ScheduleError
from .batch import carry_out_all
from .client import Registry
from .collection import Document
from .errors import Ambiguous, Incomplete, Unidentified
from .jobs import UNIQUE_BY, about_clients, checked_job, leave_session, plan_for_job
from .plan import CREATE, DELETE, NOTHING, Plan, Result, removal

# A list up to this long is looked up job by job: others may have thousands of jobs in the same project.
_FEW_JOBS = 50
_FEW_CLIENTS = 5

_OUTCOMES = {NOTHING: "unchanged", CREATE: "created", DELETE: "removed"}
_MISTAKES = (FreezerError, DocumentError, ScheduleError)

#: Jobs by their ids, each with the tag of its state.
_Existing = dict[str, tuple[Document, Optional[str]]]


@dataclass(frozen=True)
class _Item:
    """One job of the list, and its result."""

    name: str
    wanted: Document
    state: str = "present"
    plan: Plan | None = None
    result: Result | None = None
    outcome: str = ""
    error: str = ""
    #: Warnings about the given job.
    remarks: tuple[str, ...] = ()

    def failed(self, error: Exception) -> _Item:
        return replace(self, outcome="failed", error=str(error).rstrip(".") + ".")

    def shown(self) -> Document:
        """The result for the user."""
        result = self.result
        entry: Document = {
            "job_id": (result and result.document_id) or self.wanted.get("job_id"),
            "changed": bool(result and result.changed),
            "outcome": self.outcome or "skipped",
        }
        if result and result.changed:
            entry["diff"] = {"before": result.before, "after": result.after}
        if self.error:
            entry["error"] = self.error
        return entry


def ensure_jobs(
    registry: Registry,
    jobs: Sequence[Mapping[str, Any]],
    prune: bool = False,
    client_ids: Sequence[str] = (),
    continue_on_error: bool = False,
    check_mode: bool = False,
) -> Result:
    """Bring every job of a list to its desired state; with ``prune``, remove all other jobs of the clients ``client_ids``.

    A job may say ``state`` and ``ignore`` beside its document; one to ignore is neither changed nor pruned. The values
    of the result are ``results``, one for each job in the order of the list, and one for each that is pruned. Nothing is
    written when one job cannot be understood, and nothing more after one has failed, unless ``continue_on_error``.
    Nothing is pruned when anything has failed. Raises ``Incomplete``, with the same values, when not all is as wanted.
    """
    if prune and not client_ids:
        raise BadAddress("prune needs client_id, the clients whose other jobs are to be removed.")
    items = [_item(number, job) for number, job in enumerate(jobs)]
    existing = _existing(registry, items, client_ids if prune else ())
    found = [job for job, _tag in existing.values()]
    items = _planned(items, found)
    if not check_mode and (continue_on_error or not _failures(items)):
        items = _done(registry, items, existing, continue_on_error)
    if prune and not _failures(items):
        unwanted = _to_prune(items, found, client_ids)
        items += unwanted if check_mode else _done(registry, unwanted, existing, True)
    return _summary(items, about_clients(registry, [item.plan for item in items if item.plan]))


def _item(number: int, job: Mapping[str, Any]) -> _Item:
    document = {key: value for key, value in job.items() if key not in ("state", "ignore")}
    item = _Item(f"jobs[{number}]", document, job.get("state") or "present")
    if job.get("job_id"):
        item = replace(item, name=f"{item.name} ({job['job_id']})")
    if job.get("ignore"):
        return replace(item, outcome="ignored")
    try:
        remarks: list[str] = []
        wanted = checked_job(document, remarks) if item.state == "present" else document
        return replace(item, wanted=wanted, remarks=tuple(f"{item.name}: {remark}" for remark in remarks))
    except _MISTAKES as error:
        return item.failed(error)


def _existing(registry: Registry, items: Iterable[_Item], client_ids: Iterable[str]) -> _Existing:
    """At least all jobs that the list, and the clients to prune, are about."""
    ids = {item.wanted["job_id"] for item in items if JOB.is_id(item.wanted.get("job_id"))}
    clients = {*client_ids, *(item.wanted["client_id"] for item in items if _by_description(item))}
    if len(ids) > _FEW_JOBS or len(clients) > _FEW_CLIENTS:
        return {job["job_id"]: (job, tag) for job, tag in registry.jobs.all_tagged()}
    found: _Existing = {}
    for client_id in sorted(clients):
        of_client = registry.jobs.all_tagged({"match": [{"client_id": client_id}]})
        found.update((job["job_id"], (job, tag)) for job, tag in of_client)
    for job_id in sorted(ids - found.keys()):
        known, tag = registry.jobs.read(job_id)
        if known is not None:
            found[job_id] = known, tag
    return found


def _by_description(item: _Item) -> bool:
    return not item.wanted.get("job_id") and all(item.wanted.get(key) for key in UNIQUE_BY)


def _planned(items: Iterable[_Item], existing: Iterable[Document]) -> list[_Item]:
    by_id: dict[Any, Document] = {}
    by_description: dict[tuple[Any, ...], list[Document]] = {}
    for job in existing:
        by_id[job["job_id"]] = job
        by_description.setdefault(_description(job), []).append(job)
    taken: dict[Any, str] = {}
    planned = []
    for item in items:
        if not item.error:
            try:
                known = _meant(item, by_id, by_description)
                identity = known["job_id"] if known else item.wanted.get("job_id") or _description(item.wanted)
                if identity in taken:
                    raise Ambiguous(f"{taken[identity]} is the same job. Name each job once.")
                taken[identity] = item.name
                item = _with_plan(item, known)
            except MissingKeys as error:
                hint = " The client_id beside jobs only says whose other jobs prune removes; give one with each job."
                item = item.failed(DocumentError(f"{error}{hint if 'client_id' in error.keys else ''}"))
            except _MISTAKES as error:
                item = item.failed(error)
        planned.append(item)
    return planned


def _with_plan(item: _Item, existing: Document | None) -> _Item:
    if item.outcome == "ignored":
        return replace(item, plan=replace(removal(JOB, existing), operation=NOTHING))
    plan, warnings = plan_for_job(item.wanted, existing, item.state)
    outcome = _OUTCOMES.get(plan.operation, "changed")
    return replace(item, plan=plan, outcome=outcome, result=replace(plan.result(), warnings=warnings))


def _meant(
    item: _Item, by_id: Mapping[str, Document], by_description: Mapping[tuple[Any, ...], Sequence[Document]]
) -> Document | None:
    """The job that there is for an item of the list."""
    job_id = item.wanted.get("job_id")
    if job_id is not None:
        if not JOB.is_id(job_id):
            raise DocumentError(f"job_id is {job_id!r}, which is no id; it has to match {JOB.id_pattern}.")
        return by_id.get(job_id)
    if not _by_description(item):
        raise Unidentified(f"Which job is meant? Give job_id, or {' and '.join(UNIQUE_BY)}.")
    fitting = by_description.get(_description(item.wanted), ())
    if len(fitting) > 1:
        ids = ", ".join(sorted(job["job_id"] for job in fitting))
        raise Ambiguous(f"{len(fitting)} jobs have this client_id and description: {ids}. Say which one with job_id.")
    return fitting[0] if fitting else None


def _done(registry: Registry, items: Sequence[_Item], existing: _Existing, continue_on_error: bool) -> list[_Item]:
    """Carry the plans out and set the result of each item."""
    # A new job without an id gets one.
    plans = {
        number: replace(item.plan, document_id=item.plan.document_id or uuid.uuid4().hex)
        for number, item in enumerate(items)
        if item.plan and item.plan.operation != NOTHING
    }
    done = list(items)
    for number, plan in list(plans.items()):
        if plan.operation == DELETE:
            try:
                leave_session(registry, plan)
            except FreezerError as error:
                done[number] = replace(done[number].failed(error), result=None)
                del plans[number]
    tags = {job_id: tag for job_id, (_job, tag) in existing.items()}
    outcomes = carry_out_all(registry.jobs, list(plans.values()), continue_on_error, tags)
    for number, came_of_it in zip(plans, outcomes):
        item = items[number]
        if isinstance(came_of_it, Result):
            warnings = (item.result.warnings if item.result else ()) + came_of_it.warnings
            outcome = item.outcome if came_of_it.changed else "unchanged"
            done[number] = replace(item, outcome=outcome, result=replace(came_of_it, warnings=warnings))
        elif came_of_it is None:
            message = "Not tried, because another job has failed."
            done[number] = replace(item, result=None, outcome="skipped", error=message)
        else:
            done[number] = replace(item.failed(came_of_it), result=None)
    return done


def _to_prune(items: Iterable[_Item], existing: Iterable[Document], client_ids: Sequence[str]) -> list[_Item]:
    kept = {item.plan.document_id for item in items if item.plan and item.plan.existing}
    kept.update(item.wanted.get("job_id") for item in items)
    clients = set(client_ids)
    return [
        replace(_with_plan(_Item(job["job_id"], {"job_id": job["job_id"]}, "absent"), job), outcome="pruned")
        for job in existing
        if job.get("client_id") in clients and job["job_id"] not in kept
    ]


def _failures(items: Iterable[_Item]) -> list[_Item]:
    return [item for item in items if item.error]


def _summary(items: Sequence[_Item], about: tuple[str, ...]) -> Result:
    failures = _failures(items)
    changes = {_title(item): item.result for item in items if item.result and item.result.changed}
    before = {title: result.before for title, result in changes.items()}
    after = {title: result.after for title, result in changes.items()}
    values: Document = {"results": [item.shown() for item in items]}
    if failures:
        first = next((item for item in failures if item.outcome == "failed"), failures[0])
        message = f"{len(failures)} of {len(items)} jobs are not as wanted; {first.name}: {first.error}"
        raise Incomplete(message, values={"changed": bool(changes), **values})
    remarks = tuple(remark for item in items for remark in item.remarks)
    warnings = tuple(warning for item in items if item.result for warning in item.result.warnings)
    return Result(bool(changes), before, after, warnings=remarks + about + warnings, values=values)


def _description(job: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(job.get(key) for key in UNIQUE_BY)


def _title(item: _Item) -> str:
    return item.wanted.get("job_id") or " / ".join(map(str, _description(item.wanted)))
