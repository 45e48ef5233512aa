# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The jobs of a scheduler: each follows the table of states, and is run when it is due.

``dispatch`` has the runs, ``scheduler`` the sources of jobs.
"""

from __future__ import annotations

import heapq
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import states
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import ABORTED, FAIL
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State

from .dispatch import Dispatcher
from .entries import Entry, state_in_playbook
from .journal import JOB, Journal
from .runs import Run
from .surroundings import Executor, Join, Limits

LOG = logging.getLogger("freezer_scheduler")


class Jobs:
    """All jobs, by their ids, and the dispatcher of their runs. The caller begins and commits each change of the journal."""

    def __init__(
        self,
        journal: Journal,
        executor: Executor,
        limits: Limits,
        client_id: str,
        ask: Callable[[Join], None] | None,
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self.dispatcher = Dispatcher(self, journal, executor, limits, client_id, ask)
        self._journal = journal
        self._due: list[tuple[float, str]] = []

    def take_due(self, now: float) -> Iterator[Entry]:
        """The jobs that are due by now."""
        while self._due and self._due[0][0] <= now:
            due, job_id = heapq.heappop(self._due)
            entry = self.entries.get(job_id)
            if entry is not None and entry.next_due == due and entry.state.status == states.SCHEDULED:
                yield entry

    @property
    def next_due(self) -> float | None:
        """When the next job may be due; None if none will be."""
        return self._due[0][0] if self._due else None

    # For runs.

    def is_aborting(self, job_id: str) -> bool:
        """Whether a job was asked to abort, so that its run has to end."""
        return self.entries[job_id].state.status == states.ABORTING

    def tag_of(self, job_id: str) -> int:
        """The last round of its session that a job knows of."""
        return self.entries[job_id].session_tag

    def learn_tag(self, job_id: str, tag: int) -> None:
        """Store the last round of its session that a job knows."""
        self.entries[job_id].session_tag = tag
        self.keep(self.entries[job_id])

    def run_has_begun(self, run: Run, now: float) -> None:
        """The first agent of a run has started."""
        self.step(self.entries[run.job_id], states.BEGUN, now)

    def run_is_over(self, run: Run, result: str | None, now: float) -> None:
        """A run has ended. ``result`` is None if the job has run in this round already."""
        self.settle(self.entries[run.job_id], result, now)

    # The states of a job.

    def step(self, entry: Entry, what: str, now: float, known_status: str | None = None) -> None:
        """Do a step in the table of states. ``known_status`` is the status at the API."""
        before = entry.state
        told = before.told if known_status is None else known_status
        entry.state, do = states.step(before, what)
        if before.status == states.QUEUED and entry.state.status in (states.STOPPED, states.REMOVED):
            self.dispatcher.withdraw(entry.run_id)
            entry.run_id = ""
            if not entry.is_gone:
                self.report(entry.job_id, progress={"phase": ""})
        if what in states.EVENTS:
            LOG.info("Job %s: %s was requested; its status is %s", entry.job_id, what, entry.state.status or "new")
        if do == states.FORGET:
            self._forget(entry)
            return
        if do in (states.ARM, states.ARM_NOW):
            is_begun = what in (states.FOUND, states.RESCHEDULED, states.START)
            # A job that is replaced without a schedule runs once, as a new one does.
            is_asked = what in (states.FOUND, states.START) or (is_begun and known_status == states.NEW)
            is_once = is_asked and entry.times is not None and entry.times.is_due_at_once(now)
            # A start that was requested, and has not led to a run yet, stays with a new schedule.
            was_open = what == states.RESCHEDULED and before.status == states.SCHEDULED and entry.is_open
            entry.is_open = do == states.ARM_NOW or is_once or was_open
            if before.status in (states.STOPPED, states.COMPLETED, states.REMOVED):
                # Due times while it was stopped are not caught up.
                entry.last_due = now
            self.arm(entry, now)
            if entry.next_due is None and (is_begun or do == states.ARM_NOW):
                self._nothing_to_run(entry, now)
        elif do == states.DISARM:
            entry.next_due, entry.is_open = None, False
        elif do == states.KILL and entry.is_in_playbook:
            self._take_from_playbook(entry, now)
        elif do == states.KILL:
            self.dispatcher.abort(entry.run_id, now)
        if entry.state.told != told and entry.job_id in self.entries:
            self.report(entry.job_id, status=entry.state.told)
        self.keep(entry)

    def _nothing_to_run(self, entry: Entry, now: float) -> None:
        """Complete a job that was started and will never be due, and report why."""
        reason = entry.problem or "Its schedule has no more due times, so nothing was run."
        if entry.times is not None and entry.times.once:
            reason = "It has no schedule any more, so it is not run until it is started."
        entry.state = State(states.COMPLETED)
        entry.is_open = False
        LOG.warning("Job %s: %s", entry.job_id, reason)
        self.report(entry.job_id, status=entry.state.status, result=FAIL if entry.problem else "", reason=reason)

    def arm(self, entry: Entry, now: float) -> None:
        """Compute when a job is due next, and note it."""
        entry.arm(now)
        if entry.next_due is not None:
            heapq.heappush(self._due, (entry.next_due, entry.job_id))
        if len(self._due) > 1000 + 4 * len(self.entries):
            self._due = [(one.next_due, one.job_id) for one in self.entries.values() if one.next_due is not None]
            heapq.heapify(self._due)

    def run_due(self, entry: Entry, now: float) -> None:
        """Run a job that is due, unless it is too late for that."""
        first = entry.next_due or now
        due = entry.take_due(now)
        if due is not None:
            self.start_run(entry, due, now)
            return
        LOG.warning(
            "Job %s missed its time by %d seconds, which is over its limit; it is not caught up",
            entry.job_id,
            now - first,
        )
        message = f"A run was due at {int(first)} (seconds since 1970), and was missed: it would be too late now."
        if entry.has_more(now):
            self.arm(entry, now)
            self.report(entry.job_id, reason=message)
        else:
            entry.state, _do = states.step(State(states.RUNNING), states.LAST_ENDED)
            entry.next_due = None
            self.report(entry.job_id, status=entry.state.status, result=FAIL, reason=message)
        self.keep(entry)

    def keep(self, entry: Entry) -> None:
        """Store the state of a job."""
        self._journal.keep_state(entry.job_id, entry.state, entry.last_due, entry.session_tag, entry.is_open)

    def _forget(self, entry: Entry) -> None:
        entry.next_due = None
        self.entries.pop(entry.job_id, None)
        self.dispatcher.reports.forget(entry.job_id)
        self._journal.forget_job(entry.job_id)
        if not entry.is_gone:
            # Another client may have taken over the document.
            self.report(entry.job_id, status=states.REMOVED)

    def report(self, job_id: str, **keys: Any) -> None:
        """Report keys of a job's schedule to the API, as soon as it can be reached."""
        self._journal.report(JOB, job_id, keys)

    def start_run(self, entry: Entry, due: float, now: float) -> None:
        """Begin a run of a job. ``due`` is when it should have started."""
        entry.state, _do = states.step(entry.state, states.DUE)
        entry.next_due, entry.is_open = None, False
        run = Run(uuid.uuid4().hex, entry.job_id, due, now, entry.session_id, entry.session_tag)
        entry.run_id = run.run_id
        self.keep(entry)
        self.dispatcher.begin(run, now)

    def settle(self, entry: Entry, result: str | None, now: float) -> None:
        """Find the next state of a job whose run has ended."""
        if entry.run_id == "" and result is None and entry.state.status in states.ACTIVE:
            aborted = entry.state.status == states.ABORTING
            self.report(
                entry.job_id,
                result=ABORTED if aborted else FAIL,
                reason="The run was lost: the node or its scheduler went down, and its result is unknown.",
                time_ended=int(now),
                current_pid=-1,
                progress={"phase": ""},
            )
        entry.run_id = ""
        before = entry.state
        self.step(entry, states.ENDED if entry.has_more(now) else states.LAST_ENDED, now)
        if before.status not in states.ACTIVE or entry.state.status == before.status:
            self.report(entry.job_id, status=entry.state.status)

    # Jobs that a playbook runs.

    def look_for_playbook(self, entry: Entry, job: Mapping[str, Any], status: str, now: float) -> None:
        """Leave a job alone while a playbook runs it, and continue with it afterwards."""
        found = state_in_playbook(job)
        if found is None:
            # While the status is active, a late report may have replaced the playbook's phase.
            if entry.is_in_playbook and status not in states.ACTIVE:
                self.playbook_has_ended(entry, status, now)
            return
        # A waiting report of its status is newer than the document.
        if entry.is_in_playbook or "status" in self._journal.waiting_for(entry.job_id):
            return
        if entry.state.status == states.QUEUED:
            self.dispatcher.withdraw(entry.run_id)
            entry.run_id = ""
        if entry.run_id:
            return
        LOG.info("Job %s is run by a playbook, and left alone until that has ended", entry.job_id)
        entry.is_in_playbook, entry.state = True, found
        entry.next_due, entry.is_open = None, False
        entry.session_tag = max(entry.session_tag, whole_number(job.get("session_tag")))
        self.keep(entry)

    def playbook_has_ended(self, entry: Entry, status: str, now: float) -> None:
        """Continue with a job that a playbook has run; ``status`` is the one at the API."""
        entry.is_in_playbook = False
        self.step(entry, states.ENDED if entry.has_more(now) else states.LAST_ENDED, now, known_status=status)

    def _take_from_playbook(self, entry: Entry, now: float) -> None:
        """Take a job back that was aborted while a playbook ran it: the scheduler cannot end a playbook."""
        reason = (
            "It was aborted while a playbook ran it. The scheduler cannot end a playbook; if it still runs, end it where it "
            "was started."
        )
        keys = {"result": ABORTED, "reason": reason, "time_ended": int(now), "progress": {"phase": "", "after": ""}}
        self.report(entry.job_id, **keys)
        self.playbook_has_ended(entry, states.ABORTING, now)


def whole_number(value: Any) -> int:
    """A whole number of a document; 0 for another value."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
