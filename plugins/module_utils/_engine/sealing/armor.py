# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Small sealed objects as text, for paper and mail: the ASCII armor of age, a strict form of PEM (RFC 7468, section 3)."""

from __future__ import annotations

import base64
import binascii

from .errors import Damaged

_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
_COLUMNS = 64
#: Armor is for keys, not for data. In bytes of text.
LIMIT = 1 << 20
_SPACE = b" \t\r\n"


def armored(stored: bytes) -> str:
    """A sealed object as text, which ``age -d`` opens as it stands."""
    text = base64.b64encode(stored)
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    return b"\n".join([_BEGIN, *lines, _END, b""]).decode("ascii")


def is_armored(start: bytes) -> bool:
    """Whether an object begins as armored ones do."""
    return start.lstrip(_SPACE).startswith(_BEGIN)


def unarmored(text: bytes, what: str = "The object") -> bytes:
    """The object behind such a text. Raises Damaged if it is not written in the one way, but for space around it."""
    try:
        if len(text) > LIMIT:
            raise ValueError("it is too long")
        return _object(text)
    except ValueError as error:  # binascii.Error is one as well
        reason = "it is no base64" if isinstance(error, binascii.Error) else error
        raise Damaged(f"{what} is damaged text: {reason}. Use another copy of it.") from None


def _object(text: bytes) -> bytes:
    lines = text.strip(_SPACE).replace(b"\r\n", b"\n").split(b"\n")
    if lines[0] != _BEGIN or lines[-1] != _END or len(lines) < 2:
        raise ValueError("it does not begin and end as an encrypted file of age does")
    body = lines[1:-1]
    if any(len(line) != _COLUMNS for line in body[:-1]) or not all(0 < len(line) <= _COLUMNS for line in body):
        raise ValueError("it has a line of another length")
    joined = b"".join(body)
    stored = base64.b64decode(joined, validate=True)
    if base64.b64encode(stored) != joined:
        raise ValueError("it is not written in the one allowed way")
    return stored
