# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""How a request to OpenStack says who sends it, where that is more than user and password."""

from __future__ import annotations

from collections.abc import Mapping

from ...http.auth import AuthMethod
from ...http.errors import BadAddress


class Token(AuthMethod):
    """``token``: a token that somebody else got from Keystone, sent as ``X-Auth-Token``."""

    auth_type = "token"

    def __init__(self, token: str) -> None:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise BadAddress("The token contains characters that no token has; it was probably not read correctly.")
        self._headers: dict[str, str] = {"X-Auth-Token": token}

    def headers(self) -> Mapping[str, str]:
        return self._headers
