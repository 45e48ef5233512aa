# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb verify: prove that a backup restores, in every storage of the action."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..action.options import parse_options
from ..progress import Progress
from .choosing import choose, described
from .conduct import readable_errors, run_verb
from .media.base import Medium
from .media.by_name import medium_of
from .results import LISTED_AT_MOST


@readable_errors("verification")
def verify(action: Mapping[str, Any], progress: Progress | None = None) -> dict[str, Any]:
    """Prove that a backup and its chain can be read, in every storage of the action.

    Nothing is written except a scratch folder, or in a cloud temporary images and volumes, which are removed.

    ``check`` is ``segments`` (sizes and hashes), ``stream`` (also read as a restore reads it) or ``restore`` (also
    restored aside and, with ``compare_to``, compared). Raises DamagedArchive if the proof fails, or a storage does not
    have the backup; differences from ``compare_to`` are a result, not an error.
    """
    return run_verb("verify", _verify, medium_of(parse_options(action)), progress)


def _verify(medium: Medium[Any, Any], progress: Progress, dry_run: bool) -> dict[str, Any]:
    del dry_run  # nothing changes in any case
    options = medium.options
    options.refuse_for("verify")
    check = "restore" if options.compare_to is not None else options.check
    chosen = choose(medium)
    chosen.need_everywhere()
    first, *others = chosen.copies
    started = time.time()
    differences = medium.prove(first, check, options.compare_to, progress)
    for copy in others:
        medium.prove_twin(copy, check, progress)
    return {
        **described(medium, first),
        **medium.describe_proof(first),
        **medium.cloud_problems(),
        "changed": False,
        "check": check,
        "outcome": "different" if differences else "success",
        "differences": differences[:LISTED_AT_MOST],
        "differences_count": len(differences),
        "duration_seconds": round(time.time() - started, 3),
    }
