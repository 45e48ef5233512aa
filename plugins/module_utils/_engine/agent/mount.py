# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb mount: one backup of files as a read-only file system, until it is unmounted."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Callable

from ..action.options import OptionError, parse_options
from ..archive.chain import is_first_version
from ..archive.mounted import MountedChain
from ..progress import Progress
from ..repository.errors import ArchiveError
from ..system import fuse
from ..system.file_names import shown
from .choosing import choose, described, first_whole
from .conduct import readable_errors, run_verb
from .media.base import Copy
from .media.by_name import medium_of
from .media.files import Files
from .media.upstream_copies import is_upstreams
from .results import LISTED_AT_MOST


def mount(
    action: Mapping[str, Any],
    mounted: Callable[[Mapping[str, Any]], None],
    tell: Callable[[str], None],
    dry_run: bool = False,
) -> dict[str, Any]:
    """Mount the backup that an action asks for at ``mount_point``, and serve it until it is unmounted, or a signal comes.

    `mounted` is called with the result so far as soon as it can be read, `tell` with a sentence about each file that cannot be
    read; these are ``not_read`` in the result. Only for the main thread. Raises FreezerError; nothing is mounted then.
    """
    medium = medium_of(parse_options(action))
    if not isinstance(medium, Files):
        raise OptionError(
            "Only backups of files can be mounted, and not those of a server or a volume; leave that out."
        )

    def work(files: Files, _progress: Progress, dry: bool) -> dict[str, Any]:
        options = files.options
        options.refuse_for("mount")
        point = options.need("mount_point", "say at which empty folder to mount the backup")
        real = fuse.mount_point(os.path.abspath(point))
        fuse.library()
        chosen = choose(files)
        chosen.refuse_older(options)
        started = time.time()
        with ExitStack() as stack:
            copy, tree, remarks = first_whole(chosen, lambda one: stack.enter_context(_opened(files, one, tell)))
            about = {**described(files, copy), "mount_point": shown(real), "paths_count": tree.count, "changed": False}
            if dry:
                return {**about, "outcome": "planned", "remarks": remarks}
            fuse.serve(tree, real, f"freezer-{copy.manifest.backup_id}", lambda: mounted(about))
        unread = [f"{path}: {why}" for path, why in tree.unread.items()]
        return {
            **about,
            "outcome": "partial" if unread else "success",
            "not_read_count": len(unread),
            "not_read": unread[:LISTED_AT_MOST],
            "remarks": remarks,
            "duration_seconds": round(time.time() - started, 3),
        }

    with readable_errors("mount"):
        return run_verb("mount", work, medium, None, dry_run)


def _opened(files: Files, copy: Copy[Any], tell: Callable[[str], None]) -> MountedChain:
    if is_upstreams(copy) or is_first_version(copy.chain):
        who = "the agent of OpenStack's Freezer" if is_upstreams(copy) else "an earlier release"
        raise ArchiveError(
            f"This backup was made by {who}, which stored no list of what is in it, so it cannot be mounted. Restore it, and look at that."
        )
    storage = copy.backup_set.storage
    return MountedChain(storage, copy.chain, files.sealing_of_data(storage, copy.stored), tell)
