# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The options of freezer-agent: one table of flags, each with the engine's own name of the option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


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
    #: A line for --help, which shows only options that have one; --help-all shows all of them, with what they are about.
    line: str = ""


GROUPS: Sequence[tuple[str, Sequence[Flag]]] = (
    (
        "what to do",
        (
            Flag(
                "action",
                "backup (the default), restore, verify, info, admin or exec",
                "ACTION",
                line="backup (the default), restore, verify, info, admin, exec",
            ),
            Flag("dry_run", "say what would be done, and do nothing", line="say what would be done, and do nothing"),
        ),
    ),
    (
        "which backup",
        (
            Flag(
                "backup_name",
                "the name that a backup is found by again",
                "NAME",
                "-N",
                line="the name that a backup is found by again",
            ),
            Flag("hostname", "the host that the backup is of (default: this one)", "HOST"),
            Flag(
                "storage",
                "where backups are kept: local or swift (the default where credentials of OpenStack are)",
                "KIND",
                line="where backups are kept: local or swift",
            ),
            Flag(
                "container",
                "for local the path of a folder, for swift a container's name (default: freezer_backups)",
                "PATH",
                "-C",
                line="local: the path of a folder; swift: a name",
            ),
            Flag("init", "use the container as it is now, also one that is gone, and make the folders above it"),
            Flag(
                "cloud",
                "for swift and clouds: one of clouds.yaml (default: OS_CLOUD, or OS_AUTH_URL and so on)",
                "NAME",
                line="swift and clouds: one of clouds.yaml",
            ),
            Flag("osrc", "for swift and clouds: an openrc file that says who asks", "FILE"),
        ),
    ),
    (
        "backup: what is read",
        (
            Flag(
                "path_to_backup",
                "the folder or the file to back up",
                "PATH",
                "-F",
                line="backup: the folder or the file to back up",
            ),
            Flag(
                "exclude",
                "leave out what matches this pattern; can be repeated",
                "PATTERN",
                repeated=True,
                line="backup: leave this out; can be repeated",
            ),
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
            Flag(
                "snapshot",
                "read a snapshot of the LVM volume that the path is on, which is removed afterwards",
                line="backup: read a snapshot of the LVM volume",
            ),
            Flag(
                "mode",
                "what the data belongs to: fs (the default), mysql, postgresql or mongodb; nova, cinder or cindernative "
                "mean the same as with --backup-media",
                "MODE",
                "-m",
                line="backup: fs, mysql, postgresql or mongodb",
            ),
            Flag("mysql_conf", "ini file with host, port, user, password or socket of the server", "FILE"),
            Flag("postgresql_conf", "the same, with database and os_user", "FILE"),
            Flag("mongodb_conf", "the same, with database", "FILE"),
            Flag("deadline_seconds", "release the database after this time, done or not (default: 60)", "SECONDS"),
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
            Flag(
                "max_level",
                "so many increments follow a full backup",
                "N",
                line="backup: so many increments follow a full one",
            ),
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
            Flag(
                "max_segment_size",
                "size of a segment in bytes, or with K, M or G; at least 64K (default: 64M)",
                "SIZE",
                "-M",
            ),
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
            Flag("restore_abs_path", "the folder to restore into", "PATH", line="restore: the folder to restore into"),
            Flag(
                "restore_from_date",
                "the newest backup that is not younger than this: 2026-11-22T08:30:00, 2026-11-22 (all of that day), "
                "yesterday 18:00, 3 days ago",
                "DATE",
                line="restore, verify: as it was then (yesterday 18:00)",
            ),
            Flag(
                "backup_id",
                "the backup with this id, or with the only one that begins so (4 digits or more)",
                "ID",
                line="restore, verify: its id, or the first 4 digits of it",
            ),
            Flag(
                "overwrite",
                "restore into a folder that is not empty: what is not in the backup stays",
                line="restore: also into a folder that is not empty",
            ),
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
            Flag(
                "remove_older_than",
                "those that are not older than so many days",
                "DAYS",
                "-R",
                line="admin: keep what is not older than this",
            ),
            Flag("remove_before_date", "those that began after this date", "DATE"),
            Flag(
                "keep_last",
                "the newest ones, so many; 0 is no rule, here and below",
                "N",
                line="admin: keep so many of the newest ones",
            ),
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
            Flag(
                "config",
                "take options from an ini file; the command line wins over it",
                "FILE",
                line="take options from an ini file",
            ),
            Flag("stdin", "take options from a JSON object on standard input; it wins over the file"),
            Flag("allow_exec", "run the command of an exec also if it came on standard input"),
            Flag("metadata_out", "write the metadata of a backup, or the result of another action, as JSON", "FILE|-"),
            Flag("result_fd", "write the whole result, also of a failure, as JSON to this descriptor", "N"),
            Flag("progress_fd", "write how far it is, as JSON in one place, to this descriptor of a file", "N"),
            Flag("log_file", "append what happens to this file", "FILE"),
            Flag("quiet", "show errors only", "", "-q", line="show errors only"),
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


def flags() -> Iterator[Flag]:
    """Every flag that the help shows."""
    for _title, group in GROUPS:
        yield from group
