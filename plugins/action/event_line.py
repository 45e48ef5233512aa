# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line about a step of a run: shown, and appended to a file of JSON lines. Runs on the controller, asks no host."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_WORDS = {"start": "Starting to", "done": "Done", "failed": "Failed to", "skipped": "Skipped", "note": "Note on"}


class ActionModule(ActionBase):
    """The action event_line."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the line. What is wrong with the file is a warning."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, wanted = self.validate_argument_spec(
            argument_spec={
                "step": {"type": "str", "required": True},
                "event": {"type": "str", "choices": sorted(_WORDS), "required": True},
                "run": {"type": "str", "default": ""},
                "workflow": {"type": "str", "default": ""},
                "details": {"type": "dict", "default": {}},
                "path": {"type": "path"},
            }
        )
        moment = datetime.now().astimezone()
        host = (task_vars or {}).get("inventory_hostname", "")
        line = {
            "at": moment.isoformat(timespec="milliseconds"),
            "workflow": wanted["workflow"],
            "run": wanted["run"],
            "host": host,
            "step": wanted["step"],
            "event": wanted["event"],
            **wanted["details"],
        }
        more = " ".join(f"{key}={value}" for key, value in wanted["details"].items())
        text = f"{moment.isoformat(' ', 'milliseconds')[:23]} freezer <{wanted['run']}> [{host}] {_WORDS[wanted['event']]} {wanted['step']}"
        # That a step begins or is done Ansible itself shows.
        if wanted["event"] not in ("start", "done"):
            Display().display(f"{text}{': ' + more if more else ''}")
        if wanted["path"]:
            problem = _append(os.path.expanduser(wanted["path"]), json.dumps(line))
            if problem:
                result.setdefault("warnings", []).append(problem)
        result.update(changed=False, line=line)
        return result


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
