# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The key pairs of a sealed set, as they lie in its container: the public half, and the secret half in sealed forms.

Each pair has a folder ``.keys/<key_id>`` in the folder of the set (docs/archive-format.md, "Sealing"). What writes sets takes the
public half from its host; that one is for people. The secret half is a file as age-keygen writes it: comments that name the
recipients it is sealed for, and the key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..sealing import age
from ..sealing.errors import Damaged, SealingError, UnusableKey
from ..sealing.identities import Identity, ScryptIdentity, X25519Identity
from ..sealing.passphrase import Passphrase
from ..sealing.recipients import Recipient, ScryptRecipient, X25519Recipient
from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject
from .errors import DamagedArchive

FOLDER = ".keys"
PUBLIC, FOR_PASSPHRASE, FOR_RECIPIENTS = "public", "passphrase.age", "recipients.age"
FORMS = (FOR_PASSPHRASE, FOR_RECIPIENTS)
#: Of a form: the largest header of age, with as many recipients inside.
MOST_FORM_BYTES = 256 * 1024
_PUBLIC_BYTES = 4096
#: Of a form that another may have put there: what age itself writes, which is 256 MiB of memory.
_MOST_WORK = 18
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_RECIPIENT, _SIGNER, _SET = "# recipient: ", "# signer: ", "# set: "


def key_id_of(recipient: X25519Recipient) -> str:
    """The id of a key pair: the first 32 hexadecimal digits of the SHA-256 of its public half, as it is written."""
    return hashlib.sha256(str(recipient).encode("ascii")).hexdigest()[:32]


def set_of(container_id: str, set_folder: str) -> str:
    """How the secret half names the set that it was made for: another set may have other readers."""
    return f"{container_id}/{set_folder}"


@dataclass(frozen=True)
class SecretHalf:
    """The secret half of a pair, and the recipients that it is sealed for, as they are written; None if they are not known.

    `signers` are those who may sign the backups of the set, as lines of allowed_signers; without any nothing is said of that.
    `sets` are those that the pair was made for, as `set_of` names them, in the form for the passphrase alone: who has a form for
    recipients could write another one.
    """

    identity: X25519Identity
    recipients: tuple[str, ...] | None = ()
    signers: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()

    @property
    def key_id(self) -> str:
        """The id of the pair."""
        return key_id_of(self.identity.recipient)

    def sealed(self, passphrase: Passphrase | None, recipients: Sequence[Recipient]) -> dict[str, bytes]:
        """Its forms for a passphrase and for recipients, by the names of their objects. Raises UnusableKey, MissingLibrary.

        The form for recipients is for the pair itself too: so whoever has opened the other one can read who they are.
        """
        forms = {}
        line = "".join(f"{_SIGNER}{one}\n" for one in self.signers) + f"{self.identity.reveal()}\n"
        if passphrase is not None:
            text = "".join(f"{_SET}{one}\n" for one in self.sets) + line
            forms[FOR_PASSPHRASE] = age.sealed(text.encode("utf-8", "replace"), [ScryptRecipient(passphrase)])
        if recipients:
            text = "".join(f"{_RECIPIENT}{one}\n" for one in recipients) + line
            forms[FOR_RECIPIENTS] = age.sealed(text.encode("utf-8", "replace"), [self.identity.recipient, *recipients])
        return forms


def _folder(set_folder: str, key_id: str) -> str:
    return f"{set_folder}/{FOLDER}/{key_id}"


def key_ids(storage: Storage, set_folder: str) -> list[str]:
    """The ids of all pairs of a set. Raises StorageError."""
    return [key_id for key_id, is_begun in _folders(storage, set_folder) if is_begun]


def remove_unfinished(storage: Storage, set_folder: str) -> None:
    """Remove the folders in which a killed run has stored no part of a pair, so that nothing was sealed for it.

    The caller has locked the set. Raises StorageError.
    """
    for key_id, is_begun in _folders(storage, set_folder):
        if not is_begun:
            storage.delete_folder(_folder(set_folder, key_id))


def _folders(storage: Storage, set_folder: str) -> list[tuple[str, bool]]:
    """The names of the folders of pairs, each with whether anything is stored in it."""
    names = sorted(name for name in storage.children(f"{set_folder}/{FOLDER}") if _KEY_ID.fullmatch(name))
    return [(name, bool(storage.children(_folder(set_folder, name)))) for name in names]


def read_forms(storage: Storage, set_folder: str, key_id: str) -> dict[str, bytes]:
    """The sealed forms of the secret half that are there. Raises StorageError."""
    found = {}
    for name in FORMS:
        try:
            found[name] = storage.read(f"{_folder(set_folder, key_id)}/{name}", MOST_FORM_BYTES)
        except (ObjectMissing, OddObject):
            continue  # what is no object of this kind opens nothing
    return found


