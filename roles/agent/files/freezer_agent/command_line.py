# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command line of freezer-agent: its parser, its help, and what is said about words that are not understood.

Values stay text here; the engine says what they have to be, so that a flag, a line of a configuration file and a key of
a document are checked by the same code.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import is_same
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.row import Row
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import ALIASES
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.verbs import ACTIONS, OWN_ACTIONS
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.command_lines import AnsweringParser
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.completion import PrintCompletion
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.meant import closest, did_you_mean
from ansible_collections.freezer.backup.plugins.module_utils._engine.version import VERSION

from .errors import UsageError
from .flags import GROUPS, IGNORED, about, as_typed, flags, spelling

#: The names that the program has: the second one is that of Freezer's first years.
NAMES = ("freezer-agent", "freezerc")

_EXAMPLES = """
examples:
  {prog} -F /etc --storage local -C /srv/backups -N etc --max-level 6
  {prog} --action restore --storage local -C /srv/backups -N etc \\
                --restore-abs-path /tmp/etc
  {prog} --list --storage local -C /srv/backups

--help-all shows all options, with those for clouds, databases and retention.
"""

_ALL_EXAMPLES = """
examples:
  {prog} --action backup -F /etc --storage local -C /srv/backups -N etc --max-level 6
  {prog} --action info --storage local -C /srv/backups
  {prog} --action restore --storage local -C /srv/backups -N etc --restore-abs-path /tmp/etc
  {prog} --action admin --storage local -C /srv/backups -N etc --remove-older-than 14 --keep-weekly 8
  {prog} --action backup --nova-inst-id 3ad7a62f-217a-48cd-a861-43ec0a04a78b --storage swift -C backups
  {prog} --config nightly.ini --quiet

exit status:
  0 done    1 failed    2 cannot be done as it was asked for    3 done in part: something could not be read or stored
  128 + N: ended by signal N
"""


#: Where it is kept, while a command line is read, which spelling of an option was the first.
_SPELLINGS = " spellings"


class _Parser(AnsweringParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, column: int = 34) -> None:
        super().__init__(prog, max_help_position=column, width=min(shutil.get_terminal_size().columns - 2, 118))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # What the value is called once, after all spellings.
        names = ", ".join(action.option_strings)
        return f"{names} {action.metavar}" if action.metavar else names


class _Store(argparse.Action):
    """The value of an option; the last one holds, but not one in another spelling, as in a file and a document."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        spellings = vars(namespace).setdefault(_SPELLINGS, {})
        again = spellings.setdefault(self.dest, self) is not self
        if again and not is_same(self.dest, getattr(namespace, self.dest), values):
            raise UsageError(f"The command line gives {self.dest} twice, with different values.")
        setattr(namespace, self.dest, values)


def _opposite(key: str) -> str:
    return key.removeprefix("no_") if key.startswith("no_") else f"no_{key}"


def _add(group: Any, flag: Row, names: Sequence[str], said: str) -> None:
    said = said.replace("%", "%%")
    common: dict[str, Any] = {"dest": flag.name, "default": argparse.SUPPRESS, "help": said}
    if flag.metavar:
        action: Any = "append" if flag.repeated else _Store
        added = group.add_argument(*names, action=action, metavar=flag.metavar, **common)
        # What shells complete the value with.
        added.words = (*ACTIONS, *OWN_ACTIONS) if flag.name == "action" else flag.choices
    else:
        added = group.add_argument(*names, action="store_const", const=True, **common)
    # What the manual says further.
    added.paragraphs = [as_typed(paragraph) for paragraph in flag.paragraphs]


def _add_switch_opposite(group: Any, flag: Row) -> None:
    """The way back from a switch, so that a command line can take back what a file turns on."""
    group.add_argument(
        spelling(_opposite(flag.name)),
        dest=flag.name,
        action="store_const",
        const=False,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )


class _ShowHelp(argparse.Action):
    """Prints the help of what people need every day, or of all options, and ends."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        (parser if self.const else _everyday_parser(parser.prog)).print_help()
        parser.exit()


