# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of this room."""

from __future__ import annotations

from ..errors import FreezerError


class MissingScheduler(FreezerError):
    """APScheduler, which evaluates calendar fields, is not installed."""


class RoundError(FreezerError):
    """A session cannot do what a job asks of it; the message says why."""


class NotAMember(RoundError):
    """The job is none of the session's."""


class TagTooHigh(RoundError):
    """The job knows a round that the session has not had."""
