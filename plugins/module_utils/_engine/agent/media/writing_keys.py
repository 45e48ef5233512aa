# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a new backup is sealed for, and who signs it.

A set has one key pair, which is made with its first sealed backup. From then on its public half is the one that this host
remembers, whatever a container says. A host that has forgotten it takes it from the secret half, if it has the passphrase that opens
that, and it names this set; else it makes a new pair. So it does where a container has lost what the host remembers.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Callable

from ...action.options import OptionError, Options
from ...archive.sealed import Sealing, Unsealed
from ...archive.sealings import FileKeys, ForKeyPair, WhenNeeded, WithPassphrase
from ...repository.backup_set import BackupSet, StoredBackup
from ...repository.errors import ArchiveError
from ...repository.segments import FanOut
from ...repository.set_keys import (
    FOLDER,
    FOR_PASSPHRASE,
    SecretHalf,
    key_id_of,
    key_ids,
    open_secret,
    opened_forms,
    read_forms,
    read_public,
    remove_unfinished,
    set_of,
    write_pair,
)
from ...repository.signatures import KeySigner, ManifestSigner, PassphraseSigner, Trust
from ...sealing.allowed_signers import Signer, principal_of
from ...sealing.errors import SealingError
from ...sealing.identities import Identity, X25519Identity
from ...sealing.recipients import X25519Recipient, recipient
from ...sealing.ssh_signature import NAMESPACE
from ...storage.base import Storage
from ...storage.container import read_marker
from ...storage.errors import StorageError
from ...system.file_names import shown
from .copied import HostContainers
from .held_keys import HeldKeys
from .known_sets import KnownLevel, KnownSet, KnownSets
from .sealed_sets import sealed_with, what_is_missing

#: A passphrase is tried with so many pairs of a container at most: each takes a second.
_MOST_TRIED = 4
_CHANGE = "freezer-agent with action key and key add changes that."
_UNTIL = (
    " This is said again until this host has opened what is there now: with its next backup that has the passphrase, or by "
    "freezer-agent with action key and key add, on this host, with a key that opens it."
)
Forms = dict[str, bytes]


