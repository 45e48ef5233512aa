# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Objects of ``openssl enc -aes-256-cfb``: written, read, and read in part.

``openssl enc -d -aes-256-cfb -pbkdf2 -iter 600000 -pass file:FILE`` opens them: ``Salted__``, eight bytes of salt, and as many
bytes as there are plain ones. CFB authenticates nothing: a flipped bit flips one of the plain text. So a reader first checks
the stored bytes by a hash that a signature or a code covers; archives of an old Freezer have none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple

from .errors import Damaged, MissingLibrary
from .libraries import cryptography, primitives
from .passphrase import ITERATIONS, Passphrase
from .streams import Readable

_MAGIC = b"Salted__"
SALT_BYTES = 8
#: What comes before the first stored byte of the plain text.
HEAD_BYTES = len(_MAGIC) + SALT_BYTES
BLOCK_BYTES = 16
_KEY_BYTES = 32
_MOST_ITERATIONS = 10_000_000
_PIECE = 1 << 20


class Derivation(NamedTuple):
    """How key and initialisation vector come from a passphrase and a salt.

    ``iterations`` of PBKDF2 with HMAC-SHA256, or, where they are 0, OpenSSL's older way with one round of ``digest``.
    """

    iterations: int = ITERATIONS
    digest: str = "sha256"

    def key_and_iv(self, passphrase: Passphrase, salt: bytes) -> tuple[bytes, bytes]:
        """32 and 16 bytes."""
        length = _KEY_BYTES + BLOCK_BYTES
        derived, block = b"", b""
        if self.iterations:
            derived = passphrase.derived(salt, self.iterations, length)
        while len(derived) < length:
            block = hashlib.new(self.digest, block + passphrase.reveal() + salt, usedforsecurity=False).digest()
            derived += block
        return derived[:_KEY_BYTES], derived[_KEY_BYTES:length]


USUAL_DERIVATION = Derivation()
#: Of ``openssl enc -pbkdf2`` without ``-iter``.
OPENSSL_DERIVATION = Derivation(10_000)
#: What an old Freezer wrote: it left the derivation to the openssl of the host, before 1.1.0 and since then.
OLD_DERIVATIONS = (Derivation(0, "sha256"), Derivation(0, "md5"))


def new_salt() -> bytes:
    """A salt for one object. Two objects with the same one would show which of their first bytes differ, and how."""
    return os.urandom(SALT_BYTES)


