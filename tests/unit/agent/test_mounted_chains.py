# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a mount reads of a chain, without the mount: any bytes of any file, each frame once, and nothing that is not proven."""

from __future__ import annotations

import os
import random
from functools import partial

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import copied_files
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import codec, file_content
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.create import ArchivePlan
from ansible_collections.freezer.backup.tests.support.mounts import opened, paths_in
from ansible_collections.freezer.backup.tests.support.sets import Set, tick
from ansible_collections.freezer.backup.tests.support.trees import extended_attribute, write

MEBIBYTE = 1 << 20


@pytest.fixture
def some(tmp_path, monkeypatch):
    """A set whose files of 3 MiB and more are stored by their blocks."""
    monkeypatch.setattr(copied_files, "ArchivePlan", partial(ArchivePlan, least_block_file=3 * MEBIBYTE))
    return Set(tmp_path, compression="none", max_level=5)


def sparse(path, size, *data):
    with open(path, "wb") as file:
        file.truncate(size)
        for place, content in data:
            file.seek(place)
            file.write(content)


def test_any_bytes_of_any_file_are_those_of_the_source(some):
    write(some.source / "small", b"small")
    write(some.source / "plain", os.urandom(2 * MEBIBYTE + 3))
    write(some.source / "blocks", os.urandom(5 * MEBIBYTE + 3))
    os.link(some.source / "plain", some.source / "linked")
    regions = [(place, os.urandom(70_000)) for place in range(100_000, 2 * MEBIBYTE, 500_000)]
    sparse(some.source / "sparse", 2 * MEBIBYTE + 77, *regions)
    sparse(some.source / "only a hole", 2 * MEBIBYTE)
    sparse(some.source / "sparse blocks", 6 * MEBIBYTE, *regions, (5 * MEBIBYTE + 9, b"behind"))
    tick()
    first = some.backup()["backup_id"]
    before = (some.source / "blocks").read_bytes()
    for name in ("blocks", "sparse blocks"):
        with open(some.source / name, "rb+") as file:
            file.seek(2 * MEBIBYTE - 3)
            file.write(b"changed")
    some.backup()
    choice = random.Random(1)
    with opened(some.options) as tree:
        for name in map(os.fsencode, sorted(os.listdir(some.source))):
            content = (some.source / os.fsdecode(name)).read_bytes()
            for _round in range(30):
                begin = choice.randrange(len(content) + 9)
                size = choice.choice([1, 512, 4096, 131_072, 2 * MEBIBYTE])
                assert tree.read(name, begin, size) == content[begin : begin + size], name
            assert tree.status(name)["st_size"] == len(content)
    with opened({**some.options, "backup_id": first}) as tree:
        assert tree.read(b"blocks", 0, 6 * MEBIBYTE) == before


def test_a_file_that_is_read_from_one_end_to_the_other_has_each_frame_unpacked_once(some, monkeypatch):
    write(some.source / "large", os.urandom(12 * MEBIBYTE))
    some.backup()
    unpacked = []
    plain = codec.Codec.plain
    monkeypatch.setattr(codec.Codec, "plain", lambda self, *frame: unpacked.append(frame) or plain(self, *frame))
    with opened(some.options) as tree:
        read = [tree.read(b"large", begin, 131_072) for begin in range(0, 12 * MEBIBYTE, 131_072)]
        assert b"".join(read) == (some.source / "large").read_bytes()
        assert len(unpacked) == 13


def test_what_is_kept_has_a_limit(some):
    write(some.source / "large", os.urandom(12 * MEBIBYTE))
    some.backup()
    with opened(some.options) as tree:
        tree._contents = file_content.FileContents(tree._contents._levels, tree._contents._maps, 4 * MEBIBYTE)
        for begin in range(0, 12 * MEBIBYTE, MEBIBYTE // 2):
            tree.read(b"large", begin, MEBIBYTE // 2)
            assert tree._contents._kept._bytes <= 4 * MEBIBYTE


def test_damage_is_told_once_for_each_file_and_what_is_beside_it_is_read(some):
    for name in "abc":
        write(some.source / name, name.encode() * (2 * MEBIBYTE))
    extended_attribute(some.source / "c")
    folder = some.folder_of(some.backup())
    stored = bytearray((folder / "data.000000").read_bytes())
    stored[stored.index(b"b" * MEBIBYTE) + MEBIBYTE + 5] ^= 1
    (folder / "data.000000").write_bytes(stored)
    told = []
    with opened(some.options, told.append) as tree:
        for name in "abc":
            read = []
            for begin in range(0, 2 * MEBIBYTE, 65_536):
                try:
                    read.append(tree.read(name.encode(), begin, 65_536) == name.encode() * 65_536)
                except OSError:
                    read.append(None)
            assert False not in read
            assert (None in read) == (name == "b")
        assert [one.partition(" cannot be read: ")[0] for one in told] == ["b"]
        assert list(tree.unread) == ["b"]
        assert tree.attributes(b"c")


def test_what_is_not_there_is_told_to_its_caller_and_no_damage(some):
    write(some.source / "file", b"content")
    some.backup()
    told = []
    with opened(some.options, told.append) as tree:
        assert list(paths_in(tree)) == [b"file"]
        with pytest.raises(FileNotFoundError):
            tree.status(b"none")
        with pytest.raises(NotADirectoryError):
            next(tree.entries(b"file", 0))
        assert told == []
