# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Signatures of SSH (PROTOCOL.sshsig of OpenSSH), which ``ssh-keygen -Y verify`` checks and ``ssh-keygen -Y sign`` makes.

A signature is made for a namespace, so that one for mail or for git is none for a backup.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NamedTuple

from . import ssh_keys
from .errors import NotBelieved, UnusableKey
from .libraries import cryptography, primitives
from .ssh_keys import PrivateKey, PublicKey, WireReader

#: The namespace of what this software signs: ``ssh-keygen -Y verify -n freezer-backup``.
NAMESPACE = "freezer-backup"

_MAGIC = b"SSHSIG"
_VERSION = 1
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
#: As ssh-keygen breaks lines: with it, a signature of Ed25519 is the same to the byte.
_COLUMNS = 70
#: One by the largest RSA key has 6,000 characters.
LIMIT = 16_384
_HASHES = ("sha256", "sha512")
#: How a key of each kind may have signed, and with which hash.
_ALGORITHMS = {
    ssh_keys.ED25519: {"ssh-ed25519": ""},
    ssh_keys.RSA: {"rsa-sha2-256": "SHA256", "rsa-sha2-512": "SHA512"},
    **{kind: {kind: name} for kind, name in zip(ssh_keys.ECDSA, ("SHA256", "SHA384", "SHA512"))},
}


class _Signature(NamedTuple):
    """What a signature says of itself, none of which is believed yet."""

    key: PublicKey
    namespace: bytes
    hash_name: str
    algorithm: str
    value: bytes


def sign(message: bytes, key: PrivateKey, namespace: str = NAMESPACE) -> str:
    """The signature of a message, as text. Raises UnusableKey if the key is not of the kind ssh-ed25519, and MissingLibrary."""
    if key.public.kind != ssh_keys.ED25519:
        raise UnusableKey(f"Keys of the kind {key.public.kind} do not sign here; make one with ssh-keygen -t ed25519.")
    value = key.key.sign(_signed_data(message, namespace.encode("utf-8"), "sha512"))
    blob = b"".join(
        [
            _MAGIC,
            _VERSION.to_bytes(4, "big"),
            _string(key.public.blob),
            _string(namespace.encode("utf-8")),
            _string(b""),
            _string(b"sha512"),
            _string(_string(ssh_keys.ED25519.encode("ascii")) + _string(value)),
        ]
    )
    text = base64.b64encode(blob).decode("ascii")
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def verified(message: bytes, signature: bytes, what: str, namespace: str = NAMESPACE) -> PublicKey:
    """The key that signed a message; whether it may is for the caller to say, or for ``allowed_signers``.

    ``what`` names the message in messages. Raises NotBelieved and MissingLibrary.
    """
    try:
        found = _parsed(signature)
        if found.namespace != namespace.encode("utf-8"):
            raise ValueError(f"it was made for another purpose than {namespace}")
        _verify(found, _signed_data(message, found.namespace, found.hash_name))
    except (ValueError, UnusableKey) as error:
        raise NotBelieved(
            f"The signature of {what} is not valid: {str(error).rstrip('.')}. Use another copy of it."
        ) from None
    return found.key


def _verify(found: _Signature, data: bytes) -> None:
    """Raise ValueError unless the key signed the data."""
    name = _ALGORITHMS[found.key.kind].get(found.algorithm)
    if name is None:
        raise ValueError(f"it was not made as a key of the kind {found.key.kind} has to")
    key = found.key.key
    hash_algorithm = getattr(primitives("hashes"), name)() if name else None
    try:
        if found.key.kind == ssh_keys.ED25519:
            key.verify(found.value, data)
        elif found.key.kind == ssh_keys.RSA:
            # Some signers leave zeros at the beginning out.
            value = found.value.rjust((key.key_size + 7) // 8, b"\0")
            key.verify(value, data, primitives("asymmetric.padding").PKCS1v15(), hash_algorithm)
        else:
            numbers = WireReader(found.value)
            r, s = numbers.number(), numbers.number()
            numbers.end()
            value = primitives("asymmetric.utils").encode_dss_signature(r, s)
            key.verify(value, data, primitives("asymmetric.ec").ECDSA(hash_algorithm))
    except cryptography("exceptions").InvalidSignature:
        raise ValueError("the key that it names did not sign this; one of the two was changed") from None


def _parsed(text: bytes) -> _Signature:
    """The parts of a signature. Raises ValueError with a reason, UnusableKey for a key of a kind that is not supported."""
    blob = WireReader(_unarmored(text))
    if blob.take(len(_MAGIC)) != _MAGIC:
        raise ValueError("it is no signature of SSH")
    if int.from_bytes(blob.take(4), "big") != _VERSION:
        raise ValueError("it is of another version than this release reads")
    key = blob.string()
    namespace = blob.string()
    blob.string()  # reserved; a verifier signs an empty one whatever stands here
    hash_name = blob.string().decode("ascii", "replace")
    inner = WireReader(blob.string())
    blob.end()
    algorithm = inner.string().decode("ascii", "replace")
    value = inner.string()
    inner.end()
    if hash_name not in _HASHES:
        raise ValueError("it names a hash other than sha256 and sha512")
    return _Signature(ssh_keys.public_key_of(key), namespace, hash_name, algorithm, value)


def _unarmored(text: bytes) -> bytes:
    if len(text) > LIMIT:
        raise ValueError(f"it has more than {LIMIT} bytes")
    lines = text.decode("ascii", "replace").replace("\r\n", "\n").strip("\n").split("\n")
    if lines[0] != _BEGIN or lines[-1] != _END:
        raise ValueError("it does not begin and end as signatures of SSH do")
    try:
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is no base64") from None


def _signed_data(message: bytes, namespace: bytes, hash_name: str) -> bytes:
    hashed = hashlib.new(hash_name, message).digest()
    parts = (namespace, b"", hash_name.encode("ascii"), hashed)
    return _MAGIC + b"".join(_string(part) for part in parts)


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
