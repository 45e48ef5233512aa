# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Every other ``auth_type``, through the library keystoneauth1, which is imported only when one of them is used."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Mapping
from typing import Any, Callable

from ...http.auth import AuthMethod
from ...http.connection import RETRIED_STATUSES, back_off_seconds
from ...http.errors import BadAddress, Unauthorized, Unreachable, Untrusted
from ...http.errors import RestError as RegistryError
from ...http.errors import WrongService as NotFreezer
from .errors import MissingLibrary
from .keystone import SERVICE_TYPE, Transport, no_endpoint


class Keystoneauth(AuthMethod):
    """A plugin of keystoneauth1, with its own options in ``auth``. It is asked when an answer is needed first."""

    def __init__(
        self,
        auth_type: str,
        auth: Mapping[str, Any],
        transport: Transport,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.auth_type = auth_type
        self._auth = auth
        self._transport = transport
        self._sleep = sleep
        self._session: Any = None

    def headers(self) -> Mapping[str, str]:
        return self._asked(lambda session: session.get_auth_headers()) or {}

    def renew(self) -> bool:
        return bool(self._asked(lambda session: session.invalidate()))

    def endpoint(self, interface: str, region_name: str | None, service_type: str = SERVICE_TYPE) -> str | None:
        address = self._asked(
            lambda session: session.get_endpoint(
                service_type=service_type, interface=interface, region_name=region_name
            )
        )
        if not address:
            raise BadAddress(no_endpoint(interface, region_name, service_type=service_type))
        return str(address)

    def project_id(self) -> str | None:
        found = self._asked(lambda session: session.get_project_id())
        return str(found) if found else None

    def _asked(self, question: Callable[[Any], Any]) -> Any:
        """The answer of keystoneauth, asked again where that may help, in our errors."""
        exceptions = imported("keystoneauth1.exceptions", self.auth_type)
        attempt = 0
        while True:
            try:
                if self._session is None:
                    self._session = self._opened()
                return question(self._session)
            except exceptions.EndpointNotFound:
                return None
            except (KeyError, TypeError, ValueError) as error:
                message = "auth_type {0} cannot make sense of what Keystone answers: {1!r}. Is auth_url its address?"
                raise NotFreezer(message.format(self.auth_type, error)) from error
            except ImportError as error:
                raise MissingLibrary(f"auth_type {self.auth_type} needs one more Python library: {error}.") from error
            except exceptions.ClientException as error:
                passing = getattr(error, "http_status", None) in RETRIED_STATUSES or isinstance(
                    error, exceptions.RetriableConnectionFailure
                )
                if attempt >= self._transport.retries or not passing:
                    raise self._translated(error, exceptions) from error
            self._sleep(back_off_seconds(attempt))
            attempt += 1

    def _opened(self) -> Any:
        loading = imported("keystoneauth1.loading", self.auth_type)
        session = imported("keystoneauth1.session", self.auth_type)
        loader = loading.get_plugin_loader(self.auth_type)
        known = list(loader.get_options())
        auth = dict(self._auth)
        if isinstance(auth.get("auth_methods"), str):
            auth["auth_methods"] = auth["auth_methods"].split(",")
        for part in auth.get("auth_methods") or []:
            # v3multifactor takes the options of its parts as well.
            known += loading.get_plugin_options(part)
        options: dict[str, Any] = {}
        for option in known:
            for name in (option.dest, *(old.dest for old in option.deprecated)):
                if auth.get(name) is not None:
                    options.setdefault(option.dest, auth[name])
        tls = self._transport.tls
        opened = session.Session(
            auth=loader.load_from_options(**options),
            verify=(tls.ca_file or True) if tls.validate_certs else False,
            cert=(tls.client_cert, tls.client_key) if tls.client_cert and tls.client_key else tls.client_cert,
            timeout=self._transport.timeout_seconds,
            user_agent="freezer.backup",
        )
        if self._transport.proxy:
            opened.session.proxies = {"http": self._transport.proxy, "https": self._transport.proxy}
        return opened

    def _translated(self, error: Exception, exceptions: Any) -> RegistryError:
        said = " ".join(str(error).split()).rstrip(".")
        status = getattr(error, "http_status", None)
        if isinstance(error, exceptions.NoMatchingPlugin):
            return BadAddress(f"There is no auth_type {self.auth_type}: {said}.")
        if isinstance(error, exceptions.AuthPluginException):
            return BadAddress(f"auth_type {self.auth_type} cannot be used like this: {said}.")
        if isinstance(error, exceptions.Unauthorized):
            message = "Keystone does not accept the credentials of auth_type {0}: {1}. Check what auth says."
            return Unauthorized(message.format(self.auth_type, said), status=status)
        if type(error).__name__ in ("SSLError", "SSLFailure"):
            return Untrusted(f"Keystone is not trusted: {said}. Name the file of its authority with ca_file.")
        if isinstance(error, exceptions.ConnectionError):
            return Unreachable(f"Keystone cannot be reached: {said}.")
        return RegistryError(f"Keystone gives no token for auth_type {self.auth_type}: {said}.", status=status)


def imported(name: str, auth_type: str) -> Any:
    """A module of keystoneauth1; ``MissingLibrary`` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingLibrary(
            f"auth_type {auth_type} needs the Python library keystoneauth1, which {sys.executable} does not have "
            f"({error}). Install it there, or use password or v3applicationcredential, which need none."
        ) from error
