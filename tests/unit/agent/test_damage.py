# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is stored is not what was written: it is refused, and the target stays as it was."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import shutil

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.frames import unpack_frames
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.compressions import COMPRESSIONS
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import parse_manifest
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import parse_public
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.stored_set import SIGNATURE_NAME
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified import LEAVES_NAME
from ansible_collections.freezer.backup.tests.support.guards import no_hang
from ansible_collections.freezer.backup.tests.support.hostile_archives import archive, folder, member
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import write
from ansible_collections.freezer.backup.tests.support.version_1 import FirstSet, forged, put, read_manifest
from ansible_collections.freezer.backup.tests.support.version_2 import forge

pytestmark = [pytest.mark.rounds, pytest.mark.usefixtures("tiny_segments")]

ROUNDS = rounds(1)
CHECKS = ("segments", "stream", "restore")
#: What every restore reads, by version. Everything else is for other purposes, or read in part: damage there keeps no user from
#: data that is whole.
NEEDED_TO_RESTORE = {
    1: ("data.", "manifest.json"),
    2: ("manifest.json", "catalogue", "frames", "details.json"),
}
#: What is no part of a backup, or can be made anew from the rest; signatures have tests of their own.
SPARE = (".lock", ".freezer-backup", LEAVES_NAME, SIGNATURE_NAME)


@pytest.fixture(scope="module", params=["zstd", "gzip", "none", "version 1"])
def stored(request, tmp_path_factory):
    """Two levels in several segments, never changed by a test."""
    folder = tmp_path_factory.mktemp(f"stored-{request.param}")
    if request.param == "version 1":
        some, size = FirstSet(folder, max_segment_size=65536, max_level=3), 30_000
    else:
        # A segment has whole frames, of 1 MiB.
        some, size = Set(folder, compression=request.param, max_segment_size="16k", max_level=3), 400_000
    some.version = 1 if request.param == "version 1" else 2
    for number in range(5):
        write(some.source / f"file {number}", random.Random(number).randbytes(size) + b"text " * 1000)
    some.backup()
    write(some.source / "file 2", random.Random(99).randbytes(40_000))
    some.backup()
    return some


@pytest.fixture
def copy(stored, tmp_path):
    """A copy of the stored set that a test may damage."""
    shutil.copytree(stored.container, tmp_path / "container")
    options = {**stored.options, "container": str(tmp_path / "container"), "max_segment_size": "16k"}
    some = Set(tmp_path, **options)
    some.container, some.version = tmp_path / "container", stored.version
    return some


def objects(some):
    return sorted(path for path in some.container.rglob("*") if path.is_file() and path.name not in SPARE)


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
    chosen = random.Random(f"{damage.__name__} {stored.options.get('compression')}")
    needed = NEEDED_TO_RESTORE[stored.version]
    refused = 0
    for round_number in range(ROUNDS):
        first = chosen.sample(segments(copy), 3)
        first += chosen.sample([path for path in objects(copy) if path not in segments(copy)], 4)
        for path in objects(copy) if round_number else first:
            whole = path.read_bytes()
            damage(path, chosen)
            if damage is remove and path.name == "manifest.json" and path.parent.name.endswith("_1"):
                # Without its manifest level 1 is no backup, and level 0 is the newest: nothing is damaged.
                assert copy.info()["incomplete"] == [path.parent.relative_to(copy.container).as_posix()]
                path.write_bytes(whole)
                continue
            for check in CHECKS:
                assert_refused(copy, copy.verify, check=check)
            target = copy.new_target()
            with no_hang(20):
                _result, problem = attempt(copy.restore, target)
            if problem is None:
                assert not path.name.startswith(needed), path
                assert differences(stored.source, target) == []
                shutil.rmtree(target)
            else:
                assert isinstance(problem, DamagedArchive)
                assert path.name.startswith((*needed, "data.")), path
                assert not target.exists(), (round_number, path)
                refused += path.name.startswith("data.")
            path.write_bytes(whole)
    assert refused > 0
    assert copy.verify(check="restore")["outcome"] == "success"


@pytest.mark.parametrize("stored", ["zstd"], indirect=True)
@pytest.mark.parametrize("damage", [flip_a_bit, truncate, append, zero_a_block, remove])
def test_leaves_that_are_damaged_or_missing_are_no_loss(stored, copy, damage):
    chosen = random.Random(damage.__name__)
    for path in copy.container.glob(f"*/*/{LEAVES_NAME}"):
        damage(path, chosen)
    for check in CHECKS:
        assert copy.verify(check=check)["outcome"] == "success"
    target = copy.new_target()
    copy.restore(target)
    assert differences(stored.source, target) == []
    # They give no damage a way in.
    flip_a_bit(sorted(copy.container.glob("*/*_1/data.*"))[0], chosen)
    for check in CHECKS:
        assert_refused(copy, copy.verify, check=check)
    assert_refused(copy, copy.restore)


