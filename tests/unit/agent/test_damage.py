# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is stored is not what was written: it is refused, and the target stays as it was."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import random
import shutil

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import parse_manifest
from ansible_collections.freezer.backup.tests.support.guards import no_hang
from ansible_collections.freezer.backup.tests.support.hostile_archives import archive, folder, member, put
from ansible_collections.freezer.backup.tests.support.sets import Set, differences
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import write

pytestmark = [pytest.mark.rounds, pytest.mark.usefixtures("tiny_segments")]

ROUNDS = rounds(2)
#: What a restore reads. The catalogue and tar's snapshot file are for other purposes: damage there must not keep
#: anybody from data that is whole.
NEEDED_TO_RESTORE = ("data.", "manifest.json")


@pytest.fixture(scope="module", params=["zstd", "gzip", "none"])
def stored(request, tmp_path_factory):
    """Two levels of some hundred kilobytes in segments of 16 KiB, never changed by a test."""
    folder = tmp_path_factory.mktemp(f"stored-{request.param}")
    some = Set(folder, compression=request.param, max_segment_size="16k", max_level=3)
    for number in range(5):
        write(some.source / f"file {number}", random.Random(number).randbytes(30_000) + b"text " * 1000)
    some.backup()
    write(some.source / "file 2", random.Random(99).randbytes(40_000))
    some.backup()
    return some


@pytest.fixture
def copy(stored, tmp_path):
    """A copy of the stored set that a test may damage."""
    shutil.copytree(stored.container, tmp_path / "container")
    some = Set(tmp_path, **{**stored.options, "container": str(tmp_path / "container")})
    some.container = tmp_path / "container"
    return some


def objects(some, needed=None):
    found = sorted(
        path for path in some.container.rglob("*") if path.is_file() and path.name not in (".lock", ".freezer-backup")
    )
    return [path for path in found if needed is None or path.name.startswith(NEEDED_TO_RESTORE) == needed]


def segments(some):
    return [path for path in objects(some) if path.name.startswith("data.")]


def flip_a_bit(path, chosen):
    content = bytearray(path.read_bytes())
    content[chosen.randrange(len(content))] ^= 1 << chosen.randrange(8)
    path.write_bytes(bytes(content))


def truncate(path, chosen):
    os.truncate(path, chosen.randrange(path.stat().st_size))


def append(path, chosen):
    with open(path, "ab") as stream:
        stream.write(chosen.randbytes(chosen.randrange(1, 100)))


def zero_a_block(path, chosen):
    size = path.stat().st_size
    with open(path, "r+b") as stream:
        start = chosen.randrange(size)
        stream.seek(start)
        before = stream.read(512)
        stream.seek(start)
        stream.write(bytes(len(before)) if any(before) else b"\1" * len(before))


def remove(path, _chosen):
    path.unlink()


def replace_by_a_folder(path):
    path.unlink()
    path.mkdir()


def assert_refused(some, work, **options):
    with no_hang(20), pytest.raises(DamagedArchive) as refused:
        work(**options)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("damage", [flip_a_bit, truncate, append, zero_a_block, remove])
def test_damage_anywhere_is_found_by_verify_and_what_a_restore_needs_is_never_restored(stored, copy, damage):
    chosen = random.Random(f"{damage.__name__} {stored.options['compression']}")
    for round_number in range(ROUNDS):
        for path in chosen.sample(objects(copy), 3) + chosen.sample(segments(copy), 2):
            whole = path.read_bytes()
            damage(path, chosen)
            if damage is remove and path.name == "manifest.json" and path.parent.name.endswith("_1"):
                # Without its manifest level 1 is no backup, and level 0 is the newest: nothing is damaged.
                assert copy.info()["incomplete"] == [path.parent.relative_to(copy.container).as_posix()]
                path.write_bytes(whole)
                continue
            for check in ("segments", "stream", "restore"):
                assert_refused(copy, copy.verify, check=check)
            target = copy.new_target()
            if path.name.startswith(NEEDED_TO_RESTORE):
                assert_refused(copy, copy.restore, target=target)
                assert not target.exists(), (round_number, path)
            else:
                copy.restore(target)
                assert differences(stored.source, target) == []
                shutil.rmtree(target)
            path.write_bytes(whole)
    assert copy.verify(check="restore")["outcome"] == "success"