def read_public(storage: Storage, set_folder: str, key_id: str) -> str | None:
    """What the container says that the public half is, which nothing may be sealed for. Raises StorageError."""
    try:
        stored = storage.read(f"{_folder(set_folder, key_id)}/{PUBLIC}", _PUBLIC_BYTES)
    except (ObjectMissing, OddObject):
        return None
    return stored.decode("ascii", "replace").strip()


def write_pair(storage: Storage, set_folder: str, recipient: X25519Recipient, forms: Mapping[str, bytes]) -> None:
    """Store forms of a pair, and then its public half. Forms that are there and not named stay. Raises StorageError."""
    folder = _folder(set_folder, key_id_of(recipient))
    for name, stored in forms.items():
        storage.put(f"{folder}/{name}", stored)
    storage.put(f"{folder}/{PUBLIC}", f"{recipient}\n".encode("ascii"))


def remove_form(storage: Storage, set_folder: str, key_id: str, name: str) -> None:
    """Remove a form, if it is there. Raises StorageError."""
    storage.delete(f"{_folder(set_folder, key_id)}/{name}")


def open_secret(
    forms: Mapping[str, bytes], key_id: str, passphrase: Passphrase | None, identities: Sequence[Identity], where: str
) -> SecretHalf:
    """The secret half, opened with whatever opens one of its forms; `where` is the place of the pair, for messages.

    A secret half of another pair is refused. Raises DamagedArchive, NoKeyFits, MissingLibrary, or UnusableKey with what to
    give if nothing is at hand for the forms that are there.
    """
    held: dict[str, Sequence[Identity]] = {
        FOR_PASSPHRASE: [] if passphrase is None else [ScryptIdentity(passphrase, _MOST_WORK)],
        FOR_RECIPIENTS: identities,
    }
    if not forms:
        raise DamagedArchive(
            f"The secret half of the key pair {key_id} is gone from {where}, so what was sealed for it cannot be opened. "
            "Put a copy of its folder back, such as one of a recovery kit."
        )
    problem: SealingError | DamagedArchive | None = None
    for name, stored in forms.items():
        if not held[name]:
            continue
        try:
            secret = _parsed(age.opened(stored, held[name], f"{name} of {where}"), key_id, f"{name} of {where}")
            return with_comments(secret if name == FOR_PASSPHRASE else replace(secret, sets=()), forms)
        except Damaged as damage:
            problem = problem or DamagedArchive(str(damage))
        except (SealingError, DamagedArchive) as refused:
            problem = problem or refused
    if problem is not None:
        raise problem
    wanted = {FOR_PASSPHRASE: "its passphrase (encrypt_pass_file)", FOR_RECIPIENTS: "a secret key (identity_file)"}
    raise UnusableKey(f"What lies in {where} is encrypted; give {' or '.join(wanted[name] for name in forms)}.")


def opened_forms(forms: Mapping[str, bytes], secret: SecretHalf, by_passphrase: bool) -> dict[str, bytes]:
    """Those of the forms that were opened to get at a secret half and at who its recipients are, so that they are not destroyed."""
    names = [
        name for name, is_open in ((FOR_PASSPHRASE, by_passphrase), (FOR_RECIPIENTS, secret.recipients)) if is_open
    ]
    return {name: forms[name] for name in names if name in forms}


def with_comments(secret: SecretHalf, forms: Mapping[str, bytes]) -> SecretHalf:
    """A secret half with what the form for recipients says besides: who they are, None if it cannot be read, and who may sign.

    The secret half is in it, so only a holder of that can have named them.
    """
    if FOR_RECIPIENTS not in forms:
        return replace(secret, recipients=())
    try:
        plain = age.opened(forms[FOR_RECIPIENTS], [secret.identity])
        found = _parsed(plain, secret.key_id, FOR_RECIPIENTS)
    except (SealingError, DamagedArchive):
        return replace(secret, recipients=None)
    return replace(found, signers=tuple(dict.fromkeys([*secret.signers, *found.signers])), sets=secret.sets)


def _parsed(plain: bytes, key_id: str, what: str) -> SecretHalf:
    recipients, signers, sets, keys = [], [], [], []
    for line in plain.decode("utf-8", "replace").splitlines():
        if line.startswith(_RECIPIENT):
            recipients.append(line[len(_RECIPIENT) :])
        elif line.startswith(_SIGNER):
            signers.append(line[len(_SIGNER) :])
        elif line.startswith(_SET):
            sets.append(line[len(_SET) :])
        elif line.strip() and not line.startswith("#"):
            keys.append(line.strip())
    try:
        if len(keys) != 1:
            raise UnusableKey("")
        secret = SecretHalf(X25519Identity(keys[0]), tuple(recipients), tuple(signers), tuple(sets))
    except UnusableKey:
        raise DamagedArchive(f"{what} has no secret key in it, so it is not what was written.") from None
    if secret.key_id != key_id:
        raise DamagedArchive(f"{what} has the secret half of another key pair, {secret.key_id}, and not of {key_id}.")
    return secret
