# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a shell needs to complete the words of a command, made from its parser by shtab."""

from __future__ import annotations

import argparse
import sys
from typing import Any

SHELLS = ("bash", "zsh", "tcsh")
#: What values are called that a shell completes with names of files.
_FILES = ("FILE", "FILE|-", "FOLDER", "PATH")


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script for one of SHELLS. An argument with an attribute ``words`` is completed with these.

    argparse checks ``choices``; `words` are suggestions only.
    """
    import shtab

    _mark(parser, shtab.FILE)
    return str(shtab.complete(parser, shell))


def _mark(parser: argparse.ArgumentParser, of_files: Any) -> None:
    for action in parser._actions:
        words = getattr(action, "words", None)
        if words and not action.choices:
            action.choices = list(words)
        elif action.metavar in _FILES:
            action.complete = of_files  # type: ignore[attr-defined]
        elif isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                _mark(verb, of_files)


class PrintCompletion(argparse.Action):
    """The action of an option ``--completion SHELL``: prints the script for the shell, and ends the command.

    ``const`` makes the parser: the one that is at work is not as it was built.
    """

    def __init__(self, option_strings: list[str], dest: str, **more: Any) -> None:
        more.setdefault("help", f"print what this shell needs to complete words: {', '.join(SHELLS)}")
        super().__init__(option_strings, dest, choices=SHELLS, metavar="SHELL", default=argparse.SUPPRESS, **more)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Print it and end."""
        sys.stdout.write(f"{completion(self.const(), values)}\n")
        parser.exit()
