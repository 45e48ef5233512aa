# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Chains of version 1 that would write, delete or move outside of the folder that they are restored into are refused before.

What version 2 does about the same attacks is in test_hostile_chains.py.
"""

from __future__ import annotations

import os
import tarfile

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import UnsafeArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.tests.support.hostile_archives import (
    archive,
    folder,
    link,
    member,
    sparse,
    with_sum,
)
from ansible_collections.freezer.backup.tests.support.trees import write
from ansible_collections.freezer.backup.tests.support.version_1 import FirstSet, put


@pytest.fixture
def attacked(tmp_path):
    """A chain of two levels, a folder outside of everything, and a way to give each level other members."""
    some = FirstSet(tmp_path, max_level=5, compression="none")
    outside = tmp_path / "outside"
    write(outside / "passwd", b"root")
    write(outside / "sub" / "precious", b"precious")
    write(some.source / "file")
    results = [some.backup(), some.backup()]

    def become(first, second):
        put(some, results[0], archive(*first), len(first))
        put(some, results[1], archive(*second), len(second), parent=results[0])

    some.become, some.outside, some.results = become, outside, results
    some.link = link("./a", str(outside))
    return some


def state(top):
    return {path.relative_to(top).as_posix(): path.is_file() and path.read_bytes() for path in top.rglob("*")}


def assert_refused(some, match):
    """Neither restore nor proof does anything outside, or leaves anything in the target."""
    before = state(some.outside)
    target = some.new_target()
    with pytest.raises(UnsafeArchive, match=match) as refusal:
        some.restore(target)
    assert state(some.outside) == before
    assert not target.exists()
    for check in ("stream", "restore"):
        with pytest.raises(UnsafeArchive, match=match):
            some.verify(check=check)
        assert state(some.outside) == before
    assert some.verify(check="segments")["outcome"] == "success"
    return str(refusal.value)


def test_a_file_behind_a_link_of_the_level_below_is_refused_with_what_to_do(attacked):
    attacked.become([folder("."), attacked.link], [folder(".", "Ya"), member("./a/passwd", content=b"mine")])
    said = assert_refused(attacked, "_1 is refused: it brings ./a/passwd, and ./a is not the folder there")
    assert (
        "Restore an earlier backup (backup_id or restore_from_date), and take a new full one (no_incremental)" in said
    )
    first = attacked.results[0]
    target = attacked.new_target()
    assert attacked.restore(target, backup_id=first["backup_id"])["outcome"] == "success"
    assert os.readlink(target / "a") == str(attacked.outside)
    assert attacked.backup_of_this_release(no_incremental=True)["level"] == 0
    assert attacked.restore()["outcome"] == "success"


@pytest.mark.parametrize(
    "second",
    [
        [folder(".", "Ya"), folder("./a/sub", "")],
        [folder(".", "Ya"), folder("./a", "Dsub")],
        [folder("."), folder("./a", "Dsub")],
        [folder("./a", "")],
    ],
    ids=["below it", "itself", "not listed", "without the top"],
)
def test_a_list_of_names_that_would_delete_behind_a_link_is_refused(attacked, second):
    attacked.become([folder("."), attacked.link], second)
    assert_refused(
        attacked, r"it brings ./a/sub/, and ./a is not|./a is a folder in it, and \. does not have it as one"
    )


@pytest.mark.parametrize("names", ["Ra/sub Tmoved", "Ya Ra/sub Tb/moved", "X Ra/sub T", "Yb Rb T/tmp/b"])
def test_a_folder_that_the_archive_wants_to_move_is_refused(attacked, names):
    attacked.become([folder("."), attacked.link], [folder(".", names)])
    assert_refused(attacked, "asks for a folder to be moved|that is none")


def test_a_hard_link_through_a_link_is_refused(attacked):
    attacked.become(
        [folder("."), attacked.link], [folder(".", "Ya Ymine"), member("./mine", tarfile.LNKTYPE, linked="./a/passwd")]
    )
    assert_refused(attacked, "it brings ./mine, and ./a is not the folder there")


def test_a_link_in_the_place_of_a_folder_of_the_same_level_is_refused(attacked):
    """b is a folder, then a relative link to the link of level 0, and then the way to a file."""
    attacked.become(
        [folder("."), attacked.link],
        [folder(".", "Ya Db"), folder("./b", ""), link("./b", "a"), member("./b/passwd", content=b"mine")],
    )
    assert_refused(attacked, "it brings ./b, and ./b is not the folder there")


def test_a_file_where_the_folder_above_has_a_folder_is_refused(attacked):
    attacked.become([folder("."), folder("./b"), member("./b/c")], [folder(".", "Db"), link("./b", "/nowhere")])
    assert_refused(attacked, "./b is no folder in it, and the folder above has it as one")


@pytest.mark.parametrize(
    "name", ["/tmp/freezer-absolute", "./../up", "../up", "./a/../../up", "./", "./b/.", "./b//c", "b", ""]
)
def test_names_that_do_not_begin_at_the_top_of_the_backup_are_refused(attacked, name):
    attacked.become([folder("."), folder("./b")], [folder(".", "Db"), folder("./b", ""), member(name, content=b"x")])
    assert_refused(attacked, "is refused")


def test_a_folder_that_became_a_link_while_level_0_was_read_is_noticed_by_the_stream_alone(attacked):
    attacked.become([folder("."), attacked.link, member("./a/passwd", content=b"mine")], [folder(".", "Ya")])
    assert_refused(attacked, "_0 is refused: it brings ./a/passwd, and ./a is not the folder there")


@pytest.mark.parametrize(
    "hidden",
    [
        member("./innocent", path="./a/passwd", content=b"mine"),
        member("./GNUSparseFile.1/x", GNU__sparse__name="./a/passwd", content=b"mine"),
        member("././@LongLink", tarfile.GNUTYPE_LONGNAME, content=b"./a/passwd\0") + member("./x", content=b"mine"),
        member("./x", tarfile.XGLTYPE, content=b"19 path=./a/passwd\n") + member("./x", content=b"mine"),
        member("./x", tarfile.LNKTYPE, linked="./y", content=member("./a/passwd", content=b"mine")),
        member("./x", content=b"", size="512") + member("./a/passwd", content=b"mine"),
        bytes([1]) * 512 + member("./a/passwd", content=b"mine"),
        bytes(1024) + member("./a/passwd", content=b"mine"),
        member("./x", path="./y\0", content=b"mine"),
        member("./x", GNU__volume__label="x", content=b"mine"),
        member("./x", GNU__sparse__map="0,1", content=b"mine"),
    ],
    ids=["extended", "sparse", "long name", "global", "content of a link", "size", "no header", "after the end", "NUL",
         "volume", "old sparse"],
)  # fmt: skip
def test_what_another_reader_could_take_for_another_member_is_refused(attacked, hidden):
    attacked.become([folder("."), attacked.link], [folder(".", "Ya"), hidden, folder(".", "Ya")])
    before = state(attacked.outside)
    target = attacked.new_target()
    with pytest.raises(DamagedArchive):
        attacked.restore(target)
    assert state(attacked.outside) == before
    assert not target.exists()


_CLAIMS_MORE = bytes(512)  # what a sparse file takes from the next member


@pytest.mark.parametrize(
    "hide",
    [
        lambda evil: sparse("./s", "1 0 1024") + member("./f", content=_CLAIMS_MORE + evil),
        lambda evil: sparse("./s", "1 0 512", b"x" * 1024 + evil),
        lambda evil: sparse("./s", "2 0 1 512 1", b"x" * 2) + bytes(512) + member("./f", content=_CLAIMS_MORE + evil),
        lambda evil: sparse("./s", "90 0 1") + member("./f", content=evil),
        lambda evil: sparse("./s", "7 x") + member("./f", content=evil),
        lambda evil: sparse("./s", "1 0 01024", b"x" * 1024) + member("./f", content=evil),
        lambda evil: sparse("./s", f"1 {2**63 - 1} 1", b"x") + member("./f", content=evil),
        lambda evil: sparse("./s", "1 0 1024", GNU__sparse__major="0") + member("./f", content=_CLAIMS_MORE + evil),
        lambda evil: sparse("./s", "1 0 1024", b"x" * 1024, GNU__sparse__realsize=str(2**63)) + member("./f", content=evil),
        lambda evil: member("./s", GNU__sparse__realsize="1024") + member("./f", content=_CLAIMS_MORE + evil),
        lambda evil: member("./s", tarfile.FIFOTYPE, GNU__sparse__realsize="1024") + member("./f", content=evil),
        lambda evil: member("./f", size=str(2**63)) + evil,
        lambda evil: member("./f", size="9" * 40) + evil,
        lambda evil: member("./f", content=evil, size="0" * 17 + str(len(evil))),
        lambda evil: with_sum(member("./f", content=evil), b"77"),
    ],
    ids=["more than there is", "less than there is", "odd regions", "map without an end", "no map", "odd length", "beyond files",
         "older form", "odd real size", "no map at all", "FIFO", "size of 2^63", "size of 40 digits", "zeros before the size",
         "sum of eight digits"],
)  # fmt: skip
@pytest.mark.parametrize(
    "evil", [member("./a/passwd", content=b"mine"), folder("./a/sub", "")], ids=["write", "delete"]
)
def test_numbers_by_which_tar_would_find_another_next_member_are_refused(attacked, hide, evil):
    attacked.become([folder("."), attacked.link], [folder(".", "Ya Ys Yf"), hide(evil)])
    assert_refused(attacked, "is refused")


def test_a_level_without_the_end_that_tar_writes_is_refused(attacked):
    results = attacked.results
    stream = folder(".", "Yf") + member("./f", content=b"x" * 512)
    put(attacked, results[0], archive(folder(".")), 1)
    put(attacked, results[1], stream, 2, parent=results[0])
    assert_refused(attacked, "it has no end after ./f")


def test_what_stands_in_the_place_of_a_link_by_right_is_restored(tmp_path):
    """A folder, and a folder again, in one chain of real backups: the checks are no obstacle."""
    some = FirstSet(tmp_path, max_level=9)
    outside = tmp_path / "outside"
    write(outside / "passwd", b"root")
    write(some.source / "a" / "passwd", b"first")
    some.backup()
    os.rename(some.source / "a", tmp_path / "aside")
    os.symlink(outside, some.source / "a")
    assert some.backup()["level"] == 1
    os.unlink(some.source / "a")
    write(some.source / "a" / "passwd", b"third")
    assert some.backup()["level"] == 2
    target = some.new_target()
    some.restore(target)
    assert (target / "a" / "passwd").read_bytes() == b"third"
    assert (outside / "passwd").read_bytes() == b"root"
