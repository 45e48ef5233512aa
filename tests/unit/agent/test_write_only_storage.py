# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Increments of a host whose storage takes new objects and gives none back."""

from __future__ import annotations

from typing import BinaryIO

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import files
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage import kept_objects
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.key_files import AgeKey, State, pass_file, quick_scrypt
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick


class WriteOnly(LocalStorage):
    """The fault: a folder that can be written to, whose objects cannot be read and whose folders cannot be listed."""

    def open(self, name: str, most_bytes: int | None = None) -> BinaryIO:
        raise StorageError(f"{name} cannot be read: permission denied.")

    def children(self, folder: str) -> list[str]:
        raise StorageError(f"{folder} cannot be listed: permission denied.")


@pytest.fixture
def state(tmp_path, monkeypatch) -> State:
    quick_scrypt(monkeypatch)
    return State(tmp_path / "state", monkeypatch)


@pytest.fixture(params=["plain", "for a key", "passphrase"])
def one(request, tmp_path, state) -> Set:
    found = Set(tmp_path, max_level=9)
    if request.param == "for a key":
        found.options["encryption_recipients"] = [AgeKey(tmp_path, "identity").public]
    elif request.param == "passphrase":
        found.options["encrypt_pass_file"] = pass_file(tmp_path)
    (found.source / "folder").mkdir()
    (found.source / "folder" / "file").write_text("content")
    (found.source / "large").write_bytes(b"x" * (3 << 20))
    found.options["block_level_size"] = 1 << 20
    return found


def refuse_reads(monkeypatch) -> None:
    monkeypatch.setattr(
        files, "storage_for", lambda kind, container, access=None: WriteOnly(container, makes_container=False)
    )


def change(one: Set, number: int) -> None:
    tick()
    (one.source / "folder" / f"more {number}").write_text(str(number))
    with (one.source / "large").open("r+b") as large:
        large.seek(number << 20)
        large.write(b"changed")
    if number == 2:
        (one.source / "folder" / "file").unlink()


def key_of(one: Set) -> dict[str, str]:
    return {"identity_file": str(one.folder / "identity")} if "encryption_recipients" in one.options else {}


def test_a_host_that_can_only_write_makes_increments_that_restore(one, monkeypatch):
    assert one.backup()["level"] == 0
    with monkeypatch.context() as refusing:
        refuse_reads(refusing)
        for number in (1, 2):
            change(one, number)
            made = one.backup()
            assert (made["level"], made["problems"], made["outcome"]) == (number, [], "success"), made["reason"]
        assert made["deleted_files"] == 1
        assert made["stored_bytes"] < 1 << 20
    assert one.verify(**key_of(one))["level"] == 2
    target = one.new_target()
    one.restore(target, **key_of(one))
    assert differences(one.source, target) == []


def test_a_host_that_has_lost_its_copies_says_what_the_storage_refuses(one, state, monkeypatch):
    one.backup()
    state.lose("kept")
    refuse_reads(monkeypatch)
    change(one, 1)
    with pytest.raises(StorageError, match="permission denied"):
        one.backup()


def test_what_is_kept_is_of_the_newest_chain_and_for_this_user_only(tmp_path, state):
    one = Set(tmp_path, max_level=2)
    for number in range(5):
        (one.source / f"file {number}").write_text("content")
        one.backup()
        tick()
    (kept,) = (state.folder / "kept").iterdir()
    folders = sorted((kept / "host_tree").iterdir(), key=lambda path: path.name)
    assert [path.name.partition("_")[2] for path in folders] == ["0", "1"]
    assert [bool(list(path.glob("snar*"))) for path in folders] == [False, True]
    assert not list(kept.rglob("data*"))
    assert (state.folder / "kept").stat().st_mode & 0o077 == 0


def test_a_full_disk_under_the_copies_stops_no_backup(tmp_path, state, monkeypatch):
    one = Set(tmp_path, max_level=2)
    monkeypatch.setattr(kept_objects, "_LEAST_FREE_BYTES", 1 << 62)
    assert one.backup()["outcome"] == "success"
    assert not list(state.folder.glob("kept/*/host_tree"))


def test_what_the_storage_says_is_gone_is_not_taken_from_a_copy(tmp_path, state):
    one = Set(tmp_path, max_level=9)
    first = one.folder_of(one.backup())
    (first / next(path.name for path in first.glob("snar*"))).unlink()
    tick()
    made = one.backup()
    assert made["level"] == 0
    assert "snar" in made["reason"]
