# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Credentials that Keystone changes into a token, by plain HTTP, so that a host needs no library for them.

Contract: ``POST /v3/auth/tokens`` of the Identity API, version 3. What it has besides passwords, application
credentials and tokens is left to keystoneauth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ...http.auth import AuthMethod
from ...http.connection import RETRIES, TIMEOUT_SECONDS, Connection, Tls
from ...http.errors import BadAddress
from ...http.errors import WrongService as NotFreezer
from .errors import FREEZER, KEYSTONE

SERVICE_TYPE = "backup"
DEFAULT_INTERFACE = "public"
DEFAULT_DOMAIN_ID = "default"

#: ``auth_type`` to the name of the method in the Identity API.
METHODS = {
    "password": "password",
    "v3password": "password",
    "v3applicationcredential": "application_credential",
    "token": "token",
    "v3token": "token",
}


@dataclass(frozen=True)
class Transport:
    """How servers are spoken to, the Freezer API and Keystone alike."""

    tls: Tls = field(default_factory=Tls)
    timeout_seconds: float = TIMEOUT_SECONDS
    retries: int = RETRIES
    #: The address of a proxy for HTTP, which is asked in place of the server.
    proxy: str | None = None

    def connection(self, url: str, service: str = FREEZER, **options: Any) -> Connection:
        """A connection to ``url``, not opened yet."""
        return Connection(
            url,
            service=service,
            tls=self.tls,
            timeout_seconds=self.timeout_seconds,
            retries=self.retries,
            proxy=self.proxy,
            **options,
        )


@dataclass(frozen=True, repr=False)
class _Access:
    token: str
    project_id: str | None
    catalogue: list[Any]


class Keystone(AuthMethod):
    """``password``, ``v3applicationcredential`` and ``v3token``: a token of Keystone's, fetched when it is needed first.

    ``auth`` has keystoneauth's keys (``auth_url``, ``username``, ``project_name``, ...). Raises ``BadAddress`` where
    they say too little.
    """

    def __init__(self, auth_type: str, auth: Mapping[str, Any], transport: Transport) -> None:
        self.auth_type = auth_type
        self._request = login_request(auth_type, auth)
        self._connection = transport.connection(
            _without_version(_required(auth, "auth_url", auth_type)), service=KEYSTONE
        )
        self._access: _Access | None = None

    def headers(self) -> Mapping[str, str]:
        return {"X-Auth-Token": self._accessed().token}

    def renew(self) -> bool:
        had_access, self._access = self._access is not None, None
        return had_access

    def endpoint(self, interface: str, region_name: str | None, service_type: str = SERVICE_TYPE) -> str | None:
        return endpoint_in(self._accessed().catalogue, interface, region_name, service_type)

    def project_id(self) -> str | None:
        return self._accessed().project_id

    def _accessed(self) -> _Access:
        if self._access is None:
            answer = self._connection.request("POST", "/v3/auth/tokens", document=self._request)
            # Seldom used again: tokens live for hours.
            self._connection.close()
            token = answer.headers.get("x-subject-token")
            about = answer.document.get("token") if isinstance(answer.document, Mapping) else None
            if not token or not isinstance(about, Mapping):
                message = "POST {0}/v3/auth/tokens was answered without a token. Is auth_url the address of Keystone?"
                raise NotFreezer(message.format(self._connection.url))
            self._access = _Access(token, (about.get("project") or {}).get("id"), about.get("catalog") or [])
        return self._access


def login_request(auth_type: str, auth: Mapping[str, Any]) -> dict[str, Any]:
    """The body that asks for a token. Domains are Keystone's default one where none is named."""
    method = METHODS[auth_type]
    identity: dict[str, Any]
    if method == "password":
        identity = {"user": {**_user(auth, auth_type), "password": _required(auth, "password", auth_type)}}
    elif method == "token":
        identity = {"id": _required(auth, "token", auth_type)}
    else:
        identity = {"secret": _required(auth, "application_credential_secret", auth_type)}
        if auth.get("application_credential_id"):
            identity["id"] = auth["application_credential_id"]
        else:
            # Names of application credentials are unique for their user only.
            identity["name"] = _required(auth, "application_credential_name", auth_type)
            identity["user"] = _user(auth, auth_type)
    request: dict[str, Any] = {"auth": {"identity": {"methods": [method], method: identity}}}
    # An application credential is for its project and for nothing else.
    scope = None if method == "application_credential" else _scope(auth)
    if scope:
        request["auth"]["scope"] = scope
    return request


def endpoint_in(
    catalogue: Iterable[Any], interface: str, region_name: str | None, service_type: str = SERVICE_TYPE
) -> str:
    """The address of a service in a catalogue; ``BadAddress`` when it is not there, or is not the only one."""
    known = [
        endpoint
        for service in catalogue
        if isinstance(service, Mapping) and service.get("type") == service_type
        for endpoint in service.get("endpoints") or []
    ]
    fitting = [
        endpoint
        for endpoint in known
        if endpoint.get("interface") == interface.replace("URL", "")
        and region_name in (None, endpoint.get("region_id"), endpoint.get("region"))
    ]
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


def _user(auth: Mapping[str, Any], auth_type: str) -> dict[str, Any]:
    if auth.get("user_id"):
        return {"id": auth["user_id"]}
    return {"name": _required(auth, "username", auth_type), "domain": _domain(auth, "user")}


def _domain(auth: Mapping[str, Any], owner: str) -> dict[str, Any]:
    for prefix in (owner, "default"):
        for key in ("id", "name"):
            value = auth.get(f"{prefix}_domain_{key}")
            if value:
                return {key: value}
    return {"id": DEFAULT_DOMAIN_ID}


def _scope(auth: Mapping[str, Any]) -> dict[str, Any] | None:
    if auth.get("trust_id"):
        return {"OS-TRUST:trust": {"id": auth["trust_id"]}}
    project_id = auth.get("project_id") or auth.get("tenant_id")
    if project_id:
        return {"project": {"id": project_id}}
    project_name = auth.get("project_name") or auth.get("tenant_name")
    if project_name:
        return {"project": {"name": project_name, "domain": _domain(auth, "project")}}
    for key in ("id", "name"):
        if auth.get("domain_" + key):
            return {"domain": {key: auth["domain_" + key]}}
    if auth.get("system_scope"):
        return {"system": {"all": True}}
    return None


def _required(auth: Mapping[str, Any], key: str, auth_type: str) -> str:
    value = auth.get(key)
    if not value:
        raise BadAddress(f"auth_type {auth_type} needs {key} in auth.")
    return str(value)


def _without_version(auth_url: str) -> str:
    stem = auth_url.rstrip("/")
    if urlsplit(stem).path.endswith("/v2.0"):
        raise BadAddress(f"auth_url {auth_url} is the address of version 2.0 of Keystone; give that of version 3.")
    return stem[: -len("/v3")] if stem.endswith("/v3") else stem
