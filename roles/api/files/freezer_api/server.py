# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The server process: gunicorn with threads, on a socket that was bound before it starts."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import gunicorn.app.base

from .app import create_app
from .auth.base import Strategy
from .auth.http_basic import HttpBasic
from .auth.noauth import NoAuth
from .config import ConfigError, Settings
from .policy import Policy
from .resources.batch import BODY_TIMES_USUAL
from .store.sqlite import SqliteStore
from .worker import worker_class


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say. Raises ConfigError if it cannot."""
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
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def open_store(settings: Settings) -> SqliteStore:
    """The store of the settings. Raises StoreError."""
    return SqliteStore(settings.store_path, max_document_bytes=settings.max_body_bytes)


def make_strategy(settings: Settings) -> Strategy:
    """The authentication of the settings. Raises AuthError."""
    if settings.auth_strategy == "keystone":
        # Imported here: nobody else needs its libraries.
        from .auth.keystone import KeystoneTokens

        return KeystoneTokens(settings.options)
    if settings.auth_strategy == "http_basic" and settings.htpasswd is not None:
        return HttpBasic(settings.htpasswd)
    return NoAuth()


def make_policy(settings: Settings) -> Policy:
    """Who may do what. Its files are looked for where those of the configuration are, if there are any."""
    return Policy(settings.options if settings.config_files else None)


class Server(gunicorn.app.base.BaseApplication):
    """Serves until it is told to stop: SIGTERM lets the requests that run come to their end."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._url = url_of(listener)
        super().__init__()

    def load_config(self) -> None:
        """Hand the settings to gunicorn."""
        # gunicorn closes the descriptor that it is given, once it has its own.
        options = {
            "bind": f"fd://{self._listener.detach()}",
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "worker_class": worker_class(self._settings.max_body_bytes * BODY_TIMES_USUAL),
            "graceful_timeout": self._settings.graceful_timeout_seconds,
            "limit_request_line": self._settings.max_request_line_bytes,
            "limit_request_fields": self._settings.max_header_fields,
            "proc_name": "freezer-api",
            "loglevel": "warning",
            "post_worker_init": self._say_ready,
            # Later versions open one in the working folder unless they are told not to.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, made in the process that serves it."""
        settings = self._settings
        return create_app(open_store(settings), make_strategy(settings), settings.max_body_bytes, make_policy(settings))

    def _say_ready(self, worker: Any) -> None:
        # The first worker speaks for all; one that replaces it later does not.
        if worker.age == 1:
            with contextlib.suppress(OSError):
                print(
                    f"freezer-api is ready at {self._url} "
                    f"({self._settings.auth_strategy}, {self._settings.store_path})",
                    flush=True,
                )
