# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who can open the key pairs of a set: listed, changed and exported. No backup is written anew for it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ...action.options import OptionError, Options
from ...action.rows_of_keys import THE_PASSPHRASE
from ...repository.backup_set import BackupSet
from ...repository.errors import ArchiveError, DamagedArchive, UnbelievedBackup
from ...repository.set_keys import (
    FOLDER,
    FOR_PASSPHRASE,
    FOR_RECIPIENTS,
    SecretHalf,
    key_id_of,
    key_ids,
    open_secret,
    opened_forms,
    read_forms,
    read_public,
    remove_form,
    write_pair,
)
from ...sealing.armor import armored
from ...sealing.errors import SealingError
from ...sealing.passphrase import Passphrase, read_passphrase
from ...sealing.recipients import X25519Recipient, recipient
from ...system.file_names import shown
from .copied import HostContainers
from .held_keys import HeldKeys
from .known_sets import KnownSets
from .reading_keys import ReadingKeys
from .sealed_sets import sealed_with

_STILL = (
    "Who could open the secret half before, and has kept a copy of it, can still open the backups of this key pair."
)


@dataclass(frozen=True)
class Pair:
    """A key pair of a set in one storage, with the forms of its secret half."""

    one: BackupSet
    key_id: str
    forms: dict[str, bytes]

    def where(self) -> str:
        """How messages name it."""
        return f"{self.one.folder}/{FOLDER}/{self.key_id} of {self.one.storage.describe()}"


