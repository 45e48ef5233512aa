# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of an index compared: which differ, and which of those an index cannot change while it has documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .fields import Difference, worded

#: Settings that an index gets when it is made, and keeps; a name with a dot at the end is a whole group.
FIXED = (
    "index.analysis.",
    "index.codec",
    "index.load_fixed_bitset_filters_eagerly",
    "index.mapping.nested_objects.limit.static",
    "index.mapping.source.",
    "index.mode",
    "index.number_of_routing_shards",
    "index.number_of_shards",
    "index.routing_partition_size",
    "index.routing_path",
    "index.shard.check_on_startup",
    "index.similarity.",
    "index.soft_deletes.enabled",
    "index.sort.",
    "index.store.type",
)
#: What belongs to one index, and a copy of it does not take over.
_OF_ONE_INDEX = (
    "index.blocks.",
    "index.creation_date",
    "index.history.",
    "index.provided_name",
    "index.replication.type",
    "index.resize.",
    "index.routing.allocation.initial_recovery.",
    "index.shrink.",
    "index.uuid",
    "index.verified_before_close",
    "index.verified_read_only",
    "index.version.",
)

_UNITS_OF_TIME = {
    "nanos": 1,
    "micros": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_UNITS_OF_SIZE = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_WITH_UNIT = re.compile(r"^(-?\d+)([a-z]+)$")


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their whole names: ``{"number_of_replicas": 1}`` is ``{"index.number_of_replicas": "1"}``."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        _flatten(str(name), value, found)
    return {name if name.startswith("index.") else "index." + name: value for name, value in found.items()}


def _flatten(name: str, value: Any, found: dict[str, Any]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(f"{name}.{key}", inner, found)
    elif isinstance(value, (list, tuple)):
        found[name] = [worded(inner) for inner in value]
    else:
        found[name] = None if value is None else worded(value)


def differences(
    wanted: Mapping[str, Any], explicit: Mapping[str, Any], defaults: Mapping[str, Any]
) -> list[Difference]:
    """The settings that are not as wanted. A wanted value of None is the server's default.

    ``explicit`` is what an index was told, ``defaults`` what holds where it was told nothing.
    """
    found = []
    told, silent = flat(explicit), flat(defaults)
    for name, after in flat(wanted).items():
        before = told.get(name, silent.get(name))
        if after is None:
            same = name not in told or (name in silent and _comparable(told[name]) == _comparable(silent[name]))
        else:
            same = before is not None and _comparable(before) == _comparable(after)
        if not same:
            found.append(Difference(name, "conflict" if _is_one_of(FIXED, name) else "changed", before, after))
    return found


def inherited(explicit: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an index that a copy of it is made with."""
    return {name: value for name, value in flat(explicit).items() if not _is_one_of(_OF_ONE_INDEX, name)}


def _is_one_of(known: tuple[str, ...], name: str) -> bool:
    return any(name == one or (one.endswith(".") and name.startswith(one)) for one in known)


def _comparable(value: Any) -> Any:
    """A value without its unit: ``60s`` is as long as ``1m``."""
    if isinstance(value, list):
        return [_comparable(inner) for inner in value] if len(value) != 1 else _comparable(value[0])
    match = _WITH_UNIT.match(str(value).lower())
    if match:
        number, unit = int(match.group(1)), match.group(2)
        if unit in _UNITS_OF_TIME:
            return ("time", number * _UNITS_OF_TIME[unit])
        if unit in _UNITS_OF_SIZE:
            return ("size", number * _UNITS_OF_SIZE[unit])
    return str(value)
