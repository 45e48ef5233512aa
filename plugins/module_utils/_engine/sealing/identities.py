# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What opens something that is sealed: secret keys of age and of SSH, and a passphrase. Each unwraps the stanzas made for it."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

from . import age_header, bech32, curve25519, ssh_keys
from .age_header import FILE_KEY_BYTES, Header, Stanza, from_unpadded
from .errors import Damaged, NoKeyFits, UnusableKey
from .libraries import cryptography, hkdf_sha256, primitives
from .passphrase import Passphrase
from .recipients import (
    SALT_BYTES,
    SSH_ED25519_LABEL,
    X25519,
    X25519_LABEL,
    SshEd25519Recipient,
    SshRsaRecipient,
    X25519Recipient,
    chacha20_poly1305,
    oaep,
    scrypt_key,
    short_fingerprint,
    tweaked,
)

_SECRET_PREFIX = "age-secret-key-"
#: A file key and the tag of its seal. Others are refused unopened: they could be made to open with several keys.
_WRAPPED_BYTES = FILE_KEY_BYTES + 16
#: Base-two logarithm of the most work that a stanza may ask of a reader: 4 GiB of memory, and about 15 seconds.
MOST_WORK = 22


class Identity(ABC):
    """A secret that opens what was sealed for it. What shows or logs it gets nothing of the secret."""

    @abstractmethod
    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key; None if the stanza is for others. Raises ValueError with a reason if it is malformed."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class X25519Identity(Identity):
    """A secret key of age, ``AGE-SECRET-KEY-1...``."""

    def __init__(self, text: str) -> None:
        """Raises UnusableKey if the text is no such key, and MissingLibrary."""
        try:
            prefix, secret = bech32.decode(text)
        except ValueError as error:
            raise UnusableKey(f"A secret key (AGE-SECRET-KEY-1...) cannot be used: {error}.") from None
        if prefix != _SECRET_PREFIX or len(secret) != 32 or text != text.upper():
            raise UnusableKey("A secret key cannot be used: it is not one that age-keygen makes (AGE-SECRET-KEY-1...).")
        self._secret = secret
        self._key = curve25519.secret_key(secret)
        self._point = curve25519.point_of(self._key)

    @classmethod
    def generate(cls) -> X25519Identity:
        """A new key."""
        return cls(bech32.encode(_SECRET_PREFIX, os.urandom(32)).upper())

    @property
    def recipient(self) -> X25519Recipient:
        """Its public half."""
        return X25519Recipient(bech32.encode("age", self._point))

    def reveal(self) -> str:
        """The secret key as text, for a file that nobody else may read."""
        return bech32.encode(_SECRET_PREFIX, self._secret).upper()

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if stanza.kind != X25519:
            return None
        (share,) = _arguments(stanza, 1)
        share_bytes = from_unpadded(share, 32)
        _refuse_other_length(stanza)
        shared = curve25519.exchanged(self._key, share_bytes)
        return _unwrapped(hkdf_sha256(shared, share_bytes + self._point, X25519_LABEL), stanza.body)


class SshEd25519Identity(Identity):
    """A private key of SSH of the kind ssh-ed25519."""

    def __init__(self, key: ssh_keys.PrivateKey) -> None:
        serialization = primitives("serialization")
        seed = key.key.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        self._public = key.public
        self._key = curve25519.secret_key_of_seed(seed)
        self._point = curve25519.point_of(self._key)

    @property
    def recipient(self) -> SshEd25519Recipient:
        """Its public half."""
        return SshEd25519Recipient(self._public)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if stanza.kind != ssh_keys.ED25519:
            return None
        name, share = _arguments(stanza, 2)
        share_bytes = from_unpadded(share, 32)
        if name != short_fingerprint(self._public):
            return None
        _refuse_other_length(stanza)
        shared = tweaked(curve25519.exchanged(self._key, share_bytes), self._public)
        return _unwrapped(hkdf_sha256(shared, share_bytes + self._point, SSH_ED25519_LABEL), stanza.body)


class SshRsaIdentity(Identity):
    """A private key of SSH of the kind ssh-rsa."""

    def __init__(self, key: ssh_keys.PrivateKey) -> None:
        self._key = key

    @property
    def recipient(self) -> SshRsaRecipient:
        """Its public half."""
        return SshRsaRecipient(self._key.public)

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if stanza.kind != ssh_keys.RSA:
            return None
        (name,) = _arguments(stanza, 1)
        if name != short_fingerprint(self._key.public):
            return None
        try:
            file_key: bytes = self._key.key.decrypt(stanza.body, oaep())
        except ValueError:
            return None
        return file_key if len(file_key) == FILE_KEY_BYTES else None


