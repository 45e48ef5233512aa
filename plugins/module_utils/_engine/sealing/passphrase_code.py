# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A code that stands in for a signature: only a holder of the passphrase makes it, and only such a holder can check it.

It is one line, ``hmac-sha256 pbkdf2-sha256 <iterations> <salt> <code>``: HMAC-SHA256 of ``freezer-backup <purpose>``, a
newline and the message, with 32 bytes that PBKDF2-HMAC-SHA256 derives from the passphrase. Its salt has 16 bytes, that of an
object which the same passphrase encrypts 8, so that the two never have one key.
"""

from __future__ import annotations

import hmac
import os
import re

from .errors import NotBelieved
from .passphrase import ITERATIONS, Passphrase

_NAME = b"hmac-sha256"
_SALT_BYTES = 16
_LINE = re.compile(rb"hmac-sha256 pbkdf2-sha256 ([1-9][0-9]{0,7}) ([0-9a-f]{32}) ([0-9a-f]{64})\n")
#: More are refused: a line of another origin could ask for any. They take a few seconds.
_MOST_ITERATIONS = 10_000_000


def code_line(message: bytes, passphrase: Passphrase, iterations: int = ITERATIONS, purpose: str = "manifest") -> str:
    """The line for a message, with a new salt."""
    if not 1 <= iterations <= _MOST_ITERATIONS:
        raise ValueError(f"iterations are 1 to {_MOST_ITERATIONS}")
    salt = os.urandom(_SALT_BYTES)
    return (
        f"hmac-sha256 pbkdf2-sha256 {iterations} {salt.hex()} {_code(message, passphrase, iterations, salt, purpose)}\n"
    )


def is_code_line(signature: bytes) -> bool:
    """Whether a signature is such a line, in place of one that a key made."""
    return signature.startswith(_NAME)


def check(message: bytes, line: bytes, passphrase: Passphrase, what: str, purpose: str = "manifest") -> None:
    """Raise NotBelieved, naming ``what``, unless a holder of the passphrase made the line for this message and purpose."""
    found = _LINE.fullmatch(line)
    if found is None or int(found[1]) > _MOST_ITERATIONS:
        raise NotBelieved(f"The code of {what} is not well formed, or asks for too much work. Use another copy of it.")
    code = _code(message, passphrase, int(found[1]), bytes.fromhex(found[2].decode("ascii")), purpose)
    if not hmac.compare_digest(code.encode("ascii"), found[3]):
        raise NotBelieved(
            f"{what} does not fit its code: it was changed after it was written, or written with another passphrase. "
            "Use another copy of it, or the passphrase that it was written with."
        )


def _code(message: bytes, passphrase: Passphrase, iterations: int, salt: bytes, purpose: str) -> str:
    key = passphrase.derived(salt, iterations, 32)
    over = hmac.new(key, f"freezer-backup {purpose}\n".encode("ascii"), "sha256")
    over.update(message)
    return over.hexdigest()
