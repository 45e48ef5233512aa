# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong when something is sealed, opened, signed or believed. No message repeats a secret."""

from __future__ import annotations

from ..errors import FreezerError


class SealingError(FreezerError):
    """The base of all errors of this room."""


class MissingLibrary(SealingError):
    """This Python has no library for cryptography, or one that refuses to do what is needed."""


class Damaged(SealingError):
    """Stored bytes are not those that were written: damaged, cut off, exchanged, or never of this format."""


class NoKeyFits(SealingError):
    """None of the keys and passphrases at hand opens it."""


class UnusableKey(SealingError):
    """A key, a passphrase, a recipient or a list of signers cannot be used as it is."""


class NotBelieved(SealingError):
    """A signature or a code of authentication does not fit, or its signer is not one of those who may sign."""
