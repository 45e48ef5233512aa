# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Glance, Placement, Neutron, Cinder and Nova as Debian 12 packages them (Zed), few workers each.

Cinder's back end is its NFS driver over a folder that is bind-mounted where it expects the share, which takes root; its
backups go to the lab's Swift. Nova's hypervisor is the fake one with real files as disks (``parts/nova_virt``).
Neutron binds ports without agents.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from databases import Databases
from debian import PYTHON, Packages
from directory import Directory
from identity import Keystone
from object_store import Swift
from pieces import Asked, Daemon, LabError, run, say, usable_port

HERE = Path(__file__).parent
_START_SECONDS = 180
_SHARE = "127.0.0.1:/lab"
_MANAGE = {
    "glance": [("glance-manage", "glance.cmd.manage:main", ["db_sync"])],
    "placement": [("placement-manage", "placement.cmd.manage:main", ["db", "sync"])],
    "neutron": [("neutron-db-manage", "neutron.db.migration.cli:main", ["upgrade", "heads"])],
    "cinder": [("cinder-manage", "cinder.cmd.manage:main", ["db", "sync"])],
    "nova": [
        ("nova-manage", "nova.cmd.manage:main", ["api_db", "sync"]),
        ("nova-manage", "nova.cmd.manage:main", ["cell_v2", "map_cell0", "--database_connection", "{cell0}"]),
        ("nova-manage", "nova.cmd.manage:main", ["cell_v2", "create_cell", "--name", "cell1"]),
        ("nova-manage", "nova.cmd.manage:main", ["db", "sync"]),
    ],
}

_AUTHTOKEN = """\
[keystone_authtoken]
www_authenticate_uri = {auth_url}
service_token_roles_required = false
{credentials}
[oslo_concurrency]
lock_path = {state}/locks
[oslo_messaging_notifications]
driver = noop
[oslo_messaging_rabbit]
heartbeat_in_pthread = false
[database]
connection = {database}
"""

_CONFIGS = {
    "glance": """\
[DEFAULT]
use_stderr = true
bind_host = 127.0.0.1
bind_port = {port}
workers = 0
enabled_backends = file1:file
show_multiple_locations = true
transport_url = {queue}
node_staging_uri = file://{state}/staging
[glance_store]
default_backend = file1
[file1]
filesystem_store_datadir = {state}/images
[os_glance_staging_store]
filesystem_store_datadir = {state}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {state}/tasks
[paste_deploy]
flavor = keystone
config_file = {root}/usr/share/glance-common/glance-api-paste.ini
""",
    "placement": """\
[DEFAULT]
use_stderr = true
[api]
auth_strategy = keystone
[placement_database]
connection = {database}
""",
    "neutron": """\
[DEFAULT]
use_stderr = true
bind_host = 127.0.0.1
bind_port = {port}
state_path = {state}
setproctitle = off
core_plugin = ml2
service_plugins = router
auth_strategy = keystone
transport_url = {queue}
api_workers = 0
rpc_workers = 0
rpc_state_report_workers = 0
api_paste_config = {root}/usr/share/neutron-common/api-paste.ini
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[quotas]
quota_port = -1
[ml2]
type_drivers = local
tenant_network_types = local
mechanism_drivers = lab
""",
    "cinder": """\
[DEFAULT]
use_stderr = true
my_ip = 127.0.0.1
host = lab
state_path = {state}
transport_url = {queue}
auth_strategy = keystone
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
osapi_volume_workers = 1
api_paste_config = {root}/usr/share/cinder-common/api-paste.ini
resource_query_filters_file = {root}/etc/cinder/resource_filters.json
rootwrap_config = {root}/etc/cinder/rootwrap.conf
enabled_backends = nfs1
glance_api_servers = {glance}
backup_driver = cinder.backup.drivers.swift.SwiftBackupDriver
backup_swift_url = {swift}/v1/AUTH_
backup_swift_auth = per_user
backup_swift_object_size = 8388608
backup_swift_block_size = 32768
backup_swift_container = volumebackups
backup_compression_algorithm = zlib
backup_workers = 1
service_down_time = 60
[nfs1]
volume_backend_name = nfs1
volume_driver = cinder.volume.drivers.nfs.NfsDriver
nfs_shares_config = {state}/shares
nfs_mount_point_base = {state}/mnt
nfs_snapshot_support = true
nas_secure_file_operations = false
nas_secure_file_permissions = false
[coordination]
backend_url = file://{state}/coordination
[privsep]
helper_command = privsep-helper
[cinder_sys_admin]
helper_command = privsep-helper --config-file {config}
[privsep_osbrick]
helper_command = privsep-helper --config-file {config}
[service_user]
send_service_user_token = true
{credentials}
[nova]
{credentials}
""",
    "nova": """\
[DEFAULT]
use_stderr = true
my_ip = 127.0.0.1
host = lab
state_path = {state}
instances_path = {state}/instances
transport_url = {queue}
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = {port}
osapi_compute_workers = 1
enabled_apis = osapi_compute
compute_driver = lab.LabDriver
sync_power_state_interval = -1
heal_instance_info_cache_interval = -1
running_deleted_instance_poll_interval = 0
instance_usage_audit = false
allow_resize_to_same_host = true
rpc_response_timeout = 120
service_down_time = 120
[api]
auth_strategy = keystone
[quota]
instances = -1
cores = -1
ram = -1
[api_database]
connection = {api_database}
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 5
[filter_scheduler]
track_instance_changes = false
[wsgi]
api_paste_config = {root}/usr/share/nova-common/api-paste.ini
[libvirt]
nfs_mount_point_base = {folder}/cinder/mnt
[vnc]
enabled = false
[glance]
{credentials}
[placement]
{credentials}
[cinder]
{credentials}
[neutron]
{credentials}
[service_user]
send_service_user_token = true
{credentials}
""",
}


