# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Files of the host that have secrets, or that decide who is believed: only their owner may have a say in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ..system import trust
from ..system.file_names import shown
from .errors import UnusableKey


@contextmanager
def opened_file(path: str, option: str, what: str, is_secret: bool = True) -> Iterator[int]:
    """The descriptor of a regular file of root or of the user who runs this, that no other may write, nor read if `is_secret`.

    `option` names the file to the reader of a message, `what` says what belongs into it. Raises UnusableKey, also for errors of
    reading in the body.
    """
    name = f"The file {shown(path)} ({option})"
    try:
        # A FIFO would wait for a writer; what is looked at is what was opened, whatever the name leads to by then.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise UnusableKey(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    try:
        _refuse_shared(os.fstat(descriptor), name, what, is_secret)
        yield descriptor
    except OSError as error:
        raise UnusableKey(f"{name} cannot be read: {error.strerror}.") from error
    finally:
        os.close(descriptor)


def read_file(path: str, option: str, what: str, most_bytes: int, is_secret: bool = True) -> bytes:
    """Such a file, or as much of it as shows that it has more than `most_bytes`. Raises UnusableKey."""
    with opened_file(path, option, what, is_secret) as descriptor:
        read = b""
        while len(read) <= most_bytes:
            piece = os.read(descriptor, most_bytes + 1 - len(read))
            if not piece:
                break
            read += piece
        return read


def _refuse_shared(found: os.stat_result, name: str, what: str, is_secret: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnusableKey(f"{name} is no regular file; put {what} of one.")
    if not trust.is_own(found):
        raise UnusableKey(
            f"{name} belongs to the user with the number {found.st_uid}, who can change it; give it to root or to the user "
            "who runs this (chown)."
        )
    # With an ACL these bits are what it grants at most.
    mode = stat.S_IMODE(found.st_mode)
    if is_secret and mode & 0o077:
        raise UnusableKey(
            f"{name} has the mode {mode:04o}: others than its owner can get at it; take their rights away (chmod 600)."
        )
    if mode & 0o022:
        raise UnusableKey(f"{name} has the mode {mode:04o}: others than its owner can change it (chmod 644).")
