# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Searches as SQL: every condition becomes an expression over a row of the table ``document``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import SECRET_WORDS

from ..base import CLIENT_PATHS, Scope
from ..query import EVERYTHING, AnyValueContains, Condition, FieldMatches, Query, Scalar

#: Paths whose values are in columns too: the indices are on the columns.
_COLUMNS: dict[str, dict[tuple[str, ...], str]] = {
    "client": {("client", "client_id"): "id"},
    "job": {("job_id",): "id", ("client_id",): "client_id", ("job_schedule", "status"): "status"},
    "action": {("action_id",): "id"},
    "session": {("session_id",): "id"},
    "backup": {("backup_id",): "id"},
}
_OWNER_COLUMNS: dict[tuple[str, ...], str] = {("user_id",): "user_id", ("project_id",): "project_id"}

#: Keys below which a kind has a list of objects.
_LISTS = {"job": ("job_actions",)}

#: Whether a value of json_tree is below a key with the name of a secret.
_IS_SECRET = " OR ".join(f"instr(replace(lower(t.fullkey), '-', '_'), '{word}') > 0" for word in SECRET_WORDS)


@dataclass
class Where:
    """The parts of a WHERE clause and the values for its question marks."""

    parts: list[str] = field(default_factory=list)
    values: list[Scalar] = field(default_factory=list)

    def add(self, part: str, *values: Scalar) -> None:
        """Add a condition."""
        self.parts.append(part)
        self.values.extend(values)

    def __str__(self) -> str:
        return " AND ".join(self.parts)


def where(kind: str, scope: Scope, query: Query) -> Where:
    """The clause for the documents of a kind in a scope that a query matches."""
    clause = Where()
    clause.add("kind = ?", kind)
    if scope.project_id is not None:
        clause.add("project_id = ?", scope.project_id)
    if scope.user_id is not None:
        clause.add("user_id = ?", scope.user_id)
    if scope.client_id is not None:
        clause.add(*_of_client(kind, scope, scope.client_id))
    for condition in query.match:
        sql, values = _expression(kind, condition)
        clause.add(sql, *values)
    for condition in query.match_not:
        sql, values = _expression(kind, condition)
        # "IS NOT TRUE" and not "NOT": an absent key does not match, so the document is not excluded.
        clause.add(f"({sql}) IS NOT TRUE", *values)
    if query.time_after is not None:
        clause.add("time_stamp >= ?", query.time_after)
    if query.time_before is not None:
        clause.add("time_stamp <= ?", query.time_before)
    return clause


def _of_client(kind: str, scope: Scope, client_id: str) -> tuple[str, *tuple[Scalar, ...]]:
    """An expression for the documents of a kind that belong to a client, and its values."""
    if kind == "session":
        jobs = where("job", scope, EVERYTHING)
        return (f"id IN (SELECT json_extract(body, '$.session_id') FROM document WHERE {jobs})", *jobs.values)
    if kind not in CLIENT_PATHS:
        return ("FALSE",)
    sql, values = _expression(kind, FieldMatches(CLIENT_PATHS[kind], client_id))
    return (sql, *values)


def _expression(kind: str, condition: Condition) -> tuple[str, list[Scalar]]:
    if isinstance(condition, AnyValueContains):
        hidden = "" if condition.looks_into_secrets else f" AND NOT ({_IS_SECRET})"
        sql = f"EXISTS (SELECT 1 FROM json_tree(body) AS t WHERE instr(lower(t.atom), lower(?)) > 0{hidden})"
        return sql, [condition.text]
    column = _COLUMNS[kind].get(condition.path) or _OWNER_COLUMNS.get(condition.path)
    if column is not None and isinstance(condition.value, str):
        return f"{column} = ?", [condition.value]
    lists = _LISTS.get(kind, ())
    if condition.path[0] in lists and len(condition.path) > 1:
        sql, values = _value_matches("e.value", FieldMatches(condition.path[1:], condition.value))
        return f"EXISTS (SELECT 1 FROM json_each(body, ?) AS e WHERE {sql})", [_json_path(condition.path[:1]), *values]
    return _value_matches("body", condition)


def _value_matches(source: str, condition: FieldMatches) -> tuple[str, list[Scalar]]:
    """An expression that is true if the value at a path in the JSON ``source``, or an element of it, is the wanted one."""
    path = _json_path(condition.path)
    scalar, scalar_values = _equals(f"json_type({source}, ?)", f"json_extract({source}, ?)", condition.value)
    element, element_values = _equals("f.type", "f.atom", condition.value)
    sql = (
        f"CASE json_type({source}, ?) WHEN 'array' THEN"
        f" EXISTS (SELECT 1 FROM json_each({source}, ?) AS f WHERE {element}) ELSE {scalar} END"
    )
    paths: list[Scalar] = [path] * scalar.count(f"({source}, ?)")
    return sql, [path, path, *element_values, *paths, *scalar_values]


def _equals(type_sql: str, value_sql: str, value: Scalar) -> tuple[str, list[Scalar]]:
    if value is None:
        return f"coalesce({type_sql}, 'null') = 'null'", []
    if isinstance(value, bool):
        return f"coalesce({type_sql}, '') = '{'true' if value else 'false'}'", []
    types = "('text')" if isinstance(value, str) else "('integer', 'real')"
    return f"{type_sql} IN {types} AND {value_sql} = ?", [value]


def _json_path(keys: tuple[str, ...]) -> str:
    """A path for SQLite's JSON functions. The keys contain no quotes: the API refuses such names."""
    return "$" + "".join(f'."{key}"' for key in keys)
