# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the services of the lab need to have in Keystone: a user to check tokens as, roles, and a place in the catalogue.

Everything is looked for first and made when it is missing, because the database of Keystone may be made anew at any
time.
"""

from __future__ import annotations

from typing import Any

from identity import Keystone
from pieces import Asked

SERVICE_USER = "cloud-service"
_SERVICE_ROLES = ("admin", "service")
#: Roles that services of the lab know and Keystone does not bring along.
_MORE_ROLES = ("ResellerAdmin",)
_INTERFACES = ("public", "internal", "admin")


class Directory:
    """Keystone, asked as its administrator."""

    def __init__(self, keystone: Keystone) -> None:
        self._keystone = keystone
        self._asked: Asked | None = None

    def credentials(self) -> dict[str, str]:
        """The options of keystonemiddleware and of keystoneauth's loading for the services' own user."""
        known = self._keystone.environment()
        return {
            "auth_url": known["OS_AUTH_URL"],
            "auth_type": "password",
            "username": SERVICE_USER,
            "password": known["OS_PASSWORD"],
            "project_name": "service",
            "user_domain_id": "default",
            "project_domain_id": "default",
            "region_name": "RegionOne",
        }

    def ensure_service_user(self) -> None:
        """Make the user that all services check tokens as, with its roles."""
        roles = {role["name"]: role["id"] for role in self._ask("GET", "/roles")["roles"]}
        for name in _MORE_ROLES:
            if name not in roles:
                roles[name] = self._ask("POST", "/roles", {"role": {"name": name}})["role"]["id"]
        project = self._ask("GET", "/projects?name=service&domain_id=default")["projects"][0]["id"]
        found = self._ask("GET", f"/users?name={SERVICE_USER}&domain_id=default")["users"]
        if found:
            user = found[0]["id"]
        else:
            new = {"name": SERVICE_USER, "domain_id": "default", "password": self.credentials()["password"]}
            user = self._ask("POST", "/users", {"user": new})["user"]["id"]
        for name in _SERVICE_ROLES:
            self._ask("PUT", f"/projects/{project}/users/{user}/roles/{roles[name]}")

    def ensure_endpoint(self, service_type: str, name: str, url: str) -> None:
        """Make the catalogue lead to a service at this address and at no other one."""
        services = self._ask("GET", f"/services?type={service_type}")["services"]
        if services:
            service = services[0]["id"]
        else:
            service = self._ask("POST", "/services", {"service": {"type": service_type, "name": name}})["service"]["id"]
        endpoints = self._ask("GET", f"/endpoints?service_id={service}")["endpoints"]
        if sorted((known["interface"], known["url"]) for known in endpoints) == sorted(
            (one, url) for one in _INTERFACES
        ):
            return
        for known in endpoints:
            self._ask("DELETE", f"/endpoints/{known['id']}")
        for interface in _INTERFACES:
            new = {"service_id": service, "region_id": "RegionOne", "interface": interface, "url": url}
            self._ask("POST", "/endpoints", {"endpoint": new})

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        if self._asked is None:
            self._asked = self._keystone.as_administrator()
        return self._asked.ask(method, path, body)[0]
