# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the C library does with memory that was freed."""

from __future__ import annotations

from functools import lru_cache

# malloc.h of glibc
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 32 << 20
_LARGE_BYTES = 16 << 20


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let this process keep up to 32 MiB that it has freed, for what it needs next.

    glibc gives blocks of 1 MiB, of which a data path uses one after the other, back to the system each time, and gets them anew page
    by page. Without glibc, or without ctypes, nothing is changed.
    """
    try:
        import ctypes  # some small Pythons have none

        mallopt = ctypes.CDLL(None).mallopt
    except (ImportError, OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
