# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Searches, independent of the store."""

from __future__ import annotations

from dataclasses import dataclass

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class FieldMatches:
    """The value at ``path`` in the document is ``value``.

    If there is a list on the path, or at its end, one matching element is enough. A value of None also matches a key
    that is absent. Values of different JSON types are never equal.
    """

    path: tuple[str, ...]
    value: Scalar


@dataclass(frozen=True)
class AnyValueContains:
    """Some value in the document contains ``text``, whatever the case of its ASCII letters.

    Without ``looks_into_secrets`` values below a key with a secret's name (``SECRET_WORDS``) are left out.
    """

    text: str
    looks_into_secrets: bool = True


Condition = FieldMatches | AnyValueContains


@dataclass(frozen=True)
class Query:
    """Documents that match all of ``match`` and none of ``match_not``.

    ``time_after`` and ``time_before`` bound, both included, the time stamp of a backup, in seconds since 1970.
    """

    match: tuple[Condition, ...] = ()
    match_not: tuple[Condition, ...] = ()
    time_after: int | None = None
    time_before: int | None = None

    def narrowed(self, other: Query) -> Query:
        """The query for documents that both this one and another one find."""
        after = [time for time in (self.time_after, other.time_after) if time is not None]
        before = [time for time in (self.time_before, other.time_before) if time is not None]
        return Query(
            self.match + other.match,
            self.match_not + other.match_not,
            max(after, default=None),
            min(before, default=None),
        )


EVERYTHING = Query()
