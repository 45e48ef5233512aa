# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A storage that is not mounted is an empty folder: a container that was used before is known, and not made again."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import copied_files
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.container import (
    MARKER_NAME,
    KnownContainers,
    prepare,
    read_marker,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.sets import Set
from ansible_collections.freezer.backup.tests.support.trees import write


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """What the host remembers."""
    folder = tmp_path / "state"
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(folder))
    return folder


@pytest.fixture
def some(tmp_path):
    made = Set(tmp_path)
    write(made.source / "file", b"content")
    return made


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def emptied(some):
    """As a mount point is, without its storage."""
    shutil.rmtree(some.container)
    some.container.mkdir()


def gone(some):
    shutil.rmtree(some.container)


def another(some):
    other = Set(some.folder, container=str(some.folder / "other"))
    other.backup()
    shutil.rmtree(some.container)
    (some.folder / "other").rename(some.container)


def without_marker(some):
    (some.container / MARKER_NAME).unlink()


def with_a_link_as_marker(some):
    (some.container / MARKER_NAME).rename(some.folder / "marker")
    (some.container / MARKER_NAME).symlink_to(some.folder / "marker")


LOST = [emptied, gone, another, without_marker, with_a_link_as_marker]


def test_the_first_backup_makes_the_container_says_so_and_marks_it(some, state):
    first, second = some.backup(), some.backup()
    assert first["storages"][0]["made"] is True
    assert "made" not in second["storages"][0]
    assert first["problems"] == []
    marker = some.container / MARKER_NAME
    assert marker.stat().st_mode & 0o777 == 0o600
    known = json.loads((state / "known_containers.json").read_text())
    assert known == {f"local:{some.container}": json.loads(marker.read_text())["container_id"]}
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("verb", ["backup", "planned backup", "restore", "verify", "info", "prune", "planned prune"])
@pytest.mark.parametrize("lost", LOST)
def test_a_known_container_that_is_gone_or_another_one_is_refused_and_nothing_is_written(some, lost, verb):
    some.backup()
    lost(some)
    before = everything(some.folder)
    verbs = {
        "backup": some.backup,
        "planned backup": lambda: some.backup(dry_run=True),
        "restore": some.restore,
        "verify": some.verify,
        "info": some.info,
        "prune": lambda: some.prune(keep_last=1),
        "planned prune": lambda: some.prune(keep_last=1, dry_run=True),
    }
    with pytest.raises(StorageError, match=r"was used from this host before.*Is the storage mounted\?.*set init"):
        verbs[verb]()
    assert everything(some.folder) == before


@pytest.mark.parametrize("lost", [emptied, gone, another, without_marker])
def test_init_takes_the_container_as_it_is_and_it_is_known_from_then_on(some, lost):
    some.backup()
    lost(some)
    some.backup(init=True)
    some.backup()
    some.restore()
    assert read_marker(LocalStorage(str(some.container))) is not None


def test_with_init_a_container_can_be_read_that_is_another_one(some):
    some.backup()
    another(some)
    assert len(some.info(init=True)["backups"]) == 1
    some.restore(init=True)
    some.verify(init=True)


def test_folders_above_a_container_are_made_only_with_init(some, tmp_path):
    deep = str(tmp_path / "a" / "b" / "container")
    before = everything(tmp_path)
    for dry_run in (False, True):
        with pytest.raises(StorageError, match=r"There is no folder .*/a/b to make the container container in"):
            some.backup(container=deep, dry_run=dry_run)
    assert everything(tmp_path) == before
    assert some.backup(container=deep, init=True)["storages"][0]["made"] is True


def test_a_dry_run_marks_and_remembers_nothing(some, state):
    assert some.backup(dry_run=True)["outcome"] == "planned"
    assert not some.container.exists()
    assert not state.exists()
    some.container.mkdir()
    some.backup(dry_run=True)
    assert everything(some.container) == []


def test_a_container_of_an_earlier_release_gets_its_marker_with_the_next_backup(some, state):
    some.backup()
    without_marker(some)
    shutil.rmtree(state)
    some.restore()
    some.info()
    assert not (some.container / MARKER_NAME).exists()
    made = some.backup()
    assert "made" not in made["storages"][0]
    assert len(some.info()["backups"]) == 2
    without_marker(some)
    with pytest.raises(StorageError, match="lost its marker"):
        some.backup()


