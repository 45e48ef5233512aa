# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Searches in the query language of Elasticsearch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..base import CLIENT_PATHS, Document, Scope
from ..query import AnyValueContains, Condition, FieldMatches, Query
from .fields import HAS_ELEMENTS, LISTS, LONGEST_PIECE, contains, lowered, presence_term, value_term

_WILD = str.maketrans({"\\": "\\\\", "*": "\\*", "?": "\\?"})


@dataclass(frozen=True)
class Question:
    """A query for Elasticsearch, and conditions that it cannot express, which are checked on the documents found."""

    query: dict[str, Any]
    also_contain: tuple[AnyValueContains, ...] = ()
    contain_none_of: tuple[AnyValueContains, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether the query expresses all conditions."""
        return not self.also_contain and not self.contain_none_of

    def is_met_by(self, document: Document) -> bool:
        """Whether a document that ``query`` has found matches the other conditions."""
        return all(contains(document, condition) for condition in self.also_contain) and not any(
            contains(document, condition) for condition in self.contain_none_of
        )


def question(kind: str, scope: Scope, query: Query, only_ids: Sequence[str] | None = None) -> Question:
    """The documents of a kind in a scope that a query matches.

    ``only_ids`` are the sessions of the client of the scope, which are known from its jobs.
    """
    wanted: list[dict[str, Any]] = []
    # Placeholders of documents whose creation is not decided yet.
    unwanted: list[dict[str, Any]] = [_term("is_absent", True)]
    if scope.project_id is not None:
        wanted.append(_term("project_id", scope.project_id))
    if scope.user_id is not None:
        wanted.append(_term("user_id", scope.user_id))
    if only_ids is not None:
        wanted.append({"terms": {"id": list(only_ids)}})
    elif scope.client_id is not None and kind in CLIENT_PATHS:
        wanted.append(_clause(kind, FieldMatches(CLIENT_PATHS[kind], scope.client_id)))
    elif scope.client_id is not None:
        wanted.append({"match_none": {}})
    wanted += [_clause(kind, condition) for condition in query.match]
    long_ones = [condition for condition in query.match_not if _is_long(condition)]
    unwanted += [_clause(kind, condition) for condition in query.match_not if condition not in long_ones]
    bounds = {"gte": query.time_after, "lte": query.time_before}
    if any(bound is not None for bound in bounds.values()):
        named = {name: bound for name, bound in bounds.items() if bound is not None}
        wanted.append({"range": {"time_stamp": named}})
    return Question(
        {"bool": {"filter": wanted, "must_not": unwanted}},
        tuple(
            condition for condition in query.match if isinstance(condition, AnyValueContains) and _is_long(condition)
        ),
        tuple(condition for condition in long_ones if isinstance(condition, AnyValueContains)),
    )


def _clause(kind: str, condition: Condition) -> dict[str, Any]:
    if isinstance(condition, AnyValueContains):
        return _contains(condition)
    field = _own_field(kind, condition)
    if field is not None:
        return _term(field, condition.value)
    if condition.value is not None:
        return _term("fields", value_term(condition.path, condition.value))
    is_null: dict[str, Any] = {"bool": {"must_not": [_term("fields", presence_term(condition.path))]}}
    if len(condition.path) > 1 and condition.path[0] == LISTS.get(kind):
        # A list without elements does not match.
        is_null["bool"]["filter"] = [_term("fields", HAS_ELEMENTS)]
    return is_null


def _own_field(kind: str, condition: FieldMatches) -> str | None:
    """The field for the id or the owner that a condition is about, None for another condition."""
    if not isinstance(condition.value, str):
        return None
    if condition.path in (("user_id",), ("project_id",)):
        return condition.path[0]
    id_path = ("client", "client_id") if kind == "client" else (f"{kind}_id",)
    return "id" if condition.path == id_path else None


def _contains(condition: AnyValueContains) -> dict[str, Any]:
    text = lowered(condition.text)
    pieces = [text[start : start + LONGEST_PIECE] for start in range(0, len(text), LONGEST_PIECE)] or [""]
    fields = ("values", "secret_values") if condition.looks_into_secrets else ("values",)
    return {
        "bool": {
            "filter": [
                {
                    "bool": {
                        "should": [{"wildcard": {field: {"value": f"*{piece.translate(_WILD)}*"}}} for field in fields]
                    }
                }
                for piece in pieces
            ]
        }
    }


def _is_long(condition: Condition) -> bool:
    """Whether a text is searched in several pieces, which may be in several values."""
    return isinstance(condition, AnyValueContains) and len(condition.text) > LONGEST_PIECE


def _term(field: str, value: Any) -> dict[str, Any]:
    return {"term": {field: {"value": value}}}
