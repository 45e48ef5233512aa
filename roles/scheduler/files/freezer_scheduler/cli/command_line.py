# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command line of freezer-scheduler: verbs for the daemon, and for each kind of document."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.command_lines import (
    AnsweringParser,
    parse_arguments,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.completion import SHELLS
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.meant import did_you_mean
from ansible_collections.freezer.backup.plugins.module_utils._engine.version import VERSION

KINDS = ("job", "session", "action", "client", "backup")
FORMATS = ("table", "json", "yaml", "value")
WATCH_SECONDS = 2.0


class UsageError(FreezerError):
    """The command line cannot be used."""


class _Parser(AnsweringParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        verbs = list(action.choices or ())
        if isinstance(action, argparse._SubParsersAction) and value not in verbs:
            # The list of all verbs would fill the screen.
            hint = did_you_mean(str(value), verbs)
            raise UsageError(f"There is no verb {value}.{hint} See {self.prog} --help.")
        super()._check_value(action, value)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The parsed arguments: ``verb`` and its options. Raises UsageError."""
    return parse_arguments(build_parser(), arguments)


def build_parser() -> argparse.ArgumentParser:
    """The parser. Options of the program may be before and after the verb."""
    parser = _Parser(
        prog="freezer-scheduler",
        description="Runs the jobs of this host when they are due, and manages the documents of a Freezer API.",
        epilog="The API is named in the configuration file, or in the environment as for OpenStack's clients (OS_...).",
    )
    parser.add_argument(
        "--version", action="version", version=f"freezer-scheduler {VERSION}", help="show the version and exit"
    )
    _add_common(parser, is_first=True)
    after = _Parser(add_help=False)
    _add_common(after, is_first=False)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)

    def verb(name: str, about: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=about, description=f"{about[:1].upper()}{about[1:]}.", parents=[after])

    verb("start", "run the scheduler")
    verb("stop", "end the scheduler; running agents go on")
    verb("restart", "end the scheduler and run it again")
    verb("status", "show whether the scheduler runs, and what it does; exit status 3 if it does not run")
    verb("reload", "let the scheduler read its configuration and its jobs again")
    for kind in KINDS:
        _add_kind(verb, kind)
    for event, about in (("start", "run the job, or put it back into its schedule"),
                         ("stop", "take the job out of its schedule; a run goes on to its end"),
                         ("abort", "end the current run within ten seconds; the schedule goes on")):  # fmt: skip
        _add_id(verb(f"job-{event}", about), "job")
    for name, about in (("add", "put a job into a session"), ("remove", "take a job out of a session")):
        command = verb(f"session-{name}-job", about)
        _add_session_job(command)
    for name, about in (("start", "start a job in a round of its session"), ("end", "end a job in its session")):
        command = verb(f"session-{name}", about)
        _add_session_job(command)
        command.add_argument("-t", "--tag", type=int, help="the round that the job knows (default: its session_tag)")
        if name == "end":
            command.add_argument(
                "-r", "--result", choices=("success", "fail", "aborted"), required=True, help="how the job ended"
            )
    completion = verb("completion", "print the completion of this command for a shell")
    completion.add_argument("shell", choices=SHELLS, help="the shell")
    return parser


def _add_kind(verb: Callable[[str, str], argparse.ArgumentParser], kind: str) -> None:
    plural = f"{kind}s"
    listing = verb(f"{kind}-list", f"list {plural}")
    listing.add_argument("--limit", type=int, metavar="N", help="the most to show")
    listing.add_argument("-s", "--search", metavar="WORD", help="only those with this word in any value")
    if kind == "job":
        listing.add_argument("-a", "--all-clients", action="store_true", help="the jobs of all clients, also with -c")
        listing.add_argument(
            "-w",
            "--watch",
            nargs="?",
            type=float,
            const=WATCH_SECONDS,
            metavar="SECONDS",
            help="show the list repeatedly (every 2 seconds)",
        )
    _add_id(verb(f"{kind}-get", f"show {_one(kind)}"), kind)
    create = verb(f"{kind}-create", f"store {_one(kind)}")
    create.add_argument("--file", required=True, metavar="FILE", help="the document, JSON or YAML; - is standard input")
    update = verb(f"{kind}-update", f"change the keys of {_one(kind)} that a file names")
    _add_id(update, kind)
    update.add_argument("--file", required=True, metavar="FILE", help="the keys, JSON or YAML; - is standard input")
    if kind == "job":
        create.epilog = "FILE can be a folder: all job files in it are stored, as with job-upload."
        uploading = verb("job-upload", "store the job files of a folder, or change the jobs that were stored from them")
        uploading.add_argument(
            "folder", nargs="?", metavar="FOLDER", help="the folder (default: that of -f, or jobs_dir)"
        )
    _add_id(verb(f"{kind}-delete", f"delete {_one(kind)}"), kind)


def _one(kind: str) -> str:
    return f"an {kind}" if kind == "action" else f"a {kind}"


def _add_id(parser: argparse.ArgumentParser, kind: str) -> None:
    names = {"job": ("-j", "--job", "--job-id"), "session": ("-s", "--session", "--session-id"),
             "action": ("-a", "--action", "--action-id"), "client": ("--client",),
             "backup": ("-b", "--backup", "--backup-id")}  # fmt: skip
    parser.add_argument("id", nargs="?", help=f"the id of the {kind}")
    parser.add_argument(*names[kind], dest="named_id", metavar="ID", help="the same, as an option")


def _add_session_job(parser: argparse.ArgumentParser) -> None:
    _add_id(parser, "session")
    parser.add_argument("plain_job_id", nargs="?", metavar="job", help="the id of the job")
    parser.add_argument("-j", "--job", "--job-id", dest="job_id", metavar="ID", help="the same, as an option")


def _add_common(parser: argparse.ArgumentParser, is_first: bool) -> None:
    """Options of all verbs. After the verb an absent option must not override one before it."""
    unset = None if is_first else argparse.SUPPRESS

    def add(*names: str, **options: object) -> None:
        parser.add_argument(*names, default=unset, **options)  # type: ignore[arg-type]

    add("-c", "--client-id", metavar="CLIENT", help="the client of the jobs (default: project_host)")
    add("-i", "--interval", type=float, metavar="SECONDS", help="the time between two polls of the API (60)")
    add(
        "-f",
        "--jobs-dir",
        metavar="FOLDER",
        help="the folder of job files: run them with --no-api, else store them at the API when the scheduler starts",
    )
    add(
        "--config-file",
        action="append",
        metavar="FILE",
        help="freezer-scheduler.conf (/etc/freezer/freezer-scheduler.conf)",
    )
    add("--config-dir", action="append", metavar="FOLDER", help="a folder with more such files, *.conf")
    add("--state-dir", metavar="FOLDER", help="the folder for the scheduler's state")
    add("-n", "--no-api", action="store_const", const=True, help="use no API: run the jobs of the folder")
    add("--no-daemon", action="store_const", const=True, help="stay in the foreground")
    add(
        "--disable-exec",
        action="store_const",
        const=True,
        help="run no exec actions, also if the configuration file allows them",
    )
    add("--concurrent-jobs", type=int, metavar="N", help="how many jobs run at once (1)")
    add("--format", choices=FORMATS, help="how lists and documents are shown (table)")
    add("--show-secrets", action="store_const", const=True, help="show passwords in documents")
    add("--debug", action="store_const", const=True, help="log more")
