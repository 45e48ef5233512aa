# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A stream becomes frames in segments, and any part of it comes back, verified."""

from __future__ import annotations

import os
import random
import tracemalloc

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.frames import (
    FRAME_BYTES,
    FrameTable,
    pack_frames,
    unpack_frames,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.sealings import ForKeyPair, WithPassphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.compressions import COMPRESSIONS
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import SealingError
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import X25519Identity
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.tests.support.stored_streams import StoredStream


def _for_key_pair():
    identity = X25519Identity.generate()
    return ForKeyPair(identity.recipient, [identity])


SEALINGS = {"age": _for_key_pair, "aes-256-cfb": lambda: WithPassphrase(Passphrase(b"correct horse"))}


def content(size: int) -> bytes:
    """Text and noise by turns, so that frames have different sizes."""
    parts = random.Random(size)
    found = b""
    while len(found) < size:
        found += parts.randbytes(300_000) if parts.random() < 0.5 else b"the same again " * 30_000
    return found[:size]


@pytest.fixture
def container(tmp_path):
    return tmp_path / "container"


@pytest.mark.parametrize("codec", COMPRESSIONS)
@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES, FRAME_BYTES + 1, 5 * FRAME_BYTES + 17])
def test_a_stream_comes_back_whole(container, codec, size):
    plain = content(size)
    backup = StoredStream(container, plain, codec)
    assert backup.read() == plain
    assert len(backup.names) == len(list(backup.path.glob("data.*")))


def test_any_part_of_it_comes_back(container):
    plain = content(6 * FRAME_BYTES + 100)
    backup = StoredStream(container, plain)
    assert len(backup.names) > 1
    rounds = random.Random(1)
    for _round in range(50):
        borders = sorted(rounds.randrange(len(plain) + 1) for _end in range(2 * rounds.randint(1, 8)))
        ranges = list(zip(borders[::2], borders[1::2], strict=True))
        assert backup.read(*ranges) == b"".join(plain[begin:end] for begin, end in ranges)


def test_little_of_the_ranges_is_asked_for_before_it_is_read_however_well_a_stream_was_compressed(container):
    frames, each = 64, 4
    backup = StoredStream(container, bytes(frames * FRAME_BYTES))
    size = FRAME_BYTES // each
    asked = []

    def ranges():
        for begin in range(0, frames * FRAME_BYTES, size):
            asked.append(begin)
            yield begin, begin + size

    with backup.open() as stream, stream.read(ranges()) as blocks:
        assert len(next(blocks)) == FRAME_BYTES
        assert len(asked) <= 24 * each
        assert sum(map(len, blocks)) == (frames - 1) * FRAME_BYTES
    assert len(asked) == frames * each


