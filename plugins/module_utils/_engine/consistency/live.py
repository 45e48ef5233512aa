# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The live source of a backup: nothing is quiesced, and files may change while they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ..action.options import OptionError, Options
from ..archive.tar import Source
from ..system import mounts
from ..system.file_names import shown


@dataclass
class ReadSource:
    """What is read in place of the source that an action names. Times are nanoseconds since 1970."""

    source: Source
    consistency: str = "crash"
    moment_ns: int | None = None
    snapshot: dict[str, Any] | None = None
    hold: dict[str, Any] | None = None
    #: File systems below the path that are not read.
    left_out: list[dict[str, str]] = field(default_factory=list)
    #: Sentences about leftovers; complete when the context has ended.
    problems: list[str] = field(default_factory=list)

    def confirm(self) -> dict[str, Any]:
        """The manifest's fields about snapshot and hold, after everything was read."""
        return {"snapshot": self.snapshot, "hold": self.hold}


class Live:
    """Reads the live source, which is all that an action without a snapshot needs."""

    def home_path(self, options: Options, path: str) -> str:
        """The path of the data when no snapshot is mounted."""
        del options
        return path

    def excluded(self, options: Options) -> list[str]:
        """Patterns, as tar takes them, of what a backup in the mode of an action never contains."""
        del options
        return []

    def one_file_system(self, options: Options, folder: str) -> bool:
        """Whether a backup stays on the file system of its path: as the options say, else only if it reads a snapshot.

        If nothing is mounted below, the result is true, as in old releases, so that their backup sets are continued.
        """
        if options.one_file_system is not None:
            return options.one_file_system
        return options.wants_snapshot or not mounts.mounted_below(os.path.realpath(folder), mounts.read_mounts())

    def check(self, options: Options, source: Source, of_set: str) -> None:
        """Check that the source can be read, and change nothing. `of_set` is the name of the set of backups.

        Raises OptionError.
        """
        del source, of_set
        for sentence in options.lacking("backup").values():
            raise OptionError(sentence)

    @contextmanager
    def read(self, options: Options, source: Source, of_set: str) -> Iterator[ReadSource]:
        """The source to read, for as long as the body runs. Raises the errors of `check` before the body."""
        self.check(options, source, of_set)
        live, left_out = _without_virtual_file_systems(source)
        yield ReadSource(live, left_out=left_out)


def _without_virtual_file_systems(source: Source) -> tuple[Source, list[dict[str, str]]]:
    """The source without /proc and the like, and remarks about them. With `one_file_system` tar itself reports them."""
    if source.one_file_system or source.single_file is not None:
        return source, []
    real = os.path.realpath(source.folder)
    found = mounts.without_files(real, mounts.read_mounts())
    inside = [f"./{os.path.relpath(mount.point, real)}" for mount in found]
    said = [
        {"path": shown(path), "kind": "other_file_system", "message": f"{mount.kind} holds no files; not dumped"}
        for path, mount in zip(inside, found)
    ]
    return replace(source, not_entered=inside), said
