# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How a document that somebody wants differs from the one that exists.

The API merges objects and replaces lists. So of an object only the keys that are wanted count, and of a list all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .action import ADDED_BY_SERVERS
from .kind import Kind

Drift = dict[str, tuple[Any, Any]]

_ADDED_TO_LIST_ELEMENTS = ("action_id", "user_id", "project_id")


def drift(kind: Kind, wanted: Mapping[str, Any], existing: Mapping[str, Any]) -> Drift:
    """What would have to change for ``existing`` to be as ``wanted``: dotted path to (before, after).

    ``wanted`` has the shape that a client sends, ``existing`` the one that the API returns. A wanted key that is
    None is not named. What the server and the scheduler write is ignored. An absent value is None on its side.
    """
    found: Drift = {}
    _compare_objects(wanted, kind.sent_part(existing), "", kind.server_keys, found)
    return found


def before_and_after(
    kind: Kind, wanted: Mapping[str, Any], existing: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two sides of a ``--diff``, both without what the server writes; the first is empty if nothing exists."""
    if existing is None:
        return {}, _without(_named(wanted), kind.server_keys)
    before = _without(kind.sent_part(existing), kind.server_keys)
    changed = drift(kind, wanted, existing)
    after = before
    for path, (_old, new) in changed.items():
        after = _with_value(after, path.split("."), new)
    return before, after


def merged(existing: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A new document: ``changes`` merged into ``existing``, objects key by key, everything else replaced."""
    result = dict(existing)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result


def _compare_objects(
    wanted: Mapping[str, Any], existing: Mapping[str, Any], path: str, ignored: tuple[str, ...], found: Drift
) -> None:
    for key, value in wanted.items():
        here = _join(path, key)
        if value is None or here in ignored:
            continue
        _compare_values(value, existing.get(key), here, ignored, found)


def _compare_values(wanted: Any, existing: Any, path: str, ignored: tuple[str, ...], found: Drift) -> None:
    if isinstance(wanted, Mapping) and isinstance(existing, Mapping):
        _compare_objects(wanted, existing, path, ignored, found)
    elif isinstance(wanted, Mapping) and existing is None:
        named = _named(wanted)
        for key, value in named.items():
            _compare_values(value, None, _join(path, key), ignored, found)
        if not named and wanted:
            return
    elif isinstance(wanted, (list, tuple)) and isinstance(existing, (list, tuple)):
        _compare_lists(list(wanted), list(existing), path, found)
    elif not _equal(wanted, existing):
        found[path] = (existing, wanted)


def _compare_lists(wanted: list[Any], existing: list[Any], path: str, found: Drift) -> None:
    for index in range(max(len(wanted), len(existing))):
        here = _join(path, str(index))
        if index >= len(wanted):
            found[here] = (existing[index], None)
        elif index >= len(existing):
            found[here] = (None, wanted[index])
        else:
            _compare_whole(wanted[index], existing[index], here, found, element=True)


def _compare_whole(wanted: Any, existing: Any, path: str, found: Drift, element: bool = False) -> None:
    """Compare what will be replaced whole: a key that exists and is not wanted counts too."""
    if not isinstance(wanted, Mapping) or not isinstance(existing, Mapping):
        if isinstance(wanted, (list, tuple)) and isinstance(existing, (list, tuple)):
            _compare_lists(list(wanted), list(existing), path, found)
        elif not _equal(wanted, existing):
            found[path] = (existing, wanted)
        return
    for key in list(wanted) + [key for key in existing if key not in wanted]:
        before, after = existing.get(key), wanted.get(key)
        if element and after is None and (key in _ADDED_TO_LIST_ELEMENTS or ADDED_BY_SERVERS.get(key) == before):
            continue
        if before is None and after is None:
            continue
        _compare_whole(after, before, _join(path, key), found)


def _equal(one: Any, other: Any) -> bool:
    # 1 == True for Python, not for JSON.
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _join(path: str, key: str) -> str:
    return path + "." + key if path else key


def _named(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _named(value) if isinstance(value, Mapping) else value
        for key, value in document.items()
        if value is not None
    }


def _without(document: Mapping[str, Any], paths: tuple[str, ...], prefix: str = "") -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in document.items():
        here = _join(prefix, key)
        if here in paths:
            continue
        kept[key] = _without(value, paths, here) if isinstance(value, Mapping) else value
    return kept


def _with_value(document: Any, keys: list[str], value: Any) -> Any:
    """A copy in which the value below ``keys`` is another one; None takes it away."""
    head, rest = keys[0], keys[1:]
    if isinstance(document, (list, tuple)):
        elements = list(document)
        index = int(head)
        if rest:
            elements[index] = _with_value(elements[index], rest, value)
        elif index >= len(elements):
            elements.append(value)
        elif value is None:
            # A list only ever shrinks at its end, so an element that goes is the last one that is left to go.
            del elements[index:]
        else:
            elements[index] = value
        return elements
    copy = dict(document or {})
    if rest:
        copy[head] = _with_value(copy.get(head), rest, value)
    elif value is None:
        copy.pop(head, None)
    else:
        copy[head] = value
    return copy