class WritingKeys:
    """The keys of one backup. Nothing is written before `store`, nor on this host if it `plans` only.

    Making it raises OptionError, and SealingError for keys that cannot be used.
    """

    def __init__(
        self, options: Options, held: HeldKeys, containers: HostContainers, sets: Sequence[BackupSet], plans: bool
    ) -> None:
        self._options, self._held, self._containers, self._sets = options, held, containers, sets
        #: What went wrong or is odd, as sentences.
        self.problems: list[str] = []
        #: Why backups that are there are not continued.
        self.obstacle: str | None = None
        self._known = {one.storage: self._remembered(one) for one in sets}
        self._forms: dict[Storage, Forms] = {}
        self._unread: dict[Storage, StorageError] = {}
        #: The SHA-256 of the sealed forms that this host has written or opened. Others may open nothing.
        self._proven = {sha256 for known in self._known.values() if known for sha256 in known.forms.values()}
        self._recipient: X25519Recipient | None = None
        self._recipients: list[str] | None = None
        self._new: SecretHalf | None = None
        #: The storages whose public half is another one.
        self._repaired: set[Storage] = set()
        self._checked_pass_file: list[int] | None = None
        #: Who may sign, as lines; None if that is not known.
        self._signers: list[str] | None = None
        #: The forms of the secret half that name this host among those.
        self._renewed: Forms = {}
        self.signer: ManifestSigner | None
        self.signer, self.unsigned_because = held.signer(makes=not plans)
        self.sealing: Sealing = self._sealing()

    @property
    def sign(self) -> Callable[[bytes], bytes] | None:
        """What signs a manifest."""
        return None if self.signer is None else self.signer.sign

    def signed_by(self) -> dict[str, str | None]:
        """The keys of a result that say who signs the backup."""
        signer = self.signer.name if self.signer is not None else None
        return {"signed_by": signer, "signed_by_reason": self.unsigned_because}

    # ------------------------------------------------------------------ what is sealed for

    def _sealing(self) -> Sealing:
        missing = self._options.lacking("backup").get("encrypt_pass_file")
        if missing:
            raise OptionError(missing)
        method = self._options.sealed_with
        if method is None:
            return Unsealed()
        if method == "aes-256-cfb" and self._held.passphrase is not None:
            return WithPassphrase(self._held.passphrase)
        self._recipient = recipient = self._pair()
        known = [one.file_keys for one in self._known.values() if one is not None]
        identities: list[Identity] = [FileKeys({share: key for keys in known for share, key in keys.items()})]
        if self._held.passphrase is not None:
            identities.append(WhenNeeded(lambda: self._secret(recipient)))
        return ForKeyPair(self._recipient, identities)

    def _remembered(self, one: BackupSet) -> KnownSet | None:
        try:
            container_id = self._containers.id_of(one.storage)
            return KnownSets().get(container_id, one.folder) if container_id else None
        except StorageError as problem:
            self.problems.append(str(problem))
            return None

    def _pair(self) -> X25519Recipient:
        found = self._known_pair()
        if found is None and self.obstacle is None:
            found = self._opened_pair()
        return found or self._new_pair()

    def _known_pair(self) -> X25519Recipient | None:
        """The public half that this host remembers, if a container has the secret one still."""
        texts = dict.fromkeys(known.recipient for known in self._known.values() if known and known.recipient)
        for text in texts:
            recipient = X25519Recipient(text)
            self._read_forms(recipient)
            if self._unread or any(self._forms.values()):
                self._check_pair(recipient)
                return recipient
            folder, where = self._sets[0].folder, self._sets[0].storage.describe()
            self.problems.append(
                f"The secret half of the key pair {key_id_of(recipient)} of {folder} is gone from {where}, so what was "
                "encrypted for it cannot be opened any more; put a copy of it back. This backup got a new pair."
            )
            self.obstacle = "the secret half of the key pair of the earlier backups is gone"
        return None

    def _read_forms(self, recipient: X25519Recipient) -> None:
        for one in self._sets:
            try:
                self._forms[one.storage] = read_forms(one.storage, one.folder, key_id_of(recipient))
            except StorageError as problem:
                self._forms[one.storage] = {}
                self._unread[one.storage] = problem

    def _check_pair(self, recipient: X25519Recipient) -> None:
        """Compare what the containers have of the pair with what this host remembers; differences become problems."""
        for one in self._sets:
            known, forms = self._known[one.storage], self._forms[one.storage]
            if known is None or known.recipient != str(recipient) or not forms:
                continue
            where = f"{one.folder}/{FOLDER}/{key_id_of(recipient)} of {one.storage.describe()}"
            try:
                public = read_public(one.storage, one.folder, key_id_of(recipient))
            except StorageError:
                continue
            if public != str(recipient):
                self._repaired.add(one.storage)
                if public is not None:
                    self.problems.append(
                        f"{where} says that the public half is {shown(public)[:80]}, which was not believed: this host remembers "
                        "another one, has encrypted for that, and has put it back there."
                    )
            changed = sorted(name for name, sha256 in known.forms.items() if sha256 != _sha256(forms.get(name)))
            if changed:
                with suppress(SealingError, ArchiveError):
                    self._opened(one, key_id_of(recipient), forms)
                is_open = all(_sha256(forms.get(name)) in self._proven for name in changed)
                self.problems.append(
                    f"{' and '.join(changed)} of {where} changed since this host wrote there last. If that was no action key of "
                    f"yours, put a copy back: without it the backups cannot be opened.{'' if is_open else _UNTIL}"
                )
        known = next(one for one in self._known.values() if one is not None and one.recipient == str(recipient))
        self._check_options(recipient, known)
        self._check_signer(known, recipient)

    def _check_options(self, recipient: X25519Recipient, known: KnownSet) -> None:
        """Say it if the passphrase or the recipients of the action cannot open the backup."""
        self._take_recipients(known.recipients)
        self._checked_pass_file = list(known.pass_file) if known.pass_file is not None else None
        now = self._held.pass_file()
        if now is None or now == self._checked_pass_file:
            return
        try:
            self._secret(recipient)
            self._checked_pass_file = now
        except (SealingError, ArchiveError):
            self.problems.append(
                "The passphrase of encrypt_pass_file does not open the key pair of this set, so the backup can be opened with the "
                f"former passphrase or another key only; {_CHANGE}"
            )

    def _take_recipients(self, known: Sequence[str] | None) -> None:
        """Keep what the pair is sealed for, as far as that is known, and say it if the recipients of the action are not among them."""
        self._recipients = None if known is None else list(known)
        if known is not None and not set(map(str, self._held.recipients)) <= set(known):
            self.problems.append(
                "encryption_recipients names public keys that the key pair of this set is not sealed for, so their owners cannot "
                f"open the backup; {_CHANGE}"
            )

    def _secret(self, recipient: X25519Recipient) -> X25519Identity:
        """The secret half, which the passphrase opens. Raises SealingError or DamagedArchive."""
        one = next((one for one in self._sets if self._forms.get(one.storage)), self._sets[0])
        return self._opened(one, key_id_of(recipient), self._forms.get(one.storage, {})).identity

    def _opened(self, one: BackupSet, key_id: str, forms: Forms) -> SecretHalf:
        where = f"{one.folder}/{FOLDER}/{key_id} of {one.storage.describe()}"
        # The form for recipients opens nothing here, and says who they are.
        secret = open_secret(forms if FOR_PASSPHRASE in forms else {}, key_id, self._held.passphrase, [], where)
        self._proven.update(_sha256(form) for form in opened_forms(forms, secret, by_passphrase=True).values())
        return secret

    def _opened_pair(self) -> X25519Recipient | None:
        """The pair in a container that the passphrase opens and that was made for this set, if there is no more than one.

        The passphrase may open pairs of other sets too, which others can read, and one that this set had before; who can write to the
        container can put them here.
        """
        there = False
        found: dict[str, SecretHalf] = {}
        for one in self._sets:
            try:
                ids = key_ids(one.storage, one.folder)
                there = there or bool(ids)
                tried = [] if self._held.passphrase is None else self._most_used(one, ids)[:_MOST_TRIED]
            except StorageError:
                continue
            for key_id in tried:
                try:
                    secret = self._opened(one, key_id, read_forms(one.storage, one.folder, key_id))
                except (SealingError, ArchiveError, StorageError):
                    continue
                if self._named(one) in secret.sets:
                    found.setdefault(key_id, secret)
        if len(found) == 1:
            secret = next(iter(found.values()))
            self._take_recipients(secret.recipients)
            self._checked_pass_file = self._held.pass_file()
            self._read_forms(secret.identity.recipient)
            self._name_signer(secret)
            return secret.identity.recipient
        if there:
            self.obstacle = "this host does not know the key pair of the earlier backups" + (
                ""
                if self._held.passphrase is None
                else ", and encrypt_pass_file opens several that were made for this set"
                if found
                else ", and encrypt_pass_file opens none that was made for this set"
            )
        return None

    @staticmethod
    def _most_used(one: BackupSet, ids: Sequence[str]) -> list[str]:
        """The pairs of the most backups first: pairs alone, which no backup names, do not keep them from being tried."""
        if len(ids) <= _MOST_TRIED:
            return list(ids)
        uses = Counter(sealed.key_id for sealed in map(sealed_with, one.survey().backups) if sealed)
        return sorted(ids, key=lambda key_id: -uses[key_id])

    def _named(self, one: BackupSet) -> str | None:
        """How a secret half names a set; None if it is not known which container that is."""
        try:
            container_id = self._containers.id_of(one.storage) or read_marker(one.storage)
        except StorageError:
            return None
        return set_of(container_id, one.folder) if container_id else None

    def _new_pair(self) -> X25519Recipient:
        self._signers = self._own_lines()
        self._new = SecretHalf(X25519Identity.generate(), (), tuple(self._signers))
        self._recipients = [str(one) for one in self._held.recipients]
        self._checked_pass_file = self._held.pass_file()
        return self._new.identity.recipient

    # ------------------------------------------------------------------ who may sign

    def _own_lines(self) -> list[str]:
        """The lines for the key of this host; none if it signs with no key."""
        if not isinstance(self.signer, KeySigner):
            return []
        return [Signer(principal_of(self._sets[0].hostname), self.signer.public, NAMESPACE).line]

    def _name_signer(self, secret: SecretHalf) -> None:
        """Have the secret half name the key of this host, if it names any: a holder of it says whom readers believe."""
        self._signers = list(secret.signers)
        missing = [line for line in self._own_lines() if line not in secret.signers]
        if secret.signers and missing:
            self._signers += missing
            more = replace(secret, signers=tuple(self._signers))
            self._renewed = more.sealed(self._held.passphrase, [recipient(one) for one in secret.recipients or ()])

    def _check_signer(self, known: KnownSet, pair: X25519Recipient) -> None:
        """Have this host named among those who may sign, or say it if that cannot be done here."""
        self._signers = None if known.signers is None else list(known.signers)
        if not known.signers or set(self._own_lines()) <= set(known.signers):
            return
        try:
            one = next((one for one in self._sets if self._forms.get(one.storage)), self._sets[0])
            self._name_signer(self._opened(one, key_id_of(pair), self._forms.get(one.storage, {})))
        except (SealingError, ArchiveError):
            self.problems.append(
                "The key that signs this backup is not among the signers that are sealed with the key pair of this set, so a restore that "
                "opens the pair refuses it unless trusted_signers names the key; a backup with encrypt_pass_file adds it."
            )

    # ------------------------------------------------------------------ what is continued

    def why_not_continued(self, one: BackupSet, parent: StoredBackup) -> str | None:
        """Why a backup is not continued: nobody who is believed has written it, and a level on it would speak for it.

        Raises ArchiveError, SealingError or StorageError.
        """
        known = self._known[one.storage]
        if known is not None and parent.manifest_sha256 in known.manifests:
            return None
        own = self.signer.public if isinstance(self.signer, KeySigner) else None
        # Others may have the passphrase: its code counts only where this host writes one too, and remembers nothing, which is better.
        by_code = isinstance(self.signer, PassphraseSigner) and (known is None or not known.levels)
        passphrase = self._held.passphrase if by_code else None
        if Trust(None, own, passphrase).author(one.storage, parent).signed_by is not None:
            return None
        if self.signer is None and (known is None or not known.levels):
            return None
        return "the newest backup was not written by this host, as far as it knows"

    def look_back(self) -> None:
        """Say it if the backup that this host has written last is gone or was replaced."""
        for one in self._sets:
            known = self._known[one.storage]
            if known is None:
                continue
            try:
                missing = what_is_missing(one, known)
            except StorageError:
                continue
            if missing is not None:
                self.problems.append(missing)

    # ------------------------------------------------------------------ what is kept

    def store(self, fan_out: FanOut) -> None:
        """Put the pair where it is missing, before anything is sealed for it. Raises StorageError if no storage is left."""
        if self._recipient is None:
            return
        recipient, folder = self._recipient, self._sets[0].folder
        if self._new is not None:
            named = [self._named(one) for one in self._sets]
            new = replace(self._new, sets=tuple(dict.fromkeys(name for name in named if name)))
            whole = new.sealed(self._held.passphrase, self._held.recipients)
            self._new, self._forms = None, {}
            self._proven.update(map(_sha256, whole.values()))
        else:
            self._proven.update(map(_sha256, self._renewed.values()))
            found = [(name, form) for forms in self._forms.values() for name, form in forms.items()]
            # What is known to open goes to storages without any, before what only lies there.
            whole = dict(sorted(found, key=lambda one: _sha256(one[1]) in self._proven))
            whole.update(self._renewed)

        def put(storage: Storage) -> None:
            if storage in self._unread:
                if self._wrote_pair_to(storage):
                    return
                raise self._unread[storage]
            forms = self._forms.get(storage)
            if not forms:
                remove_unfinished(storage, folder)
                write_pair(storage, folder, recipient, whole)
                self._forms[storage] = whole
            elif storage in self._repaired or self._renewed:
                write_pair(storage, folder, recipient, self._renewed)
                self._forms[storage] = {**forms, **self._renewed}

        fan_out.each(put)

    def _wrote_pair_to(self, storage: Storage) -> bool:
        """Whether this host remembers to have put the pair there. What lies in a storage that it cannot read is not known otherwise."""
        known = self._known[storage]
        return known is not None and known.recipient == str(self._recipient) and bool(known.forms)

    def remember(self, fan_out: FanOut, stored: StoredBackup) -> None:
        """Keep what the next backup has to know, on this host."""
        kept = self.sealing.kept.known if isinstance(self.sealing, ForKeyPair) else {}
        level = KnownLevel(
            stored.manifest.folder, stored.manifest_sha256, {share: key.hex() for share, key in kept.items()}
        )
        for one in self._sets:
            if one.storage not in fan_out.working():
                continue
            try:
                container_id = self._containers.id_of(one.storage)
                if container_id is None:
                    continue  # what could not be remembered of the container was told already
                known = (self._known[one.storage] or KnownSet()).with_level(level, stored.manifest.level == 0)
                if self._recipient is not None:
                    before = dict(known.forms) if known.recipient == str(self._recipient) else {}
                    hashes = {name: _sha256(form) for name, form in self._forms.get(one.storage, {}).items()}
                    known = KnownSet(
                        str(self._recipient),
                        {**before, **{name: sha256 for name, sha256 in hashes.items() if sha256 in self._proven}},
                        self._recipients,
                        self._checked_pass_file,
                        known.levels,
                        self._signers,
                    )
                KnownSets().put(container_id, one.folder, known)
            except StorageError as problem:
                self.problems.append(f"What the next backup has to know was not remembered: {problem}")


def _sha256(stored: bytes | None) -> str:
    return hashlib.sha256(stored or b"").hexdigest()
