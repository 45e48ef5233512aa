# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command line of freezer-agent: one table of flags, each with the engine's own name of the option.

Values stay text here; the engine says what they have to be, so that a flag, a line of a configuration file and a key of
a document are checked by the same code.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.action import ACTIONS
from ansible_collections.freezer.backup.plugins.module_utils._engine.options import ALIASES
from ansible_collections.freezer.backup.plugins.module_utils._engine.version import VERSION

from .errors import UsageError


@dataclass(frozen=True)
class Flag:
    """One option: the engine's name of it, what it is, and what its value is called (nothing for a switch)."""

    key: str
    about: str
    value: str = ""
    short: str = ""
    repeated: bool = False
    #: The spelling that upstream's command line has, where it is not the key's.
    name: str = ""


GROUPS: Sequence[tuple[str, Sequence[Flag]]] = (
    (
        "what to do",
        (
            Flag("action", "backup (the default), restore, verify, info, admin or exec", "ACTION"),
            Flag("dry_run", "say what would be done, and do nothing"),
        ),
    ),
    (
        "which backup",
        (
            Flag("backup_name", "the name that a backup is found by again", "NAME", "-N"),
            Flag("hostname", "the host that the backup is of (default: this one)", "HOST"),
            Flag(
                "storage",
                "where backups are kept: local or swift (the default where credentials of OpenStack are)",
                "KIND",
            ),
            Flag(
                "container",
                "for local the path of a folder, for swift a container's name (default: freezer_backups)",
                "PATH",
                "-C",
            ),
            Flag("init", "use the container as it is now, also one that is gone, and make the folders above it"),
            Flag(
                "cloud",
                "for swift and clouds: one of clouds.yaml (default: OS_CLOUD, or OS_AUTH_URL and so on)",
                "NAME",
            ),
            Flag("osrc", "for swift and clouds: an openrc file that says who asks", "FILE"),
        ),
    ),
    (
        "backup: what is read",
        (
            Flag("path_to_backup", "the folder or the file to back up", "PATH", "-F"),
            Flag("exclude", "leave out what matches this pattern; can be repeated", "PATTERN", repeated=True),
            Flag(
                "dereference_symlink",
                "none, soft, hard or all: store what links lead to in place of links (default: none)",
                "WHICH",
            ),
            Flag("one_file_system", "leave out what is mounted below the path (with a snapshot it always is)"),
        ),
    ),
    (
        "servers and volumes of a cloud, in place of files (cloud or osrc says who asks)",
        (
            Flag("nova_inst_id", "the server with this id: its image is kept in Swift", "ID"),
            Flag("nova_inst_name", "the same by its name", "NAME"),
            Flag("cinder_vol_id", "the volume with this id: an image of it is kept in Swift", "ID"),
            Flag("cinder_vol_name", "the same by its name", "NAME"),
            Flag("cindernative_vol_id", "the volume with this id: Cinder keeps its own backup of it", "ID"),
            Flag("cindernative_backup_container", "where Cinder puts it (default: Cinder's own container)", "NAME"),
            Flag("cindernative_backup_id", "restore and verify: the backup of Cinder with this id", "ID"),
            Flag("backup_media", "fs, nova, cinder or cindernative; follows from the options above", "MEDIUM"),
            Flag("nova_restore_network", "restore: the network of the new server (default: those it had)", "ID"),
            Flag("restore_as", "restore: the name of the new server or volume (default: NAME~TIMESTAMP)", "NAME"),
            Flag(
                "cloud_timeout_seconds", "wait so long for each thing that the cloud does (default: 21600)", "SECONDS"
            ),
        ),
    ),
    (
        "backup: what is held still",
        (
            Flag("snapshot", "read a snapshot of the LVM volume that the path is on, which is removed afterwards"),
            Flag(
                "mode",
                "what the data belongs to: fs (the default), mysql, postgresql or mongodb; nova, cinder or cindernative "
                "mean the same as with --backup-media",
                "MODE",
                "-m",
            ),
            Flag("mysql_conf", "ini file with host, port, user, password or socket of the server", "FILE"),
            Flag("postgresql_conf", "the same, with database and os_user", "FILE"),
            Flag("mongodb_conf", "the same, with database", "FILE"),
            Flag("deadline_seconds", "let go of the database after this time, done or not (default: 60)", "SECONDS"),
            Flag("lvm_snapsize", "of a classic snapshot, such as 2G or 20%%ORIGIN (default: 1G)", "SIZE"),
            Flag("lvm_snapname", "name of the snapshot (default: freezer_backup_snap_ and a code)", "NAME"),
            Flag("lvm_snapperm", "ro (the default) or rw: whether it can be written to", "PERM", name="lvm_snap_perm"),
            Flag("lvm_dirmount", "where it is mounted (default: below /run/freezer-backup)", "PATH"),
            Flag("lvm_srcvol", "the volume; without it the one that the path is on", "VOLUME"),
            Flag("lvm_volgroup", "the group of the volume", "GROUP"),
            Flag("lvm_auto_snap", "the same as --snapshot, for the volume of this path", "PATH"),
        ),
    ),
    (
        "backup: full or incremental",
        (
            Flag("max_level", "so many increments follow a full backup", "N"),
            Flag("always_level", "once this level is reached, take it again every time", "N"),
            Flag("restart_always_level", "begin with a full backup again after so many days", "DAYS"),
            Flag("no_incremental", "take a full backup, whatever the levels say"),
            Flag(
                "min_age",
                "do nothing while the newest backup is younger than this; admin: leave what killed runs have left while it "
                "is younger",
                "SECONDS",
            ),
        ),
    ),
    (
        "backup: how it is stored",
        (
            Flag("compression", "zstd, gzip or none (default: zstd where this host has it, else gzip)", "CODEC"),
            Flag("compression_level", "of zstd 1 to 19 (default: 3), of gzip 1 to 9 (default: 6)", "N"),
            Flag("max_segment_size", "size of a segment in bytes, or with K, M or G (default: 64M)", "SIZE", "-M"),
            Flag(
                "engine_name",
                "what reads and writes: tar (the default), or nova for servers",
                "ENGINE",
                "-e",
                name="engine",
            ),
        ),
    ),
    (
        "restore and verify",
        (
            Flag("restore_abs_path", "the folder to restore into", "PATH"),
            Flag(
                "restore_from_date",
                "the newest backup that is not younger than this: 2026-11-22T08:30:00, 2026-11-22 (all of that day), "
                "yesterday 18:00, 3 days ago",
                "DATE",
            ),
            Flag("backup_id", "the backup with this id, or with the only one that begins so", "ID"),
            Flag("overwrite", "restore into a folder that is not empty: what is not in the backup stays"),
            Flag(
                "check",
                "how verify looks: segments (hashes), stream (also unpacked and read by tar; the default) or restore "
                "(also restored into a scratch folder)",
                "HOW",
            ),
            Flag(
                "compare_to",
                "verify: restore into a scratch folder and compare it with this folder; of volumes: the volume to compare with",
                "PATH",
            ),
        ),
    ),
    (
        "admin: which backups stay (what they are built on stays too, and the newest one)",
        (
            Flag("remove_older_than", "those that are not older than so many days", "DAYS", "-R"),
            Flag("remove_before_date", "those that began after this date", "DATE"),
            Flag("keep_last", "the newest ones, so many", "N"),
            Flag("keep_daily", "the newest one of each of so many days that have any", "N"),
            Flag("keep_weekly", "the newest one of each of so many weeks", "N"),
            Flag("keep_monthly", "the newest one of each of so many months", "N"),
            Flag("keep_yearly", "the newest one of each of so many years", "N"),
        ),
    ),
    (
        "exec",
        (
            Flag("command", "the command to run, in words as a shell tells them apart; no shell sees them", "WORDS"),
            Flag("script", "in place of a command: the path of a file that can be executed", "PATH"),
            Flag("arguments", "an argument of the script; can be repeated", "WORD", repeated=True),
        ),
    ),
    (
        "how it is done",
        (
            Flag("max_priority", "the highest priority for processors, and that of real time for disks"),
            Flag("sync", "backup: write out what the file systems of this host have in memory before it begins"),
            Flag("proxy", "for swift and clouds: ask through this proxy, as http://proxy.example.org:3128", "URL"),
            Flag("insecure", "for swift and clouds: do not verify certificates"),
            Flag("timeout", "for swift and clouds: how long an answer may take (default: 30)", "SECONDS"),
        ),
    ),
    (
        "configuration and output",
        (
            Flag("config", "take options from an ini file; the command line wins over it", "FILE"),
            Flag("stdin", "take options from a JSON object on standard input; it wins over the file"),
            Flag("allow_exec", "run the command of an exec also if it came on standard input"),
            Flag("metadata_out", "write the metadata of a backup, or the result of another action, as JSON", "FILE|-"),
            Flag("result_fd", "write the whole result, also of a failure, as JSON to this descriptor", "N"),
            Flag("progress_fd", "write how far it is, as JSON in one place, to this descriptor of a file", "N"),
            Flag("log_file", "append what happens to this file", "FILE"),
            Flag("quiet", "show errors only", "", "-q"),
            Flag("debug", "show where in the program an unexpected error came from"),
        ),
    ),
)

