# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""server_snapshot and volume_snapshot as Ansible runs them, against tests/labs/openstack."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.ansible_command import run_ansible
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


def test_a_cloud_without_a_login_is_a_sentence(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    result = run_module("server_snapshot", {"servers": ["x"], "snapshot_name": "y"})
    assert result["failed"] is True
    assert "Who asks the cloud" in result["msg"]


@pytest.fixture
def openrc(world, tmp_path):
    """The path of a file that says who asks."""
    path = tmp_path / "openrc"
    path.write_text("".join(f"export {name}={value}\n" for name, value in world.project.environment.items()))
    return str(path)


@pytest.mark.parametrize(
    ("module", "what"),
    [
        ("server_snapshot", "servers=web snapshot_name=named auth='{{ auth }}'"),
        ("volume_snapshot", "volumes=data snapshot_name=named auth='{{ auth }}'"),
        ("backup", "nova_inst_name=web storage=swift container=named osrc='{{ osrc }}'"),
    ],
)
def test_ansible_finds_them_by_their_full_names(world, openrc, module, what):
    variables = json.dumps({"auth": world.project.auth, "osrc": openrc})
    called = ("--check", "-m", f"freezer.backup.{module}", "-a", what, "-e", variables)
    done = run_ansible("ansible", "localhost", *called)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"outcome": "planned"' in done.stdout


@pytest.mark.usefixtures("own_tmp")
def test_a_server_is_kept_proved_restored_and_pruned_by_the_modules_of_files(world, openrc):
    action = {
        "mode": "nova",
        "nova_inst_name": "web",
        "osrc": openrc,
        "storage": "swift",
        "container": "kept",
        "backup_name": "web",
    }
    planned = run_module("backup", {**action, "action": "backup"}, check_mode=True)
    assert (planned["changed"], planned["outcome"]) == (True, "planned"), planned
    assert "kept" not in world.containers()
    done = run_module("backup", action)
    assert (done["changed"], done["outcome"], done["metadata"]["backup_media"]) == (True, "success", "nova"), done
    assert run_module("verify", action)["backup_id"] == done["backup_id"]
    new = run_module("restore", {**action, "restore_as": "web-again"})
    assert (new["changed"], new["restored_server"]) == (True, "web-again"), new
    assert new["diff"]["after"]["restored_server"] == "web-again"
    assert run_module("restore", {**action, "restore_as": "web-again"})["changed"] is False
    assert run_module("prune", {**action, "keep_last": 1})["changed"] is False
    chosen = run_module("backup", {"nova_inst_name": "web", "osrc": openrc}, check_mode=True)
    assert [sentence.split(":")[0] for sentence in chosen["chosen"]] == [
        "storage is not given",
        "container is not given",
    ]
    missing = run_module("restore", {"storage": "swift", "container": "kept"})
    assert "one of the following is required: backup_name, nova_inst_id" in missing["msg"]
