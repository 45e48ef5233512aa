# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The page and the search of a list request: the search is in the body of the GET or in its query string."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.action import JOB_ACTION_SCHEMA
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import TRIGGER_KEYS
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.schema import RUN_KEYS

from ..errors import BadRequestError
from ..store.base import MAX_INTEGER, MIN_INTEGER
from ..store.query import AnyValueContains, Condition, FieldMatches, Query
from .json_body import parse_object

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000
MAX_OFFSET = 2**31 - 1
MAX_CONDITIONS = 100
#: Each of these conditions looks at every value of every document.
MAX_ANYWHERE = 10

_FIELD = re.compile(r"[\w-]+(\.[\w-]+)*")

_SCHEDULE_KEYS = frozenset(RUN_KEYS + TRIGGER_KEYS)

#: Fields that a list takes as query parameters of their own, as in ``?client_id=db1``.
FILTERS: Mapping[str, tuple[str, ...]] = {
    "client": ("client_id", "hostname"),
    "job": ("client_id", "session_id", "status", "result", "event"),
    "action": ("action", "mode", "storage", "container", "backup_name"),
    "session": ("status", "result"),
    "backup": ("backup_name", "container", "hostname", "status"),
}
_TIMES = ("time_after", "time_before")
_SEARCH_KEYS = ("match", "match_not", *_TIMES)

#: Keys at the top of a stored document that are in no schema, because a client never sends them there.
_STORED_KEYS: Mapping[str, frozenset[str]] = {
    "client": frozenset(("user_id", "project_id")),
    "backup": frozenset(("backup_id", "user_id", "user_name", "project_id", "status")),
}


@dataclass(frozen=True)
class Page:
    """The part of a list that is wanted."""

    limit: int
    offset: int


def page(limit: str | None, offset: str | None) -> Page:
    """The page that the query parameters name. Raises BadRequestError for anything but small whole numbers."""
    wanted = _number("limit", limit, DEFAULT_LIMIT, MAX_LIMIT)
    # 0 has meant "as many as usual" since freezer-api 7.
    return Page(wanted or DEFAULT_LIMIT, _number("offset", offset, 0, MAX_OFFSET))


def _number(name: str, text: str | None, default: int, highest: int) -> int:
    if text is None:
        return default
    if re.fullmatch("[0-9]{1,10}", text) is None or int(text) > highest:
        raise BadRequestError(
            f"{name} is {text[:40]!r}; it must be a whole number from 0 to {highest}", title="Invalid parameter"
        )
    return int(text)


def filters(kind: Kind) -> tuple[str, ...]:
    """The query parameters that narrow a list of a kind, ``search`` aside."""
    return FILTERS[kind.name] + (_TIMES if kind.name == "backup" else ())


def query(
    kind: Kind, body: Mapping[str, Any], parameter: str | None = None, filtered: Sequence[tuple[str, str]] = ()
) -> Query:
    """The search of a list request. Raises BadRequestError.

    It is in the body, in the query parameter ``search``, or in both, which then both have to match. ``filtered`` are the
    fields and values of further query parameters, which have to match as well.
    """
    asked = Query()
    for search in (body, parse_object((parameter or "").encode("utf-8", "surrogatepass"))):
        asked = asked.narrowed(_query(kind, search))
    for name, value in filtered:
        if name in _TIMES:
            asked = asked.narrowed(_query(kind, {name: value}))
        else:
            asked = asked.narrowed(Query(match=(FieldMatches(resolve(kind, name), value),)))
    count = len(asked.match) + len(asked.match_not)
    if count > MAX_CONDITIONS:
        raise BadRequestError(f"The search has {count} conditions; at most {MAX_CONDITIONS} are allowed")
    everywhere = sum(isinstance(one, AnyValueContains) for one in (*asked.match, *asked.match_not))
    if everywhere > MAX_ANYWHERE:
        raise BadRequestError(f"The search has {everywhere} conditions on _all; at most {MAX_ANYWHERE} are allowed")
    return asked


def _query(kind: Kind, search: Mapping[str, Any]) -> Query:
    unknown = [key for key in search if key not in _SEARCH_KEYS]
    if unknown:
        raise BadRequestError(f"{unknown[0][:100]!r} is no key of a search; the keys are {', '.join(_SEARCH_KEYS)}")
    return Query(
        match=_conditions(kind, "match", search.get("match")),
        match_not=_conditions(kind, "match_not", search.get("match_not")),
        time_after=_time(kind, "time_after", search.get("time_after")),
        time_before=_time(kind, "time_before", search.get("time_before")),
    )


def _time(kind: Kind, key: str, value: Any) -> int | None:
    if value is None:
        return None
    if kind.name != "backup":
        raise BadRequestError(f"{key} searches in the time stamps of backups; {kind.plural} have none")
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and MIN_INTEGER <= value <= MAX_INTEGER:
        return value
    raise BadRequestError(f"{key} must be a whole number of seconds since 1970")


def _conditions(kind: Kind, key: str, value: Any) -> tuple[Condition, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(pairs, dict) for pairs in value):
        raise BadRequestError(f"{key} must be a list of objects, each a field and its value")
    return tuple(
        condition for pairs in value for field, wanted in pairs.items() for condition in _condition(kind, field, wanted)
    )


def _condition(kind: Kind, field: str, value: Any) -> tuple[Condition, ...]:
    if field == "_all":
        return _anywhere(kind, value)
    if _FIELD.fullmatch(field) is None:
        raise BadRequestError(f"{field[:100]!r} is no name of a field; write a key, or keys with dots between them")
    if isinstance(value, (dict, list)):
        raise BadRequestError(f"The value of {field[:100]!r} must be a string, a number, true, false or null")
    return (FieldMatches(resolve(kind, field), value),)


def _anywhere(kind: Kind, value: Any) -> tuple[Condition, ...]:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
        raise BadRequestError("The value of '_all' must be a text")
    text = str(value)
    if text.startswith("[{"):
        # The SQL store of upstream wants pairs here: '[{"job_id": "x"}]'.
        pairs = parse_object(b'{"match": ' + text.encode() + b"}")["match"]
        return _conditions(kind, "_all", pairs)
    return (AnyValueContains(text),)


def resolve(kind: Kind, field: str) -> tuple[str, ...]:
    """The path in a stored document of a field that a search names.

    A name with dots is a path. A name without is a key at the top of the document if its kind has such a key, else a
    key of the main part of its kind: the schedule or the actions of a job, the schedule of a session, the
    ``freezer_action``, the ``client``, the ``backup_metadata``.
    """
    if "." in field:
        return tuple(field.split("."))
    if kind.wrapped_in is not None:
        return (field,) if field in _STORED_KEYS[kind.name] else (kind.wrapped_in, field)
    if field in kind.schema["properties"]:
        return (field,)
    if kind.name == "action":
        return ("freezer_action", field)
    if field in _SCHEDULE_KEYS:
        return ("job_schedule" if kind.name == "job" else "schedule", field)
    if kind.name == "session":
        return (field,)
    if field in JOB_ACTION_SCHEMA["properties"]:
        return ("job_actions", field)
    return ("job_actions", "freezer_action", field)
