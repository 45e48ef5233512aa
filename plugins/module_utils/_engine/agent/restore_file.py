# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A restore of one file to a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..action.options import OptionError, parse_options
from ..archive.one_file import OneFile
from ..progress import Progress
from .choosing import choose, described, first_whole
from .conduct import readable_errors, run_verb
from .media.base import Copy
from .media.by_name import medium_of
from .media.files import Files
from .media.parts import selection


def restore_file(
    action: Mapping[str, Any], descriptor: int, progress: Progress | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Write the content of the one file that ``include`` selects to a descriptor.

    Raises FreezerError; some of the content may be written then.
    """
    medium = medium_of(parse_options(action))
    if not isinstance(medium, Files):
        raise OptionError("restore_abs_path - is for a file of a backup, and not for a server or a volume.")
    if not medium.options.include:
        raise OptionError("include is missing: say which file to write to standard output.")

    def work(files: Files, shown: Progress, dry: bool) -> dict[str, Any]:
        files.options.refuse_for("restore")
        chosen = choose(files)
        chosen.refuse_older(files.options)
        started = time.time()
        with ExitStack() as stack:
            copy, file, remarks = first_whole(chosen, lambda one: _found(files, one, stack))
            result = {**described(files, copy), "path": file.name, "restored_bytes": file.size, "remarks": remarks}
            if dry:
                return {**result, "changed": True, "outcome": "planned"}
            shown.begin("restore", file.size)
            try:
                file.write(descriptor, lambda content_bytes: shown.advance(done_bytes=content_bytes))
            finally:
                shown.end()
        duration = round(time.time() - started, 3)
        return {**result, "changed": True, "outcome": "success", "duration_seconds": duration}

    with readable_errors("restore"):
        return run_verb("restore", work, medium, progress, dry_run)


def _found(files: Files, copy: Copy[Any], stack: ExitStack) -> OneFile:
    """The file in one copy. Once its content is being written there is no other way."""
    part = selection(files.options, copy)
    if part is None:
        raise OptionError("include is missing: say which file to write to standard output.")
    storage = copy.backup_set.storage
    return stack.enter_context(OneFile(storage, copy.chain, files.sealing_of_data(storage, copy.stored), part))
