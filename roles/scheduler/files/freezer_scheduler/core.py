# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler itself: jobs that are due become runs, runs become processes, and what came of them becomes reports.

It knows no thread, no socket and no process: it is told the time and what happened, and it tells an executor and a
conversation with the API what to do. ``tick`` is called whenever something may have happened, and says until when
nothing will.
"""

from __future__ import annotations

import heapq
import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, NamedTuple, Protocol

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError

from . import runs, states
from .entries import Entry, first_last_due, first_state
from .journal import BACKUP, JOB, SESSION_END, Journal, Known
from .runs import ABORTED, FAIL, JOINING, READY, RUNNING, STARTING, SUCCESS, WAITING, Outcome, Run
from .states import State

LOG = logging.getLogger("freezer_scheduler")

#: How long the API may stay away before a job gives up to join its session, if its hold-off is not known.
JOIN_SECONDS = 60
_JOIN_AGAIN_SECONDS = 3.0


@dataclass(frozen=True)
class Limits:
    """How much is done at once, and what is allowed. Seconds; 0 for no limit."""

    concurrent_jobs: int = 1
    per_storage: Mapping[str, int] = field(default_factory=dict)
    allow_exec: bool = False
    timeout_seconds: float = 0.0
    progress_seconds: float = 15.0


class Join(NamedTuple):
    """A question for the API: may a run join its session?"""

    run_id: str
    session_id: str
    job_id: str
    tag: int


class Joined(NamedTuple):
    """The answer. ``result`` is the API's, or ``refused`` or ``unreachable``, and then ``message`` says more."""

    run_id: str
    result: str
    session_tag: int = 0
    message: str = ""


class Started(NamedTuple):
    """The process of an agent: its id, when it started in the words of the kernel, and its scope of systemd."""

    pid: int
    born: str = ""
    scope: str = ""


class Executor(Protocol):
    """What runs actions."""

    def start(self, run: Run, action: Mapping[str, Any]) -> Started:
        """Start an action; raises OSError or FreezerError if that is not possible."""

    def adopt(self, run: Run) -> bool:
        """Watch the process of a run that an earlier scheduler started; False if it has ended."""

    def leftover(self, run: Run) -> Outcome:
        """What came of a process that has ended while nobody watched."""

    def abort(self, run: Run) -> None:
        """End the process and all that it started; the outcome follows."""

    def ended(self) -> list[tuple[str, Outcome]]:
        """The runs whose process has ended since the last call."""

    def progress(self, run: Run) -> dict[str, Any] | None:
        """How far the process is, if it says so."""

    def forget(self, run: Run) -> None:
        """Remove what was kept for the run."""


