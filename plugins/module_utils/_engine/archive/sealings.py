# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The ways to seal a backup: for the key pair of its set (age), or with a passphrase (aes-256-cfb)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Callable

from ..repository.errors import DamagedArchive
from ..repository.public_manifest import SealedWith
from ..repository.set_keys import key_id_of
from ..repository.verified import VerifiedObject
from ..sealing import age, openssl
from ..sealing.age_header import Stanza
from ..sealing.errors import Damaged
from ..sealing.identities import Identity
from ..sealing.passphrase import Passphrase
from ..sealing.recipients import X25519, X25519Recipient
from ..storage.base import Buffer
from .sealed import Opened, Seal, Sealing

_HEAD_BYTES = 4096
#: The object that is written behind all others.
_LAST = "details.json"

#: The objects that a level above needs of the one below it.
_FOR_NEXT_LEVEL = ("details.json.", "snar.", "catalogue.", "maps.")


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except Damaged as problem:
        raise DamagedArchive(str(problem)) from problem


class FileKeys(Identity):
    """The keys of single objects, by what tells their headers apart: they open these objects, and nothing else."""

    def __init__(self, known: Mapping[str, bytes] | None = None) -> None:
        self.known = dict(known or {})

    def unwrap(self, stanza: Stanza) -> bytes | None:
        return self.known.get(stanza.arguments[0]) if stanza.kind == X25519 and stanza.arguments else None


class WhenNeeded(Identity):
    """A secret key that is opened with the first object that needs it."""

    def __init__(self, open_: Callable[[], Identity]) -> None:
        self._open = open_
        self._identity: Identity | None = None

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if self._identity is None:
            self._identity = self._open()
        return self._identity.unwrap(stanza)


class ForKeyPair(Sealing):
    """Objects are files in the format of age for one recipient. One of `identities` opens what is read."""

    suffix = ".age"

    def __init__(self, recipient: X25519Recipient, identities: Sequence[Identity] = ()) -> None:
        self._recipient, self._identities = recipient, identities
        #: The keys of the new objects that the next level needs, which a host without the secret half keeps for it.
        self.kept = FileKeys()

    def seal(self, write: Callable[[Buffer], object], name: str) -> Seal:
        sealer = age.Sealer(write, [self._recipient])
        if name.startswith(_FOR_NEXT_LEVEL):
            self.kept.known[sealer.share] = sealer.file_key
        return sealer

    def open(self, stored: VerifiedObject) -> Opened:
        return _AgeObject(stored, self._identities)

    def describe(self) -> SealedWith | None:
        return SealedWith("age", key_id_of(self._recipient))


class _AgeObject(Opened):
    def __init__(self, stored: VerifiedObject, identities: Sequence[Identity]) -> None:
        self._stored = stored
        size = _HEAD_BYTES
        with _damage():
            start = stored.read(0, min(size, stored.size))
            while age.head_bytes(start, stored.where()) is None and size < min(stored.size, age.HEAD_LIMIT):
                size *= 2
                start = stored.read(0, min(size, stored.size))
            self._payload = age.Payload(start, stored.size, identities, stored.where())
        self.size = self._payload.plain_bytes

    def read(self, begin: int, end: int) -> Buffer:
        with _damage():
            return self._payload.read(self._stored.read, begin, end)


class WithPassphrase(Sealing):
    """Objects are what ``openssl enc -aes-256-cfb -pbkdf2`` writes. A signature has to say that they are what was written."""

    suffix = ".enc"

    def __init__(self, passphrase: Passphrase) -> None:
        self._passphrase = passphrase
        #: The salt of the next object, whose key a thread derives: without it nothing is read meanwhile.
        self._next: Future[bytes] | None = None
        self._deriving = ThreadPoolExecutor(max_workers=1, thread_name_prefix="derive")

    def seal(self, write: Callable[[Buffer], object], name: str) -> Seal:
        salt = self._next.result() if self._next is not None else openssl.new_salt()
        self._next = None if name.startswith(_LAST) else self._deriving.submit(self._derived)
        return openssl.CfbSealer(write, self._passphrase, salt=salt)

    def _derived(self) -> bytes:
        salt = openssl.new_salt()
        openssl.USUAL_DERIVATION.key_and_iv(self._passphrase, salt)
        return salt

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

    def read(self, begin: int, end: int) -> Buffer:
        with _damage():
            return self._payload.read(self._stored.read, begin, end)
