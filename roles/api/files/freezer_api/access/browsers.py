# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Requests that a browser on this machine sends for a foreign site.

A page of any site can make a browser send requests to loopback, and the browser adds the password of HTTP basic that
it knows. So with ``noauth``, and with ``http_basic``, whose password a browser adds by itself, requests for other
sites are refused. A browser does not add a token of Keystone by itself.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import falcon

from ..errors import ForbiddenError, MediaTypeError

_JSON = re.compile(r"application/(json|[\w.+-]+\+json)", re.IGNORECASE)
#: The key of the Host header as it was before a proxy's header replaced it.
HOST_KEY = "freezer.host"


@dataclass(frozen=True)
class BrowserChecks:
    """Checks of the headers of a request.

    ``hosts`` are the names of the API, None for any. To a browser a site whose name resolves to loopback (DNS rebinding)
    is the API's own; only the name tells them apart.
    """

    hosts: frozenset[str] | None = None

    def check(self, request: falcon.Request) -> None:
        """Raise ForbiddenError or MediaTypeError for a request that a foreign site may have sent."""
        if self.hosts is not None:
            for host in (request.env.get(HOST_KEY), request.env.get("HTTP_HOST")):
                self._check_host(host)
        if request.get_header("Sec-Fetch-Site") not in (None, "same-origin", "none"):
            raise _foreign("Sec-Fetch-Site")
        origin = request.get_header("Origin")
        if origin is not None and not _is_same(origin, request):
            raise _foreign("Origin")
        content_type = request.content_type
        has_body = bool(request.content_length) or request.get_header("Transfer-Encoding") is not None
        if has_body and content_type is not None and not _JSON.fullmatch(content_type.partition(";")[0].strip()):
            raise MediaTypeError(
                f"The body is {content_type[:100]!r}; the API takes JSON: send Content-Type: application/json"
            )

    def _check_host(self, host: Any) -> None:
        name = host_name(host) if isinstance(host, str) else None
        if name is None or name in (self.hosts or ()) or _is_address(name):
            return
        raise ForbiddenError(
            f"{name[:100]!r} is no host name of this API; if it should be one, add it to allowed_hosts in freezer-api.conf"
        )


def own_names(bind_host: str, further: Iterable[str]) -> frozenset[str]:
    """The host names of this machine's API. Addresses need not be among them: DNS rebinding needs a name."""
    names = {"localhost", socket.gethostname(), bind_host, *further}
    return frozenset(name.strip().strip("[]").rstrip(".").lower() for name in names if name.strip())


def host_name(host: str) -> str | None:
    """The name in a Host header, without a port, in lower case; None if there is none."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return host.lower()
    return name.rstrip(".") if name else (host.lower() or None)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str, request: falcon.Request) -> bool:
    host = request.env.get("HTTP_HOST", "")
    return origin.lower() in (f"{request.scheme}://{host}".lower(), f"{request.scheme}://{request.netloc}".lower())


def _foreign(header: str) -> ForbiddenError:
    return ForbiddenError(f"A browser has sent this for another site ({header}); the API takes no such requests")
