# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""How a request says who sends it. One class for each way to do it."""

from __future__ import annotations

import abc
import base64
from collections.abc import Mapping

from .errors import BadAddress


class AuthMethod(abc.ABC):
    """A way to say who we are. Holds secrets: its text form never shows them.

    All of these may raise a ``RegistryError``, where somebody else has to be asked first.
    """

    auth_type = ""

    @abc.abstractmethod
    def headers(self) -> Mapping[str, str]:
        """The headers that go with every request."""

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

    def headers(self) -> Mapping[str, str]:
        return {}


class HttpBasic(AuthMethod):
    """``http_basic``: user and password of RFC 7617, in UTF-8."""

    auth_type = "http_basic"

    def __init__(self, username: str, password: str) -> None:
        if ":" in username:
            raise BadAddress("A username for auth_type http_basic cannot contain a colon.")
        credentials = f"{username}:{password}".encode()
        self._headers: dict[str, str] = {"Authorization": "Basic " + base64.b64encode(credentials).decode("ascii")}

    def headers(self) -> Mapping[str, str]:
        return self._headers