@dataclass(frozen=True)
class _Program:
    """One process of a service."""

    name: str
    entry: str
    #: Arguments after the configuration file.
    arguments: tuple[str, ...] = ()


@dataclass
class _Shared:
    """What all services share."""

    folder: Path
    keystone: Keystone
    swift: Swift
    packages: Packages
    databases: Databases

    def running(self) -> bool:
        """Whether any of the services runs, so that the databases are needed."""
        return any(_listens(self.folder / name / "port") for name in _CONFIGS)

    @property
    def directory(self) -> Directory:
        return Directory(self.keystone)


class DebianService:
    """One of the services. ``begin`` starts it, ``up`` also waits until it answers."""

    def __init__(
        self,
        shared: _Shared,
        name: str,
        programs: tuple[_Program, ...],
        endpoints: Mapping[str, str],
        needs: tuple[DebianService, ...] = (),
        databases: tuple[str, ...] = (),
        needs_swift: bool = False,
    ) -> None:
        self.name = name
        self.state = shared.folder / name
        self._shared = shared
        self._programs = programs
        self._endpoints = endpoints
        self._needs = needs
        self._databases = databases or (name,)
        self._needs_swift = needs_swift
        self._config = self.state / f"{name}.conf"
        # What tells a process is a word of its command line, and the words in there end with NUL bytes.
        self._daemons = {program.name: Daemon(self.state, program.name, f"\0{program.name}\0") for program in programs}

    def url(self) -> str:
        """Its address without any path."""
        return f"http://127.0.0.1:{(self.state / 'port').read_text()}"

    def up(self) -> None:
        """Start it, and what it needs before it, and wait for all of that. Raises LabError."""
        prepare(self._shared, [self])

    def down(self) -> None:
        """Stop it, what is mounted for it, and with the last service the databases."""
        self._stop()
        if self.name == "cinder":
            _unmount(_mount_point(self.state))
        if not self._shared.running():
            self._shared.databases.down()

    def _stop(self) -> None:
        for daemon in self._daemons.values():
            daemon.stop()

    def status(self) -> str | None:
        """Where it answers."""
        if any(daemon.process_id is None for daemon in self._daemons.values()) or not _listens(self.state / "port"):
            return None
        return f"up at {self.url()}"

    def environment(self) -> dict[str, str]:
        """Where its files are; nothing where it was never up."""
        if not (self.state / "synced").exists():
            return {}
        return {f"FREEZER_TEST_{self.name.upper()}_STATE": str(self.state)}

    def closure(self) -> list[DebianService]:
        """It and what it needs, in the order of their starts."""
        found: list[DebianService] = []
        for one in self._needs:
            found += [more for more in one.closure() if more not in found]
        return [*found, self]

    @property
    def needs_swift(self) -> bool:
        """Whether Swift has to be there first."""
        return self._needs_swift

    def choose_port(self) -> None:
        """Remember a port for it."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.status() is None:
            usable_port(self.state / "port")

    def configure(self) -> None:
        """Write its configuration; stop it if that has changed."""
        text = self._wanted()
        if self._config.is_file() and self._config.read_text() == text:
            return
        self._stop()
        self._config.touch(0o600)
        self._config.write_text(text)

    def register(self, directory: Directory) -> None:
        """Lead the catalogue to it: the services look for each other there when they start."""
        for service_type, path in self._endpoints.items():
            directory.ensure_endpoint(service_type, self.name, self.url() + path)

    def sync(self) -> None:
        """Make its database, once."""
        stamp = self.state / "synced"
        if stamp.exists():
            return
        say(f"{self.name}: making the database")
        for name in self._databases:
            self._shared.databases.ensure_database(name)
        for program, entry, words in _MANAGE[self.name]:
            words = [word.format(cell0=self._shared.databases.database_url("nova_cell0")) for word in words]
            run([*self._line(program, entry), *words], self.state / "manage.log", self._environment())
        if self.name == "cinder":
            # The quota class in the database goes before the configuration.
            self._shared.databases.execute("UPDATE cinder.quota_classes SET hard_limit=-1")
        stamp.touch()

    def start(self) -> None:
        """Start what of it does not run."""
        if self.name == "cinder":
            _mount(self.state)
        for program in self._programs:
            daemon = self._daemons[program.name]
            if daemon.process_id is None:
                daemon.start([*self._line(program.name, program.entry), *program.arguments], self._environment())

    def wait(self) -> None:
        """Wait until it answers. Raises LabError."""
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(self.state / "port"):
            if any(daemon.has_ended for daemon in self._daemons.values()) or time.monotonic() > deadline:
                raise LabError(f"{self.name} does not answer at {self.url()}; its logs are {self.state}/*.log")
            time.sleep(0.2)

    def _line(self, name: str, entry: str) -> list[str | Path]:
        line: list[str | Path] = [PYTHON, HERE / "parts/run.py", name]
        if entry.startswith("wsgi:"):
            return [*line, f"wsgi:{(self.state / 'port').read_text()}:{entry.removeprefix('wsgi:')}"]
        return [*line, entry, "--config-file", self._config]

    def _environment(self) -> dict[str, str]:
        packages = self._shared.packages
        own = packages.environment({"LAB_NOVA_VIRT": str(HERE / "parts/nova_virt")})
        own["LAB_PYTHONPATH"] += f"{os.pathsep}{HERE / 'parts/path'}"
        own["PATH"] = f"{self._shared.folder}/stubs:{own['PATH']}"
        if self.name == "placement":
            # It reads placement.conf in this folder.
            own["OS_PLACEMENT_CONFIG_DIR"] = str(self.state)
        return own

    def _wanted(self) -> str:
        databases = self._shared.databases
        credentials = self._shared.directory.credentials()
        values = {
            "state": str(self.state),
            "folder": str(self._shared.folder),
            "config": str(self._config),
            "root": str(self._shared.packages.root),
            "port": (self.state / "port").read_text(),
            "queue": databases.queue_url(),
            "database": databases.database_url(self._databases[0]),
            "api_database": databases.database_url("nova_api"),
            "auth_url": credentials["auth_url"],
            "credentials": "\n".join(f"{key} = {value}" for key, value in credentials.items()),
            "swift": self._shared.swift.url() if self._needs_swift else "",
            "glance": "",
        }
        for need in self._needs:
            values[need.name] = need.url()
        template = _CONFIGS[self.name] + _AUTHTOKEN
        return template.format(**values)


def services(folder: Path, keystone: Keystone, swift: Swift) -> list[DebianService]:
    """All of them, in the order in which they need each other."""
    packages = Packages(folder / "debian")
    password = hashlib.sha256(b"lab").hexdigest()[:12]  # a database that listens on loopback alone
    shared = _Shared(folder, keystone, swift, packages, Databases(folder / "databases", packages, password))
    glance = DebianService(shared, "glance", (_Program("glance-api", "glance.cmd.api:main"),), {"image": ""})
    placement = DebianService(
        shared, "placement", (_Program("placement", "wsgi:placement.wsgi:init_application"),), {"placement": ""}
    )
    neutron = DebianService(
        shared, "neutron", (_Program("neutron-server", "neutron.cmd.eventlet.server:main"),), {"network": ""}
    )
    cinder = DebianService(
        shared,
        "cinder",
        tuple(
            _Program(f"cinder-{part}", f"cinder.cmd.{part}:main") for part in ("api", "scheduler", "volume", "backup")
        ),
        {"volumev3": "/v3/$(project_id)s", "block-storage": "/v3/$(project_id)s"},
        needs=(glance,),
        needs_swift=True,
    )
    nova = DebianService(
        shared,
        "nova",
        (
            _Program("nova-conductor", "nova.cmd.conductor:main"),
            _Program("nova-scheduler", "nova.cmd.scheduler:main"),
            _Program("nova-api", "nova.cmd.api_os_compute:main"),
            _Program("nova-compute", "nova.cmd.compute:main"),
        ),
        {"compute": "/v2.1"},
        needs=(glance, placement, neutron, cinder),
        databases=("nova", "nova_api", "nova_cell0"),
    )
    return [glance, placement, neutron, cinder, nova]


def prepare(shared: _Shared, chosen: list[DebianService]) -> None:
    """Start services and what they need, side by side where they can be. Raises LabError."""
    wanted: list[DebianService] = []
    for one in chosen:
        wanted += [more for more in one.closure() if more not in wanted]
    if os.geteuid() and any(one.name == "cinder" for one in wanted):
        raise LabError("cinder and nova need root: cinder's volumes are in a folder that has to be mounted")
    shared.packages.ensure()
    shared.keystone.up()
    shared.directory.ensure_service_user()
    if any(one.needs_swift for one in wanted):
        shared.swift.up()
    _write_stubs(shared.folder / "stubs")
    shared.databases.up()
    for one in wanted:
        one.choose_port()
    for one in wanted:
        one.configure()
    # Nova's takes as long as all others together.
    _side_by_side(
        [one.sync for one in wanted if one.name == "nova"], [one.sync for one in wanted if one.name != "nova"]
    )
    directory = shared.directory
    for one in wanted:
        one.register(directory)
    for one in wanted:
        one.start()
    for one in wanted:
        one.wait()
    _wait_until_ready(shared, {one.name for one in wanted})


def _side_by_side(*rows: list[Callable[[], None]]) -> None:
    problems: list[Exception] = []

    def work(row: list[Callable[[], None]]) -> None:
        try:
            for step in row:
                step()
        except LabError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def _wait_until_ready(shared: _Shared, names: set[str]) -> None:
    """Nova and Cinder answer before their own parts have found each other."""
    keystone = shared.keystone.as_administrator()
    own = keystone.headers["X-Auth-Token"]
    waits: list[tuple[str, str, set[str]]] = []
    if "nova" in names:
        port = (shared.folder / "nova/port").read_text()
        binaries = {"nova-compute", "nova-conductor", "nova-scheduler"}
        waits.append((f"http://127.0.0.1:{port}/v2.1", "nova", binaries))
    if "cinder" in names:
        port = (shared.folder / "cinder/port").read_text()
        project = keystone.ask("GET", "/projects?name=admin")[0]["projects"][0]["id"]
        binaries = {"cinder-volume", "cinder-backup", "cinder-scheduler"}
        waits.append((f"http://127.0.0.1:{port}/v3/{project}", "cinder", binaries))
    deadline = time.monotonic() + _START_SECONDS
    for url, name, binaries in waits:
        asked = Asked(url)
        asked.headers["X-Auth-Token"] = own
        while True:
            with contextlib.suppress(LabError):
                found = asked.ask("GET", "/os-services")[0]["services"]
                is_up = binaries <= {one["binary"] for one in found if one["state"] == "up"}
                if is_up and (name != "nova" or asked.ask("GET", "/os-hypervisors")[0]["hypervisors"]):
                    break
            if time.monotonic() > deadline:
                raise LabError(f"the parts of {name} do not find each other; its logs are {shared.folder}/{name}/*.log")
            time.sleep(0.5)


def _write_stubs(folder: Path) -> None:
    # Only whether they exist is looked at, where there is no hardware and no NFS.
    folder.mkdir(exist_ok=True)
    for name in ("mount.nfs", "dmidecode"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)


def _mount_point(state: Path) -> Path:
    return state / "mnt" / hashlib.md5(_SHARE.encode()).hexdigest()


def _is_mounted(point: Path) -> bool:
    return any(line.split()[1] == str(point) for line in Path("/proc/mounts").read_text().splitlines())


def _mount(state: Path) -> None:
    for name in ("store", "conversion", "coordination"):
        (state / name).mkdir(exist_ok=True)
    shares = state / "shares"
    shares.write_text(f"{_SHARE}\n")
    shares.chmod(0o640)
    point = _mount_point(state)
    point.mkdir(parents=True, exist_ok=True)
    if not _is_mounted(point):
        run(["mount", "--bind", state / "store", point], state / "mount.log")


def _unmount(point: Path) -> None:
    if _is_mounted(point):
        subprocess.run(["umount", point], check=False, capture_output=True)


def _listens(port_file: Path) -> bool:
    with (
        contextlib.suppress(OSError, ValueError),
        socket.create_connection(("127.0.0.1", int(port_file.read_text())), 1),
    ):
        return True
    return False
