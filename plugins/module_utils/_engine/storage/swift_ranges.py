# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of an object in Swift: what is read is asked for when it is read, and nothing else is."""

from __future__ import annotations

from typing import Callable

from ..http.repeating import Answer
from .base import RangeReader

#: The most bytes of one answer.
_MOST_BYTES = 16 << 20


class SwiftRanges(RangeReader):
    """One object. Reading raises ObjectMissing, and StorageError also if the object was replaced since it was read first."""

    def __init__(self, ask: Callable[[int, str | None, int], tuple[Answer, int] | None]) -> None:
        """`ask` gives an answer with bytes from a place on, if the ETag is this one, at most so many; and the size of the whole."""
        self._ask = ask
        self._etag: str | None = None

    def read(self, begin: int, size: int) -> bytes:
        parts, position, end = [], begin, begin + size
        while position < end:
            found = self._ask(position, self._etag, min(end - position, _MOST_BYTES))
            if found is None:
                break
            answer, total = found
            self._etag = answer.headers.get("etag")
            part = answer.document
            if "content-range" not in answer.headers:
                part = part[position:]  # something on the way knows no ranges
            parts.append(part[: end - position])
            position += len(part)
            if not part or position >= total:
                break
        return b"".join(parts)

    def close(self) -> None:
        """Nothing is open."""
