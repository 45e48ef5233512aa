# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""HTTP basic authentication against a file of accounts: see ``accounts``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import bcrypt
import falcon

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import (
    MOST_PASSWORD_BYTES,
    Account,
)

from ..errors import UnauthorizedError, UnavailableError
from .accounts import Accounts, read, state_of
from .attempts import Attempts, source_of
from .context import Context
from .strategy import AuthError, Strategy
from .unix_socket import peer_in

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="freezer", charset="UTF-8"'}

_REMEMBER_SECONDS = 600.0
_REMEMBER_MOST = 1024
_ADMINISTRATOR = "admin"


class HttpBasic(Strategy):
    """Authenticates the accounts of one file, which is read again whenever it changes.

    A password costs bcrypt some tenths of a second, so a verified one is cached until it was not used for ten minutes, as
    an HMAC under a key of this process, and only while its hash is in the file. A wrong password takes the same time for
    every name, so that the time does not tell which accounts exist. Raises AuthError if the file cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._accounts = _read(self._path)
        self._key = secrets.token_bytes(32)
        self._verified: dict[bytes, float] = {}
        self._lock = threading.Lock()
        self._attempts = Attempts()

    def authenticate(self, request: falcon.Request) -> Context:
        name, password = _credentials(request.get_header("Authorization"))
        accounts = self._current_accounts()
        account = accounts.by_name.get(name)
        source = source_of(request.remote_addr, peer_in(request.env))
        if account is None:
            with self._attempts.one(source, name):
                _spend(password, 0, accounts.highest_cost)
        if account is None or not self._is_right(account, password, accounts.highest_cost, source):
            raise UnauthorizedError("The user or the password is wrong", headers=_CHALLENGE)
        return Context(
            name, account.project_id, frozenset((account.role or _ADMINISTRATOR,)), client_id=account.client_id
        )

    def warnings(self) -> Sequence[str]:
        return self._accounts.warnings()

    def _is_right(self, account: Account, password: bytes, highest_cost: int, source: str) -> bool:
        proof = hmac.new(
            self._key, b"\0".join((account.name.encode(), account.hash.encode(), password)), hashlib.sha256
        ).digest()
        now = time.monotonic()
        with self._lock:
            if self._verified.get(proof, 0.0) > now:
                self._verified[proof] = now + _REMEMBER_SECONDS
                return True
        with self._attempts.one(source, account.name) as was_right:
            spent = account.cost
            try:
                is_right = bcrypt.checkpw(password, account.hash.encode())
            except ValueError:
                # The hash in the file is invalid.
                is_right, spent = False, 0
            if not is_right:
                _spend(password, spent, highest_cost)
                return False
            was_right()
        with self._lock:
            if len(self._verified) >= _REMEMBER_MOST:
                self._verified.clear()
            self._verified[proof] = now + _REMEMBER_SECONDS
        return True

    def _current_accounts(self) -> Accounts:
        try:
            if state_of(self._path) != self._accounts.state:
                self._accounts = _read(self._path)
        except (OSError, AuthError) as error:
            # An account may have been removed: no caller is authenticated until the file can be read.
            raise UnavailableError(
                f"No caller can be authenticated now: {error}", headers={"Retry-After": "10"}
            ) from error
        return self._accounts


def _spend(password: bytes, spent: int, wanted: int) -> None:
    """Take as long as a hash of the cost ``wanted``, less the time of one of the cost ``spent``; 0 for none."""
    # Each cost takes twice as long as the one before: 2^5 + (2^5 + 2^6 + 2^7) is 2^8.
    for cost in range(spent, wanted) if spent else (wanted,):
        bcrypt.hashpw(password, bcrypt.gensalt(cost))


def _read(path: Path) -> Accounts:
    accounts = read(path)
    if not accounts.by_name:
        raise AuthError(
            f"the password file {path} has no user in it; make one with freezer-manage user add admin --role admin "
            f"--htpasswd {path}"
        )
    return accounts


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
    return name, password[:MOST_PASSWORD_BYTES]
