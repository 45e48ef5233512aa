# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Keys of SSH: public ones as lines of text and as bytes (RFC 4253, section 6.6), private ones in the files of OpenSSH."""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple

from .errors import UnusableKey
from .libraries import cryptography, primitives

ED25519, RSA = "ssh-ed25519", "ssh-rsa"
ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
KINDS = (ED25519, RSA, *ECDSA)

#: The largest RSA key that OpenSSH takes makes a line of 2,800 characters, a private key of 13,000.
LINE_LIMIT = 16_384
FILE_LIMIT = 65_536
_RSA_BITS = (2048, 16_384)
_BEGIN, _MAGIC = b"-----BEGIN OPENSSH PRIVATE KEY-----", b"openssh-key-v1\0"
#: Of the derivation of a key from its passphrase (ssh-keygen -a, which has 16 and 24): 10,000 take minutes.
_MOST_ROUNDS = 10_000
#: What the library raises for keys that are damaged, or of kinds that it does not have.
_UNREADABLE = (ValueError, TypeError, NotImplementedError, AttributeError, LookupError)


class WireReader:
    """Takes apart what SSH writes (RFC 4251, section 5). Raises ValueError where it is too short or too long."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        """So many bytes."""
        taken = self._data[self._at : self._at + length]
        if len(taken) != length:
            raise ValueError("it is incomplete")
        self._at += length
        return taken

    def string(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(int.from_bytes(self.take(4), "big"))

    def number(self) -> int:
        """A number of any size."""
        return int.from_bytes(self.string(), "big", signed=True)

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise ValueError("it has more in it than belongs there")


class PublicKey(NamedTuple):
    """A public key. Two are the same key when their ``blob`` is."""

    kind: str
    blob: bytes
    key: Any
    comment: str = ""

    @property
    def line(self) -> str:
        """The key as a line of ``authorized_keys``, without a comment."""
        return f"{self.kind} {base64.b64encode(self.blob).decode('ascii')}"

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` shows of it."""
        digest = primitives("hashes").Hash(primitives("hashes").SHA256())
        digest.update(self.blob)
        return "SHA256:" + base64.b64encode(digest.finalize()).rstrip(b"=").decode("ascii")


class PrivateKey(NamedTuple):
    """A private key and its public half."""

    key: Any
    public: PublicKey

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.line})"


def public_key(line: str) -> PublicKey:
    """The key of a line such as ``ssh-ed25519 AAAA... comment``. Raises UnusableKey and MissingLibrary."""
    if len(line) > LINE_LIMIT or "\n" in line.strip():
        raise UnusableKey("A public key of SSH is one line, of at most 16 KiB; this is more.")
    kind, _space, rest = line.strip().partition(" ")
    encoded, _space, comment = rest.strip().partition(" ")
    _refuse_kind(kind)
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise UnusableKey(f"The public key of the kind {kind} is no base64: it is mistyped or incomplete.") from None
    return public_key_of(blob, comment.strip())


def public_key_of(blob: bytes, comment: str = "") -> PublicKey:
    """The key whose bytes these are. Raises UnusableKey and MissingLibrary."""
    length = int.from_bytes(blob[:4], "big")
    kind = blob[4 : 4 + length].decode("ascii", "replace") if length <= 64 else ""
    _refuse_kind(kind)
    line = f"{kind} {base64.b64encode(blob).decode('ascii')}"
    loader = primitives("serialization").load_ssh_public_key
    try:
        key = loader(line.encode("ascii"))
    except (*_UNREADABLE, cryptography("exceptions").UnsupportedAlgorithm):
        raise UnusableKey(f"The public key of the kind {kind} is damaged, or not one that is supported here.") from None
    if kind == RSA and not _RSA_BITS[0] <= key.key_size <= _RSA_BITS[1]:
        raise UnusableKey(
            f"The public RSA key has {key.key_size} bits; use one of 2048 to 16384, or better an ssh-ed25519 key."
        )
    found = PublicKey(kind, blob, key, comment)
    if _line_of(key) != found.line:
        raise UnusableKey(f"The public key of the kind {kind} is not written in the one way that OpenSSH writes it.")
    return found


def private_key(data: bytes, what: str, passphrase: bytes | None = None) -> PrivateKey:
    """The key of a file of OpenSSH; ``what`` names the file in messages. Raises UnusableKey and MissingLibrary.

    A passphrase that the key does not need changes nothing.
    """
    if len(data) > FILE_LIMIT:
        raise UnusableKey(f"{what} is no private key of SSH: it has more than {FILE_LIMIT} bytes.")
    serialization = primitives("serialization")
    new = _BEGIN in data
    load = serialization.load_ssh_private_key if new else serialization.load_pem_private_key
    try:
        if new:
            _refuse_slow(data)
        key = load(data, passphrase)
        line = _line_of(key.public_key())
    except (*_UNREADABLE, cryptography("exceptions").UnsupportedAlgorithm) as error:
        if passphrase is not None and "not encrypted" in str(error):  # releases from 46 on
            return private_key(data, what)
        raise UnusableKey(_why_not(error, data, what, passphrase)) from None
    return PrivateKey(key, public_key(line))


def new_private_key() -> bytes:
    """The file of a new private key of the kind ssh-ed25519, without a passphrase. Raises MissingLibrary."""
    serialization = primitives("serialization")
    key = primitives("asymmetric.ed25519").Ed25519PrivateKey.generate()
    written: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return written


def _refuse_slow(data: bytes) -> None:
    """Raise ValueError for a key whose passphrase would take hours, as that of a damaged file can."""
    encoded = b"".join(data.partition(_BEGIN)[2].partition(b"-----END")[0].split())
    read = WireReader(base64.b64decode(encoded))
    read.take(len(_MAGIC))
    read.string()
    if read.string() == b"bcrypt":
        options = WireReader(read.string())
        options.string()
        if int.from_bytes(options.take(4), "big") > _MOST_ROUNDS:
            raise ValueError("rounds")


def _why_not(error: Exception, data: bytes, what: str, passphrase: bytes | None) -> str:
    told = str(error).lower()
    if b"-----BEGIN" not in data or b"PRIVATE KEY-----" not in data:
        return f"{what} has no private key of SSH in it; name the file without .pub, as ssh-keygen made it."
    if "bcrypt" in told:
        return f"{what} is a key with a passphrase, which needs the Python library bcrypt; install it, or use a key without."
    if passphrase is None and ("password" in told or "encrypted" in told):
        return f"{what} is a key with a passphrase; use one without, which only its owner may read (ssh-keygen -p takes it off)."
    if passphrase is not None:
        return f"{what} cannot be opened: its passphrase is another one, or it is damaged."
    return f"{what} is damaged, or of a kind that is not supported; use a key of ssh-keygen -t ed25519."


def _line_of(key: Any) -> str:
    serialization = primitives("serialization")
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    text: str = line.decode("ascii")
    return text


def _refuse_kind(kind: str) -> None:
    if kind not in KINDS:
        shown = kind if kind.isprintable() and kind.isascii() and 0 < len(kind) <= 64 else "that it has"
        raise UnusableKey(
            f"A public key of the kind {shown} is not supported; use {', '.join(KINDS[:2])} or ecdsa-sha2-nistp*."
        )
