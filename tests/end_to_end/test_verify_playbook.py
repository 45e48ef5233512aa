# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""playbooks/verify.yml: proofs on this machine, for backups that can be restored and for one that cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.ansible_command import handed_on_by, run_ansible

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.kinds import ensure_backup_record


class Kept:
    """Two backups of one folder, in one container."""

    def __init__(self, folder: Path) -> None:
        self.data, self.container = folder / "data", folder / "container"
        self.data.mkdir()
        (self.data / "file").write_text("as it was")
        for name in ("good", "broken"):
            agent.backup(self.action(name))

    def action(self, name: str, **keys: Any) -> dict[str, Any]:
        place = {"storage": "local", "container": str(self.container)}
        return {"action": "backup", "backup_name": name, "path_to_backup": str(self.data), **place, **keys}

    def damage(self, name: str) -> None:
        (segment,) = self.container.glob(f"*_{name}/*/data.000000*")
        segment.write_bytes(b"\0" + segment.read_bytes()[1:])


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path)


def verify(*arguments: str, **variables: Any) -> tuple[bool, str]:
    extra = json.dumps({"freezer_host": "localhost", **variables})
    ran = run_ansible("ansible-playbook", "freezer.backup.verify", "-e", extra, *arguments)
    return ran.returncode == 0, ran.stdout + ran.stderr


def test_a_backup_is_proven_and_compared_with_a_folder(kept):
    named = {"backup_name": "good", "container": str(kept.container)}
    proven, said = verify(**named)
    assert proven, said
    assert "good, level 0, " in said
    assert ": stream of " in said
    proven, said = verify(**named, compare_to=str(kept.data))
    assert proven, said
    assert ": restore of " in said
    (kept.data / "file").write_text("changed since")
    proven, said = verify(**named, compare_to=str(kept.data))
    assert not proven
    assert "differ in 1 paths" in said


def test_one_that_cannot_be_proven_keeps_no_other_from_being_looked_at(kept):
    kept.damage("broken")
    actions = [kept.action("broken"), kept.action("good", check="segments"), kept.action("never made")]
    proven, said = verify(freezer_backups=actions)
    assert not proven
    assert "good, level 0, " in said
    assert ": segments of " in said
    told = said.partition("Not proven on localhost: ")[2]
    assert "broken: " in told
    assert "never made: There is no backup" in told
    handed_on = handed_on_by(said)
    assert [(proof["host"], proof["backup_name"], proof["level"]) for proof in handed_on["freezer_verified"]] == [
        ("localhost", "good", 0)
    ]
    assert [missed["backup_name"] for missed in handed_on["freezer_not_verified"]] == ["broken", "never made"]
    assert "There is no backup" in handed_on["freezer_not_verified"][1]["sentence"]


def test_a_backup_has_to_be_named():
    proven, said = verify()
    assert not proven
    assert "Which backup is meant?" in said


def test_a_variable_with_its_prefix_goes_before_the_old_one(kept):
    """An inventory may mean something else with a word such as container."""
    proven, said = verify(
        freezer_backup_name="good", freezer_container=str(kept.container), container="a container of podman", check="",
        freezer_check="segments",
    )  # fmt: skip
    assert proven, said
    assert ": segments of " in said


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_answer_is_no_answer(kept, empty):
    names = ["storage", "hostname", "backup_id", "restore_from_date", "check", "compare_to"]
    prefixed = [f"freezer_{name}" for name in (*names, "backup_name", "container", "host")]
    optional = dict.fromkeys([*names, *prefixed], empty)
    proven, said = verify(**optional, backup_name="good", container=str(kept.container))
    assert proven, said
    assert ": stream of " in said
    proven, said = verify(**optional, backup_name=empty, container=empty, freezer_backups=[kept.action("good")])
    assert proven, said


def test_of_several_hosts_those_without_backups_are_left_out(kept, tmp_path):
    inventory = tmp_path / "inventory"
    hosts = {"db1": {"freezer_backups": [kept.action("good")]}, "web1": {}}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    proven, said = verify("-i", str(inventory), freezer_host="all")
    assert proven, said
    assert [proof["host"] for proof in handed_on_by(said)["freezer_verified"]] == ["db1"]
    proven, said = verify("-i", str(inventory), freezer_host="web1")
    assert not proven
    assert "Which backup is meant?" in said
    proven, said = verify("-i", str(inventory), freezer_host="db9")
    assert not proven
    assert "No host is meant: db9 fits none of the inventory." in said


def test_what_is_on_no_record_is_not_proven_where_records_are_asked_for(
    kept, freezer_api, project_id, tmp_path, monkeypatch
):
    """One who can write to the container puts a newer backup there."""
    registry = connect(freezer_api.url, project_id=project_id)
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state"))
    for name in ("recorded", "replaced"):
        made = agent.backup(kept.action(name))
        ensure_backup_record(registry, made["metadata"], made["backup_id"], "present", False)
    with monkeypatch.context() as patch:
        patch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state of another"))
        agent.backup(kept.action("replaced", max_level=0))
    actions = [kept.action(name, check="segments") for name in ("recorded", "replaced", "good")]
    proven, said = verify(
        freezer_backups=actions, freezer_with_records=True, freezer_url=freezer_api.url, freezer_project_id=project_id
    )
    assert not proven
    assert [one["backup_name"] for one in handed_on_by(said)["freezer_verified"]] == ["recorded"]
    missed = {one["backup_name"]: one["sentence"] for one in handed_on_by(said)["freezer_not_verified"]}
    assert "is on no record of the API" in missed["replaced"]
    assert "the API has no record of it" in missed["good"]
