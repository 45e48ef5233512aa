# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes through codecs and segments, and back."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import shutil
import threading
import zlib

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import codec as codecs
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import compress
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.codec import codec_for
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import StoredObject
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.segments import (
    FanOut,
    SegmentWriter,
    open_verified,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified_stream import VerifiedStream
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.faulty_storage import FaultyStorage, fails


def data(size):
    chosen = random.Random(size)
    return b"".join(chosen.choice([chosen.randbytes(997), b"text " * 200]) for _count in range(size // 997 + 1))[:size]


@pytest.mark.parametrize("name", ["zstd", "gzip", "none"])
@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 9_999_999])
def test_a_stream_is_what_it_was_after_compression_in_chunks(name, size):
    plain, stored = data(size), io.BytesIO()
    codec = codec_for(name)
    total = compress.compress_stream(io.BufferedReader(io.BytesIO(plain)), codec, stored.write)
    assert total == size
    stored.seek(0)
    assert codec.reader(io.BufferedReader(stored)).read() == plain


@pytest.mark.parametrize("name", ["zstd", "gzip"])
@pytest.mark.parametrize("level", [1, 9])
def test_every_level_of_a_codec_is_read_by_all(name, level):
    stored = codec_for(name, level).frame(data(100_000)) + codec_for(name, 1).frame(b"second frame")
    plain = codec_for(name).reader(io.BufferedReader(io.BytesIO(stored))).read()
    assert plain == data(100_000) + b"second frame"


@pytest.mark.parametrize(
    ("name", "level"), [("lzma", None), ("zstd", 0), ("zstd", 20), ("gzip", 0), ("gzip", 10), ("", None)]
)
def test_an_unknown_codec_or_level_is_refused_with_what_there_is(name, level):
    with pytest.raises(ArchiveError, match=r"use one of|is not between 1 and"):
        codec_for(name, level)


def test_the_best_codec_of_the_host_is_taken(monkeypatch):
    assert codec_for().name == "zstd"
    monkeypatch.setattr(codecs, "zstandard", None)
    monkeypatch.setattr(shutil, "which", lambda name, **_options: f"/usr/bin/{name}")
    assert (codec_for().name, codec_for().filter_argv[:2]) == ("zstd", ["zstd", "-3"])
    monkeypatch.setattr(shutil, "which", lambda name, **_options: None)
    assert codec_for().name == "gzip"
    with pytest.raises(ArchiveError, match="install one of them, or make new backups with compression gzip"):
        codec_for("zstd")


def test_a_write_that_fails_ends_the_compression_and_its_threads():
    def write(_data):
        raise StorageError("Down.")

    before = threading.active_count()
    with pytest.raises(StorageError, match="Down"):
        compress.compress_stream(io.BufferedReader(io.BytesIO(data(20_000_000))), codec_for("none"), write)
    assert threading.active_count() == before


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(str(tmp_path / "container"))


def segments_of(storages, content, segment_bytes, pieces=10_007):
    with SegmentWriter(FanOut(storages), "a_b/1_0", "data", segment_bytes) as writer:
        for start in range(0, len(content), pieces):
            writer.write(content[start : start + pieces])
        return writer.finish()


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2000, 123_456])
def test_a_stream_is_cut_into_segments_of_at_most_the_size_and_read_as_one(storage, size):
    content = data(size)
    stored = segments_of([storage], content, 1000)
    assert [one.name for one in stored] == [f"data.{number:06d}" for number in range(-(-size // 1000))]
    assert all(one.bytes == 1000 for one in stored[:-1])
    for one in stored:
        with storage.open(f"a_b/1_0/{one.name}") as stream:
            assert hashlib.sha256(stream.read()).hexdigest() == one.sha256
    verified = VerifiedStream(storage, "a_b/1_0", stored)
    assert io.BufferedReader(verified).read() == content


def test_segments_go_to_all_storages(tmp_path):
    storages = [LocalStorage(str(tmp_path / name)) for name in ("one", "two", "three")]
    content = data(50_000)
    stored = segments_of(storages, content, 7000)
    for storage in storages:
        assert VerifiedStream(storage, "a_b/1_0", stored).read() == content


def test_a_storage_that_fails_is_left_out_and_the_others_go_on(tmp_path):
    good = LocalStorage(str(tmp_path / "good"))
    bad = FaultyStorage(LocalStorage(str(tmp_path / "bad")), {("commit", 3): fails("Full")})
    fan_out = FanOut([bad, good])
    content = data(50_000)
    with SegmentWriter(fan_out, "a_b/1_0", "data", 1000) as writer:
        writer.write(content)
        assert VerifiedStream(good, "a_b/1_0", writer.finish()).read() == content
    assert (fan_out.working(), list(fan_out.failures)) == ([good], [bad])


def test_when_no_storage_is_left_every_further_step_fails(tmp_path):
    bad = FaultyStorage(LocalStorage(str(tmp_path)), {("commit", 1): fails("Full")})
    fan_out = FanOut([bad])
    with pytest.raises(StorageError, match="Full"), SegmentWriter(fan_out, "a_b/1_0", "data", 1000) as writer:
        writer.write(bytes(500_000))
    with pytest.raises(StorageError, match="Full"):
        fan_out.each(lambda _storage: None)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_writer_that_is_left_unfinished_leaves_no_thread_and_no_half_segment(storage, tmp_path):
    before = threading.active_count()
    with SegmentWriter(FanOut([storage]), "a_b/1_0", "data", 1000) as writer:
        writer.write(bytes(2500))
    assert threading.active_count() == before
    assert storage.children("a_b/1_0") == ["data.000000", "data.000001"]
    assert len(list((tmp_path / "container" / "a_b" / "1_0").iterdir())) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1], "has 99 bytes and should have 100"),
        (lambda content: content + b"x", "has 101 bytes and should have 100"),
        (lambda content: content[:50] + b"\xff" + content[51:], "is not what was written"),
        (lambda content: None, "is missing"),
    ],
)
def test_an_object_that_is_not_what_was_written_is_not_opened(storage, change, message):
    content = data(100)
    wanted = StoredObject("x", 100, hashlib.sha256(content).hexdigest())
    changed = change(content)
    if changed is not None:
        storage.put("a_b/1_0/x", changed)
    with pytest.raises(DamagedArchive, match=message):
        open_verified(storage, "a_b/1_0", wanted)


def test_no_byte_of_a_damaged_segment_is_given_out(storage):
    content = data(10_000)
    stored = segments_of([storage], content, 1000)
    storage.put("a_b/1_0/data.000004", bytes(1000))
    verified = VerifiedStream(storage, "a_b/1_0", stored)
    given = []
    with pytest.raises(DamagedArchive, match="data.000004"):
        given.extend(iter(lambda: verified.read(100), b""))
    assert b"".join(given) == content[:4000]
    verified.close()


@pytest.mark.parametrize("moment", [0, 1, 500, 3999])
def test_a_stream_that_is_closed_early_leaves_no_thread(storage, moment):
    stored = segments_of([storage], data(10_000), 1000)
    before = threading.active_count()
    verified = VerifiedStream(storage, "a_b/1_0", stored)
    verified.read(moment)
    verified.close()
    assert threading.active_count() == before


def test_gzip_members_are_those_of_the_standard(tmp_path):
    stored = codec_for("gzip").frame(b"one") + codec_for("gzip").frame(b"") + codec_for("gzip").frame(b"two")
    assert gzip.decompress(stored) == b"onetwo"
    with pytest.raises((EOFError, zlib.error, gzip.BadGzipFile)):
        codec_for("gzip").reader(io.BufferedReader(io.BytesIO(stored[:-1]))).read()
