# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of frames and maps of large files, at random: what is written is read back, all other bytes have one error."""

from __future__ import annotations

import io
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.block_maps import (
    BLOCK_BYTES,
    IN_BLOCKS,
    IN_DATA,
    IN_MEMBER,
    ZERO,
    Entry,
    PlainMaps,
    pack_map,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.frames import (
    FRAME_BYTES,
    MOST_FRAME_BYTES,
    FrameTable,
    pack_frames,
    unpack_frames,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.tests.support.sets import attempt
from ansible_collections.freezer.backup.tests.support.soak import SOAK, rounds

pytestmark = pytest.mark.rounds
quick = settings(max_examples=rounds(40), deadline=None, derandomize=not SOAK, database=None)
LEVEL = 3

segments = st.lists(st.lists(st.integers(1, MOST_FRAME_BYTES), min_size=1, max_size=5), max_size=4)
hashes = st.binary(min_size=32, max_size=32).filter(any)
entries = st.one_of(
    st.just(ZERO),
    st.builds(Entry, st.sampled_from([IN_DATA, IN_BLOCKS]), st.integers(0, LEVEL), st.integers(0, (1 << 63) - 1), hashes),
    st.builds(Entry, st.just(IN_MEMBER), st.just(LEVEL), st.just(0), st.binary(min_size=32, max_size=32)),
)  # fmt: skip


@quick
@given(segments, st.integers(0, FRAME_BYTES - 1))
def test_any_table_of_frames_is_read_as_it_was_written_and_says_where_each_frame_is(sizes, short):
    found = unpack_frames(pack_frames(sizes), len(sizes), "it")
    assert list(map(list, found)) == list(map(list, sizes))
    count = sum(map(len, sizes))
    if not count:
        return
    table = FrameTable(found, count * FRAME_BYTES - short)
    expected = [
        (number, end - size, end)
        for number, one in enumerate(sizes)
        for size, end in zip(one, accumulate(one), strict=True)
    ]
    assert [table.place(frame) for frame in range(count)] == expected
    assert sum(table.plain_bytes(frame) for frame in range(count)) == table.stream_bytes


def _one_byte_changed(stored, place, value):
    place %= len(stored) or 1
    return stored[:place] + bytes([value]) + stored[place + 1 :]


changes = st.tuples(st.integers(0, 1 << 16), st.integers(0, 255))


@quick
@given(
    st.binary(max_size=60)
    | st.builds(lambda sizes, change: _one_byte_changed(pack_frames(sizes), *change), segments, changes),
    st.integers(0, 4),
)
def test_any_bytes_are_the_one_form_of_a_table_of_frames_or_none(stored, count):
    found, problem = attempt(unpack_frames, stored, count, "it")
    if problem is None:
        assert (pack_frames(found), len(found)) == (stored, count)
    else:
        assert isinstance(problem, DamagedArchive)


def _maps(tmp_path_factory, stored):
    return PlainMaps(io.BytesIO(stored), len(stored), str(tmp_path_factory.getbasetemp()), "it", LEVEL)


def _packed(one):
    return b"".join(pack_map(one, len(one)))


@quick
@given(st.lists(st.lists(entries, max_size=4), max_size=4), st.integers(0, BLOCK_BYTES - 1))
def test_any_maps_are_read_as_they_were_written(tmp_path_factory, files, short):
    stored = list(map(_packed, files))
    with _maps(tmp_path_factory, b"".join(stored)) as maps:
        begins = [0, *accumulate(map(len, stored))]
        for one, begin in zip(files, begins, strict=False):
            assert list(maps.entries(begin, max(len(one) * BLOCK_BYTES - short, len(one)))) == one


@quick
@given(
    st.binary(max_size=120) | st.builds(lambda one, change: _one_byte_changed(_packed(one), *change), st.lists(entries, max_size=3), changes),
    st.integers(0, 60) | st.just((1 << 63) - 1),
    st.integers(0, 3 * BLOCK_BYTES) | st.sampled_from([1 << 40, (1 << 63) - 1]),
)  # fmt: skip
def test_any_bytes_are_the_one_form_of_a_map_or_none(tmp_path_factory, stored, begin, size):
    with _maps(tmp_path_factory, stored) as maps:
        found, problem = attempt(lambda: list(maps.entries(begin, size)))
    if problem is None:
        assert stored[begin:].startswith(_packed(found))
        assert all(one.level <= LEVEL for one in found)
    else:
        assert isinstance(problem, DamagedArchive)
