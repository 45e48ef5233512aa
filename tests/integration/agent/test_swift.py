# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole backups in the Swift of tests/labs/openstack, alone and beside a folder."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.swift import SwiftStorage
from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.cloud_proxy import CloudProxy, answers
from ansible_collections.freezer.backup.tests.support.modules import run_module
from ansible_collections.freezer.backup.tests.support.mounts import opened
from ansible_collections.freezer.backup.tests.support.sets import differences, to_restore


@pytest.fixture(scope="module")
def project(swift_lab):
    return cloud_lab.new_project(swift_lab)


@pytest.fixture
def as_member(project, monkeypatch):
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "big").write_bytes(os.urandom(20 << 20))
    (folder / "small").write_text("one")
    return folder


@pytest.fixture
def action(source):
    return {
        "path_to_backup": str(source),
        "hostname": "host",
        "backup_name": "tree",
        "storage": "swift",
        "container": f"c-{secrets.token_hex(6)}",
        "compression": "gzip",
        "compression_level": 1,
        "max_segment_size": "8M",
        "max_level": 3,
    }


@pytest.mark.usefixtures("as_member")
def test_levels_in_swift_restore_and_the_full_one_restores_with_plain_tools(action, source, tmp_path, project):
    first = agent.backup(action)
    copy = tmp_path / "first"
    subprocess.run(["cp", "-a", source, copy], check=True)
    (source / "small").write_text("two")
    second = agent.backup(action)
    assert [first["level"], second["level"]] == [0, 1]
    target = tmp_path / "newest"
    agent.restore(to_restore(action, target))
    assert differences(source, target) == []
    older = tmp_path / "older"
    agent.restore(to_restore(action, older, backup_id=first["backup_id"]))
    assert differences(copy, older) == []
    assert agent.verify({**action, "check": "restore"})["outcome"] == "success"
    folder = first["storages"][0]["folder"]
    swift = connect_cloud({"auth": project.auth}, {}).service("object-store")
    stream = swift.request("GET", f"/{action['container']}/{folder}/data", raw=True).document
    plain = tmp_path / "plain"
    plain.mkdir()
    subprocess.run(["tar", "-xz", "-p", "-C", plain], input=stream, check=True)
    assert (plain / "big").read_bytes() == (copy / "big").read_bytes()
    assert (plain / "small").read_text() == "one"


@pytest.mark.usefixtures("as_member")
def test_some_bytes_of_a_file_in_swift_are_read_without_the_rest_of_its_segment(action, source, monkeypatch):
    agent.backup(action)
    content = (source / "big").read_bytes()
    fetched = []
    read = SwiftStorage._read

    def count(*arguments):
        found = read(*arguments)
        fetched.append(0 if found is None else len(found[0].document))
        return found

    monkeypatch.setattr(SwiftStorage, "_read", count)
    with opened(action) as tree:
        assert tree.read(b"big", 15 << 20, 1000) == content[15 << 20 :][:1000]
    assert sum(fetched) < 6 << 20  # the headers of the file lie in another segment


@pytest.mark.usefixtures("as_member")
def test_a_backup_goes_to_a_folder_and_to_swift_at_once(action, source, tmp_path):
    places = [
        {"storage": "local", "container": str(tmp_path / "container")},
        {"storage": "swift", "container": action.pop("container")},
    ]
    action.pop("storage")
    result = agent.backup({**action, "storages": places})
    assert [one["outcome"] for one in result["storages"]] == ["success", "success"]
    for place in places:
        target = tmp_path / f"from {place['storage']}"
        agent.restore(to_restore(action, target, **place))
        assert differences(source, target) == []


def test_swift_fails_in_the_middle_and_the_folder_has_the_backup(
    swift_lab, project, action, source, tmp_path, monkeypatch
):
    with CloudProxy(swift_lab.auth_url) as proxy:
        for name, value in {**project.environment, "OS_AUTH_URL": proxy.auth_url}.items():
            monkeypatch.setenv(name, value)
        proxy.on(r"PUT .*/data\.", answers(500), times=1000, skip=1)
        places = [
            {"storage": "swift", "container": action.pop("container")},
            {"storage": "local", "container": str(tmp_path / "container")},
        ]
        action.pop("storage")
        result = agent.backup({**action, "storages": places})
        assert result["outcome"] == "partial"
        assert [one["outcome"] for one in result["storages"]] == ["failed", "success"]
        assert "status 500" in result["storages"][0]["message"]
        assert agent.info({**action, **places[0]})["backups"] == []
        target = tmp_path / "target"
        agent.restore(to_restore(action, target, storages=places))
        assert differences(source, target) == []


def test_swift_alone_that_fails_is_an_error_and_the_next_run_succeeds(swift_lab, project, action, monkeypatch):
    with CloudProxy(swift_lab.auth_url) as proxy:
        for name, value in {**project.environment, "OS_AUTH_URL": proxy.auth_url}.items():
            monkeypatch.setenv(name, value)
        rule = proxy.on("PUT .*manifest.json", answers(503, Retry_After="0"), times=4)
        with pytest.raises(StorageError, match="status 503"):
            agent.backup(action)
        assert rule.met == 4
        assert agent.info(action)["backups"] == []
        assert agent.backup(action)["level"] == 0
        assert len(agent.info(action)["backups"]) == 1


def test_freezer_agent_takes_its_cloud_from_the_environment(project, action, source, tmp_path):
    environment = {**cloud_lab.without_cloud(os.environ), **project.environment}
    target = tmp_path / "target"
    for words in (["backup", "-F", str(source)], ["restore", "--restore-abs-path", str(target)]):
        line = [Path(sys.executable).parent / "freezer-agent", "--action", *words, "-N", "tree", "--storage", "swift"]
        done = subprocess.run(
            [*line, "-C", action["container"]], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert differences(source, target) == []


@pytest.mark.usefixtures("as_member")
def test_the_module_backs_up_to_swift_and_check_mode_writes_nothing(swift_lab, project, action, monkeypatch):
    with CloudProxy(swift_lab.auth_url, refuse_writes=True) as proxy:
        monkeypatch.setenv("OS_AUTH_URL", proxy.auth_url)
        planned = run_module("backup", action, check_mode=True)
        assert planned["changed"] is True, planned
        assert proxy.refused == []
        monkeypatch.setenv("OS_AUTH_URL", project.environment["OS_AUTH_URL"])
    done = run_module("backup", action)
    assert done["outcome"] == "success", done
    assert run_module("backup", {**action, "min_age": 3600})["changed"] is False


@pytest.mark.usefixtures("as_member")
def test_the_storage_and_the_container_of_freezer_are_chosen_and_listed(source):
    """`freezerc --file-to-backup PATH --backup-name NAME` and `freezerc --action info` of Freezer's README."""
    made = agent.backup({"path_to_backup": str(source), "backup_name": "seed", "compression": "none"})
    assert [(one["storage"], one["container"]) for one in made["storages"]] == [("swift", "freezer_backups")]
    assert [sentence.split(":")[0] for sentence in made["chosen"]] == ["storage is not given", "container is not given"]
    found = agent.info({})
    assert "backups" not in found
    (one,) = (one for one in found["containers"] if one["container"] == "freezer_backups")
    assert (one["storage"], one["has_marker"]) == ("swift", True)
    assert {type(one["bytes"]), type(one["objects"])} == {int}  # Swift counts with a delay
    assert not any(one["container"].endswith("_segments") for one in found["containers"])
    assert [one["backup_name"] for one in agent.info({"container": "freezer_backups"})["backups"]] == ["seed"]
