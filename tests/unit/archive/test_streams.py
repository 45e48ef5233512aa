# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes through codecs and segments, and back."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import random
import resource
import shutil
import sys
import threading

import pytest
import zstandard

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import codec as codecs
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import frame_writer
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.codec import codec_for
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.compress import Compressor
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.decompressors import Undecodable
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.frame_writer import FrameWriter, NewObjects
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.sealed import Unsealed
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.compressions import COMPRESSIONS, LEVELS
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import StoredObject
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.segments import (
    FanOut,
    open_verified,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified import BackupObjects
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified_stream import VerifiedStream
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.faulty_storage import FaultyStorage, fails


def data(size):
    chosen = random.Random(size)
    return b"".join(chosen.choice([chosen.randbytes(997), b"text " * 200]) for _count in range(size // 997 + 1))[:size]


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_333_333])
@pytest.mark.parametrize("step", [1 << 20, 1_234_567])
def test_a_stream_is_what_it_was_after_compression_in_chunks(name, size, step):
    plain, stored = data(size), io.BytesIO()
    codec = codec_for(name)
    frames = []
    with Compressor(codec, frames.append) as packed:
        for start in range(0, size, step):
            packed.write(plain[start : start + step])
        packed.finish()
    assert (packed.size, len(frames)) == (size, -(-size // (1 << 20)))
    assert [len(codec.plain(frame, 1 << 20)) for frame in frames[:-1]] == [1 << 20] * len(frames[:-1])
    stored.write(b"".join(frames))
    stored.seek(0)
    assert codec.reader(io.BufferedReader(stored)).read() == plain


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("level", [1, 9])
def test_every_level_of_a_codec_is_read_by_all(name, level):
    stored = codec_for(name, level).frame(data(100_000)) + codec_for(name, 1).frame(b"second frame")
    plain = codec_for(name).reader(io.BufferedReader(io.BytesIO(stored))).read()
    assert plain == data(100_000) + b"second frame"


@pytest.mark.parametrize("kind", [codecs.Zstd, codecs.ZstdProgram])
@pytest.mark.parametrize("window_log", [23, 27])
def test_a_frame_that_refers_to_more_than_a_writer_has_is_refused_before_it_takes_the_memory(kind, window_log):
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
    squeeze = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    stored = squeeze.compress(b"content") + squeeze.flush()
    codec = kind(3)
    with codec.reader(io.BufferedReader(io.BytesIO(stored))) as plain:
        if window_log == 23:
            assert plain.read() == b"content"
        else:
            with pytest.raises(codec.decode_errors):
                plain.read()


@pytest.mark.parametrize(
    ("name", "level"),
    [("rar", None), ("zstd", 0), ("zstd", 20), ("gzip", 0), ("gzip", 10), ("bzip2", 10), ("xz", 0), ("", None)],
)
def test_an_unknown_codec_or_level_is_refused_with_what_there_is(name, level):
    with pytest.raises(ArchiveError, match=r"use one of|is not between 1 and"):
        codec_for(name, level)


def test_the_best_codec_of_the_host_is_taken(monkeypatch):
    assert codec_for().name == "zstd"
    monkeypatch.setattr(codecs, "zstandard", None)
    monkeypatch.setattr(shutil, "which", lambda name, **_options: f"/usr/bin/{name}")
    assert (codec_for().name, type(codec_for())) == ("zstd", codecs.ZstdProgram)
    monkeypatch.setattr(shutil, "which", lambda name, **_options: None)
    assert codec_for().name == "gzip"
    with pytest.raises(ArchiveError, match="install one of them, or make new backups with compression gzip"):
        codec_for("zstd")


def test_a_write_that_fails_ends_the_compression_and_its_threads():
    def write(_data):
        raise StorageError("Down.")

    before = threading.active_count()
    plain = data(1 << 20)
    with Compressor(codec_for("none"), write) as packed, pytest.raises(StorageError, match="Down"):
        packed.write(20 * plain)
    assert threading.active_count() == before


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(str(tmp_path / "container"))


def segments_of(storage, content, segment_bytes):
    """Segments as version 1 has them: cut anywhere."""
    stored = []
    for number, start in enumerate(range(0, len(content), segment_bytes)):
        part = content[start : start + segment_bytes]
        storage.put(f"a_b/1_0/data.{number:06d}", part)
        stored.append(StoredObject(f"data.{number:06d}", len(part), hashlib.sha256(part).hexdigest()))
    return stored


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2000, 123_456])
def test_segments_are_read_as_one_stream(storage, size):
    content = data(size)
    verified = VerifiedStream(storage, "a_b/1_0", segments_of(storage, content, 1000))
    assert io.BufferedReader(verified).read() == content


FRAMES = [data(size) for size in (900, 200, 1000, 1001, 50, 950, 1, 300)]
#: What fits together into 1000 bytes, and what is larger alone.
IN_SEGMENTS = [[0], [1], [2], [3], [4, 5], [6, 7]]


def write_frames(storages, frames=FRAMES, segment_bytes=1000, finish=True):
    """What a writer of frames has stored, and its fan-out."""
    fan_out = storages if isinstance(storages, FanOut) else FanOut(storages)
    new = NewObjects(fan_out, "a_b/1_0", Unsealed())
    with FrameWriter(new, "data", ".x", segment_bytes) as writer:
        for frame in frames:
            writer.write(frame)
        if finish:
            writer.finish()
    return new, list(map(list, writer.frames))


def read_all(storage, objects):
    with BackupObjects(storage, "a_b/1_0", objects) as opened:
        return b"".join(opened.object(one.name).read(0, one.bytes) for one in objects)


def test_whole_frames_go_into_segments_of_at_most_the_size_if_they_are_no_larger(storage):
    new, sizes = write_frames([storage])
    assert [one.name for one in new.objects] == [f"data.{number:06d}.x" for number in range(len(IN_SEGMENTS))]
    assert sizes == [[len(FRAMES[number]) for number in segment] for segment in IN_SEGMENTS]
    assert [one.bytes for one in new.objects] == [sum(segment) for segment in sizes]
    assert read_all(storage, new.objects) == b"".join(FRAMES)


def test_segments_go_to_all_storages(tmp_path):
    storages = [LocalStorage(str(tmp_path / name)) for name in ("one", "two", "three")]
    new, _sizes = write_frames(storages)
    new.store_leaves()
    for storage in storages:
        assert read_all(storage, new.objects) == b"".join(FRAMES)
        assert storage.read("a_b/1_0/leaves", 1 << 20) == b"".join(hashlib.sha256(
            b"".join(FRAMES[number] for number in segment)).digest() for segment in IN_SEGMENTS)  # fmt: skip


def test_a_storage_that_fails_is_left_out_and_the_others_go_on(tmp_path):
    good = LocalStorage(str(tmp_path / "good"))
    bad = FaultyStorage(LocalStorage(str(tmp_path / "bad")), {("commit", 3): fails("Full")})
    fan_out = FanOut([bad, good])
    new, _sizes = write_frames(fan_out)
    assert read_all(good, new.objects) == b"".join(FRAMES)
    assert (fan_out.working(), list(fan_out.failures)) == ([good], [bad])


def test_when_no_storage_is_left_every_further_step_fails(tmp_path):
    bad = FaultyStorage(LocalStorage(str(tmp_path)), {("commit", 1): fails("Full")})
    fan_out = FanOut([bad])
    with pytest.raises(StorageError, match="Full"):
        write_frames(fan_out, [bytes(900)] * 500)
    with pytest.raises(StorageError, match="Full"):
        fan_out.each(lambda _storage: None)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_writer_that_is_left_unfinished_leaves_no_thread_and_no_half_segment(storage, tmp_path):
    before = threading.active_count()
    write_frames([storage], [bytes(1000)] * 3, finish=False)
    assert threading.active_count() == before
    assert storage.children("a_b/1_0") == ["data.000000.x", "data.000001.x"]
    assert len(list((tmp_path / "container" / "a_b" / "1_0").iterdir())) == 2


def test_more_segments_than_a_manifest_has_room_for_are_refused_with_what_to_do(storage, monkeypatch):
    monkeypatch.setattr(frame_writer, "MOST_SEGMENTS", 3)
    with pytest.raises(ArchiveError, match="has at most 3 segments.*choose a larger max_segment_size"):
        write_frames([storage])


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
    stored = segments_of(storage, content, 1000)
    storage.put("a_b/1_0/data.000004", bytes(1000))
    verified = VerifiedStream(storage, "a_b/1_0", stored)
    given = []
    with pytest.raises(DamagedArchive, match="data.000004"):
        given.extend(iter(lambda: verified.read(100), b""))
    assert b"".join(given) == content[:4000]
    verified.close()


@pytest.mark.parametrize("moment", [0, 1, 500, 3999])
def test_a_stream_that_is_closed_early_leaves_no_thread(storage, moment):
    stored = segments_of(storage, data(10_000), 1000)
    before = threading.active_count()
    verified = VerifiedStream(storage, "a_b/1_0", stored)
    verified.read(moment)
    verified.close()
    assert threading.active_count() == before


def test_gzip_members_are_those_of_the_standard(tmp_path):
    stored = codec_for("gzip").frame(b"one") + codec_for("gzip").frame(b"") + codec_for("gzip").frame(b"two")
    assert gzip.decompress(stored) == b"onetwo"
    with pytest.raises(Undecodable):
        codec_for("gzip").reader(io.BufferedReader(io.BytesIO(stored[:-1]))).read()


@pytest.mark.parametrize("stored", [0, 1, 1 << 20])
def test_the_zstd_program_reads_and_writes_frame_by_frame(stored):
    if shutil.which("zstd") is None:
        pytest.skip("there is no zstd program here")
    program, library, plain = codecs.ZstdProgram(3), codecs.Zstd(3), data(stored)
    for one, other in ((program, library), (library, program), (program, program)):
        assert other.plain(one.frame(plain), stored) == plain
    assert zstandard.frame_content_size(program.frame(plain)) == stored


@pytest.mark.parametrize(
    "frame",
    [b"", b"no frame", zstandard.compress(data(5000))[:-3], zstandard.compress(data(5000)) + b"rest"],
    ids=["nothing", "garbage", "cut", "more"],
)
def test_what_is_no_frame_is_an_error_for_the_program_as_for_the_library(frame):
    if shutil.which("zstd") is None:
        pytest.skip("there is no zstd program here")
    for codec in (codecs.ZstdProgram(3), codecs.Zstd(3)):
        try:
            assert codec.plain(frame, 5000) != data(5000)
        except codec.decode_errors:
            pass


@pytest.mark.parametrize("name", ["zstd program", *COMPRESSIONS])
def test_a_frame_that_holds_more_than_it_should_takes_no_more_memory_than_that(name):
    """A few stored bytes can unpack to more than there is memory."""
    if name == "zstd program" and shutil.which("zstd") is None:
        pytest.skip("there is no zstd program here")
    codec = codecs.ZstdProgram(3) if name == "zstd program" else codec_for(name)
    bomb = (codec_for("zstd") if name == "zstd program" else codec).frame(bytes(64 << 20))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        assert len(codec.plain(bomb, 1 << 20)) <= (1 << 20) + 1
    except codec.decode_errors:
        pass
    if name == "zstd program":
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 128 << 10)


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("level", [1, None])
def test_a_chunk_that_does_not_shrink_is_stored(name, level):
    """Within the frame, so that the stream stays one for any tool. Only bzip2 cannot, and costs a percent."""
    chunk = random.Random(1).randbytes(1 << 20)
    assert len(codec_for(name, level).frame(chunk)) < len(chunk) + ((1 << 20) // 100 if name == "bzip2" else 512)


def test_a_frame_of_xz_that_wants_a_larger_dictionary_than_a_frame_is_refused():
    """The dictionary is memory of the reader, and what writes to a storage says how large it is."""
    greedy = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    codec = codec_for("xz")
    with pytest.raises(Undecodable, match="[Mm]emory"):
        codec.plain(greedy, 1)
    with pytest.raises(Undecodable, match="[Mm]emory"):
        codec.reader(io.BufferedReader(io.BytesIO(greedy))).read()
    best = codec_for("xz", 9).frame(data(1 << 20))
    assert codec.plain(best, 1 << 20) == data(1 << 20)


@pytest.mark.parametrize(("name", "module"), [("bzip2", "bz2"), ("xz", "lzma")])
def test_a_python_that_was_built_without_a_compression_is_a_sentence(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ArchiveError, match=f"The Python of this host has no module {module}, which {name} needs"):
        codec_for(name)
