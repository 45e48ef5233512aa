# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A freezer_action as typed options of the agent, read by the table of options (`spec`).

A key that asks for something which this release cannot do is an error, never ignored: a backup that was meant to be sealed
must not be written in the clear.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..documents.verbs import EXEC_KEYS
from ..errors import OptionError, UnknownOption, in_a_row, quoted
from ..quiesce.base import DEFAULT_DEADLINE_SECONDS, deadline_fault
from ..repository.compressions import LEVELS
from ..repository.names import check_name, check_text
from ..system.meant import did_you_mean
from . import values
from .locations import NO_CONTAINER, Location, locate
from .medium import medium_of
from .rows_of_backup import DEFAULT_BLOCK_LEVEL_BYTES, DEFAULT_SEGMENT_BYTES
from .spec import (
    ALIASES,
    BY_NAME,
    EXCLUSIVE,
    LOCATION_KEYS,
    NAMES,
    PARSERS,
    RETENTION_KEYS,
    UPSTREAM_KEYS,
    WITHOUT_EFFECT,
)

#: Why an action that comes from outside may not have ``init``.
INIT_IS_THE_NODES = (
    "init takes a container as it is, also one that is not mounted or is another one than before, and that is for the node to "
    "say: run freezer-agent there once with --init, or give it in the file of --config"
)

#: Each storage gets a backup of its own.
SAME_PLACE = "Two storages of this action are the same place."

#: Keys that say who asks a cloud.
_ACCESS = ("cloud", "osrc")


#: An environment that has credentials, for a check of locations that does not depend on where it is made.
_SOME_CLOUD = {"OS_CLOUD": "of the node"}

#: What public keys begin with that backups can be encrypted for.
_PUBLIC_KEYS = ("age1", "ssh-ed25519 ", "ssh-rsa ")

#: Keys that say what a backup reads, and that a restore must not be given.
ONLY_OF_BACKUPS = ("path_to_backup",)


