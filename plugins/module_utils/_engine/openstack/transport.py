# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""How the servers of a cloud are spoken to: keystoneauth1, imported when a cloud is asked first, and its sessions."""

from __future__ import annotations

import importlib
import ssl
import sys
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..http.connection import Tls
from ..http.errors import BadAddress
from ..http.repeating import RETRIES, TIMEOUT_SECONDS
from .errors import MissingLibrary


@dataclass(frozen=True)
class Transport:
    """The settings of every connection, to Keystone and the services of a cloud alike."""

    tls: Tls = field(default_factory=Tls)
    timeout_seconds: float = TIMEOUT_SECONDS
    retries: int = RETRIES
    #: The address of a proxy for HTTP, which is asked in place of Keystone and the services of a cloud; "none" is no proxy
    #: at all, and None the one of the environment (``http_proxy``, ``https_proxy``, ``no_proxy``).
    proxy: str | None = None


def imported(name: str, what: str) -> Any:
    """A module of keystoneauth1; ``MissingLibrary`` with ``what`` needs it where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingLibrary(
            f"{what} needs the Python library keystoneauth1, which {sys.executable} does not have ({error}). Install it "
            "there: as the package python3-keystoneauth1 of the distribution, or with "
            f"{sys.executable} -m pip install keystoneauth1."
        ) from error


def open_session(transport: Transport, what: str, **options: Any) -> Any:
    """A session of keystoneauth1; ``options`` are those of its class. Raises BadAddress and MissingLibrary."""
    session = imported("keystoneauth1.session", what)
    tls = transport.tls
    if tls.ca_file or tls.client_cert:
        # The libraries say of a file that is no use only that there was a fault.
        tls.context()
    if not tls.validate_certs:
        # Said by us where it is asked for, and not with every request.
        urllib3 = imported("urllib3", what)
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    opened = session.Session(
        verify=_authorities(tls) if tls.validate_certs else False,
        cert=(tls.client_cert, tls.client_key) if tls.client_cert and tls.client_key else tls.client_cert,
        timeout=transport.timeout_seconds,
        user_agent="freezer.backup",
        **options,
    )
    # The headers carry the credentials. The password of ~/.netrc is for other programs.
    opened.session.auth = lambda request: request
    # The environment's proxies count, as with all clients of OpenStack, where no other way is said.
    opened.session.trust_env = transport.proxy is None
    if transport.proxy and transport.proxy != "none":
        address = _proxy_address(transport.proxy)
        opened.session.proxies = {"http": address, "https": address}
    return opened


def _authorities(tls: Tls) -> str | bool:
    """The file or folder with the certificates of trusted authorities: those of the system, as everywhere in Python.

    The library that keystoneauth1 sends with would take a list that came with Python packages.
    """
    paths = ssl.get_default_verify_paths()
    return tls.ca_file or paths.cafile or paths.capath or True


def _proxy_address(proxy: str) -> str:
    """The address of a proxy, which may have a user and a password in it. Messages repeat none of it."""
    try:
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        is_one = address.scheme == "http" and address.hostname and address.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise BadAddress("proxy is no address such as http://proxy.example.org:3128.")
    return address.geturl()
