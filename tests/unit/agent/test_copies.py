# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Of several storages no older backup comes back in place of a newer one, and each of them has to have the newest."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.tests.support.sets import Set
from ansible_collections.freezer.backup.tests.support.trees import write


class Two(Set):
    """Backups in the storages ``c1`` and ``c2``."""

    def __init__(self, folder: Path) -> None:
        self.places = [folder / "c1", folder / "c2"]
        super().__init__(folder, storages=[{"storage": "local", "container": str(place)} for place in self.places])

    def manifests(self, number: int) -> list[Path]:
        """Those in one storage, the oldest first."""
        return sorted(self.places[number].glob("*_tree/*/manifest.json"))

    def restored(self, **options: Any) -> tuple[bytes, list[str]]:
        """What the file has in a restore, and the remarks."""
        target = self.new_target()
        result = self.restore(target, **options)
        return (target / "file").read_bytes(), result["remarks"]


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state"))
    made = Two(tmp_path)
    write(made.source / "file", b"old")
    made.backup()
    return made


def back_up_into_c2_only(two: Two) -> str:
    """The id of a newer backup, which c1 does not have: it was not there then."""
    away = two.places[0].with_name("c1.away")
    two.places[0].rename(away)
    write(two.source / "file", b"new")
    result = two.backup()
    away.rename(two.places[0])
    assert result["outcome"] == "partial"
    return str(result["backup_id"])


def damaged(path: Path) -> None:
    with path.open("ab") as manifest:
        manifest.write(b"x")


def its_manifest_is_damaged(two: Two) -> None:
    damaged(two.manifests(1)[-1])


def it_is_not_mounted(two: Two) -> None:
    two.places[1].rename(two.places[1].with_name("c2.away"))


@pytest.mark.parametrize("spoil", [its_manifest_is_damaged, it_is_not_mounted])
def test_no_older_backup_is_restored_while_a_storage_may_hold_a_newer_one(two, spoil):
    older = two.info(storages=two.options["storages"][:1])["backups"][0]["backup_id"]
    back_up_into_c2_only(two)
    spoil(two)
    target = two.new_target()
    with pytest.raises(ArchiveError, match=rf"/c2.*may be a newer backup than {older} .*with backup_id {older}"):
        two.restore(target)
    assert not target.exists()
    content, remarks = two.restored(backup_id=older)
    assert content == b"old"
    assert ["c2" in remark for remark in remarks] == ([True] if spoil is it_is_not_mounted else [])


def test_damage_of_an_older_copy_does_not_keep_the_newest_one_from_a_restore(two):
    damaged(two.manifests(0)[0])
    newest = back_up_into_c2_only(two)
    content, remarks = two.restored()
    assert (content, ["c1" in remark for remark in remarks]) == (b"new", [True])
    damaged(two.manifests(1)[0])
    assert two.restored(backup_id=newest)[0] == b"new"


def without_its_manifest(two: Two) -> None:
    two.manifests(1)[0].unlink()


def without_the_set(two: Two) -> None:
    shutil.rmtree(two.places[1] / "host_tree")


def gone(two: Two) -> None:
    shutil.rmtree(two.places[1])


@pytest.mark.parametrize("spoil", [without_its_manifest, without_the_set, gone, its_manifest_is_damaged])
def test_verify_fails_and_names_a_storage_without_the_newest_backup(two, spoil):
    assert two.verify()["outcome"] == "success"
    spoil(two)
    with pytest.raises(DamagedArchive, match=r"Not every storage has the backup .*/c2") as failed:
        two.verify()
    assert "These hosts have one" not in str(failed.value)  # it is this host that has none
    assert two.verify(storages=two.options["storages"][:1])["outcome"] == "success"


def test_verify_fails_where_one_storage_has_an_older_backup_only(two):
    newest = back_up_into_c2_only(two)
    with pytest.raises(DamagedArchive, match=rf"has the backup {newest} of .*/c1 the newest matching backup is"):
        two.verify()


def test_of_several_errors_the_one_of_a_storage_that_cannot_be_read_is_told(two):
    without_the_set(two)
    two.places[0].rename(two.places[0].with_name("c1.away"))
    with pytest.raises(FreezerError, match="/c1 was used from this host before"):
        two.restore()


@pytest.mark.parametrize("name", ["details.json", "catalogue", "frames", "data.000000"])
def test_a_copy_of_which_a_part_is_damaged_is_named_and_the_other_one_restored(two, name):
    for path in two.places[0].glob(f"*/*/{name}*"):
        path.write_bytes(b"damaged")
    content, remarks = two.restored()
    assert content == b"old"
    assert name in remarks[0]
    with pytest.raises(DamagedArchive, match=name):
        two.verify()
