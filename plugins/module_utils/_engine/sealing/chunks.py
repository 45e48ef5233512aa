# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The chunks of a payload in the format of age: 64 KiB each, sealed by themselves, numbered, the last one marked.

Number and mark are the nonce. So a chunk opens at its own place in its own file only, and a file that was cut off has no
last chunk.
"""

from __future__ import annotations

from .libraries import cryptography, hkdf_sha256
from .recipients import chacha20_poly1305

PLAIN_BYTES = 65_536
TAG_BYTES = 16
SEALED_BYTES = PLAIN_BYTES + TAG_BYTES
NONCE_BYTES = 16


class ChunkCipher:
    """Seals and opens the chunks of one file."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        """Raises MissingLibrary."""
        self._cipher = chacha20_poly1305(hkdf_sha256(file_key, nonce, b"payload"))
        # Releases before 46 return what they made; writing it where it belongs spares a copy.
        self._into = hasattr(self._cipher, "encrypt_into")
        self._invalid = cryptography("exceptions").InvalidTag

    def seal(self, number: int, last: bool, plain: memoryview, into: memoryview) -> None:
        """Write the sealed chunk ``into`` a buffer that is TAG_BYTES longer than the plain one."""
        if self._into:
            self._cipher.encrypt_into(_nonce(number, last), plain, None, into)
        else:
            into[:] = self._cipher.encrypt(_nonce(number, last), bytes(plain), None)

    def open(self, number: int, last: bool, sealed: memoryview, into: memoryview) -> bool:
        """Write the plain chunk ``into`` a buffer that is TAG_BYTES shorter, and return True; False if it is not authentic.

        Nothing of such a chunk is left in the buffer.
        """
        try:
            if self._into:
                self._cipher.decrypt_into(_nonce(number, last), sealed, None, into)
            else:
                into[:] = self._cipher.decrypt(_nonce(number, last), bytes(sealed), None)
        except self._invalid:
            into[:] = bytes(len(into))
            return False
        return True


def stored_bytes(plain_bytes: int) -> int:
    """How many bytes the chunks of so many plain bytes have together."""
    return plain_bytes + max(1, -(-plain_bytes // PLAIN_BYTES)) * TAG_BYTES


def plain_bytes(stored: int) -> int | None:
    """How many plain bytes are in chunks of so many bytes together; None if no file has chunks of that length."""
    whole, rest = divmod(stored, SEALED_BYTES)
    # Only the chunk of an empty file is empty.
    if not stored or 0 < rest < TAG_BYTES or (rest == TAG_BYTES and whole):
        return None
    return stored - (whole + bool(rest)) * TAG_BYTES


def _nonce(number: int, last: bool) -> bytes:
    return (number << 8 | last).to_bytes(12, "big")
