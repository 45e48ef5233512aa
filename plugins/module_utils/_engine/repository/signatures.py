# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who wrote a backup: what stands beside its manifest, and whether a reader believes it.

A manifest has the hashes of all objects and of its parent's manifest, so the one of the newest level stands for the chain.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ..errors import OptionError, quoted
from ..sealing import passphrase_code, ssh_signature
from ..sealing.errors import MissingLibrary, NotBelieved
from ..sealing.passphrase import Passphrase
from ..sealing.ssh_keys import PrivateKey, PublicKey
from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject
from .backup_set import StoredBackup
from .errors import DamagedArchive, UnbelievedBackup
from .manifest import Manifest, digest
from .public_manifest import PublicManifest
from .stored_set import MANIFEST_NAME, SIGNATURE_NAME, read_manifest

#: Who has signed where a passphrase stands in for a key.
BY_PASSPHRASE = "passphrase"
_ON_RECORD = re.compile(r"([0-9a-f]{32}):([0-9a-f]{64})")


class ManifestSigner(ABC):
    """Signs the manifests of new backups."""

    #: What a result says of it: the fingerprint of a key, or BY_PASSPHRASE.
    name: str

    @abstractmethod
    def sign(self, manifest: bytes) -> bytes:
        """What is stored beside a manifest. Raises SealingError."""


