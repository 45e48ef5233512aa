# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The one base class of everything the engine raises on purpose."""

from __future__ import annotations


class FreezerError(Exception):
    """Something that the user has to know: what happened, to what, and what to do, as a sentence."""


class OptionError(FreezerError):
    """An option has no usable value, is missing, or asks for what this release cannot do."""


class UnknownOption(OptionError):
    """An action has a key that this release does not know."""