def _everyday_parser(prog: str) -> argparse.ArgumentParser:
    """A parser with the options that --help shows; it parses nothing."""
    parser = _Parser(
        prog=prog,
        usage=f"{prog} [--action ACTION] [OPTIONS]",
        description="Backs up a folder, a server or a volume, and proves that it restores.",
        epilog=_EXAMPLES.format(prog=prog),
        formatter_class=lambda prog: _Help(prog, column=32),
        add_help=False,
    )
    group = parser.add_argument_group("options")
    for flag in flags():
        if flag.line:
            _add(group, flag, _spellings(flag), flag.line)
    _add_answers(group)
    return parser


def _add_answers(group: Any) -> None:
    """The options that print something about the program and end it."""
    nothing: dict[str, Any] = {"nargs": 0, "dest": "help", "default": argparse.SUPPRESS}
    group.add_argument("-h", "--help", action=_ShowHelp, const=False, help="show what is needed every day", **nothing)
    group.add_argument("--help-all", action=_ShowHelp, const=True, help="show all options", **nothing)


def _spellings(flag: Row) -> list[str]:
    return [*([flag.short] if flag.short else []), spelling(flag.spelling or flag.name)]


def build_parser(prog: str = NAMES[0]) -> argparse.ArgumentParser:
    """The parser. What is not given has no attribute; values are text or lists of texts, switches are booleans."""
    parser = _Parser(
        prog=prog,
        usage=f"{prog} [--action ACTION] [OPTIONS]",
        description="Backs up a folder, a server or a volume, restores it, proves that a backup restores, lists what there is, removes what is old.",
        epilog=_ALL_EXAMPLES.format(prog=prog),
        formatter_class=_Help,
        add_help=False,
    )
    for title, members in GROUPS:
        group = parser.add_argument_group(title)
        for flag in members:
            _add(group, flag, _spellings(flag), about(flag))
            if not flag.metavar:
                _add_switch_opposite(group, flag)
            if flag.name == "action":
                group.add_argument(
                    "-l",
                    "--list",
                    dest="action",
                    action="store_const",
                    const="info",
                    default=argparse.SUPPRESS,
                    help="the same as --action info",
                )
    _add_answers(group)
    group.add_argument("--completion", action=PrintCompletion, const=lambda: build_parser(prog))
    group.add_argument("--version", action="version", version=f"{prog} {VERSION}", help="show the version and exit")
    by_name = {flag.name: flag for flag in flags()}
    for alias, name in ALIASES.items():
        shown = by_name[name].spelling
        _add(parser, by_name[name], [spelling(name if alias == shown else alias)], argparse.SUPPRESS)
    for flag in IGNORED:
        _add(parser, flag, _spellings(flag), argparse.SUPPRESS)
    return parser


def parse_command_line(arguments: Sequence[str]) -> dict[str, Any]:
    """What a command line gives, by the engine's names.

    Raises UsageError for what is not known. Values are never repeated there: they may be somebody's password.
    """
    parser = build_parser(called if (called := os.path.basename(sys.argv[0])) in NAMES else NAMES[0])
    given, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        raise UsageError(_about_unknown(unknown, list(arguments), parser))
    return {key: value for key, value in vars(given).items() if key != _SPELLINGS}


def _about_unknown(unknown: Sequence[str], arguments: Sequence[str], parser: argparse.ArgumentParser) -> str:
    names = [word.partition("=")[0] for word in unknown if word.startswith("-") and len(word) > 1]
    if not names:
        word, place = unknown[0], list(arguments).index(unknown[0])
        before = arguments[place - 1] if place else ""
        # Not the word itself: it may be somebody's password.
        named = f"The word after {before.partition('=')[0]}" if before.startswith("-") else f"Word {place + 1}"
        close = closest(word, (*ACTIONS, *OWN_ACTIONS))
        hint = f" Did you mean --action {close}?" if close else ""
        glued = f"--{before.rpartition('--')[2]}"
        if not before.startswith("-") and glued in parser._option_string_actions:
            hint = f" Is a space missing before {glued}?"
        return f"{named} belongs to no option, so nothing was done; see {parser.prog} --help.{hint}"
    known = [name for action in parser._actions for name in action.option_strings]
    return f"The option {names[0]} is not known to this release, so nothing was done.{did_you_mean(names[0], known)}"
