# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Logins to Keystone, by the library keystoneauth1, which is imported when one of them is used first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ...http.auth import AuthMethod
from ...http.errors import BadAddress, RestError, Unreachable, WrongService, error_from
from ...http.faults import LOST, NEVER_SENT, fault_of
from ...http.repeating import LONGEST_WAIT_SECONDS, RETRIED_STATUSES, back_off_seconds, retry_after_seconds
from ..errors import MissingLibrary
from ..transport import Transport, imported, open_session
from .credentials import usual_login

SERVICE_TYPE = "backup"
DEFAULT_INTERFACE = "public"

#: What sentences call the server.
KEYSTONE = "Keystone"


class Keystoneauth(AuthMethod):
    """A plugin of keystoneauth1, with its own options in ``auth``. Keystone is asked when an answer is needed first.

    Any number of threads may use it; one of them asks at a time, and all have what it was answered.

    Raises ``BadAddress`` where the options of a usual login say too little; those of others are known to the library.
    """

    def __init__(
        self,
        auth_type: str,
        auth: Mapping[str, Any],
        transport: Transport,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self.auth_type = auth_type
        self._auth = auth
        self._login = usual_login(auth_type, auth)
        self._url = str((self._login.options if self._login else auth).get("auth_url") or "the address that auth names")
        self._transport = transport
        self._sleep = sleep
        self._session: Any = None
        self._lock = threading.Lock()
        #: What is sent at present, and what each thread has sent last.
        self._current: Mapping[str, str] | None = None
        self._sent = threading.local()

    def headers(self) -> Mapping[str, str]:
        def current(session: Any) -> Mapping[str, str]:
            self._current = session.get_auth_headers() or {}
            return self._current

        self._sent.headers = self._asked(current) or {}
        return dict(self._sent.headers)

    def renew(self) -> bool:
        refused = getattr(self._sent, "headers", None)
        if not refused:
            return False

        def renewed(session: Any) -> bool:
            if refused != self._current:
                # Another thread, which was refused as well, came first.
                return True
            self._current = None
            return bool(session.invalidate())

        return bool(self._asked(renewed))

    def endpoint(
        self,
        interface: str,
        region_name: str | None,
        service_type: str = SERVICE_TYPE,
        service_name: str | None = None,
    ) -> str | None:
        catalogue = self._asked(_catalogue)
        if catalogue is not None:
            return endpoint_in(catalogue, interface, region_name, service_type, service_name)
        address = self._asked(
            lambda session: session.get_endpoint(
                service_type=service_type,
                interface=interface.split(","),
                region_name=region_name,
                service_name=service_name,
            )
        )
        if not address:
            raise BadAddress(no_endpoint(interface, region_name, service_type=service_type))
        return str(address)

    def project_id(self) -> str | None:
        found = self._asked(lambda session: session.get_project_id())
        return str(found) if found else None

    def _asked(self, question: Callable[[Any], Any]) -> Any:
        with self._lock:
            return self._answer(question)

    def _answer(self, question: Callable[[Any], Any]) -> Any:
        """The answer of keystoneauth, asked again where that may help, in our errors."""
        exceptions = imported("keystoneauth1.exceptions", f"auth_type {self.auth_type}")
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
                seconds = self._transport.timeout_seconds
                fault = fault_of(error, KEYSTONE, self._url, self._request(), seconds)
                if fault.kind not in (NEVER_SENT, LOST) or attempt >= self._transport.retries:
                    raise fault.error from error
            except exceptions.ClientException as error:
                if not _is_cut(error) or attempt >= self._transport.retries:
                    raise self._translated(error, exceptions) from error
            finally:
                if self._session is not None:
                    # Seldom used again: tokens live for hours.
                    self._session.session.close()
            self._sleep(pause_seconds)
            attempt += 1

    def _opened(self) -> Any:
        # Following a redirection would hand a password to the server that it names.
        options: dict[str, Any] = {"redirect": False} if self._login else {}
        return open_session(self._transport, f"auth_type {self.auth_type}", auth=self._plugin(), **options)

    def _plugin(self) -> Any:
        if self._login:
            # Straight from the class: the loader looks through every package that is installed.
            kinds = imported("keystoneauth1.identity.v3", f"auth_type {self.auth_type}")
            # A token is renewed when it is refused, and not by a clock, which may be wrong.
            return getattr(kinds, self._login.kind)(**self._login.options, reauthenticate=False)
        loading = imported("keystoneauth1.loading", f"auth_type {self.auth_type}")
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

    def _senseless(self, error: Exception) -> RestError:
        if self._login:
            return WrongService(
                f"{self._request()} was answered without a token that makes sense. Is auth_url the address of Keystone?"
            )
        message = "auth_type {0} cannot make sense of what Keystone answers: {1!r}. Is auth_url its address?"
        return WrongService(message.format(self.auth_type, error))

    def _refused(self, error: Any) -> RestError:
        """For an answer with an error of HTTP."""
        try:
            document = error.response.json()
        except (AttributeError, ValueError):
            document = None
        request = f"{error.method} {error.url}" if error.method and error.url else self._request()
        return error_from(request, error.http_status, document, KEYSTONE)

    def _translated(self, error: Any, exceptions: Any) -> RestError:
        said = " ".join(str(error).split()).rstrip(".")
        if isinstance(error, exceptions.NoMatchingPlugin):
            return BadAddress(f"There is no auth_type {self.auth_type}: {said}.")
        if isinstance(error, exceptions.AuthPluginException):
            return BadAddress(f"auth_type {self.auth_type} cannot be used like this: {said}.")
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if _is_cut(error):
            return Unreachable(
                f"The connection was lost during {self._request()}: it ended in the middle of the answer."
            )
        if isinstance(error, exceptions.InvalidResponse) and response is not None:
            if 300 <= response.status_code < 400 and response.headers.get("Location"):
                return RestError(
                    f"{self._request()} is redirected to {response.headers['Location']}. Use that server's address as "
                    "auth_url.",
                    status=status,
                )
            return WrongService(
                f"{self._request()} was answered without a token. Is this the address of Keystone?", status=status
            )
        return RestError(f"Keystone gives no token for auth_type {self.auth_type}: {said}.", status=status)


def _catalogue(session: Any) -> Any:
    """The services of the token; None for a plugin that gets none from Keystone."""
    if not hasattr(session.auth, "get_access"):
        return None
    return session.auth.get_access(session).service_catalog.catalog or []


def _header(error: Any, name: str) -> str | None:
    response = getattr(error, "response", None)
    return None if response is None else response.headers.get(name)


def _is_cut(error: Any) -> bool:
    """Whether there was less of the answer than it promised, which older releases of urllib3 do not mind."""
    response = getattr(error, "response", None)
    promised = _header(error, "Content-Length") or ""
    return response is not None and promised.isdigit() and len(response.content) < int(promised)


# ---------------------------------------------------------------------- the catalogue of services


def endpoint_in(
    catalogue: Iterable[Any],
    interface: str,
    region_name: str | None,
    service_type: str = SERVICE_TYPE,
    service_name: str | None = None,
) -> str:
    """The address of a service in a catalogue; ``BadAddress`` when it is not there, or is not the only one.

    Of several interfaces, with commas between them, the first one that the service has is taken. ``service_name`` is for
    catalogues with several services of a type.
    """
    known = [
        endpoint
        for service in catalogue
        if isinstance(service, Mapping)
        and service.get("type") == service_type
        and service_name in (None, service.get("name"))
        for endpoint in service.get("endpoints") or []
    ]
    of_region = [one for one in known if region_name in (None, one.get("region_id"), one.get("region"))]
    fitting: list[Any] = []
    for wanted in interface.replace("URL", "").split(","):
        fitting = fitting or [endpoint for endpoint in of_region if endpoint.get("interface") == wanted]
    addresses = sorted({str(endpoint.get("url")) for endpoint in fitting})
    if len(addresses) == 1:
        return addresses[0]
    if addresses:
        regions = ", ".join(sorted({str(endpoint.get("region")) for endpoint in fitting}))
        what = "Freezer APIs" if service_type == SERVICE_TYPE else f"services of the type {service_type}"
        message = "Keystone's catalogue has several {0}, in these regions: {1}. Say which one with region_name."
        raise BadAddress(message.format(what, regions))
    raise BadAddress(no_endpoint(interface, region_name, known, service_type))


def no_endpoint(
    interface: str,
    region_name: str | None,
    known: Iterable[Mapping[str, Any]] = (),
    service_type: str = SERVICE_TYPE,
) -> str:
    """The sentence for a catalogue that does not have the endpoint that is looked for."""
    looked_for = f"interface {interface}" + (f" in region {region_name}" if region_name else "")
    others = sorted({f"{endpoint.get('interface')} in {endpoint.get('region')}" for endpoint in known})
    has = f"it has {', '.join(others)}" if others else "it has none at all that these credentials may see"
    otherwise = ", or give the address as url" if service_type == SERVICE_TYPE else ""
    return (
        f"Keystone's catalogue has no endpoint of the service type {service_type} with {looked_for}; {has}. "
        f"Name another one with interface and region_name{otherwise}."
    )
