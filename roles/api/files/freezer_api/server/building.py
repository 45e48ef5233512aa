# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""From settings to an application: its store, its strategy, its policy and its observers."""

from __future__ import annotations

import logging

from ..access.browsers import BrowserChecks, own_names
from ..access.http_basic import HttpBasic
from ..access.noauth import NoAuth
from ..access.policy import Policy
from ..access.strategy import Strategy
from ..access.unix_socket import LocalUsers, group_id
from ..config.networks import NOWHERE
from ..config.settings import Settings
from ..http.app import Application, create_app
from ..http.conversation import Observer, Surroundings
from ..store.base import Store
from ..store.opening import open_store
from .logs import AccessLog

LOG = logging.getLogger("freezer_api")


def make_strategy(settings: Settings) -> Strategy:
    """The authentication of the settings. Raises AuthError."""
    if settings.auth_strategy == "keystone":
        # Imported here: no other strategy needs its libraries.
        from ..access.keystone import KeystoneTokens

        return KeystoneTokens(settings.options)
    if settings.auth_strategy == "http_basic" and settings.htpasswd is not None:
        return HttpBasic(settings.htpasswd)
    return NoAuth()


def make_policy(settings: Settings) -> Policy:
    """Who may do what. Its files are looked for where those of the configuration are, if there are any."""
    return Policy(settings.options if settings.config_files else None)


def check(settings: Settings) -> None:
    """Check what requests will need, and log warnings. Raises AuthError, PolicyError, StoreError."""
    for warning in (*settings.warnings, *make_strategy(settings).warnings()):
        LOG.warning("%s", warning)
    make_policy(settings).check()
    open_store(settings).close()


def make_app(settings: Settings) -> Application:
    """The application, to be made in the process that serves it. Raises AuthError, StoreError."""
    store: Store = open_store(settings)
    observers: list[Observer] = [AccessLog()] if settings.access_log else []
    metrics = None
    if settings.metrics_networks is not None:
        # Imported here: the library looks at its environment then, which the server has prepared.
        from ..http.metrics import Metrics
        from ..store.measured import MeasuredStore

        metrics = Metrics()
        store = MeasuredStore(store, metrics.store_called)
        observers.append(metrics)
    surroundings = Surroundings(
        settings.allowed_networks,
        settings.trusted_proxies,
        settings.metrics_networks or NOWHERE,
        observers,
        _browser_checks(settings),
        _local_users(settings),
    )
    app = create_app(
        store,
        make_strategy(settings),
        settings.max_body_bytes,
        make_policy(settings),
        surroundings,
        settings.disable_by_file,
        # Two threads are left for other requests.
        long_answers=max(1, settings.threads - 2),
    )
    if metrics is not None:
        from ..http.metrics import MetricsPage

        app.add_route("/metrics", MetricsPage(metrics, store))
    return app


def _browser_checks(settings: Settings) -> BrowserChecks | None:
    if settings.auth_strategy == "keystone":
        return None
    # A browser sends the password of http_basic to the host name that it is for, and to no other.
    if settings.auth_strategy == "http_basic":
        return BrowserChecks()
    return BrowserChecks(own_names(settings.host, settings.allowed_hosts))


def _local_users(settings: Settings) -> LocalUsers | None:
    if settings.auth_strategy != "noauth" or settings.socket_path is None:
        return None
    return LocalUsers(group_id(settings.socket_group) if settings.socket_group else None)
