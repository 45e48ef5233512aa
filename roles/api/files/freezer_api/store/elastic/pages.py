# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Pages of a list, also beyond the ten thousandth document, which is the limit of offsets in Elasticsearch.

Beyond it a page begins after the last document of the one before. The ends of pages are cached, so that a client that
reads page after page does not begin at the first document each time.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .connection import Found, found_in

_WINDOW = 10_000
_STEP = 1000
#: Documents are read in steps: first a few, then as many as their size allows.
_FIRST_STEP = 10
_STEP_CHARACTERS = 2_097_152
_REMEMBERED = 256
_REMEMBERED_SECONDS = 60.0
_SOURCE = ["body", "id", "project_id", "user_id", "version", "order", "transaction"]

Position = list[Any]


#: From an alias and the body of a search to its answer.
Search = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class Pages:
    """Reads documents in the order of their creation."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._ends: OrderedDict[tuple[str, int], tuple[float, Position]] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, alias: str, query: Mapping[str, Any], limit: int, offset: int) -> Iterator[Found]:
        """The documents of a query from an offset on."""
        if offset + limit <= _WINDOW:
            yield from self._walk(alias, query, limit, offset=offset)
            return
        asked = f"{alias} {json.dumps(query, sort_keys=True)}"
        at, position = self._nearest(asked, offset)
        while at < offset:
            hits = self._hits(alias, query, min(_WINDOW, offset - at), position, with_source=False)
            if not hits:
                return
            at, position = at + len(hits), hits[-1]["sort"]
        read, end = 0, position
        for hit in self._hits_in_steps(alias, query, limit, position):
            read, end = read + 1, hit["sort"]
            yield found_in(hit)
        if read and end is not None:
            self._remember(asked, offset + read, end)

    def every(self, alias: str, query: Mapping[str, Any]) -> Iterator[Found]:
        """All documents of a query."""
        return self._walk(alias, query, None)

    def _walk(self, alias: str, query: Mapping[str, Any], limit: int | None, *, offset: int = 0) -> Iterator[Found]:
        return (found_in(hit) for hit in self._hits_in_steps(alias, query, limit, offset=offset))

    def _hits_in_steps(
        self,
        alias: str,
        query: Mapping[str, Any],
        limit: int | None,
        position: Position | None = None,
        *,
        offset: int = 0,
    ) -> Iterator[Any]:
        """Hits in as few requests as possible, each of some megabytes at most."""
        step, left = _FIRST_STEP, limit
        while left is None or left > 0:
            size = step if left is None else min(step, left)
            hits = self._hits(alias, query, size, position, offset=offset if position is None else 0)
            if not hits:
                return
            position = hits[-1]["sort"]
            read, average = len(hits), sum(len(hit["_source"]["body"]) for hit in hits) // len(hits)
            yield from hits
            if read < size:
                return
            left = None if left is None else left - read
            step = max(1, min(_STEP, step * 100, _STEP_CHARACTERS // max(average, 1)))

    def _hits(
        self,
        alias: str,
        query: Mapping[str, Any],
        size: int,
        position: Position | None = None,
        *,
        offset: int = 0,
        with_source: bool = True,
    ) -> list[Any]:
        body: dict[str, Any] = {
            "query": query,
            "size": size,
            "sort": [{"order": "asc"}, {"key": "asc"}],
            "track_total_hits": False,
            "_source": _SOURCE if with_source else False,
            "seq_no_primary_term": True,
        }
        if position is not None:
            body["search_after"] = position
        elif offset:
            body["from"] = offset
        hits: list[Any] = self._search(alias, body)["hits"]["hits"]
        return hits

    def _nearest(self, asked: str, offset: int) -> tuple[int, Position | None]:
        """The last cached end of a page that is not beyond an offset."""
        best: tuple[int, Position | None] = (0, None)
        with self._lock:
            for (other, at), (since, position) in self._ends.items():
                if other == asked and best[0] < at <= offset and time.monotonic() - since < _REMEMBERED_SECONDS:
                    best = (at, position)
        return best

    def _remember(self, asked: str, at: int, position: Position) -> None:
        with self._lock:
            self._ends[(asked, at)] = (time.monotonic(), position)
            while len(self._ends) > _REMEMBERED:
                self._ends.popitem(last=False)
