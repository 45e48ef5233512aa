# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The header of a file in the format of age, version 1 (https://c2sp.org/age): the file key, wrapped once for each recipient.

It is text: a line with the version, a stanza for each recipient, and a line with a code that only a holder of the file
key can make. What differs from the one way to write it is refused, so that a header has no second form.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import NamedTuple

from .libraries import hkdf_sha256

#: More than this is refused, in reading and in writing: 64 recipients with the largest usual keys have less.
LIMIT = 65_536
MOST_STANZAS = 64

FILE_KEY_BYTES = 16
_VERSION = b"age-encryption.org/v1\n"
_COLUMNS = 64
_END = b"---"


class Stanza(NamedTuple):
    """The file key as it is wrapped for one recipient, by a method that ``kind`` names."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes


class Header(NamedTuple):
    """A header that is well formed; whether it is authentic is known with the file key only."""

    stanzas: tuple[Stanza, ...]
    authenticated: bytes
    code: bytes


def written(stanzas: Sequence[Stanza], file_key: bytes) -> bytes:
    """The header with these stanzas. Raises ValueError if it would be larger than readers take."""
    lines = [_VERSION]
    for stanza in stanzas:
        lines.append(f"-> {' '.join([stanza.kind, *stanza.arguments])}\n".encode("ascii"))
        body = unpadded(stanza.body)
        # The last line is shorter than the others, if need be empty: so a reader knows that it is the last.
        lines += [f"{body[at : at + _COLUMNS]}\n".encode("ascii") for at in range(0, len(body) + 1, _COLUMNS)]
    authenticated = b"".join(lines) + _END
    header = authenticated + f" {unpadded(_code(file_key, authenticated))}\n".encode("ascii")
    if not 0 < len(stanzas) <= MOST_STANZAS or len(header) > LIMIT:
        raise ValueError(f"a header has 1 to {MOST_STANZAS} recipients and at most {LIMIT} bytes")
    return header


def length(start: bytes) -> int | None:
    """How many bytes the header has that a file begins with; None if ``start``, of less than LIMIT bytes, is not all of it.

    Raises ValueError, with a reason that begins with a verb, where none begins or it is longer than LIMIT.
    """
    if start[: len(_VERSION)] != _VERSION[: len(start)]:
        if start.startswith(_VERSION[:-2]) and b"\n" in start[:64]:
            raise ValueError(
                "is of another version of the format of age than this release reads; install a newer release"
            )
        raise ValueError("is not encrypted in the format of age, or its beginning is damaged")
    end = start.find(b"\n" + _END, 0, LIMIT)
    end = start.find(b"\n", end + 1, LIMIT) if end >= 0 else -1
    if end >= 0:
        return end + 1
    if len(start) >= LIMIT:
        raise ValueError(f"has a header that does not end within {LIMIT} bytes")
    return None


def parsed(header: bytes) -> Header:
    """A whole header, as ``length`` delimits it. Raises ValueError, with a reason that begins with a verb."""
    try:
        *lines, last = header[len(_VERSION) : -1].split(b"\n")
        stanzas = _stanzas(lines)
        if not last.startswith(_END + b" "):
            raise ValueError("its last line is not well formed")
        code = from_unpadded(last[len(_END) + 1 :].decode("ascii"), 32)
    except ValueError as error:  # UnicodeDecodeError is one as well
        reason = "it has characters outside ASCII" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ValueError(f"has a damaged header: {reason}") from None
    if any(stanza.kind == "scrypt" for stanza in stanzas) and len(stanzas) > 1:
        # A file that a passphrase opens must have been made by a holder of it.
        raise ValueError("has a header that mixes a passphrase with other recipients, which age forbids")
    return Header(stanzas, header[: len(header) - len(last) - 1 + len(_END)], code)


def authentic(header: Header, file_key: bytes) -> bool:
    """Whether a holder of the file key made the header as it is."""
    return hmac.compare_digest(_code(file_key, header.authenticated), header.code)


def _code(file_key: bytes, authenticated: bytes) -> bytes:
    return hmac.digest(hkdf_sha256(file_key, b"", b"header"), authenticated, "sha256")


def _stanzas(lines: list[bytes]) -> tuple[Stanza, ...]:
    stanzas: list[Stanza] = []
    waiting = iter(lines)
    for line in waiting:
        mark, *words = line.split(b" ")
        if mark != b"->" or not words or not all(words):
            raise ValueError("a recipient's first line is not well formed")
        if any(not 33 <= character <= 126 for word in words for character in word):
            raise ValueError("a recipient's first line has characters that are not allowed")
        if len(stanzas) == MOST_STANZAS:
            raise ValueError(f"it has more than {MOST_STANZAS} recipients")
        body = b""
        for part in waiting:
            if len(part) > _COLUMNS:
                raise ValueError("a recipient has a line that is too long")
            body += from_unpadded(part.decode("ascii"))
            if len(part) < _COLUMNS:
                break
        else:
            raise ValueError("the last recipient is incomplete")
        kind, *arguments = (word.decode("ascii") for word in words)
        stanzas.append(Stanza(kind, tuple(arguments), body))
    if not stanzas:
        raise ValueError("it has no recipient")
    return tuple(stanzas)


def unpadded(data: bytes) -> str:
    """Base64 without the equal signs at its end."""
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def from_unpadded(text: str, size: int | None = None) -> bytes:
    """The bytes behind such a text, ``size`` of them if that is given. Raises ValueError unless it is the one text for them."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it has text that is no base64") from None
    if unpadded(data) != text:
        raise ValueError("it has base64 that is not written in the one allowed way")
    if size is not None and len(data) != size:
        raise ValueError(f"it has a value of {len(data)} bytes where there should be {size}")
    return data
