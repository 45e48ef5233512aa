# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The rules of every kind, by the name of its routes."""

from __future__ import annotations

from collections.abc import Mapping

from .action import ActionRules
from .backup import BackupRules
from .base import Rules
from .client import ClientRules
from .job import JobRules
from .session import SessionRules

RULES: Mapping[str, Rules] = {
    rules.kind.plural: rules for rules in (BackupRules(), ClientRules(), JobRules(), ActionRules(), SessionRules())
}