class Core:
    """One scheduler. ``ask`` takes questions for the API, or is None where there is none."""

    def __init__(
        self,
        journal: Journal,
        executor: Executor,
        limits: Limits,
        zone: tzinfo,
        client_id: str = "",
        ask: Callable[[Join], None] | None = None,
    ) -> None:
        self.journal = journal
        self.limits = limits
        self.entries: dict[str, Entry] = {}
        #: What the API may be told if there is time for it: keys of schedules by job.
        self.passing: dict[str, dict[str, Any]] = {}
        self._executor = executor
        self._zone = zone
        self._client_id = client_id
        self._ask = ask
        self._runs: dict[str, Run] = {}
        self._active: dict[str, Run] = {}
        self._jobs_running: dict[str, Mapping[str, Any]] = {}
        self._due: list[tuple[float, str]] = []
        self._ready: list[tuple[float, int, str]] = []
        self._waiting: list[tuple[float, str]] = []
        self._count = 0
        self._to_start: list[Run] = []
        self._to_abort: list[Run] = []
        self._last_progress: dict[str, float] = {}
        self._hold_offs: dict[str, float] = {}

    # What happens.

    def recover(self, now: float) -> None:
        """Take up what the journal knows: jobs, and runs that an earlier scheduler left, whose truth is found out."""
        self.journal.begin()
        for known in self.journal.jobs():
            entry = Entry(known.job_id, known.state)
            entry.tag, entry.last_due, entry.session_tag = known.tag, known.last_due, known.session_tag
            entry.is_open = known.is_open
            entry.read(json.loads(known.document), self._zone)
            self.entries[known.job_id] = entry
        for run in self.journal.runs():
            self._runs[run.run_id] = run
            entry = self.entries.setdefault(run.job_id, Entry(run.job_id, State(states.RUNNING)))
            entry.run_id = run.run_id
        for run in list(self._runs.values()):
            self._recover_run(run, now)
        for entry in self.entries.values():
            if entry.state.status in states.ACTIVE and not entry.run_id:
                # Its run was never written down, or is over without the job having heard of it.
                self._settle(entry, None, now)
            elif entry.state.status == states.SCHEDULED:
                self._arm(entry, now)
        self.journal.commit()

    def _recover_run(self, run: Run, now: float) -> None:
        entry = self.entries[run.job_id]
        if run.phase == RUNNING or run.phase == STARTING:
            if self._executor.adopt(run):
                LOG.info("Job %s: its agent (process %d) is still at work", run.job_id, run.pid)
                run.phase = RUNNING
                self._active[run.run_id] = run
                if entry.state.status == states.ABORTING:
                    self._to_abort.append(run)
            else:
                outcome = self._executor.leftover(run)
                if entry.state.status == states.ABORTING and outcome.result != SUCCESS:
                    outcome = Outcome(ABORTED, outcome.message, outcome.document)
                self._attempt_ended(run, outcome, now)
                return
        elif entry.state.status == states.ABORTING:
            self._attempt_ended(run, Outcome(ABORTED, "It was aborted before it started."), now)
            return
        elif run.phase == JOINING:
            run.join_until = max(run.join_until, now + _JOIN_AGAIN_SECONDS)
            self._join(run, now)
        elif run.phase == WAITING:
            heapq.heappush(self._waiting, (run.retry_at, run.run_id))
        else:
            self._make_ready(run)
        self.journal.keep_run(run)

    def saw(self, jobs: Iterable[tuple[Mapping[str, Any], str | None]], now: float) -> None:
        """Some of the jobs of this client, each with the tag of its state, as they are at the API or in a folder."""
        self.journal.begin()
        for job, tag in jobs:
            self._saw(job, tag, now)
        self.journal.commit()

    def saw_all(self, job_ids: set[str]) -> list[str]:
        """These are all jobs that are not completed. Returns those that are not among them any more."""
        missing = []
        self.journal.begin()
        for entry in list(self.entries.values()):
            if entry.job_id in job_ids:
                continue
            if entry.state.status == states.COMPLETED:
                if self.journal.waiting_for(entry.job_id):
                    continue
                # The API knows it; if it is started again, it will be among them again.
                self.entries.pop(entry.job_id)
                self.journal.forget_job(entry.job_id)
            else:
                missing.append(entry.job_id)
        self.journal.commit()
        return missing

    def completed_elsewhere(self, job_id: str) -> None:
        """Somebody else has run the job to its end; what runs here still ends as it ends."""
        entry = self.entries.get(job_id)
        # What we have to say about it comes later than what the API knows.
        if entry is not None and not entry.run_id and "status" not in self.journal.waiting_for(job_id):
            self.journal.begin()
            self.entries.pop(job_id)
            self.journal.forget_job(job_id)
            self.journal.commit()

    def gone(self, job_id: str, now: float) -> None:
        """A job is not this client's any more."""
        entry = self.entries.get(job_id)
        if entry is not None:
            self.journal.begin()
            entry.is_gone = True
            self._step(entry, states.REMOVE, now)
            self.journal.commit()

    def saw_session(self, session: Mapping[str, Any], now: float) -> None:
        """A session as it is at the API: where a round has begun without our job, the job joins it now."""
        jobs = session.get("jobs")
        tag, started = session.get("session_tag"), session.get("time_start")
        hold_off = session.get("hold_off")
        hold_off = hold_off if isinstance(hold_off, int) else JOIN_SECONDS
        self._hold_offs[str(session.get("session_id"))] = hold_off
        if not isinstance(jobs, Mapping) or not isinstance(tag, int) or not isinstance(started, (int, float)):
            return
        # Our clock may be behind that of the API, which decides.
        can_be_joined = session.get("status") == "running" and abs(now - started) <= hold_off
        for job_id in jobs:
            entry = self.entries.get(job_id)
            if entry is None or entry.session_id != session.get("session_id") or entry.session_tag >= tag:
                continue
            if not can_be_joined:
                self._take_tag_over(entry, tag, hold_off, now)
                continue
            if entry.state.status == states.SCHEDULED and entry.times is not None and not entry.run_id:
                self.journal.begin()
                # Our own clock may be behind: the time that this round is for is dealt with, if that is still to come.
                ahead = entry.times.after(now)
                following = entry.times.after(ahead) if ahead is not None else None
                is_for_it = ahead is not None and ahead - now <= 2 * hold_off
                if is_for_it and following is not None and ahead is not None:
                    is_for_it = ahead - now < (following - ahead) / 2
                entry.last_due = ahead if is_for_it else now
                self._start_run(entry, now, now)
                self.journal.commit()

    def _take_tag_over(self, entry: Entry, tag: int, hold_off: float, now: float) -> None:
        """A round was missed: know its tag before the next one, if it cannot be that our clock is late for this one."""
        is_soon = entry.next_due is not None and entry.next_due - now <= 2 * hold_off
        if entry.state.status not in states.ACTIVE and not is_soon:
            entry.session_tag = tag
            self.journal.begin()
            self._keep(entry)
            self.journal.commit()

    def joined(self, answer: Joined, now: float) -> None:
        """The API has said whether a run may join its session."""
        run = self._runs.get(answer.run_id)
        if run is None or run.phase != JOINING:
            return
        self.journal.begin()
        entry = self.entries[run.job_id]
        if answer.result == "success":
            run.session_tag = entry.session_tag = answer.session_tag
            self._make_ready(run)
            self.journal.keep_run(run)
            self._keep(entry)
        elif answer.result == "hold-off":
            LOG.info("Job %s has run in round %d of its session already", run.job_id, answer.session_tag)
            self._over(run, entry, None, now)
        elif answer.result == "out-of-sync":
            entry.session_tag = answer.session_tag
            self._not_joined(run, entry, f"it came too late for round {answer.session_tag} of its session", now)
        elif answer.result == "unreachable" and now < run.join_until:
            run.retry_at = now + _JOIN_AGAIN_SECONDS
            heapq.heappush(self._waiting, (run.retry_at, run.run_id))
        else:
            self._not_joined(run, entry, answer.message.rstrip("."), now)
        self.journal.commit()

    def tick(self, now: float) -> float | None:
        """Do what there is to do; returns until when there is nothing more, None for as long as nothing happens."""
        self.journal.begin()
        for run_id, outcome in self._executor.ended():
            run = self._runs.get(run_id)
            if run is not None:
                self._attempt_ended(run, outcome, now)
        while self._due and self._due[0][0] <= now:
            due, job_id = heapq.heappop(self._due)
            entry = self.entries.get(job_id)
            if entry is not None and entry.next_due == due and entry.state.status == states.SCHEDULED:
                self._is_due(entry, now)
        while self._waiting and self._waiting[0][0] <= now:
            at, run_id = heapq.heappop(self._waiting)
            run = self._runs.get(run_id)
            if run is not None and run.retry_at == at:
                if run.phase == JOINING:
                    self._join(run, now)
                elif run.phase == WAITING:
                    self._make_ready(run)
        self._choose(now)
        for run in self._active.values():
            if run.phase == RUNNING and run.deadline and now >= run.deadline:
                run.deadline = 0.0
                run.messages.append(f"{self._described(run)}: it took longer than its timeout and was ended.")
                self._to_abort.append(run)
        self.journal.commit()
        self._act(now)
        self._look_at_progress(now)
        return self._next_wake(now)

    def reload(self, limits: Limits) -> None:
        """Other limits hold from now on."""
        self.limits = limits

    # Jobs.

    def _saw(self, job: Mapping[str, Any], tag: str | None, now: float) -> None:
        job_id = str(job.get("job_id"))
        entry = self.entries.get(job_id)
        schedule = job.get("job_schedule") or {}
        if entry is not None and tag is not None and entry.tag == tag:
            return
        text = json.dumps(job, ensure_ascii=False, separators=(",", ":"))
        if entry is None:
            entry = self.entries[job_id] = Entry(job_id, first_state(job))
            entry.last_due = now if schedule.get("event") == states.START else first_last_due(job, now)
            entry.session_tag = _whole(job.get("session_tag"))
            is_changed = entry.read(job, self._zone)
        else:
            if entry.state.status == states.COMPLETED and schedule.get("status") in (states.COMPLETED, states.REMOVED):
                return
            was_in = entry.session_id
            is_changed = entry.read(job, self._zone)
            if entry.session_id != was_in:
                entry.session_tag = _whole(job.get("session_tag"))
        entry.tag = tag
        self.journal.keep_job(Known(job_id, text, tag, entry.state, entry.last_due, entry.session_tag, entry.is_open))
        event = schedule.get("event") or ""
        if event in states.EVENTS:
            if "event" in self.journal.waiting_for(job_id):
                # The API does not know yet that the last one was heard; this one is looked at when it does.
                entry.tag = None
            else:
                self._report(job_id, event="", seen_event=event)
                self._step(entry, event, now, known_status=str(schedule.get("status") or ""))
        elif entry.state.status == states.NEW:
            self._step(entry, states.START, now, known_status=str(schedule.get("status") or ""))
        elif is_changed and entry.state.status == states.SCHEDULED:
            if entry.times is not None and not entry.times.once:
                # What would have been due in the past by the new schedule, is not made up for.
                entry.last_due = max(entry.last_due or 0, now - 1)
            self._arm(entry, now)
            if entry.problem:
                self._report(job_id, reason=entry.problem)
        if entry.state.status in states.ACTIVE and not entry.run_id:
            # It is said to run here, and does not: this scheduler, or its disk, is another one than then.
            self._settle(entry, None, now)

    def _step(self, entry: Entry, what: str, now: float, known_status: str | None = None) -> None:
        """Go on in the table of states, and do what it says. ``known_status`` is what the API has."""
        before = entry.state
        told = before.status if known_status is None else known_status
        entry.state, do = states.step(before, what)
        if what in states.EVENTS:
            LOG.info("Job %s: %s was asked for; its status is %s", entry.job_id, what, entry.state.status or "new")
        if do == states.FORGET:
            self._forget(entry)
            return
        if do == states.ARM and what == states.START:
            entry.is_open = True
            if before.status in (states.STOPPED, states.COMPLETED):
                # What passed while it was stopped is not made up for.
                entry.last_due = now
        if do == states.ARM:
            self._arm(entry, now)
            if entry.next_due is None and what == states.START:
                self._nothing_to_run(entry, now)
        elif do == states.DISARM:
            entry.next_due, entry.is_open = None, False
        elif do == states.KILL:
            self._abort(entry, now)
        if entry.state.status != told and entry.job_id in self.entries:
            self._report(entry.job_id, status=entry.state.status)
        self._keep(entry)

    def _nothing_to_run(self, entry: Entry, now: float) -> None:
        """A job was started that will never be due: say so, and be done with it."""
        reason = entry.problem or "Its schedule has no time that is still to come, so nothing was run."
        entry.state = State(states.COMPLETED)
        entry.is_open = False
        LOG.warning("Job %s: %s", entry.job_id, reason)
        self._report(entry.job_id, status=entry.state.status, result=FAIL if entry.problem else "", reason=reason)

    def _arm(self, entry: Entry, now: float) -> None:
        entry.arm(now)
        if entry.next_due is not None:
            heapq.heappush(self._due, (entry.next_due, entry.job_id))
        if len(self._due) > 1000 + 4 * len(self.entries):
            self._due = [(one.next_due, one.job_id) for one in self.entries.values() if one.next_due is not None]
            heapq.heapify(self._due)

    def _is_due(self, entry: Entry, now: float) -> None:
        first = entry.next_due or now
        due = entry.take_due(now)
        if due is not None:
            self._start_run(entry, due, now)
            return
        LOG.warning(
            "Job %s missed its time by %d seconds, more than it may; it is not made up for", entry.job_id, now - first
        )
        message = f"A run was due at {int(first)} (seconds since 1970), and missed by more than it may be late."
        if entry.has_more(now):
            self._arm(entry, now)
            self._report(entry.job_id, reason=message)
        else:
            entry.state, _do = states.step(State(states.RUNNING), states.LAST_ENDED)
            entry.next_due = None
            self._report(entry.job_id, status=entry.state.status, result=FAIL, reason=message)
        self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        self.journal.keep_state(entry.job_id, entry.state, entry.last_due, entry.session_tag, entry.is_open)

    def _forget(self, entry: Entry) -> None:
        entry.next_due = None
        self.entries.pop(entry.job_id, None)
        self.passing.pop(entry.job_id, None)
        self.journal.forget_job(entry.job_id)
        if not entry.is_gone:
            # Of a job that is somebody else's now, another client may have taken over the document.
            self._report(entry.job_id, status=states.REMOVED)

    def _report(self, job_id: str, **keys: Any) -> None:
        self.journal.report(JOB, job_id, keys)

    # Runs.

    def _start_run(self, entry: Entry, due: float, now: float) -> None:
        entry.state, _do = states.step(entry.state, states.DUE)
        entry.next_due, entry.is_open = None, False
        run = Run(uuid.uuid4().hex, entry.job_id, due, now, entry.session_id, entry.session_tag)
        entry.run_id = run.run_id
        self._runs[run.run_id] = run
        try:
            job = self.journal.document(entry.job_id) or {}
            self._jobs_running[run.run_id] = job
            actions = runs.actions_of(job)
        except DocumentError as error:
            actions = []
            run.messages.append(f"{error}.")
            run.results.append(FAIL)
        if not actions:
            self._keep(entry)
            self._over(run, entry, run.result, now)
            return
        if run.session_id and self._ask is not None:
            run.phase = JOINING
            # After that nobody can join the round that this run is meant for.
            run.join_until = now + self._hold_offs.get(run.session_id, JOIN_SECONDS)
            self._join(run, now)
        else:
            self._make_ready(run)
        self.journal.keep_run(run)
        self._keep(entry)

    def _join(self, run: Run, now: float) -> None:
        run.retry_at = 0.0
        if self._ask is not None:
            self._ask(Join(run.run_id, run.session_id, run.job_id, run.session_tag))

    def _not_joined(self, run: Run, entry: Entry, reason: str, now: float) -> None:
        LOG.warning("Job %s cannot join its session and is not run: %s", run.job_id, reason)
        run.messages.append(f"The job could not join its session {run.session_id} and was not run: {reason}.")
        run.results.append(FAIL)
        self._over(run, entry, FAIL, now, ran=False)

    def _make_ready(self, run: Run) -> None:
        run.phase = READY
        self._count += 1
        heapq.heappush(self._ready, (run.due, self._count, run.run_id))

    def _actions(self, run: Run) -> list[Mapping[str, Any]]:
        if run.run_id not in self._jobs_running:
            self._jobs_running[run.run_id] = self.journal.document(run.job_id) or {}
        try:
            return runs.actions_of(self._jobs_running[run.run_id])
        except DocumentError:
            return []

    def _choose(self, now: float) -> None:
        """Take runs that are ready, the one that is due longest first, as long as there is room for them."""
        free = self.limits.concurrent_jobs - len(self._active)
        if free <= 0 or not self._ready:
            return
        in_use: dict[str, int] = {}
        if self.limits.per_storage:
            for run in self._active.values():
                for storage in self._storages(run):
                    in_use[storage] = in_use.get(storage, 0) + 1
        put_back = []
        while free > 0 and self._ready:
            element = heapq.heappop(self._ready)
            run_ready = self._runs.get(element[2])
            if run_ready is None or run_ready.phase != READY:
                continue
            storages = self._storages(run_ready) if self.limits.per_storage else []
            if any(in_use.get(one, 0) >= self.limits.per_storage.get(one, 10**9) for one in storages):
                put_back.append(element)
                continue
            for storage in storages:
                in_use[storage] = in_use.get(storage, 0) + 1
            run_ready.phase = STARTING
            self._active[run_ready.run_id] = run_ready
            self.journal.keep_run(run_ready)
            self._to_start.append(run_ready)
            free -= 1
        for element in put_back:
            heapq.heappush(self._ready, element)

    def _storages(self, run: Run) -> list[str]:
        actions = self._actions(run)
        return runs.storages_of(actions[run.index]) if run.index < len(actions) else []

    def _act(self, now: float) -> None:
        """Start and end processes, now that it is written down that this is about to happen."""
        starting, self._to_start = self._to_start, []
        aborting, self._to_abort = self._to_abort, []
        if not starting and not aborting:
            return
        self.journal.begin()
        for run in starting:
            if self._runs.get(run.run_id) is not run or run.phase != STARTING:
                continue
            outcome = self._start_action(run, now)
            if outcome is not None:
                self._attempt_ended(run, outcome, now)
            else:
                self.journal.keep_run(run)
        for run in aborting:
            self._executor.abort(run)
        self.journal.commit()

    def _start_action(self, run: Run, now: float) -> Outcome | None:
        actions = self._actions(run)
        if run.index >= len(actions):
            return Outcome(FAIL, "The job was taken away before it could run.", may_retry=False)
        action = actions[run.index]
        what = action.get("freezer_action") or {}
        if what.get("action") == "exec" and not self.limits.allow_exec:
            return Outcome(
                FAIL, "this scheduler runs no commands; its operator can allow them with disable_exec = false.",
                may_retry=False,
            )  # fmt: skip
        try:
            started = self._executor.start(run, action)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one action, the others are run
            return Outcome(FAIL, f"The agent could not be started: {error}".rstrip(".") + ".")
        run.pid, run.born, run.scope = started
        run.phase = RUNNING
        LOG.debug(
            "Job %s: action %d has started, %.3f s after the job was due", run.job_id, run.index + 1, now - run.due
        )
        seconds = runs.timeout_of(action, self.limits.timeout_seconds)
        run.deadline = now + seconds if seconds else 0.0
        keys: dict[str, Any] = {"status": states.RUNNING}
        if not run.told:
            run.told = True
            keys.update(result="", reason="", time_started=int(now), time_ended=-1)
            if run.session_id:
                keys["session_tag"] = run.session_tag
        self._report(run.job_id, **keys)
        self.passing.setdefault(run.job_id, {})["current_pid"] = run.pid
        return None

    def _attempt_ended(self, run: Run, outcome: Outcome, now: float) -> None:
        self._active.pop(run.run_id, None)
        entry = self.entries[run.job_id]
        if entry.state.status == states.ABORTING and outcome.result == FAIL:
            outcome = Outcome(ABORTED, "It was aborted.", outcome.document)
        actions = self._actions(run)
        if run.index >= len(actions):
            run.results.append(outcome.result)
            self._over(run, entry, run.result, now)
            return
        self._record(run, actions[run.index], outcome)
        run.ended(outcome, actions, now)
        if entry.state.status == states.ABORTING and run.phase == WAITING:
            run.results.append(ABORTED)
            run.index = len(actions)
        if run.is_over(actions):
            self._over(run, entry, run.result, now)
        elif run.phase == WAITING:
            LOG.warning("Job %s: %s; it is tried again", run.job_id, outcome.message.rstrip("."))
            heapq.heappush(self._waiting, (run.retry_at, run.run_id))
            self.journal.keep_run(run)
        else:
            self._make_ready(run)
            self.journal.keep_run(run)

    def _record(self, run: Run, action: Mapping[str, Any], outcome: Outcome) -> None:
        metadata = outcome.document.get("metadata")
        if not isinstance(metadata, Mapping) or not outcome.document.get("changed") or self._ask is None:
            return
        told = {**metadata, "job_id": run.job_id, "client_id": self._client_id}
        if run.session_id:
            told.update(session_id=run.session_id, session_tag=run.session_tag)
        self.journal.report(BACKUP, str(metadata.get("backup_id") or run.run_id), told)

    def _over(self, run: Run, entry: Entry, result: str | None, now: float, *, ran: bool = True) -> None:
        """A run is over. ``result`` None: it was not this job's turn, and nothing is said of it."""
        self._runs.pop(run.run_id, None)
        self._active.pop(run.run_id, None)
        self._jobs_running.pop(run.run_id, None)
        self._last_progress.pop(run.run_id, None)
        self.passing.pop(run.job_id, None)
        self.journal.forget_run(run.run_id)
        self._executor.forget(run)
        if result is not None:
            LOG.log(
                logging.INFO if result == SUCCESS else logging.WARNING,
                "Job %s has ended: %s%s", run.job_id, result, f". {run.message}" if run.message else "",
            )  # fmt: skip
            keys: dict[str, Any] = {
                "result": result,
                "reason": run.message[:2000],
                "time_ended": int(now),
                "current_pid": -1,
            }
            if run.session_id:
                keys["session_tag"] = entry.session_tag
            if not run.told and ran:
                keys["time_started"] = int(run.started)
            self._report(run.job_id, **keys)
            if run.session_id and ran and self._ask is not None:
                self.journal.report(
                    SESSION_END, run.session_id, {"job_id": run.job_id, "tag": run.session_tag, "result": result}
                )
        self._settle(entry, result, now)

    def _settle(self, entry: Entry, result: str | None, now: float) -> None:
        """A job has no run any more: find its next state."""
        if entry.run_id == "" and result is None and entry.state.status in states.ACTIVE:
            aborted = entry.state.status == states.ABORTING
            self._report(
                entry.job_id,
                result=ABORTED if aborted else FAIL,
                reason="The run was lost: the node or its scheduler went down, and what came of it is not known.",
                time_ended=int(now),
                current_pid=-1,
            )
        entry.run_id = ""
        before = entry.state
        self._step(entry, states.ENDED if entry.has_more(now) else states.LAST_ENDED, now)
        if before.status not in states.ACTIVE or entry.state.status == before.status:
            self._report(entry.job_id, status=entry.state.status)

    def _abort(self, entry: Entry, now: float) -> None:
        run = self._runs.get(entry.run_id)
        if run is None:
            return
        if run.phase in (RUNNING, STARTING) and run.pid:
            self._to_abort.append(run)
        else:
            run.phase = READY
            run.results.append(ABORTED)
            run.messages.append("It was aborted before it started.")
            self._over(run, entry, ABORTED, now)

    def _described(self, run: Run) -> str:
        actions = self._actions(run)
        return runs.described(actions[run.index], run.index) if run.index < len(actions) else "The job"

    def _look_at_progress(self, now: float) -> None:
        for run in self._active.values():
            if (
                run.phase != RUNNING
                or now - self._last_progress.get(run.run_id, run.started) < self.limits.progress_seconds
            ):
                continue
            self._last_progress[run.run_id] = now
            found = self._executor.progress(run)
            if found:
                keys = {"action": run.index + 1, "attempt": run.attempt, "time": int(now), **found}
                self.passing.setdefault(run.job_id, {}).update(progress=keys, current_pid=run.pid)

    def _next_wake(self, now: float) -> float | None:
        moments = []
        if self._due:
            moments.append(self._due[0][0])
        if self._waiting:
            moments.append(self._waiting[0][0])
        running = [run for run in self._active.values() if run.phase == RUNNING]
        if running:
            moments.append(now + self.limits.progress_seconds)
            moments += [run.deadline for run in running if run.deadline]
        return min(moments) if moments else None

    @property
    def active_runs(self) -> list[Run]:
        """The runs that are under way."""
        return list(self._runs.values())


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