@pytest.mark.parametrize("kind", ["age", "aes-256-cfb"])
@pytest.mark.parametrize("size", [0, 1, 3 * FRAME_BYTES + 12345])
def test_a_sealed_stream_comes_back_whole_and_in_parts(container, kind, size):
    plain = os.urandom(size)
    backup = StoredStream(container, plain, sealing=SEALINGS[kind]())
    assert backup.read() == plain
    stored = b"".join(path.read_bytes() for path in sorted(backup.path.glob("data.*")))
    assert size < 64 or plain[:64] not in stored
    for begin, end in ((0, size), (size // 3, size // 2), (size, size)):
        assert backup.read((begin, end)) == plain[begin:end]


def test_a_sealed_stream_is_not_opened_without_the_secret_half_or_with_another_one(container):
    ours, other = X25519Identity.generate(), X25519Identity.generate()
    backup = StoredStream(container, b"secret" * 1000, sealing=ForKeyPair(ours.recipient))
    for sealing in (ForKeyPair(ours.recipient), ForKeyPair(other.recipient, [other])):
        backup.sealing = sealing
        with pytest.raises(SealingError, match="key"):
            backup.read()
    backup.sealing = ForKeyPair(ours.recipient, [ours])
    assert backup.read() == b"secret" * 1000


@pytest.mark.parametrize("ranges", [[(5, 4)], [(0, 9), (8, 10)], [(0, FRAME_BYTES + 1)], [(-1, 5)]])
def test_parts_that_it_does_not_have_are_damage(container, ranges):
    with pytest.raises(DamagedArchive, match="has none from"):
        StoredStream(container, content(FRAME_BYTES)).read(*ranges)


def test_a_segment_has_whole_frames_and_no_more_than_it_may_have(container):
    backup = StoredStream(container, content(6 * FRAME_BYTES), segment_bytes=1 << 21)
    for name in backup.names:
        assert (backup.path / name).stat().st_size <= 1 << 21
    assert backup.codec.plain(
        (backup.path / "data.000001.x").read_bytes()[: backup.table.place(backup.table.frames_in(1)[0])[2]], FRAME_BYTES
    )


def test_a_part_costs_what_it_is_and_not_what_the_backup_is(container, monkeypatch):
    plain = os.urandom(12 * FRAME_BYTES)
    backup = StoredStream(container, plain, segment_bytes=64 << 20)
    asked = []
    ranges = type(backup.storage.ranges("set/1_0/data.000000.x"))
    read = ranges.read
    monkeypatch.setattr(ranges, "read", lambda self, begin, size: asked.append(size) or read(self, begin, size))
    assert (
        backup.read((7 * FRAME_BYTES + 5, 7 * FRAME_BYTES + 600)) == plain[7 * FRAME_BYTES + 5 : 7 * FRAME_BYTES + 600]
    )
    assert sum(asked) <= 3 << 20


def test_damage_is_found_before_a_byte_of_it_is_given_out(container):
    plain = os.urandom(4 * FRAME_BYTES)
    backup = StoredStream(container, plain, segment_bytes=64 << 20)
    path = backup.path / "data.000000.x"
    stored = bytearray(path.read_bytes())
    stored[2 * FRAME_BYTES + 1000] ^= 1
    path.write_bytes(stored)
    assert backup.read((0, FRAME_BYTES)) == plain[:FRAME_BYTES]
    got = []
    with (
        backup.open() as stream,
        pytest.raises(DamagedArchive, match="not what was written"),
        stream.read() as blocks,
    ):
        got += blocks
    assert plain.startswith(b"".join(got))


@pytest.mark.parametrize(
    "change",
    [
        lambda packed: packed[:-1],
        lambda packed: packed + b"\0",
        lambda packed: b"\0" * len(packed),
        lambda packed: b"\xff" * len(packed),
        lambda packed: b"",
    ],
)
def test_a_table_that_is_none_is_damage(change):
    packed = pack_frames([[5, 6], [7]])
    assert list(map(list, unpack_frames(packed, 2, "it"))) == [[5, 6], [7]]
    with pytest.raises(DamagedArchive):
        unpack_frames(change(packed), 2, "it")


def test_a_table_of_very_many_frames_takes_little_more_than_what_is_stored_of_it():
    count = 1 << 20
    packed = pack_frames([[1] * count])
    tracemalloc.start()
    try:
        table = FrameTable(unpack_frames(packed, 1, "it"), count * FRAME_BYTES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    for frame in (0, 255, 256, 70_000, count - 1):
        assert table.place(frame) == (0, frame, frame + 1)
    assert table.segment_bytes(0) == count
    assert peak < 1.5 * len(packed), f"{peak >> 20} MiB"


@pytest.mark.parametrize("size", [0, FRAME_BYTES, 3 * FRAME_BYTES])
def test_a_table_of_another_stream_is_damage(size):
    with pytest.raises(DamagedArchive, match="cannot have 2 frames"):
        FrameTable([[5, 5]], size)


@pytest.mark.parametrize("codec", COMPRESSIONS)
def test_a_frame_that_holds_more_or_less_than_it_should_is_damage(container, codec):
    backup = StoredStream(container, content(FRAME_BYTES + 5), codec)
    for size in (FRAME_BYTES + 4, FRAME_BYTES + 6):
        backup.table = FrameTable(unpack_frames(backup.packed_frames, len(backup.names), "it"), size)
        with pytest.raises(DamagedArchive, match="does not decompress"):
            backup.read()
