# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The core of the scheduler: it applies events to jobs and their runs, one by one, and records them in the journal.

It uses no thread, socket or process: it gets the time and the events, and calls an executor and sends questions to the
API. ``tick`` is called whenever something may have happened, and returns the time of the next thing to do.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import JOB
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import states
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.changes import has_times, is_reopened
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.rounds import hold_off_of, round_to_join
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State

from .entries import Entry, first_last_due, first_state, state_in_playbook
from .intake import job_problem
from .jobs import Jobs, whole_number
from .journal import Journal, JournalError, Known
from .runs import Run
from .surroundings import Executor, Join, Joined, Limits

LOG = logging.getLogger("freezer_scheduler")
_LAST_ASKED = "last event"
#: For how many jobs the logged reason is remembered.
_MOST_REFUSED = 10_000


class Core:
    """One scheduler. ``ask`` sends questions to the API, and is None without one."""

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
        self._jobs = Jobs(journal, executor, limits, client_id, ask)
        self._dispatcher = self._jobs.dispatcher
        self._zone = zone
        #: The logged reasons why jobs are left out, by their ids.
        self._refused: dict[str, str] = {}

    # Events.

    def recover(self, now: float) -> None:
        """Continue with the jobs and runs of the journal, from their actual state."""
        self.journal.begin()
        refused = []
        for known in self.journal.jobs():
            document = json.loads(known.document)
            if job_problem({**document, "job_id": known.job_id}):
                # An earlier release has accepted it.
                refused.append(known.job_id)
                continue
            entry = Entry(known.job_id, known.state)
            entry.tag, entry.last_due, entry.session_tag = known.tag, known.last_due, known.session_tag
            entry.is_open = known.is_open
            entry.read(document, self._zone)
            entry.is_in_playbook = entry.state.status == states.RUNNING and state_in_playbook(document) is not None
            self.entries[known.job_id] = entry
        for job_id in refused:
            self.journal.forget_job(job_id)
        for run in self.journal.runs():
            if not JOB.is_id(run.job_id):
                self.journal.forget_run(run.run_id)
                continue
            self._dispatcher.runs[run.run_id] = run
            entry = self.entries.setdefault(run.job_id, Entry(run.job_id, State(states.RUNNING)))
            entry.run_id, entry.is_in_playbook = run.run_id, False
        for run in self.active_runs:
            self._dispatcher.recover(run, now)
        for entry in self.entries.values():
            if entry.state.status in states.ACTIVE and not entry.run_id and not entry.is_in_playbook:
                # Its run was never recorded, or ended without the job being told.
                self._jobs.settle(entry, None, now)
            elif entry.state.status == states.SCHEDULED:
                self._jobs.arm(entry, now)
        self.journal.commit()

    def saw(self, jobs: Iterable[tuple[Mapping[str, Any], str | None]], now: float) -> None:
        """Handle jobs of this client from the API or a folder, each with the tag of its state."""
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
        """The ids of known jobs that are not in ``job_ids``, the ids of all jobs that are not completed."""
        return [
            entry.job_id
            for entry in list(self.entries.values())
            if entry.job_id not in job_ids
            # A job whose completion is not reported yet is not missing.
            and not (entry.state.status == states.COMPLETED and self.journal.waiting_for(entry.job_id))
        ]

    def has_ended(self, job: Mapping[str, Any], now: float) -> None:
        """Forget a job that is completed at the API, unless it has a run here, which goes on.

        If it is started again, or gets another schedule, it will be in the list again.
        """
        job_id = str(job.get("job_id"))
        entry = self.entries.get(job_id)
        # A waiting report is newer than the state at the API.
        if entry is not None and not entry.run_id and "status" not in self.journal.waiting_for(job_id):
            self.journal.begin()
            if entry.is_in_playbook:
                self._jobs.playbook_has_ended(entry, states.COMPLETED, now)
            elif (
                entry.state.status == states.COMPLETED
                and entry.read(job, self._zone)
                and has_times(job.get("job_schedule") or {})
            ):
                # It got its schedule during its last run, and was completed before that was seen.
                self._jobs.step(entry, states.RESCHEDULED, now, known_status=states.COMPLETED)
            else:
                self.entries.pop(job_id)
                self.journal.forget_job(job_id)
            self.journal.commit()

    def gone(self, job_id: str, now: float) -> None:
        """Handle a job that is not this client's any more."""
        entry = self.entries.get(job_id)
        if entry is not None:
            self.journal.begin()
            entry.is_gone = True
            if entry.is_in_playbook:
                # The end of the playbook will not be reported here.
                entry.is_in_playbook, entry.state = False, State(states.SCHEDULED)
            self._jobs.step(entry, states.REMOVE, now)
            self.journal.commit()

    def asked(self, job_id: str, event: str, name: str, now: float) -> bool:
        """Handle an event that was requested without an API; False if there is no such job.

        ``name`` is unique; the same one again, after a crash, changes nothing.
        """
        entry = self.entries.get(job_id)
        if self.journal.fact(_LAST_ASKED) == name:
            return True
        if entry is None:
            return False
        self.journal.begin()
        self._jobs.step(entry, event, now)
        self.journal.note(_LAST_ASKED, name)
        self.journal.commit()
        return True

    def saw_session(self, session: Mapping[str, Any], now: float) -> None:
        """Handle a session from the API: if a round has begun without our job, the job joins it now."""
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
                # If our clock is behind, the due time of this round is still ahead; it is done with this run.
                ahead = entry.times.after(now)
                following = entry.times.after(ahead) if ahead is not None else None
                is_for_it = ahead is not None and ahead - now <= 2 * hold_off
                if is_for_it and following is not None and ahead is not None:
                    is_for_it = ahead - now < (following - ahead) / 2
                entry.last_due = ahead if is_for_it else now
                self._jobs.start_run(entry, now, now)
                self.journal.commit()

    def _take_tag_over(self, entry: Entry, tag: int, hold_off: float, now: float) -> None:
        """Store the tag of a round that was missed, unless our clock may be behind and the job due for it soon."""
        is_soon = entry.next_due is not None and entry.next_due - now <= 2 * hold_off
        if not entry.run_id and entry.state.status not in states.ACTIVE and not is_soon:
            entry.session_tag = tag
            self.journal.begin()
            self._jobs.keep(entry)
            self.journal.commit()

    def joined(self, answer: Joined, now: float) -> None:
        """Handle the API's answer whether a run may join its session."""
        self.journal.begin()
        self._dispatcher.joined(answer, now)
        self.journal.commit()

    def tick(self, now: float) -> float | None:
        """Do what is due; returns the time of the next thing to do, None if there is none."""
        self.journal.begin()
        self._dispatcher.take_ended(now)
        for entry in self._jobs.take_due(now):
            self._alone(entry.job_id, functools.partial(self._jobs.run_due, entry, now))
        self._dispatcher.advance(now)
        self.journal.commit()
        self._dispatcher.act(now)
        self._dispatcher.look_at_progress(now)
        moments = [self._jobs.next_due, self._dispatcher.next_wake(now)]
        return min((moment for moment in moments if moment is not None), default=None)

    def reload(self, limits: Limits) -> None:
        """Change the limits."""
        self._dispatcher.reload(limits)

    def take_passing(self) -> dict[str, dict[str, Any]]:
        """The reports of progress, keys of schedules by job, which are then removed here."""
        return self._dispatcher.reports.take_passing()

    @property
    def has_passing(self) -> bool:
        """Whether there are reports of progress."""
        return bool(self._dispatcher.reports.passing)

    @property
    def entries(self) -> dict[str, Entry]:
        """The jobs by their ids."""
        return self._jobs.entries

    @property
    def active_runs(self) -> list[Run]:
        """The runs that have not ended."""
        return list(self._dispatcher.runs.values())

    # One job.

    def _alone(self, job_id: str, work: Callable[[], None]) -> None:
        """Do something for one job; an error is undone and logged, and does not affect other jobs."""
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
        """Log once why a job is left out."""
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
            entry.session_tag = whole_number(job.get("session_tag"))
            is_changed = entry.read(job, self._zone)
        else:
            ended = (states.COMPLETED, states.REMOVED)
            if entry.state.status == states.COMPLETED and schedule.get("status") in ended and not event:
                return
            was_in = entry.session_id
            is_changed = entry.read(job, self._zone)
            if entry.session_id != was_in:
                entry.session_tag = whole_number(job.get("session_tag"))
        entry.tag = tag
        self.journal.keep_job(Known(job_id, text, tag, entry.state, entry.last_due, entry.session_tag, entry.is_open))
        self._jobs.look_for_playbook(entry, job, status, now)
        if job_id not in self.entries:
            return
        if entry.state.status in states.ACTIVE and not entry.run_id and not entry.is_in_playbook:
            # Its document says that it runs here, and it does not: the scheduler or its disk was replaced.
            self._jobs.settle(entry, None, now)
        # For an event a job that another scheduler has scheduled is not new.
        is_found = entry.state.status == states.NEW and (not event or status == states.SCHEDULED)
        if is_found:
            self._jobs.step(entry, states.FOUND, now, known_status=status)
        if event:
            if "event" in self.journal.waiting_for(job_id):
                # The API has not cleared the last event yet; this one is handled after that.
                entry.tag = None
            else:
                self._jobs.report(job_id, event="", seen_event=event)
                self._jobs.step(entry, event, now, known_status=status)
        elif is_found:
            # Its schedule was handled above, also if it has no more due times.
            pass
        elif entry.state.status == states.COMPLETED:
            if (is_changed or is_reopened(schedule)) and has_times(schedule):
                self._jobs.step(entry, states.RESCHEDULED, now, known_status=status)
        elif is_changed and entry.state.status == states.SCHEDULED:
            # Past due times of the new schedule are not caught up.
            entry.last_due = max(entry.last_due or 0, now - 1)
            if entry.session_id and not has_times(schedule):
                # The rounds of its session decide when it runs.
                self._jobs.arm(entry, now)
            else:
                self._jobs.step(entry, states.RESCHEDULED, now, known_status=status)
