# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Command lines whose unknown options are refused with the option that may have been meant."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from typing import Any

from .meant import closest
from .streams import give_stdout_up, unwritten


class AnsweringParser(argparse.ArgumentParser):
    """A parser whose help and version are results: HostError if they cannot be written, which argparse ignores."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if not message:
            return
        stream = file or sys.stderr
        try:
            stream.write(message)
            stream.flush()
        except BrokenPipeError:
            raise
        except OSError as problem:
            give_stdout_up()
            raise unwritten(problem) from None


def parse_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, intermixed: bool = False
) -> argparse.Namespace:
    """The values of a command line, that of this process without ``arguments``.

    Calls ``parser.error`` for words that no option and no argument takes. `intermixed` is for parsers whose arguments may
    stand among the options.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    verbs = _verbs(parser)
    known = list(parser._option_string_actions)
    for word in itertools.takewhile(lambda word: word not in verbs, words if verbs else ()):
        # Its value would be taken for a verb, and refused in its place.
        name = word.partition("=")[0]
        if name.startswith("--") and not any(option.startswith(name) for option in known):
            parser.error(_about(name, known))
    found, unknown = (parser.parse_known_intermixed_args if intermixed else parser.parse_known_args)(words)
    if unknown:
        verb = next((word for word in words if word in verbs), None)
        if verb is not None:
            known += verbs[verb]._option_string_actions
        name = next((word.partition("=")[0] for word in unknown if word.startswith("-")), "")
        parser.error(_about(name, known) if name else f"unrecognized arguments: {' '.join(unknown)}")
    return found


def _about(name: str, known: Sequence[str]) -> str:
    close = closest(name, known)
    return f"unknown option {name}" + (f" (did you mean {close}?)" if close else "")


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's verbs; none if it has no verbs."""
    found = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {name: verb for action in found for name, verb in action.choices.items()}
