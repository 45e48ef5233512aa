# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The jobs that a scheduler knows: each goes its way through the table of states, and is run when it is due.

``dispatch`` has what becomes of a run, ``scheduler`` where a job comes from.
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

    # What runs ask about their jobs, and tell them.

    def is_aborting(self, job_id: str) -> bool:
        """Whether a job was asked to abort, so that its run has to end."""
        return self.entries[job_id].state.status == states.ABORTING

    def tag_of(self, job_id: str) -> int:
        """The last round of its session that a job knows of."""
        return self.entries[job_id].session_tag

    def learn_tag(self, job_id: str, tag: int) -> None:
        """A job has heard of a round of its session."""
        self.entries[job_id].session_tag = tag
        self.keep(self.entries[job_id])

    def run_has_begun(self, run: Run, now: float) -> None:
        """The first agent of a run is at work."""
        self.step(self.entries[run.job_id], states.BEGUN, now)

    def run_is_over(self, run: Run, result: str | None, now: float) -> None:
        """A job has no run any more. ``result`` is None if it was not its turn."""
        self.settle(self.entries[run.job_id], result, now)

    # The way of a job.

    def step(self, entry: Entry, what: str, now: float, known_status: str | None = None) -> None:
        """Go on in the table of states, and do what it says. ``known_status`` is what the API has."""
        before = entry.state
        told = before.told if known_status is None else known_status
        entry.state, do = states.step(before, what)
        if before.status == states.QUEUED and entry.state.status in (states.STOPPED, states.REMOVED):
            self.dispatcher.withdraw(entry.run_id)
            entry.run_id = ""
            if not entry.is_gone:
                self.report(entry.job_id, progress={"phase": ""})
        if what in states.EVENTS:
            LOG.info("Job %s: %s was asked for; its status is %s", entry.job_id, what, entry.state.status or "new")
        if do == states.FORGET:
            self._forget(entry)
            return
        if do in (states.ARM, states.ARM_NOW):
            is_begun = what in (states.FOUND, states.RESCHEDULED, states.START)
            # One that is written anew without a schedule runs once, as any new job does.
            is_asked = what in (states.FOUND, states.START) or (is_begun and known_status == states.NEW)
            is_once = is_asked and entry.times is not None and entry.times.is_due_at_once(now)
            # A start that was asked for, and has not led to a run yet, is for whatever schedule there is.
            was_open = what == states.RESCHEDULED and before.status == states.SCHEDULED and entry.is_open
            entry.is_open = do == states.ARM_NOW or is_once or was_open
            if before.status in (states.STOPPED, states.COMPLETED, states.REMOVED):
                # What passed while it was stopped is not made up for.
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
        """A job was started that will never be due: say so, and be done with it."""
        reason = entry.problem or "Its schedule has no time that is still to come, so nothing was run."
        if entry.times is not None and entry.times.once:
            reason = "It has no schedule any more, so it is not run until it is started."
        entry.state = State(states.COMPLETED)
        entry.is_open = False
        LOG.warning("Job %s: %s", entry.job_id, reason)
        self.report(entry.job_id, status=entry.state.status, result=FAIL if entry.problem else "", reason=reason)

    def arm(self, entry: Entry, now: float) -> None:
        """Find out when a job is due next, and note it."""
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
            "Job %s missed its time by %d seconds, more than it may; it is not made up for", entry.job_id, now - first
        )
        message = f"A run was due at {int(first)} (seconds since 1970), and missed by more than it may be late."
        if entry.has_more(now):
            self.arm(entry, now)
            self.report(entry.job_id, reason=message)
        else:
            entry.state, _do = states.step(State(states.RUNNING), states.LAST_ENDED)
            entry.next_due = None
            self.report(entry.job_id, status=entry.state.status, result=FAIL, reason=message)
        self.keep(entry)

    def keep(self, entry: Entry) -> None:
        """Write down how a job stands."""
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
        """Tell the API keys of a job's schedule, as soon as it can be told."""
        self._journal.report(JOB, job_id, keys)

    def start_run(self, entry: Entry, due: float, now: float) -> None:
        """Hand a run of a job to the dispatcher. ``due`` is when it should have started."""
        entry.state, _do = states.step(entry.state, states.DUE)
        entry.next_due, entry.is_open = None, False
        run = Run(uuid.uuid4().hex, entry.job_id, due, now, entry.session_id, entry.session_tag)
        entry.run_id = run.run_id
        self.keep(entry)
        self.dispatcher.begin(run, now)

    def settle(self, entry: Entry, result: str | None, now: float) -> None:
        """A job has no run any more: find its next state."""
        if entry.run_id == "" and result is None and entry.state.status in states.ACTIVE:
            aborted = entry.state.status == states.ABORTING
            self.report(
                entry.job_id,
                result=ABORTED if aborted else FAIL,
                reason="The run was lost: the node or its scheduler went down, and its result is not known.",
                time_ended=int(now),
                current_pid=-1,
                progress={"phase": ""},
            )
        entry.run_id = ""
        before = entry.state
        self.step(entry, states.ENDED if entry.has_more(now) else states.LAST_ENDED, now)
        if before.status not in states.ACTIVE or entry.state.status == before.status:
            self.report(entry.job_id, status=entry.state.status)

    # What a playbook runs.

    def look_for_playbook(self, entry: Entry, job: Mapping[str, Any], status: str, now: float) -> None:
        """Leave a job alone that a playbook runs, and go on with it when that has ended."""
        found = state_in_playbook(job)
        if found is None:
            # While the status says that it runs, a phase that was told late may stand in the place of the playbook's.
            if entry.is_in_playbook and status not in states.ACTIVE:
                self.playbook_has_ended(entry, status, now)
            return
        # What is still to be told of its status comes later than what the document says.
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
        """Go on with a job that a playbook has run; ``status`` is what the API has."""
        entry.is_in_playbook = False
        self.step(entry, states.ENDED if entry.has_more(now) else states.LAST_ENDED, now, known_status=status)

    def _take_from_playbook(self, entry: Entry, now: float) -> None:
        """An abort cannot end a playbook, which may be dead as well: take the job back."""
        reason = (
            "It was aborted while a playbook ran it. The scheduler cannot end a playbook; if it still runs, end it where it "
            "was started."
        )
        keys = {"result": ABORTED, "reason": reason, "time_ended": int(now), "progress": {"phase": "", "after": ""}}
        self.report(entry.job_id, **keys)
        self.playbook_has_ended(entry, states.ABORTING, now)


def whole_number(value: Any) -> int:
    """A number of a document, which may hold anything; 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
