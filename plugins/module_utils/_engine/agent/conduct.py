# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is common to all verbs: the options about priority, written buffers and clouds, and readable system errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from ..action.options import Options
from ..errors import FreezerError, OptionError
from ..progress import Progress
from ..system import process
from ..system.errors import HostError
from ..system.scratch import is_full, is_in_temporary_folder, no_room
from .media.copied import Copied

_HIGHEST_NICENESS = -20
#: The class and the level of ionice that upstream's agent asks for: real time, first.
_IO_PRIORITY = ("-c", "1", "-n", "0")
_IONICE_SECONDS = 10.0

#: A verb: it gets the medium, where to show progress, and whether it is a dry run.
Work = Callable[[Any, Progress, bool], dict[str, Any]]


@contextmanager
def readable_errors(work: str) -> Iterator[None]:
    """Turn an OSError that no room below has explained into a FreezerError."""
    try:
        yield
    except OSError as problem:
        if is_full(problem) and is_in_temporary_folder(problem):
            raise FreezerError(f"The {work} failed: {no_room(problem)}") from problem
        raise FreezerError(f"The {work} failed: {problem}.") from problem


def run_verb(
    work: str, do: Work, medium: Copied[Any, Any], progress: Progress | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Run a verb, with ``max_priority``, ``sync``, ``insecure``, ``proxy``, ``timeout`` and ``dry_run`` of its action.

    ``warnings`` of the result has a sentence for each of them that has no effect; ``chosen`` has a sentence for each
    storage or container that the action did not name.
    """
    options = medium.options
    dry_run = dry_run or options.dry_run
    warnings = _about_clouds(options, medium)
    if options.max_priority:
        warnings += raise_priority()
    if options.sync and work == "backup" and not dry_run:
        warnings += medium.sync()
    result = do(medium, progress or Progress(), dry_run)
    more = {"warnings": warnings, "chosen": options.chosen()}
    return {**result, **{key: sentences for key, sentences in more.items() if sentences}}


def raise_priority() -> list[str]:
    """Give this process and its children the highest CPU and disk priority; sentences about what was refused."""
    refused = []
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _HIGHEST_NICENESS)
    except OSError as problem:
        refused.append(f"max_priority: the priority for processors stays as it is: {problem.strerror}.")
    program = process.find("ionice")
    if program is None:
        return [*refused, "max_priority: the priority for disks stays as it is: this host has no ionice."]
    try:
        done = process.run([program, *_IO_PRIORITY, "-p", str(os.getpid())], timeout_seconds=_IONICE_SECONDS)
        said = done.first_words if done.status != 0 else ""
    except HostError as problem:
        said = str(problem)
    return [*refused, f"max_priority: the priority for disks stays as it is: {said.rstrip('.')}."] if said else refused


def _about_clouds(options: Options, medium: Copied[Any, Any]) -> list[str]:
    asked = [name for name in ("insecure", "proxy", "timeout") if getattr(options, name)]
    if not asked:
        return []
    try:
        asks_cloud = medium.asks_cloud()
    except OptionError:
        return []  # the verb itself reports it
    if not asks_cloud:
        return [f"{name} is about requests to a cloud, and none is asked here." for name in asked]
    if options.insecure:
        return [
            "insecure: the certificates of the cloud are not verified; everyone on the network path can read the password."
        ]
    return []
