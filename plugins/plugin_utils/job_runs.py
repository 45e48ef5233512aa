# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of a job by a playbook, which records the same with the API as a scheduler would."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_job import actions_of, bare_action
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.row import FILES
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.jobs import (
    existing_job,
    record_status,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.kinds import ensure_backup_record
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.recorded import recorded_manifests
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.sessions import act
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import RestError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule import states
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import DueTimes, anchor_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.errors import MissingScheduler
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError, parse
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.rounds import HOLD_OFF
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import (
    FAIL,
    PLAYBOOK,
    SUCCESS,
    JobRun,
    Outcome,
    backups_gone,
    described,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State

#: What a run outside of a scheduler may do.
KINDS = ("backup", "restore", "admin")
_TRUE = ("true", "yes", "on", "1", "y", "t")


class NotRun(FreezerError):
    """The job was not run; the message says why."""


@dataclass
class Ran:
    """The result of a run. ``status`` is that of the job after it, ``failures`` are sentences, one for each action."""

    result: str
    status: str
    failures: list[str]
    backup_ids: list[str] = field(default_factory=list)


@dataclass
class Surroundings:
    """The environment of a run.

    ``perform`` makes one attempt at a bare action; ``zone`` finds out the time zone of the node; ``tell`` gets a sentence
    about each attempt; ``clock`` gives the seconds since 1970.
    """

    perform: Callable[[Mapping[str, Any]], Outcome]
    zone: Callable[[], tzinfo]
    tell: Callable[[str], None] = lambda sentence: None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    check_mode: bool = False


def run_job(registry: Registry, job: Mapping[str, Any], around: Surroundings, init: bool = False) -> Ran:
    """Run a job as its scheduler would: actions in their order, retries, its session, and every record of that.

    ``init`` lets each action take its container as it is; a job cannot ask for that itself. Raises NotRun, DocumentError,
    RestError.
    """
    actions = _actions(job, init)
    return _JobRunner(registry, job, actions, around).run()


def _actions(job: Mapping[str, Any], init: bool) -> list[Mapping[str, Any]]:
    refused = f"Job {job.get('job_id')} was not run, and nothing of it was recorded: its action"
    found = actions_of(job)
    if not found:
        raise NotRun(f"Job {job.get('job_id')} was not run, and nothing of it was recorded: it has no actions.")
    for number, action in enumerate(found, 1):
        what = bare_action(action)
        kind = what.get("action") or "none"
        if kind not in KINDS:
            raise NotRun(
                f"{refused} {number} is {kind}, and job_run runs {', '.join(KINDS[:-1])} and {KINDS[-1]} only. Leave the "
                "job to freezer-scheduler, for example with freezer.backup.job_event and the event start."
            )
        if str(what.get("init")).strip().lower() in _TRUE:
            raise NotRun(
                f"{refused} {number} has init, which takes a container as it is, also one that is not mounted or is another "
                "one than before. Take it out of the job; if the container is right, say so once with "
                "freezer_run_job_init=true."
            )
    return [{**one, "freezer_action": {**bare_action(one), "init": True}} for one in found] if init else found


@dataclass(frozen=True)
class _Place:
    """The backups of one name, and the storages that they are in."""

    name: tuple[str | None, str | None, str]
    storages: frozenset[tuple[str, str]]

    def is_in(self, other: _Place) -> bool:
        return self.name == other.name and self.storages <= other.storages


def _place_of(what: Mapping[str, Any]) -> _Place:
    """The place of an action whose options have been read before."""
    options = parse_options(what)
    given = options.storages or [{}]
    found = {
        (str(one.get("storage") or options.storage), str(one.get("container") or options.container)) for one in given
    }
    return _Place((options.backup_name, options.hostname, options.backup_media), frozenset(found))


class _JobRunner:
    def __init__(
        self, registry: Registry, job: Mapping[str, Any], actions: Sequence[Mapping[str, Any]], around: Surroundings
    ) -> None:
        self._registry = registry
        self._job = job
        self._actions = actions
        self._around = around
        schedule = job.get("job_schedule") or {}
        self._event = schedule.get("event") or ""
        # A start that was asked for puts a stopped job back into its schedule.
        is_stopped = schedule.get("status") == states.STOPPED and self._event != states.START
        self._state = State(states.RUNNING, states.STOP if is_stopped else "")
        now = around.clock()
        session_id, tag = str(job.get("session_id") or ""), job.get("session_tag")
        tag = tag if isinstance(tag, int) else 0
        self._run = JobRun(uuid.uuid4().hex, str(job["job_id"]), now, now, session_id, tag)
        self._backup_ids: list[str] = []
        #: Where in check mode full backups would be made, which may be the first ones there.
        self._planned: list[_Place] = []

    def run(self) -> Ran:
        """Join the session, run the actions, record the end whatever happened before."""
        if self._run.session_id:
            self._join()
        self._record(
            {
                **self._run.begun_keys(self._run.started),
                **({"event": ""} if self._event == states.START else {}),
                # A scheduler sees by the phase that the run is not its own, and by ``after`` what becomes of the job then.
                "progress": {
                    "phase": PLAYBOOK,
                    "after": self._state.after,
                    "done_bytes": 0,
                    "total_bytes": 0,
                    "done_files": 0,
                },
            },
            self._run.session_tag if self._run.session_id else None,
        )
        try:
            while not self._run.is_over(self._actions):
                self._attempt()
        finally:
            if not self._run.is_over(self._actions):
                self._run.results.append(FAIL)
                self._run.messages.append("The playbook was ended before all actions had run.")
            status = self._end()
        failures = [] if self._run.result == SUCCESS else list(self._run.messages)
        return Ran(self._run.result, status, failures, self._backup_ids)

    def _join(self) -> None:
        run = self._run
        answer = act(
            self._registry, run.session_id, "start", run.job_id, run.session_tag, None, self._around.check_mode
        )
        result, tag = answer.values["result"], answer.values["session_tag"]
        if result == SUCCESS:
            run.session_tag = tag
            return
        if result == HOLD_OFF:
            raise NotRun(
                f"Job {run.job_id} was not run, and nothing of it was recorded: it has run in round {tag} of its session "
                f"{run.session_id} already, and the next one cannot begin yet."
            )
        # The tag of the last round is needed to join or begin the next one.
        reason = (
            f"The job could not join its session {run.session_id} and was not run: it came too late for round {tag} of its "
            "session."
        )
        run.messages.append(reason)
        run.results.append(FAIL)
        self._record_end(tag)
        raise NotRun(f"{reason} It can take part in the next one.")

    def _attempt(self) -> None:
        run, action = self._run, self._actions[self._run.index]
        name = described(action, run.index)
        outcome = self._recorded(self._performed(bare_action(action)))
        if self._around.check_mode:
            outcome = self._foretold(bare_action(action), outcome)
        said = f": {outcome.message}" if outcome.message else ""
        now = self._around.clock()
        if run.ended(outcome, self._actions, now):
            seconds = max(0.0, run.retry_at - now)
            self._around.tell(f"{name}: {outcome.message.rstrip('.')}; attempt {run.attempt} follows in {seconds:g} s.")
            self._around.sleep(0.0 if self._around.check_mode else seconds)
        else:
            self._around.tell(f"{name}: {outcome.result}{said}")

    def _performed(self, what: Mapping[str, Any]) -> Outcome:
        """One attempt at an action."""
        try:
            what = self._with_records(what)
        except OptionError:
            pass  # the attempt says what is wrong with it
        except RestError as error:
            return Outcome(FAIL, f"what is on record of its backups cannot be read: {str(error).rstrip('.')}.")
        return self._around.perform(what)

    def _with_records(self, what: Mapping[str, Any]) -> Mapping[str, Any]:
        """A restore of files gets what the API has on record, so that nothing else is restored unnoticed. Raises RestError."""
        options = parse_options(what)
        if what.get("action") != "restore" or options.backup_media != FILES or not options.backup_name:
            return what
        if options.recorded_manifests:
            return what
        known = recorded_manifests(self._registry, options.backup_name, options.hostname, options.backup_id)
        return {**what, "recorded_manifests": known} if known else what

    def _foretold(self, what: Mapping[str, Any], outcome: Outcome) -> Outcome:
        """In check mode: an action that fails for want of a backup that an action before it would make does not fail.

        All else that is wrong with it is a failure in check mode too.
        """
        if outcome.result == SUCCESS:
            if what.get("action") == "backup" and outcome.document.get("level") == 0:
                self._planned.append(_place_of(what))
            return outcome
        if not outcome.document.get("no_backup") or not self._will_have(what):
            return outcome
        return Outcome(
            SUCCESS, f"check mode cannot tell, for the backup before it was not made. It says: {outcome.message}"
        )

    def _will_have(self, what: Mapping[str, Any]) -> bool:
        """Whether an action before this one would make a backup that this one asks for."""
        options = parse_options(what)
        date = options.restore_from_date
        if options.backup_id or (date is not None and date < self._run.started):
            return False
        here = _place_of(what)
        return any(here.is_in(place) for place in self._planned)

    def _recorded(self, outcome: Outcome) -> Outcome:
        """Tell the API of backups that were made or are gone. What it does not take is a failure of the action."""
        record = self._run.recorded(outcome, str(self._job.get("client_id") or ""))
        check_mode = self._around.check_mode
        try:
            if record is not None:
                ensure_backup_record(self._registry, record, record.get("backup_id"), "present", check_mode)
                self._backup_ids.append(str(record.get("backup_id")))
            for backup_id in backups_gone(outcome.document):
                ensure_backup_record(self._registry, {}, backup_id, "absent", check_mode)
        except FreezerError as error:
            return Outcome(FAIL, f"it could not be recorded: {error}", outcome.document, may_retry=False)
        return outcome

    def _end(self) -> str:
        run = self._run
        try:
            return self._record_end()
        finally:
            if run.session_id:
                act(
                    self._registry, run.session_id, "end", run.job_id, run.session_tag, run.result,
                    self._around.check_mode,
                )  # fmt: skip

    def _record_end(self, session_tag: int | None = None) -> str:
        """Record the result of the run and what becomes of its job; returns the job's status."""
        now = self._around.clock()
        what = states.ENDED if self._is_due_again(now) else states.LAST_ENDED
        status = states.step(self._state, what).state.told
        keys = self._run.ended_keys(self._run.result, now)
        self._record({**keys, "status": status, "progress": {**keys["progress"], "after": ""}}, session_tag)
        return status

    def _is_due_again(self, now: float) -> bool:
        schedule = existing_job(self._registry, self._run.job_id).get("job_schedule") or {}
        try:
            parsed = parse(schedule)
            zone = self._around.zone() if parsed.is_local else None
            return DueTimes(parsed, zone, anchor_of(schedule)).has_more(self._run.started, now)
        except ScheduleError:
            # Its scheduler would say so, and be done with it.
            return False
        except MissingScheduler:
            # By the calendar there is a next time, as good as always; a scheduler finds out if there is none.
            return True

    def _record(self, keys: Mapping[str, Any], session_tag: int | None = None) -> None:
        record_status(self._registry, self._run.job_id, keys, session_tag, self._around.check_mode)
