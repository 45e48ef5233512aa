# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""For whom something is sealed: public keys of age and of SSH, and a passphrase. Each wraps a file key in a stanza."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from typing import Any

from . import bech32, curve25519, ssh_keys
from .age_header import Stanza, unpadded
from .errors import MissingLibrary, UnusableKey
from .libraries import cryptography, hkdf_sha256, primitives
from .passphrase import Passphrase
from .ssh_keys import PublicKey

X25519 = "X25519"
X25519_LABEL = b"age-encryption.org/v1/X25519"
SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
SSH_ED25519_LABEL = b"age-encryption.org/v1/ssh-ed25519"
SSH_RSA_LABEL = b"age-encryption.org/v1/ssh-rsa"

#: Base-two logarithm of the work of scrypt: 32 MiB of memory and a tenth of a second. The 18 of age itself are 256 MiB, which
#: is more than all the rest of a backup or restore takes.
USUAL_WORK = 15
SALT_BYTES = 16
_MOST_LIST_BYTES = 1 << 20


class Recipient(ABC):
    """One for whom file keys are wrapped."""

    #: Whether no other recipient may stand beside it in a header.
    alone = False

    @abstractmethod
    def wrap(self, file_key: bytes) -> Stanza:
        """The file key for this recipient. Raises UnusableKey and MissingLibrary."""


class X25519Recipient(Recipient):
    """A public key of age, ``age1...``."""

    def __init__(self, text: str) -> None:
        """Raises UnusableKey if the text is no such key."""
        try:
            prefix, self.point = bech32.decode(text)
        except ValueError as error:
            raise UnusableKey(f"A recipient (age1...) cannot be used: {error}.") from None
        if prefix != "age" or text != text.lower():
            raise UnusableKey(f"A recipient cannot be used: {_other_kind(prefix)}.")
        if len(self.point) != 32:
            raise UnusableKey("A recipient (age1...) cannot be used: it has another length than a public key.")

    def __str__(self) -> str:
        return bech32.encode("age", self.point)

    def wrap(self, file_key: bytes) -> Stanza:
        share, shared = curve25519.agreed(self.point)
        key = hkdf_sha256(shared, share + self.point, X25519_LABEL)
        return Stanza(X25519, (unpadded(share),), wrapped(key, file_key))


class SshEd25519Recipient(Recipient):
    """A public key of SSH of the kind ssh-ed25519."""

    def __init__(self, key: PublicKey) -> None:
        """Raises UnusableKey if the key is no point of the curve."""
        self.key = key
        self.point = curve25519.point_of_ed25519(key.blob[-32:])

    def __str__(self) -> str:
        return self.key.line

    def wrap(self, file_key: bytes) -> Stanza:
        share, shared = curve25519.agreed(self.point)
        key = hkdf_sha256(tweaked(shared, self.key), share + self.point, SSH_ED25519_LABEL)
        return Stanza(ssh_keys.ED25519, (short_fingerprint(self.key), unpadded(share)), wrapped(key, file_key))


class SshRsaRecipient(Recipient):
    """A public key of SSH of the kind ssh-rsa."""

    def __init__(self, key: PublicKey) -> None:
        self.key = key

    def __str__(self) -> str:
        return self.key.line

    def wrap(self, file_key: bytes) -> Stanza:
        try:
            body = self.key.key.encrypt(file_key, oaep())
        except ValueError:
            raise UnusableKey("The ssh-rsa key is no key: it is mistyped or damaged.") from None
        return Stanza(ssh_keys.RSA, (short_fingerprint(self.key),), body)


class ScryptRecipient(Recipient):
    """A passphrase: it opens what it sealed."""

    alone = True

    def __init__(self, passphrase: Passphrase, work: int = USUAL_WORK) -> None:
        """``work`` is the base-two logarithm of the work, 1 to 22."""
        if not 1 <= work <= 22:
            raise ValueError("the work of scrypt is 1 to 22")
        self._passphrase = passphrase
        self._work = work

    def wrap(self, file_key: bytes) -> Stanza:
        salt = os.urandom(SALT_BYTES)
        key = scrypt_key(self._passphrase, salt, self._work)
        return Stanza("scrypt", (unpadded(salt), str(self._work)), wrapped(key, file_key))


