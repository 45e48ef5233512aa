# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Old backups, halves of backups and scratch folders go; whatever happens meanwhile, what is left restores."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import files
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import SetBusy, StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.state_file import remembering_in
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import scratch
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.wording import moment
from ansible_collections.freezer.backup.tests.support import agent_process
from ansible_collections.freezer.backup.tests.support.faulty_storage import FaultyStorage, fails
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import SOAK
from ansible_collections.freezer.backup.tests.support.trees import remember

_BACKUPS = 6


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """A temporary folder of the test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Aged(Set):
    """Two generations of three levels each, and a copy of the source for every one of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, max_level=2)
        self.copies: dict[str, Path] = {}
        self.made = []
        for number in range(_BACKUPS):
            (self.source / f"file {number}").write_bytes(os.urandom(2000))
            if number:
                (self.source / f"file {number - 1}").unlink()
            tick()
            result = self.backup()
            self.copies[result["backup_id"]] = folder / f"copy {number}"
            remember(self.source, self.copies[result["backup_id"]])
            self.made.append(result)
        assert [result["level"] for result in self.made] == [0, 1, 2, 0, 1, 2]

    def assert_all_that_is_left_restores(self) -> list[int]:
        """Their numbers."""
        listed = self.info()
        assert listed["damaged"] == []
        ids = [result["backup_id"] for result in self.made]
        left = []
        for backup in listed["backups"]:
            target = self.new_target()
            self.restore(target, backup_id=backup["backup_id"])
            assert differences(self.copies[backup["backup_id"]], target) == []
            shutil.rmtree(target)
            left.append(ids.index(backup["backup_id"]))
        return sorted(left)


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """An aged set that nobody changes; tests have copies of its container."""
    return Aged(tmp_path_factory.mktemp("aged"))


@pytest.fixture
def aged(master, tmp_path):
    """The aged set with a container of the test's own."""
    own = object.__new__(Aged)
    own.__dict__.update(master.__dict__)
    own.folder, own.container = tmp_path, tmp_path / "container"
    own.options = {**master.options, "container": str(own.container)}
    shutil.copytree(master.container, own.container)
    return own


def test_what_no_rule_keeps_is_removed_and_the_rest_restores(aged):
    before = aged.info()["backups"]
    result = aged.prune(keep_last=1)
    assert (result["changed"], result["outcome"]) == (True, "success")
    assert [one["backup_id"] for one in result["removed"]] == [one["backup_id"] for one in before[3:]]
    assert [one["reasons"] for one in result["kept"]] == [
        ["keep_last"],
        [f"level 2 of {moment(before[0]['timestamp'])} continues it"],
        [f"level 1 of {moment(before[1]['timestamp'])} continues it"],
    ]
    assert result["freed_bytes"] == sum(one["stored_bytes"] for one in before[3:])
    assert aged.assert_all_that_is_left_restores() == [3, 4, 5]
    again = aged.prune(keep_last=1)
    assert (again["changed"], again["removed"], again["freed_bytes"], again["kept_count"]) == (False, [], 0, 3)


def test_a_plan_says_the_same_and_touches_nothing(aged):
    def everything():
        return sorted((str(path), path.lstat().st_mtime_ns) for path in aged.container.rglob("*"))

    before = everything()
    planned = agent.prune({**aged.options, "keep_last": 1}, dry_run=True)
    assert everything() == before
    assert planned["outcome"] == "planned"
    done = aged.prune(keep_last=1)
    for key in ("changed", "removed", "kept", "leftovers", "freed_bytes"):
        assert planned[key] == done[key]


def test_by_age_in_days_and_by_date(aged):
    newest = aged.made[-1]["timestamp"]
    assert aged.prune(remove_older_than=1)["changed"] is False
    assert aged.prune(remove_before_date=str(newest - 1))["removed_count"] == 3
    # However old it is, the newest stays with what it needs.
    assert aged.prune(remove_older_than=0)["removed_count"] == 0
    assert aged.assert_all_that_is_left_restores() == [3, 4, 5]


