# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler itself: what is said of jobs leads to their next state, jobs that are due to runs, runs to reports.

It knows no thread, no socket and no process: it is told the time and what happened, and it tells an executor and a
conversation with the API what to do. ``tick`` is called whenever something may have happened, and says until when
nothing will.
"""

from __future__ import annotations

import copy
import functools
import heapq
import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.job import KIND
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import states
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.changes import has_times, is_reopened
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.rounds import hold_off_of, round_to_join
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import ABORTED, FAIL
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State

from .dispatch import Dispatcher
from .entries import Entry, first_last_due, first_state, state_elsewhere
from .intake import job_problem
from .journal import JOB, Journal, JournalError, Known
from .runs import Run
from .surroundings import Executor, Join, Joined, Limits

LOG = logging.getLogger("freezer_scheduler")
_LAST_ASKED = "last event"
#: Of so many jobs it is remembered that the log has said why they are left out.
_MOST_REFUSED = 10_000


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
        self.entries: dict[str, Entry] = {}
        self._dispatcher = Dispatcher(self, journal, executor, limits, client_id, ask)
        self._zone = zone
        self._due: list[tuple[float, str]] = []
        #: Why jobs were left out, by what they have as an id; the log has said it.
        self._refused: dict[str, str] = {}

    # What happens.

    def recover(self, now: float) -> None:
        """Take up what the journal knows: jobs, and runs that an earlier scheduler left, whose truth is found out."""
        self.journal.begin()
        refused = []
        for known in self.journal.jobs():
            document = json.loads(known.document)
            if job_problem({**document, "job_id": known.job_id}):
                # An earlier release has taken it from an API.
                refused.append(known.job_id)
                continue
            entry = Entry(known.job_id, known.state)
            entry.tag, entry.last_due, entry.session_tag = known.tag, known.last_due, known.session_tag
            entry.is_open = known.is_open
            entry.read(document, self._zone)
            entry.is_elsewhere = entry.state.status == states.RUNNING and state_elsewhere(document) is not None
            self.entries[known.job_id] = entry
        for job_id in refused:
            self.journal.forget_job(job_id)
        for run in self.journal.runs():
            if not KIND.is_id(run.job_id):
                self.journal.forget_run(run.run_id)
                continue
            self._dispatcher.runs[run.run_id] = run
            entry = self.entries.setdefault(run.job_id, Entry(run.job_id, State(states.RUNNING)))
            entry.run_id, entry.is_elsewhere = run.run_id, False
        for run in self.active_runs:
            self._dispatcher.recover(run, now)
        for entry in self.entries.values():
            if entry.state.status in states.ACTIVE and not entry.run_id and not entry.is_elsewhere:
                # Its run was never written down, or is over without the job having heard of it.
                self._settle(entry, None, now)
            elif entry.state.status == states.SCHEDULED:
                self._arm(entry, now)
        self.journal.commit()

    def saw(self, jobs: Iterable[tuple[Mapping[str, Any], str | None]], now: float) -> None:
        """Some of the jobs of this client, each with the tag of its state, as they are at the API or in a folder."""
        self.journal.begin()
        for job, tag in jobs:
            job_id = str(job.get("job_id")) if isinstance(job, Mapping) else ""
            entry = self.entries.get(job_id)
            if entry is not None and tag is not None and entry.tag == tag:
                continue
            problem = job_problem(job)
            if problem:
                self._leave_out(job_id, problem)
            else:
                self._alone(job_id, functools.partial(self._saw, job, tag, now))
        self.journal.commit()

    def saw_all(self, job_ids: set[str]) -> list[str]:
        """These are all jobs that are not completed. Returns those that are not among them any more."""
        return [
            entry.job_id
            for entry in list(self.entries.values())
            if entry.job_id not in job_ids
            # The API has to hear first that a job is completed.
            and not (entry.state.status == states.COMPLETED and self.journal.waiting_for(entry.job_id))
        ]

    def has_ended(self, job: Mapping[str, Any], now: float) -> None:
        """A job is completed at the API, by us or by another client; what runs here still ends as it ends.

        It is forgotten: if it is started again, or gets another schedule, it will be among those to run again.
        """
        job_id = str(job.get("job_id"))
        entry = self.entries.get(job_id)
        # What we have to say about it comes later than what the API knows.
        if entry is not None and not entry.run_id and "status" not in self.journal.waiting_for(job_id):
            self.journal.begin()
            if entry.is_elsewhere:
                self._ended_elsewhere(entry, states.COMPLETED, now)
            elif (
                entry.state.status == states.COMPLETED
                and entry.read(job, self._zone)
                and has_times(job.get("job_schedule") or {})
            ):
                # It got its schedule during its last run, and we said that it is completed before we saw that.
                self._step(entry, states.RESCHEDULED, now, known_status=states.COMPLETED)
            else:
                self.entries.pop(job_id)
                self.journal.forget_job(job_id)
            self.journal.commit()

    def gone(self, job_id: str, now: float) -> None:
        """A job is not this client's any more."""
        entry = self.entries.get(job_id)
        if entry is not None:
            self.journal.begin()
            entry.is_gone = True
            if entry.is_elsewhere:
                # Its end will not be heard of here.
                entry.is_elsewhere, entry.state = False, State(states.SCHEDULED)
            self._step(entry, states.REMOVE, now)
            self.journal.commit()

    def asked(self, job_id: str, event: str, name: str, now: float) -> bool:
        """An event is asked for here, and not at an API; False if there is no such job.

        ``name`` is another one for each; the same one once more, after a crash, changes nothing.
        """
        entry = self.entries.get(job_id)
        if self.journal.fact(_LAST_ASKED) == name:
            return True
        if entry is None:
            return False
        self.journal.begin()
        self._step(entry, event, now)
        self.journal.note(_LAST_ASKED, name)
        self.journal.commit()
        return True

    def saw_session(self, session: Mapping[str, Any], now: float) -> None:
        """A session as it is at the API: where a round has begun without our job, the job joins it now."""
        hold_off = hold_off_of(session)
        self._dispatcher.hold_offs[str(session.get("session_id"))] = hold_off
        jobs = session.get("jobs")
        for job_id in jobs if isinstance(jobs, Mapping) else ():
            entry = self.entries.get(job_id)
            if entry is None or entry.session_id != session.get("session_id"):
                continue
            unknown = round_to_join(session, entry.session_tag, now)
            if unknown is None:
                continue
            tag, can_be_joined = unknown
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
        if not entry.run_id and entry.state.status not in states.ACTIVE and not is_soon:
            entry.session_tag = tag
            self.journal.begin()
            self._keep(entry)
            self.journal.commit()

    def joined(self, answer: Joined, now: float) -> None:
        """The API has said whether a run may join its session."""
        self.journal.begin()
        self._dispatcher.joined(answer, now)
        self.journal.commit()

    def tick(self, now: float) -> float | None:
        """Do what there is to do; returns until when there is nothing more, None for as long as nothing happens."""
        self.journal.begin()
        self._dispatcher.take_ended(now)
        while self._due and self._due[0][0] <= now:
            due, job_id = heapq.heappop(self._due)
            entry = self.entries.get(job_id)
            if entry is not None and entry.next_due == due and entry.state.status == states.SCHEDULED:
                self._alone(job_id, functools.partial(self._is_due, entry, now))
        self._dispatcher.advance(now)
        self.journal.commit()
        self._dispatcher.act(now)
        self._dispatcher.look_at_progress(now)
        moments = [self._due[0][0] if self._due else None, self._dispatcher.next_wake(now)]
        return min((moment for moment in moments if moment is not None), default=None)

    def reload(self, limits: Limits) -> None:
        """Other limits hold from now on."""
        self._dispatcher.limits = limits

    def take_passing(self) -> dict[str, dict[str, Any]]:
        """What the API may be told if there is time for it: keys of schedules by job. It is not kept any longer."""
        passing, self._dispatcher.passing = self._dispatcher.passing, {}
        return passing

    @property
    def has_passing(self) -> bool:
        """Whether there is something that the API may be told."""
        return bool(self._dispatcher.passing)

    @property
    def active_runs(self) -> list[Run]:
        """The runs that are under way."""
        return list(self._dispatcher.runs.values())

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
        self._keep(self.entries[job_id])

    def run_has_begun(self, run: Run, now: float) -> None:
        """The first agent of a run is at work."""
        self._step(self.entries[run.job_id], states.BEGUN, now)

    def run_is_over(self, run: Run, result: str | None, now: float) -> None:
        """A job has no run any more. ``result`` is None if it was not its turn."""
        self._settle(self.entries[run.job_id], result, now)

    # Jobs.

    def _alone(self, job_id: str, work: Callable[[], None]) -> None:
        """Do something for one job. What goes wrong with that is undone and logged, and the other jobs are run."""
        entry = self.entries.get(job_id)
        before = copy.copy(entry)
        try:
            with self.journal.savepoint():
                work()
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - the log has it, and no job ends the program
            self._dispatcher.drop(job_id, before.run_id if before is not None else "")
            if entry is None or before is None:
                self.entries.pop(job_id, None)
            else:
                for name in Entry.__slots__:
                    setattr(entry, name, getattr(before, name))
                self.entries[job_id] = entry
            self._leave_out(job_id, f"a fault of the program ({type(error).__name__}: {str(error)[:200]})", error)

    def _leave_out(self, job_id: str, problem: str, fault: Exception | None = None) -> None:
        """Say once why a job is not taken as it is."""
        if self._refused.get(job_id) == problem:
            return
        if len(self._refused) >= _MOST_REFUSED:
            self._refused.clear()
        self._refused[job_id] = problem
        known = "; it is run as it was last seen" if job_id in self.entries else ""
        LOG.error("Job %.100s is left out: %s%s", job_id, problem, known, exc_info=fault)

    def _saw(self, job: Mapping[str, Any], tag: str | None, now: float) -> None:
        job_id = str(job["job_id"])
        entry = self.entries.get(job_id)
        schedule = job.get("job_schedule") or {}
        status = str(schedule.get("status") or "")
        event = schedule.get("event") if schedule.get("event") in states.EVENTS else ""
        text = json.dumps(job, ensure_ascii=False, separators=(",", ":"))
        if entry is None:
            entry = self.entries[job_id] = Entry(job_id, first_state(job))
            entry.last_due = now if event == states.START else first_last_due(job, now)
            entry.session_tag = _whole(job.get("session_tag"))
            is_changed = entry.read(job, self._zone)
        else:
            ended = (states.COMPLETED, states.REMOVED)
            if entry.state.status == states.COMPLETED and schedule.get("status") in ended and not event:
                return
            was_in = entry.session_id
            is_changed = entry.read(job, self._zone)
            if entry.session_id != was_in:
                entry.session_tag = _whole(job.get("session_tag"))
        entry.tag = tag
        self.journal.keep_job(Known(job_id, text, tag, entry.state, entry.last_due, entry.session_tag, entry.is_open))
        self._look_elsewhere(entry, job, status, now)
        if job_id not in self.entries:
            return
        if entry.state.status in states.ACTIVE and not entry.run_id and not entry.is_elsewhere:
            # It is said to run here, and does not: this scheduler, or its disk, is another one than then.
            self._settle(entry, None, now)
        # One that another scheduler has put into its schedule is not new any more for what is asked of it.
        is_found = entry.state.status == states.NEW and (not event or status == states.SCHEDULED)
        if is_found:
            self._step(entry, states.FOUND, now, known_status=status)
        if event:
            if "event" in self.journal.waiting_for(job_id):
                # The API does not know yet that the last one was heard; this one is looked at when it does.
                entry.tag = None
            else:
                self._report(job_id, event="", seen_event=event)
                self._step(entry, event, now, known_status=status)
        elif entry.state.status == states.COMPLETED:
            if (is_changed or is_reopened(schedule)) and has_times(schedule):
                self._step(entry, states.RESCHEDULED, now, known_status=status)
        elif not is_found and is_changed and entry.state.status == states.SCHEDULED:
            # What would have been due in the past by the new schedule, is not made up for.
            entry.last_due = max(entry.last_due or 0, now - 1)
            if entry.session_id and not has_times(schedule):
                # The rounds of its session say when.
                self._arm(entry, now)
            else:
                self._step(entry, states.RESCHEDULED, now, known_status=status)

    def _step(self, entry: Entry, what: str, now: float, known_status: str | None = None) -> None:
        """Go on in the table of states, and do what it says. ``known_status`` is what the API has."""
        before = entry.state
        told = before.told if known_status is None else known_status
        entry.state, do = states.step(before, what)
        if before.status == states.QUEUED and entry.state.status in (states.STOPPED, states.REMOVED):
            self._dispatcher.withdraw(entry.run_id)
            entry.run_id = ""
            if not entry.is_gone:
                self._report(entry.job_id, progress={"phase": ""})
        if what in states.EVENTS:
            LOG.info("Job %s: %s was asked for; its status is %s", entry.job_id, what, entry.state.status or "new")
        if do == states.FORGET:
            self._forget(entry)
            return
        if do in (states.ARM, states.ARM_NOW):
            is_begun = what in (states.FOUND, states.RESCHEDULED, states.START)
            # One that is written anew without a schedule runs once, as any new job does.
            is_asked = what in (states.FOUND, states.START) or (is_begun and known_status == states.NEW)
            is_once = is_asked and entry.times is not None and entry.times.once
            # A start that was asked for, and has not led to a run yet, is for whatever schedule there is.
            was_open = what == states.RESCHEDULED and before.status == states.SCHEDULED and entry.is_open
            entry.is_open = do == states.ARM_NOW or is_once or was_open
            if before.status in (states.STOPPED, states.COMPLETED, states.REMOVED):
                # What passed while it was stopped is not made up for.
                entry.last_due = now
            self._arm(entry, now)
            if entry.next_due is None and (is_begun or do == states.ARM_NOW):
                self._nothing_to_run(entry, now)
        elif do == states.DISARM:
            entry.next_due, entry.is_open = None, False
        elif do == states.KILL and entry.is_elsewhere:
            self._give_up_elsewhere(entry, now)
        elif do == states.KILL:
            self._dispatcher.abort(entry.run_id, now)
        if entry.state.told != told and entry.job_id in self.entries:
            self._report(entry.job_id, status=entry.state.told)
        self._keep(entry)

    # What a playbook runs.

    def _look_elsewhere(self, entry: Entry, job: Mapping[str, Any], status: str, now: float) -> None:
        """Leave a job alone that a playbook runs, and go on with it when that has ended."""
        found = state_elsewhere(job)
        if found is None:
            # While the status says that it runs, a phase that was told late may stand in the place of the playbook's.
            if entry.is_elsewhere and status not in states.ACTIVE:
                self._ended_elsewhere(entry, status, now)
            return
        # What is still to be told of its status comes later than what the document says.
        if entry.is_elsewhere or "status" in self.journal.waiting_for(entry.job_id):
            return
        if entry.state.status == states.QUEUED:
            self._dispatcher.withdraw(entry.run_id)
            entry.run_id = ""
        if entry.run_id:
            return
        LOG.info("Job %s is run by a playbook, and left alone until that has ended", entry.job_id)
        entry.is_elsewhere, entry.state = True, found
        entry.next_due, entry.is_open = None, False
        entry.session_tag = max(entry.session_tag, _whole(job.get("session_tag")))
        self._keep(entry)

    def _ended_elsewhere(self, entry: Entry, status: str, now: float) -> None:
        entry.is_elsewhere = False
        self._step(entry, states.ENDED if entry.has_more(now) else states.LAST_ENDED, now, known_status=status)

    def _give_up_elsewhere(self, entry: Entry, now: float) -> None:
        """An abort cannot end a playbook, which may be dead as well: take the job back."""
        reason = (
            "It was aborted while a playbook ran it. The scheduler cannot end a playbook; if it still runs, end it where it "
            "was started."
        )
        keys = {"result": ABORTED, "reason": reason, "time_ended": int(now), "progress": {"phase": "", "after": ""}}
        self._report(entry.job_id, **keys)
        self._ended_elsewhere(entry, states.ABORTING, now)

    def _nothing_to_run(self, entry: Entry, now: float) -> None:
        """A job was started that will never be due: say so, and be done with it."""
        reason = entry.problem or "Its schedule has no time that is still to come, so nothing was run."
        if entry.times is not None and entry.times.once:
            reason = "It has no schedule any more, so it is not run until it is started."
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
        self._dispatcher.passing.pop(entry.job_id, None)
        self.journal.forget_job(entry.job_id)
        if not entry.is_gone:
            # Of a job that is somebody else's now, another client may have taken over the document.
            self._report(entry.job_id, status=states.REMOVED)

    def _report(self, job_id: str, **keys: Any) -> None:
        self.journal.report(JOB, job_id, keys)

    def _start_run(self, entry: Entry, due: float, now: float) -> None:
        entry.state, _do = states.step(entry.state, states.DUE)
        entry.next_due, entry.is_open = None, False
        run = Run(uuid.uuid4().hex, entry.job_id, due, now, entry.session_id, entry.session_tag)
        entry.run_id = run.run_id
        self._keep(entry)
        self._dispatcher.begin(run, now)

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
                progress={"phase": ""},
            )
        entry.run_id = ""
        before = entry.state
        self._step(entry, states.ENDED if entry.has_more(now) else states.LAST_ENDED, now)
        if before.status not in states.ACTIVE or entry.state.status == before.status:
            self._report(entry.job_id, status=entry.state.status)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
