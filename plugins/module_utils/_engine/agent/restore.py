# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb restore: the backup that an action asks for, from the first storage whose copy is whole."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..action.options import parse_options
from ..progress import Progress
from .choosing import choose, described, first_whole
from .conduct import readable_errors, run_verb
from .media.base import Medium
from .media.by_name import medium_of
from .results import LISTED_AT_MOST


@readable_errors("restore")
def restore(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Restore the backup that an action asks for: files into ``restore_abs_path``, else a new server or volume.

    The target becomes visible as a whole. A folder that is not empty is refused unless ``overwrite`` is set, and files
    that the backup does not have stay. Raises FreezerError; the target is unchanged then.
    """
    return run_verb("restore", _restore, medium_of(parse_options(action)), progress, dry_run)


def _restore(medium: Medium[Any, Any], progress: Progress, dry_run: bool) -> dict[str, Any]:
    options = medium.options
    options.refuse_for("restore")
    medium.check_target()
    chosen = choose(medium)
    chosen.refuse_older(options)
    started = time.time()
    copy, made, remarks = first_whole(chosen, lambda one: medium.restore(one, progress, dry_run))
    return {
        **described(medium, copy),
        **made,
        **medium.cloud_problems(),
        "remarks": [*remarks, *made.get("remarks", [])][:LISTED_AT_MOST],
        "duration_seconds": round(time.time() - started, 3),
    }
