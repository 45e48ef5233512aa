# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The Keystone of the lab, as tests ask it: who is who there, tokens for them, and endpoints in its catalogue."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LAB = Path(__file__).resolve().parent.parent / "labs/openstack/lab"
_UP_SECONDS = 600
#: The name of a region of a test, with the number of the process that made it; older ones have none.
_OF_A_TEST = re.compile(r"(?:region|osc)-(?:([0-9]+)-)?[0-9a-f]{8}")


class LabUnavailable(Exception):
    """The lab cannot be started here; the message says why."""


@dataclass(frozen=True)
class KeystoneUser:
    """Somebody whom the lab's Keystone knows, in the project that they have a role in."""

    name: str
    password: str
    id: str
    domain_id: str
    project: str
    project_id: str

    def environment(self, auth_url: str, region: str) -> dict[str, str]:
        """The OS_* variables that make an OpenStack client this user."""
        return {
            "OS_AUTH_TYPE": "password",
            "OS_AUTH_URL": auth_url,
            "OS_USERNAME": self.name,
            "OS_PASSWORD": self.password,
            "OS_PROJECT_ID": self.project_id,
            "OS_USER_DOMAIN_ID": self.domain_id,
            "OS_REGION_NAME": region,
            "OS_IDENTITY_API_VERSION": "3",
        }


class Keystone:
    """A running Keystone. ``auth_url`` ends with /v3; ``environment`` are the administrator's OS_* variables."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.auth_url = environment["OS_AUTH_URL"]
        self.region = environment["OS_REGION_NAME"]
        self._facts: dict[str, Any] = json.loads(Path(environment["FREEZER_TEST_KEYSTONE"]).read_text())
        self.password: str = self._facts["password"]
        #: Ids of projects (alpha, beta, both of the domain ``default``) and of domains (default, second).
        self.projects: dict[str, str] = self._facts["projects"]
        self.domains: dict[str, str] = self._facts["domains"]
        #: The ``id`` and the ``secret`` of an application credential of alpha-member.
        self.application_credential: dict[str, str] = self._facts["application_credential"]

    def user(self, name: str) -> KeystoneUser:
        """One of alpha-admin, alpha-member, alpha-reader, alpha-service, alpha-auditor, the same of beta, freezer,
        and stranger."""
        known = self._facts["users"][name]
        return KeystoneUser(name, self.password, known["id"], known["domain_id"], known["project"], known["project_id"])

    def token(self, name: str) -> str:
        """A token of a user for their project; ``admin`` is the administrator of the cloud."""
        if name == "admin":
            user: dict[str, Any] = {"name": "admin", "domain": {"id": "default"}}
            project: dict[str, Any] = {"name": "admin", "domain": {"id": "default"}}
        else:
            user, project = {"id": self.user(name).id}, {"id": self.user(name).project_id}
        identity = {"methods": ["password"], "password": {"user": {**user, "password": self.password}}}
        return self._token({"identity": identity, "scope": {"project": project}})

    def application_credential_token(self, credential_id: str | None = None, secret: str | None = None) -> str:
        """A token for an application credential, by default the one of alpha-member."""
        credential = {
            "id": credential_id or self.application_credential["id"],
            "secret": secret or self.application_credential["secret"],
        }
        return self._token({"identity": {"methods": ["application_credential"], "application_credential": credential}})

    def new_application_credential(self, user: str, token: str, /, **values: Any) -> dict[str, str]:
        """Make one for the user who has the token; ``values`` as in Keystone's API, such as ``expires_at``."""
        path = f"/users/{self.user(user).id}/application_credentials"
        made, _headers = self.ask("POST", path, {"application_credential": values}, token)
        credential: dict[str, str] = made["application_credential"]
        return credential

    def revoke(self, token: str) -> None:
        """Make a token invalid."""
        self.ask("DELETE", "/auth/tokens", None, self.token("admin"), {"X-Subject-Token": token})

    @contextmanager
    def in_region(self, url: str) -> Iterator[str]:
        """A region of its own in the catalogue for a test, in which the service ``backup`` is at this address; its name.

        It is removed afterwards, as are those of processes that were killed. Every token brings the catalogue along, and Swift
        refuses one of more than 8 KiB: about thirty regions that nothing removed.
        """
        self._remove_leftovers()
        region = f"region-{os.getpid()}-{secrets.token_hex(4)}"
        self.add_endpoint(url, region)
        try:
            yield region
        finally:
            self.remove_endpoints(region)

    def _remove_leftovers(self) -> None:
        for region in self.ask("GET", "/regions", None, self.token("admin"))[0]["regions"]:
            made_by = _OF_A_TEST.fullmatch(region["id"])
            if made_by and not (made_by[1] and Path(f"/proc/{made_by[1]}").exists()):
                self.remove_endpoints(region["id"])

    def add_endpoint(self, url: str, region: str) -> None:
        """Say in the catalogue where the service ``backup`` is in a region, which is made if it is a new one."""
        token = self.token("admin")
        services, _headers = self.ask("GET", "/services?type=backup", None, token)
        self.ask("PUT", f"/regions/{region}", {"region": {}}, token)
        for interface in ("public", "internal", "admin"):
            endpoint = {
                "service_id": services["services"][0]["id"],
                "region_id": region,
                "interface": interface,
                "url": url,
            }
            self.ask("POST", "/endpoints", {"endpoint": endpoint}, token)

    def remove_endpoints(self, region: str) -> None:
        """Take a region, and what the catalogue has there, away again."""
        token = self.token("admin")
        for endpoint in self.ask("GET", f"/endpoints?region_id={region}", None, token)[0]["endpoints"]:
            self._delete(f"/endpoints/{endpoint['id']}", token)
        self._delete(f"/regions/{region}", token)

    def _delete(self, path: str, token: str) -> None:
        try:
            self.ask("DELETE", path, None, token)
        except urllib.error.HTTPError as refusal:
            if refusal.code != 404:  # another process may have removed it
                raise

    def ask(
        self, method: str, path: str, body: Any, token: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[Any, Any]:
        """The JSON and the headers of Keystone's answer. Raises urllib.error.HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.auth_url + path, data, {**(headers or {})}, method=method)
        request.add_header("Content-Type", "application/json")
        if token is not None:
            request.add_header("X-Auth-Token", token)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as response:
            text = response.read()
            return (json.loads(text) if text else None), response.headers

    def _token(self, auth: dict[str, Any]) -> str:
        _body, headers = self.ask("POST", "/auth/tokens", {"auth": auth})
        token: str = headers["X-Subject-Token"]
        return token


def start() -> Keystone:
    """The Keystone of the lab, started if it does not run yet. Raises LabUnavailable."""
    run_lab("up", "keystone")
    return Keystone(lab_environment())


def lab_environment() -> dict[str, str]:
    """What the lab exports. Raises LabUnavailable."""
    exports = (line.removeprefix("export ") for line in run_lab("env").splitlines())
    return dict(word.split("=", 1) for line in exports for word in shlex.split(line))


def run_lab(*words: str) -> str:
    """What the command of the lab says. Raises LabUnavailable."""
    try:
        done = subprocess.run(
            [_LAB, *words],
            capture_output=True,
            text=True,
            timeout=_UP_SECONDS,
            check=False,
            env={**os.environ, "PYTHON": sys.executable},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabUnavailable(f"the lab of OpenStack cannot be started: {error}") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise LabUnavailable("".join(last) or f"lab {' '.join(words)} ended with {done.returncode}")
    return done.stdout
