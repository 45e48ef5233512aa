# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The table of options: each key of a freezer_action once, with all that is known about it.

The parser of actions, the defaults, the other spellings, what goes with which medium, the JSON schema, the flags of
freezer-agent and its manual are made from it. A new option is a row here, its field in ``Options``, and its use.

Keys, spellings and defaults are upstream's (freezer-agent 19, and the README of freezer-api for the older ones).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..documents.action import ACTIONS
from ..quiesce.base import DEFAULT_DEADLINE_SECONDS
from ..repository.compressions import COMPRESSIONS, LEVELS
from . import values

FILES = "fs"
#: What is copied in place of files, through the interface of a cloud.
CLOUDS = ("nova", "cinder", "cindernative")
ALL_MEDIA = (FILES, *CLOUDS)

#: The container of Freezer's agents. The prefix `freezer_` is no part of a name that is given: that one is taken as it is.
DEFAULT_CONTAINER = "freezer_backups"
DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024

_BACKUP, _FIND = ("backup",), ("restore", "verify")
_RESTORE, _VERIFY, _ADMIN, _EXEC = ("restore",), ("verify",), ("admin",), ("exec",)
#: All that have to do with backups.
_EACH = ("backup", "restore", "verify", "info", "admin")
_WORK = ("backup", "restore", "verify", "admin")


