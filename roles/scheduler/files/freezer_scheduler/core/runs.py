# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One run of a job as its scheduler keeps it: where it stands, and the process that is at work for it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import JobRun, Outcome

#: Where a run stands: it asks its session, waits for a place to run, is about to start, runs, or waits for a retry.
JOINING, READY, STARTING, RUNNING, WAITING = "joining", "ready", "starting", "running", "waiting"

#: How a run that is ready and waits for its place is shown.
QUEUED = "queued"


@dataclass
class Run(JobRun):
    """A run that is under way. Everything here is kept on disk, so that it survives the scheduler."""

    phase: str = READY
    #: The process of the agent: its id, and when it started in the words of the kernel, for ids are used again.
    pid: int = 0
    born: str = ""
    scope: str = ""
    deadline: float = 0.0
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

    def ended(self, outcome: Outcome, actions: Sequence[Mapping[str, Any]], now: float) -> bool:
        self.pid, self.born, self.scope, self.deadline = 0, "", "", 0.0
        is_tried_again = super().ended(outcome, actions, now)
        self.phase = WAITING if is_tried_again else READY
        return is_tried_again


def storages_of(action: Mapping[str, Any]) -> list[str]:
    """The kinds of storages that an action works with."""
    what = action.get("freezer_action") or {}
    if what.get("action") == "exec":
        return []
    several = what.get("storages")
    places = several if isinstance(several, list) and several else [what]
    return sorted({str(one.get("storage")) for one in places if isinstance(one, Mapping) and one.get("storage")})