class CfbSealer:
    """Encrypts what is written to it, and hands stored pieces to ``write``."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        passphrase: Passphrase,
        iterations: int = ITERATIONS,
        salt: bytes | None = None,
    ) -> None:
        """Write the head. ``salt`` is one of ``new_salt`` that no other object has. Raises MissingLibrary."""
        if not 1 <= iterations <= _MOST_ITERATIONS:
            raise ValueError(f"iterations are 1 to {_MOST_ITERATIONS}")
        salt = salt or new_salt()
        key, iv = Derivation(iterations).key_and_iv(passphrase, salt)
        self.head = _MAGIC + salt
        self.plain_bytes = 0
        self.stored_bytes = 0
        self._encryptor = _cipher(key, iv).encryptor()
        self._write = write
        self._hand_on(self.head)

    def write(self, plain: bytes | bytearray | memoryview) -> None:
        """Encrypt more: a stored byte follows at once from each plain one."""
        self.plain_bytes += len(memoryview(plain).cast("B"))
        self._hand_on(self._encryptor.update(plain))

    def finish(self) -> None:
        """Nothing is left to write; it is there as with other ways to seal."""

    def __enter__(self) -> CfbSealer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def _hand_on(self, stored: bytes) -> None:
        self.stored_bytes += len(stored)
        self._write(stored)


class CfbPayload:
    """Parts of an object of which the head has been read. What it gives out is as authentic as the stored bytes are."""

    def __init__(
        self, head: bytes, passphrase: Passphrase, derivation: Derivation = USUAL_DERIVATION, what: str = "The object"
    ) -> None:
        """``head`` is the first HEAD_BYTES of the object, which ``what`` names in messages. Raises Damaged, MissingLibrary."""
        self._what = what
        self._key, self._iv = derivation.key_and_iv(passphrase, _salt_of(head, what))

    def stored_range(self, begin: int, end: int) -> tuple[int, int]:
        """Where the bytes are stored that the plain ones from ``begin`` up to ``end`` follow from: first byte, the one after."""
        if not 0 <= begin <= end:
            raise ValueError(f"{begin} to {end} is no range")
        # A block is opened with the stored one before it.
        return HEAD_BYTES + max(0, begin // BLOCK_BYTES - 1) * BLOCK_BYTES, HEAD_BYTES + end

    def open(self, stored: bytes | bytearray | memoryview, begin: int, end: int) -> memoryview:
        """The plain bytes from ``begin`` up to ``end``, of what is stored in their ``stored_range``. Raises Damaged."""
        first, after = self.stored_range(begin, end)
        view = memoryview(stored).cast("B")
        if len(view) != after - first:
            raise Damaged(f"{self._what} is cut off: {len(view)} of {after - first} bytes at {first} are there.")
        before = BLOCK_BYTES if begin >= BLOCK_BYTES else 0
        iv = bytes(view[:before]) or self._iv
        plain = memoryview(_cipher(self._key, iv).decryptor().update(view[before:]))
        return plain[begin % BLOCK_BYTES :]

    def read(self, fetch: Callable[[int, int], bytes], begin: int, end: int) -> memoryview:
        """The plain bytes from ``begin`` up to ``end``; ``fetch(first, after)`` returns that range of the stored bytes."""
        return self.open(fetch(*self.stored_range(begin, end)), begin, end) if end > begin else memoryview(b"")


def open_stream(
    readable: Readable, passphrase: Passphrase, derivation: Derivation = USUAL_DERIVATION, what: str = "The object"
) -> Iterator[bytes]:
    """The plain bytes of an object in pieces of 1 MiB or less; a wrong passphrase or damage makes other ones of them.

    ``what`` names the object in messages. Raises Damaged and MissingLibrary before the first piece.
    """
    head = b""
    while len(head) < HEAD_BYTES:
        piece = readable.read(HEAD_BYTES - len(head))
        if not piece:
            break
        head += piece
    decryptor = _cipher(*derivation.key_and_iv(passphrase, _salt_of(head, what))).decryptor()
    return _opened(readable, decryptor)


def fitting_derivation(
    start: bytes, passphrase: Passphrase, fits: Callable[[bytes], bool], what: str = "The object"
) -> Derivation | None:
    """How the key of an object of unknown age was derived: the way with which ``fits`` takes the plain start of it.

    ``start`` are its first bytes, head included. None where no way fits: then the passphrase is another one. Raises Damaged.
    """
    salt = _salt_of(start, what)
    for derivation in (*OLD_DERIVATIONS, OPENSSL_DERIVATION, USUAL_DERIVATION):
        key, iv = derivation.key_and_iv(passphrase, salt)
        if fits(_cipher(key, iv).decryptor().update(start[HEAD_BYTES:])):
            return derivation
    return None


def _opened(readable: Readable, decryptor: Any) -> Iterator[bytes]:
    while piece := readable.read(_PIECE):
        plain: bytes = decryptor.update(piece)
        yield plain


def _salt_of(head: bytes, what: str) -> bytes:
    if len(head) < HEAD_BYTES or not head.startswith(_MAGIC):
        raise Damaged(
            f"{what} is not encrypted by openssl with a salt, or its beginning is damaged. Use another copy of it."
        )
    return head[len(_MAGIC) : HEAD_BYTES]


def _cipher(key: bytes, iv: bytes) -> Any:
    """AES-256 in CFB, with feedback of whole blocks, as openssl has it."""
    ciphers = primitives("ciphers")
    try:
        # Where releases from 47 on have it; the old place warns, and is gone from 49 on.
        modes = cryptography("hazmat.decrepit.ciphers.modes")
        cfb = modes.CFB
    except (MissingLibrary, AttributeError):
        cfb = primitives("ciphers.modes").CFB
    return ciphers.Cipher(ciphers.algorithms.AES(key), cfb(iv))
