# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Writes the manual pages of the commands from the parsers of their command lines. A test notices when they are old.

usage: .venv/bin/python tools/man.py [FOLDER]      FOLDER defaults to docs/man
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.freezer.backup.roles.agent.files.freezer_agent import command_line as agent
from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config import settings as api
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.cli import command_line as scheduler

CHECKOUT = Path(__file__).resolve().parent.parent
PARSERS = {
    "freezer-agent": agent.build_parser,
    "freezer-api": api.build_parser,
    "freezer-manage": manage.build_parser,
    "freezer-scheduler": scheduler.build_parser,
}
#: A mark of the text that roff would read as its own, and what stands for it.
_ESCAPES = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}


def roff(text: str) -> str:
    """Text as roff shows it unchanged; every line of it is text, whatever it begins with."""
    shown = re.sub(r"[\\\-'`^~]", lambda mark: _ESCAPES[mark[0]], text)
    return re.sub(r"(?m)^\.", r"\\&.", shown)


def _head() -> list[str]:
    said = Path(__file__).read_text().splitlines()[:2]
    return [f'.\\" {line.lstrip("# ")}' for line in said] + ['.\\"', '.\\" Written by tools/man.py.']


def page(name: str, parser: argparse.ArgumentParser) -> str:
    """The manual page of a command."""
    description = (parser.description or "").rstrip(".")
    lines = [
        *_head(),
        f'.TH {roff(name.upper())} 1 "" "freezer.backup" "User Commands"',
        ".SH NAME",
        f"{roff(name)} \\- {roff(description[:1].lower() + description[1:])}",
        ".SH SYNOPSIS",
        roff(" ".join(parser.format_usage().removeprefix("usage: ").split())),
        ".SH DESCRIPTION",
        roff(f"{description}."),
        ".SH OPTIONS",
    ]
    verbs = None
    for group in parser._action_groups:
        shown = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
        verbs = next((action for action in shown if isinstance(action, argparse._SubParsersAction)), verbs)
        shown = [action for action in shown if action is not verbs]
        if shown:
            lines.append(f".SS {roff(group.title or '')}")
            lines += _options(parser, shown)
    if verbs is not None:
        lines += _verbs(parser, verbs)
    lines += _epilog(parser.epilog or "")
    others = [roff(other) for other in sorted(PARSERS) if other != name]
    lines += [".SH SEE ALSO", *(f".BR {other} (1)," for other in others[:-1]), f".BR {others[-1]} (1)"]
    return "\n".join(lines) + "\n"


def _options(parser: argparse.ArgumentParser, actions: Iterable[argparse.Action]) -> Iterator[str]:
    formatter = parser._get_formatter()
    for action in actions:
        value = (
            ""
            if action.nargs == 0
            else action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else action.dest.upper())
        )
        names = ", ".join(f"\\fB{roff(name)}\\fR" for name in action.option_strings)
        yield ".TP"
        yield " ".join(filter(None, (names, f"\\fI{roff(str(value))}\\fR" if value else "")))
        yield roff(formatter._expand_help(action))
        for paragraph in getattr(action, "paragraphs", ()):
            yield from (".IP", roff(paragraph))


def _verbs(parser: argparse.ArgumentParser, verbs: argparse._SubParsersAction) -> Iterator[str]:
    """Each verb with the options that are its own."""
    common = {tuple(action.option_strings) for action in parser._actions}
    yield f".SH {roff(str(verbs.metavar))}S"
    abouts = {one.dest: one.help or "" for one in verbs._choices_actions}
    for name, verb in verbs.choices.items():
        yield from (".TP", f"\\fB{roff(name)}\\fR", roff(abouts[name]))
        own = [
            action
            for action in verb._actions
            if tuple(action.option_strings) not in common or not action.option_strings
        ]
        if own:
            yield ".RS"
            yield from _options(verb, own)
            yield ".RE"


def _epilog(text: str) -> Iterator[str]:
    """Paragraphs as they are; a line that ends with a colon begins a section of lines that stay as they are."""
    is_table = False
    for line in text.strip().splitlines():
        if line.endswith(":") and not line.startswith(" "):
            if is_table:
                yield ".fi"
            yield from (f".SH {roff(line[:-1].upper())}", ".nf")
            is_table = True
        elif line.startswith(" "):
            yield roff(line.removeprefix("  "))
        else:
            if is_table:
                yield ".fi"
                is_table = False
            yield roff(line) if line else ".PP"
    if is_table:
        yield ".fi"


def main() -> None:
    """Write all pages."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT / "docs/man"
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in PARSERS.items():
        (folder / f"{name}.1").write_text(page(name, build()))
    for name in agent.NAMES[1:]:
        (folder / f"{name}.1").write_text("\n".join([*_head(), f".so man1/{agent.NAMES[0]}.1"]) + "\n")


if __name__ == "__main__":
    main()
