# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Keystone as PyPI has it, on SQLite, with the projects and users that the tests are.

* ``admin`` in the project admin;
* ``alpha-admin``, ``alpha-member``, ``alpha-reader``, ``alpha-service``, ``alpha-auditor`` with that role in the project
  alpha, and the same in the project beta; no policy knows the role auditor;
* ``freezer`` with the role service in the project service: what freezer-api checks tokens as;
* ``stranger``, a member of the project alpha of another domain, which is called second.

``alpha-member`` has an application credential. The catalogue has the service ``backup``; its endpoints are added by
whoever starts a freezer-api. All passwords are one, made up by the first ``up``.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import secrets
import time
from pathlib import Path
from typing import Any

from pieces import Asked, Daemon, LabError, run, say, usable_port, virtual_environment

HERE = Path(__file__).parent
_PACKAGES = ("keystone", "gunicorn")
_START_SECONDS = 60
#: Raise it when the people below change: the database is then made anew.
_POPULATION = 1
_ROLES = ("admin", "member", "reader", "service", "auditor")

_CONFIG = """\
[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///{state}/keystone.db
sqlite_synchronous = false
[identity]
password_hash_rounds = 4
[fernet_tokens]
key_repository = {state}/fernet
[credential]
key_repository = {state}/credential
[token]
provider = fernet
expiration = 86400
[cache]
enabled = true
backend = dogpile.cache.memory
"""

_SERVER = """\
wsgi_app = "keystone.wsgi.api:application"
bind = "{address}"
workers = 1
# Not more: with several, a token now and then got the roles of somebody else who logged in at that moment.
threads = 1
timeout = 120
control_socket_disable = True
"""


class Keystone:
    """The identity service."""

    name = "keystone"

    def __init__(self, folder: Path) -> None:
        self.state = folder / "keystone"
        self._config = self.state / "keystone.conf"
        self._facts = self.state / "facts.json"
        self._daemon = Daemon(self.state, "keystone", str(self.state / "venv/bin/gunicorn"))

    def up(self) -> None:
        """Install, populate and start it. Raises LabError."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_configured = self._configure()
        if is_configured and self._is_whole() and self.status():
            return
        commands = virtual_environment(self.state / "venv", _PACKAGES, HERE / "constraints.txt")
        self._daemon.stop()
        if not self._is_whole():
            self._empty()
        port_file = self.state / "port"
        before = port_file.read_text() if port_file.is_file() else None
        url = f"http://127.0.0.1:{usable_port(port_file)}"
        if not self._is_whole():
            self._initialise(commands)
        if not self._is_whole() or port_file.read_text() != before:
            self._bootstrap(commands, url)
        self._start(commands, url)
        if not self._is_whole():
            say("keystone: making projects, users and roles")
            facts = _populate(Asked(f"{url}/v3"), self._password())
            self._facts.write_text(json.dumps({"population": _POPULATION, **facts}, indent=2))

    def down(self) -> None:
        """Stop it."""
        self._daemon.stop()

    def status(self) -> str | None:
        """Where it answers."""
        process_id = self._daemon.process_id
        if process_id is None or not Asked(f"{self._url()}/v3").answers():
            return None
        return f"up at {self._url()}/v3 (process {process_id})"

    def environment(self) -> dict[str, str]:
        """The administrator's OS_* and the file with everybody else."""
        if not self._is_whole():
            raise LabError("keystone was never up; say: lab up keystone")
        return {
            "OS_AUTH_URL": f"{self._url()}/v3",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": self._password(),
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": "RegionOne",
            "OS_IDENTITY_API_VERSION": "3",
            "FREEZER_TEST_KEYSTONE": str(self._facts),
        }

    def as_administrator(self) -> Asked:
        """Keystone, asked with a fresh token of the administrator. Raises LabError."""
        keystone = Asked(f"{self._url()}/v3")
        keystone.headers["X-Auth-Token"] = _token(
            keystone, {"name": "admin", "domain": {"id": "default"}}, self._password()
        )
        return keystone

    def say_where_freezer_is(self, url: str, region: str) -> None:
        """Make the endpoints of a region in the catalogue lead to this Freezer API, and to no other one."""
        keystone = self.as_administrator()
        # A role that is tested may have made another service of this type.
        services = keystone.ask("GET", "/services?type=backup")[0]["services"]
        service_ids = [service["id"] for service in services]
        endpoints = keystone.ask("GET", "/endpoints")[0]["endpoints"]
        here = [known for known in endpoints if known["region"] == region and known["service_id"] in service_ids]
        if [endpoint["url"] for endpoint in here] == [url] * 3:
            return
        if not here and region not in [known["id"] for known in keystone.ask("GET", "/regions")[0]["regions"]]:
            keystone.ask("PUT", f"/regions/{region}", {"region": {}})
        for endpoint in here:
            keystone.ask("DELETE", f"/endpoints/{endpoint['id']}")
        for interface in ("public", "internal", "admin"):
            new = {"service_id": service_ids[0], "region_id": region, "interface": interface, "url": url}
            keystone.ask("POST", "/endpoints", {"endpoint": new})

    def _url(self) -> str:
        return f"http://127.0.0.1:{(self.state / 'port').read_text()}"

    def _password(self) -> str:
        path = self.state / "password"
        if not path.is_file():
            path.touch(0o600)
            path.write_text(secrets.token_hex(8))
        return path.read_text()

    def _is_whole(self) -> bool:
        try:
            return bool(json.loads(self._facts.read_text())["population"] == _POPULATION)
        except (OSError, ValueError, KeyError):
            return False

    def _empty(self) -> None:
        for path in (self._facts, self.state / "keystone.db"):
            path.unlink(missing_ok=True)

    def _configure(self) -> bool:
        """Write the configuration; whether it was there already."""
        text = _CONFIG.format(state=self.state)
        if self._config.is_file() and self._config.read_text() == text:
            return True
        self._config.touch(0o600)
        self._config.write_text(text)
        return False

    def _initialise(self, commands: Path) -> None:
        say("keystone: making the database")
        for folder in ("fernet", "credential"):
            (self.state / folder).mkdir(mode=0o700, exist_ok=True)
        owner = ["--keystone-user", pwd.getpwuid(os.getuid()).pw_name]
        owner += ["--keystone-group", grp.getgrgid(os.getgid()).gr_name]
        self._manage(commands, "fernet_setup", *owner)
        self._manage(commands, "credential_setup", *owner)
        self._manage(commands, "db_sync")

    def _bootstrap(self, commands: Path, url: str) -> None:
        words = ["--bootstrap-password", self._password(), "--bootstrap-region-id", "RegionOne"]
        for interface in ("public", "internal", "admin"):
            words += [f"--bootstrap-{interface}-url", f"{url}/v3"]
        self._manage(commands, "bootstrap", *words)

    def _manage(self, commands: Path, *words: str) -> None:
        run([commands / "keystone-manage", "--config-file", self._config, *words], self.state / "manage.log")

    def _start(self, commands: Path, url: str) -> None:
        # Keystone reads the command line of whoever serves it: gunicorn gets nothing there but a file of this name.
        (self.state / "gunicorn.conf.py").write_text(_SERVER.format(address=url.removeprefix("http://")))
        self._daemon.start([commands / "gunicorn"], {"OS_KEYSTONE_CONFIG_FILES": str(self._config)})
        deadline = time.monotonic() + _START_SECONDS
        while not Asked(f"{url}/v3").answers():
            if self._daemon.has_ended or time.monotonic() > deadline:
                self._daemon.stop()
                raise LabError(f"keystone does not answer at {url}/v3; its log is {self._daemon.log}")
            time.sleep(0.1)


