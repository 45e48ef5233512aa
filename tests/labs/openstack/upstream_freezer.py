# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Upstream's own freezer-api 19 on SQLite, behind the lab's Keystone: what modules have to get along with as well.

It checks tokens with keystonemiddleware as the user ``freezer``, and is in the catalogue in the region ``Upstream``.
"""

from __future__ import annotations

import time
from pathlib import Path

from identity import Keystone
from pieces import Asked, Daemon, LabError, run, say, usable_port, virtual_environment

HERE = Path(__file__).parent
REGION = "Upstream"
_PACKAGES = ("freezer-api==19.*",)
_START_SECONDS = 60

_CONFIG = """\
[DEFAULT]
bind_host = 127.0.0.1
bind_port = {port}
[database]
connection = sqlite:///{state}/freezer.db
[storage]
driver = sqlalchemy
backend = sqlalchemy
[paste_deploy]
config_file = {state}/venv/etc/freezer/freezer-paste.ini
[keystone_authtoken]
www_authenticate_uri = {auth_url}
auth_url = {auth_url}
auth_type = password
username = freezer
password = {password}
project_name = service
user_domain_id = default
project_domain_id = default
region_name = RegionOne
service_token_roles_required = false
# A token that is revoked is refused at once.
token_cache_time = -1
"""


class UpstreamFreezer:
    """The Freezer API of OpenStack."""

    name = "upstream-freezer"

    def __init__(self, folder: Path, keystone: Keystone) -> None:
        self.state = folder / "upstream-freezer"
        self._keystone = keystone
        self._config = self.state / "freezer-api.conf"
        self._daemon = Daemon(self.state, "freezer-api", str(self._config))

    def up(self) -> None:
        """Install, configure and start it, and Keystone before it. Raises LabError."""
        self._keystone.up()
        if not self.status() or self._config.read_text() != self._wanted_config():
            self._start()
        self._keystone.say_where_freezer_is(self._url(), REGION)

    def down(self) -> None:
        """Stop it."""
        self._daemon.stop()

    def status(self) -> str | None:
        """Where it answers."""
        process_id = self._daemon.process_id
        if process_id is None or not Asked(self._url()).answers():
            return None
        return f"up at {self._url()} (process {process_id})"

    def environment(self) -> dict[str, str]:
        """Where it is, and the region in which the catalogue has it; nothing where it was never up."""
        if not (self.state / "freezer.db").exists():
            return {}
        return {"FREEZER_TEST_UPSTREAM_URL": self._url(), "FREEZER_TEST_UPSTREAM_REGION": REGION}

    def _start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        commands = virtual_environment(self.state / "venv", _PACKAGES, HERE / "constraints-upstream-freezer.txt")
        self._daemon.stop()
        usable_port(self.state / "port")
        self._config.touch(0o600)
        self._config.write_text(self._wanted_config())
        if not (self.state / "freezer.db").exists():
            say("upstream-freezer: making the database")
            # It ends with 0 whatever happens; whether it has worked is seen when the API is asked.
            run([commands / "freezer-manage", "--config-file", self._config, "db", "sync"], self.state / "manage.log")
        self._daemon.start([commands / "freezer-api", "--config-file", self._config], {})
        deadline = time.monotonic() + _START_SECONDS
        while not Asked(self._url()).answers():
            if self._daemon.has_ended or time.monotonic() > deadline:
                self._daemon.stop()
                raise LabError(f"freezer-api does not answer at {self._url()}; its log is {self._daemon.log}")
            time.sleep(0.1)

    def _url(self) -> str:
        return f"http://127.0.0.1:{(self.state / 'port').read_text()}"

    def _wanted_config(self) -> str:
        keystone = self._keystone.environment()
        return _CONFIG.format(
            state=self.state,
            port=(self.state / "port").read_text(),
            auth_url=keystone["OS_AUTH_URL"],
            password=keystone["OS_PASSWORD"],
        )
