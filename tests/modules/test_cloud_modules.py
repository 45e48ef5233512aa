# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""server_snapshot and volume_snapshot as Ansible runs them, against tests/labs/openstack."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.cloud_proxy import CloudProxy, answers
from ansible_collections.freezer.backup.tests.support.cloud_world import World
from ansible_collections.freezer.backup.tests.support.modules import run_module


@pytest.fixture(scope="module")
def world(nova_lab):
    made = World(nova_lab, cloud_lab.new_project(nova_lab))
    made.server(made.image(b"x" * 1000), "web")
    made.volume("data")
    yield made
    made.clean()


@pytest.mark.parametrize(
    ("module", "key", "name"), [("server_snapshot", "servers", "web"), ("volume_snapshot", "volumes", "data")]
)
def test_present_and_absent_change_something_once_and_check_mode_nothing(nova_lab, world, module, key, name):
    with CloudProxy(nova_lab.auth_url) as proxy:
        options = {"auth": {**world.project.auth, "auth_url": proxy.auth_url}, key: [name], "snapshot_name": "one"}
        proxy.refuse_writes = True
        planned = run_module(module, options, check_mode=True)
        assert (planned["changed"], proxy.refused) == (True, [])
        proxy.refuse_writes = False
        made = run_module(module, options)
        assert (made["changed"], made["snapshots"][0]["outcome"]) == (True, "success"), made
        assert [one["snapshot"] for one in made["diff"]["after"]] == [
            one["snapshot"] for one in planned["diff"]["after"]
        ]
        assert run_module(module, options)["changed"] is False
        gone = {**options, "state": "absent"}
        proxy.refuse_writes = True
        assert run_module(module, gone, check_mode=True)["changed"] is True
        assert proxy.refused == []
        proxy.refuse_writes = False
        assert run_module(module, gone)["changed"] is True
        assert run_module(module, gone)["changed"] is False


def test_a_failure_says_what_became_of_each_and_shows_no_secret(nova_lab, world):
    with CloudProxy(nova_lab.auth_url) as proxy:
        proxy.on("POST .*/action", answers(403, {"forbidden": {"message": "policy"}}), times=9)
        options = {
            "auth": {**world.project.auth, "auth_url": proxy.auth_url},
            "servers": ["web"],
            "snapshot_name": "two",
        }
        result = run_module("server_snapshot", options)
    assert result["failed"] is True
    assert "policy" in result["msg"]
    assert result["snapshots"][0]["outcome"] == "failed"
    assert world.project.auth["password"] not in str(result)


def test_a_cloud_that_nobody_asks_is_a_sentence(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    result = run_module("server_snapshot", {"servers": ["x"], "snapshot_name": "y"})
    assert result["failed"] is True
    assert "Who asks the cloud" in result["msg"]
