# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The action ``exec``: a command or a script of the operator's, before or after a backup for example."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping
from typing import Any

from ..documents.verbs import EXEC_KEYS
from ..errors import quoted
from ..system import process
from ..system.meant import did_you_mean
from .options import OptionError, is_known, option_name

_TO_END_SECONDS = 5.0


def words_of(action: Mapping[str, Any]) -> list[str]:
    """The program of an ``exec`` and its arguments. No shell sees them. Raises OptionError.

    ``command`` is a text, whose words are told apart as a shell would, or a list of words. ``script`` is the path of a
    file that can be executed; ``arguments`` are its words.
    """
    given = {key: value for key, value in action.items() if value not in (None, "", False)}
    # Options of other actions mean nothing here: servers of Freezer write the defaults of a job into all of its actions.
    unknown = sorted(key for key in given if key not in EXEC_KEYS and not is_known(option_name(key)))
    if unknown:
        hint = did_you_mean(unknown[0], EXEC_KEYS)
        raise OptionError(f"The option {quoted(unknown[0])} is not one of an exec, so nothing was done.{hint}")
    command, script, arguments = given.get("command"), given.get("script"), given.get("arguments", [])
    if (command is None) == (script is None):
        raise OptionError("An exec needs either command, a text or a list of words, or script, the path of a file.")
    if script is not None:
        if not isinstance(script, str) or not os.path.isabs(script):
            raise OptionError("script has to be the absolute path of a file that can be executed.")
        return [script, *_texts(arguments, "arguments")]
    if arguments:
        raise OptionError("arguments belong to a script; write those of a command into it.")
    if isinstance(command, str):
        try:
            words = shlex.split(command)
        except ValueError as problem:
            raise OptionError(f"command cannot be split into words: {problem}.") from None
    else:
        words = _texts(command, "command")
    if not words:
        raise OptionError("command is empty.")
    return words


def _texts(value: Any, key: str) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) and "\0" not in one for one in value):
        raise OptionError(f"{key} has to be a list of texts.")
    return list(value)


def execute(action: Mapping[str, Any]) -> dict[str, Any]:
    """Run the command and return its result; it shares our output.

    It gets the whole environment of this process, as the operator's own command may need any of it. Raises OptionError, and
    HostError if the program cannot be started. If this process is ended, so is the command with all that it has started.
    """
    words = words_of(action)
    started = time.time()
    if action.get("dry_run") in (True, "true", "True"):
        return {"changed": False, "outcome": "planned", "program": words[0], "duration_seconds": 0.0}
    program = process.Program(
        words, stdout=process.OURS, stderr=process.OURS, cwd=None, env=os.environ, own_session=True
    )
    try:
        status = program.wait() or 0
    finally:
        program.end(_TO_END_SECONDS)
    result: dict[str, Any] = {
        "changed": True,
        "outcome": "success" if status == 0 else "failed",
        "program": words[0],
        "command_status": status,
        "duration_seconds": round(time.time() - started, 3),
    }
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        result["message"] = f"{words[0]} {how}."
    return result