class KeyChanges:
    """The pairs of the sets of an action. Everything here raises FreezerError."""

    def __init__(self, options: Options, containers: HostContainers, sets: Sequence[BackupSet]) -> None:
        self._options, self._containers, self._sets = options, containers, sets
        self._held = HeldKeys(options)
        self._keys = ReadingKeys(options, self._held, containers)

    def run(self) -> dict[str, Any]:
        """Do what ``key`` of the action says; the keys of a result."""
        works = {"list": self._list, "export": self._export, "add": self._change, "remove": self._change}
        with ExitStack() as locks:
            for one in self._sets:
                self._containers.check(one.storage)
                if self._options.key in ("add", "remove") and not self._options.dry_run:
                    locks.enter_context(one.lock())
            pairs = [
                Pair(one, key_id, read_forms(one.storage, one.folder, key_id))
                for one in self._sets
                for key_id in key_ids(one.storage, one.folder)
            ]
            if not pairs:
                places = ", ".join(one.storage.describe() for one in self._sets)
                raise ArchiveError(
                    f"There is no key pair of {self._sets[0].folder} in {places}: it is made with the first backup that is "
                    "encrypted with age."
                )
            return works[self._options.key](pairs)

    # ------------------------------------------------------------------ list, export

    def _list(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        return {"changed": False, "outcome": "success", "keys": [self._described(pair) for pair in pairs]}

    def _described(self, pair: Pair) -> dict[str, Any]:
        one, recipients, signers = pair.one, None, None
        try:
            secret = self._keys.secret(one.storage, one.folder, pair.key_id)
            recipients, signers = secret.recipients, list(secret.signers)
        except (SealingError, DamagedArchive):
            pass  # who the recipients are can be read with the key only
        public = read_public(one.storage, one.folder, pair.key_id)
        uses = Counter(sealed.key_id for sealed in map(sealed_with, one.survey().backups) if sealed)
        return {
            "storage": one.storage.kind,
            "container": one.storage.container,
            "folder": f"{one.folder}/{FOLDER}/{pair.key_id}",
            "key_id": pair.key_id,
            "public": None if public is None else shown(public)[:100],
            "for_passphrase": FOR_PASSPHRASE in pair.forms,
            "for_recipients": FOR_RECIPIENTS in pair.forms,
            "recipients": None if recipients is None else list(recipients),
            "signers": signers,
            "backups": uses[pair.key_id],
            "of_this_host": pair.key_id == self._known_id(one),
        }

    def _known_id(self, one: BackupSet) -> str | None:
        """The id of the pair that this host remembers. What a container says of a public half is not asked."""
        known = self._keys.known(one.storage, one.folder)
        return key_id_of(X25519Recipient(known.recipient)) if known is not None and known.recipient else None

    def _export(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """As they are stored, as text: what opens them is not in it."""
        keys = [
            {**self._described(pair), "forms": {name: armored(stored) for name, stored in pair.forms.items()}}
            for pair in pairs
        ]
        return {"changed": False, "outcome": "success", "keys": keys}

    # ------------------------------------------------------------------ add, remove

    def _change(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        options = self._options
        passphrase = read_passphrase(options.new_pass_file, "new_pass_file") if options.new_pass_file else None
        if options.key == "remove" and passphrase is not None:
            raise OptionError("new_pass_file is for key add, which puts it in the place of the passphrase before.")
        if not options.encryption_recipients and passphrase is None:
            what = "encryption_recipients or new_pass_file" if options.key == "add" else "encryption_recipients"
            raise OptionError(f"key {options.key} does not say what to {options.key}: {what} is missing.")
        # All are opened before one is changed.
        pairs, secrets, passed_over = self._opened(pairs)
        new = [self._new_forms(pair, secret, passphrase) for pair, secret in zip(pairs, secrets)]
        changed = [pair for pair, forms in zip(pairs, new) if forms is not None]
        if not options.dry_run:
            for pair, secret, forms in zip(pairs, secrets, new):
                if forms is not None:
                    self._put(pair, secret, forms)
                self._remember(pair, secret, forms or {})
        self._keys = ReadingKeys(options, self._held, self._containers)
        after = [replace(pair, forms=read_forms(pair.one.storage, pair.one.folder, pair.key_id)) for pair in pairs]
        outcome = "planned" if options.dry_run else "success" if changed else "unchanged"
        remarks = [*([_STILL] if options.key == "remove" and changed else []), *passed_over]
        return {
            "changed": bool(changed),
            "outcome": outcome,
            "keys": [self._described(pair) for pair in after],
            **({"remarks": remarks} if remarks else {}),
        }

    def _opened(self, pairs: Sequence[Pair]) -> tuple[list[Pair], list[SecretHalf], list[str]]:
        """The pairs that open, with their secret halves, and a sentence for each of the others, which no backup needs.

        Whoever can write to the container can put such a folder there. Raises SealingError or DamagedArchive for one that counts.
        """
        opened, secrets, others = [], [], []
        first: SealingError | DamagedArchive | None = None
        for pair in pairs:
            try:
                secrets.append(self._keys.secret(pair.one.storage, pair.one.folder, pair.key_id))
                opened.append(pair)
            except (SealingError, DamagedArchive) as problem:
                if self._counts(pair):
                    raise
                first = first or problem
                others.append(
                    f"{pair.where()} was left as it is: this host does not remember it, and no backup that is believed here is "
                    f"encrypted for it. {problem}"
                )
        if first is not None and not opened:
            raise first
        return opened, secrets, others

    def _counts(self, pair: Pair) -> bool:
        """Whether this host, or a backup that is believed, names a pair."""
        if pair.key_id == self._known_id(pair.one):
            return True
        for backup in pair.one.survey().backups:
            sealed = sealed_with(backup)
            if sealed is None or sealed.key_id != pair.key_id:
                continue
            try:
                if self._keys.author(pair.one.storage, backup).signed_by is not None:
                    return True
            except (UnbelievedBackup, DamagedArchive):
                continue
        return False

    def _new_forms(self, pair: Pair, secret: SecretHalf, passphrase: Passphrase | None) -> dict[str, bytes] | None:
        """The forms that take the place of those of a pair, without those that stay; empty bytes for one that is removed."""
        options = self._options
        if secret.recipients is None:
            raise DamagedArchive(
                f"{FOR_RECIPIENTS} of {pair.where()} is not what was written, or the secret half came from elsewhere, so it is "
                "not known who can open it. Give the passphrase, or a key that it is sealed for."
            )
        before = list(secret.recipients)
        if options.key == "add":
            after = list(dict.fromkeys([*before, *(str(one) for one in self._held.recipients)]))
        else:
            named = [text if text == THE_PASSPHRASE else str(recipient(text)) for text in options.encryption_recipients]
            unknown = [text for text in named if text not in (*before, THE_PASSPHRASE)]
            if unknown or (THE_PASSPHRASE in named and FOR_PASSPHRASE not in pair.forms):
                raise OptionError(
                    f"{(unknown or named)[0][:100]} is none of those that can open {pair.where()}; key list names them. Nothing "
                    "was changed."
                )
            after = [text for text in before if text not in named]
            if not after and (THE_PASSPHRASE in named or FOR_PASSPHRASE not in pair.forms):
                raise OptionError(f"Nothing would be left that opens {pair.where()}, so nothing was changed.")
        new = secret.sealed(passphrase, [recipient(text) for text in after] if after != before else [])
        if options.key == "remove":
            if THE_PASSPHRASE in options.encryption_recipients:
                new[FOR_PASSPHRASE] = b""
            if before and not after:
                new[FOR_RECIPIENTS] = b""
        return new or None

    def _put(self, pair: Pair, secret: SecretHalf, forms: dict[str, bytes]) -> None:
        storage, folder = pair.one.storage, pair.one.folder
        stored = {name: form for name, form in forms.items() if form}
        write_pair(storage, folder, secret.identity.recipient, stored)
        found = read_forms(storage, folder, pair.key_id)
        if any(found.get(name) != form for name, form in stored.items()):
            raise DamagedArchive(f"{pair.where()} does not have what was written there; nothing was removed.")
        for name, form in forms.items():
            if not form:
                remove_form(storage, folder, pair.key_id, name)

    def _remember(self, pair: Pair, secret: SecretHalf, written: dict[str, bytes]) -> None:
        """What this host knows of the pair is what it has made of it, and what it has opened of the rest."""
        storage, folder = pair.one.storage, pair.one.folder
        container_id = self._containers.id_of(storage)
        known = self._keys.known(storage, folder)
        if container_id is None or known is None or known.recipient != str(secret.identity.recipient):
            return
        forms = read_forms(storage, folder, pair.key_id)
        proven = {**opened_forms(forms, secret, self._passphrase_opens(pair)), **written}
        hashes = {name: sha256 for name, sha256 in known.forms.items() if name in forms}
        hashes.update(
            (name, hashlib.sha256(form).hexdigest()) for name, form in forms.items() if proven.get(name) == form
        )
        if hashes == known.forms and not written:
            return
        # None: the next backup opens the form for the passphrase once, and sees whether its own fits.
        KnownSets().put(container_id, folder, replace(known, forms=hashes, recipients=None, pass_file=None))

    def _passphrase_opens(self, pair: Pair) -> bool:
        forms = {name: form for name, form in pair.forms.items() if name == FOR_PASSPHRASE}
        try:
            open_secret(forms, pair.key_id, self._held.passphrase, [], pair.where())
        except (SealingError, DamagedArchive):
            return False
        return True
