# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The ways to seal a backup: for the key pair of its set (age), or with a passphrase (aes-256-cfb)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Callable

from ..repository.errors import DamagedArchive
from ..repository.public_manifest import SealedWith
from ..repository.verified import VerifiedObject
from ..sealing import age, openssl
from ..sealing.errors import Damaged
from ..sealing.identities import X25519Identity
from ..sealing.passphrase import Passphrase
from ..sealing.recipients import X25519Recipient
from ..storage.base import Buffer
from .sealed import Opened, Seal, Sealing

_HEAD_BYTES = 4096


def key_id_of(recipient: X25519Recipient) -> str:
    """The id of a key pair: the first 32 hexadecimal digits of the SHA-256 of its public half, as it is written."""
    return hashlib.sha256(str(recipient).encode("ascii")).hexdigest()[:32]


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except Damaged as problem:
        raise DamagedArchive(str(problem)) from problem


class ForKeyPair(Sealing):
    """Objects are files in the format of age for one recipient; without the secret half they cannot be opened."""

    suffix = ".age"

    def __init__(self, recipient: X25519Recipient, identity: X25519Identity | None = None) -> None:
        self._recipient, self._identities = recipient, [] if identity is None else [identity]

    def seal(self, write: Callable[[Buffer], object]) -> Seal:
        return age.Sealer(write, [self._recipient])

    def open(self, stored: VerifiedObject) -> Opened:
        return _AgeObject(stored, self._identities)

    def describe(self) -> SealedWith | None:
        return SealedWith("age", key_id_of(self._recipient))


class _AgeObject(Opened):
    def __init__(self, stored: VerifiedObject, identities: Sequence[X25519Identity]) -> None:
        self._stored = stored
        size = _HEAD_BYTES
        with _damage():
            start = stored.read(0, min(size, stored.size))
            while age.head_bytes(start, stored.where()) is None and size < min(stored.size, age.HEAD_LIMIT):
                size *= 2
                start = stored.read(0, min(size, stored.size))
            self._payload = age.Payload(start, stored.size, identities, stored.where())
        self.size = self._payload.plain_bytes

    def read(self, begin: int, end: int) -> bytes:
        with _damage():
            return bytes(self._payload.read(self._stored.read, begin, end))


class WithPassphrase(Sealing):
    """Objects are what ``openssl enc -aes-256-cfb -pbkdf2`` writes. A signature has to say that they are what was written."""

    suffix = ".enc"

    def __init__(self, passphrase: Passphrase) -> None:
        self._passphrase = passphrase

    def seal(self, write: Callable[[Buffer], object]) -> Seal:
        return openssl.CfbSealer(write, self._passphrase)

    def open(self, stored: VerifiedObject) -> Opened:
        return _CfbObject(stored, self._passphrase)

    def describe(self) -> SealedWith | None:
        return SealedWith("aes-256-cfb", None)


class _CfbObject(Opened):
    def __init__(self, stored: VerifiedObject, passphrase: Passphrase) -> None:
        self._stored = stored
        with _damage():
            head = stored.read(0, min(openssl.HEAD_BYTES, stored.size))
            self._payload = openssl.CfbPayload(head, passphrase, what=stored.where())
        self.size = stored.size - openssl.HEAD_BYTES

    def read(self, begin: int, end: int) -> bytes:
        with _damage():
            return bytes(self._payload.read(self._stored.read, begin, end))
