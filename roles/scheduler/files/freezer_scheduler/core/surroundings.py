# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interfaces of the core: limits, questions to the API, and processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import Outcome

from .runs import Run


@dataclass(frozen=True)
class Limits:
    """Limits of what is done at once, and permissions. Times in seconds, 0 for none."""

    concurrent_jobs: int = 1
    per_storage: Mapping[str, int] = field(default_factory=dict)
    allow_exec: bool = False
    timeout_seconds: float = 0.0
    progress_seconds: float = 15.0


class Join(NamedTuple):
    """A question for the API: may a run join its session?"""

    run_id: str
    session_id: str
    job_id: str
    tag: int


class Joined(NamedTuple):
    """The answer. ``result`` is the API's, or ``refused`` or ``unreachable``, and then ``message`` says more."""

    run_id: str
    result: str
    session_tag: int = 0
    message: str = ""


class Started(NamedTuple):
    """The process of an agent: its id, the kernel's mark of its start, and its systemd scope."""

    pid: int
    born: str = ""
    scope: str = ""


class Executor(Protocol):
    """Runs actions."""

    def start(self, run: Run, what: Mapping[str, Any]) -> Started:
        """Start an action, a bare ``freezer_action``. Raises OSError, FreezerError."""

    def adopt(self, run: Run) -> bool:
        """Watch the process of a run that an earlier scheduler started; False if it has ended."""

    def leftover(self, run: Run) -> Outcome:
        """The result of a process that has ended while no scheduler ran."""

    def abort(self, run: Run) -> None:
        """End the process and all that it started; the outcome follows."""

    def ended(self) -> list[tuple[str, Outcome]]:
        """The runs whose process has ended since the last call."""

    def progress(self, run: Run) -> dict[str, Any] | None:
        """The progress that the process has reported, or None."""

    def forget(self, run: Run) -> None:
        """Remove the files of the run."""
