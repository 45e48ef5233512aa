# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups of version 1 of the archive format are listed, proven, restored and pruned, and followed by full ones of this release."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import Parent, digest
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import parse_public
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import process
from ansible_collections.freezer.backup.tests.support.catalogues import catalogue
from ansible_collections.freezer.backup.tests.support.golden_version_1 import HOST, NAMES, expected, unpack
from ansible_collections.freezer.backup.tests.support.guards import folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.sets import differences, tick
from ansible_collections.freezer.backup.tests.support.trees import (
    access_acl,
    extended_attribute,
    make_everything,
    open_for_removal,
    remember,
    write,
)
from ansible_collections.freezer.backup.tests.support.upstream_backups import listed
from ansible_collections.freezer.backup.tests.support.version_1 import FirstSet, read_manifest

CHECKS = ("segments", "stream", "restore")


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """What says to an action where the golden backups are; no test changes them."""
    container = unpack(tmp_path_factory.mktemp("golden"))
    return {"storage": "local", "container": str(container), "hostname": HOST}


def without_owners(listing):
    return {path: [entry[0], *entry[3:]] for path, entry in listing.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_golden_level_restores_to_what_was_there(golden, tmp_path, name):
    for one in agent.info({**golden, "backup_name": name})["backups"]:
        target = tmp_path / str(one["level"])
        action = {**golden, "backup_name": name, "backup_id": one["backup_id"], "restore_abs_path": str(target)}
        assert agent.restore(action)["outcome"] == "success"
        assert without_owners(listed(target)) == without_owners(expected()[str(one["level"])])


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_every_golden_chain_is_proven(golden, name, check):
    result = agent.verify({**golden, "backup_name": name, "check": check})
    assert (result["outcome"], result["level"], len(result["chain"])) == ("success", 2, 3)


def test_the_golden_backups_are_listed_as_those_of_this_release_are(golden):
    found = agent.info({**golden, "hostname": None})
    assert (found["incomplete"], found["damaged"]) == ([], [])
    assert sorted((one["backup_name"], one["level"]) for one in found["backups"]) == sorted(
        (name, level) for name in NAMES for level in (0, 1, 2)
    )
    for one in found["backups"]:
        assert one["compression"] == one["backup_name"].split()[0]
        assert (one["hostname"], one["outcome"], one["storage"]) == (HOST, "success", "local")
        assert one["path_to_backup"].endswith("/source")
        assert one["source_bytes"] > (70000 if one["level"] == 0 else 0)
        assert one["stored_bytes"] > 0


def test_a_user_who_is_not_root_restores_the_golden_backups(golden):
    def work(folder):
        restored = agent.restore({**golden, "backup_name": "zstd", "restore_abs_path": str(folder / "restored")})
        return restored["outcome"], listed(folder / "restored")

    with folder_without_root() as folder:
        container = folder / "container"
        shutil.copytree(golden["container"], container)
        if os.geteuid() == 0:
            about = folder.stat()
            for path in [container, *container.rglob("*")]:
                os.chown(path, about.st_uid, about.st_gid)
        golden = {**golden, "container": str(container)}
        outcome, found = without_root(work, folder)
    assert outcome == "success"
    assert without_owners(found) == without_owners(expected()["2"])


@pytest.fixture
def chain(tmp_path):
    """Levels 0 to 2 of all kinds of files, and copies of what they are of."""
    some = FirstSet(tmp_path, max_level=2)
    make_everything(some.source)
    extended_attribute(some.source / "times")
    access_acl(some.source / "times", 1234)
    copies = []
    tick()
    for level in range(3):
        if level == 1:
            (some.source / "empty folder").rmdir()
            write(some.source / "empty folder", b"now a file")
            (some.source / "linked" / "second").unlink()
            for name in os.listxattr(some.source / "times"):
                os.removexattr(some.source / "times", name)
        elif level == 2:
            (some.source / "empty folder").unlink()
            write(some.source / "empty folder" / "inside", b"a folder again")
        copies.append((some.backup(max_segment_size=1000), tmp_path / f"copy {level}"))
        remember(some.source, copies[-1][1])
    assert [result["level"] for result, _copy in copies] == [0, 1, 2]
    yield some, copies
    for top in (some.source, *(copy for _result, copy in copies)):
        open_for_removal(top)


def test_every_level_comes_back_with_owners_and_attributes(chain):
    some, copies = chain
    for result, copy in copies:
        target = some.new_target()
        some.restore(target, backup_id=result["backup_id"])
        assert differences(copy, target) == []
        assert some.verify(backup_id=result["backup_id"], compare_to=str(copy))["differences"] == []
        some.restore(target, overwrite=True, backup_id=result["backup_id"])
        assert differences(copy, target) == []
        open_for_removal(target)


def test_the_next_backup_is_a_full_one_that_says_why_and_the_one_after_it_continues_that(chain):
    some, copies = chain
    result = some.backup_of_this_release(max_level=9)
    assert (result["level"], result["parent_backup_id"]) == (0, None)
    assert "the earlier backups have the format of an earlier release" in result["reason"]
    assert parse_public((some.folder_of(result) / "manifest.json").read_bytes(), "it").parent is None
    write(some.source / "new", b"new")
    assert some.backup_of_this_release(max_level=9)["level"] == 1
    assert [one["level"] for one in some.info()["backups"]] == [1, 0, 2, 1, 0]
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []
    old, copy = copies[2]
    dated = some.new_target()
    assert some.restore(dated, restore_from_date=old["timestamp"])["backup_id"] == old["backup_id"]
    assert differences(copy, dated) == []
    open_for_removal(target)
    open_for_removal(dated)


def test_a_full_backup_says_nothing_of_the_format_where_levels_are_not_asked_for(chain):
    some, _copies = chain
    assert "format" not in some.backup_of_this_release(max_level=None, no_incremental=True)["reason"]


def test_pruning_goes_by_age_whatever_the_version_and_keeps_chains_whole(chain):
    some, copies = chain
    ids = [result["backup_id"] for result, _copy in copies]
    result = some.prune(keep_last=1)
    assert (result["removed"], result["kept_count"]) == ([], 3)
    new = some.backup_of_this_release()
    kept = some.prune(keep_last=2, dry_run=True)
    assert [one["backup_id"] for one in kept["kept"]] == [new["backup_id"], *reversed(ids)]
    result = some.prune(keep_last=1)
    assert [one["backup_id"] for one in result["removed"]] == ids[::-1]
    assert result["freed_bytes"] > 0
    assert [one["backup_id"] for one in some.info()["backups"]] == [new["backup_id"]]
    assert len(some.backup_folders()) == 1


@pytest.mark.parametrize("lost", [0, 1])
def test_a_chain_that_lost_a_level_is_refused(chain, lost):
    some, copies = chain
    shutil.rmtree(some.folder_of(copies[lost][0]))
    target = some.new_target()
    with pytest.raises(DamagedArchive, match="no longer has"):
        some.restore(target)
    assert not target.exists()
    for check in CHECKS:
        with pytest.raises(DamagedArchive, match="no longer has"):
            some.verify(check=check)
    assert some.backup_of_this_release(max_level=9)["level"] == 0


def test_a_parent_with_another_manifest_is_noticed(chain):
    some, copies = chain
    folder = some.folder_of(copies[1][0])
    manifest = read_manifest(folder)
    manifest.time_ended += 1
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    with pytest.raises(DamagedArchive, match="is not the one that .* continues"):
        some.restore()
    assert some.restore(backup_id=copies[1][0]["backup_id"])["level"] == 1


@pytest.mark.parametrize("level", [0, 1, 3])
def test_a_chain_that_leaves_a_level_out_or_has_one_twice_is_refused(chain, level):
    some, copies = chain
    folder = some.folder_of(copies[2][0])
    manifest = read_manifest(folder)
    manifest.level = level
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    os.rename(folder, folder.with_name(manifest.folder))
    with pytest.raises(DamagedArchive, match="not of the level below|not a manifest of a backup|is of level 0"):
        some.restore()


def test_a_level_of_version_2_does_not_continue_one_of_version_1(chain):
    """No writer makes it: the parent's hash is right, and the two cannot be restored as one chain."""
    some, copies = chain
    new = some.backup_of_this_release()
    first = some.folder_of(copies[0][0])
    second = some.folder_of(new)
    manifest = parse_public((second / "manifest.json").read_bytes(), "it")
    stored = read_manifest(first)
    parent = Parent(stored.folder, stored.backup_id, digest((first / "manifest.json").read_bytes()))
    forged = replace(manifest, level=1, parent=parent)
    folder = second.with_name(forged.folder)
    second.rename(folder)
    (folder / "manifest.json").write_bytes(forged.to_bytes())
    target = some.new_target()
    with pytest.raises(DamagedArchive, match="another version of the archive format"):
        some.restore(target)
    assert not target.exists()
    for check in CHECKS:
        with pytest.raises(DamagedArchive, match="another version of the archive format"):
            some.verify(check=check)
    assert some.backup_of_this_release(max_level=9)["level"] == 0


def test_to_prove_a_stream_needs_tar(chain, monkeypatch, tmp_path):
    some, _copies = chain
    (tmp_path / "rm").symlink_to(shutil.which("rm"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(process, "_PATHS", "")
    assert some.verify(check="segments")["outcome"] == "success"
    for work in (some.restore, lambda: some.verify(check="stream")):
        with pytest.raises(FreezerError, match="There is no tar on this host; install GNU tar"):
            work()


def test_its_catalogue_lists_what_is_in_it(chain):
    some, copies = chain
    result, copy = copies[0]
    lines = list(catalogue(some.folder_of(result)))
    assert sum(read_manifest(some.folder_of(result)).counts.values()) == len(lines)
    found = {line.name.rstrip("/") for line in lines}
    assert found <= {os.path.join(".", os.path.relpath(path, copy)) for path in copy.rglob("*")} | {"."}
