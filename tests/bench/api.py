# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Measures freezer-api: processor time of its one worker, and wall clock, per request on a connection that stays open."""

from __future__ import annotations

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JOBS = 10_000
CLIENTS = 1_000
IDLE_CONNECTIONS = 500
_MODULE = "ansible_collections.freezer.backup.roles.api.files.freezer_api.main"
_BASE = "/v2/bench/jobs"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figure:
    """One kind of request: milliseconds, and what it should take at most in processor time."""

    title: str
    count: int
    cpu_milliseconds: float
    wall_milliseconds: float
    goal_milliseconds: float | None


class Server:
    """A freezer-api with one worker, its documents in a folder or in a store of their own."""

    def __init__(self, folder: Path, store: str | None = None) -> None:
        line = ["--store", store or f"sqlite:///{folder}/api.db", "--auth-strategy", "noauth", "--bind", "127.0.0.1:0"]
        log = (folder / "api.log").open("w")
        self._process = subprocess.Popen([sys.executable, "-m", _MODULE, *line], stdout=subprocess.PIPE, stderr=log)
        if self._process.stdout is None:
            raise RuntimeError("freezer-api has no output")
        self.port = int(self._process.stdout.readline().split()[4].rpartition(b":")[2])
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._worker = Path("/proc", children[0])
        self._connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        """A connection that has served one request, and is open."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/healthcheck")
        connection.getresponse().read()
        return connection

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """One request, which has to succeed."""
        raw = None if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, raw, named)
        response = self._connection.getresponse()
        text = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path} was answered {response.status}: {text[:200]!r}")
        return response, text

    @property
    def cpu_seconds(self) -> float:
        """What the worker has used, in its own code and in the kernel's."""
        fields = (self._worker / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def peak_bytes(self) -> int:
        """The largest resident size that the worker has had."""
        fields = dict(line.partition(":")[::2] for line in (self._worker / "status").read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024

    def stop(self) -> None:
        """Stop it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def _job(number: int) -> dict[str, Any]:
    action = {"action": "backup", "mode": "fs", "storage": "local", "container": "/srv/backups"}
    return {
        "client_id": f"node{number % CLIENTS}",
        "description": f"job {number} of those that are measured",
        "job_schedule": {"schedule_interval": "5 minutes"},
        "job_actions": [
            {
                "freezer_action": {**action, "path_to_backup": "/etc", "backup_name": f"etc{number}"},
                "max_retries": 3,
                "max_retries_interval": 60,
            }
        ],
    }


@dataclass(frozen=True)
class Extent:
    """How much is measured: all of it at scale 1, and at a smaller one fewer jobs, connections and repetitions."""

    scale: float = 1.0

    def of(self, count: int) -> int:
        """That part of a count, one at least."""
        return max(1, round(count * min(1.0, self.scale)))

    @property
    def jobs(self) -> int:
        """How many jobs there are, in ten pages."""
        return 10 * self.page

    @property
    def page(self) -> int:
        """How many jobs a list or a batch has."""
        return self.of(JOBS // 10)


def _figure(server: Server, title: str, count: int, goal: float | None, request: Callable[[int], object]) -> Figure:
    """Repeat a request; the clock of a process ticks a hundred times a second, so one alone cannot be measured."""
    for number in range(3):
        request(number)
    walls = []
    cpu = server.cpu_seconds
    for number in range(count):
        started = time.perf_counter()
        request(number)
        walls.append(time.perf_counter() - started)
    used = server.cpu_seconds - cpu
    return Figure(title, count, 1000 * used / count, 1000 * statistics.median(walls), goal)


def measure(folder: Path, scale: float = 1.0) -> dict[str, Any]:
    """Everything, in a folder that is empty."""
    extent = Extent(scale)
    folder.mkdir(parents=True)
    server = Server(folder)
    try:
        for start in range(0, extent.jobs, extent.page):
            items = [
                {"op": "replace", "job_id": f"j{number}", "document": _job(number)}
                for number in range(start, start + extent.page)
            ]
            server.ask("POST", f"{_BASE}:batch", {"items": items})
        figures = _figures(server, extent)
        return {
            "jobs": extent.jobs,
            "figures": [vars(figure) for figure in figures],
            "memory_bytes": server.peak_bytes,
        }
    finally:
        server.stop()


def _figures(server: Server, extent: Extent) -> list[Figure]:
    page, times = f"{_BASE}?limit={extent.page}", extent.of
    listed = f"list of {extent.page:,}"

    def read_all(_number: int) -> None:
        for offset in range(0, extent.jobs, extent.page):
            server.ask("GET", f"{page}&offset={offset}")

    def search(number: int) -> None:
        poll = {"match": [{"client_id": f"node{number % CLIENTS}"}], "match_not": [{"status": "completed"}]}
        server.ask("GET", _BASE, poll)

    def set_status(number: int) -> None:
        server.ask(
            "PATCH",
            f"{_BASE}/j{number % extent.jobs}",
            {"job_schedule": {"status": f"{('running', 'scheduled')[number % 2]}"}},
        )

    def get(number: int) -> None:
        server.ask("GET", f"{_BASE}/j{number * 7 % extent.jobs}")

    def add_batch(number: int) -> None:
        items = [{"op": "replace", "job_id": f"b{number}-{one}", "document": _job(one)} for one in range(extent.page)]
        server.ask("POST", f"{_BASE}:batch", {"items": items})

    seen = server.ask("GET", page)[0].headers["etag"]
    found = [
        _figure(server, "get", times(2000), 1, get),
        _figure(server, "search by client_id", times(1000), 10, search),
        _figure(server, listed, times(50), 40, lambda _number: server.ask("GET", page)),
        _figure(server, "list of all", times(10), 500, read_all),
        _figure(
            server,
            f"{listed}, unchanged (304)",
            times(2000),
            1,
            lambda _number: server.ask("GET", page, If_None_Match=seen),
        ),
    ]
    idle = [server.connect() for _number in range(times(IDLE_CONNECTIONS))]
    found.append(_figure(server, f"get, beside {len(idle)} idle connections", times(2000), 1, get))
    for connection in idle:
        connection.close()
    return [
        *found,
        _figure(server, "PATCH", times(1000), 2, set_status),
        _figure(server, "create", times(1000), 2, lambda number: server.ask("POST", _BASE, _job(number))),
        _figure(server, f"batch of {extent.page:,} new", times(5), None, add_batch),
    ]


def table(measured: dict[str, Any]) -> str:
    """What was measured, for a terminal."""
    lines = [
        f"freezer-api, {measured['jobs']} jobs, one worker, SQLite; milliseconds per request",
        f"{'':<36}{'CPU':>9}{'goal':>8}{'wall':>9}{'times':>7}",
    ]
    for one in measured["figures"]:
        goal = "-" if one["goal_milliseconds"] is None else f"< {one['goal_milliseconds']:g}"
        lines.append(
            f"{one['title']:<36}{one['cpu_milliseconds']:>9.2f}{goal:>8}{one['wall_milliseconds']:>9.2f}{one['count']:>7}"
        )
    lines.append(f"{'memory, MiB at most':<36}{measured['memory_bytes'] / 2**20:>9.0f}{'< 120':>8}")
    return "\n".join(lines)
