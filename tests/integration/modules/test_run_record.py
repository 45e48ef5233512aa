# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""run_record and run_record_info: second runs, check mode, other owners, and what cannot be a record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.modules import run_module

ONE = {"workflow": "backup", "snapshot_name": "one", "snapshot_type": "daily"}
TWO = {"workflow": "restore", "snapshot_name": "one"}


class Host:
    """A folder for records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, **options: Any) -> dict[str, Any]:
        """Run the module twice, after check mode has promised the same and written nothing; the second time changes nothing."""
        options = {"folder": str(self.folder), **options}
        before = self.files()
        promised = run_module("run_record", options, check_mode=True)
        assert self.files() == before
        result = run_module("run_record", options)
        assert not result["failed"], result
        assert (promised["changed"], promised["diff"]) == (result["changed"], result["diff"])
        assert not run_module("run_record", options)["changed"]
        return result

    def sentence(self, module: str = "run_record", **options: Any) -> str:
        """What the module says that has to fail without writing anything."""
        before = self.files()
        for check_mode in (True, False):
            result = run_module(module, {"folder": str(self.folder), **options}, check_mode)
            assert result["failed"]
            assert self.files() == before
        return str(result["msg"])

    def runs(self, **options: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = run_module("run_record_info", {"folder": str(self.folder), **options})["runs"]
        return found

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(self.folder.rglob("*"))}


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path / "records")


def test_each_run_has_a_record_of_its_own_until_it_is_taken_off(host):
    assert host.runs() == []
    assert host.run(run=ONE)["changed"]
    assert host.folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in host.folder.iterdir()] == [0o600]
    result = host.run(run=TWO)
    assert result["others"] == [ONE]
    assert result["diff"] == {"before": {"runs": [ONE]}, "after": {"runs": [ONE, TWO]}}
    assert "Not ended on this host, so either still under way or killed: one." in str(result["warnings"])
    assert host.runs() == [ONE, TWO]
    assert not host.run(run=dict(reversed(ONE.items())))["changed"]
    assert host.run(run={**ONE, "snapshot_type": "weekly"})["changed"]
    result = host.run(run=TWO, state="absent")
    assert (result["changed"], result["others"]) == (True, [{**ONE, "snapshot_type": "weekly"}])
    assert "warnings" not in result
    assert host.run(state="absent")["changed"]
    assert (host.runs(), host.files()) == ([], {})


def test_owners_share_a_folder_and_nothing_else(host):
    host.run(run=ONE)
    assert host.run(run=ONE, owner="run-2")["others"] == []
    host.run(state="absent")
    assert (host.runs(), host.runs(owner="run-2")) == ([], [ONE])


def test_nothing_is_made_to_take_off_what_is_not_there(host):
    assert not host.run(state="absent")["changed"]
    assert not host.run(run=ONE, state="absent")["changed"]
    assert not host.folder.exists()


@pytest.mark.parametrize(
    "bad", [{"snapshot_name": "one"}, {**ONE, "snapshot_name": "../one"}, {**ONE, "workflow": "a.b"}]
)
def test_a_run_without_usable_names_is_refused(host, bad):
    for state in ("present", "absent"):
        assert "A run has a workflow and a snapshot_name" in host.sentence(run=bad, state=state)
    assert "An owner of records cannot be called '../x'" in host.sentence(run=ONE, owner="../x")
    assert "state is present but all of the following are missing: run" in host.sentence()


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({**ONE, "snapshot_name": "two"})])
def test_what_is_not_a_record_is_named_and_kept(host, text):
    host.folder.mkdir()
    (host.folder / "run.backup.one.json").write_text(text)
    (host.folder / "somebody_elses").touch()
    for module, options in (("run_record", {"run": TWO}), ("run_record", {"state": "absent"}), ("run_record_info", {})):
        assert "run.backup.one.json is not the record of a run." in host.sentence(module, **options)


def test_a_folder_that_cannot_be_used_is_named(host):
    host.folder.write_text("a file")
    message = run_module("run_record", {"folder": str(host.folder), "run": ONE})["msg"]
    assert str(host.folder) in message
    assert "Traceback" not in message


def test_a_run_that_has_succeeded_is_on_record_as_done_until_it_is_taken_off(host):
    host.run(run=ONE)
    assert host.run(run=ONE, state="done")["changed"]
    assert host.runs() == []
    later = {**ONE, "snapshot_name": "later"}
    host.run(run=later, state="done")
    # What is under way is one thing, what there is another.
    host.run(run=TWO)
    host.run(state="absent")
    done = run_module("run_record_info", {"folder": str(host.folder)})["done"]
    assert [run["snapshot_name"] for run in done] == ["one", "later"]
    assert done[0]["ended_at"] <= done[1]["ended_at"]
    assert host.run(run=ONE, state="absent")["changed"]
    assert [run["snapshot_name"] for run in run_module("run_record_info", {"folder": str(host.folder)})["done"]] == [
        "later"
    ]


def test_a_name_that_is_on_record_as_done_is_taken_until_that_run_itself_is_taken_off(host):
    first, second = ({**ONE, "run_id": run_id} for run_id in ("first", "second"))
    host.run(run=first, state="done")
    assert "There is a backup one on record already. Choose another snapshot_name" in host.sentence(run=second)
    # To undo another run of this name takes nothing away, nor does to end all that are under way.
    (host.folder / "run.backup.one.json").write_text(json.dumps(second))
    assert host.runs() == []
    host.run(state="absent")
    assert not host.run(run={**ONE, "run_id": "third"}, state="absent")["changed"]
    host.run(run=second, state="absent")
    assert "run.backup.one.done" in host.files()
    assert host.run(run=ONE, state="absent")["changed"]
    assert host.files() == {}
