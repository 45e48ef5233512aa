# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What opens the backups of an action, and whether they are believed."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial

from ...action.options import Options
from ...archive.sealed import Sealing, Unsealed
from ...archive.sealings import FileKeys, ForKeyPair, WhenNeeded, WithPassphrase
from ...errors import FreezerError
from ...repository.backup_set import BackupSet, StoredBackup
from ...repository.errors import DamagedArchive
from ...repository.set_keys import FOLDER, FOR_RECIPIENTS, SecretHalf, key_id_of, open_secret, read_forms, with_comments
from ...repository.signatures import Author, Trust, recorded
from ...sealing import allowed_signers
from ...sealing.allowed_signers import AllowedSigners
from ...sealing.errors import SealingError, UnusableKey
from ...sealing.identities import Identity, X25519Identity
from ...sealing.recipients import X25519Recipient
from ...sealing.secret_file import read_file
from ...storage.base import Storage
from ...storage.errors import StorageError
from ...system.file_names import shown
from .copied import HostContainers
from .held_keys import HeldKeys, own_public_key
from .known_sets import KnownSet, KnownSets
from .sealed_sets import sealed_with, what_is_missing

#: Of the pairs of a set, in a list: so many that cannot be opened with a passphrase, which takes seconds for each.
_MOST_FAILED = 4


