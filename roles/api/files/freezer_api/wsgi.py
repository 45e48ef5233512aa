# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""``application`` for other WSGI servers: uwsgi, Apache's mod_wsgi, gunicorn.

The settings come from the file that ``FREEZER_API_CONFIG`` names, else from /etc/freezer/freezer-api.conf. Imports are
absolute, because mod_wsgi loads this file by its path.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.policy import PolicyError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.strategy import AuthError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.networks import Networks
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.settings import (
    ConfigError,
    Settings,
    read_settings,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import Application
from ansible_collections.freezer.backup.roles.api.files.freezer_api.server import logs
from ansible_collections.freezer.backup.roles.api.files.freezer_api.server.building import check, make_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.errors import StoreError

CONFIG_VARIABLE = "FREEZER_API_CONFIG"

_LOOPBACK = Networks(["127.0.0.0/8", "::1/128"])


class ProcessApplication:
    """The application, made anew in every process that serves it: connections to a store do not survive a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._made: tuple[int, Application] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self._application()(environ, start_response)

    def _application(self) -> Application:
        made = self._made
        if made is None or made[0] != os.getpid():
            with self._lock:
                made = self._made
                if made is None or made[0] != os.getpid():
                    made = self._made = (os.getpid(), make_app(self._settings))
        return made[1]


def checked_settings(config_file: str | None) -> Settings:
    """The settings of a file, checked as freezer-api does at its start. Raises what keeps it from starting."""
    # The server that loads this says where to listen, and noauth is for callers on this machine.
    settings = read_settings(["--force", *(("--config-file", config_file) if config_file else ())])
    if settings.auth_strategy == "noauth" and not settings.allowed_networks:
        settings = dataclasses.replace(settings, allowed_networks=_LOOPBACK)
    logs.set_up(settings.log_file, debug=settings.debug)
    check(settings)
    return settings


def _load() -> ProcessApplication:
    try:
        return ProcessApplication(checked_settings(os.environ.get(CONFIG_VARIABLE)))
    except OSError as error:
        reason = f"the log cannot be written to {error.filename}: {error.strerror}"
    except (ConfigError, AuthError, PolicyError, StoreError) as error:
        reason = str(error)
    print(f"freezer-api: {reason}", file=sys.stderr, flush=True)
    raise SystemExit(1)


application = _load()
