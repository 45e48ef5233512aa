# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A passphrase, and the file that it is read from (``encrypt_pass_file``).

It is the first line of the file, as `openssl enc -pass file:` takes it: without the newline, and with nothing else changed.
"""

from __future__ import annotations

import hashlib
import os

from ..system.file_names import shown
from .errors import UnusableKey
from .secret_file import opened_file

#: What `openssl enc -pass file:` reads of a line, in bytes.
LIMIT = 1023
#: Of PBKDF2-HMAC-SHA256 in what is written: a fifth of a second for a key, and for each try of a thief.
ITERATIONS = 600_000
#: Of derived keys that are remembered: those of a chain of a hundred levels. Each has a hundred bytes or so.
_MOST_DERIVED = 1000


class Passphrase:
    """A passphrase. What shows, compares or logs this object gets nothing of it."""

    __slots__ = ("_derived", "_secret")

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
        self._derived: dict[tuple[bytes, int, int], bytes] = {}

    def derived(self, salt: bytes, iterations: int, size: int) -> bytes:
        """So many bytes of PBKDF2-HMAC-SHA256 with this salt; remembered, because each costs a fifth of a second. Thread-safe."""
        wanted = (salt, iterations, size)
        found = self._derived.get(wanted)
        if found is None:
            found = hashlib.pbkdf2_hmac("sha256", self._secret, salt, iterations, size)
            if len(self._derived) < _MOST_DERIVED:
                self._derived[wanted] = found
        return found

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
    with opened_file(path, option, "the passphrase into the first line") as descriptor:
        line = _first_line(descriptor)
    try:
        return Passphrase(line)
    except UnusableKey as error:
        raise UnusableKey(f"The file {shown(path)} ({option}) cannot be used. {error}") from None


def _first_line(descriptor: int) -> bytes:
    """The first line, or as much of it as shows that it is too long."""
    read = b""
    while len(read) <= LIMIT and b"\n" not in read:
        piece = os.read(descriptor, LIMIT + 2 - len(read))
        if not piece:
            break
        read += piece
    return read.split(b"\n", 1)[0]
