# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A freezer-api as its users have it: a process of its own on a free port, asked over HTTP."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.http.unix_socket import (
    UnixConnection,
    is_unix,
    path_of,
)

_MODULE = "ansible_collections.freezer.backup.roles.api.files.freezer_api.main"
_READY = re.compile(r"freezer-api is ready at (http://(\S+):(\d+)|unix:///\S+) ")
_START_SECONDS = 60
_STOP_SECONDS = 60


@dataclass(frozen=True)
class Reply:
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The JSON of the body."""
        return json.loads(self.text)


@dataclass
class ApiProcess:
    """A running freezer-api. ``headers`` go with every request."""

    process: subprocess.Popen[str]
    url: str
    host: str
    port: int
    database: Path
    log: Path
    headers: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request on a connection of its own; a body that is not bytes is sent as JSON."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = (
            UnixConnection(path_of(self.url), timeout=60)
            if is_unix(self.url)
            else http.client.HTTPConnection(self.host, self.port, timeout=60)
        )
        try:
            connection.request(method, path, raw, {**self.headers, **(headers or {})})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, response.read().decode())
        finally:
            connection.close()

    def get(self, path: str, body: Any = None, **headers: str) -> Reply:
        """GET a path; ``body`` is a search."""
        return self.request("GET", path, body, headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        """POST a body to a path."""
        return self.request("POST", path, body, headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Reply:
        """PATCH what is at a path."""
        return self.request("PATCH", path, body, headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Reply:
        """PUT a body to a path."""
        return self.request("PUT", path, body, headers)

    def delete(self, path: str, **headers: str) -> Reply:
        """DELETE what is at a path."""
        return self.request("DELETE", path, None, headers)

    def worker_ids(self) -> list[int]:
        """The processes that serve for this one."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # After the command in parentheses come the state and the parent.
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid:
                    found.append(int(stat.parent.name))
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the process to end; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)


def basic_authorization(user: str, password: str) -> dict[str, str]:
    """The header that HTTP basic authentication sends."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def command(*arguments: str) -> list[str]:
    """The command line of freezer-api, with the Python that runs the tests."""
    return [sys.executable, "-m", _MODULE, *arguments]


def start(
    folder: Path, *arguments: str, auth_strategy: str = "noauth", bind: str = "127.0.0.1:0", **options: Any
) -> ApiProcess:
    """Start a freezer-api with its database in a folder and return when it is ready.

    ``options`` go to the process, for example ``preexec_fn``.
    """
    database = folder / "store" / "api.db"
    log = folder / "freezer-api.log"
    line = command("--store", f"sqlite:///{database}", "--auth-strategy", auth_strategy, "--bind", bind, *arguments)
    with log.open("a") as stderr:
        process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=folder, env=dict(os.environ), **options
        )
    match = _READY.match(_first_line(process, log))
    assert match is not None, log.read_text()
    return ApiProcess(process, match[1], match[2] or "localhost", int(match[3] or 0), database, log)


def _first_line(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        readable, *_others = select.select([process.stdout], [], [], 1.0)
        if readable:
            return process.stdout.readline()
        if process.poll() is not None:
            break
    process.kill()
    process.wait()
    raise AssertionError(f"freezer-api did not become ready: {log.read_text()}")
