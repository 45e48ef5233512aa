# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A run of a job: its phase, and its process."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import JobRun, Outcome

#: The phases of a run: it asks its session, waits for a slot, is about to start, runs, or waits for a retry.
JOINING, READY, STARTING, RUNNING, WAITING = "joining", "ready", "starting", "running", "waiting"

#: The name of the phase ``ready`` in lists.
QUEUED = "queued"


@dataclass
class Run(JobRun):
    """A run that has not ended. All of it is kept on disk, so that it survives the scheduler."""

    phase: str = READY
    #: The process of the agent: its id, and the kernel's mark of its start, since ids are reused.
    pid: int = 0
    born: str = ""
    scope: str = ""
    deadline: float = 0.0
    #: Whether the begin of the run was reported.
    told: bool = False
    #: Until when to try to join the session.
    join_until: float = 0.0

    def to_json(self) -> str:
        """The text that ``from_json`` reads."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Run:
        """A run from its text, without keys of other releases."""
        known = {one.name for one in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in json.loads(text).items() if key in known})

    def ended(self, outcome: Outcome, actions: Sequence[Mapping[str, Any]], now: float) -> bool:
        self.pid, self.born, self.scope, self.deadline = 0, "", "", 0.0
        is_tried_again = super().ended(outcome, actions, now)
        self.phase = WAITING if is_tried_again else READY
        return is_tried_again


def storages_of(action: Mapping[str, Any]) -> list[str]:
    """The kinds of storage that an action uses."""
    what = action.get("freezer_action") or {}
    if what.get("action") == "exec":
        return []
    several = what.get("storages")
    locations = several if isinstance(several, list) and several else [what]
    return sorted({str(one.get("storage")) for one in locations if isinstance(one, Mapping) and one.get("storage")})
