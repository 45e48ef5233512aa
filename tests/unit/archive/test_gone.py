# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is gone since the parent, as GNU tar's lists of names show it."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import UnsafeArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.gone import Gone, ParentNames
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.member_stream import MemberStream
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.plan import final_state
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.snar import CannotContinue
from ansible_collections.freezer.backup.tests.support.hostile_archives import folder
from ansible_collections.freezer.backup.tests.support.tar_chains import Chain, catalogues, members_of
from ansible_collections.freezer.backup.tests.support.trees import make_socket, write


@pytest.fixture
def chain(tmp_path):
    top = tmp_path / "top"
    for name in ("d/f", "d/g", "d/e/h", "k/1", "s"):
        write(top / name)
    return Chain(top, tmp_path / "work")


def gone(level):
    return [one.name.decode() for one in members_of(level.plain) if one.kind == b"x"]


def state(levels):
    return [one.member.name.decode() for one in final_state(catalogues(levels))]


def test_nothing_is_gone_of_an_unchanged_tree(chain):
    chain.write()
    levels = chain.write()
    assert gone(levels[1]) == []
    folders = [one.name.decode() for one in members_of(levels[1].plain) if one.kind == b"d"]
    assert folders == ["", "d", "d/e", "k"]


def test_names_that_were_deleted_are_gone_and_of_a_folder_only_its_own(chain, tmp_path):
    chain.write()
    (tmp_path / "top/d/e/h").unlink()
    (tmp_path / "top/d/e").rmdir()
    (tmp_path / "top/s").unlink()
    levels = chain.write()
    assert gone(levels[1]) == ["d/e", "s"]
    assert gone(chain.write()[2]) == []


def test_a_folder_in_the_place_of_another_has_only_its_own_names(chain, tmp_path):
    chain.write()
    (tmp_path / "top/d").rename(tmp_path / "aside")
    write(tmp_path / "top/d/g")
    levels = chain.write()
    assert gone(levels[1]) == ["d/e", "d/f"]
    assert state(levels) == ["", "d", "d/g", "k", "k/1", "s"]


def test_a_moved_folder_is_gone_from_its_place_and_new_at_the_other(chain, tmp_path):
    chain.write()
    (tmp_path / "top/d").rename(tmp_path / "top/k/d")
    levels = chain.write()
    assert gone(levels[1]) == ["d"]
    assert state(levels) == ["", "k", "k/1", "k/d", "k/d/e", "k/d/e/h", "k/d/f", "k/d/g", "s"]


def test_what_became_another_kind_is_replaced_with_all_below_it(chain, tmp_path):
    chain.write()
    (tmp_path / "top/d").rename(tmp_path / "aside")
    write(tmp_path / "top/d")
    (tmp_path / "top/s").unlink()
    write(tmp_path / "top/s/new")
    levels = chain.write()
    assert gone(levels[1]) == []
    assert state(levels) == ["", "d", "k", "k/1", "s", "s/new"]


def test_a_file_and_a_folder_that_became_sockets_are_gone(chain, tmp_path):
    chain.write()
    (tmp_path / "top/s").unlink()
    make_socket(tmp_path / "top/s")
    (tmp_path / "top/k/1").unlink()
    (tmp_path / "top/k").rmdir()
    make_socket(tmp_path / "top/k")
    levels = chain.write()
    assert gone(levels[1]) == ["k", "s"]
    assert state(levels) == ["", "d", "d/e", "d/e/h", "d/f", "d/g"]


def test_names_that_are_excluded_now_are_not_gone(chain, tmp_path):
    """As in a replay. A backup with another selection begins a chain of its own."""
    chain.write()
    other = Chain(tmp_path / "top", tmp_path / "work", exclude=["f"])
    other.levels = chain.levels
    write(tmp_path / "top/d/f", b"changed")
    levels = other.write()
    assert gone(levels[1]) == []
    assert "d/f" in state(levels)


