# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A passphrase, and the file that it is read from (``encrypt_pass_file``).

It is the first line of the file, as `openssl enc -pass file:` takes it: without the newline, and with nothing else changed.
"""

from __future__ import annotations

import os
import stat

from ..system import trust
from ..system.file_names import shown
from .errors import UnusableKey

#: What `openssl enc -pass file:` reads of a line, in bytes.
LIMIT = 1023
#: Of PBKDF2-HMAC-SHA256 in what is written: a fifth of a second for a key, and for each try of a thief.
ITERATIONS = 600_000


class Passphrase:
    """A passphrase. What shows, compares or logs this object gets nothing of it."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """``secret`` is the passphrase itself. Raises UnusableKey if it is empty, too long, or no program could be given it."""
        if not secret:
            raise UnusableKey("The passphrase is empty; give it at least one character, better six words.")
        if len(secret) > LIMIT:
            raise UnusableKey(f"The passphrase has more than {LIMIT} bytes; shorten it: openssl reads no more.")
        if any(byte in secret for byte in (b"\0", b"\n", b"\r")):
            raise UnusableKey(
                "The passphrase has a line end or a NUL byte in it, which no program can be given; a file with it has to be "
                "plain text whose lines end as on Unix."
            )
        self._secret = secret

    def reveal(self) -> bytes:
        """The passphrase itself, for what derives keys from it."""
        return self._secret

    def __repr__(self) -> str:
        return "Passphrase(...)"

    def __reduce__(self) -> str:
        raise TypeError("a passphrase is not copied into other processes")


def read_passphrase(path: str, option: str = "encrypt_pass_file") -> Passphrase:
    """The first line of a file that only root or the user who runs this may read.

    ``option`` names the file to the reader of a message. Raises UnusableKey if it cannot be read, is no regular file,
    belongs to another user, others may read it, or its first line is no passphrase.
    """
    name = f"The file {shown(path)} ({option})"
    try:
        # A FIFO would wait for a writer; what is looked at is what was opened, whatever the name leads to by then.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise UnusableKey(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    try:
        _refuse_shared(os.fstat(descriptor), name)
        line = _first_line(descriptor)
    except OSError as error:
        raise UnusableKey(f"{name} cannot be read: {error.strerror}.") from error
    finally:
        os.close(descriptor)
    try:
        return Passphrase(line)
    except UnusableKey as error:
        raise UnusableKey(f"{name} cannot be used. {error}") from None


def _refuse_shared(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnusableKey(f"{name} is no regular file; put the passphrase into the first line of one.")
    if not trust.is_own(found):
        raise UnusableKey(
            f"{name} belongs to the user with the number {found.st_uid}, who can change it; give it to root or to the user "
            "who runs this (chown)."
        )
    # With an ACL these bits are what it grants at most.
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UnusableKey(
            f"{name} has the mode {stat.S_IMODE(found.st_mode):04o}: others than its owner can get at it; "
            "take their rights away (chmod 600)."
        )


def _first_line(descriptor: int) -> bytes:
    """The first line, or as much of it as shows that it is too long."""
    read = b""
    while len(read) <= LIMIT and b"\n" not in read:
        piece = os.read(descriptor, LIMIT + 2 - len(read))
        if not piece:
            break
        read += piece
    return read.split(b"\n", 1)[0]
