# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The live source of a backup: nothing is quiesced, and files may change while they are read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ..action.options import OptionError, Options
from ..archive.scan import left_out
from ..archive.tar import Source
from ..system import mounts
from ..system.errors import HostError
from ..system.file_names import shown
from ..system.private_mount import open_folder, open_private_mount


@dataclass(frozen=True)
class Protection:
    """Whether other users can bring files from outside the source into a backup, by links in place of folders."""

    #: None for a user other than root, who reads nothing that this user may not read.
    whole: bool | None = None
    #: Why it is not whole, as a sentence part.
    reason: str | None = None
    #: A link on the way to the source that another user can exchange. It was followed.
    link: str | None = None


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
    protection: Protection = field(default_factory=Protection)

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
        live, remarks = _without_virtual_file_systems(source)
        with ExitStack() as stack:
            live, protection = protect(live, stack)
            yield ReadSource(live, left_out=remarks, protection=protection)


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


def protect(source: Source, stack: ExitStack) -> tuple[Source, Protection]:
    """The source as tar reads it, as root through a private mount where that can be; the stack closes it.

    Else tar follows a link that another user puts in place of a folder after tar has seen the folder. Raises OptionError if
    the folder cannot be opened.
    """
    if os.geteuid() != 0:
        return source, Protection()
    if source.dereference in ("soft", "all"):
        return source, Protection(False, "dereference_symlink is given, so that links are followed")
    link: str | None = None
    try:
        # Open until the end: the file system cannot be unmounted while it is read.
        folder, link = open_folder(os.path.abspath(source.folder))
        stack.callback(os.close, folder)
        obstacle = _unlike_in_private(source, folder)
        if obstacle is None:
            private = open_private_mount(folder)
            stack.callback(os.close, private)
            source = replace(source, private=private)
            obstacle = f"another user can exchange the link {link} on the way to the source" if link else None
    except OSError as problem:
        why = problem.strerror or problem
        raise OptionError(f"path_to_backup {shown(source.folder)} cannot be read: {why}.") from None
    except HostError as problem:
        obstacle = str(problem)
    return source, Protection(obstacle is None, obstacle, link)


def _unlike_in_private(source: Source, folder: int) -> str | None:
    """Why tar would not read the same in a private mount of a folder, as a sentence part; None if it would.

    What tar would have mounted on demand is mounted now.
    """
    if source.single_file is not None:
        path = os.path.join(source.folder, source.single_file)
        # A single file is archived as what its link leads to, wherever that is.
        followed = stat.S_ISLNK(os.stat(source.single_file, dir_fd=folder, follow_symlinks=False).st_mode)
        return f"{shown(path)} is a symbolic link, which is followed" if followed else None
    real, table = os.path.realpath(source.folder), mounts.read_mounts()
    for mount in table:
        if mount.unbindable and mount.point != real and mounts.is_below(mount.point, real):
            return f"unbindable mounts are not in a private one: {shown(mount.point)}"
    for mount in mounts.without_files(real, table):
        if mount.kind == "autofs" and not _is_left_out(source, os.path.relpath(mount.point, real)):
            _mount_on_demand(mount.point)
    return None


def _is_left_out(source: Source, path: str) -> bool:
    """Whether a path relative to the source, or a folder above it, is left out."""
    parts = path.split("/")
    return any(
        left_out(source, "/".join([".", *parts[:count]]), parts[count - 1]) for count in range(1, len(parts) + 1)
    )


def _mount_on_demand(point: str) -> None:
    """Have a file system mounted, as tar would by looking at its folder: in a private mount it would not appear any more."""
    try:
        os.close(os.open(point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError:
        pass  # tar cannot enter it either, and says so