def test_the_next_backup_continues_what_is_left(aged, tmp_path):
    aged.prune(keep_last=1)
    source = tmp_path / "source"
    shutil.copytree(aged.source, source, symlinks=True)
    result = aged.backup(max_level=9)
    assert (result["level"], result["parent_backup_id"]) == (3, aged.made[-1]["backup_id"])


KILL = """
import os, shutil, signal
left = [{moment}]
def counted(plain):
    def call(*arguments, **options):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return plain(*arguments, **options)
    return call
os.unlink, os.rmdir = counted(os.unlink), counted(os.rmdir)
"""


@pytest.mark.rounds
def test_killed_at_any_moment_every_backup_that_is_left_restores_and_the_next_run_completes_it(aged, tmp_path, work):
    moment, ended = 0, False
    whole = tmp_path / "whole"
    shutil.copytree(aged.container, whole)
    seen = set()
    while not ended:
        shutil.rmtree(aged.container)
        shutil.copytree(whole, aged.container)
        process = agent_process.start(
            "prune", {**aged.options, "keep_last": 1}, before=KILL.format(moment=moment), env={"TMPDIR": str(work)}
        )
        _said, complained = process.communicate(timeout=60)
        ended = process.returncode == 0
        assert ended or process.returncode == -signal.SIGKILL, complained
        left = tuple(aged.assert_all_that_is_left_restores())
        seen.add(left)
        half = aged.info()["incomplete"]
        result = aged.prune(keep_last=1)
        assert [one["path"] for one in result["leftovers"]] == half
        assert [one["backup_id"] for one in result["removed"]] == [
            aged.made[number]["backup_id"] for number in (2, 1, 0) if number in left
        ]
        assert len(aged.backup_folders()) == 3
        moment += 1 if SOAK else 4
    # Increments went first, one after the other.
    assert seen == {(0, 1, 2, 3, 4, 5), (0, 1, 3, 4, 5), (0, 3, 4, 5), (3, 4, 5)}
    assert moment > 12