def test_every_single_bit_of_a_manifest_matters(stored):
    path = stored.set_folder / sorted(name for name in stored.backup_folders() if name.endswith("_1"))[0]
    whole = (path / "manifest.json").read_bytes()
    parse = parse_manifest if stored.version == 1 else parse_public
    chosen = random.Random(5)
    for position in chosen.sample(range(len(whole)), min(len(whole), 300 * ROUNDS)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            with pytest.raises(DamagedArchive):
                parse(bytes(damaged), "it")


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


@pytest.mark.parametrize("parse", [parse_manifest, parse_public])
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
        b'{"format": "freezer-backup", "format_version": 2}',
        b'{"format": "something else", "format_version": 1}',
        b'{"format": "freezer-backup", "format_version": 1, "self_sha256": 5, "segments": 7}',
        b'{"format": "freezer-backup", "format_version": 2, "self_sha256": 5, "objects": 7}',
    ],
)
def test_what_is_no_manifest_is_refused_in_a_sentence(content, parse):
    if parse is parse_manifest and b'"format_version": 2' in content:
        content = content.replace(b"2", b"1")
    with pytest.raises(DamagedArchive, match=r"^the place is not (a manifest of a backup|what was written)"):
        parse(content, "the place")


def test_a_manifest_of_a_later_format_says_that_another_release_is_needed(stored, copy):
    path = sorted(copy.set_folder.glob("*_1"))[0] / "manifest.json"
    path.write_bytes(forged(path.read_bytes(), ("format_version",), 3))
    said = "archive format version 3, and this release reads 1 and 2; use the release that wrote it, or a newer one"
    for work in (copy.restore, copy.verify):
        with pytest.raises(DamagedArchive, match=said):
            work()
    assert said in copy.info()["damaged"][0]


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "..", ".lock"])
def test_a_manifest_that_names_objects_outside_its_backup_is_refused(stored, name):
    path = sorted(stored.set_folder.glob("*_0"))[0] / "manifest.json"
    places = [("segments", 0, "name"), ("snar", "name"), ("catalogue", "name")]
    if stored.version == 2:
        places = [("objects", place, "name") for place in range(len(json.loads(path.read_bytes())["objects"]))]
    parse = parse_manifest if stored.version == 1 else parse_public
    for place in places:
        with pytest.raises(DamagedArchive, match="name has an impossible value|which its format does not know"):
            parse(forged(path.read_bytes(), place, name), "it")


