# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The table of options: each key of a freezer_action once, with all that is known about it.

The parser of actions, the defaults, the other spellings, what goes with which medium, the JSON schema, the argument specs
and the documentation of modules, the flags of freezer-agent and its manual are made from it. A new option is a row here (or
in `rows_of_backup`), its field in ``Options``, and its use.

Keys, spellings and defaults are upstream's (freezer-agent 19, and the README of freezer-api for the older ones).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..documents.verbs import READ_ACTIONS
from . import rows_of_backup, rows_of_keys, values
from .row import ADMIN, ALL_MEDIA, BACKUP, CLOUDS, EACH, EXEC, FILES, FIND, LOOK, MOUNT, RESTORE, VERIFY, WORK, Row

#: The container of Freezer's agents. The prefix `freezer_` is no part of a name that is given: that one is taken as it is.
DEFAULT_CONTAINER = "freezer_backups"
#: The module of the collection that does what an action asks for. The others have none.
MODULES: Mapping[str, str] = {
    "backup": "backup",
    "restore": "restore",
    "verify": "verify",
    "admin": "prune",
    **dict.fromkeys(READ_ACTIONS, "backup_contents_info"),
}

#: The options by groups, as the help shows them. Those of the last group have no flags.
GROUPS: Mapping[str, Sequence[Row]] = {
    "what to do": (
        Row("action", None, "ACTION",
            "What to do: V(backup) (the default), V(restore), V(verify), V(info), V(list), V(find), V(history), V(diff), V(mount), "
            "V(admin), V(key) or V(exec).",
            more="V(info) lists backups, V(list) what is in one of them, V(find) where O(include) matches in all of them, V(history) "
                 "one path in each of them, and V(diff) what changed between two, or a backup and a folder. V(mount) shows one as a file "
                 "system until it is unmounted.",
            of_modules="The module accepts the action that it carries out, because documents have it.",
            line="backup (default), restore, verify, info, list, find, history, diff, mount, admin, key, exec"),
        Row("dry_run", values.switch, "", "Return what would be done, and change nothing.",
            of_modules="It is the same as check mode of Ansible.",
            line="return what would be done, and change nothing", default=False, is_repeated_by_record=False),
    ),
    "which backup": (
        Row("backup_name", values.text, "NAME",
            "The name of the backups of the same data.",
            more="The default for a server or a volume is C(freezer_<medium>_<id>); without a name, restore and "
                 "verify take the newest backup of any name.",
            short="-N", verbs=EACH, line="the name of the backup"),
        Row("hostname", values.text, "HOST", "The host of the backup.", otherwise="the name of the host that runs it",
            verbs=EACH, aliases=("restore_from_host",)),
        Row("storage", values.Choice("local", "swift"), "KIND",
            "Where backups are kept: V(local) is a folder of the host, V(swift) the object store of an OpenStack cloud.",
            more="If no storage is named, it is V(swift) if O(cloud), O(osrc) or the environment (E(OS_CLOUD), "
                 "or E(OS_AUTH_URL) and the variables that belong to it, or E(OS_CLIENT_CONFIG_FILE)) names a "
                 "cloud, else an error. The result has the choice in RV(ignore:chosen).",
            line="where backups are kept: local or swift", verbs=EACH, is_repeated_by_record=False),
        Row("container", values.text, "PATH",
            "The container of the backups: for O(storage=local) the path of a folder, for O(storage=swift) "
            "the name of a container.",
            more="In documents and modules the path has to be absolute.\n"
                 "Both are made if they are missing: a folder with mode 0700, a container together with "
                 "C(<container>_segments).\n"
                 "Required for O(storage=local). The default for O(storage=swift) is that of Freezer's agents; "
                 "other names are used as given. Images of servers and volumes need O(storage=swift).",
            otherwise=f"V({DEFAULT_CONTAINER}) for V(swift)",
            short="-C", line="local: the path of a folder; swift: a name", verbs=EACH, is_repeated_by_record=False),
        Row("init", values.switch, "", "Accept the container as it is, and make a missing folder with its parents.",
            more="Without it the parent folder has to exist. The first backup writes a marker with an id into a "
                 "container, and the host remembers it. Later the host refuses the container if it is missing, has "
                 "lost its marker or has another id, because a storage that is not mounted looks like that. With "
                 "this option the host uses it, and remembers the new id.",
            default=False, verbs=EACH),
        Row("cloud", values.text, "NAME",
            "The name of a cloud in a C(clouds.yaml) of the host, for O(storage=swift), servers and volumes.",
            more="It needs the Python library openstacksdk on the host. For O(osrc) and E(OS_AUTH_URL) keystoneauth1 is enough.",
            otherwise="E(OS_CLOUD), or E(OS_AUTH_URL) and the variables that belong to it, if O(osrc) is not given",
            line="swift and clouds: one of clouds.yaml", verbs=EACH),
        Row("osrc", values.text, "FILE",
            "The path of an openrc file on the host with the credentials of a cloud, for O(storage=swift), servers and volumes.",
            more="Its lines are read, not run. It cannot be combined with O(cloud).", excludes=("cloud",), verbs=EACH, is_path=True),
    ),
    "backup: what is read": rows_of_backup.READ,
    "servers and volumes of a cloud, in place of files (--cloud or --osrc has the credentials)": (
        Row("nova_inst_id", values.text, "ID", "The id of a server, an image of which is kept in Swift.",
            more="For a server that boots from a volume, an image of each of its volumes is kept. Volumes that are "
                 "attached to a server with a disk of its own are not backed up.\n"
                 "The cloud is the one that O(cloud), O(osrc) or the environment names.",
            names="nova", verbs=EACH, media=("nova",)),
        Row("nova_inst_name", values.text, "NAME", "The name of the server, which has to be unique in the project.",
            names="nova", verbs=EACH, media=("nova",)),
        Row("cinder_vol_id", values.text, "ID", "The id of a volume, an image of which is kept in Swift.",
            more="Snapshot, temporary volume and temporary image are removed at the end.",
            names="cinder", aliases=("cinder_inst_id",), verbs=EACH, media=("cinder",)),
        Row("cinder_vol_name", values.text, "NAME", "The name of the volume, which has to be unique in the project.",
            names="cinder", verbs=EACH, media=("cinder",)),
        Row("cindernative_vol_id", values.text, "ID",
            "The id of a volume that Cinder itself backs up into its backup store; no storage and no container is needed.",
            more="With O(max_level) so many increments follow each full backup. Cinder builds an increment on the "
                 "volume's newest backup; if that has another name than O(backup_name), the backup is full, and the "
                 "result gives the reason.",
            names="cindernative", verbs=EACH, media=("cindernative",)),
        Row("cindernative_backup_container", values.text, "NAME", "The container that Cinder puts its backup into.",
            otherwise="that of Cinder", verbs=BACKUP, media=CLOUDS),
        Row("cindernative_backup_id", values.text, "ID",
            "The backup of Cinder to restore or verify, also one of another program; the same as O(backup_id).",
            verbs=FIND, media=CLOUDS),
        Row("backup_media", values.Choice(*ALL_MEDIA), "MEDIUM",
            "The medium. It follows from the option that names the server or the volume, and has to agree with it.", default=FILES,
            is_declared=False, verbs=EACH, is_repeated_by_record=False),
        Row("nova_restore_network", values.text, "ID", "The id of the network for a restored server.",
            otherwise="the former networks of the server", verbs=RESTORE, media=CLOUDS),
        Row("restore_as", values.text, "NAME", "The name of the new server or volume that a restore makes.",
            otherwise="C(<name>~<timestamp>)", verbs=RESTORE, media=CLOUDS),
        # Images of large volumes take their time.
        Row("cloud_timeout_seconds", values.number, "SECONDS", "The longest wait for each operation of the cloud.",
            default=21600.0, verbs=WORK),
    ),
    "backup: what is quiesced, and the snapshot": rows_of_backup.CONSISTENCY,
    "backup: full or incremental": rows_of_backup.LEVELS_OF_BACKUPS,
    "backup: how it is stored": rows_of_backup.STORED,
    "restore and verify": (
        Row("restore_abs_path", values.text, "PATH", "The folder to restore into; it is made when it is missing.",
            more="C(freezer-agent) at a shell takes C(-) as well: the one file that O(include) selects is then written to standard output.",
            line="restore: the folder to restore into", aliases=("target",), verbs=RESTORE, media=(FILES,), is_path=True),
        Row("include", values.texts, "PATTERN",
            "Restore, list or find only what matches this pattern, with all that is below it.", repeated=True,
            more="A pattern is one of O(exclude): C(*.conf) and C(etc/ssh) match at any depth, C(./etc) only at the top of what "
                 "was backed up. A path from the root of the host that was backed up, such as C(/etc/ssh), is one inside the "
                 "backup.\n"
                 "For a restore, folders above it are made where they are missing, and stay as they are where they exist. If nothing matches, "
                 "nothing is restored, and that is an error.\n"
                 "Backups of earlier releases and of OpenStack's Freezer are restored as a whole only.",
            line="restore, list, find: only this (repeatable)", default=(), verbs=(*RESTORE, "list", "find"), media=(FILES,)),
        Row("path", values.text, "PATH", "The file or folder in a backup to list, to follow or to compare, with all that is below it.",
            more="It is relative to what was backed up, or a path from the root of the host that was backed up.",
            line="list, history, diff: what in the backup", verbs=("list", "history", "diff"), media=(FILES,)),
        Row("since_backup_id", values.text, "ID", "The older one of two backups to compare, by its id or the first 4 digits or more.",
            otherwise="the backup before", verbs=("diff",), media=(FILES,)),
        Row("restore_from_date", values.end_of, "DATE",
            "Take the newest backup that began at or before this time: V(2026-11-22T08:30:00), V(2026-11-22) (all "
            "of that day), V(yesterday 18:00), V(3 days ago).",
            more="Without a time zone it is the local time of the host.",
            line="as it was then (yesterday 18:00)", verbs=(*FIND, *LOOK, *MOUNT)),
        Row("backup_id", values.text, "ID",
            "The backup with this id, or the only one whose id begins with these digits (4 or more).",
            more="Without it and O(restore_from_date) it is the newest one.",
            line="its id, or the first 4 digits or more", excludes=("restore_from_date",), verbs=(*FIND, *LOOK, *MOUNT)),
        Row("overwrite", values.switch, "", "Restore into a folder that is not empty.",
            more="Files of the backup replace files of the same name; equal files are not touched, and other files stay.",
            line="restore: also into a folder that is not empty", default=False, verbs=RESTORE),
        Row("only_changed", values.switch, "",
            "Restore only paths whose kind, size, time, mode, owner or target is another one than in the backup.",
            more="The other files are not read, neither in the backup nor in the folder: their contents and extended attributes are taken to "
                 "be the same. Hard links are compared by their contents.\n"
                 "It needs O(overwrite=true) where the folder is not empty.",
            default=False, verbs=RESTORE, media=(FILES,)),
        Row("delete", values.switch, "", "Remove from the folder what the backup does not have.",
            more="With O(include) and O(exclude) only what they select. What the backup left out stays: what its O(exclude) matches, what "
                 "it could not read, other file systems, sockets and containers of backups.",
            default=False, verbs=RESTORE, media=(FILES,)),
        Row("salvage", values.switch, "", "Restore what is whole of a damaged backup.",
            more="What is damaged is left out and listed in RV(ignore:not_restored), and the outcome is V(partial). A level of which nothing "
                 "can be read counts as if it had changed nothing, so older states stand in for what it has. Manifests have to "
                 "be whole.\n"
                 "Everything that is wanted is read twice.",
            default=False, verbs=RESTORE, media=(FILES,)),
        Row("undo_folder", values.text, "PATH",
            "A new folder on the same file system that gets what is replaced and removed, below the names that it had.",
            more="It stays until it is removed. It is not made if nothing is replaced or removed.",
            verbs=RESTORE, media=(FILES,), is_path=True),
        Row("check", values.Choice("segments", "stream", "restore"), "HOW",
            "How a backup is proven: V(segments) compares sizes and hashes, V(stream) also decompresses it and compares "
            "each member with the catalogue, V(restore) also restores it into a scratch folder.",
            more="V(segments) checks all stored objects and the chain of manifests. V(restore) has to fit into the "
                 "host's temporary folder.\n"
                 "For an image of a server or a volume V(segments) checks the size of all objects, V(stream) also "
                 "their SHA-256. V(restore) uploads an image to Glance and compares its hash, and for a raw image "
                 "makes a scratch volume and reads its bytes again.\n"
                 "For a backup of Cinder V(segments) checks its chain, V(stream) also restores it into a scratch "
                 "volume, and V(restore) also reads that volume.",
            default="stream", verbs=VERIFY),
        Row("compare_to", values.text, "PATH",
            "Restore into a scratch folder and compare that with this folder: names, contents, modes, owners, times, links and "
            "extended attributes.",
            more="Implies O(check=restore).\n"
                 "For O(cinder_vol_id) and O(cindernative_vol_id) it is the id or the name of a volume; the bytes "
                 "of a snapshot of it are compared.\n"
                 "With V(diff) nothing is restored: what the backup says of each path, its size and time among that, is compared "
                 "with this folder.",
            verbs=(*VERIFY, "diff"), is_path=True, path_media=(FILES,)),
    ),
    "mount": (
        Row("mount_point", values.text, "PATH", "The empty folder of the user's own at which a backup is mounted.",
            verbs=MOUNT, media=(FILES,), is_path=True, of_node=True),
    ),
    "encryption and signatures": rows_of_keys.SEALING,
    "key: who can open the backups of a set": rows_of_keys.KEYS,
    "admin: which backups stay (what they are built on stays too, and the newest one)": (
        Row("remove_older_than", values.number, "DAYS",
            "Remove backups that are older than so many days, unless another rule keeps them.", short="-R",
            line="admin: keep backups that are not older than this", aliases=("remove_older_then",), verbs=ADMIN),
        Row("remove_before_date", values.moment, "DATE",
            "Remove backups that began at or before this date, as in V(2026-11-22T08:30:00), unless another rule keeps them.",
            aliases=("remove_from_date",), verbs=ADMIN),
        Row("keep_last", values.whole, "N", "Keep so many of the newest backups; 0 is no rule, here and in the others.",
            line="admin: keep so many of the newest ones", verbs=ADMIN),
        Row("keep_daily", values.whole, "N", "Keep the newest backup of each of so many days that have any.",
            more="Days, weeks, months and years are those of the host's time zone.", verbs=ADMIN),
        Row("keep_weekly", values.whole, "N", "Keep the newest backup of each of so many weeks that have any.", verbs=ADMIN),
        Row("keep_monthly", values.whole, "N", "Keep the newest backup of each of so many months that have any.", verbs=ADMIN),
        Row("keep_yearly", values.whole, "N", "Keep the newest backup of each of so many years that have any.", verbs=ADMIN),
    ),
    "exec": (
        Row("command", None, "WORDS", "The command to run, split into words as in a shell; no shell runs it.",
            verbs=EXEC),
        Row("script", None, "PATH", "In place of a command the absolute path of a file that can be executed.", verbs=EXEC),
        Row("arguments", None, "WORD", "An argument of the script.", repeated=True, verbs=EXEC),
    ),
    "how it is done": (
        Row("max_priority", values.switch, "",
            "Run with the highest CPU priority and the real-time disk priority.",
            more="A priority that is refused is a warning.", aliases=("max_cpu_priority",), default=False, verbs=EACH),
        Row("sync", values.switch, "",
            "Write the buffers of the host's file systems to disk before a backup begins.", default=False, verbs=BACKUP),
        Row("proxy", values.text, "URL", "Send requests to the cloud through this HTTP proxy, such as "
                                         "C(http://proxy.example.org:3128), or through none with V(none).",
            otherwise="that of E(https_proxy), E(http_proxy) and E(no_proxy)", verbs=EACH, of_node=True),
        Row("insecure", values.switch, "", "Do not verify the certificates of the cloud, with a warning.", default=False, verbs=EACH,
            of_node=True),
        Row("timeout", values.number, "SECONDS", "The longest time for an answer of the cloud, in seconds.", otherwise="30",
            verbs=EACH),
    ),
    "configuration and output": (
        Row("config", None, "FILE", "Take options from an ini file; the command line wins over it.",
            line="take options from an ini file", of_node=True),
        Row("metadata_out", None, "FILE|-", "Write the metadata of a backup, or the result of another action, as JSON.",
            of_node=True),
        Row("log_file", None, "FILE", "Append a log to this file.",
            of_modules="The module accepts it, because documents have it, and writes no log: it reports through Ansible.", of_node=True),
        Row("quiet", None, "", "Show errors only.", short="-q", line="show errors only", of_node=True),
    ),
    "": (
        # The way back from no_incremental.
        Row("incremental", values.switch, text="The value V(false) is the same as O(no_incremental=true).", default=True,
            verbs=BACKUP, is_repeated_by_record=False),
        # Given by sections of a file, and by documents: a list of mappings is no value for a flag.
        Row("storages", values.storages,
            text="Several storages at once, in place of O(storage) and O(container). The source is read and compressed once.",
            more="M(freezer.backup.restore) reads from the first storage that has the backup. Without O(backup_id) "
                 "it fails if one of them cannot be read or is damaged, because that one may have a newer backup.\n"
                 "M(freezer.backup.verify) fails if one of them does not have the backup.",
            default=(), verbs=EACH, is_repeated_by_record=False),
        # Of upstream's agent, and without effect here: scripts and documents that give them go on working.
        *(Row(name, None, "VALUE") for name in ("client_id", "hostname_restore", "job_id", "os_identity_api_version")),
    ),
}  # fmt: skip
#: What each of several storages says of itself; the first two it has to.
LOCATION_KEYS = ("storage", "container", "cloud", "osrc")