@pytest.mark.parametrize("operation", ["delete", "delete_folder"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_storage_that_fails_on_the_way_leaves_whole_backups_and_says_what_is_gone(
    aged, monkeypatch, operation, number
):
    faulty = FaultyStorage(LocalStorage(str(aged.container)), {(operation, number): fails("The disk is gone")})
    with monkeypatch.context() as patch:
        patch.setattr(files, "storage_for", lambda *_place: faulty)
        result, problem = attempt(aged.prune, keep_last=1)
        if (operation, number) == ("delete", 1):
            assert "The disk is gone" in str(problem)
            result = {"removed": []}
        else:
            assert (result["outcome"], result["changed"]) == ("partial", True)
            assert "The disk is gone" in result["storages"][0]["message"]
    gone = [
        aged.made.index(made)
        for made in aged.made
        if made["backup_id"] in [one["backup_id"] for one in result["removed"]]
    ]
    assert sorted(set(range(6)) - set(gone)) == aged.assert_all_that_is_left_restores()
    aged.prune(keep_last=1)
    assert aged.assert_all_that_is_left_restores() == [3, 4, 5]


def test_a_manifest_that_cannot_be_fetched_ends_it_before_anything_goes(aged, monkeypatch):
    faulty = FaultyStorage(LocalStorage(str(aged.container)), {("read", 2): fails("A cable was pulled")})
    with monkeypatch.context() as patch:
        patch.setattr(files, "storage_for", lambda *_place: faulty)
        with pytest.raises(StorageError, match="A cable was pulled"):
            aged.prune(keep_last=1)
    assert len(aged.info()["backups"]) == 6


def test_of_several_storages_the_others_are_pruned(aged, tmp_path):
    places = [
        {"storage": "local", "container": str(aged.container)},
        {"storage": "local", "container": str(tmp_path / "no")},
    ]
    result = agent.prune({"backup_name": "tree", "hostname": "host", "storages": places, "keep_last": 1})
    assert (result["outcome"], result["removed_count"]) == ("partial", 3)
    assert [one["outcome"] for one in result["storages"]] == ["success", "failed"]
    with pytest.raises(StorageError, match="There is no folder"):
        agent.prune({"backup_name": "tree", "hostname": "host", "storages": places[1:], "keep_last": 1})


def test_a_damaged_manifest_is_told_and_left_with_what_it_may_be_built_on(aged):
    manifest = aged.folder_of(aged.made[2]) / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    result = aged.prune(keep_last=1)
    assert result["removed"] == []
    assert len(result["damaged"]) == 1
    assert len(aged.backup_folders()) == 6


def test_the_folder_of_another_set_is_left_alone(aged):
    # a_b and c name the same folder as a and b_c.
    other = {**aged.options, "hostname": "host_tree", "backup_name": "more", "path_to_backup": str(aged.source)}
    agent.backup(other)
    with pytest.raises(ArchiveError, match="belongs to"):
        agent.prune({**aged.options, "backup_name": "tree_more", "keep_last": 1})
    assert agent.info(other)["backups"] != []


def test_incomplete_backups_are_removed_unless_they_are_too_young_or_being_written(aged):
    half = aged.set_folder / f"{int(time.time()) - 100}_1"
    half.mkdir()
    (half / "data.000000").write_bytes(b"x" * 1000)
    (half / ".data.000001.abcd.partial").write_bytes(b"x" * 500)
    assert aged.prune(min_age=1000)["leftovers"] == []
    holder = LocalStorage(str(aged.container))
    with holder.lock(aged.set_folder.name), pytest.raises(SetBusy):
        aged.prune()
    assert half.is_dir()
    result = aged.prune(min_age=50)
    assert [(one["path"], one["bytes"]) for one in result["leftovers"]] == [(f"host_tree/{half.name}", 1500)]
    assert (result["removed"], result["freed_bytes"]) == ([], 1500)
    assert not half.exists()
    assert aged.assert_all_that_is_left_restores() == [0, 1, 2, 3, 4, 5]


PAUSE = """
import os, signal
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import create
plain = create.store_tree
def paused(*arguments):
    os.kill(os.getpid(), signal.SIGSTOP)
    return plain(*arguments)
create.store_tree = paused
"""


def test_a_scratch_folder_goes_when_its_owner_is_gone_and_not_before(tmp_path, aged, work):
    (tmp_path / "other").mkdir()
    other = Set(tmp_path / "other")
    (other.source / "file").write_text("x")
    process = agent_process.start("backup", other.options, before=PAUSE, env={"TMPDIR": str(work)})
    end = time.monotonic() + 30
    while " T " not in Path(f"/proc/{process.pid}/stat").read_text() and time.monotonic() < end:
        time.sleep(0.01)
    assert len(list(work.iterdir())) == 1
    strangers = [work / "freezer-api-metrics-x", work / "freezer-scratch-not ours", work / f"{scratch.PREFIX}abcd1234"]
    for stranger in strangers[:2]:
        stranger.mkdir()
    strangers[2].symlink_to(aged.container)
    assert aged.prune()["leftovers"] == []
    process.send_signal(signal.SIGCONT)
    assert process.wait(30) == 0
    assert sorted(work.iterdir()) == sorted(strangers)

    process = agent_process.start("backup", other.options, before=PAUSE, env={"TMPDIR": str(work)})
    while " T " not in Path(f"/proc/{process.pid}/stat").read_text() and time.monotonic() < end:
        time.sleep(0.01)
    process.kill()
    process.wait(30)
    (left,) = set(work.iterdir()) - set(strangers)
    (left / "snar").write_bytes(b"x" * 5000)
    assert agent.prune(aged.options, dry_run=True)["leftovers"] == [{"path": str(left), "bytes": 8192}]
    assert left.is_dir()
    assert aged.prune(min_age=1000)["leftovers"] == []
    result = aged.prune()
    assert [one["path"] for one in result["leftovers"]] == [str(left)]
    assert sorted(work.iterdir()) == sorted(strangers)


def test_a_scratch_folder_that_is_made_during_a_cleanup_is_another_one(work, monkeypatch):
    plain, taken = os.open, []

    def open_late(path, *arguments, **options):
        descriptor = plain(path, *arguments, **options)
        if not taken:
            taken.append(path)
            shutil.rmtree(path)
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_late)
        with scratch.scratch_folder() as folder:
            assert folder != taken[0]
            assert [str(path) for path in work.iterdir()] == [folder]
    assert list(work.iterdir()) == []


def test_a_very_deep_leftover_is_measured_and_removed(aged, work):
    deep = work / f"{scratch.PREFIX}deep_one"
    folder = deep
    for _level in range(1100):
        folder /= "d"
    subprocess.run(["mkdir", "-p", folder], check=True)
    (deep / "d/d/file").write_bytes(b"x" * 4096)
    result = aged.prune()
    assert result["leftovers"] == [{"path": str(deep), "bytes": 4096}]
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("work_name", ["backup", "restore"])
def test_a_rule_about_what_goes_is_refused_where_nothing_is_removed(aged, work_name):
    action = {**aged.options, "restore_abs_path": str(aged.folder / "target"), "remove_older_than": 30}
    with pytest.raises(
        OptionError, match=f"remove_older_than belongs to an action admin of its own, and not to a {work_name}"
    ):
        getattr(agent, work_name)(action)


@pytest.mark.parametrize("action", [{"remove_older_then": 3}, {"remove_from_date": "1970-01-02"}, {"keep_daily": "2"}])
def test_the_names_that_documents_in_the_wild_have_are_known(aged, action):
    assert agent.prune({**aged.options, **action})["outcome"] == "success"


@pytest.mark.parametrize("action", [{"keep_last": -1}, {"keep_daily": "many"}, {"remove_older_than": "-1"}])
def test_rules_that_make_no_sense_are_refused(aged, action):
    with pytest.raises(OptionError, match="has to be"):
        aged.prune(**action)


def test_too_little_room_for_a_scratch_copy_is_told_before_anything_is_read(aged, monkeypatch):
    plain = os.statvfs

    def full(path):
        found = list(plain(path))
        found[3] = found[4] = 0  # f_bfree, f_bavail
        return os.statvfs_result(found)

    target = aged.folder / "target"
    aged.restore(target)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", full)
        for work_of in (
            lambda: aged.verify(compare_to=str(target)),
            lambda: agent.restore(aged.action_to_restore(target, overwrite=True), dry_run=True),
        ):
            with pytest.raises(HostError, match=r"has room for 0 bytes, and .* needs at least \d+\. .*TMPDIR.*Nothing"):
                work_of()
        assert aged.verify()["outcome"] == "success"
    assert aged.verify(compare_to=str(target))["outcome"] == "success"


def test_a_name_or_a_host_without_backups_is_an_error(aged):
    for other in ({"backup_name": "nosuch"}, {"hostname": "nosuch"}):
        with pytest.raises(FreezerError, match="There is no backup of .*nosuch.* so nothing was removed"):
            aged.prune(keep_last=1, **other)
    assert not [name for name in os.listdir(aged.container) if "nosuch" in name]


def test_the_own_newest_backup_stays_when_somebody_else_puts_a_newer_one_beside_it(tmp_path):
    """With its chain, although the other one is newer than anything that the rules keep."""
    host = Set(tmp_path, max_level=3)
    with remembering_in(str(tmp_path / "state")):
        own = []
        for number in range(2):
            (host.source / f"own {number}").write_text("content")
            own.append(host.backup())
            tick()
    with remembering_in(str(tmp_path / "elsewhere")):
        planted = host.backup(signing_key="none", max_level=0)
    with remembering_in(str(tmp_path / "state")):
        result = host.prune(keep_last=1)
        assert result["removed"] == []
        reasons = {one["backup_id"]: one["reasons"] for one in result["kept"]}
        assert set(reasons) == {planted["backup_id"], *(one["backup_id"] for one in own)}
        assert reasons[own[1]["backup_id"]] == ["the newest that this host has written"]
        assert host.verify(backup_id=own[1]["backup_id"])["outcome"] == "success"
        tick()
        newest = host.backup(max_level=0)
        assert [one["backup_id"] for one in host.prune(keep_last=1)["kept"]] == [newest["backup_id"]]
