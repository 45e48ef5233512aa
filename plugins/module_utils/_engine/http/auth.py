# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""How a request says who sends it. One class for each way to do it."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from .errors import BadAddress


class AuthMethod:
    """A way to say who we are, with headers that do not change. Holds secrets: its text form never shows them.

    All methods may raise a ``RestError``, where another server has to be asked first.
    """

    auth_type = ""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._headers = headers or {}

    def headers(self) -> Mapping[str, str]:
        """The headers that go with every request."""
        return self._headers

    def renew(self) -> bool:
        """Forget what was refused with 401; True when the next ``headers`` are new ones."""
        return False

    def endpoint(
        self,
        interface: str,
        region_name: str | None,
        service_type: str = "backup",
        service_name: str | None = None,
    ) -> str | None:
        """The address of a service, by default the Freezer API, where there is a catalogue that has it, else None."""
        return None

    def project_id(self) -> str | None:
        """The project that the credentials are for, None where they are for none."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class NoAuth(AuthMethod):
    """``none``: nothing is sent. For an API that runs with ``auth_strategy = noauth``."""

    auth_type = "none"


class HttpBasic(AuthMethod):
    """``http_basic``: user and password of RFC 7617, in UTF-8."""

    auth_type = "http_basic"

    def __init__(self, username: str, password: str) -> None:
        if ":" in username:
            raise BadAddress("A username for auth_type http_basic cannot contain a colon.")
        credentials = f"{username}:{password}".encode()
        super().__init__({"Authorization": "Basic " + base64.b64encode(credentials).decode("ascii")})


class Token(AuthMethod):
    """``token``: a token of Keystone that the caller has, sent as ``X-Auth-Token``."""

    auth_type = "token"

    def __init__(self, token: str) -> None:
        _check_readable(token, "token", "token")
        super().__init__({"X-Auth-Token": token})


class ApiKey(AuthMethod):
    """An API key of Elasticsearch, as ``id:key`` or in the encoded form that it gives out."""

    auth_type = "api_key"

    def __init__(self, key: str) -> None:
        _check_readable(key, "API key", "key")
        encoded = base64.b64encode(key.encode()).decode("ascii") if ":" in key else key
        super().__init__({"Authorization": f"ApiKey {encoded}"})


def _check_readable(secret: str, what: str, noun: str) -> None:
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise BadAddress(f"The {what} contains characters that no {noun} has; it was probably not read correctly.")
