# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The library cryptography, imported when something is sealed, opened, signed or checked first."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .errors import MissingLibrary


def cryptography(name: str) -> Any:
    """A module of the library, by its name below ``cryptography``. Raises MissingLibrary where it is not installed."""
    try:
        return importlib.import_module(f"cryptography.{name}")
    except ImportError as error:
        raise MissingLibrary(
            "Encryption and signatures need the Python library cryptography (3.4 or later), which "
            f"{sys.executable} does not have ({error}). Install it there: as the package python3-cryptography of the "
            f"distribution, or with {sys.executable} -m pip install cryptography."
        ) from error


def primitives(name: str) -> Any:
    """A module below ``cryptography.hazmat.primitives``. Raises MissingLibrary."""
    return cryptography(f"hazmat.primitives.{name}")


def hkdf_sha256(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes that HKDF (RFC 5869) with SHA-256 derives. Raises MissingLibrary."""
    hashes = primitives("hashes")
    derivation = primitives("kdf.hkdf").HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info)
    derived: bytes = derivation.derive(secret)
    return derived
