# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""From the list of targets that a user writes to drivers, in the order of takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from .base import Driver, QuiesceError
from .command import Command
from .filesystem import FileSystem
from .mongodb import MongoDb
from .mysql import MySql
from .postgresql import PostgreSql

DEFAULT_TIMEOUT_SECONDS = 30.0

_LOGIN = frozenset({"login_host", "login_port", "login_user", "login_password", "os_user", "timeout_seconds"})
#: The keys of each kind of target.
KEYS: dict[str, frozenset[str]] = {
    "mysql": _LOGIN | {"login_unix_socket", "config_file", "lock"},
    "postgresql": _LOGIN | {"login_unix_socket", "login_db"},
    "mongodb": _LOGIN - {"os_user"} | {"login_database", "tls", "ca_file"},
    "command": frozenset({"prepare", "finalize", "timeout_seconds", "os_user"}),
}
_DATABASES: dict[str, Callable[[Mapping[str, Any], float], Driver]] = {
    "mysql": MySql,
    "postgresql": PostgreSql,
    "mongodb": MongoDb,
}
_SECRETS = frozenset({"login_password"})


def plain(targets: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The targets without empty keys and secrets, for comparisons and for display."""
    found = []
    for target in targets:
        for kind, value in target.items():
            if isinstance(value, Mapping):
                found.append({kind: {k: v for k, v in value.items() if v is not None and k not in _SECRETS}})
            elif value is not None:
                found.append({kind: value})
    return found


def drivers_of(
    targets: Sequence[Mapping[str, Any]], timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS, force: bool = False
) -> list[Driver]:
    """A driver for each target: commands first, databases next, file systems last, each in the order of the list.

    Raises QuiesceError for a target that is not valid.
    """
    drivers = [_driver(target, timeout_seconds, force) for target in targets]
    if not drivers:
        raise QuiesceError("No target is given, so there is nothing to hold.")
    seen: dict[str, str] = {}
    for driver in drivers:
        if isinstance(driver, FileSystem):
            before = seen.setdefault(driver.device, driver.label)
            if before != driver.label:
                raise QuiesceError(f"The {driver.label} and the {before} are the same; name it once.")
    return sorted(drivers, key=lambda driver: driver.rank)


def _driver(target: Mapping[str, Any], timeout_seconds: float, force: bool) -> Driver:
    given = {kind: value for kind, value in target.items() if value is not None}
    if len(given) != 1:
        raise QuiesceError(f"A target has one of the keys path, {', '.join(KEYS)}, this one has {len(given)} of them.")
    kind, value = next(iter(given.items()))
    if kind == "path":
        if not isinstance(value, str) or not value.startswith("/"):
            raise QuiesceError(f"The path of a target begins with /, this one is {value!r}.")
        return FileSystem(value, timeout_seconds, force)
    if kind not in KEYS:
        raise QuiesceError(f"There is no kind of target {kind!r}; there are path, {', '.join(KEYS)}.")
    if not isinstance(value, Mapping):
        raise QuiesceError(f"The target {kind} has to be a dictionary.")
    keys = {key: item for key, item in value.items() if item is not None}
    unknown = sorted(set(keys) - KEYS[kind])
    if unknown:
        raise QuiesceError(f"The target {kind} has the unknown key {unknown[0]!r}.")
    seconds = float(keys.pop("timeout_seconds", None) or timeout_seconds)
    if kind == "command":
        if not keys.get("prepare") and not keys.get("finalize"):
            raise QuiesceError(
                "The target command needs prepare, finalize or both, each a list of a program and its arguments."
            )
        return Command(keys.get("prepare") or [], keys.get("finalize") or [], seconds, keys.get("os_user"))
    return _DATABASES[kind](keys, seconds)
