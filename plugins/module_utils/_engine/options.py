# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The keys of a freezer_action as typed options of the agent.

Keys, spellings and defaults are upstream's (freezer-agent 19, and the README of freezer-api for the older ones). A key
that asks for something which this release cannot do is an error, never ignored: a backup that was meant to be sealed
must not be written in the clear.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from .errors import OptionError
from .media import CLOUD_MEDIA, medium_of
from .moments import moment

DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024

#: Older and hyphenless spellings that documents in the wild carry.
ALIASES = {
    "src_file": "path_to_backup",
    "file_to_backup": "path_to_backup",
    "max_backup_level": "max_level",
    "always_backup_level": "always_level",
    "restart_always_backup": "restart_always_level",
    "restore_from_host": "hostname",
    "engine": "engine_name",
    "max_seg_size": "max_segment_size",
    "remove_from_date": "remove_before_date",
    "remove_older_then": "remove_older_than",
    "lvm_snap_perm": "lvm_snapperm",
}
#: Keys that change nothing about what is stored or restored.
WITHOUT_EFFECT = frozenset(
    {"action", "log_file", "quiet", "max_priority", "max_cpu_priority", "insecure", "proxy", "timeout", "sync",
     "os_identity_api_version", "metadata_out", "config", "job_id", "client_id", "hostname_restore"}
)  # fmt: skip

#: Keys that name a file which the program reads or writes for itself, or say how it behaves. They are for the node to
#: say. Documents that Freezer's clients store have them too; there they are not used.
NODE_KEYS = frozenset({"config", "insecure", "log_file", "metadata_out", "proxy", "quiet"})

#: Keys that say who asks a cloud.
_ACCESS = ("cloud", "osrc")


#: Keys that say which backups prune leaves.
RETENTION_KEYS = ("remove_older_than", "remove_before_date", "keep_last", "keep_daily", "keep_weekly", "keep_monthly",
                  "keep_yearly")  # fmt: skip


#: Keys that say what a backup reads, and that a restore must not be given.
ONLY_OF_BACKUPS = ("path_to_backup", "exclude")


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("a text")
    if "\0" in str(value):
        raise ValueError("a text without NUL bytes")
    return str(value)


