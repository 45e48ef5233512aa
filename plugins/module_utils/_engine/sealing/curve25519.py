# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Agreement on a secret by Curve25519 (X25519, RFC 7748), with keys of 32 bytes, and with those that sign (Ed25519)."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from .errors import MissingLibrary, UnusableKey
from .libraries import cryptography, primitives

BYTES = 32
_PRIME = 2**255 - 19
#: The constant d of Ed25519, whose points are those of Curve25519 in other coordinates.
_D = -121665 * pow(121666, _PRIME - 2, _PRIME) % _PRIME


def secret_key(secret: bytes) -> Any:
    """The secret key of 32 bytes. Raises MissingLibrary."""
    try:
        return primitives("asymmetric.x25519").X25519PrivateKey.from_private_bytes(secret)
    except cryptography("exceptions").UnsupportedAlgorithm as error:
        raise MissingLibrary(
            "The OpenSSL of this host has no X25519, which the format of age needs; a host in FIPS mode refuses it. Choose "
            "encryption: aes-256-cfb there."
        ) from error


def secret_key_of_seed(seed: bytes) -> Any:
    """The secret key that belongs to the seed of a key of Ed25519."""
    return secret_key(hashlib.sha512(seed).digest()[:BYTES])


def point_of(key: Any) -> bytes:
    """The public half of a secret key."""
    serialization = primitives("serialization")
    point: bytes = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return point


def point_of_ed25519(compressed: bytes) -> bytes:
    """The public half that belongs to a public key of Ed25519 (RFC 7748, section 4.1). Raises UnusableKey if it is none."""
    y = int.from_bytes(compressed, "little") & (1 << 255) - 1
    # x squared: a point is on the curve if that has a root (Euler's criterion).
    square = (y * y - 1) * pow(_D * y * y + 1, _PRIME - 2, _PRIME) % _PRIME
    if y >= _PRIME or pow(square, (_PRIME - 1) // 2, _PRIME) not in (0, 1):
        raise UnusableKey("The ssh-ed25519 key is no key: it is mistyped or damaged.")
    return ((1 + y) * pow(1 - y, _PRIME - 2, _PRIME) % _PRIME).to_bytes(BYTES, "little")


def exchanged(key: Any, point: bytes) -> bytes:
    """What two know by the secret key of one and the point of the other. Raises ValueError if anybody could know it."""
    public = primitives("asymmetric.x25519").X25519PublicKey.from_public_bytes(point)
    try:
        shared: bytes = key.exchange(public)
    except (
        ValueError,
        cryptography("exceptions").InternalError,
    ):  # a point of low order; older releases have the latter
        shared = bytes(BYTES)
    if shared == bytes(BYTES):
        raise ValueError("it has a share that protects nothing")
    return shared


def agreed(point: bytes) -> tuple[bytes, bytes]:
    """A share of a new secret for the holder of a point, and what both know then. Raises UnusableKey and MissingLibrary."""
    ephemeral = secret_key(os.urandom(BYTES))
    try:
        return point_of(ephemeral), exchanged(ephemeral, point)
    except ValueError:
        raise UnusableKey("A recipient cannot be used: its public key is one that protects nothing.") from None