@dataclass(frozen=True)
class Row:
    """One option."""

    name: str
    #: What its value can be. None for what the engine passes over: it is the program's that runs it, or without effect.
    parser: values.Parser | None
    #: What its value is called in the help, which tells the unit too; empty for a switch.
    metavar: str = ""
    #: What it is about, for --help-all and the manual; ``{default}`` stands for its default. Empty for what they do not show.
    text: str = ""
    #: A line for --help, which shows only options that have one.
    line: str = ""
    #: What it is where it is not given; None where that depends on other things.
    default: Any = None
    #: The flag of one letter, and the spelling of the long one where it is not the key's.
    short: str = ""
    spelling: str = ""
    repeated: bool = False
    #: Older and hyphenless spellings that documents in the wild carry.
    aliases: Sequence[str] = ()
    #: Which actions take it, and for which media.
    verbs: Sequence[str] = ACTIONS
    media: Sequence[str] = ALL_MEDIA
    #: The medium whose thing its value names.
    names: str = ""
    #: Whether a document that comes from outside may have it. What may not names a file which the program reads or writes
    #: for itself, or says how it behaves.
    of_node: bool = False
    #: Whether the command of a backup's record has it; what others say already, or no command line can say, it has not.
    is_repeated_by_record: bool = True
    #: Whether its value is the path of a file or a folder of the host.
    is_path: bool = False

    @property
    def about(self) -> str:
        """The text, with the default in it."""
        return self.text.replace("{default}", _shown(self))

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that its value can be; none if it is not one of a few."""
        return self.parser.choices if isinstance(self.parser, values.Choice) else ()


def _shown(row: Row) -> str:
    if row.parser is values.size:
        return f"{row.default // 1024**2}M"
    return f"{row.default:.0f}" if isinstance(row.default, float) else str(row.default)


def _levels_of(compression: str) -> str:
    best, usual = LEVELS[compression]
    return f"of {compression} 1 to {best} (default: {usual})"


#: The options by groups, as the help shows them. Those of the last group have no flags.
GROUPS: Mapping[str, Sequence[Row]] = {
    "what to do": (
        Row("action", None, "ACTION", "backup (the default), restore, verify, info, admin or exec",
            line="backup (the default), restore, verify, info, admin, exec"),
        Row("dry_run", values.switch, "", "say what would be done, and do nothing",
            line="say what would be done, and do nothing", default=False, is_repeated_by_record=False),
    ),
    "which backup": (
        Row("backup_name", values.text, "NAME", "the name that a backup is found by again", short="-N", verbs=_EACH,
            line="the name that a backup is found by again"),
        Row("hostname", values.text, "HOST", "the host that the backup is of (default: this one)", verbs=_EACH,
            aliases=("restore_from_host",)),
        Row("storage", values.Choice("local", "swift"), "KIND",
            "where backups are kept: local or swift (the default where credentials of OpenStack are)",
            line="where backups are kept: local or swift", verbs=_EACH, is_repeated_by_record=False),
        Row("container", values.text, "PATH",
            f"for local the path of a folder, for swift a container's name (default: {DEFAULT_CONTAINER})", short="-C",
            line="local: the path of a folder; swift: a name", verbs=_EACH, is_repeated_by_record=False),
        Row("init", values.switch, "", "use the container as it is now, also one that is gone, and make the folders above it",
            default=False, verbs=_EACH),
        Row("cloud", values.text, "NAME",
            "for swift and clouds: one of clouds.yaml (default: OS_CLOUD, or OS_AUTH_URL and so on)",
            line="swift and clouds: one of clouds.yaml", verbs=_EACH),
        Row("osrc", values.text, "FILE", "for swift and clouds: an openrc file that says who asks", verbs=_EACH, is_path=True),
    ),
    "backup: what is read": (
        Row("path_to_backup", values.text, "PATH", "the folder or the file to back up", short="-F",
            line="backup: the folder or the file to back up", aliases=("src_file", "file_to_backup"), verbs=_BACKUP,
            media=(FILES,), is_path=True),
        Row("exclude", values.texts, "PATTERN", "leave out what matches this pattern; can be repeated", repeated=True,
            line="backup: leave this out; can be repeated", default=(), verbs=_BACKUP, media=(FILES,)),
        Row("dereference_symlink", values.Choice("none", "soft", "hard", "all"), "WHICH",
            "none, soft, hard or all: store what links lead to in place of links (default: none)", verbs=_BACKUP,
            media=(FILES,)),
        Row("one_file_system", values.switch, "",
            "leave out what is mounted below the path (with a snapshot it always is)", verbs=_BACKUP),
    ),
    "servers and volumes of a cloud, in place of files (cloud or osrc says who asks)": (
        Row("nova_inst_id", values.text, "ID", "the server with this id: its image is kept in Swift", names="nova",
            verbs=_EACH, media=("nova",)),
        Row("nova_inst_name", values.text, "NAME", "the same by its name", names="nova", verbs=_EACH, media=("nova",)),
        Row("cinder_vol_id", values.text, "ID", "the volume with this id: an image of it is kept in Swift", names="cinder",
            aliases=("cinder_inst_id",), verbs=_EACH, media=("cinder",)),
        Row("cinder_vol_name", values.text, "NAME", "the same by its name", names="cinder", verbs=_EACH, media=("cinder",)),
        Row("cindernative_vol_id", values.text, "ID", "the volume with this id: Cinder keeps its own backup of it",
            names="cindernative", verbs=_EACH, media=("cindernative",)),
        Row("cindernative_backup_container", values.text, "NAME", "where Cinder puts it (default: Cinder's own container)",
            verbs=_BACKUP, media=CLOUDS),
        Row("cindernative_backup_id", values.text, "ID", "restore and verify: the backup of Cinder with this id", verbs=_FIND,
            media=CLOUDS),
        Row("backup_media", values.Choice(*ALL_MEDIA), "MEDIUM",
            "{default}, nova, cinder or cindernative; follows from the options above", default=FILES, verbs=_EACH,
            is_repeated_by_record=False),
        Row("nova_restore_network", values.text, "ID", "restore: the network of the new server (default: those it had)",
            verbs=_RESTORE, media=CLOUDS),
        Row("restore_as", values.text, "NAME", "restore: the name of the new server or volume (default: NAME~TIMESTAMP)",
            verbs=_RESTORE, media=CLOUDS),
        # Images of large volumes take their time.
        Row("cloud_timeout_seconds", values.number, "SECONDS",
            "wait so long for each thing that the cloud does (default: {default})", default=21600.0, verbs=_WORK),
    ),
    "backup: what is held still": (
        Row("snapshot", values.snapshot, "",
            "read a snapshot of the LVM volume that the path is on, which is removed afterwards",
            line="backup: read a snapshot of the LVM volume", default="", verbs=_BACKUP, media=(FILES,)),
        Row("mode", values.Mode("fs", "mysql", "postgresql", "mongodb", "mongo", *CLOUDS), "MODE",
            "what the data belongs to: {default} (the default), mysql, postgresql or mongodb; nova, cinder or cindernative "
            "mean the same as with --backup-media", short="-m", line="backup: fs, mysql, postgresql or mongodb",
            default="fs", verbs=_EACH),
        Row("mysql_conf", values.text, "FILE", "ini file with host, port, user, password or socket of the server",
            verbs=_BACKUP, is_path=True),
        Row("postgresql_conf", values.text, "FILE", "the same, with database and os_user", verbs=_BACKUP, is_path=True),
        Row("mongodb_conf", values.text, "FILE", "the same, with database", verbs=_BACKUP, is_path=True),
        Row("deadline_seconds", values.number, "SECONDS",
            "release the database after this time, done or not (default: {default})", default=DEFAULT_DEADLINE_SECONDS,
            verbs=_BACKUP),
        Row("lvm_snapsize", values.text, "SIZE", "of a classic snapshot, such as 2G or 20%%ORIGIN (default: 1G)",
            verbs=_BACKUP, media=(FILES,)),
        Row("lvm_snapname", values.text, "NAME", "name of the snapshot (default: freezer_backup_snap_ and a code)",
            verbs=_BACKUP, media=(FILES,)),
        Row("lvm_snapperm", values.Choice("ro", "rw"), "PERM",
            "{default} (the default) or rw: whether it can be written to", spelling="lvm_snap_perm",
            aliases=("lvm_snap_perm",), default="ro", verbs=_BACKUP),
        Row("lvm_dirmount", values.text, "PATH", "where it is mounted (default: below /run/freezer-backup)", verbs=_BACKUP,
            media=(FILES,), is_path=True),
        Row("lvm_srcvol", values.text, "VOLUME", "the volume; without it the one that the path is on", verbs=_BACKUP,
            media=(FILES,)),
        Row("lvm_volgroup", values.text, "GROUP", "the group of the volume", verbs=_BACKUP, media=(FILES,)),
        Row("lvm_auto_snap", values.auto_snap, "PATH", "the same as --snapshot, for the volume of this path", verbs=_BACKUP,
            media=(FILES,)),
    ),
    "backup: full or incremental": (
        Row("max_level", values.whole, "N", "so many increments follow a full backup",
            line="backup: so many increments follow a full one", aliases=("max_backup_level",), verbs=_BACKUP,
            media=(FILES, "cindernative")),
        Row("always_level", values.whole, "N", "once this level is reached, take it again every time",
            aliases=("always_backup_level",), verbs=_BACKUP, media=(FILES,)),
        Row("restart_always_level", values.number, "DAYS", "begin with a full backup again after so many days",
            aliases=("restart_always_backup",), verbs=_BACKUP, media=(FILES, "cindernative")),
        Row("no_incremental", values.switch, "", "take a full backup, whatever the levels say", default=False, verbs=_BACKUP),
        Row("min_age", values.number, "SECONDS",
            "do nothing while the newest backup is younger than this; admin: leave what killed runs have left while it "
            "is younger", verbs=(*_BACKUP, *_ADMIN)),
    ),
    "backup: how it is stored": (
        Row("compression", values.Choice(*COMPRESSIONS), "CODEC",
            "zstd, gzip or none (default: zstd where this host has it, else gzip)", verbs=_BACKUP, media=(FILES,)),
        Row("compression_level", values.whole, "N", ", ".join(map(_levels_of, LEVELS)), verbs=_BACKUP, media=(FILES,)),
        Row("max_segment_size", values.size, "SIZE",
            f"size of a segment in bytes, or with K, M or G; at least {values.LEAST_SEGMENT_BYTES // 1024}K (default: {{default}})",
            short="-M", aliases=("max_seg_size",), default=DEFAULT_SEGMENT_BYTES, verbs=_BACKUP),
        Row("engine_name", values.Choice("tar", "nova"), "ENGINE",
            "what reads and writes: {default} (the default), or nova for servers", short="-e", spelling="engine",
            aliases=("engine",), default="tar", verbs=_EACH),
    ),
    "restore and verify": (
        Row("restore_abs_path", values.text, "PATH", "the folder to restore into", line="restore: the folder to restore into",
            verbs=_RESTORE, media=(FILES,), is_path=True),
        Row("restore_from_date", values.end_of, "DATE",
            "the newest backup that is not younger than this: 2026-11-22T08:30:00, 2026-11-22 (all of that day), "
            "yesterday 18:00, 3 days ago", line="restore, verify: as it was then (yesterday 18:00)", verbs=_FIND),
        Row("backup_id", values.text, "ID",
            "the backup with this id, or with the only one that begins so (4 digits or more)",
            line="restore, verify: its id, or the first 4 digits of it", verbs=_FIND),
        Row("overwrite", values.switch, "", "restore into a folder that is not empty: what is not in the backup stays",
            line="restore: also into a folder that is not empty", default=False, verbs=_RESTORE),
        Row("check", values.Choice("segments", "stream", "restore"), "HOW",
            "how verify looks: segments (hashes), {default} (also unpacked and read by tar; the default) or restore "
            "(also restored into a scratch folder)", default="stream", verbs=_VERIFY),
        Row("compare_to", values.text, "PATH",
            "verify: restore into a scratch folder and compare it with this folder; of volumes: the volume to compare with",
            verbs=_VERIFY),
    ),
    "admin: which backups stay (what they are built on stays too, and the newest one)": (
        Row("remove_older_than", values.number, "DAYS", "those that are not older than so many days", short="-R",
            line="admin: keep what is not older than this", aliases=("remove_older_then",), verbs=_ADMIN),
        Row("remove_before_date", values.moment, "DATE", "those that began after this date", aliases=("remove_from_date",),
            verbs=_ADMIN),
        Row("keep_last", values.whole, "N", "the newest ones, so many; 0 is no rule, here and below",
            line="admin: keep so many of the newest ones", verbs=_ADMIN),
        Row("keep_daily", values.whole, "N", "the newest one of each of so many days that have any", verbs=_ADMIN),
        Row("keep_weekly", values.whole, "N", "the newest one of each of so many weeks", verbs=_ADMIN),
        Row("keep_monthly", values.whole, "N", "the newest one of each of so many months", verbs=_ADMIN),
        Row("keep_yearly", values.whole, "N", "the newest one of each of so many years", verbs=_ADMIN),
    ),
    "exec": (
        Row("command", None, "WORDS", "the command to run, in words as a shell tells them apart; no shell sees them",
            verbs=_EXEC),
        Row("script", None, "PATH", "in place of a command: the path of a file that can be executed", verbs=_EXEC),
        Row("arguments", None, "WORD", "an argument of the script; can be repeated", repeated=True, verbs=_EXEC),
    ),
    "how it is done": (
        Row("max_priority", values.switch, "", "the highest priority for processors, and that of real time for disks",
            aliases=("max_cpu_priority",), default=False, verbs=_EACH),
        Row("sync", values.switch, "",
            "backup: write out what the file systems of this host have in memory before it begins", default=False,
            verbs=_BACKUP),
        Row("proxy", values.text, "URL",
            "for swift and clouds: ask through this proxy, as http://proxy.example.org:3128, or none", verbs=_EACH, of_node=True),
        Row("insecure", values.switch, "", "for swift and clouds: do not verify certificates", default=False, verbs=_EACH,
            of_node=True),
        Row("timeout", values.number, "SECONDS", "for swift and clouds: how long an answer may take (default: 30)",
            verbs=_EACH),
    ),
    "configuration and output": (
        Row("config", None, "FILE", "take options from an ini file; the command line wins over it",
            line="take options from an ini file", of_node=True),
        Row("metadata_out", None, "FILE|-", "write the metadata of a backup, or the result of another action, as JSON",
            of_node=True),
        Row("log_file", None, "FILE", "append what happens to this file", of_node=True),
        Row("quiet", None, "", "show errors only", short="-q", line="show errors only", of_node=True),
    ),
    "": (
        # The way back from no_incremental.
        Row("incremental", values.switch, default=True, verbs=_BACKUP, is_repeated_by_record=False),
        # Given by sections of a file, and by documents: a list of mappings is no value for a flag.
        Row("storages", values.storages, default=(), verbs=_EACH, is_repeated_by_record=False),
        # Of upstream's agent, and without effect here: scripts and documents that give them go on working.
        *(Row(name, None, "VALUE") for name in ("client_id", "hostname_restore", "job_id", "os_identity_api_version")),
    ),
}  # fmt: skip


def rows() -> Iterator[Row]:
    """Every row of the table."""
    for group in GROUPS.values():
        yield from group


BY_NAME: Mapping[str, Row] = {row.name: row for row in sorted(rows(), key=lambda row: row.name)}
#: What reads the value of each option of the engine.
PARSERS: Mapping[str, values.Parser] = {name: row.parser for name, row in BY_NAME.items() if row.parser is not None}
OPTION_KEYS = frozenset(PARSERS)
ALIASES: Mapping[str, str] = {alias: row.name for row in rows() for alias in row.aliases}
#: Keys that change nothing about what is stored or restored.
WITHOUT_EFFECT = frozenset(row.name for row in rows() if row.parser is None and row.verbs != _EXEC)
#: Keys that are for the node to say. Documents that Freezer's clients store have them too; there they are not used.
NODE_KEYS = frozenset(row.name for row in rows() if row.of_node)
#: Keys that say which backups prune leaves.
RETENTION_KEYS = tuple(row.name for row in rows() if row.verbs == _ADMIN)
#: The keys that name what is copied through the interface of a cloud, by its medium.
CLOUD_MEDIA: Mapping[str, tuple[str, ...]] = {
    medium: tuple(row.name for row in rows() if row.names == medium) for medium in CLOUDS
}

#: Keys of Freezer's own agents, of any release, that ask for what this one cannot do.
UPSTREAM_KEYS = frozenset(
    {"access_key", "cinderbrick_vol_id", "cindernative_backup_az", "cindernative_freezer_only", "consistency_check",
     "consistency_checksum", "download_limit", "encrypt_pass_file", "endpoint", "ftp_certfile", "ftp_host", "ftp_keyfile",
     "ftp_password", "ftp_port", "ftp_username", "fullbackup_rotation", "glance_image_id", "glance_image_name",
     "glance_image_name_filter", "os_auth_ver", "os_auth_version", "os_trust_id", "priority", "project_id",
     "rsync_block_size", "secret_key", "sql_server_conf", "ssh_host", "ssh_key", "ssh_password", "ssh_port",
     "ssh_username", "temp_resource_prefix", "trickle_command", "upload", "upload_limit", "use_trickle", "vssadmin",
     "windows_volume"}
)  # fmt: skip
#: Values that only agents of Freezer know, by their option.
UPSTREAM_VALUES: Mapping[str, tuple[str, ...]] = {
    "compression": ("bzip2", "xz"),
    "engine_name": ("rsync", "rsyncv2", "osbrick", "glance"),
    "storage": ("s3", "ssh", "ftp", "ftps"),
}
