# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The runs of jobs: they join their session, wait for a slot, start processes, are retried, and end.

The job is told when its run has ended; ``reports`` has the reports to the API.
"""

from __future__ import annotations

import functools
import heapq
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_job import actions_of, bare_action
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import rounds
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import (
    ABORTED,
    FAIL,
    SUCCESS,
    Outcome,
    described,
    timeout_of,
)

from . import runs
from .journal import Journal, JournalError
from .reports import Reports
from .runs import JOINING, READY, RUNNING, STARTING, WAITING, Run
from .slots import Slots
from .surroundings import Executor, Join, Joined, Limits

LOG = logging.getLogger("freezer_scheduler")

_JOIN_AGAIN_SECONDS = 3.0


class RunOwner(Protocol):
    """The jobs whose runs these are."""

    def is_aborting(self, job_id: str) -> bool:
        """Whether a job was asked to abort, so that its run has to end."""

    def tag_of(self, job_id: str) -> int:
        """The last round of its session that a job knows of."""

    def learn_tag(self, job_id: str, tag: int) -> None:
        """Store the last round of its session that a job knows."""

    def run_has_begun(self, run: Run, now: float) -> None:
        """The first agent of a run has started."""

    def run_is_over(self, run: Run, result: str | None, now: float) -> None:
        """A run has ended. ``result`` is None if the job has run in this round already."""


class Dispatcher:
    """All runs that have not ended. The caller begins and commits each change of the journal, except in ``act``."""

    def __init__(
        self,
        jobs: RunOwner,
        journal: Journal,
        executor: Executor,
        limits: Limits,
        client_id: str,
        ask: Callable[[Join], None] | None,
    ) -> None:
        self._limits = limits
        self.runs: dict[str, Run] = {}
        self.reports = Reports(journal, client_id, has_api=ask is not None)
        #: How long after its start a round of a session can be joined, in seconds.
        self.hold_offs: dict[str, float] = {}
        self._jobs = jobs
        self._journal = journal
        self._executor = executor
        self._ask = ask
        self._slots = Slots()
        #: The actions of each run: those of its job when it became due, with the job's defaults.
        self._found_actions: dict[str, list[Mapping[str, Any]]] = {}
        self._waiting: list[tuple[float, str]] = []
        self._to_start: list[Run] = []
        self._to_abort: list[Run] = []
        self._last_progress: dict[str, float] = {}

    # Events of runs.

    def reload(self, limits: Limits) -> None:
        """Change the limits."""
        self._limits = limits

    def recover(self, run: Run, now: float) -> None:
        """Continue a run of an earlier scheduler, from its actual state."""
        aborting = self._jobs.is_aborting(run.job_id)
        if run.phase == RUNNING or run.phase == STARTING:
            if not self._executor.adopt(run):
                outcome = self._executor.leftover(run)
                if aborting and outcome.result != SUCCESS:
                    outcome = Outcome(ABORTED, outcome.message, outcome.document)
                self._attempt_ended(run, outcome, now)
                return
            LOG.info("Job %s: its agent (process %d) is still running", run.job_id, run.pid)
            run.phase = RUNNING
            self._slots.occupied[run.run_id] = run
            self._has_begun(run, now)
            if aborting:
                self._to_abort.append(run)
        elif aborting:
            self._attempt_ended(run, Outcome(ABORTED, "It was aborted before it started."), now)
            return
        elif run.phase == JOINING:
            run.join_until = max(run.join_until, now + _JOIN_AGAIN_SECONDS)
            self._join(run)
        elif run.phase == WAITING:
            heapq.heappush(self._waiting, (run.retry_at, run.run_id))
        else:
            self._make_ready(run)
        self._journal.keep_run(run)

    def begin(self, run: Run, now: float) -> None:
        """Begin a run that is due: it joins its session, if it has one, and then waits for a slot."""
        self.runs[run.run_id] = run
        try:
            actions = actions_of(self._journal.document(run.job_id) or {})
        except DocumentError as error:
            actions = []
            run.messages.append(f"{error}.")
            run.results.append(FAIL)
        self._found_actions[run.run_id] = actions
        if not actions:
            self._over(run, run.result, now)
            return
        if run.session_id and self._ask is not None:
            run.phase = JOINING
            # The round of this run cannot be joined later.
            run.join_until = now + self.hold_offs.get(run.session_id, rounds.HOLD_OFF_SECONDS)
            self._join(run)
        else:
            self._make_ready(run)
        self._journal.keep_run(run)

    def joined(self, answer: Joined, now: float) -> None:
        """Handle the API's answer whether a run may join its session."""
        run = self.runs.get(answer.run_id)
        if run is None or run.phase != JOINING:
            return
        if answer.result == SUCCESS:
            run.session_tag = answer.session_tag
            self._make_ready(run)
            self._journal.keep_run(run)
            self._jobs.learn_tag(run.job_id, answer.session_tag)
        elif answer.result == rounds.HOLD_OFF:
            LOG.info("Job %s has run in round %d of its session already", run.job_id, answer.session_tag)
            self._over(run, None, now)
        elif answer.result == rounds.OUT_OF_SYNC:
            self._jobs.learn_tag(run.job_id, answer.session_tag)
            self._not_joined(run, f"it came too late for round {answer.session_tag} of its session", now)
        elif answer.result == "unreachable" and now < run.join_until:
            run.retry_at = now + _JOIN_AGAIN_SECONDS
            heapq.heappush(self._waiting, (run.retry_at, run.run_id))
        else:
            self._not_joined(run, answer.message.rstrip("."), now)

    def abort(self, run_id: str, now: float) -> None:
        """End a run, with its process if it has one."""
        run = self.runs.get(run_id)
        if run is None:
            return
        if run.phase in (RUNNING, STARTING) and run.pid:
            self._to_abort.append(run)
        else:
            run.phase = READY
            run.results.append(ABORTED)
            run.messages.append("It was aborted before it started.")
            self._over(run, ABORTED, now)

    def drop(self, job_id: str, kept: str) -> None:
        """Forget the runs of a job except one; the others were never in the journal."""
        for run in [one for one in self.runs.values() if one.job_id == job_id and one.run_id != kept]:
            self.runs.pop(run.run_id)
            self._found_actions.pop(run.run_id, None)

    def withdraw(self, run_id: str) -> None:
        """Forget a run that has started no process."""
        run = self.runs.get(run_id)
        if run is None:
            return
        self._forget(run)
        if run.phase != JOINING:
            self.reports.session_end(run, ABORTED)

    def take_ended(self, now: float) -> None:
        """Handle the processes that have ended."""
        for run_id, outcome in self._executor.ended():
            run = self.runs.get(run_id)
            if run is not None:
                self._alone(run, now, functools.partial(self._attempt_ended, run, outcome, now))

    def advance(self, now: float) -> None:
        """Find the runs to start, to retry, and to end because of their timeout."""
        while self._waiting and self._waiting[0][0] <= now:
            at, run_id = heapq.heappop(self._waiting)
            run = self.runs.get(run_id)
            if run is not None and run.retry_at == at:
                if run.phase == JOINING:
                    self._join(run)
                elif run.phase == WAITING:
                    self._make_ready(run)
        for run in self._slots.take(self._limits, self._ready, self._storages):
            run.phase = STARTING
            self._journal.keep_run(run)
            self._to_start.append(run)
        for run in self._slots.occupied.values():
            if run.phase == RUNNING and run.deadline and now >= run.deadline:
                run.deadline = 0.0
                run.messages.append(
                    f"{self._described(run)}: it took longer than its timeout and was ended; set a longer one with timeout "
                    "in the action, or action_timeout of the scheduler."
                )
                self._to_abort.append(run)

    def act(self, now: float) -> None:
        """Start and end processes, after the journal has recorded the intention."""
        starting, self._to_start = self._to_start, []
        aborting, self._to_abort = self._to_abort, []
        if not starting and not aborting:
            return
        self._journal.begin()
        for run in starting:
            if self.runs.get(run.run_id) is not run or run.phase != STARTING:
                continue
            self._alone(run, now, functools.partial(self._start, run, now))
        for run in aborting:
            self._executor.abort(run)
        self._journal.commit()

    def look_at_progress(self, now: float) -> None:
        """Report the progress of the agents at their interval."""
        for run in self._slots.occupied.values():
            if (
                run.phase != RUNNING
                or now - self._last_progress.get(run.run_id, run.started) < self._limits.progress_seconds
            ):
                continue
            self._last_progress[run.run_id] = now
            found = self._executor.progress(run)
            if found:
                self.reports.progress(run, {"time": int(now), **found})

    def next_wake(self, now: float) -> float | None:
        """The time of the next thing to do, None if there is none."""
        moments = [self._waiting[0][0]] if self._waiting else []
        running = [run for run in self._slots.occupied.values() if run.phase == RUNNING]
        if running:
            moments.append(now + self._limits.progress_seconds)
            moments += [run.deadline for run in running if run.deadline]
        return min(moments, default=None)

    # The steps of a run.

    def _alone(self, run: Run, now: float, work: Callable[[], None]) -> None:
        """Do something for one run; an error ends that run only."""
        try:
            with self._journal.savepoint():
                work()
        except JournalError:
            raise
        except Exception as error:
            LOG.exception("Job %s: its run is ended by a fault of the program", run.job_id)
            if run.pid:
                self._executor.abort(run)
            run.results.append(FAIL)
            run.messages.append(f"A fault of the scheduler ended the run ({type(error).__name__}); see its log.")
            self._over(run, FAIL, now)

    def _start(self, run: Run, now: float) -> None:
        outcome = self._start_action(run, now)
        if outcome is not None:
            self._attempt_ended(run, outcome, now)
        else:
            self._journal.keep_run(run)

    def _join(self, run: Run) -> None:
        run.retry_at = 0.0
        if self._ask is not None:
            self._ask(Join(run.run_id, run.session_id, run.job_id, run.session_tag))

    def _not_joined(self, run: Run, reason: str, now: float) -> None:
        LOG.warning("Job %s cannot join its session and is not run: %s", run.job_id, reason)
        run.messages.append(f"The job could not join its session {run.session_id} and was not run: {reason}.")
        run.results.append(FAIL)
        self._over(run, FAIL, now, ran=False)

    def _make_ready(self, run: Run) -> None:
        run.phase = READY
        self.reports.queued(run)
        self._slots.enqueue(run)

    def _start_action(self, run: Run, now: float) -> Outcome | None:
        actions = self._actions(run)
        if run.index >= len(actions):
            return Outcome(FAIL, "The job was removed before it could run.", may_retry=False)
        action = actions[run.index]
        try:
            what = bare_action(action)
        except DocumentError as error:
            return Outcome(FAIL, f"{error}.", may_retry=False)
        if what.get("action") == "exec" and not self._limits.allow_exec:
            return Outcome(
                FAIL, "this scheduler runs no exec actions; its operator can allow them with disable_exec = false.",
                may_retry=False,
            )  # fmt: skip
        try:
            started = self._executor.start(run, what)
        except Exception as error:  # noqa: BLE001 - an error of one action must not stop the others
            return Outcome(FAIL, f"The agent could not be started: {error}".rstrip(".") + ".")
        run.pid, run.born, run.scope = started
        run.phase = RUNNING
        LOG.debug(
            "Job %s: action %d has started, %.3f s after the job was due", run.job_id, run.index + 1, now - run.due
        )
        seconds = timeout_of(action, self._limits.timeout_seconds)
        run.deadline = now + seconds if seconds else 0.0
        self._has_begun(run, now)
        self.reports.progress(run, {"phase": "started"})
        return None

    def _has_begun(self, run: Run, now: float) -> None:
        if not run.told:
            self.reports.begun(run, now)
            self._jobs.run_has_begun(run, now)

    def _attempt_ended(self, run: Run, outcome: Outcome, now: float) -> None:
        self._slots.occupied.pop(run.run_id, None)
        aborting = self._jobs.is_aborting(run.job_id)
        if aborting and outcome.result == FAIL:
            outcome = Outcome(ABORTED, "It was aborted.", outcome.document)
        actions = self._actions(run)
        if run.index >= len(actions):
            run.results.append(outcome.result)
            self._over(run, run.result, now)
            return
        self.reports.backups(run, outcome)
        run.ended(outcome, actions, now)
        if aborting and run.phase == WAITING:
            run.results.append(ABORTED)
            run.index = len(actions)
        if run.is_over(actions):
            self._over(run, run.result, now)
        elif run.phase == WAITING:
            LOG.warning("Job %s: %s; it is retried", run.job_id, outcome.message.rstrip("."))
            heapq.heappush(self._waiting, (run.retry_at, run.run_id))
            self._journal.keep_run(run)
        else:
            self._make_ready(run)
            self._journal.keep_run(run)

    def _over(self, run: Run, result: str | None, now: float, *, ran: bool = True) -> None:
        """End a run. ``result`` is None if the job has run in this round already; then nothing is reported."""
        self._forget(run)
        if result is not None:
            LOG.log(
                logging.INFO if result == SUCCESS else logging.WARNING,
                "Job %s has ended: %s%s", run.job_id, result, f". {run.message}" if run.message else "",
            )  # fmt: skip
            self.reports.result(run, result, now, self._jobs.tag_of(run.job_id), ran=ran)
        self._jobs.run_is_over(run, result, now)

    def _forget(self, run: Run) -> None:
        self.runs.pop(run.run_id, None)
        self._slots.occupied.pop(run.run_id, None)
        self._found_actions.pop(run.run_id, None)
        self._last_progress.pop(run.run_id, None)
        self.reports.forget(run.job_id)
        self._journal.forget_run(run.run_id)
        self._executor.forget(run)

    def _ready(self, run_id: str) -> Run | None:
        """A run if it still waits for a slot."""
        run = self.runs.get(run_id)
        return run if run is not None and run.phase == READY else None

    # From the document of a job.

    def _actions(self, run: Run) -> list[Mapping[str, Any]]:
        if run.run_id not in self._found_actions:
            try:
                self._found_actions[run.run_id] = actions_of(self._journal.document(run.job_id) or {})
            except DocumentError:
                return []
        return self._found_actions[run.run_id]

    def _storages(self, run: Run) -> list[str]:
        actions = self._actions(run)
        return runs.storages_of(actions[run.index]) if run.index < len(actions) else []

    def _described(self, run: Run) -> str:
        actions = self._actions(run)
        return described(actions[run.index], run.index) if run.index < len(actions) else "The job"