def _populate(keystone: Asked, password: str) -> dict[str, Any]:
    """Make everybody and return who they are."""
    keystone.headers["X-Auth-Token"] = _token(keystone, {"name": "admin", "domain": {"id": "default"}}, password)
    keystone.ask("POST", "/roles", {"role": {"name": "auditor"}})
    roles = {role["name"]: role["id"] for role in keystone.ask("GET", "/roles")[0]["roles"]}
    facts: dict[str, Any] = {"password": password, "region": "RegionOne", "projects": {}, "users": {}}

    def create(what: str, **values: Any) -> str:
        answer, _headers = keystone.ask("POST", f"/{what}s", {what: values})
        created: str = answer[what]["id"]
        return created

    def person(name: str, project: str, project_id: str, role: str, domain_id: str) -> None:
        user_id = create("user", name=name, domain_id=domain_id, password=password)
        keystone.ask("PUT", f"/projects/{project_id}/users/{user_id}/roles/{roles[role]}")
        facts["users"][name] = {
            "id": user_id,
            "domain_id": domain_id,
            "project": project,
            "project_id": project_id,
            "role": role,
        }

    second = create("domain", name="second")
    for name in ("alpha", "beta"):
        project_id = create("project", name=name, domain_id="default")
        facts["projects"][name] = project_id
        for role in _ROLES:
            person(f"{name}-{role}", name, project_id, role, "default")
    person("freezer", "service", create("project", name="service", domain_id="default"), "service", "default")
    person("stranger", "alpha", create("project", name="alpha", domain_id=second), "member", second)
    facts["domains"] = {"default": "default", "second": second}
    facts["application_credential"] = _application_credential(keystone.url, facts["users"]["alpha-member"], password)
    create("service", type="backup", name="freezer", description="Freezer")
    return facts


def _application_credential(url: str, user: dict[str, Any], password: str) -> dict[str, str]:
    # Only a user makes one for themselves.
    own = Asked(url)
    own.headers["X-Auth-Token"] = _token(own, {"id": user["id"]}, password, user["project_id"])
    answer, _headers = own.ask(
        "POST",
        f"/users/{user['id']}/application_credentials",
        {"application_credential": {"name": "tests", "secret": password}},
    )
    return {"id": answer["application_credential"]["id"], "secret": password}


def _token(keystone: Asked, user: dict[str, Any], password: str, project_id: str | None = None) -> str:
    scope: dict[str, Any] = {"id": project_id} if project_id else {"name": "admin", "domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": {**user, "password": password}}}
    _body, headers = keystone.ask("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": {"project": scope}}})
    return headers["X-Subject-Token"]
