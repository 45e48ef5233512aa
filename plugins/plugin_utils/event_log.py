# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of runs over several hosts: a file of JSON lines on the controller. It ends no run."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any

from ansible.utils.display import Display

_WORDS = {"start": "Starting to", "done": "Done", "failed": "Failed to", "skipped": "Skipped", "note": "Note on"}
#: What may have happened to a step.
EVENTS = tuple(sorted(_WORDS))


def write(path: str | None, moment: datetime, line: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Append a line, if there is a log. Returns the line as it was written, and what went wrong, if anything did."""
    whole = {"at": moment.isoformat(timespec="milliseconds"), **line}
    return whole, (_append(os.path.expanduser(path), json.dumps(whole)) if path else "")


class RunLog:
    """What is told of the steps of one run, and what goes wrong with the log, which ends no run."""

    def __init__(self, path: str | None, workflow: str, run: str) -> None:
        self._path, self._about = path, {"workflow": workflow, "run": run}
        self._problems: list[str] = []

    def tell(self, host: str, step: str, event: str, details: dict[str, Any]) -> dict[str, Any]:
        """Show a line about a step of a host and append it, as `write` does. Returns the line as it was written."""
        moment = datetime.now().astimezone()
        # That a step begins or is done Ansible itself shows.
        if event not in ("start", "done"):
            shown = moment.isoformat(" ", "milliseconds")[:23]
            text = f"{shown} freezer <{self._about['run']}> [{host}] {_WORDS[event]} {step}"
            more = " ".join(f"{key}={value}" for key, value in details.items())
            Display().display(f"{text}{': ' + more if more else ''}")
        about = {**self._about, "host": host, "step": step, "event": event}
        line, problem = write(self._path, moment, {**about, **details})
        if problem:
            self._problems.append(problem)
        return line

    def warn(self, result: dict[str, Any]) -> None:
        """Add what went wrong to the warnings of a task, each once."""
        if self._problems:
            result.setdefault("warnings", []).extend(dict.fromkeys(self._problems))


def _append(path: str, line: str) -> str:
    """Append a line in one call, so that lines of several forks do not mix. Returns what went wrong: a log ends no run."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, (line + "\n").encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"The event log {path} cannot be written: {error.strerror}. The run goes on without it."
    return ""