def test_every_single_bit_of_a_manifest_matters(stored):
    path = stored.set_folder / sorted(name for name in stored.backup_folders() if name.endswith("_1"))[0]
    whole = (path / "manifest.json").read_bytes()
    chosen = random.Random(5)
    for position in chosen.sample(range(len(whole)), min(len(whole), 300 * ROUNDS)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            with pytest.raises(DamagedArchive):
                parse_manifest(bytes(damaged), "it")


def test_damage_leaves_a_target_that_is_there_as_it_was(copy):
    flip_a_bit(segments(copy)[-1], random.Random(1))
    target = copy.new_target()
    write(target / "file 2", b"mine")
    os.utime(target, (0, 0))
    assert_refused(copy, copy.restore, target=target, overwrite=True)
    assert [(path.name, path.read_bytes()) for path in target.iterdir()] == [("file 2", b"mine")]
    assert target.stat().st_mtime == 0


def test_swapped_segments_are_refused(copy):
    found = [path for path in segments(copy) if path.parent.name.endswith("_0")]
    for first, second in itertools.pairwise(found):
        one, other = first.read_bytes(), second.read_bytes()
        if one == other:
            continue  # nothing but the zeros at the end of the stream
        first.write_bytes(other)
        second.write_bytes(one)
        assert_refused(copy, copy.verify, check="segments")
        assert_refused(copy, copy.restore)
        first.write_bytes(one)
        second.write_bytes(other)
    assert copy.verify()["outcome"] == "success"


def test_a_folder_in_place_of_an_object_is_refused_in_a_sentence(copy):
    replace_by_a_folder(segments(copy)[0])
    with pytest.raises(FreezerError, match=r"is a folder and not a regular file|is missing"):
        copy.restore()
    replace_by_a_folder(objects(copy)[-1].parent / "manifest.json")
    with pytest.raises(FreezerError, match=r"is a folder and not a regular file|is missing"):
        copy.restore()


def test_an_older_backup_still_restores_when_a_newer_one_is_damaged(copy):
    newest, oldest = copy.info()["backups"]
    for path in copy.container.glob(f"{newest['folder']}/data.*"):
        flip_a_bit(path, random.Random(3))
    assert_refused(copy, copy.restore)
    assert copy.restore(backup_id=oldest["backup_id"])["outcome"] == "success"
    assert copy.restore(restore_from_date=oldest["timestamp"])["outcome"] == "success"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": "freezer-backup"}',
        b'{"format": "freezer-backup", "format_version": 1}',
        b'{"format": "something else", "format_version": 1}',
        b'{"format": "freezer-backup", "format_version": 1, "self_sha256": 5, "segments": 7}',
    ],
)
def test_what_is_no_manifest_is_refused_in_a_sentence(content):
    with pytest.raises(DamagedArchive, match=r"^the place is not (a manifest of a backup|what was written)"):
        parse_manifest(content, "the place")


def test_a_manifest_of_a_later_format_says_that_another_release_is_needed():
    content = json.dumps({"format": "freezer-backup", "format_version": 2}).encode()
    with pytest.raises(DamagedArchive, match="archive format version 2, and this release reads 1; use the release"):
        parse_manifest(content, "the place")


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "..", ".lock"])
def test_a_manifest_that_names_objects_outside_its_backup_is_refused(stored, name):
    path = sorted(stored.set_folder.glob("*_0"))[0] / "manifest.json"
    manifest = parse_manifest(path.read_bytes(), "it")
    for change in ("segments", "snar", "catalogue"):
        forged = parse_manifest(path.read_bytes(), "it")
        odd = type(manifest.snar)(name, 5, "0" * 64)
        setattr(forged, change, [odd] if change == "segments" else odd)
        with pytest.raises(DamagedArchive, match="name has an impossible value"):
            parse_manifest(forged.to_bytes(), "it")


def test_an_archive_that_unpacks_to_something_else_than_the_manifest_says_is_refused(tmp_path):
    """Every hash holds, because somebody wrote them anew; the length of the stream and the members do not."""
    some = Set(tmp_path, compression="gzip")
    write(some.source / "file", b"x" * 100_000)
    folder = some.folder_of(some.backup())
    plain = gzip.decompress((folder / "data.000000").read_bytes())
    for forgery in (plain + bytes(512), plain + bytes(1 << 22), plain[:-10240], plain[: len(plain) // 2]):
        forge(folder, gzip.compress(forgery))
        assert_refused(some, some.verify)
        assert_refused(some, some.restore)
    for garbage in (b"", b"no gzip at all", gzip.compress(plain)[:-5], gzip.compress(plain) + b"rest"):
        forge(folder, garbage)
        assert_refused(some, some.verify)
        assert_refused(some, some.restore)


def forge(folder, data):
    """Give the only segment other bytes and the manifest their hash."""
    manifest = parse_manifest((folder / "manifest.json").read_bytes(), "it")
    kind = type(manifest.snar)
    manifest.segments = [kind("data.000000", len(data), hashlib.sha256(data).hexdigest())]
    (folder / "data.000000").write_bytes(data)
    (folder / "manifest.json").write_bytes(manifest.to_bytes())


@pytest.mark.parametrize("known", [True, False], ids=["length of the stream", "content alone"])
def test_a_stream_that_unpacks_to_more_than_the_manifest_says_is_read_no_further_than_that(tmp_path, known):
    """A few stored bytes can unpack to more than a disk holds: a host without the zstd library does not know the stream's length."""
    some = Set(tmp_path, compression="gzip")
    write(some.source / "file", b"x" * 1000)
    result = some.backup()
    claimed = archive(folder("."), member("./file", content=b"x" * 1000))
    bomb = archive(folder("."), member("./file", content=bytes(64 << 20)))
    put(some, result, claimed, 2, stored=gzip.compress(bomb), **({} if known else {"stream_bytes": None}))
    said = f"more than the expected {len(claimed) if known else 1000} bytes"
    for what in (some.restore, lambda: some.verify(check="stream"), lambda: some.verify(check="restore")):
        with pytest.raises(DamagedArchive, match=said):
            what()
