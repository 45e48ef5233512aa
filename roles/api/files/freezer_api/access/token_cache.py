# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A cache for Keystone's answers about tokens, of one process, for a short time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_MOST = 10_000


class TokenCache:
    """A cache with the two methods of memcache that keystonemiddleware uses; its keys are hashes of tokens.

    The oldest entry is dropped when it is full. The middleware itself checks whether a token has expired.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """The value of a key, or None if there is none or it has expired."""
        with self._lock:
            until, value = self._known.get(key, (0.0, b""))
        return value if until > _now() else None

    def set(self, key: str, value: bytes, time: int = 0) -> None:
        """Keep a value for ``time`` seconds; the name is memcache's."""
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = (_now() + time, value)
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def _now() -> float:
    return time.monotonic()