class ReadingKeys:
    """The keys of a restore, a proof or a list. A secret half is opened once, whatever is read with it."""

    def __init__(self, options: Options, held: HeldKeys, containers: HostContainers) -> None:
        self._options, self._held, self._containers = options, held, containers
        #: By storage and key id, also what came of an attempt: each takes a second with a passphrase.
        self._secrets: dict[tuple[Storage, str, str], SecretHalf | FreezerError] = {}
        #: By storage and set: a list asks for each backup.
        self._known: dict[tuple[Storage, str], KnownSet | None] = {}

    def sealing(self, storage: Storage, backup: StoredBackup) -> Sealing:
        """How the objects of a backup are sealed. Raises SealingError without the right key, DamagedArchive, StorageError."""
        sealed = sealed_with(backup)
        if sealed is None:
            return Unsealed()
        set_folder = backup.folder.partition("/")[0]
        if sealed.key_id is None:
            if self._held.passphrase is None:
                raise UnusableKey(
                    f"{backup.folder} of {storage.describe()} is encrypted; give its passphrase (encrypt_pass_file)."
                )
            return WithPassphrase(self._held.passphrase)
        identity = self.secret(storage, set_folder, sealed.key_id).identity
        return ForKeyPair(identity.recipient, [identity])

    def sealing_of_details(self, storage: Storage, backup: StoredBackup) -> Sealing:
        """The same for details only, which a host can open of what it has written last itself. Also raises UnbelievedBackup."""
        sealed = sealed_with(backup)
        key_id = sealed.key_id if sealed else None
        known = self._known_of(storage, backup) if key_id else None
        if key_id and known is not None and known.recipient and backup.manifest_sha256 in known.manifests:
            # Of a level below that this host has not remembered, because its run was killed, it has no keys.
            set_folder = backup.folder.partition("/")[0]
            secret = WhenNeeded(partial(self._identity, storage, set_folder, key_id))
            return ForKeyPair(X25519Recipient(known.recipient), [FileKeys(known.file_keys), secret])
        if sealed is not None and sealed.key_id is None:
            self.author(storage, backup)  # with another passphrase it would be garbage
        return self.sealing(storage, backup)

    def is_tried_enough(self, storage: Storage, backup: StoredBackup) -> bool:
        """Whether a list does without the details of a backup: who writes to a container can name a new pair in each of many.

        What this host has written last is opened without a passphrase, and a pair that was opened before is not tried again.
        """
        sealed, set_folder = sealed_with(backup), backup.folder.partition("/")[0]
        if sealed is None or sealed.key_id is None or self._held.passphrase is None:
            return False
        known = self._known_of(storage, backup)
        if (storage, set_folder, sealed.key_id) in self._secrets or (
            known is not None and backup.manifest_sha256 in known.manifests
        ):
            return False
        found = [of for place, of in self._secrets.items() if place[:2] == (storage, set_folder)]
        return sum(isinstance(one, FreezerError) for one in found) >= _MOST_FAILED

    def author(self, storage: Storage, backup: StoredBackup) -> Author:
        """Who has written a backup. Raises UnbelievedBackup, DamagedArchive, SealingError or StorageError."""
        known = self._known_of(storage, backup)
        remembered = known.manifests if known else frozenset()
        records = recorded(self._options.recorded_manifests)
        own, passphrase = own_public_key(), self._held.passphrase
        trust = Trust(self._signers, own, passphrase, remembered, records)
        if self._signers is None and Trust(None, own, passphrase, remembered).author(storage, backup).signed_by is None:
            listed = self._listed(storage, backup)
            if listed is not None:
                named_by = "the list of signers that is sealed with the key pair of the set"
                trust = replace(trust, signers=listed, named_by=named_by, otherwise="restore it with salvage")
        return trust.author(storage, backup)

    def _listed(self, storage: Storage, backup: StoredBackup) -> AllowedSigners | None:
        """Those whom a holder of the secret half has named; None if nobody is, or it cannot be opened here. Raises StorageError."""
        sealed = sealed_with(backup)
        if sealed is None or sealed.key_id is None:
            return None
        set_folder = backup.folder.partition("/")[0]
        try:
            signers = self.secret(storage, set_folder, sealed.key_id).signers
        except (SealingError, DamagedArchive):
            return None  # without it nothing else of the backup is read either
        what = f"the sealed list of signers of {set_folder}/{FOLDER}/{sealed.key_id}"
        return AllowedSigners.parsed("\n".join(signers).encode("utf-8"), what) if signers else None

    def check_signature(self, storage: Storage, backup: StoredBackup) -> None:
        """Raise UnbelievedBackup for a signature that is proven wrong: of a lower level, which is believed for the one above it."""
        Trust(None, own_public_key(), self._held.passphrase).author(storage, backup)

    @cached_property
    def _signers(self) -> AllowedSigners | None:
        """Those of ``trusted_signers``. Raises UnusableKey."""
        path = self._options.trusted_signers
        if not path:
            return None
        stored = read_file(path, "trusted_signers", "names and public keys into lines", allowed_signers.LIMIT, False)
        return AllowedSigners.parsed(stored, f"The file {shown(path)} (trusted_signers)")

    def remarks(self, one: BackupSet) -> list[str]:
        """A sentence if the backup that this host has written last is gone or was replaced. Raises StorageError."""
        known = self.known(one.storage, one.folder)
        missing = what_is_missing(one, known) if known else None
        return [missing] if missing else []

    def known(self, storage: Storage, set_folder: str) -> KnownSet | None:
        """What this host remembers of a set; None also where that cannot be read."""
        try:
            container_id = self._containers.id_of(storage)
            return KnownSets().get(container_id, set_folder) if container_id else None
        except StorageError:
            return None

    def _known_of(self, storage: Storage, backup: StoredBackup) -> KnownSet | None:
        """What this host remembered of the set of a backup when it was asked for first."""
        place = (storage, backup.folder.partition("/")[0])
        if place not in self._known:
            self._known[place] = self.known(*place)
        return self._known[place]

    def secret(self, storage: Storage, set_folder: str, key_id: str) -> SecretHalf:
        """The secret half of a pair. Raises SealingError without the right key, DamagedArchive, StorageError."""
        place = (storage, set_folder, key_id)
        if place not in self._secrets:
            try:
                self._secrets[place] = self._opened(*place)
            except (SealingError, DamagedArchive) as problem:
                self._secrets[place] = problem
        found = self._secrets[place]
        if isinstance(found, FreezerError):
            raise found
        return found

    def _with_comments(self, secret: SecretHalf, storage: Storage, set_folder: str) -> SecretHalf:
        """With what the container has sealed for the pair itself, if that is there."""
        try:
            forms = read_forms(storage, set_folder, secret.key_id)
        except StorageError:
            return secret
        return with_comments(secret, forms) if FOR_RECIPIENTS in forms else secret

    def _identity(self, storage: Storage, set_folder: str, key_id: str) -> Identity:
        return self.secret(storage, set_folder, key_id).identity

    def _opened(self, storage: Storage, set_folder: str, key_id: str) -> SecretHalf:
        for identity in self._held.identities:
            # A file with the secret half itself needs nothing of the container.
            if isinstance(identity, X25519Identity) and key_id_of(identity.recipient) == key_id:
                return self._with_comments(SecretHalf(identity, None), storage, set_folder)
        where = f"{set_folder}/{FOLDER}/{key_id} of {storage.describe()}"
        forms = read_forms(storage, set_folder, key_id)
        return open_secret(forms, key_id, self._held.passphrase, self._held.identities, where)