def test_a_stream_of_version_1_that_unpacks_to_something_else_than_the_manifest_says_is_refused(tmp_path):
    """Every hash holds, because an attacker wrote them anew; the length of the stream and the members do not."""
    some = FirstSet(tmp_path, compression="gzip")
    write(some.source / "file", b"x" * 100_000)
    result = some.backup()
    plain = gzip.decompress((some.folder_of(result) / "data.000000").read_bytes())
    members = sum(read_manifest(some.folder_of(result)).counts.values())
    forgeries = [plain + bytes(512), plain + bytes(1 << 22), plain[:-10240], plain[: len(plain) // 2]]
    garbage = [b"", b"no gzip at all", gzip.compress(plain)[:-5], gzip.compress(plain) + b"rest"]
    for data in [*map(gzip.compress, forgeries), *garbage]:
        put(some, result, plain, members, stored=data)
        assert some.verify(check="segments")["outcome"] == "success"
        assert_refused(some, some.verify)
        assert_refused(some, some.restore)


@pytest.mark.parametrize("known", [True, False], ids=["length of the stream", "content alone"])
def test_a_stream_of_version_1_is_read_no_further_than_the_manifest_says(tmp_path, known):
    """A few stored bytes can unpack to more than a disk holds: a host without the zstd library does not know the stream's length."""
    some = FirstSet(tmp_path, compression="gzip")
    write(some.source / "file", b"x" * 1000)
    result = some.backup()
    claimed = archive(folder("."), member("./file", content=b"x" * 1000))
    bomb = archive(folder("."), member("./file", content=bytes(64 << 20)))
    put(some, result, claimed, 2, stored=gzip.compress(bomb), **({} if known else {"stream_bytes": None}))
    said = f"more than the expected {len(claimed) if known else 1000} bytes"
    for what in (some.restore, lambda: some.verify(check="stream"), lambda: some.verify(check="restore")):
        with pytest.raises(DamagedArchive, match=said):
            what()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Backups of version 2 with several frames, by their compression; never changed by a test."""
    made = {}
    for compression in COMPRESSIONS:
        made[compression] = some = Set(tmp_path_factory.mktemp(compression), compression=compression)
        write(some.source / "file", random.Random(1).randbytes(1_500_000) + b"x" * 1_500_000)
        some.backup()
    return made


def _frames(forgery):
    """The frames of the only segment."""
    data = forgery.objects[forgery.manifest.segments("data")[0]]
    (sizes,) = unpack_frames(forgery.objects["frames"], 1, "it")
    ends = list(itertools.accumulate(sizes))
    return [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _other_frames(change):
    """A change of the frames, whose table fits, while the details say that the stream is as long as it was."""

    def forge_frames(forgery):
        stream_bytes = forgery.details["stream_bytes"]
        forgery.set_frames(change(forgery, _frames(forgery)), stream_bytes)

    return forge_frames


def _another_length(more):
    def change(forgery):
        forgery.details["stream_bytes"] += more

    return change


def _table(change):
    def forge_table(forgery):
        forgery.objects["frames"] = change(forgery.objects["frames"])

    return forge_table


OTHER_FRAMES = {
    "a frame less": _other_frames(lambda _forgery, frames: frames[:-1]),
    "a frame more": _other_frames(lambda _forgery, frames: [*frames, frames[-1]]),
    "frames in another order": _other_frames(lambda _forgery, frames: [frames[1], frames[0], *frames[2:]]),
    "frames that were cut": _other_frames(lambda _forgery, frames: [one[:-1] for one in frames]),
    "frames with something behind": _other_frames(lambda _forgery, frames: [one + b"rest" for one in frames]),
    "garbage": _other_frames(lambda _forgery, frames: [b"garbage"] * len(frames)),
    "empty frames": _other_frames(lambda forgery, frames: [forgery.packed(b"") or b"\0"] * len(frames)),
    "more than a frame": _other_frames(
        lambda forgery, frames: [forgery.packed(bytes(64 << 20))[: 1 << 20], *frames[1:]]
    ),
    "zeros": _other_frames(lambda forgery, frames: [forgery.packed(bytes(1 << 20)), *frames[1:]]),
}
OTHER_PARTS = {
    "a shorter stream": _another_length(-512),
    "a longer stream": _another_length(512),
    "a stream of a frame more": _another_length(1 << 20),
    "an endless stream": _another_length(1 << 62),
    "no table": _table(lambda _table: b""),
    "a table that is cut": _table(lambda table: table[:-1]),
    "a table with more": _table(lambda table: table + bytes(4)),
    "a table of other sizes": _table(lambda table: table[:7] + bytes([table[7] ^ 1]) + table[8:]),
    "a table of zeros": _table(lambda table: bytes(len(table))),
    "a table of large numbers": _table(lambda table: b"\xff" * len(table)),
    "details of another backup": lambda forgery: forgery.details.update(backup_id="0" * 32),
    "another codec": lambda forgery: forgery.details.update(codec="xz"),
    "frames of another size": lambda forgery: forgery.details.update(frame_bytes=1 << 19),
    "a catalogue that is none": lambda forgery: forgery.set_side("catalogue", b"\0" * 13),
    "a catalogue that is cut": lambda forgery: forgery.set_side("catalogue", forgery.side("catalogue")[:-1]),
}


@pytest.mark.parametrize(
    ("compression", "change"),
    [
        *((compression, name) for compression in COMPRESSIONS for name in OTHER_FRAMES),
        *(("gzip", name) for name in OTHER_PARTS),
    ],
)
def test_a_backup_whose_parts_do_not_fit_together_is_refused_although_every_hash_is_right(
    whole, tmp_path, compression, change
):
    shutil.copytree(whole[compression].container, tmp_path / "container")
    some = Set(tmp_path, **{**whole[compression].options, "container": str(tmp_path / "container")})
    some.container = tmp_path / "container"
    forge(some.set_folder / some.backup_folders()[0], {**OTHER_FRAMES, **OTHER_PARTS}[change])
    target = some.new_target()
    with no_hang(20):
        for work in (some.verify, lambda: some.verify(check="restore"), lambda: some.restore(target)):
            with pytest.raises(DamagedArchive, match=r"\.$"):
                work()
    assert not target.exists()
