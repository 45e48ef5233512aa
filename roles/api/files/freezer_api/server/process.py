# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The server process: gunicorn with threads, on a socket that was bound before it starts."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from typing import Any

import gunicorn.app.base

from ..access import unix_socket
from ..config.settings import ConfigError, Settings
from . import unix_listener
from .building import make_app
from .worker import worker_class

#: The folder in which prometheus_client adds up the metrics of several processes.
_METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say. Raises ConfigError if it cannot."""
    if settings.socket_path is not None:
        try:
            return unix_listener.listen(settings.socket_path, settings.socket_group)
        except unix_socket.SocketError as error:
            raise ConfigError(f"{settings.host} cannot be listened on: {error}") from error
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        raise ConfigError(
            f"{settings.host} port {settings.port} cannot be listened on: {error.strerror or error}; "
            "name another with --bind"
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL that leads to a listening socket."""
    if listener.family == socket.AF_UNIX:
        return f"unix://{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(gunicorn.app.base.BaseApplication):
    """Serves until it is told to stop; after SIGTERM it finishes the requests that run."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._url = url_of(listener)
        # gunicorn closes the descriptor that it is given, once it has its own. After SIGHUP it asks again where to listen,
        # and goes on as long as that is the same.
        self._bind = f"fd://{listener.detach()}"
        super().__init__()

    def load_config(self) -> None:
        """Hand the settings to gunicorn."""
        options = {
            "bind": self._bind,
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "worker_class": worker_class(
                self._settings.max_body_bytes,
                self._settings.max_request_head_bytes,
                self._settings.request_timeout_seconds,
            ),
            "graceful_timeout": self._settings.graceful_timeout_seconds,
            "proc_name": "freezer-api",
            "loglevel": "warning",
            "errorlog": str(self._settings.log_file or "-"),
            "post_worker_init": self._say_ready,
            "child_exit": self._forget,
            # Later versions open one in the working folder unless they are told not to.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, made in the process that serves it."""
        return make_app(self._settings)

    def run(self) -> None:
        """Serve."""
        if self._settings.metrics_networks is None or self._settings.workers == 1:
            super().run()
            return
        with tempfile.TemporaryDirectory(prefix="freezer-api-metrics-") as folder:
            os.environ[_METRICS_VARIABLE] = folder
            super().run()

    def _forget(self, _arbiter: Any, worker: Any) -> None:
        if os.environ.get(_METRICS_VARIABLE):
            from ..http.metrics import forget_process

            forget_process(worker.pid)

    def _say_ready(self, worker: Any) -> None:
        # Printed once: by the first worker, and not by one that replaces it later.
        if worker.age == 1:
            with contextlib.suppress(OSError):
                print(
                    f"freezer-api is ready at {self._url} ({self._settings.auth_strategy}, {self._settings.store})",
                    flush=True,
                )
