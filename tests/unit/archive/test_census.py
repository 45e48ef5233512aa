# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What an increment says of the files that it does not hold: how many are protected, how many are gone."""

from __future__ import annotations

import shutil
import tracemalloc

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import census, tar
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.gone import ParentNames
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.member_stream import FoundMember
from ansible_collections.freezer.backup.tests.support.sets import Set
from ansible_collections.freezer.backup.tests.support.trees import write


def told(result):
    return tuple(result[key] for key in ("protected_files", "protected_folders", "deleted_files", "deleted_folders"))


@pytest.fixture
def some(tmp_path):
    """Four files in three folders, of which one file is left out."""
    made = Set(tmp_path, max_level=5, exclude=["*.skip"])
    for name in ("a", "b", "d/c", "d/e/f", "d/x.skip"):
        write(made.source / name, name.encode())
    return made


def test_an_increment_says_how_much_is_protected_and_what_is_gone(some):
    assert told(some.backup()) == (4, 3, 0, 0)
    (some.source / "b").unlink()
    shutil.rmtree(some.source / "d" / "e")
    write(some.source / "new")
    assert told(some.backup()) == (3, 2, 2, 1)
    (some.source / "d" / "x.skip").unlink()
    assert told(some.backup()) == (3, 2, 0, 0)


def test_what_is_moved_is_gone_where_it_was(some):
    some.backup()
    (some.source / "d").rename(some.source / "moved")
    assert told(some.backup()) == (4, 3, 2, 2)


def test_a_single_file_protects_itself(some):
    result = some.backup(path_to_backup=str(some.source / "a"))
    assert told(result) == (1, 0, 0, 0)


def test_a_folder_and_a_file_that_change_places_are_deleted_both(some):
    some.backup()
    shutil.rmtree(some.source / "d" / "e")
    (some.source / "d" / "e").write_text("a file")
    (some.source / "b").unlink()
    (some.source / "b").mkdir()
    assert told(some.backup()) == (3, 3, 2, 1)


def test_hundreds_of_thousands_of_names_take_a_few_megabytes(tmp_path):
    entries = b"".join(b"Na file with a rather long name, number %d\0" % number for number in range(1000))
    tracemalloc.start()
    try:
        with ParentNames(str(tmp_path)) as names:
            for number in range(200):
                names.add(b"0\x001\x002\x003\x004\0./folder %d\0%b" % (number, entries[:-1]))
            names.done()
            counted = census.Census(tar.Source("/source"), names)
            for number in range(1, 200):
                counted.see(
                    FoundMember(b"d", b"./folder %d/" % number, b"", 0, 0, 0, None, {b"GNU.dumpdir": entries + b"\0"})
                )
            counted.gone(b"folder 0", True)
        assert (counted.deleted_files, counted.deleted_folders, counted.files, counted.folders) == (
            1000,
            1,
            199_000,
            199,
        )
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
