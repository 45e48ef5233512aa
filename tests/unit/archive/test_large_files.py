# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks of large files: what did not change is not stored again, and every state comes back."""

from __future__ import annotations

import io
import os
import random
import subprocess
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.block_maps import (
    BLOCK_BYTES,
    IN_BLOCKS,
    IN_DATA,
    IN_MEMBER,
    ZEROS,
    PlainMaps,
    block_count,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.block_restore import (
    needs_blocks,
    put_blocks,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.large_files import LargeFiles
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.member_stream import (
    FoundMember,
    MemberStream,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import (
    Source,
    create_argv,
    extract_argv,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.tests.support.stored_streams import StoredStream
from ansible_collections.freezer.backup.tests.support.tar_chains import record

MEBIBYTE = 1 << 20
LEAST = 2 * MEBIBYTE


class Level:
    """One level as it passed by: what was passed on, the blocks, the maps, and the members."""

    def __init__(self, chain: Chain, piece_bytes: int) -> None:
        self.blocks = bytearray()
        maps = io.BytesIO()
        self.members: dict[str, tuple[FoundMember, int | None]] = {}
        number = len(chain.levels)
        large = LargeFiles(number, chain.known, self._store, maps, LEAST)

        def see(found: FoundMember) -> None:
            member, map_begin = large.see(found)
            self.members[os.fsdecode(member.name)] = (member, map_begin)

        plain = chain.tar()
        reader = MemberStream("it", see)
        passed = []
        for begin in range(0, len(plain), piece_bytes):
            block = plain[begin : begin + piece_bytes]
            reader.check(block)
            passed += large.take(block, reader.unread_bytes)
        reader.finish()
        self.plain, self.data = plain, b"".join(passed)
        self.maps = maps.getvalue()
        assert large.any == bool(self.maps)
        self.number = number

    def _store(self, block: memoryview) -> int:
        begin = len(self.blocks)
        self.blocks += block
        return begin


class Chain:
    """A folder, level by level."""

    def __init__(self, work: Path) -> None:
        self.top, self.work = work / "source", work
        self.top.mkdir()
        self.levels: list[Level] = []

    def tar(self) -> bytes:
        argv = create_argv(Source(str(self.top)), str(self.work / "snar"), increment=bool(self.levels))
        return subprocess.run(argv, check=True, capture_output=True).stdout

    def write(self, piece_bytes: int = 70_001) -> Level:
        level = Level(self, piece_bytes)
        self.levels.append(level)
        return level

    def known(self, name: bytes) -> list | None:
        for level in reversed(self.levels):
            member, map_begin = level.members.get(os.fsdecode(name), (None, None))
            if member is not None:
                return None if map_begin is None else self.entries(level, member, map_begin)
        return None

    def entries(self, level: Level, member: FoundMember, map_begin: int) -> list:
        with PlainMaps(io.BytesIO(level.maps), len(level.maps), str(self.work), "it", level.number) as maps:
            return list(maps.entries(map_begin, member.size))

    def map_of(self, name: str, level: int = -1) -> list:
        member, map_begin = self.levels[level].members[f"./{name}"]
        assert map_begin is not None
        return self.entries(self.levels[level], member, map_begin)

    def places(self, name: str, level: int = -1) -> list[int]:
        return [entry.place for entry in self.map_of(name, level)]

    def restored(self, name: str, level: int = -1) -> Path:
        """One file as a level has it: what tar makes of its member, and its blocks."""
        of = self.levels[level]
        member, _begin = of.members[f"./{name}"]
        target = self.work / f"restored-{random.randrange(1 << 40)}"
        target.mkdir()
        alone = of.data[member.begin : member.begin + member.length] + bytes(1024)
        subprocess.run(extract_argv(str(target), False), input=alone, check=True, capture_output=True)
        entries = self.map_of(name, level)
        if needs_blocks(iter(entries), of.number):
            stored = {
                (one.number, in_blocks): StoredStream(
                    self.work / f"{target.name}-c", bytes(plain), folder=f"set/{one.number * 2 + in_blocks}_0"
                )
                for one in self.levels
                for in_blocks, plain in ((False, one.data), (True, one.blocks))
            }
            planned = record(
                name,
                size=b"%d" % member.size,
                mtime=member.records.get(b"mtime", b"%d" % int(member.fields[3][:11], 8)),
            )
            folder = os.open(target, os.O_RDONLY)
            try:
                with OpenStreams(stored) as stream_of:
                    put_blocks(folder, planned, of.number, entries, stream_of, str(self.work), lambda _bytes: None)
            finally:
                os.close(folder)
        return target / name


class OpenStreams:
    def __init__(self, stored: dict) -> None:
        self._stored, self._open = stored, []

    def __enter__(self):
        def stream_of(level: int, in_blocks: bool):
            context = self._stored[level, in_blocks].open()
            self._open.append(context)
            return context.__enter__()

        return stream_of

    def __exit__(self, *problem: object) -> None:
        for context in self._open:
            context.__exit__(*problem)


@pytest.fixture
def chain(tmp_path):
    return Chain(tmp_path)


def assert_same(restored: Path, source: Path) -> None:
    assert restored.read_bytes() == source.read_bytes()
    ours, theirs = restored.stat(), source.stat()
    assert (ours.st_mode, ours.st_mtime_ns, ours.st_size) == (theirs.st_mode, theirs.st_mtime_ns, theirs.st_size)


def overwrite(path: Path, at: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


@pytest.mark.parametrize("piece_bytes", [511, 70_001, 1 << 20, 64 << 20])
def test_the_first_level_passes_as_tar_wrote_it_and_has_a_map_of_each_large_file(chain, piece_bytes):
    content = os.urandom(LEAST + 17)
    (chain.top / "large").write_bytes(content)
    (chain.top / "small").write_bytes(os.urandom(MEBIBYTE))
    level = chain.write(piece_bytes)
    assert level.data == level.plain
    assert level.members["./small"][1] is None
    entries = chain.map_of("large")
    assert [entry.place for entry in entries] == [IN_DATA] * 3
    for number, entry in enumerate(entries):
        block = content[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        assert level.data[entry.offset : entry.offset + len(block)] == block


@pytest.mark.parametrize("piece_bytes", [513, 70_001, 1 << 20, 64 << 20])
def test_only_the_blocks_that_differ_are_stored_and_every_state_comes_back(chain, piece_bytes):
    large, other = chain.top / "large", chain.top / "other"
    large.write_bytes(os.urandom(6 * MEBIBYTE + 100))
    other.write_bytes(os.urandom(3 * MEBIBYTE))
    large.chmod(0o4755)
    chain.write(piece_bytes)
    states = [large.read_bytes()]
    for at in (5, 3 * MEBIBYTE - 2, 6 * MEBIBYTE + 99):
        overwrite(large, at, b"\0\1\2\3")
        level = chain.write(piece_bytes)
        assert len(level.data) < MEBIBYTE
        assert len(level.blocks) <= 2 * MEBIBYTE
        assert_same(chain.restored("large"), large)
        states.append(large.read_bytes())
    for number, state in enumerate(states):
        assert chain.restored("large", number).read_bytes() == state
    assert "./other" not in level.members
    assert {entry.level for entry in chain.map_of("large")} == {0, 1, 2, 3}


def test_the_members_behind_a_hole_are_where_the_catalogue_says(chain):
    (chain.top / "large").write_bytes(os.urandom(3 * MEBIBYTE))
    chain.write()
    overwrite(chain.top / "large", 0, b"x")
    (chain.top / "zz").write_text("behind")
    level = chain.write()
    seen = []
    reader = MemberStream("it", seen.append)
    reader.check(level.data)
    reader.finish()
    assert {(one.name, one.begin, one.length, one.size) for one in seen} == {
        (one.name, one.begin, one.length, one.size) for one, _map in level.members.values()
    }


def test_zeros_are_not_stored(chain):
    large = chain.top / "large"
    large.write_bytes(os.urandom(3 * MEBIBYTE))
    chain.write()
    overwrite(large, MEBIBYTE, bytes(MEBIBYTE))
    level = chain.write()
    assert chain.places("large") == [IN_DATA, ZEROS, IN_DATA]
    assert not level.blocks
    assert_same(chain.restored("large"), large)


@pytest.mark.parametrize("size", [LEAST, LEAST + 1, 5 * MEBIBYTE, 8 * MEBIBYTE + 3])
def test_a_file_that_grows_or_shrinks_comes_back(chain, size):
    large = chain.top / "large"
    large.write_bytes(os.urandom(5 * MEBIBYTE + 7))
    chain.write()
    os.truncate(large, size)
    overwrite(large, size - 1, b"e")
    chain.write()
    assert len(chain.map_of("large")) == block_count(size)
    assert_same(chain.restored("large"), large)


@pytest.mark.parametrize("piece_bytes", [600, 70_001, 64 << 20])
def test_a_sparse_file_comes_back_from_any_level(chain, piece_bytes):
    sparse = chain.top / "sparse"
    with open(sparse, "wb") as file:
        file.truncate(40 * MEBIBYTE + 5)
    overwrite(sparse, 3 * MEBIBYTE + 4096, os.urandom(8192))
    overwrite(sparse, 20 * MEBIBYTE - 4096, os.urandom(8192))
    level = chain.write(piece_bytes)
    assert level.data == level.plain
    assert sorted(set(chain.places("sparse"))) == [ZEROS, IN_MEMBER]
    assert_same(chain.restored("sparse"), sparse)
    overwrite(sparse, 30 * MEBIBYTE, b"new")
    level = chain.write(piece_bytes)
    # What cannot be read by an offset is stored again, once.
    assert chain.places("sparse").count(IN_BLOCKS) == 4
    assert_same(chain.restored("sparse"), sparse)
    overwrite(sparse, 31 * MEBIBYTE, b"newer")
    level = chain.write(piece_bytes)
    assert len(level.blocks) == MEBIBYTE
    assert_same(chain.restored("sparse"), sparse)


def test_names_and_attributes_of_any_length_are_kept(chain):
    name = "n" * 200
    large = chain.top / name
    large.write_bytes(os.urandom(3 * MEBIBYTE))
    os.setxattr(large, "user.some", b"value")
    chain.write()
    overwrite(large, 1, b"x")
    chain.write()
    restored = chain.restored(name)
    assert_same(restored, large)
    assert os.getxattr(restored, "user.some") == b"value"


def test_a_block_that_is_not_what_the_map_says_is_damage(chain):
    large = chain.top / "large"
    large.write_bytes(os.urandom(3 * MEBIBYTE))
    chain.write()
    overwrite(large, 1, b"x")
    level = chain.write()
    level.blocks[5] ^= 1
    with pytest.raises(DamagedArchive, match="has another block 0"):
        chain.restored("large")


@pytest.mark.parametrize("damage", [slice(0, 8), slice(8, 9), slice(9, 11), slice(11, 12), slice(0, None)])
def test_a_map_that_is_none_is_damage(chain, damage):
    (chain.top / "large").write_bytes(os.urandom(3 * MEBIBYTE))
    level = chain.write()
    changed = bytearray(level.maps)
    changed[damage] = b"" if damage.stop is None else b"\xff" * len(changed[damage])
    level.maps = bytes(changed)
    with pytest.raises(DamagedArchive, match="is none"):
        chain.map_of("large")
