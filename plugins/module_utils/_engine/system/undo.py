# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is to be taken back when something does not end well."""

from __future__ import annotations

from types import TracebackType
from typing import Callable


class on_failure:  # noqa: N801 - it is read as the statement that it makes of `with`
    """A context that calls a step if its body is left by an error, an interrupt or a signal, and never else.

    What the body raised goes on. What the step raises takes its place, as in an ``except`` clause.
    """

    def __init__(self, step: Callable[[], object]) -> None:
        self._step = step

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._step()
