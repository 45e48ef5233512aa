# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The part of a backup of files that an action asks for: its ``include`` and ``exclude``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ...action.options import Options
from ...archive import chain as chains
from ...archive.extract import Extracted
from ...archive.selection import Selection
from ...repository.backup_set import StoredBackup
from .base import Copy
from .upstream_copies import is_upstreams


def selection(options: Options, copy: Copy[Any]) -> Selection | None:
    """What of a backup is to be restored; None for all of it. Raises ArchiveError where no part can be."""
    if not (options.include or options.exclude):
        return None
    if is_upstreams(copy):
        raise chains.no_part("was made by the agent of OpenStack's Freezer")
    if chains.is_first_version(copy.chain):
        raise chains.no_part("was made by an earlier release")
    return Selection(patterns(options.include, copy.stored), patterns(options.exclude, copy.stored))


def patterns(given: Iterable[str], backup: StoredBackup) -> list[bytes]:
    """Patterns as the catalogue of a backup takes them: an absolute path is one of the host that was backed up.

    One that is not below what was backed up matches nothing.
    """
    known = backup.known
    top = os.fsencode(known.path if known.single_file is None else os.path.dirname(known.path)).rstrip(b"/")
    found = []
    for one in map(os.fsencode, given):
        inside = one.startswith(top + b"/") or one == top
        found.append(b"." + one[len(top) :] if one.startswith(b"/") and inside else one)
    return found


def counted(met: Extracted) -> dict[str, int]:
    """How many paths were selected, in a result of a part."""
    return {} if met.selected is None else {"selected": met.selected}
