# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups that the agent of OpenStack's Freezer left: listed, proven and restored, and never changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
    UnbelievedBackup,
)
from ansible_collections.freezer.backup.tests.support.guards import folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.key_files import SigningKey, quick_scrypt, signers_file
from ansible_collections.freezer.backup.tests.support.sets import Set, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import RandomTree, write
from ansible_collections.freezer.backup.tests.support.upstream_archives import Left, archive, folder, link, member
from ansible_collections.freezer.backup.tests.support.upstream_backups import HOST, expected, listed, pass_file, unpack

WAYS = ("gzip", "bzip2", "xz", "sealed")


@pytest.fixture(scope="module")
def container(tmp_path_factory) -> Path:
    """All golden backups; no test changes them."""
    return unpack(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def found(container, tmp_path):
    """What an action says to find the backups of one name."""

    def action(name: str, **options: object) -> dict[str, object]:
        sealed = {"encrypt_pass_file": pass_file(tmp_path)} if "sealed" in name else {}
        where = {"storage": "local", "container": str(container), "hostname": HOST, "backup_name": name}
        return {**where, **sealed, **options}

    return action


def comparable(listing):
    """What a restore brings back: of owners and devices, what this user can."""
    if os.geteuid() == 0:
        return listing
    return {
        path: [entry[0].replace("rws", "rwx"), *entry[3:]]
        for path, entry in listing.items()
        if not entry[0].startswith("c")
    }


def backup_of(found, name, level):
    backups = agent.info(found(name))["backups"]
    return next(one for one in backups if one["level"] == level)


def test_they_are_listed_with_their_format_and_without_what_upstream_does_not_record(container):
    listing = agent.info({"storage": "local", "container": str(container)})
    assert (listing["incomplete"], listing["damaged"]) == ([], [])
    names = [(one["backup_name"], one["level"]) for one in listing["backups"]]
    assert sorted(names) == sorted(
        [(way, level) for way in WAYS for level in (0, 1, 2)]
        + [
            ("old_sealed", 0),
            *(("always level", level) for level in (0, 1, 1)),
            *(("single", level) for level in (0, 1, 2)),
        ]
    )
    times = [one["timestamp"] for one in listing["backups"]]
    assert times == sorted(times, reverse=True)
    newest = next(one for one in listing["backups"] if one["backup_name"] == "bzip2")
    level_1 = next(one for one in listing["backups"] if (one["backup_name"], one["level"]) == ("bzip2", 1))
    assert newest["format"] == "freezer"
    assert (newest["compression"], newest["path_to_backup"], newest["source_bytes"]) == ("bzip2", None, None)
    assert newest["parent_backup_id"] == level_1["backup_id"]
    stored = container / newest["folder"] / "data"
    assert newest["stored_bytes"] == stored.stat().st_size
    assert (
        agent.info({"storage": "local", "container": str(container), "backup_name": "xz"})["backups"][0]["hostname"]
        == HOST
    )
    assert agent.info({"storage": "local", "container": str(container), "hostname": "web2"})["backups"] == []


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_every_level_restores_to_what_was_there(found, tmp_path, way, level):
    one = backup_of(found, way, level)
    target = tmp_path / "restored"
    result = agent.restore(found(way, backup_id=one["backup_id"][:12], restore_abs_path=str(target)))
    assert (result["format"], result["level"], len(result["chain"])) == ("freezer", level, level + 1)
    assert result["unreadable"] == []
    assert "no hashes and no signature" in result["remarks"][0]
    assert comparable(listed(target)) == comparable(expected()[str(level)])
    outcome = "success" if os.geteuid() == 0 else "partial"
    assert (result["outcome"], result["changed"]) == (outcome, True)
    dated = tmp_path / "dated"
    agent.restore(found(way, restore_from_date=str(one["timestamp"]), restore_abs_path=str(dated)))
    assert listed(dated) == listed(target)


def test_a_user_who_is_not_root_gets_everything_but_owners_and_devices():
    with folder_without_root() as home:

        def work():
            where = {"storage": "local", "container": str(unpack(home)), "hostname": HOST, "backup_name": "gzip"}
            result = agent.restore({**where, "restore_abs_path": str(home / "restored")})
            return result, listed(home / "restored")

        result, listing = without_root(work)
    assert result["outcome"] == "partial"
    assert sorted(one["path"] for one in result["not_restored"]) == ["./null", "./program"]

    def plain(some):
        modes = {path: [entry[0].replace("rws", "rwx"), *entry[3:]] for path, entry in some.items()}
        return {path: entry for path, entry in modes.items() if path != "null"}

    assert plain(listing) == plain(expected()["2"])


@pytest.mark.parametrize("check", ["segments", "stream", "restore"])
@pytest.mark.parametrize("way", WAYS)
def test_each_check_reads_the_whole_chain_and_says_what_it_cannot_prove(found, way, check):
    result = agent.verify(found(way, check=check))
    assert (result["outcome"], result["format"], result["level"]) == ("success", "freezer", 2)
    assert "no hashes and no signature" in result["remarks"][0]
    assert result["stored_bytes"] > 2000


def test_a_passphrase_that_an_older_openssl_took_with_md5_opens_as_well(found, tmp_path):
    agent.restore(found("old_sealed", restore_abs_path=str(tmp_path / "restored")))
    assert comparable(listed(tmp_path / "restored")) == comparable(expected()["2"])


def test_without_the_passphrase_or_with_another_one_nothing_is_restored(found, tmp_path):
    target = tmp_path / "restored"
    for verb, options in ((agent.restore, {"restore_abs_path": str(target)}), (agent.verify, {})):
        with pytest.raises(ArchiveError, match="is encrypted. Set encrypt_pass_file"):
            verb(found("sealed", encrypt_pass_file=None, **options))
        (tmp_path / "other").mkdir(exist_ok=True)
        other = pass_file(tmp_path / "other", "another one")
        with pytest.raises(DamagedArchive, match="the passphrase in encrypt_pass_file is another one") as refused:
            verb(found("sealed", encrypt_pass_file=other, **options))
        assert "another one\n" not in str(refused.value)
        with pytest.raises(FreezerError, match="encrypt_pass_file"):
            verb(found("sealed", encrypt_pass_file=str(tmp_path / "missing"), **options))
    assert not target.exists()


def test_a_single_file_comes_into_the_folder_alone_and_an_unchanged_level_changes_nothing(found, tmp_path):
    for level, content in enumerate((b"one\n", b"one\n", b"two\n")):
        target = tmp_path / str(level)
        target.mkdir(mode=0o711)
        one = backup_of(found, "single", level)
        agent.restore(found("single", backup_id=one["backup_id"], restore_abs_path=str(target)))
        assert (target / "single").read_bytes() == content
        assert (os.listdir(target), target.stat().st_mode & 0o777) == (["single"], 0o711)


def test_of_several_backups_of_one_level_each_restores_as_it_was(found, tmp_path):
    """Upstream's own restore takes any of them."""
    newest, earlier, full = agent.info(found("always level"))["backups"]
    assert (newest["level"], earlier["level"], full["level"]) == (1, 1, 0)
    assert newest["parent_backup_id"] == earlier["parent_backup_id"] == full["backup_id"]
    contents = []
    for number, one in enumerate((full, earlier, newest)):
        target = tmp_path / str(number)
        agent.restore(found("always level", backup_id=one["backup_id"], restore_abs_path=str(target)))
        contents.append((target / "new").read_text() if (target / "new").exists() else None)
    assert contents[0] is None
    assert contents[1] != contents[2]
    assert float(contents[1]) < float(contents[2])


def test_a_restore_over_files_replaces_what_differs_and_leaves_the_others(found, tmp_path):
    target = tmp_path / "target"
    write(target / "changes", b"mine")
    write(target / "mine", b"mine")
    with pytest.raises(ArchiveError, match="is not empty"):
        agent.restore(found("xz", restore_abs_path=str(target)))
    planned = agent.restore(found("xz", restore_abs_path=str(target), overwrite=True, dry_run=True))
    assert (planned["outcome"], (target / "changes").read_bytes()) == ("planned", b"mine")
    done = agent.restore(found("xz", restore_abs_path=str(target), overwrite=True))
    assert (done["replaced_paths"], done["created"]) == (planned["replaced_paths"], planned["created"])
    assert ((target / "changes").read_bytes(), (target / "mine").read_bytes()) == (b"third\n", b"mine")
    again = agent.restore(found("xz", restore_abs_path=str(target), overwrite=True))
    assert again["changed"] is False


def test_verify_compares_with_a_folder(found, tmp_path):
    agent.restore(found("gzip", restore_abs_path=str(tmp_path / "restored")))
    assert agent.verify(found("gzip", compare_to=str(tmp_path / "restored")))["outcome"] == "success"
    (tmp_path / "restored" / "changes").write_text("other")
    assert agent.verify(found("gzip", compare_to=str(tmp_path / "restored")))["outcome"] == "different"


def test_new_backups_go_beside_them_and_neither_backup_nor_prune_touches_them(container, tmp_path):
    both = tmp_path / "both"
    shutil.copytree(container, both)
    before = listed(both)
    some = Set(tmp_path, container=str(both), hostname=HOST, backup_name="gzip", max_level=3)
    write(some.source / "file", b"new")
    assert (some.backup()["level"], some.backup()["level"]) == (0, 1)
    formats = [(one.get("format"), one["level"]) for one in some.info()["backups"]]
    assert formats == [(None, 1), (None, 0), ("freezer", 2), ("freezer", 1), ("freezer", 0)]
    newest, oldest = some.restore(), some.info()["backups"][-1]
    assert "format" not in newest
    older = some.restore(restore_from_date=str(oldest["timestamp"]))
    assert (older["format"], older["backup_id"]) == ("freezer", oldest["backup_id"])
    pruned = some.prune(keep_last=1)
    assert [one["level"] for one in pruned["removed"]] == []
    assert len([one for one in some.info()["backups"] if "format" in one]) == 3
    after = listed(both)
    assert {path: after[path] for path in before if path != "."} == {
        path: before[path] for path in before if path != "."
    }


def test_prune_of_a_name_that_only_upstream_has_removes_nothing_and_says_why(found, container):
    before = listed(container)
    with pytest.raises(FreezerError, match="What the agent of OpenStack's Freezer left there is not removed"):
        agent.prune(found("gzip", keep_last=1))
    assert listed(container) == before


def test_a_new_backup_beside_them_is_encrypted_with_the_same_passphrase(tmp_path, monkeypatch):
    quick_scrypt(monkeypatch)
    write(tmp_path / "source" / "file")
    container = unpack(tmp_path)
    place = {"storage": "local", "container": str(container), "hostname": HOST, "backup_name": "sealed"}
    sealed = {**place, "encrypt_pass_file": pass_file(tmp_path)}
    assert agent.backup({**sealed, "path_to_backup": str(tmp_path / "source")})["encryption"] == "age"
    restored = agent.restore({**sealed, "restore_abs_path": str(tmp_path / "restored")})
    assert (restored["encryption"], restored.get("format")) == ("age", None)
    assert os.listdir(tmp_path / "restored") == ["file"]


def test_a_copy_that_is_damaged_gives_way_to_one_that_is_whole(found, container, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(container, damaged)
    data = next((damaged / "data" / "tar" / f"{HOST}_xz").rglob("2_*/data"))
    data.write_bytes(data.read_bytes()[:-9])
    storages = [{"storage": "local", "container": str(path)} for path in (damaged, container)]
    action = {"storages": storages, "hostname": HOST, "backup_name": "xz"}
    result = agent.restore({**action, "restore_abs_path": str(tmp_path / "restored")})
    assert result["container"] == str(container)
    assert "The next storage was taken" in result["remarks"][0]
    with pytest.raises(DamagedArchive, match="it ends too early"):
        agent.verify(action)


# ---------------------------------------------------------------------- forged ones


@pytest.fixture
def outside(tmp_path) -> Path:
    """A folder that no restore may touch."""
    write(tmp_path / "outside" / "folder" / "file", b"theirs")
    return tmp_path / "outside"


@pytest.mark.parametrize(
    "level_1",
    [
        archive(folder(".", "Na"), member("./a/evil", content=b"x")),
        archive(folder(".", "Na"), member("./a/folder/file", content=b"x")),
        archive(folder("./a", "Yevil"), member("./a/evil", content=b"x")),
        archive(folder(".", "Da"), member("./b/../a/evil", content=b"x")),
        archive(folder(".", "Da"), member("/a/evil", content=b"x")),
        archive(folder(".", "Da"), member("../evil", content=b"x")),
        archive(folder(".", "Na", "Yb"), member("./b", b"1", linked="./a/folder/file")),
        archive(folder(".", "Na", "Yb"), member("./b", b"1", linked="../outside/folder/file")),
        archive(folder(".", "Na", "Db", "R./a/folder", "T../../outside/moved")),
        archive(folder(".", "Na", "Db", "R/a", "T./b")),
        archive(folder(".", "Da"), folder("./a", "Yb"), link("./a/b", "x"), member("./a/b/evil", content=b"x")),
        archive(folder(".", "Da"), folder("./a", "Yb"), member("./a", content=b"x"), member("./a/b", content=b"x")),
        archive(member("single", content=b"x")),
        archive(),
    ],
)
def test_a_level_that_leads_out_of_its_folders_is_refused(tmp_path, outside, level_1):
    left = Left(tmp_path / "container")
    left.put(archive(folder(".", "Ya"), link("./a", str(outside))))
    left.put(level_1)
    before = listed(outside)
    target = tmp_path / "restored"
    for verb, options in ((agent.restore, {"restore_abs_path": str(target)}), (agent.verify, {"check": "restore"})):
        with pytest.raises(DamagedArchive):
            verb(left.action(**options))
    assert not target.exists()
    assert listed(outside) == before


@pytest.mark.parametrize(
    ("moves", "there"),
    [
        (("R./a/folder", "T./b"), {}),
        (("R./a", "T./b"), {}),
        (("R./c", "T./a/folder"), {"a": None, "a/folder": None}),
        (("R./c", "T./a"), {"a": None}),
        (("X.", "R./c", "T", "R", "T./a"), {"a": None}),
    ],
)
def test_no_folder_is_moved_through_a_link_of_a_level_below(tmp_path, outside, moves, there):
    left = Left(tmp_path / "container")
    left.put(archive(folder(".", "Ya", "Dc"), folder("./c", "Yfile"), link("./a", str(outside)), member("./c/file")))
    names = ["Da" if "a" in there else "Na", *([] if "a" in there else ["Dc"])]
    inner = (
        [folder("./a", *(["Dfolder"] if "a/folder" in there else ["Nfile"]))]
        if "a" in there
        else [folder("./c", "Nfile")]
    )
    inner += [folder("./a/folder", "Nfile")] if "a/folder" in there else []
    left.put(archive(folder(".", *names, *moves), *inner))
    before = listed(outside)
    target = tmp_path / "restored"
    agent.restore(left.action(restore_abs_path=str(target)))
    assert listed(outside) == before
    assert (target / "a").is_symlink() == ("a" not in there)
    where = {"a/folder": target / "a" / "folder", "a": target / "a"}.get(list(there)[-1] if there else "", target / "c")
    assert (where / "file").is_file()


def test_what_was_listed_and_not_stored_is_told(tmp_path):
    """tar lists sockets, what was excluded, and what it could not read, and goes on."""
    left = Left(tmp_path / "container")
    left.put(
        archive(
            folder(".", "Ysocket", "Nexcluded", "Yfile", "Dclosed"),
            folder("./closed", "Yinner"),
            files("./file", "./closed/inner"),
        )
    )
    left.put(archive(folder(".", "Nsocket", "Nfile", "Nclosed")))
    full = agent.restore(left.action(restore_from_date=str(left.FIRST), restore_abs_path=str(tmp_path / "full")))
    assert [one["path"] for one in full["unreadable"]] == ["./socket", "./excluded"]
    result = agent.restore(left.action(restore_abs_path=str(tmp_path / "restored")))
    assert [one["path"] for one in result["unreadable"]] == ["./socket", "./closed"]
    assert "an earlier level" in result["unreadable"][1]["message"]
    assert (tmp_path / "restored" / "closed" / "inner").is_file()


def test_a_folder_whose_new_name_cannot_be_followed_is_told(tmp_path):
    """tar stores some renames of folders in each other in a way that it cannot follow itself."""
    left = Left(tmp_path / "container")
    left.put(archive(folder(".", "Da"), folder("./a", "Yfile"), files("./a/file")))
    left.put(archive(folder(".", "Db", "R./lost", "T./b"), folder("./b", "Nfile")))
    result = agent.restore(left.action(restore_abs_path=str(tmp_path / "restored")))
    assert result["outcome"] == "partial"
    assert [one["path"] for one in result["not_restored"]] == ["./b"]
    assert "cannot be followed" in result["not_restored"][0]["message"]
    assert [one["path"] for one in result["unreadable"]] == ["./b/file"]


def files(*names: str) -> bytes:
    return b"".join(member(name, content=b"x") for name in names)


def test_two_folders_that_changed_names_without_a_temporary_one_are_followed(tmp_path):
    left = Left(tmp_path / "container")
    below = (
        folder("./b/x", "Yf"),
        folder("./b/y", "Yg"),
        member("./b/x/f", content=b"f"),
        member("./b/y/g", content=b"g"),
    )
    left.put(archive(folder(".", "Db"), folder("./b", "Dx", "Dy"), *below))
    moves = ("R./b/y", "T./b/x", "R./b/x", "T./b/y")
    left.put(
        archive(folder(".", "Db", *moves), folder("./b", "Dx", "Dy"), folder("./b/x", "Ng"), folder("./b/y", "Nf"))
    )
    target = tmp_path / "restored"
    assert agent.restore(left.action(restore_abs_path=str(target)))["outcome"] == "success"
    assert ((target / "b/x/g").read_text(), (target / "b/y/f").read_text()) == ("g", "f")


@pytest.mark.rounds
@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar")
@pytest.mark.parametrize("seed", range(rounds(6)))
def test_random_trees_of_upstreams_tar_restore_to_what_was_there_or_it_is_told(tmp_path, seed):
    left = Left(tmp_path / "container")
    tree = RandomTree(tmp_path / "source", tmp_path / "outside", seed)
    states = []
    for level in range(4):
        if level:
            tree.mutate()
        states.append(listed(tmp_path / "source"))
        left.dump(tmp_path / "source", tmp_path / "snapshot")
        tick()
    for level, state in enumerate(states):
        target = tmp_path / f"restored-{level}"
        date = str(left.FIRST + 100 * level)
        result = agent.restore(left.action(restore_abs_path=str(target), restore_from_date=date))
        told = {one["path"][2:] for one in result["unreadable"]}
        if any("cannot be followed" in one["message"] for one in result["not_restored"]):
            assert result["outcome"] == "partial"
            continue
        restored = comparable(listed(target))
        for path, entry in comparable(state).items():
            # tar forgets links between a file that it stores again and one that it does not.
            length = 5 if os.geteuid() == 0 else 3
            is_told = any(path == one or path.startswith(one + "/") for one in told)
            assert restored.get(path, [])[:length] == entry[:length] or is_told, (path, tree.log)
        assert set(restored) <= set(state), tree.log


def test_it_is_refused_where_the_action_says_what_is_believed(found, tmp_path):
    """It is not signed: one who writes to a container could put one there as the newest backup."""
    signers = signers_file(tmp_path, f"{HOST} {SigningKey(tmp_path, 'key').public.line}")
    for named in ({"recorded_manifests": [f"{'0' * 32}:{'0' * 64}"]}, {"trusted_signers": signers}):
        for verb in (agent.verify, agent.restore):
            with pytest.raises(UnbelievedBackup, match="by the agent of OpenStack's Freezer, which signs nothing"):
                verb(found("gzip", restore_abs_path=str(tmp_path / "target"), **named))
