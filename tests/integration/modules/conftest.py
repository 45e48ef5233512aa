# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules against a real API, each test in a project of its own."""

from __future__ import annotations

import os
import tempfile
import uuid
from typing import Any

import pytest
from support.modules import run_module
from support.refusing_proxy import RefusingProxy

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry, connect


class Api:
    """A project of the API, as a user of the modules sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.project_id = "test_" + uuid.uuid4().hex

    @property
    def options(self) -> dict[str, Any]:
        return {"url": self.url, "project_id": self.project_id}

    @property
    def registry(self) -> Registry:
        return connect(**self.options)

    def attempt(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module, whatever comes of it."""
        return run_module(module, {**self.options, **options})

    def run(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module that has to succeed."""
        result = self.attempt(module, **options)
        assert not result["failed"], result["msg"]
        return result

    def sentence(self, module: str, **options: Any) -> str:
        """Run a module that has to fail, and return what it says: one line, no traceback, the same in check mode."""
        message = self.attempt(module, **options)["msg"]
        assert "\n" not in message
        assert "Traceback" not in message
        with RefusingProxy(self.url) as proxy:
            checked = run_module(module, {**self.options, "url": proxy.url, **options}, check_mode=True)
            assert proxy.refused == []
        assert checked["msg"].replace(proxy.url, self.url) == message
        return message

    def check(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module in check mode where nobody may write, and see that it does not even try."""
        with RefusingProxy(self.url) as proxy:
            result = run_module(module, {**self.options, **options, "url": proxy.url}, check_mode=True)
            assert not result["failed"], result["msg"]
            assert proxy.refused == []
        return result

    def run_as_checked(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module, after a look that check mode promises the same change with the same diff."""
        promised = self.check(module, **options)
        result = self.run(module, **options)
        assert (promised["changed"], promised["diff"]) == (result["changed"], result["diff"])
        return result


@pytest.fixture
def api(freezer_api):
    return Api(freezer_api.url)


@pytest.fixture(autouse=True)
def _no_cloud_in_the_environment(monkeypatch):
    """Whoever runs the tests may have a cloud's settings in the shell; they are no part of the tests."""
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def own_tmp(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder in which nobody else leaves anything: ``prune`` clears the host's away."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
