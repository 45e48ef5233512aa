# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Moves staged files into the open folders of a target, also to another file system that is mounted there."""

from __future__ import annotations

import errno
import os
import secrets
import stat

from ..repository.errors import ArchiveError
from ..system import process, trust
from ..system.file_names import shown
from ..system.removal import make_writable
from .target_folder import ENTRY_FLAGS, MEANWHILE, STAGING_PREFIX, Folder, let_owner_in, opened


def move(source: str, target: Folder, name: str) -> bool:
    """Rename over any file in an open folder; across file systems copy beside it first. True if it was copied."""
    try:
        _rename(source, target.descriptor, name)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        _copy_over(source, target, name)
        return True
    return False


def _rename(source: str, target: int, name: str) -> None:
    mode = os.lstat(source).st_mode
    if os.geteuid() == 0 or not stat.S_ISDIR(mode) or mode & stat.S_IWUSR:
        os.rename(source, name, dst_dir_fd=target)
        return
    # Moving a folder writes its own "..", so its owner has to be let in.
    folder = os.open(source, ENTRY_FLAGS)
    try:
        os.chmod(opened(folder), stat.S_IMODE(mode) | stat.S_IRWXU)
        try:
            os.rename(source, name, dst_dir_fd=target)
        finally:
            os.chmod(opened(folder), stat.S_IMODE(mode))
    finally:
        os.close(folder)


def _copy_over(source: str, target: Folder, name: str) -> None:
    """Copy to another file system, completely or not at all."""
    # In a private folder: the copy may belong to another user, who must not access it before it is complete.
    beside = f"{STAGING_PREFIX}{secrets.token_hex(4)}"
    os.mkdir(beside, 0o700, dir_fd=target.descriptor)
    try:
        descriptor = os.open(beside, ENTRY_FLAGS | os.O_DIRECTORY, dir_fd=target.descriptor)
        try:
            if not trust.is_own(os.fstat(descriptor)):
                raise OSError(errno.EAGAIN, MEANWHILE)
            folder = opened(descriptor)
            try:
                _copy(source, folder, os.path.join(target.path, name))
                _rename(f"{folder}/copy", target.descriptor, name)
            finally:
                _clear(folder)
        finally:
            os.close(descriptor)
    finally:
        os.rmdir(beside, dir_fd=target.descriptor)


def _copy(source: str, folder: str, path: str) -> None:
    """Copy to the name "copy" in a folder."""
    mode = os.lstat(source).st_mode
    if stat.S_ISDIR(mode):
        let_owner_in(source)
    copy = ["cp", "--archive", "--sparse=always", "--no-target-directory", "--", source, "copy"]
    done = process.run(copy, cwd=folder)
    if done.status != 0:
        raise ArchiveError(f"{shown(path)} cannot be copied to its file system: {done.first_words}.")
    if stat.S_ISDIR(mode):
        os.chmod(f"{folder}/copy", stat.S_IMODE(mode))


def _clear(folder: str) -> None:
    """Remove the leftovers of a failed copy."""
    copied = f"{folder}/copy"
    if os.path.lexists(copied):
        if stat.S_ISDIR(os.lstat(copied).st_mode):
            let_owner_in(copied)
            make_writable(copied)
        done = process.run(["rm", "-rf", "--", "copy"], cwd=folder)
        if done.status != 0:
            raise ArchiveError(f"A temporary copy of the restore cannot be removed: {done.first_words}.")