class KeySigner(ManifestSigner):
    """Signs with a private key of SSH of the kind ssh-ed25519."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.public = key.public
        self.name = key.public.fingerprint

    def sign(self, manifest: bytes) -> bytes:
        return ssh_signature.sign(manifest, self._key).encode("ascii")


class PassphraseSigner(ManifestSigner):
    """Puts the code of a passphrase in the place of a signature."""

    name = BY_PASSPHRASE

    def __init__(self, passphrase: Passphrase) -> None:
        self._passphrase = passphrase

    def sign(self, manifest: bytes) -> bytes:
        return passphrase_code.code_line(manifest, self._passphrase).encode("ascii")


class Signer(Protocol):
    """One whose signature is believed."""

    @property
    def key(self) -> PublicKey: ...


class Signers(Protocol):
    """Those whose signatures are believed, as `sealing.allowed_signers` has them."""

    def verify(
        self, message: bytes, signature: bytes, subject: str, at: float, *, principal: str | None = None
    ) -> Signer:
        """The signer of a message at a time, in seconds since 1970. Raises NotBelieved."""


@dataclass(frozen=True)
class Author:
    """Who has signed, as a result has it; else None, and the reason as a part of a sentence."""

    signed_by: str | None
    reason: str | None = None
    #: Whether the manifest is that of the record; None where no records were given.
    is_recorded: bool | None = None


def recorded(texts: Iterable[str]) -> dict[str, str] | None:
    """The SHA-256 of manifests by the ids of their backups, from ``recorded_manifests``; None without any. Raises OptionError."""
    found = {}
    for text in texts:
        match = _ON_RECORD.fullmatch(text)
        if match is None:
            raise OptionError(
                f"recorded_manifests has {quoted(text)}; it takes the id of a backup, a colon, and the SHA-256 of its manifest, in "
                "hexadecimal digits."
            )
        found[match[1]] = match[2]
    return found or None


@dataclass(frozen=True)
class Trust:
    """Whom a reader believes: the keys of `signers`, or without those its own one and a holder of the passphrase.

    With `signers` everything else is refused, the code of a passphrase too: it does not tell who of its holders wrote it. Without, only
    what is proven to be wrong. With `records`, the SHA-256 of manifests by the ids of backups, so is what is neither on record nor
    signed by one who is believed.
    """

    signers: Signers | None = None
    own_key: PublicKey | None = None
    passphrase: Passphrase | None = None
    #: The SHA-256 of the manifests that this host remembers to have written.
    own_manifests: frozenset[str] = frozenset()
    records: Mapping[str, str] | None = None
    #: What names the `signers`, in sentences, and what to do if others are to be read all the same.
    named_by: str = "trusted_signers"
    otherwise: str = "leave trusted_signers out"

    def author(self, storage: Storage, backup: StoredBackup) -> Author:
        """Who has signed a backup. Raises UnbelievedBackup for what a configured trust refuses, StorageError."""
        where = f"{backup.folder} of {storage.describe()}"
        try:
            is_recorded = self._is_recorded(backup, where)
            author = self._author(storage, backup, where)
            if is_recorded is False and author.signed_by is None:
                raise NotBelieved(
                    f"{where} is on no record of the API (recorded_manifests), and {author.reason}. Choose a backup that is on record; "
                    "if this one is right, name its signer with trusted_signers."
                )
            return replace(author, is_recorded=is_recorded)
        except (NotBelieved, MissingLibrary) as problem:
            raise UnbelievedBackup(str(problem), backup.manifest.timestamp) from problem

    def _is_recorded(self, backup: StoredBackup, where: str) -> bool | None:
        """Whether a backup is on record with its manifest. Raises NotBelieved for another manifest."""
        if self.records is None:
            return None
        known = self.records.get(backup.manifest.backup_id)
        if known not in (None, backup.manifest_sha256):
            raise NotBelieved(
                f"The manifest of {where} is not the one that is on record with the API (recorded_manifests): it was replaced after it was "
                "recorded. Use another copy of it, or another backup."
            )
        return known is not None

    def _author(self, storage: Storage, backup: StoredBackup, where: str) -> Author:
        manifest = backup.manifest
        signature, method = None, None
        if isinstance(manifest, PublicManifest):
            signature = _read(storage, backup)
            method = manifest.sealing.method if manifest.sealing else None
        if method == "aes-256-cfb" and (signature is None or not passphrase_code.is_code_line(signature)):
            raise NotBelieved(
                f"{where} has no code of its passphrase, which every backup has that is sealed with aes-256-cfb: it was changed "
                "after it was written. Use another copy of it."
            )
        if signature is None:
            if self.signers is not None:
                raise NotBelieved(
                    f"{where} is not signed, and {self.named_by} says that backups have to be. Choose another backup or "
                    f"another copy of it; if it is to be read all the same, {self.otherwise}."
                )
            return Author(None, "it is not signed")
        stored = read_manifest(storage, f"{backup.folder}/{MANIFEST_NAME}")
        if digest(stored) != backup.manifest_sha256:
            raise DamagedArchive(f"The manifest of {where} has changed while it was read.")
        subject = f"The manifest of {where}"
        if passphrase_code.is_code_line(signature):
            return self._by_passphrase(stored, signature, subject)
        if self.signers is not None:
            signer = self.signers.verify(stored, signature, subject, _signed_at(manifest), principal=manifest.hostname)
            return Author(signer.key.fingerprint)
        if self.own_key is not None:
            key = ssh_signature.verified(stored, signature, subject)
            if key.blob == self.own_key.blob or backup.manifest_sha256 in self.own_manifests:
                return Author(key.fingerprint)
        return Author(None, "it is signed by a key that is not known here, and trusted_signers names none to believe")

    def _by_passphrase(self, stored: bytes, line: bytes, subject: str) -> Author:
        if self.signers is not None:
            raise NotBelieved(
                f"{subject} is signed with a passphrase, which others may have, and by none of {self.named_by}. Choose another backup; "
                f"if it is to be read all the same, {self.otherwise}."
            )
        if self.passphrase is not None:
            passphrase_code.check(stored, line, self.passphrase, subject)
            return Author(BY_PASSPHRASE)
        return Author(None, "it is signed with a passphrase, which was not given (encrypt_pass_file)")


def _signed_at(manifest: Manifest | PublicManifest) -> float:
    """When a manifest claims to have been signed. A holder of a key that has expired since can write any time.

    A backup that is chosen as the newest is so by the time in its name. Where a clock was ahead, that can still be to come.
    """
    return max(manifest.time_ended, min(manifest.timestamp, time.time()))


def _read(storage: Storage, backup: StoredBackup) -> bytes | None:
    """What stands beside a manifest; None if nothing does. Raises NotBelieved for what can be none, StorageError."""
    try:
        return storage.read(f"{backup.folder}/{SIGNATURE_NAME}", ssh_signature.LIMIT)
    except ObjectMissing:
        return None
    except OddObject as problem:
        raise NotBelieved(f"{problem} So it is no signature.") from problem
