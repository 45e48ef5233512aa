# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""HTTP basic authentication against a file of ``user:bcrypt-hash`` lines, as ``htpasswd -B`` writes it.

As in other standalone OpenStack services, whoever is in the file administers every project.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import falcon

from ..access import Context
from ..errors import UnauthorizedError, UnavailableError
from .base import AuthError, Strategy

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="freezer", charset="UTF-8"'}
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_USER = re.compile(r"[\w-]{1,255}")
#: bcrypt reads no more of a password, and htpasswd has cut it there too.
_BCRYPT_BYTES = 72

_REMEMBER_SECONDS = 60.0
_REMEMBER_MOST = 1024


@dataclass(frozen=True)
class _Users:
    """The file as it was read: what identified that state of it, and the hash of each user."""

    state: tuple[int, ...]
    hashes: Mapping[str, bytes]


class HttpBasic(Strategy):
    """Knows the users of one htpasswd file, which is read again whenever it changes.

    A password costs bcrypt some tenths of a second, so a verified one is remembered for a minute, as an HMAC under a
    key that only this process has. Raises AuthError if the file cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._users = _read(self._path)
        self._key = secrets.token_bytes(32)
        self._verified: dict[bytes, float] = {}
        self._lock = threading.Lock()
        # What an unknown user's password is compared with, so that the answer takes as long as for a known one.
        rounds = max((int(_rounds(value)) for value in self._users.hashes.values()), default=10)
        self._nobody = bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(rounds))

    def authenticate(self, request: falcon.Request) -> Context:
        user, password = _credentials(request.get_header("Authorization"))
        stored = self._current_users().hashes.get(user)
        if not self._is_right(user, password, stored):
            raise UnauthorizedError("The user or the password is wrong", headers=_CHALLENGE)
        return Context(user, "default", frozenset(("admin",)))

    def _is_right(self, user: str, password: bytes, stored: bytes | None) -> bool:
        proof = hmac.new(self._key, b"\0".join((user.encode(), stored or b"", password)), hashlib.sha256).digest()
        now = time.monotonic()
        with self._lock:
            if stored is not None and self._verified.get(proof, 0.0) > now:
                return True
        try:
            is_right = bcrypt.checkpw(password, stored or self._nobody) and stored is not None
        except ValueError:
            # The hash in the file only looks like one.
            is_right = False
        if is_right:
            with self._lock:
                if len(self._verified) >= _REMEMBER_MOST:
                    self._verified.clear()
                self._verified[proof] = now + _REMEMBER_SECONDS
        return is_right

    def _current_users(self) -> _Users:
        try:
            if _state(self._path) != self._users.state:
                self._users = _read(self._path)
        except (OSError, AuthError) as error:
            # Who was in the file before may have been taken out: nobody comes in until it can be read.
            raise UnavailableError(
                f"Nobody can be authenticated now: {error}", headers={"Retry-After": "10"}
            ) from error
        return self._users


def _credentials(header: str | None) -> tuple[str, bytes]:
    scheme, _space, encoded = (header or "").partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
        user, colon, password = decoded.partition(b":")
        name = user.decode()
    except (binascii.Error, ValueError):
        raise UnauthorizedError("The Authorization header is not user:password in base64", headers=_CHALLENGE) from None
    if not colon or b"\0" in password:
        raise UnauthorizedError("Send a user and a password with HTTP basic authentication", headers=_CHALLENGE)
    return name, password[:_BCRYPT_BYTES]


def _read(path: Path) -> _Users:
    try:
        # The state first: a change while the file is read is seen the next time.
        state = _state(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise AuthError(f"the password file {path} cannot be read: {reason}") from error
    hashes: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        user, _colon, value = line.strip().partition(":")
        if not _USER.fullmatch(user):
            raise AuthError(f"line {number} of the password file {path} has no user name of letters, digits, _ and -")
        if not _HASH.fullmatch(value):
            raise AuthError(f"line {number} of the password file {path} has no bcrypt hash; write it with htpasswd -B")
        hashes[user] = value.encode()
    if not hashes:
        raise AuthError(f"the password file {path} has no user in it; write one with htpasswd -B -c {path} admin")
    return _Users(state, hashes)


def _state(path: Path) -> tuple[int, ...]:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _rounds(value: bytes) -> str:
    match = _HASH.fullmatch(value.decode())
    return match[1] if match else "10"
