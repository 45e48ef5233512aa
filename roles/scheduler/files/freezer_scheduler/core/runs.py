# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One run of a job: which of its actions is next, what came of the others, and what all of that comes to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.job import with_action_defaults
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.old_forms import usual_action

SUCCESS, FAIL, ABORTED = "success", "fail", "aborted"

#: Where a run stands: it asks its session, waits for a place to run, is about to start, runs, or waits for a retry.
JOINING, READY, STARTING, RUNNING, WAITING = "joining", "ready", "starting", "running", "waiting"

#: How a run that is ready and waits for its place is shown.
QUEUED = "queued"
#: The phase of a run that is no scheduler's, but that of a playbook such as ``run_job``.
PLAYBOOK = "playbook"

RETRY_INTERVAL_SECONDS = 60
#: More would end in a number that no calendar has.
_LONGEST_SECONDS = 10**8


@dataclass(frozen=True)
class Outcome:
    """What came of one try of an action. ``document`` is what the agent says. Some failures are not tried again."""

    result: str
    message: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    may_retry: bool = True


@dataclass
class Run:
    """A run that is under way. Everything here is kept on disk, so that it survives the scheduler."""

    run_id: str
    job_id: str
    #: When it should have started, and when it did; seconds since 1970.
    due: float
    started: float
    session_id: str = ""
    session_tag: int = 0
    phase: str = READY
    #: The action that it is at, which try of it this is, and when to try again.
    index: int = 0
    attempt: int = 1
    retry_at: float = 0.0
    #: The process of the agent: its id, and when it started in the words of the kernel, for ids are used again.
    pid: int = 0
    born: str = ""
    scope: str = ""
    deadline: float = 0.0
    results: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    #: Whether the job's document says that it runs.
    told: bool = False
    #: For a session that cannot be asked: until when to try.
    join_until: float = 0.0

    def to_json(self) -> str:
        """The text that ``from_json`` reads."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Run:
        """A run as it was written; keys of other releases are left out."""
        known = {one.name for one in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in json.loads(text).items() if key in known})

    @property
    def result(self) -> str:
        """What the run comes to as far as it got: the last of its actions that went wrong says it."""
        return next((one for one in reversed(self.results) if one in (FAIL, ABORTED)), SUCCESS)

    @property
    def message(self) -> str:
        """What went wrong or was left out, in sentences; empty if nothing was."""
        return " ".join(self.messages)

    def ended(self, outcome: Outcome, actions: list[Mapping[str, Any]], now: float) -> None:
        """Note what came of the action that ran, and find out what is next: ``phase`` and ``index`` say it."""
        action = actions[self.index]
        self.pid, self.born, self.scope, self.deadline = 0, "", "", 0.0
        retries = _number(action.get("max_retries"), 0)
        if outcome.result == FAIL and outcome.may_retry and self.attempt <= retries:
            self.phase = WAITING
            self.retry_at = now + _number(action.get("max_retries_interval"), RETRY_INTERVAL_SECONDS)
            self.attempt += 1
            return
        self.results.append(outcome.result)
        if outcome.message:
            self.messages.append(f"{described(action, self.index)}: {outcome.message}")
        self.next_action(actions, aborted=outcome.result == ABORTED)

    def next_action(self, actions: list[Mapping[str, Any]], aborted: bool = False) -> None:
        """Go to the next action that has to run: after a failure those that are mandatory, after an abort none."""
        self.attempt, self.phase = 1, READY
        self.index += 1
        while self.index < len(actions):
            if self.result == SUCCESS or (actions[self.index].get("mandatory") and not aborted):
                return
            self.results.append("skipped")
            self.index += 1

    def is_over(self, actions: list[Mapping[str, Any]]) -> bool:
        """Whether there is nothing left to run."""
        return self.index >= len(actions)


def actions_of(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The actions of a job, completed by its ``action_defaults``. Raises DocumentError."""
    found = with_action_defaults(job).get("job_actions") or []
    return [usual_action(action) for action in found if isinstance(action, Mapping)]


def bare_action(action: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the agent is to do, which is all that it gets. Raises DocumentError for what has another action in it."""
    what = action.get("freezer_action") or {}
    if not isinstance(what, Mapping):
        raise DocumentError("freezer_action is no object")
    nested = next((key for key in what if key.replace("-", "_") in ("freezer_action", "job_actions")), None)
    if nested is not None:
        # The agent refuses that as well. What was checked here is then all that there is.
        raise DocumentError(f"freezer_action has {nested}; give the bare action, which is what stands below that key")
    return what


def timeout_of(action: Mapping[str, Any], default_seconds: float) -> float:
    """How many seconds an action may take; 0 for as many as it wants."""
    return _number(action.get("timeout"), default_seconds)


def storages_of(action: Mapping[str, Any]) -> list[str]:
    """The kinds of storages that an action works with."""
    what = action.get("freezer_action") or {}
    if what.get("action") == "exec":
        return []
    several = what.get("storages")
    places = several if isinstance(several, list) and several else [what]
    return sorted({str(one.get("storage")) for one in places if isinstance(one, Mapping) and one.get("storage")})


def backups_gone(document: Mapping[str, Any]) -> list[str]:
    """The ids of the backups that are nowhere any more, as the result of a removal of old ones says."""
    if document.get("outcome") != "success":
        # Where one of several storages failed, it may still have them, and removes them some other time.
        return []
    kept = {one.get("backup_id") for one in _mappings(document.get("kept"))}
    removed = {one.get("backup_id") for one in _mappings(document.get("removed"))}
    return sorted(str(backup_id) for backup_id in removed - kept if backup_id)


def described(action: Mapping[str, Any], index: int) -> str:
    """How messages name an action."""
    what = action.get("freezer_action") or {}
    name = what.get("backup_name")
    kind = what.get("action") or "backup"
    return f"Action {index + 1} ({kind}{f' of {name}' if name else ''})"


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _number(value: Any, default: float) -> float:
    """A number of a document, which may hold anything."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        return default
    return float(min(value, _LONGEST_SECONDS))
