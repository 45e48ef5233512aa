# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command freezer-manage."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import ROLES
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.own_mappings import PLURALS
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.command_lines import (
    AnsweringParser,
    parse_arguments,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.completion import PrintCompletion
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.streams import (
    give_stdout_up,
    open_standard_streams,
    status_after_output,
    unwritten,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.version import VERSION

from .access.policy import PolicyError
from .access.strategy import AuthError
from .admin import copying as manage_copy
from .admin import database, policy
from .admin import users as manage_users
from .config.settings import DEFAULT_CONFIG_FILE, ConfigError, override, read_files
from .store.errors import StoreError

Command = Callable[[argparse.Namespace], int]

_COMMANDS: Mapping[tuple[str, str], Command] = {
    ("db", "sync"): database.sync,
    ("db", "update"): database.update,
    ("db", "remove"): database.remove,
    ("db", "show"): database.show,
    ("db", "update-settings"): database.update_settings,
    ("db", "prune"): database.prune,
    ("db", "rollback"): database.roll_back,
    ("db", "copy"): manage_copy.copy,
    ("policy", "list"): policy.show,
    ("user", "add"): manage_users.add,
    ("user", "passwd"): manage_users.passwd,
    ("user", "remove"): manage_users.remove,
    ("user", "list"): manage_users.show,
}
#: Commands that take the name of an account after their two words.
_WITH_NAME = (manage_users.add, manage_users.passwd, manage_users.remove)

_EPILOG = f"""\
commands:
  db sync       make the store, or bring it up to date
  db update     bring the store up to date, if there is one
  db remove     remove the store with all documents, after a question
  db show       show what is in the store
  db update-settings
                set the number of replicas of the Elasticsearch indices to that of the configuration file
  db prune      remove the indices that a copy to a new index has replaced, after a question
  db rollback   undo a copy to a new index that has not finished
  db copy       copy all documents of the store --from to the store --to, except those that are there already
  policy list   show who may do what, and which rules policy.yaml changes
  user add NAME make an account for http_basic, with --role and --project
  user passwd NAME
                give an account another password
  user remove NAME
                remove an account
  user list     show the accounts

Options can stand anywhere. Exit status: 0 done, or nothing to do; 65 something would change, with --test-only, or
db copy has rejected documents; 1 failed; 2 the command line is wrong. Without --config-file {DEFAULT_CONFIG_FILE} is read, if it is there.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    open_standard_streams()
    return status_after_output("freezer-manage", _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        parser = build_parser()
        flags = parse_arguments(parser, arguments, intermixed=True)
        command = _COMMANDS.get(tuple(flags.command[:2]))
        flags.arguments = flags.command[2:]
        if command is None or (flags.arguments and command not in _WITH_NAME):
            known = ", ".join(" ".join(words) for words in _COMMANDS)
            parser.error(f"say what to do: {known}")
        configuration = read_files(flags.config_file, flags.config_dir)
        override(configuration.options, "--store", flags.store, "connection", "database")
        override(configuration.options, "--htpasswd", flags.htpasswd, "http_basic_auth_user_file")
        flags.options, flags.files = configuration.options, configuration.files
        return command(flags)
    except (AuthError, ConfigError, HostError, PolicyError, StoreError) as error:
        print(f"freezer-manage: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader of the output has seen enough
        give_stdout_up()
    except OSError as error:
        # What has no name is standard output.
        give_stdout_up()
        about = unwritten(error) if error.filename is None else f"{error.filename}: {error.strerror}."
        print(f"freezer-manage: {about}", file=sys.stderr)
    except KeyboardInterrupt:
        print("freezer-manage: interrupted", file=sys.stderr)
    return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of freezer-manage."""
    parser = AnsweringParser(
        prog="freezer-manage",
        description="Administer the store and the accounts of freezer-api, and show its policies.",
        usage="freezer-manage COMMAND [options]",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command = parser.add_argument(
        "command", nargs="*", metavar="COMMAND", help="two words, and a name for some; see below"
    )
    command.words = sorted({word for words in _COMMANDS for word in words})  # type: ignore[attr-defined]
    parser.add_argument("--completion", action=PrintCompletion, const=build_parser)
    parser.add_argument(
        "--version", action="version", version=f"freezer-manage {VERSION}", help="show the version and exit"
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where documents are kept: sqlite:////absolute/path.db or elasticsearch+https://host1,host2/prefix",
    )
    parser.add_argument("--config-file", metavar="FILE", action="append", help="freezer-api.conf")
    parser.add_argument("--config-dir", metavar="FOLDER", action="append", help="a folder with more such files, *.conf")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "-e",
        "--erase",
        action="store_true",
        help="documents that do not fit a new mapping may be lost (db sync, update)",
    )
    parser.add_argument(
        "-m",
        "--mapping",
        metavar="KIND",
        action="append",
        type=_kind,
        help=f"only this kind of documents; can be repeated: {', '.join(sorted(PLURALS))} (Elasticsearch)",
    )
    parser.add_argument(
        "--test-only", action="store_true", help="change nothing; exit with 65 if something would change"
    )
    copying = parser.add_argument_group("db copy")
    copying.add_argument("--from", dest="source", metavar="URL", help="the store to copy from")
    copying.add_argument("--to", dest="target", metavar="URL", help="the store to copy to; that of the API without it")
    copying.add_argument(
        "--overwrite", action="store_true", help="replace documents that differ in the store that is copied to"
    )
    copying.add_argument(
        "--from-format",
        choices=("freezer.backup", "upstream"),
        help="upstream: --from is elasticsearch+http://host/index, the index of an old Freezer; detected without this option",
    )
    copying.add_argument(
        "--project-id", metavar="ID", help="the project of old documents that name none, as those of version 1 do"
    )
    copying.add_argument(
        "--report", metavar="FILE", help="a file for the documents that were rejected: a line of JSON for each"
    )
    users = parser.add_argument_group("user")
    users.add_argument(
        "--htpasswd", metavar="FILE", help="the password file; the one of the configuration file without it"
    )
    users.add_argument("--role", choices=ROLES, help="what the account may do; a node runs the jobs of one client")
    users.add_argument("--project", metavar="ID", help="the project in which it may do so; an admin may in all of them")
    users.add_argument(
        "--client", metavar="ID", help="the client of a node, PROJECT_NAME without it, as freezer-scheduler has it"
    )
    users.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, not from the terminal"
    )
    return parser


def _kind(word: str) -> str:
    """The kind of documents that a word names, in the singular or in the plural."""
    for kind, plural in PLURALS.items():
        if word in (kind, plural):
            return kind
    raise argparse.ArgumentTypeError(f"there is no kind {word!r}")


if __name__ == "__main__":
    sys.exit(main())