def rows() -> Iterator[Row]:
    """Every row of the table."""
    for group in GROUPS.values():
        yield from group


BY_NAME: Mapping[str, Row] = {row.name: row for row in sorted(rows(), key=lambda row: row.name)}
#: What reads the value of each option of the engine.
PARSERS: Mapping[str, values.Parser] = {name: row.parser for name, row in BY_NAME.items() if row.parser is not None}
OPTION_KEYS = frozenset(PARSERS)
ALIASES: Mapping[str, str] = {alias: row.name for row in rows() for alias in row.aliases}
#: How an option of the agent can be written.
NAMES = frozenset({*BY_NAME, *ALIASES})
#: Pairs of options of which only one can be given.
EXCLUSIVE: Sequence[tuple[str, str]] = tuple((row.name, other) for row in rows() for other in row.excludes)


def excluded_by(names: Collection[str]) -> set[str]:
    """The options that cannot be combined with one of these."""
    return {other for pair in EXCLUSIVE for name, other in (pair, pair[::-1]) if name in names}


#: Keys that change nothing about what is stored or restored.
WITHOUT_EFFECT = frozenset(row.name for row in rows() if row.parser is None and row.verbs != EXEC)
#: Keys that are for the node to say. Documents that Freezer's clients store have them too; there they are not used.
NODE_KEYS = frozenset(row.name for row in rows() if row.of_node)
#: Keys that say which backups prune leaves.
RETENTION_KEYS = tuple(row.name for row in rows() if row.verbs == ADMIN)
#: The keys that name what is copied through the interface of a cloud, by its medium.
CLOUD_MEDIA: Mapping[str, tuple[str, ...]] = {
    medium: tuple(row.name for row in rows() if row.names == medium) for medium in CLOUDS
}