class ScryptIdentity(Identity):
    """A passphrase."""

    def __init__(self, passphrase: Passphrase, most_work: int = MOST_WORK) -> None:
        """More work than ``most_work`` (base-two logarithm) is refused: the header of a foreign file could ask for any."""
        self._passphrase = passphrase
        self._most_work = most_work

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if stanza.kind != "scrypt":
            return None
        salt, work = _arguments(stanza, 2)
        salt_bytes = from_unpadded(salt, SALT_BYTES)
        if not re.fullmatch(r"[1-9][0-9]{0,9}", work):
            raise ValueError("the work that its passphrase asks for is not written as a number")
        if int(work) > self._most_work:
            raise ValueError(
                f"its passphrase asks for 2^{work} rounds of scrypt, and at most 2^{self._most_work} are done"
            )
        _refuse_other_length(stanza)
        return _unwrapped(scrypt_key(self._passphrase, salt_bytes, int(work)), stanza.body)


def identities(data: bytes, what: str, passphrase: bytes | None = None) -> list[Identity]:
    """Those of a file that ``age -i`` takes: lines of age-keygen, or one private key of SSH.

    ``what`` names the file in messages, ``passphrase`` is that of the SSH key. Raises UnusableKey and MissingLibrary.
    """
    if len(data) > ssh_keys.FILE_LIMIT:
        raise UnusableKey(f"{what} is no file of secret keys: it has more than {ssh_keys.FILE_LIMIT} bytes.")
    if data.lstrip().startswith(b"-----BEGIN"):
        return [_ssh_identity(ssh_keys.private_key(data, what, passphrase), what)]
    found: list[Identity] = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not text.startswith(_SECRET_PREFIX.upper() + "1"):
            raise UnusableKey(
                f"{what}, line {number}: this is no secret key of age that this release can use; it takes lines that begin "
                "with AGE-SECRET-KEY-1, as age-keygen makes them, or a private key of SSH."
            )
        try:
            found.append(X25519Identity(text))
        except UnusableKey as error:
            raise UnusableKey(f"{what}, line {number}: {error}") from None
    if not found:
        raise UnusableKey(f"{what} has no secret key in it; put one of age-keygen or a private key of SSH there.")
    return found


def file_key(header: Header, held: Iterable[Identity], what: str) -> bytes:
    """The key of the file that has this header, which one of the identities opens and which then proves authentic.

    Raises NoKeyFits, Damaged and MissingLibrary, all naming ``what``.
    """
    for identity in held:
        for stanza in header.stanzas:
            try:
                found = identity.unwrap(stanza)
            except ValueError as error:
                raise Damaged(f"{what} has a damaged header: {error}. Use another copy of it.") from None
            if found is None:
                continue
            if not age_header.authentic(header, found):
                raise Damaged(f"{what} has a header that was changed after it was written. Use another copy of it.")
            return found
    kinds = sorted({stanza.kind for stanza in header.stanzas if stanza.kind in (X25519, "scrypt", *ssh_keys.KINDS)})
    made_for = {X25519: "keys of age", "scrypt": "a passphrase"}
    listed = ", ".join(made_for.get(kind, f"keys of the kind {kind}") for kind in kinds) or "recipients of other kinds"
    raise NoKeyFits(f"{what} cannot be opened with the keys at hand. It is sealed for {listed}; give one of those.")


def _ssh_identity(key: ssh_keys.PrivateKey, what: str) -> Identity:
    if key.public.kind == ssh_keys.ED25519:
        return SshEd25519Identity(key)
    if key.public.kind == ssh_keys.RSA:
        return SshRsaIdentity(key)
    raise UnusableKey(f"{what} has a key of the kind {key.public.kind}, for which nothing can be sealed.")


def _arguments(stanza: Stanza, number: int) -> tuple[str, ...]:
    if len(stanza.arguments) != number:
        raise ValueError(
            f"a recipient of the kind {stanza.kind} has {len(stanza.arguments)} arguments in place of {number}"
        )
    return stanza.arguments


def _refuse_other_length(stanza: Stanza) -> None:
    if len(stanza.body) != _WRAPPED_BYTES:
        raise ValueError(f"a recipient of the kind {stanza.kind} has a file key of another length")


def _unwrapped(key: bytes, body: bytes) -> bytes | None:
    try:
        found: bytes = chacha20_poly1305(key).decrypt(bytes(12), body, None)
    except cryptography("exceptions").InvalidTag:
        return None
    return found
