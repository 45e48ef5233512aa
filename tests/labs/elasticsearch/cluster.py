# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A cluster of the lab: its nodes, how they are configured, started and waited for."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certificates import PASSWORD, PASSWORD_HASH, USER, make_certificates
from distribution import LabError, java_home, say, unpacked
from node import Node, User, port_for

_START_SECONDS = 300
_PATIENCE_SECONDS = 5

__all__ = ["Cluster", "LabError", "Shape"]


@dataclass(frozen=True)
class Shape:
    """What a cluster is made of; ``variable`` is the environment variable that says where it is."""

    name: str
    distribution: str
    variable: str
    heap_mib: int
    nodes: int = 1
    is_secure: bool = False
    is_for_speed: bool = False


class Cluster:
    """A piece of the lab."""

    def __init__(self, shape: Shape, state: Path) -> None:
        self.shape = shape
        self._downloads = state / "downloads"
        self._user = User.of_servers()
        self._rooms = state if self._user.can_reach(state) else Path(f"/var/tmp/freezer-backup-labs-{os.getuid()}")
        self._folder = self._rooms / "clusters" / shape.name
        self.nodes = [Node(self._folder / f"n{number}", self._user) for number in range(1, shape.nodes + 1)]

    @property
    def is_elsewhere(self) -> bool:
        """Whether somebody has named a server that is to be used instead."""
        return self.shape.name == "single" and bool(os.environ.get(self.shape.variable))

    def node(self, name: str) -> Node:
        """One of its nodes, ``n1`` and so on. Raises LabError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise LabError(f"{self.shape.name} has no node {name}; it has {', '.join(node.name for node in self.nodes)}")

    def up(self) -> None:
        """Start every node that does not run, and return when the cluster answers. Raises LabError."""
        if self.is_elsewhere:
            if self.status() is None:
                raise LabError(f"{self.shape.variable} names {self.address()}, and nothing answers there")
            return
        missing = [node for node in self.nodes if node.process_id is None]
        if missing:
            if len(missing) == len(self.nodes):
                # Somebody else may listen there by now.
                for node in missing:
                    node.forget_ports()
            self._prepare()
            say(f"starting {self.shape.name} ({self.shape.distribution})")
            home, java = self._programs()
            for node in missing:
                node.unlock_disk()
                node.start(home, java, self._java_options())
        self._wait()
        if self.shape.is_secure:
            self._write_facts()

    def down(self) -> None:
        """Stop it and forget its data: the next one is empty."""
        for node in self.nodes:
            node.kill()
        if self._folder.is_dir():
            for node in self.nodes:
                node.unlock_disk()
            shutil.rmtree(self._folder)

    def status(self) -> str | None:
        """One line about it while it answers, else None."""
        if not self.is_elsewhere and not all(node.process_id for node in self.nodes):
            return None
        try:
            health = self._ask("GET", "/_cluster/health")
        except LabError:
            return None
        return f"{self.address()} {health['status']}, {health['number_of_nodes']} nodes"

    def address(self) -> str:
        """What its environment variable has: URLs with commas between, or the file with the facts of a secure one."""
        if self.is_elsewhere:
            return os.environ[self.shape.variable]
        return str(self._folder / "facts.json") if self.shape.is_secure else ",".join(self._urls())

    def _urls(self) -> list[str]:
        if self.is_elsewhere:
            return self.address().split(",")
        scheme = "https" if self.shape.is_secure else "http"
        return [f"{scheme}://127.0.0.1:{port_for(node.folder / 'http.port')}" for node in self.nodes]

    def _programs(self) -> tuple[Path, Path]:
        programs = self._rooms / "programs"
        programs.mkdir(parents=True, exist_ok=True)
        for folder in (self._rooms, programs, self._folder):
            folder.chmod(0o755)
        return unpacked(self.shape.distribution, self._downloads, programs), java_home(self._downloads, programs)

    def _java_options(self) -> str:
        heap = f"-Xms{self.shape.heap_mib}m -Xmx{self.shape.heap_mib}m"
        # The second compiler of Java pays after minutes of load; until then it takes processors from the tests.
        return heap if self.shape.is_for_speed else f"{heap} -XX:TieredStopAtLevel=1"

    def _prepare(self) -> None:
        if self._rooms.exists() and self._rooms.stat().st_uid != os.getuid():
            raise LabError(f"{self._rooms} belongs to somebody else; name another folder in FREEZER_LAB_CACHE")
        self._folder.mkdir(parents=True, exist_ok=True)
        home, _java = self._programs()
        ports = {node.name: port_for(node.folder / "transport.port") for node in self.nodes}
        for node in self.nodes:
            settings = self._settings(node, ports)
            node.configure(home, self.shape.distribution.partition("-")[0], settings)
            if self.shape.is_secure:
                make_certificates(node.folder / "config")
                node.write("config/users", f"{USER}:{PASSWORD_HASH}\n")
                node.write("config/users_roles", f"superuser:{USER}\n")

    def _settings(self, node: Node, ports: dict[str, int]) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "cluster.name": f"freezer-lab-{self.shape.name}",
            "node.name": node.name,
            "path.data": str(node.folder / "data"),
            "path.logs": str(node.folder / "logs"),
            "network.host": "127.0.0.1",
            "http.port": port_for(node.folder / "http.port"),
            "transport.port": ports[node.name],
            # A machine for tests may have little room left; a program has to bring its indices along.
            "cluster.routing.allocation.disk.threshold_enabled": False,
            "action.auto_create_index": False,
        }
        if self.shape.nodes == 1:
            settings["discovery.type"] = "single-node"
        else:
            settings["discovery.seed_hosts"] = [f"127.0.0.1:{port}" for port in ports.values()]
            settings["cluster.initial_master_nodes"] = list(ports)
            # A node looks that often whether it can write; every two minutes is what users have.
            settings["monitor.fs.health.refresh_interval"] = "5s"
        if self.shape.is_secure:
            settings.update(
                {
                    "xpack.security.enabled": True,
                    "xpack.security.http.ssl.enabled": True,
                    "xpack.security.http.ssl.certificate": "server.pem",
                    "xpack.security.http.ssl.key": "server.key",
                    "xpack.security.http.ssl.certificate_authorities": ["ca.pem"],
                }
            )
        elif self.shape.distribution.startswith("elasticsearch"):
            settings["xpack.security.enabled"] = False
        return settings

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        path = f"/_cluster/health?wait_for_status=yellow&wait_for_nodes={len(self.nodes)}&timeout=2s"
        while True:
            for node in self.nodes:
                if node.process_id is None and node.has_ended:
                    raise LabError(
                        f"{self.shape.name} {node.name} has ended; its log is {node.log}: {node.last_words()}"
                    )
            with contextlib.suppress(LabError):
                if not self._ask("GET", path)["timed_out"]:
                    return
            if time.monotonic() > deadline:
                raise LabError(f"{self.shape.name} has not become ready in {_START_SECONDS} s; {self.nodes[0].log}")
            time.sleep(0.3)

    def _write_facts(self) -> None:
        facts = {
            "url": self._urls()[0],
            "ca_file": str(self._folder / "ca.pem"),
            "user": USER,
            "password": PASSWORD,
        }
        # Also those of a cluster that runs already: it may have been killed and have got another port since.
        # Each is replaced whole, since somebody else's tests may be reading it.
        for name, text in (
            ("ca.pem", (self.nodes[0].folder / "config/ca.pem").read_text()),
            ("facts.json", json.dumps(facts)),
        ):
            partly = self._folder / f"{name}.partly"
            partly.write_text(text)
            partly.replace(self._folder / name)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that the first node which answers has for a request. Raises LabError."""
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.shape.is_secure:
            ca_file = self.nodes[0].folder / "config/ca.pem"
            if not ca_file.is_file():
                raise LabError("there are no certificates yet")
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca_file))))
        opener = urllib.request.build_opener(*handlers)
        problem: Exception | None = None
        for url in self._urls():
            request = urllib.request.Request(
                url + path, None if body is None else json.dumps(body).encode(), method=method
            )
            request.add_header("Content-Type", "application/json")
            if self.shape.is_secure:
                request.add_header("Authorization", basic(USER, PASSWORD))
            try:
                with opener.open(request, timeout=_PATIENCE_SECONDS) as response:
                    return json.loads(response.read())
            except urllib.error.HTTPError as error:
                problem = LabError(f"{error.code} {error.read()[:300]!r}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem = error
        raise LabError(f"{method} {path} was not answered: {problem}")


def basic(user: str, password: str) -> str:
    """The value of the header Authorization."""
    import base64

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
