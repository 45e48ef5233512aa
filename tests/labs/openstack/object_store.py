# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Swift as PyPI has it: one proxy, and one account, container and object server over one folder.

Its file system has to know extended attributes of users, as ext4, XFS and btrfs do. There are no replicators, auditors
and expirers: with one copy of everything there is nothing for them to do.
"""

from __future__ import annotations

import os
import pwd
import shutil
import time
from pathlib import Path

from directory import Directory
from identity import Keystone
from pieces import Asked, Daemon, LabError, run, say, usable_port, virtual_environment

HERE = Path(__file__).parent
_PACKAGES = ("swift", "keystonemiddleware")
_START_SECONDS = 60
_STORES = ("account", "container", "object")

_CLUSTER = """\
[swift-hash]
swift_hash_path_suffix = lab
[storage-policy:0]
name = Policy-0
default = yes
[swift-constraints]
max_file_size = 5368709122
"""

_STORE = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {state}
devices = {state}/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
log_address = /dev/null
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

# No cache: with memcached the lab would have one more daemon, and answers of a second ago.
_PROXY = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {state}
log_address = /dev/null
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats bulk authtoken keystoneauth copy container-quotas \
account-quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = {auth_url}
delay_auth_decision = True
service_token_roles_required = false
{credentials}
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reseller_admin_role = ResellerAdmin
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""


class Swift:
    """The object store."""

    name = "swift"

    def __init__(self, folder: Path, keystone: Keystone) -> None:
        self.state = folder / "swift"
        self._keystone = keystone
        self._daemons = {
            name: Daemon(self.state, name, str(self.state / f"{name}-server.conf")) for name in (*_STORES, "proxy")
        }

    def up(self) -> None:
        """Install, configure and start it, and Keystone before it. Raises LabError."""
        self._keystone.up()
        directory = Directory(self._keystone)
        directory.ensure_service_user()
        if not self.status() or self._proxy_file().read_text() != self._proxy_config(directory):
            self._start(directory)
        directory.ensure_endpoint("object-store", "swift", f"{self.url()}/v1/AUTH_$(project_id)s")

    def down(self) -> None:
        """Stop it."""
        for daemon in self._daemons.values():
            daemon.stop()

    def status(self) -> str | None:
        """Where it answers."""
        if any(daemon.process_id is None for daemon in self._daemons.values()):
            return None
        if not Asked(f"{self.url()}/healthcheck").answers():
            return None
        return f"up at {self.url()} (process {self._daemons['proxy'].process_id})"

    def environment(self) -> dict[str, str]:
        """Where it is; nothing where it was never up."""
        return {"FREEZER_TEST_SWIFT_URL": self.url()} if (self.state / "proxy.port").is_file() else {}

    def url(self) -> str:
        """The address of the proxy, without version and account."""
        return f"http://127.0.0.1:{(self.state / 'proxy.port').read_text()}"

    def _start(self, directory: Directory) -> None:
        (self.state / "devices/d1").mkdir(parents=True, exist_ok=True, mode=0o700)
        commands = virtual_environment(self.state / "venv", _PACKAGES, HERE / "constraints-swift.txt")
        self.down()
        ports = {name: usable_port(self.state / f"{name}.port") for name in (*_STORES, "proxy")}
        (self.state / "swift.conf").write_text(_CLUSTER)
        for name in _STORES:
            config = _STORE.format(name=name, port=ports[name], user=_user(), state=self.state)
            (self.state / f"{name}-server.conf").write_text(config)
        self._make_rings(commands, ports)
        self._proxy_file().touch(0o600)
        self._proxy_file().write_text(self._proxy_config(directory))
        for name, daemon in self._daemons.items():
            daemon.start([commands / f"swift-{name}-server", self.state / f"{name}-server.conf"], {})
        deadline = time.monotonic() + _START_SECONDS
        while not Asked(f"{self.url()}/healthcheck").answers():
            if any(daemon.has_ended for daemon in self._daemons.values()) or time.monotonic() > deadline:
                self.down()
                raise LabError(f"swift does not answer at {self.url()}; its logs are {self.state}/*.log")
            time.sleep(0.1)

    def _make_rings(self, commands: Path, ports: dict[str, int]) -> None:
        wanted = repr(ports)
        stamp = self.state / "rings"
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        say("swift: making the rings")
        for name in _STORES:
            builder = self.state / f"{name}.builder"
            builder.unlink(missing_ok=True)
            shutil.rmtree(self.state / "backups", ignore_errors=True)
            tool = commands / "swift-ring-builder"
            log = self.state / "rings.log"
            run([tool, builder, "create", "4", "1", "1"], log)
            device = ["--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port", str(ports[name])]
            run([tool, builder, "add", *device, "--device", "d1", "--weight", "1"], log)
            run([tool, builder, "rebalance"], log)
        stamp.write_text(wanted)

    def _proxy_file(self) -> Path:
        return self.state / "proxy-server.conf"

    def _proxy_config(self, directory: Directory) -> str:
        credentials = directory.credentials()
        return _PROXY.format(
            port=(self.state / "proxy.port").read_text(),
            user=_user(),
            state=self.state,
            auth_url=credentials["auth_url"],
            credentials="\n".join(f"{key} = {value}" for key, value in credentials.items()),
        )


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
