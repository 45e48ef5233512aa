# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Retries of writes that lost a race."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import UnavailableError
from ..store.errors import ConflictError

T = TypeVar("T")

ATTEMPTS = 60
_LONGEST_PAUSE_SECONDS = 0.02


def until_no_conflict(attempt: Callable[[], T]) -> T:
    """What ``attempt`` returns once it raises no ConflictError. Raises UnavailableError if that does not happen."""
    for number in range(ATTEMPTS):
        try:
            return attempt()
        except ConflictError:
            pause(number)
    raise too_many_others()


def pause(number: int) -> None:
    """Wait for a random time, longer after every attempt."""
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.001 * 2**number)))


def too_many_others() -> UnavailableError:
    """The error after the last attempt."""
    return UnavailableError("Too many callers change this document at once; try again", headers={"Retry-After": "1"})