def test_of_a_folder_that_the_parent_could_not_read_the_levels_below_tell_what_is_gone(chain, tmp_path):
    """tar lists such a folder as one that did not change, and stores nothing of it; what is known of it stays."""
    chain.write()
    hidden = Chain(tmp_path / "top", tmp_path / "work", own_output=["./d"])
    hidden.levels = chain.levels
    hidden.write()
    assert gone(chain.levels[1]) == []
    assert "d/e/h" in state(chain.levels)
    chain.levels[1].messages.unreadable.append({"path": "./d", "message": "Cannot open: Permission denied"})
    (tmp_path / "top/d/e/h").unlink()
    (tmp_path / "top/d/g").unlink()
    write(tmp_path / "top/d/e/new")
    levels = chain.write()
    assert gone(levels[2]) == ["d/e/h", "d/g"]
    assert state(levels) == ["", "d", "d/e", "d/e/new", "d/f", "k", "k/1", "s"]


def compared(tmp_path, before, now, name="./d", unread=()):
    found = []
    with ParentNames(str(tmp_path)) as names:
        for place, content in before.items():
            names.add(b"0\0001\0002\0003\0004\0%b" % place + (b"\0" + content if content else b""))
        names.done()
        gone = Gone("17_1", names, lambda name, _was_folder: found.append(name), unread)
        MemberStream("17_1", gone.see).check(folder(name, now))
    return found


def test_a_mount_point_that_came_hides_what_its_folder_had(tmp_path):
    """tar stores the folder with an empty list, and names of the file system below it do not come."""
    assert compared(tmp_path, {b"./d": b"De\0Nf\0Yg"}, "") == [b"d/e", b"d/f", b"d/g"]


def test_a_mount_point_that_went_leaves_nothing_of_its_file_system(tmp_path):
    assert compared(tmp_path, {b"./d": b""}, "De Yf") == []


def test_a_folder_that_the_parent_did_not_have_has_nothing_that_is_gone(tmp_path):
    assert compared(tmp_path, {b"./e": b"Yf"}, "Yg") == []


@pytest.mark.parametrize("record", ["R./a", "T./b", "X./a"])
def test_a_level_in_which_tar_would_move_a_folder_is_refused(tmp_path, record):
    for before in (b"Yf", b"Nf"):
        with pytest.raises(UnsafeArchive, match="asks for a folder to be moved") as refusal:
            compared(tmp_path, {b"./d": before}, f"Yf {record}")
        assert refusal.value.path == "./d"


@pytest.mark.parametrize(
    ("before", "now"), [(b"Ya\0Yb", "Yb Ya"), (b"Yb\0Ya", "Ya Yb"), (b"Ya\0Ya", "Ya"), (b"Ya/b", "Ya"), (b"Y", "Ya")]
)
def test_names_in_another_form_than_tar_writes_them_make_a_full_backup(tmp_path, before, now):
    with pytest.raises(CannotContinue):
        compared(tmp_path, {b"./d": before}, now)


def test_folders_are_found_among_many_and_names_of_large_ones_in_parts(tmp_path):
    many = {b"./%d" % number: b"Y%d" % number for number in range(20000)}
    many[b"./d"] = b"\0".join(sorted(b"N%07d" % number for number in range(50000)))
    now = " ".join(f"Y{number:07}" for number in range(0, 50000, 2))
    found = compared(tmp_path, many, now)
    assert found == [b"d/%07d" % number for number in range(1, 50000, 2)]
    assert compared(tmp_path, many, "", "./777") == [b"777/777"]
    assert os.listdir(tmp_path) == []


def test_the_names_of_a_large_folder_are_in_memory_once(tmp_path):
    """What its list takes in the stream: of the parent's names only a part is there at a time."""
    listed = [b"a file with a rather long name, number %06d" % number for number in range(40_000)]
    stream = folder("./d", " ".join("N" + name.decode().replace(" ", "_") for name in listed[1:]))
    size = len(stream)
    with ParentNames(str(tmp_path)) as names:
        names.add(b"0\0001\0002\0003\0004\0./d\0" + b"\0".join(b"Y" + name.replace(b" ", b"_") for name in listed))
        names.done()
        del listed
        found = []
        gone = Gone("17_1", names, lambda name, _was_folder: found.append(name))
        blocks = [stream[begin : begin + (1 << 20)] for begin in range(0, size, 1 << 20)]
        del stream
        tracemalloc.start()
        try:
            reader = MemberStream("17_1", gone.see)
            while blocks:
                reader.check(blocks.pop(0))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found == [b"d/a_file_with_a_rather_long_name,_number_000000"]
    # The pieces are joined, and what the list is cut from is there until it is cut.
    assert peak < 2.5 * size