#: Keys of Freezer's own agents, of any release, that ask for what this one cannot do.
UPSTREAM_KEYS = frozenset(
    {"access_key", "cinderbrick_vol_id", "cindernative_backup_az", "cindernative_freezer_only", "consistency_check",
     "consistency_checksum", "download_limit", "endpoint", "ftp_certfile", "ftp_host", "ftp_keyfile",
     "ftp_password", "ftp_port", "ftp_username", "fullbackup_rotation", "glance_image_id", "glance_image_name",
     "glance_image_name_filter", "os_auth_ver", "os_auth_version", "os_trust_id", "priority", "project_id",
     "rsync_block_size", "secret_key", "sql_server_conf", "ssh_host", "ssh_key", "ssh_password", "ssh_port",
     "ssh_username", "temp_resource_prefix", "trickle_command", "upload", "upload_limit", "use_trickle", "vssadmin",
     "windows_volume"}
)  # fmt: skip
#: Values that only agents of Freezer know, by their option.
UPSTREAM_VALUES: Mapping[str, tuple[str, ...]] = {
    "engine_name": ("rsyncv2", "osbrick", "glance"),
    "storage": ("s3", "ssh", "ftp", "ftps"),
}

#: What modules take of the keys without effect on a backup, so that documents fit them.
_OF_DOCUMENTS = ("action", "log_file")


def verbs_of_module(verb: str) -> list[str]:
    """The verbs of the module for a verb."""
    return [other for other, module in MODULES.items() if module == MODULES[verb]]


def names_of_module(verb: str) -> set[str]:
    """The names of the options of the module for a verb."""
    return {row.name for row in rows_of_module(verb)}


def rows_of_module(verb: str) -> list[Row]:
    """What the module for a verb takes, by name."""
    verbs = set(verbs_of_module(verb))
    return [
        row
        for row in BY_NAME.values()
        if not verbs.isdisjoint(row.verbs) and (row.parser is not None or row.name in _OF_DOCUMENTS)
    ]
