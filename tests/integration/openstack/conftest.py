# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack import waiting
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import connect_cloud
from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.cloud_proxy import CloudProxy
from ansible_collections.freezer.backup.tests.support.cloud_world import World


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """What a small cloud does has ended a moment later: it is asked again soon."""
    monkeypatch.setattr(waiting, "LONGEST_PAUSE_SECONDS", 0.5)


@pytest.fixture(scope="module")
def world(nova_lab) -> Iterator[World]:
    """A project of its own for the tests of a module, with nothing in it yet."""
    made = World(nova_lab, cloud_lab.new_project(nova_lab))
    yield made
    made.clean()


@pytest.fixture
def proxy(nova_lab) -> Iterator[CloudProxy]:
    """A proxy in front of the whole cloud."""
    with CloudProxy(nova_lab.auth_url) as running:
        yield running


@pytest.fixture
def behind(proxy, world):
    """The project of the module, asked through the proxy, with little patience."""
    options = {"auth": {**world.project.auth, "auth_url": proxy.auth_url}, "timeout_seconds": 10}
    return connect_cloud(options, {})


@pytest.fixture
def as_member(world, monkeypatch):
    """The environment says that the project of the module asks."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    for name, value in world.project.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def through_proxy(as_member, proxy, monkeypatch):
    """The same through the proxy."""
    monkeypatch.setenv("OS_AUTH_URL", proxy.auth_url)
    return proxy
