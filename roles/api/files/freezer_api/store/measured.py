# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A store that measures the duration of its calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TypeVar

from .base import Change, Scope, Store, Stored
from .errors import ConflictError, DocumentTooLargeError
from .query import EVERYTHING, Query

T = TypeVar("T")

#: Gets the name of a call, ``ok``, ``conflict`` or ``error``, and the seconds that it took.
Report = Callable[[str, str, float], None]


class MeasuredStore(Store):
    """Another store, with a report of every call."""

    def __init__(self, store: Store, report: Report) -> None:
        self._store = store
        self._report = report

    def get(self, kind: str, document_id: str, scope: Scope) -> Stored | None:
        return self._measured("get", lambda: self._store.get(kind, document_id, scope))

    def search(
        self, kind: str, scope: Scope, query: Query = EVERYTHING, limit: int = 10, offset: int = 0
    ) -> list[Stored]:
        return self._measured("search", lambda: self._store.search(kind, scope, query, limit, offset))

    def stream(
        self, kind: str, scope: Scope, query: Query = EVERYTHING, limit: int = 10, offset: int = 0
    ) -> Iterator[Stored]:
        # Only the time until the first document: later ones wait for the client too.
        documents = self._store.stream(kind, scope, query, limit, offset)
        first = self._measured("search", lambda: list(islice(documents, 1)))
        return chain(first, documents)

    def every(self, kind: str) -> Iterator[Stored]:
        return self._store.every(kind)

    def state(self, kind: str, scope: Scope) -> str:
        return self._measured("state", lambda: self._store.state(kind, scope))

    def apply(self, changes: Sequence[Change]) -> list[int]:
        return self._measured("apply", lambda: self._store.apply(changes))

    def apply_each(self, groups: Sequence[Sequence[Change]]) -> list[list[int] | ConflictError | DocumentTooLargeError]:
        return self._measured("apply_each", lambda: self._store.apply_each(groups))

    def counts(self) -> Mapping[str, int]:
        return self._measured("counts", self._store.counts)

    def check(self) -> None:
        self._measured("check", self._store.check)

    def close(self) -> None:
        self._store.close()

    def _measured(self, call: str, ask: Callable[[], T]) -> T:
        outcome = "error"
        started = time.perf_counter()
        try:
            answer = ask()
            outcome = "ok"
            return answer
        except ConflictError:
            outcome = "conflict"
            raise
        finally:
            self._report(call, outcome, time.perf_counter() - started)
