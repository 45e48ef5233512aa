# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The differences between the desired and the current state of a document.

The API merges objects and replaces lists. So of an object only the desired keys count, and of a list all elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .action import ADDED_BY_SERVERS
from .kind import Kind

Drift = dict[str, tuple[Any, Any]]
_Path = tuple[str, ...]
_Found = dict[_Path, tuple[Any, Any]]

#: Keys that servers write into the elements of lists, the actions of a job.
ADDED_TO_LIST_ELEMENTS = ("action_id", "user_id", "project_id")


def drift(kind: Kind, wanted: Mapping[str, Any], existing: Mapping[str, Any]) -> Drift:
    """The changes that make ``existing`` as ``wanted``: dotted path to (before, after).

    ``wanted`` has the shape that a client sends, ``existing`` the one that the API returns. A wanted key that is
    None is not given. Keys of the server and the scheduler are ignored. An absent value is None on its side.
    """
    return {".".join(path): sides for path, sides in _differences(kind, wanted, existing).items()}


def before_and_after(
    kind: Kind, wanted: Mapping[str, Any], existing: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two sides of a ``--diff``, both without what the server writes."""
    before = _without(kind.sent_part(existing), _server_paths(kind))
    after = before
    for path, (_old, new) in _differences(kind, wanted, existing).items():
        after = _with_value(after, path, new)
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


def _server_paths(kind: Kind) -> frozenset[_Path]:
    return frozenset(tuple(key.split(".")) for key in kind.server_keys)


def _differences(kind: Kind, wanted: Mapping[str, Any], existing: Mapping[str, Any]) -> _Found:
    found: _Found = {}
    _compare_objects(wanted, kind.sent_part(existing), (), _server_paths(kind), found)
    return found


def _compare_objects(
    wanted: Mapping[str, Any], existing: Mapping[str, Any], path: _Path, ignored: frozenset[_Path], found: _Found
) -> None:
    """Compare what the API merges: only the wanted keys count."""
    for key, after in wanted.items():
        here = (*path, key)
        if after is None or here in ignored:
            continue
        before = existing.get(key)
        if isinstance(after, Mapping) and (before is None or isinstance(before, Mapping)):
            _compare_objects(after, before or {}, here, ignored, found)
        else:
            _compare_whole(after, before, here, found)


def _compare_whole(wanted: Any, existing: Any, path: _Path, found: _Found) -> None:
    """Compare what the API replaces: what exists and is not wanted counts too."""
    if isinstance(wanted, Mapping) and isinstance(existing, Mapping):
        for key in [*wanted, *(key for key in existing if key not in wanted)]:
            _compare_whole(wanted.get(key), existing.get(key), (*path, key), found)
    elif isinstance(wanted, (list, tuple)) and isinstance(existing, (list, tuple)):
        for index in range(max(len(wanted), len(existing))):
            after = wanted[index] if index < len(wanted) else None
            before = existing[index] if index < len(existing) else None
            if isinstance(after, Mapping) and isinstance(before, Mapping):
                before = _without_additions(before, after)
            _compare_whole(after, before, (*path, str(index)), found)
    elif not _equal(wanted, existing):
        found[path] = (existing, wanted)


def _without_additions(element: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """An element of a list without what servers add to it, unless that is wanted."""
    return {
        key: value
        for key, value in element.items()
        if wanted.get(key) is not None
        or not (key in ADDED_TO_LIST_ELEMENTS or (key in ADDED_BY_SERVERS and ADDED_BY_SERVERS[key] == value))
    }


def _equal(one: Any, other: Any) -> bool:
    # 1 == True for Python, not for JSON.
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _without(document: Mapping[str, Any], ignored: frozenset[_Path], path: _Path = ()) -> dict[str, Any]:
    return {
        key: _without(value, ignored, (*path, key)) if isinstance(value, Mapping) else value
        for key, value in document.items()
        if (*path, key) not in ignored
    }


def _with_value(document: Any, path: _Path, value: Any) -> Any:
    """A copy in which the value at ``path`` is another one; None takes it away."""
    head, rest = path[0], path[1:]
    if isinstance(document, (list, tuple)):
        elements = list(document)
        index = int(head)
        if rest:
            elements[index] = _with_value(elements[index], rest, value)
        elif value is None:
            # Only the elements behind the last wanted one go.
            del elements[index:]
        else:
            elements[index : index + 1] = [value]
        return elements
    copy = dict(document or {})
    if rest:
        copy[head] = _with_value(copy.get(head), rest, value)
    elif value is None:
        copy.pop(head, None)
    else:
        copy[head] = value
    return copy
