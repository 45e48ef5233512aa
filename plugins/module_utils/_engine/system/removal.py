# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The removal of whole trees, however deep they are and whatever modes their folders have."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from . import process
from .errors import HostError
from .file_names import shown


def make_writable(folder: str) -> None:
    """Let the owner into every folder of a tree, so that it can be changed or removed."""
    for path in folders_below(folder):
        mode = os.lstat(path).st_mode
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(path, stat.S_IMODE(mode) | stat.S_IRWXU)


def folders_below(folder: str) -> Iterator[bytes]:
    """Every folder below one, each before what is in it is looked for. A loop, because trees are deeper than stacks."""
    pending = [os.fsencode(folder)]
    while pending:
        with os.scandir(pending.pop()) as found:
            folders = [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
        yield from folders
        pending += folders


def remove_tree(path: str) -> None:
    """Remove a folder and all that is in it.

    With rm if there are folders in it, because Python's way ends at some hundred of them in each other. A program takes
    longer to start than the files of a backup take to go.
    """
    make_writable(path)
    try:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)
        return
    except OSError:
        pass  # a folder, or what rm will tell
    done = process.run(["rm", "-rf", "--", path])
    if done.status != 0:
        raise HostError(f"The folder {shown(path)}, which the restore needed, cannot be removed: {done.first_words}.")