def recipient(text: str) -> Recipient:
    """The recipient of a line: ``age1...``, ``ssh-ed25519 ...`` or ``ssh-rsa ...``. Raises UnusableKey and MissingLibrary."""
    text = text.strip()
    if text[:15].upper() == "AGE-SECRET-KEY-" or "PRIVATE KEY" in text[:80]:
        raise UnusableKey(
            "A recipient is a public key, but this is a secret one. Name the public half, and keep this one secret."
        )
    if text[:4].lower() == "age1":
        return X25519Recipient(text)
    key = ssh_keys.public_key(text)
    if key.kind == ssh_keys.ED25519:
        return SshEd25519Recipient(key)
    if key.kind == ssh_keys.RSA:
        return SshRsaRecipient(key)
    raise UnusableKey(f"Nothing can be sealed for a key of the kind {key.kind}; use age1..., ssh-ed25519 or ssh-rsa.")


def recipients(data: bytes, what: str) -> list[Recipient]:
    """Those of a file that ``age -R`` takes: one a line; empty lines and those with # are left out.

    ``what`` names the file in messages. Raises UnusableKey and MissingLibrary.
    """
    if len(data) > _MOST_LIST_BYTES:
        raise UnusableKey(f"{what} is no list of recipients: it has more than {_MOST_LIST_BYTES} bytes.")
    found = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(recipient(line))
            except UnusableKey as error:
                raise UnusableKey(f"{what}, line {number}: {error}") from None
    if not found:
        raise UnusableKey(f"{what} names no recipient; put public keys (age1..., ssh-ed25519 ...) into it, one a line.")
    return found


def _other_kind(prefix: str) -> str:
    if prefix in ("age1pq", "age1tag", "age1tagpq"):
        return "it is a post-quantum or a hardware key of age, which this release cannot seal for; use age1... of age-keygen"
    return "it is no public key of age, such as age-keygen -y prints (age1...)"


def tweaked(shared: bytes, key: PublicKey) -> bytes:
    """The shared secret of an ssh-ed25519 recipient, bound to the key."""
    tweak = hkdf_sha256(b"", key.blob, SSH_ED25519_LABEL)
    return curve25519.exchanged(curve25519.secret_key(tweak), shared)


def short_fingerprint(key: PublicKey) -> str:
    """The four bytes by which a stanza names a key of SSH."""
    return unpadded(hashlib.sha256(key.blob).digest()[:4])


def oaep() -> Any:
    """How RSA wraps a file key."""
    padding, hashes = primitives("asymmetric.padding"), primitives("hashes")
    return padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=SSH_RSA_LABEL)


def scrypt_key(passphrase: Passphrase, salt: bytes, work: int) -> bytes:
    """32 bytes from a passphrase: 2 to the power of ``work`` rounds with a KiB of memory each. Raises MissingLibrary."""
    derivation = primitives("kdf.scrypt").Scrypt(salt=SCRYPT_LABEL + salt, length=32, n=1 << work, r=8, p=1)
    try:
        key: bytes = derivation.derive(passphrase.reveal())
    except MemoryError:
        raise MissingLibrary(
            f"The passphrase cannot be used here: it needs {1 << work >> 10} MiB of free memory. Free some, or work on "
            "another host."
        ) from None
    return key


def wrapped(key: bytes, file_key: bytes) -> bytes:
    """A file key, sealed with a key that is used once."""
    sealed: bytes = chacha20_poly1305(key).encrypt(bytes(12), file_key, None)
    return sealed


def chacha20_poly1305(key: bytes) -> Any:
    """The cipher with a key of 32 bytes. Raises MissingLibrary."""
    try:
        return primitives("ciphers.aead").ChaCha20Poly1305(key)
    except cryptography("exceptions").UnsupportedAlgorithm as error:
        raise MissingLibrary(
            "The OpenSSL of this host has no ChaCha20-Poly1305, which the format of age needs; a host in FIPS mode refuses "
            "it. Choose encryption: aes-256-cfb there."
        ) from error
