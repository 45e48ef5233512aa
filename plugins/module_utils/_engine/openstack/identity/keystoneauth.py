# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Logins to Keystone, by the library keystoneauth1, which is imported when one of them is used first."""

from __future__ import annotations

import importlib
import ssl
import sys
import time
from collections.abc import Mapping
from typing import Any, Callable

from ...http.auth import AuthMethod
from ...http.connection import (
    LONGEST_WAIT_SECONDS,
    RETRIED_STATUSES,
    Tls,
    back_off_seconds,
    proxy_address,
    retry_after_seconds,
)
from ...http.errors import BadAddress, error_from
from ...http.errors import RestError as RegistryError
from ...http.errors import WrongService as NotFreezer
from ..faults import Fault, fault_of
from ..transport import Transport
from .catalogue import SERVICE_TYPE, endpoint_in, no_endpoint
from .credentials import usual_login
from .errors import KEYSTONE, MissingLibrary


class Keystoneauth(AuthMethod):
    """A plugin of keystoneauth1, with its own options in ``auth``. Keystone is asked when an answer is needed first.

    Raises ``BadAddress`` where the options of a usual login say too little; those of others are known to the library.
    """

    def __init__(
        self,
        auth_type: str,
        auth: Mapping[str, Any],
        transport: Transport,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.auth_type = auth_type
        self._auth = auth
        self._login = usual_login(auth_type, auth)
        self._url = str((self._login.options if self._login else auth).get("auth_url") or "the address that auth names")
        self._transport = transport
        self._sleep = sleep
        self._session: Any = None

    def headers(self) -> Mapping[str, str]:
        return self._asked(lambda session: session.get_auth_headers()) or {}

    def renew(self) -> bool:
        return bool(self._asked(lambda session: session.invalidate()))

    def endpoint(self, interface: str, region_name: str | None, service_type: str = SERVICE_TYPE) -> str | None:
        catalogue = self._asked(_catalogue)
        if catalogue is not None:
            return endpoint_in(catalogue, interface, region_name, service_type)
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
            pause_seconds = back_off_seconds(attempt)
            try:
                if self._session is None:
                    self._session = self._opened()
                return question(self._session)
            except exceptions.EndpointNotFound:
                return None
            except (KeyError, TypeError, ValueError) as error:
                raise self._senseless(error) from error
            except ImportError as error:
                raise MissingLibrary(f"auth_type {self.auth_type} needs one more Python library: {error}.") from error
            except exceptions.HttpError as error:
                asked_seconds = retry_after_seconds(_header(error, "Retry-After"))
                pause_seconds = pause_seconds if asked_seconds is None else asked_seconds
                passes = error.http_status in RETRIED_STATUSES and pause_seconds <= LONGEST_WAIT_SECONDS
                if not passes or attempt >= self._transport.retries:
                    raise self._refused(error) from error
            except exceptions.ConnectionError as error:
                fault = self._fault(error)
                if not fault.passes or attempt >= self._transport.retries:
                    raise fault.error from error
            except exceptions.ClientException as error:
                raise self._translated(error, exceptions) from error
            finally:
                if self._session is not None:
                    # Seldom used again: tokens live for hours.
                    self._session.session.close()
            self._sleep(pause_seconds)
            attempt += 1

    def _opened(self) -> Any:
        session = imported("keystoneauth1.session", self.auth_type)
        tls, proxy = self._transport.tls, self._transport.proxy
        if tls.ca_file or tls.client_cert:
            # The libraries say of a file that is no use only that there was a fault.
            tls.context()
        if not tls.validate_certs:
            # Said by us where it is asked for, and not with every request.
            urllib3 = imported("urllib3", self.auth_type)
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        opened = session.Session(
            auth=self._plugin(),
            verify=_authorities(tls) if tls.validate_certs else False,
            cert=(tls.client_cert, tls.client_key) if tls.client_cert and tls.client_key else tls.client_cert,
            timeout=self._transport.timeout_seconds,
            user_agent="freezer.backup",
            # Following a redirection would hand a password to the server that it names.
            **({"redirect": False} if self._login else {}),
        )
        # The environment's proxies, authorities and ~/.netrc are for other programs.
        opened.session.trust_env = False
        if proxy:
            address = proxy_address(proxy).geturl()
            opened.session.proxies = {"http": address, "https": address}
        return opened

    def _plugin(self) -> Any:
        if self._login:
            # Straight from the class: the loader looks through every package that is installed.
            kinds = imported("keystoneauth1.identity.v3", self.auth_type)
            # A token is renewed when it is refused, and not by a clock, which may be wrong.
            return getattr(kinds, self._login.kind)(**self._login.options, reauthenticate=False)
        loading = imported("keystoneauth1.loading", self.auth_type)
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
        return loader.load_from_options(**options)

    def _request(self) -> str:
        """What is asked of Keystone, as sentences call it."""
        return f"POST {self._url}/auth/tokens" if self._login else f"the login of auth_type {self.auth_type}"

    def _fault(self, error: Exception) -> Fault:
        return fault_of(error, KEYSTONE, self._url, self._request(), self._transport.timeout_seconds)

    def _senseless(self, error: Exception) -> RegistryError:
        if self._login:
            return NotFreezer(
                f"{self._request()} was answered without a token that makes sense. Is auth_url the address of Keystone?"
            )
        message = "auth_type {0} cannot make sense of what Keystone answers: {1!r}. Is auth_url its address?"
        return NotFreezer(message.format(self.auth_type, error))

    def _refused(self, error: Any) -> RegistryError:
        """For an answer with an error of HTTP."""
        try:
            document = error.response.json()
        except (AttributeError, ValueError):
            document = None
        request = f"{error.method} {error.url}" if error.method and error.url else self._request()
        return error_from(request, error.http_status, document, KEYSTONE)

    def _translated(self, error: Any, exceptions: Any) -> RegistryError:
        said = " ".join(str(error).split()).rstrip(".")
        if isinstance(error, exceptions.NoMatchingPlugin):
            return BadAddress(f"There is no auth_type {self.auth_type}: {said}.")
        if isinstance(error, exceptions.AuthPluginException):
            return BadAddress(f"auth_type {self.auth_type} cannot be used like this: {said}.")
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(error, exceptions.InvalidResponse) and response is not None:
            if 300 <= response.status_code < 400 and response.headers.get("Location"):
                return RegistryError(
                    f"{self._request()} is redirected to {response.headers['Location']}. Use that server's address as "
                    "auth_url.",
                    status=status,
                )
            return NotFreezer(
                f"{self._request()} was answered without a token. Is this the address of Keystone?", status=status
            )
        return RegistryError(f"Keystone gives no token for auth_type {self.auth_type}: {said}.", status=status)


def imported(name: str, auth_type: str) -> Any:
    """A module of keystoneauth1; ``MissingLibrary`` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingLibrary(
            f"auth_type {auth_type} needs the Python library keystoneauth1, which {sys.executable} does not have "
            f"({error}). Install it there: as the package python3-keystoneauth1 of the distribution, or with "
            f"{sys.executable} -m pip install keystoneauth1."
        ) from error


def _catalogue(session: Any) -> Any:
    """The services of the token; None for a plugin that gets none from Keystone."""
    if not hasattr(session.auth, "get_access"):
        return None
    return session.auth.get_access(session).service_catalog.catalog or []


def _authorities(tls: Tls) -> str | bool:
    """The file or folder with the certificates of those whom we trust: of the system, as everywhere in Python.

    The library that keystoneauth1 sends with would take a list that came with Python packages.
    """
    paths = ssl.get_default_verify_paths()
    return tls.ca_file or paths.cafile or paths.capath or True


def _header(error: Any, name: str) -> str | None:
    response = getattr(error, "response", None)
    return None if response is None else response.headers.get(name)
