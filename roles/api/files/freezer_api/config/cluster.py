# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The URL of an Elasticsearch store: ``elasticsearch+https://user:password@host1,host2/prefix``."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

SCHEMES = ("elasticsearch+https", "elasticsearch+http")
DEFAULT_PREFIX = "freezer"
DEFAULT_TIMEOUT_SECONDS = 10
_DEFAULT_PORT = 9200

# A part of what Elasticsearch allows in the name of an index: "-jobs" and the like follow it.
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class Cluster:
    """The nodes of a cluster, the prefix of the store's indices in it, and the credentials.

    ``urls`` are ``https://host:9200`` and the like. With an API key there are no user and password. ``timeout_seconds``
    is how long one request to it may take.
    """

    urls: tuple[str, ...]
    prefix: str = DEFAULT_PREFIX
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS

    def __str__(self) -> str:
        """The store's URL without secrets."""
        scheme = self.urls[0].partition("://")[0]
        hosts = ",".join(url.partition("://")[2] for url in self.urls)
        return f"elasticsearch+{scheme}://{hosts}/{self.prefix}"


def is_cluster(url: str) -> bool:
    """Whether a store's URL names an Elasticsearch."""
    return url.partition("://")[0] in SCHEMES


def parse_cluster(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    api_key: str | None = None,
    ca_file: str | None = None,
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS,
) -> Cluster:
    """The cluster that a URL names; the user and the password in the URL override ``username`` and ``password``.

    Raises ValueError with a sentence that repeats no secret of the URL.
    """
    scheme, _separator, rest = url.partition("://")
    credentials, at, location = rest.rpartition("@")
    if at:
        user, _colon, secret = credentials.partition(":")
        username, password = unquote(user) or username, unquote(secret) or password
    hosts, _slash, prefix = location.partition("/")
    prefix = prefix.rstrip("/") or DEFAULT_PREFIX
    if _PREFIX.fullmatch(prefix) is None:
        raise ValueError(
            f"{prefix[:100]!r} cannot be the beginning of the name of an index: small letters, digits, -, _ and . can"
        )
    transport = scheme.removeprefix("elasticsearch+")
    urls = tuple(_node_url(transport, host) for host in hosts.split(","))
    if api_key and (username or password):
        raise ValueError("api_key cannot be combined with username and password; remove one")
    if bool(username) != bool(password):
        raise ValueError(f"there is a {'user without a password' if username else 'password without a user'}")
    if ca_file and transport == "http":
        raise ValueError("ca_file has no meaning without TLS; write elasticsearch+https")
    if ca_file:
        _check_ca(Path(ca_file))
    return Cluster(
        urls,
        prefix,
        username or None,
        password or None,
        api_key or None,
        Path(ca_file) if ca_file else None,
        timeout_seconds,
    )


def _node_url(transport: str, host: str) -> str:
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or _DEFAULT_PORT) > 65535:
        raise ValueError(
            "the hosts are not host1,host2:9201: names or addresses, with commas between, each with a port or without"
        )
    return f"{transport}://{found['name']}:{found['port'] or _DEFAULT_PORT}"


def _check_ca(path: Path) -> None:
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "it has no certificate in PEM"
        raise ValueError(f"the certificates of {path} cannot be used: {reason}") from error
