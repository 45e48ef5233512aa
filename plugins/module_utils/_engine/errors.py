# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The base class of all errors that the engine raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MOST_CHARACTERS = 100


class FreezerError(Exception):
    """An error for the user; its message is a sentence with what happened, to what, and what to do."""


class NoBackup(FreezerError):
    """There is no backup that the options ask for, and nothing else is wrong."""


class OptionError(FreezerError):
    """An option has no usable value, is missing, or asks for what this release cannot do."""


class UnknownOption(OptionError):
    """An action has a key that this release does not know."""


def quoted(value: Any) -> str:
    """A value that was given as messages have it: as Python writes it, cut where it would fill the message."""
    if isinstance(value, str):
        return repr(value[:_MOST_CHARACTERS]) + ("..." if len(value) > _MOST_CHARACTERS else "")
    text = repr(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def in_a_row(names: Sequence[str]) -> str:
    """Names as a sentence has them: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