#: Options of upstream's agent that change nothing here: scripts that give them go on working.
IGNORED_VALUES = ("client_id", "hostname_restore", "job_id", "os_identity_api_version")

#: Keys that are freezer-agent's own; all others are the engine's. The second set says where to read and to answer, so
#: it can be given on the command line only.
OWN_KEYS = frozenset({"action", "debug", "log_file", "metadata_out", "quiet"})
COMMAND_LINE_KEYS = frozenset({"allow_exec", "config", "progress_fd", "result_fd", "stdin"})

_EXAMPLES = """
examples:
  freezer-agent --action backup -F /etc --storage local -C /srv/backups -N etc --max-level 6
  freezer-agent --action info --storage local -C /srv/backups
  freezer-agent --action restore --storage local -C /srv/backups -N etc --restore-abs-path /tmp/etc
  freezer-agent --action admin --storage local -C /srv/backups -N etc --remove-older-than 14 --keep-weekly 8
  freezer-agent --action backup --nova-inst-id 3ad7a62f-217a-48cd-a861-43ec0a04a78b --storage swift -C backups
  freezer-agent --config nightly.ini --quiet

exit status:
  0 done    1 failed    2 cannot be done as it was asked for    3 done in part: something could not be read or stored
  128 + N: ended by signal N
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}; see freezer-agent --help.")


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=min(shutil.get_terminal_size().columns - 2, 118))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # What the value is called once, after all spellings.
        names = ", ".join(action.option_strings)
        return f"{names} {action.metavar}" if action.metavar else names


def _spelling(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _opposite(key: str) -> str:
    return key.removeprefix("no_") if key.startswith("no_") else f"no_{key}"


def _add(group: Any, flag: Flag, names: Sequence[str], about: str) -> None:
    common: dict[str, Any] = {"dest": flag.key, "default": argparse.SUPPRESS, "help": about}
    if flag.value:
        group.add_argument(*names, action="append" if flag.repeated else "store", metavar=flag.value, **common)
    else:
        group.add_argument(*names, action="store_const", const=True, **common)


def _add_switch_opposite(group: Any, flag: Flag) -> None:
    """The way back from a switch, so that a command line can take back what a file turns on."""
    group.add_argument(
        _spelling(_opposite(flag.key)),
        dest=flag.key,
        action="store_const",
        const=False,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )


def flags() -> Iterator[Flag]:
    """Every flag that the help shows."""
    for _title, group in GROUPS:
        yield from group


def build_parser() -> argparse.ArgumentParser:
    """The parser. What is not given has no attribute; values are text or lists of texts, switches are booleans."""
    parser = _Parser(
        prog="freezer-agent",
        usage="freezer-agent [--action ACTION] [OPTIONS]",
        description="Backs up a folder, a server or a volume, restores it, proves that a backup restores, lists what there is, removes what is old.",
        epilog=_EXAMPLES,
        formatter_class=_Help,
        add_help=False,
    )
    for title, members in GROUPS:
        group = parser.add_argument_group(title)
        for flag in members:
            names = [flag.short] if flag.short else []
            _add(group, flag, [*names, _spelling(flag.name or flag.key)], flag.about)
            if not flag.value:
                _add_switch_opposite(group, flag)
            if flag.key == "action":
                group.add_argument(
                    "-l",
                    "--list",
                    dest="action",
                    action="store_const",
                    const="info",
                    default=argparse.SUPPRESS,
                    help="the same as --action info",
                )
    group.add_argument("-h", "--help", action="help", help="show this help and exit")
    group.add_argument(
        "--version", action="version", version=f"freezer-agent {VERSION}", help="show the version and exit"
    )
    by_key = {flag.key: flag for flag in flags()}
    for alias, key in ALIASES.items():
        shown = by_key[key].name
        _add(parser, by_key[key], [_spelling(key if alias == shown else alias)], argparse.SUPPRESS)
    for key in IGNORED_VALUES:
        _add(parser, Flag(key, "", "VALUE"), [_spelling(key)], argparse.SUPPRESS)
    return parser


def parse_command_line(arguments: Sequence[str]) -> dict[str, Any]:
    """What a command line gives, by the engine's names.

    Raises UsageError for what is not known. Values are never repeated there: they may be somebody's password.
    """
    parser = build_parser()
    given, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        raise UsageError(_about_unknown(unknown, list(arguments), parser))
    return vars(given)


def _about_unknown(unknown: Sequence[str], arguments: Sequence[str], parser: argparse.ArgumentParser) -> str:
    names = [word.partition("=")[0] for word in unknown if word.startswith("-") and len(word) > 1]
    if not names:
        word, place = unknown[0], list(arguments).index(unknown[0])
        before = arguments[place - 1] if place else ""
        # Not the word itself: it may be somebody's password.
        named = f"The word after {before.partition('=')[0]}" if before.startswith("-") else f"Word {place + 1}"
        hint = f" Did you mean --action {word}?" if word in ACTIONS else ""
        return f"{named} belongs to no option, so nothing was done; see freezer-agent --help.{hint}"
    known = [name for action in parser._actions for name in action.option_strings]
    close = difflib.get_close_matches(names[0], known, n=1, cutoff=0.8)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"The option {names[0]} is not known to this release, so nothing was done.{hint}"