def _whole(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError("a whole number")
    if int(text) < 0:
        raise ValueError("a number that is not negative")
    return int(text)


def _number(value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(str(value))
    except ValueError:
        raise ValueError("a number") from None
    if not 0 <= number < float("inf"):
        raise ValueError("a number that is not negative")
    return number


def _switch(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise ValueError("true or false")


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, (list, tuple)) else [_text(value)]


def _size(value: Any) -> int:
    """Bytes, also with a suffix K, M or G (powers of 1024)."""
    match = re.match(r"^(\d+)\s*([kmg]?)(?:i?b)?$", str(value).strip(), re.IGNORECASE)
    if match is None or int(match.group(1)) == 0:
        raise ValueError("a size in bytes such as 67108864 or 64M")
    factor: int = 1024 ** " kmg".index(match.group(2).lower() or " ")
    return int(match.group(1)) * factor


def _end_of(value: Any) -> float:
    return moment(value, end_of_day=True)


def _storages(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ValueError("a list of storages, each with 'storage' and 'container'")
    return [dict(item) for item in value]


def _choice(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return str(value)

    return parse


def _snapshot(value: Any) -> str:
    """The kind of snapshot, empty for none. Freezer's documents say true."""
    if str(value).strip().lower() == "lvm":
        return "lvm"
    try:
        return "lvm" if _switch(value) else ""
    except ValueError:
        raise ValueError("lvm, true or false") from None


def _auto_snap(value: Any) -> str:
    """A path, ``true`` for the one that is backed up, or empty."""
    text = _text(str(value).lower() if isinstance(value, bool) else value)
    return {"true": "true", "false": ""}.get(text.lower(), text)


def _mode(value: Any) -> str:
    mode = _choice("fs", "mysql", "postgresql", "mongodb", "mongo", *CLOUD_MEDIA)(value)
    return "mongodb" if mode == "mongo" else mode


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "always_level": _whole,
    "backup_id": _text,
    "backup_media": _choice("fs", *CLOUD_MEDIA),
    "backup_name": _text,
    "check": _choice("segments", "stream", "restore"),
    "cinder_vol_id": _text,
    "cinder_vol_name": _text,
    "cindernative_backup_container": _text,
    "cindernative_backup_id": _text,
    "cindernative_vol_id": _text,
    "cloud": _text,
    "cloud_timeout_seconds": _number,
    "compare_to": _text,
    "compression": _choice("zstd", "gzip", "none"),
    "compression_level": _whole,
    "container": _text,
    "deadline_seconds": _number,
    "dereference_symlink": _choice("none", "soft", "hard", "all"),
    "dry_run": _switch,
    "engine_name": _choice("tar", "nova"),
    "exclude": _texts,
    "hostname": _text,
    "incremental": _switch,
    "init": _switch,
    "keep_daily": _whole,
    "keep_last": _whole,
    "keep_monthly": _whole,
    "keep_weekly": _whole,
    "keep_yearly": _whole,
    "lvm_auto_snap": _auto_snap,
    "lvm_dirmount": _text,
    "lvm_snapname": _text,
    "lvm_snapperm": _choice("ro", "rw"),
    "lvm_snapsize": _text,
    "lvm_srcvol": _text,
    "lvm_volgroup": _text,
    "max_level": _whole,
    "max_segment_size": _size,
    "min_age": _number,
    "mode": _mode,
    "mongodb_conf": _text,
    "mysql_conf": _text,
    "no_incremental": _switch,
    "nova_inst_id": _text,
    "nova_inst_name": _text,
    "nova_restore_network": _text,
    "one_file_system": _switch,
    "osrc": _text,
    "overwrite": _switch,
    "path_to_backup": _text,
    "postgresql_conf": _text,
    "remove_before_date": moment,
    "remove_older_than": _number,
    "restart_always_level": _number,
    "restore_abs_path": _text,
    "restore_as": _text,
    "restore_from_date": _end_of,
    "snapshot": _snapshot,
    "storage": _choice("local", "swift"),
    "storages": _storages,
}

#: Every key of an action that the engine reads.
OPTION_KEYS = frozenset(_PARSERS)


@dataclass
class Options:
    """What an action asks for. None means "not given"; sizes are bytes, moments are seconds since 1970."""

    always_level: int | None = None
    backup_id: str | None = None
    backup_media: str = "fs"
    backup_name: str | None = None
    check: str = "stream"
    cinder_vol_id: str | None = None
    cinder_vol_name: str | None = None
    cindernative_backup_container: str | None = None
    cindernative_backup_id: str | None = None
    cindernative_vol_id: str | None = None
    cloud: str | None = None
    #: For each thing that a cloud is waited for; images of large volumes take their time.
    cloud_timeout_seconds: float = 21600.0
    compare_to: str | None = None
    compression: str | None = None
    compression_level: int | None = None
    container: str | None = None
    deadline_seconds: float | None = None
    dereference_symlink: str | None = None
    dry_run: bool = False
    engine_name: str = "tar"
    exclude: list[str] = field(default_factory=list)
    hostname: str | None = None
    incremental: bool = True
    init: bool = False
    keep_daily: int | None = None
    keep_last: int | None = None
    keep_monthly: int | None = None
    keep_weekly: int | None = None
    keep_yearly: int | None = None
    lvm_auto_snap: str | None = None
    lvm_dirmount: str | None = None
    lvm_snapname: str | None = None
    lvm_snapperm: str = "ro"
    lvm_snapsize: str | None = None
    lvm_srcvol: str | None = None
    lvm_volgroup: str | None = None
    max_level: int | None = None
    max_segment_size: int = DEFAULT_SEGMENT_BYTES
    min_age: float | None = None
    mode: str = "fs"
    mongodb_conf: str | None = None
    mysql_conf: str | None = None
    no_incremental: bool = False
    nova_inst_id: str | None = None
    nova_inst_name: str | None = None
    nova_restore_network: str | None = None
    #: None: without a snapshot no, with one yes, because it holds no others.
    one_file_system: bool | None = None
    osrc: str | None = None
    overwrite: bool = False
    path_to_backup: str | None = None
    postgresql_conf: str | None = None
    remove_before_date: float | None = None
    remove_older_than: float | None = None
    restart_always_level: float | None = None
    restore_abs_path: str | None = None
    restore_as: str | None = None
    restore_from_date: float | None = None
    snapshot: str = ""
    storage: str | None = None
    storages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host that the backups are of: the one that is named, else this one."""
        return self.hostname or socket.gethostname()

    @property
    def of_cloud(self) -> bool:
        """Whether a server or a volume is meant, and not files."""
        return self.backup_media != "fs"

    @property
    def wants_snapshot(self) -> bool:
        """Whether a snapshot is to be read: upstream's older documents name a volume or a path and say no more."""
        return bool(self.snapshot or self.lvm_srcvol or self.lvm_auto_snap)

    def need(self, name: str, why: str) -> str:
        """The value of a text option. Raises OptionError if it is not given."""
        value = getattr(self, name)
        if not value:
            raise OptionError(f"{name} is missing: {why}.")
        return str(value)

    def refuse_retention(self, work: str) -> None:
        """Raise OptionError if something is to be removed by work that removes nothing."""
        for name in RETENTION_KEYS:
            if getattr(self, name) is not None:
                raise OptionError(
                    f"{name} belongs to an action admin of its own, and not to a {work}; nothing was done."
                )

    def refuse_part(self) -> None:
        """Raise OptionError if a restore is asked for a part of a backup, which no release can do so far."""
        for name in ONLY_OF_BACKUPS:
            if getattr(self, name):
                raise OptionError(
                    f"{name} says what a backup reads, and a restore brings back all of it; leave it out, restore into a new "
                    "folder, and take from there what you need. Nothing was done."
                )

    def places(self) -> list[tuple[str, str]]:
        """The kind and container of each storage: those of ``storages``, else the one of the action itself."""
        given = self.storages or [{"storage": self.storage, "container": self.container}]
        places = []
        for place in given:
            unknown = set(place) - {"storage", "container", *_ACCESS}
            if unknown:
                raise OptionError(f"A storage of this action has the unknown key {sorted(unknown)[0]!r}.")
            kind = place.get("storage") or self.storage
            container = place.get("container") or self.container
            if not kind:
                raise OptionError("storage is missing: say where backups are kept, for example local.")
            if not container:
                raise OptionError(
                    "container is missing: for the storage local it is the path of a folder, for swift a container's name."
                )
            places.append((str(kind), str(container)))
        if len(set(places)) != len(places):
            raise OptionError("Two storages of this action are the same place.")
        return places

    def access(self, kind: str, container: str) -> dict[str, str]:
        """Who asks the cloud that one of the places is in: what stands beside it, else what the action says."""
        for place in self.storages:
            if (place.get("storage") or self.storage, place.get("container") or self.container) == (kind, container):
                own = {key: str(place[key]) for key in _ACCESS if place.get(key)}
                if own:
                    return own
        return {key: str(getattr(self, key)) for key in _ACCESS if getattr(self, key)}


def parse_options(action: Mapping[str, Any]) -> Options:
    """The options of a freezer_action. Keys with null and empty text count as not given, as Horizon and AWX send them.

    Raises OptionError with a sentence that names the key.
    """
    given: dict[str, Any] = {}
    for key, value in action.items():
        name = str(key).replace("-", "_")
        name = ALIASES.get(name, name)
        if value is None or value == "" or name in WITHOUT_EFFECT:
            continue
        parser = _PARSERS.get(name)
        if value is False and parser in (None, _text):
            continue  # documents say so for "no such thing": the README's own example has "hostname": false
        if parser is None:
            raise OptionError(f"The option {key!r} is not known to this release, so nothing was done.")
        try:
            parsed = parser(value)
        except ValueError as problem:
            # A list of storages may hold a password, and must not be shown.
            found = f", and is {value!r}" if isinstance(value, (str, int, float)) and parser is not _storages else ""
            raise OptionError(f"{key} has to be {problem}{found}.") from None
        if given.setdefault(name, parsed) != parsed:
            raise OptionError(f"{key} and another spelling of {name} ask for different things; keep one of them.")
    options = Options(**given)
    if not options.incremental:
        options.no_incremental = True
    medium = medium_of(given)
    if medium is not None:
        options.backup_media = medium
        if options.mode == medium:
            options.mode = "fs"
    return options


__all__ = [
    "ALIASES",
    "DEFAULT_SEGMENT_BYTES",
    "NODE_KEYS",
    "ONLY_OF_BACKUPS",
    "RETENTION_KEYS",
    "WITHOUT_EFFECT",
    "OptionError",
    "Options",
    "parse_options",
]
