# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One run of a job: which of its actions is next, which is tried again, and what all of them come to.

Whatever runs jobs, a scheduler or a playbook, follows this. Actions are elements of ``job_actions``, with the defaults
of their job in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .states import RUNNING

SUCCESS, FAIL, ABORTED, SKIPPED = "success", "fail", "aborted", "skipped"

#: The phase that ``progress`` of a document has while a playbook, and no scheduler, runs the job.
PLAYBOOK = "playbook"

RETRY_INTERVAL_SECONDS = 60
#: A reason in a document is no longer than this.
REASON_LENGTH = 2000
#: What went wrong in one of its actions takes no more of it than this.
_CAUSE_LENGTH = 300
#: More would end in a number that no calendar has.
_LONGEST_SECONDS = 10**8
#: The exit status of an agent that was asked for something that cannot be done.
_UNUSABLE = 2


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt at an action. ``document`` is what the agent says. Some failures are not tried again."""

    result: str
    message: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    may_retry: bool = True


@dataclass
class JobRun:
    """A run that is under way: where it stands among the actions of its job."""

    run_id: str
    job_id: str
    #: When it should have started, and when it did; seconds since 1970.
    due: float
    started: float
    session_id: str = ""
    session_tag: int = 0
    #: The action that it is at, which attempt at it this is, and when the next attempt is due if it waits for that.
    index: int = 0
    attempt: int = 1
    retry_at: float = 0.0
    results: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @property
    def result(self) -> str:
        """What the run comes to as far as it got: the last of its actions that went wrong says it."""
        return next((one for one in reversed(self.results) if one in (FAIL, ABORTED)), SUCCESS)

    @property
    def message(self) -> str:
        """What went wrong or was left out, in sentences; empty if nothing was."""
        return " ".join(self.messages)

    def ended(self, outcome: Outcome, actions: Sequence[Mapping[str, Any]], now: float) -> bool:
        """Note the result of an attempt and go on: True if the action is tried again, at ``retry_at``; else ``index`` is next.

        After a failure only mandatory actions are run, after an abort none.
        """
        action = actions[self.index]
        if outcome.result == FAIL and outcome.may_retry and self.attempt <= number_of(action.get("max_retries"), 0):
            self.retry_at = now + number_of(action.get("max_retries_interval"), RETRY_INTERVAL_SECONDS)
            self.attempt += 1
            return True
        self.results.append(outcome.result)
        if outcome.message:
            self.messages.append(f"{described(action, self.index)}: {outcome.message}")
        self.attempt, self.index = 1, self.index + 1
        while not self.is_over(actions) and not self._has_to_run(actions[self.index], outcome.result == ABORTED):
            self.results.append(SKIPPED)
            self.index += 1
        return False

    def _has_to_run(self, action: Mapping[str, Any], is_aborted: bool) -> bool:
        return self.result == SUCCESS or bool(action.get("mandatory") and not is_aborted)

    def is_over(self, actions: Sequence[Mapping[str, Any]]) -> bool:
        """Whether there is nothing left to run."""
        return self.index >= len(actions)

    def begun_keys(self, now: float) -> dict[str, Any]:
        """What ``job_schedule`` of the job says from the first attempt on."""
        return {"status": RUNNING, "result": "", "reason": "", "time_started": int(now), "time_ended": -1}

    def ended_keys(self, result: str, now: float) -> dict[str, Any]:
        """What ``job_schedule`` of the job says at the end, besides its status."""
        return {
            "result": result,
            "reason": self.message[:REASON_LENGTH],
            "time_ended": int(now),
            "progress": {"phase": ""},
        }

    def recorded(self, outcome: Outcome, client_id: str) -> Mapping[str, Any] | None:
        """The record of the backup that an attempt has made; None if it has made none."""
        metadata = outcome.document.get("metadata")
        if not outcome.document.get("changed") or not isinstance(metadata, Mapping):
            return None
        of_session = {"session_id": self.session_id, "session_tag": self.session_tag} if self.session_id else {}
        return {**metadata, "job_id": self.job_id, "client_id": client_id, **of_session}


def outcome_of(document: Mapping[str, Any], left_out: str = "") -> Outcome:
    """What the result of an agent means for its action. ``left_out`` is what a backup does not hold, without a full stop.

    What was done in part is not tried again, nor is what cannot be done as it was asked for.
    """
    outcome = document.get("outcome", "success")
    if outcome in ("success", "unchanged", "planned"):
        return Outcome(SUCCESS, f"{left_out}." if left_out else "", document)
    if outcome == "partial":
        return Outcome(FAIL, f"it was done in part only: {_why_in_part(document)}.", document, may_retry=False)
    message = str(document.get("message") or f"the outcome is {outcome}.")
    return Outcome(FAIL, message, document, may_retry=document.get("exit_status") != _UNUSABLE)


def _why_in_part(document: Mapping[str, Any]) -> str:
    """The first thing that a result says went wrong, cut, without a full stop."""
    found = ""
    for storage in _mappings(document.get("storages")):
        if storage.get("outcome") != "success" and storage.get("message"):
            found = found or str(storage["message"])
    for key, words in (("unreadable", "could not be read"), ("not_restored", "could not be restored whole")):
        count, first = document.get(f"{key}_count"), next(iter(_mappings(document.get(key))), {})
        if count and not found:
            named = f", the first: {first['path']}: {first.get('message')}" if first.get("path") else ""
            found = f"{count} path{'s' if count != 1 else ''} {words}{named}"
    # That everything is left out with exclude stands in the reason of a level.
    found = found or str(document.get("reason") or "a storage or a path failed")
    return found[:_CAUSE_LENGTH].rstrip(".")


def backups_gone(document: Mapping[str, Any]) -> list[str]:
    """The ids of the backups that are in no storage any more, as the result of a removal says."""
    if not document.get("changed") or document.get("outcome") != "success":
        # Where one of several storages failed, it may still have them, and removes them some other time.
        return []
    kept = {one.get("backup_id") for one in _mappings(document.get("kept"))}
    removed = {one.get("backup_id") for one in _mappings(document.get("removed"))}
    return sorted(str(backup_id) for backup_id in removed - kept if backup_id)


def timeout_of(action: Mapping[str, Any], default_seconds: float) -> float:
    """How many seconds an action may take; 0 for as many as it wants."""
    return number_of(action.get("timeout"), default_seconds)


def described(action: Mapping[str, Any], index: int) -> str:
    """How messages name an action."""
    what = action.get("freezer_action") or {}
    name = what.get("backup_name")
    kind = what.get("action") or "backup"
    return f"Action {index + 1} ({kind}{f' of {name}' if name else ''})"


def number_of(value: Any, default: float) -> float:
    """A number of a document, which may hold anything: at least 0, and small enough for a calendar."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        return default
    return float(min(value, _LONGEST_SECONDS))


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
