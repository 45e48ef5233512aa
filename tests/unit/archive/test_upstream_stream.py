# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Streams of upstream's agent: decompressed in small pieces, decrypted, and refused when they are damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import decompressors as room
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.upstream_stream import upstream_stream
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.upstream_tar import Level
from ansible_collections.freezer.backup.plugins.module_utils._engine.progress import Progress
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.upstream import (
    UpstreamBackup,
    UpstreamManifest,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.upstream_backups import HOST, PASSPHRASE, unpack

PLAIN = b"".join(b"line %d\n" % number for number in range(150_000))
COMPRESS = {
    "gzip": lambda data: gzip.compress(data, 1),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}
WAYS = ("gzip", "bzip2", "xz", "sealed")


@pytest.fixture
def read(tmp_path):
    """Stores bytes as the stream of a backup, and returns its plain blocks."""

    def of(
        stored: bytes, compression: str | None = None, encrypted: bool | None = None, passphrase: str | None = None
    ) -> list[bytes]:
        (tmp_path / "it").mkdir(exist_ok=True)
        (tmp_path / "it" / "data").write_bytes(stored)
        manifest = UpstreamManifest(HOST, "tree", 1, 0, 1, compression, encrypted, len(stored))
        secret = Passphrase(passphrase.encode()) if passphrase else None
        backup = UpstreamBackup(manifest, "it")
        with upstream_stream(LocalStorage(str(tmp_path)), backup, secret, Progress()) as blocks:
            return list(blocks)

    return of


@pytest.mark.parametrize("name", COMPRESS)
def test_a_stream_comes_in_blocks_of_a_mebibyte_at_most_and_its_compression_is_found(read, name):
    blocks = read(COMPRESS[name](PLAIN))
    assert b"".join(blocks) == PLAIN
    assert max(map(len, blocks)) <= 1 << 20
    assert read(COMPRESS[name](PLAIN), name, encrypted=False) == blocks


@pytest.mark.parametrize("name", COMPRESS)
def test_streams_behind_each_other_are_one(read, name):
    """As pigz, pbzip2 and the like write them, wherever the pieces that are read end."""
    both = COMPRESS[name](PLAIN) + COMPRESS[name](b"more")
    assert b"".join(read(both)) == PLAIN + b"more"
    padding = COMPRESS[name](random.Random(1).randbytes(1 << 20))
    assert len(b"".join(read(padding[: 1 << 20] + padding[1 << 20 :] + COMPRESS[name](b"more")))) == (1 << 20) + 4


@pytest.mark.parametrize("name", COMPRESS)
def test_what_is_cut_off_or_followed_by_something_is_refused(read, name):
    whole = COMPRESS[name](PLAIN[:5000])
    for broken, words in (
        (whole[:-1], "ends too early"),
        (whole[: len(whole) // 2], "ends too early"),
        (whole + b"something that is no stream", "does not decompress"),
        (b"", "does not begin as compressed data"),
        (whole[1:], "does not begin as compressed data"),
    ):
        with pytest.raises(DamagedArchive, match=words):
            read(broken)


def test_another_compression_or_encryption_than_the_metadata_say_is_refused(read):
    with pytest.raises(DamagedArchive, match=r"does not begin as compressed data \(xz\)"):
        read(gzip.compress(b"x"), "xz")
    with pytest.raises(DamagedArchive, match="is encrypted by its metadata"):
        read(gzip.compress(b"x"), encrypted=True)
    with pytest.raises(DamagedArchive, match="is not encrypted by its metadata"):
        read(b"Salted__" + bytes(100), encrypted=False)
    with pytest.raises(DamagedArchive, match="ends after its first 16 bytes"):
        read(b"Salted__" + bytes(8), passphrase="x")
    with pytest.raises(DamagedArchive):
        read(b"Salted__" + bytes(3), passphrase="x")


def test_few_stored_bytes_take_little_memory(read, monkeypatch):
    """An attacker can ask for any dictionary; xz -9 has one of 64 MiB."""
    greedy = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    with pytest.raises(DamagedArchive, match="does not decompress .*[Mm]emory"):
        read(lzma.compress(b"x", filters=greedy))
    assert b"".join(read(lzma.compress(b"x", preset=9))) == b"x"
    assert max(map(len, read(gzip.compress(bytes(8 << 20), 9)))) <= 1 << 20
    monkeypatch.setattr(room.importlib, "import_module", _no_module)
    with pytest.raises(ArchiveError, match="has no module lzma, which xz needs"):
        read(lzma.compress(b"x"))


def _no_module(name: str):
    raise ImportError(name)


@pytest.mark.rounds
@pytest.mark.parametrize("way", WAYS)
def test_no_damage_of_a_stream_goes_unnoticed(tmp_path, way, read):
    """Cut off anywhere, or with one flipped bit: it is refused, or all of it is as it was."""
    data = next((unpack(tmp_path) / "data" / "tar" / f"{HOST}_{way}").rglob("0_*/data"))
    whole = data.read_bytes()
    passphrase = PASSPHRASE if way == "sealed" else None
    plain = read(whole, passphrase=passphrase)
    assert [member.name for member in Level("it", iter(plain))][:1] == [b"."]
    choose = random.Random(way)
    for number in range(rounds(150)):
        broken = bytearray(whole)
        if number % 4 == 0:
            del broken[choose.randrange(len(whole)) :]
        else:
            broken[choose.randrange(len(whole))] ^= 1 << choose.randrange(8)
        try:
            assert read(bytes(broken), passphrase=passphrase) == plain, number
        except DamagedArchive:
            pass