def test_one_of_two_storages_that_is_lost_makes_the_backup_partial_and_a_restore_by_id_takes_the_other(some, tmp_path):
    both = [{"storage": "local", "container": str(tmp_path / name)} for name in ("one", "two")]
    some.options.update(storages=both, storage=None, container=None)
    some.backup()
    shutil.rmtree(tmp_path / "one")
    made = some.backup()
    assert made["outcome"] == "partial"
    assert [one["outcome"] for one in made["storages"]] == ["failed", "success"]
    assert "Is the storage mounted?" in made["storages"][0]["message"]
    assert not (tmp_path / "one").exists()
    with pytest.raises(ArchiveError, match="Is the storage mounted.* may be a newer backup"):
        some.restore()
    assert some.restore(backup_id=made["backup_id"])["container"] == str(tmp_path / "two")
    assert some.prune(keep_last=1)["outcome"] == "partial"


def test_a_container_that_vanishes_during_a_backup_is_not_made_anew(some, monkeypatch):
    some.backup()
    real = copied_files.create_archive

    def unmounted(*arguments):
        shutil.rmtree(some.container)
        return real(*arguments)

    monkeypatch.setattr(copied_files, "create_archive", unmounted)
    with pytest.raises(StorageError, match="not there any more. Is the storage mounted"):
        some.backup()
    assert not some.container.exists()


def test_hosts_that_begin_at_once_agree_on_one_marker(some, tmp_path):
    found = []
    ready = threading.Barrier(8)

    def host(number):
        known = KnownContainers(str(tmp_path / f"host{number}"))
        storage = LocalStorage(str(some.container), makes_container=False)
        ready.wait()
        prepare(storage, False, known)
        found.append(known.get(storage.identity()))

    threads = [threading.Thread(target=host, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {read_marker(LocalStorage(str(some.container)))}


def test_runs_that_begin_at_once_remember_all_their_containers(tmp_path, state):
    names = [f"local:/{number}" for number in range(16)]
    threads = [threading.Thread(target=KnownContainers().remember, args=([name], 32 * "a")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [KnownContainers().get(name) for name in names] == [32 * "a"] * 16
    assert sorted(path.name for path in state.iterdir()) == ["known_containers.json", "known_containers.json.lock"]


def test_a_host_that_cannot_remember_backs_up_and_says_so(some, state):
    state.write_text("a file")
    made = some.backup()
    assert made["outcome"] == "success"
    assert "was not remembered" in made["problems"][0]


def test_a_container_that_is_a_link_in_a_storage_that_is_not_mounted_is_refused(some, tmp_path):
    mount = tmp_path / "mount"
    (mount / "data").mkdir(parents=True)
    (mount / "current").symlink_to("data")
    some.options["container"] = str(mount / "current")
    some.backup()
    assert [one["container"] for one in agent.info({"storage": "local"})["containers"]] == [str(mount / "data")]
    mount.rename(tmp_path / "elsewhere")
    mount.mkdir()
    with pytest.raises(StorageError, match=r"was used from this host before.*Is the storage mounted\?"):
        some.backup()
    assert everything(mount) == []
    some.backup(init=True)


def test_what_is_remembered_stays_small_enough_to_be_read_and_forgets_what_was_used_longest_ago(some, state):
    some.backup()
    known = KnownContainers()
    many = {f"local:/{number}/{'x' * 4000}": 32 * "0" for number in range(1034)}
    path = state / "known_containers.json"
    path.write_text(json.dumps({**many, **json.loads(path.read_text())}, indent=1))
    for number in range(3):
        known.remember([f"local:/new/{number}/{'x' * 4000}"], 32 * "1")
        assert path.stat().st_size <= 4 << 20
    found = known.identities()
    assert f"local:/0/{'x' * 4000}" not in found
    assert f"local:/new/0/{'x' * 4000}" in found
    some.backup()
    # It was used now, so that others are forgotten before it.
    assert list(json.loads(path.read_text()))[-1] == f"local:{some.container}"


def test_a_container_with_a_name_that_no_path_is_as_long_as_is_not_remembered(state):
    with pytest.raises(StorageError, match="no room for a container of such a long name"):
        KnownContainers().remember([f"local:/{'x' * 40000}"], 32 * "0")
    assert not state.exists()


@pytest.mark.parametrize("content", ["[]", "{", '{"local:/x": 5}' * 2])
def test_what_is_remembered_and_damaged_is_said_and_not_passed_over(some, state, content):
    some.backup()
    (state / "known_containers.json").write_text(content)
    with pytest.raises(StorageError, match="is not what was written"):
        some.backup()


def test_what_others_can_write_is_not_believed(some, state):
    some.backup()
    os.chmod(state / "known_containers.json", 0o666)
    with pytest.raises(StorageError, match="can be written by others"):
        some.backup()