@dataclass
class Options:
    """What an action asks for. None means "not given"; sizes are bytes, moments are seconds since 1970.

    The defaults are those of the table, which a test compares.
    """

    allow_keys_in_source: bool = False
    always_level: int | None = None
    backup_id: str | None = None
    backup_media: str = "fs"
    backup_name: str | None = None
    #: Bytes.
    block_level_size: int = DEFAULT_BLOCK_LEVEL_BYTES
    check: str = "stream"
    cinder_vol_id: str | None = None
    cinder_vol_name: str | None = None
    cindernative_backup_container: str | None = None
    cindernative_backup_id: str | None = None
    cindernative_vol_id: str | None = None
    cloud: str | None = None
    #: For each thing that a cloud is waited for.
    cloud_timeout_seconds: float = 21600.0
    compare_to: str | None = None
    compression: str | None = None
    compression_level: int | None = None
    container: str | None = None
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS
    delete: bool = False
    dereference_symlink: str = "none"
    dry_run: bool = False
    encrypt_pass_file: str | None = None
    #: None: age if there is a key.
    encryption: str | None = None
    encryption_recipients: list[str] = field(default_factory=list)
    engine_name: str = "tar"
    exclude: list[str] = field(default_factory=list)
    hostname: str | None = None
    identity_file: str | None = None
    include: list[str] = field(default_factory=list)
    incremental: bool = True
    init: bool = False
    insecure: bool = False
    keep_daily: int | None = None
    keep_last: int | None = None
    keep_monthly: int | None = None
    keep_weekly: int | None = None
    keep_yearly: int | None = None
    key: str = "list"
    lvm_auto_snap: str | None = None
    lvm_dirmount: str | None = None
    lvm_snapname: str | None = None
    lvm_snapperm: str = "ro"
    lvm_snapsize: str | None = None
    lvm_srcvol: str | None = None
    lvm_volgroup: str | None = None
    max_level: int | None = None
    max_priority: bool = False
    max_segment_size: int = DEFAULT_SEGMENT_BYTES
    min_age: float | None = None
    mode: str = "fs"
    mongodb_conf: str | None = None
    mount_point: str | None = None
    mysql_conf: str | None = None
    new_pass_file: str | None = None
    no_incremental: bool = False
    nova_inst_id: str | None = None
    nova_inst_name: str | None = None
    nova_restore_network: str | None = None
    #: None: without a snapshot no, with one yes, because it holds no others.
    one_file_system: bool | None = None
    only_changed: bool = False
    osrc: str | None = None
    overwrite: bool = False
    path: str | None = None
    path_to_backup: str | None = None
    postgresql_conf: str | None = None
    proxy: str | None = None
    recorded_manifests: list[str] = field(default_factory=list)
    remove_before_date: float | None = None
    remove_older_than: float | None = None
    restart_always_level: float | None = None
    restore_abs_path: str | None = None
    restore_as: str | None = None
    restore_from_date: float | None = None
    salvage: bool = False
    since_backup_id: str | None = None
    #: None: the one of the state folder; "none": no key.
    signing_key: str | None = None
    snapshot: str = ""
    storage: str | None = None
    storages: list[dict[str, Any]] = field(default_factory=list)
    sync: bool = False
    #: Seconds that a cloud may be silent.
    timeout: float | None = None
    trusted_signers: str | None = None
    undo_folder: str | None = None

    @property
    def host(self) -> str:
        """The host that the backups are of: the one that is named, else this one."""
        return self.hostname or socket.gethostname()

    @property
    def wants_snapshot(self) -> bool:
        """Whether a snapshot is to be read: upstream's older documents name a volume or a path and say no more."""
        return bool(self.snapshot or self.lvm_srcvol or self.lvm_auto_snap)

    @property
    def sealed_with(self) -> str | None:
        """The method that a new backup is encrypted with; None for none."""
        if self.encryption is None and (self.encrypt_pass_file or self.encryption_recipients):
            return "age"
        return None if self.encryption in (None, "none") else self.encryption

    def need(self, name: str, why: str) -> str:
        """The value of a text option. Raises OptionError if it is not given."""
        value = getattr(self, name)
        if not value:
            raise OptionError(f"{name} is missing: {why}.")
        return str(value)

    def refuse_for(self, work: str) -> None:
        """Raise OptionError for what does not belong to this work, or cannot be done by it.

        It looks at what is given only: what is missing may be for a node to say, and `lacking` tells that.
        """
        given = [name for name in RETENTION_KEYS if getattr(self, name) is not None]
        if work in ("backup", "restore") and given:
            raise OptionError(f"{given[0]} belongs to an action admin of its own, and not to a {work}.")
        if work == "backup":
            self._refuse_keys()
            self._refuse_level()
            fault = deadline_fault(self.deadline_seconds)
            if fault:
                raise OptionError(fault)
        if work == "restore":
            self._refuse_for_restore()
        for name in ("hostname", "backup_name") if work != "info" else ():
            if getattr(self, name):
                check_name(name, getattr(self, name))
                if work == "backup":
                    check_text(name, getattr(self, name))
        self._refuse_wider(work)
        self._refuse_relative_paths()
        if self.backup_media != "cindernative" and (self.storages or (self.storage and self.container)):
            self.locations(_SOME_CLOUD)

    def _refuse_wider(self, work: str) -> None:
        """Raise OptionError for what would narrow the work down, and that it does not know: it would do more than was asked for."""
        if not all(pattern.strip() for pattern in self.include):
            raise OptionError("include has an empty pattern; leave it out, or say what is wanted.")
        for name in ("path", "include"):
            if getattr(self, name) and work not in BY_NAME[name].verbs:
                wanted = ", and name what is to be restored with include" if work == "restore" else ""
                raise OptionError(
                    f"{name} is for {in_a_row(BY_NAME[name].verbs)}, and {work} would do more than that; leave it out{wanted}."
                )

    def _refuse_for_restore(self) -> None:
        """Raise OptionError for what a backup reads, and for a salvage in place: damage would count as what is gone."""
        for name in ONLY_OF_BACKUPS:
            if getattr(self, name):
                raise OptionError(
                    f"{name} says what a backup reads, and a restore has no use for it; leave it out, and name what is to be "
                    "restored with include."
                )
        for name in ("only_changed", "delete", "undo_folder"):
            if self.salvage and getattr(self, name):
                raise OptionError(f"salvage cannot be combined with {name}; remove one of them.")
        if self.undo_folder and self.restore_abs_path:
            undo, target = map(os.path.normpath, (self.undo_folder, self.restore_abs_path))
            if undo.startswith(os.path.join(target, "")):
                raise OptionError(
                    "undo_folder lies in restore_abs_path, so a later restore with delete would remove it; name a folder beside it."
                )

    def _refuse_keys(self) -> None:
        """Raise OptionError for keys that do not go together, or are none. No message repeats one: it may be a secret."""
        if self.encryption_recipients and self.encryption == "aes-256-cfb":
            raise OptionError(
                "encryption_recipients cannot be combined with encryption aes-256-cfb, which knows a passphrase only; use age, or "
                "leave the recipients out."
            )
        for number, text in enumerate(self.encryption_recipients, 1):
            if not text.strip().startswith(_PUBLIC_KEYS):
                raise OptionError(
                    f"encryption_recipients has no public key in place {number}: it takes age1... of age-keygen -y, ssh-ed25519 ... "
                    "or ssh-rsa ..., and never a secret key."
                )
        if self.signing_key not in (None, "none") and not os.path.isabs(str(self.signing_key)):
            raise OptionError("signing_key has to be the absolute path of a private key of SSH, or none.")

    def _refuse_level(self) -> None:
        """Raise OptionError for a compression level that the compression does not have."""
        if self.compression_level is None or self.compression == "none":
            return
        # What is used where none is named depends on the host.
        best = max(levels.best for name, levels in LEVELS.items() if self.compression in (None, name))
        if not 1 <= self.compression_level <= best:
            with_name = f" with compression {self.compression}" if self.compression else ""
            raise OptionError(
                f"compression_level has to be between 1 and {best}{with_name}, and is {self.compression_level}."
            )

    def _refuse_relative_paths(self) -> None:
        """Raise OptionError for a path that would be another one from another folder."""
        names = [row.name for row in BY_NAME.values() if row.is_path and self.backup_media in row.path_media]
        for given in (vars(self), *self.storages):
            for name in names:
                if given.get(name) and not os.path.isabs(str(given[name])):
                    raise OptionError(f"{name} has to be an absolute path, and is {quoted(given[name])}.")

    def lacking(self, work: str) -> dict[str, str]:
        """The options that this work needs and that are not given, each with the sentence of the refusal."""
        found: dict[str, str] = {}
        if work not in ("info", "exec") and self.storage == "local" and not (self.storages or self.container):
            found["container"] = NO_CONTAINER
        if work == "backup" and self.backup_media == "fs" and self.mode != "fs" and not self.wants_snapshot:
            found["snapshot"] = (
                f"The mode {self.mode} quiesces the database only for as long as a snapshot takes; set snapshot."
            )
        if work == "find" and not self.include:
            found["include"] = "include is missing: say what to find, such as '*.conf' or /etc/hosts."
        if work == "history" and not self.path:
            found["path"] = "path is missing: say which file or folder to follow through the backups."
        if work == "backup" and self.sealed_with and not self.encrypt_pass_file:
            if self.encryption == "aes-256-cfb":
                found["encrypt_pass_file"] = "encrypt_pass_file is missing: encryption aes-256-cfb needs a passphrase."
            elif not self.encryption_recipients:
                found["encrypt_pass_file"] = (
                    "encrypt_pass_file is missing, and encryption_recipients too: nothing could open a backup that is encrypted for "
                    "no passphrase and no public key."
                )
        return found

    def locations(self, environ: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
        """The kind and container of each storage: those of ``storages``, else the one of the action itself.

        Where they are not named, ``environ`` decides (the environment of this process without it). Raises OptionError.
        """
        return [(one.kind, one.container) for one in self._located(environ)]

    def chosen(self) -> list[str]:
        """What an action does not say of its locations, what was chosen instead, and why, as sentences."""
        if self.backup_media == "cindernative":
            return []  # Cinder keeps them
        return list(dict.fromkeys(sentence for one in self._located(None) for sentence in one.chosen))

    def storage_kinds(self) -> list[tuple[str, dict[str, Any], tuple[str, ...]]]:
        """The kind of each storage of an action that names no container, who asks its cloud, and what was chosen and why."""
        found = []
        for place in self._given_locations():
            access = self._access_of(place)
            located = locate(place.get("storage") or self.storage, "any", access)
            found.append((located.kind, access, located.chosen))
        return found

    def _located(self, environ: Mapping[str, str] | None) -> list[Location]:
        found = []
        for place in self._given_locations():
            unknown = sorted(set(place) - set(LOCATION_KEYS))
            if unknown:
                hint = did_you_mean(unknown[0], LOCATION_KEYS)
                raise OptionError(f"A storage of this action has the unknown key {quoted(unknown[0])}.{hint}")
            _refuse_exclusive({key for key, value in place.items() if value})
            kind, container = (place.get(key) or getattr(self, key) for key in ("storage", "container"))
            found.append(locate(kind, container, self._access_of(place), environ))
        for one in found:
            if one.kind == "local" and not os.path.isabs(one.container):
                raise OptionError(
                    f"container has to be the absolute path of a folder for the storage local, and is {quoted(one.container)}."
                )
        if len({(one.kind, _one_spelling(one)) for one in found}) != len(found):
            raise OptionError(SAME_PLACE)
        return found

    def _given_locations(self) -> list[dict[str, Any]]:
        return self.storages or [{"storage": self.storage, "container": self.container}]

    def access(self, kind: str, container: str) -> dict[str, Any]:
        """The login of the cloud of a location."""
        for place, located in zip(self._given_locations(), self._located(None)):
            if (located.kind, located.container) == (kind, container):
                return self._access_of(place)
        return self.own_access()

    def own_access(self) -> dict[str, Any]:
        """Who asks the cloud that the action itself is about, and how."""
        return self._access_of({})

    def _access_of(self, place: Mapping[str, Any]) -> dict[str, Any]:
        """Who asks the cloud of a place, as stands beside it, else as the action says; and how, as the action says."""
        own = {key: str(place[key]) for key in _ACCESS if place.get(key)}
        said = own or {key: str(getattr(self, key)) for key in _ACCESS if getattr(self, key)}
        return {**said, **{key: getattr(self, key) for key in ("insecure", "proxy", "timeout") if getattr(self, key)}}


def option_name(key: str) -> str:
    """The name of the option that a key of an action stands for, known or not."""
    name = str(key).replace("-", "_")
    return ALIASES.get(name, name)


def is_known(name: str) -> bool:
    """Whether an option is one of this release, or of Freezer's own agents."""
    return name in PARSERS or name in WITHOUT_EFFECT or name in UPSTREAM_KEYS


def is_given(name: str, value: Any) -> bool:
    """Whether a value of an option says anything: null, empty text and, but for switches and choices, false do not."""
    if value is None or value == "":
        return False
    return value is not False or not (name not in PARSERS or PARSERS[name] in values.FALSE_IS_NOTHING)


def value_of(key: str, value: Any) -> Any:
    """The value of an option. Raises UnknownOption, and OptionError with what the value has to be."""
    name = option_name(key)
    parser = PARSERS.get(name)
    if parser is None:
        raise UnknownOption(
            f"The option {quoted(key)} is not known to this release, so nothing was done.{did_you_mean(name, NAMES)}"
        )
    try:
        return parser(value)
    except ValueError as problem:
        # A list of storages may hold a password, and must not be shown.
        found = f", and is {quoted(value)}" if isinstance(value, (str, int, float)) and name != "storages" else ""
        raise OptionError(f"{key} has to be {problem}{found}.") from None


def refuse_twice(action: Mapping[str, Any]) -> None:
    """Raise OptionError for an option that an action has in two spellings with different values."""
    found: dict[str, tuple[str, Any]] = {}
    for key, given in action.items():
        name, value = by_one_name(key, given)
        if is_given(name, value):
            first, earlier = found.setdefault(name, (key, value))
            if not is_same(name, earlier, value):
                raise OptionError(f"{first} and {key} are one option and ask for different things; keep one of them.")


def by_one_name(key: str, value: Any) -> tuple[str, Any]:
    """The name and the value of an option, whatever spelling it has; ``incremental`` is ``no_incremental``, turned round."""
    name = option_name(key)
    if name == "incremental" and is_given(name, value):
        try:
            return "no_incremental", not value_of(name, value)
        except OptionError:
            pass  # what it has to be is said where it is read
    return name, value


def is_same(name: str, one: Any, other: Any) -> bool:
    """Whether two values of an option ask for the same, as ``64M`` and 67108864 do."""
    try:
        return bool(one == other or value_of(name, one) == value_of(name, other))
    except OptionError:
        return False


def _one_spelling(place: Location) -> str:
    # POSIX lets two slashes at the front mean something else, which they do not on Linux.
    return f"/{os.path.normpath(place.container).lstrip('/')}" if place.kind == "local" else place.container


def _refuse_exclusive(given: Collection[str]) -> None:
    for name, other in EXCLUSIVE:
        if name in given and other in given:
            raise OptionError(f"{name} cannot be combined with {other}; remove one of them.")


def parse_options(action: Mapping[str, Any]) -> Options:
    """The options of a freezer_action. Keys with null and empty text count as not given, as Horizon and AWX send them.

    Options of other verbs are passed over, also those of a command: the defaults of a job are in all of its actions.
    Raises OptionError with a sentence that names the key.
    """
    given: dict[str, Any] = {}
    for key, value in action.items():
        name = option_name(key)
        if not is_given(name, value) or name in WITHOUT_EFFECT or name in EXEC_KEYS:
            continue
        given[name] = value_of(key, value)
    refuse_twice(action)
    _refuse_exclusive(given)
    options = Options(**given)
    if not options.incremental:
        options.no_incremental = True
    medium = medium_of(given)
    if medium is not None:
        options.backup_media = medium
        if options.mode == medium:
            options.mode = "fs"
    return options


__all__ = ["INIT_IS_THE_NODES", "ONLY_OF_BACKUPS", "OptionError", "Options", "parse_options"]
