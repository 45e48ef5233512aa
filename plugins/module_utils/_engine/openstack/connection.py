# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""A cloud: its login, and the services that the catalogue of Keystone leads to.

keystoneauth1 logs in and sends, openstacksdk reads a ``clouds.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..http.auth import AuthMethod, NoAuth
from ..http.errors import BadAddress
from ..http.repeating import RETRIES, TIMEOUT_SECONDS
from .identity.environment import with_environment
from .identity.keystoneauth import DEFAULT_INTERFACE
from .identity.login import auth_method, complete, tls_of
from .service import Service
from .transport import Transport

#: What services are called, and the names that catalogues have for them, newest first.
SERVICE_TYPES: Mapping[str, tuple[str, ...]] = {
    "compute": ("compute",),
    "image": ("image",),
    "object-store": ("object-store",),
    "volume": ("block-storage", "volumev3"),
}
_NAMES = {"compute": "Nova", "image": "Glance", "object-store": "Swift", "volume": "Cinder"}

#: The options of ``connect_cloud``; all are optional.
CLOUD_OPTIONS = (
    "cloud", "auth_type", "auth", "region_name", "interface", "ca_file", "validate_certs", "client_cert",
    "client_key", "timeout_seconds", "retries",
)  # fmt: skip


class Cloud:
    """A project of a cloud, as a user with a role in it sees it."""

    def __init__(self, auth: AuthMethod, transport: Transport, known: Mapping[str, Any]) -> None:
        """``known`` are the options that ``complete`` has put together."""
        self._auth = auth
        self._transport = transport
        self._known = known
        self._services: dict[str, Service] = {}

    def service(self, kind: str) -> Service:
        """One of SERVICE_TYPES. Raises BadAddress if the catalogue does not have it."""
        if kind not in self._services:
            address = self._setting(kind, "endpoint_override")
            address = self._filled(address) if address else self._endpoint(kind)
            self._services[kind] = Service(
                _NAMES[kind], self._versioned(kind, address.rstrip("/")), self._auth, self._transport
            )
        return self._services[kind]

    def project_id(self) -> str:
        """The project that the credentials are for. Raises BadAddress if they are for none."""
        found = self._auth.project_id()
        if not found:
            raise BadAddress("The credentials are for no project; say with project_name or project_id in auth, which.")
        return found

    def _setting(self, kind: str, key: str) -> str | None:
        """What is said of one service, else of all."""
        said = (self._known["services"].get(f"{name.replace('-', '_')}_{key}") for name in (*SERVICE_TYPES[kind], kind))
        return next(filter(None, said), None) or self._known.get(key)

    def _filled(self, address: str) -> str:
        """An address with the id of the project where it has a placeholder for it."""
        for place in ("%(project_id)s", "$(project_id)s", "%(tenant_id)s", "$(tenant_id)s"):
            if place in address:
                address = address.replace(place, self.project_id())
        return address

    def _endpoint(self, kind: str) -> str:
        """The address in the catalogue."""
        own_type = self._setting(kind, "service_type")
        problem: BadAddress | None = None
        for service_type in (own_type,) if own_type else SERVICE_TYPES[kind]:
            try:
                address = self._auth.endpoint(
                    self._setting(kind, "interface") or DEFAULT_INTERFACE,
                    self._setting(kind, "region_name"),
                    service_type,
                    self._setting(kind, "service_name"),
                )
            except BadAddress as obstacle:
                problem = problem or obstacle
            else:
                if address:
                    return address
        raise problem or BadAddress("These credentials come without a catalogue that says where the services are.")

    def _versioned(self, kind: str, address: str) -> str:
        """An address with the version of the API in it where our paths begin behind that, and without where they have it.

        Services answer at both, and catalogues have either.
        """
        if kind == "image":
            return re.sub(r"/v2$", "", address)
        if kind == "object-store" or re.search(r"/v[1-9][.0-9]*(/|$)", address):
            return address
        return f"{address}/v2.1" if kind == "compute" else f"{address}/v3/{self.project_id()}"


def connect_cloud(options: Mapping[str, Any], environ: Mapping[str, str], credentials: str = "auth") -> Cloud:
    """The cloud that options and environment mean, asked when an answer is needed first.

    ``cloud`` is the name of a cloud in a ``clouds.yaml``, or what stands there; ``auth`` and ``auth_type`` are those of
    keystoneauth. Without both the variables ``OS_CLOUD``, or ``OS_AUTH_URL`` and the like, have the credentials, or a
    file with one cloud that ``OS_CLIENT_CONFIG_FILE`` names. ``credentials`` is what the caller calls the option to give in place of
    ``cloud``. Raises a RestError if they make no sense.
    """
    given = {name: options[name] for name in CLOUD_OPTIONS if options.get(name) is not None}
    # The address and the version of a Freezer API have nothing to do with it.
    known = complete({**with_environment(given, environ), "url": None, "api_version": None}, credentials)
    if known["auth_type"] == NoAuth.auth_type:
        raise BadAddress(
            f"Who asks the cloud? Say so with cloud or with {credentials}, or set OS_CLOUD, OS_CLIENT_CONFIG_FILE, or "
            "OS_AUTH_URL and what belongs to it."
        )
    transport = Transport(
        tls_of(known),
        _seconds(known.get("timeout_seconds", TIMEOUT_SECONDS)),
        given.get("retries", RETRIES),
        options.get("proxy"),
    )
    method = auth_method(known["auth_type"], known["auth"], transport)
    return Cloud(method, transport, known)


def _seconds(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadAddress(
            f"timeout_seconds (api_timeout in clouds.yaml) is {value!r}, and has to be a number."
        ) from None
