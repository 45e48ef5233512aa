# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Others write to the storage: whatever stands there, it is damage to one backup, and hides and stops nothing else."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tracemalloc

import pytest
import zstandard

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media.writing_keys import WritingKeys
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.run_records import RunRecords
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import create
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.records import FIELDS, Member
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import (
    MOST_MANIFEST_BYTES,
    parse_manifest,
    with_digest,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import parse_public
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import OddObject, StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.guards import no_hang
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences
from ansible_collections.freezer.backup.tests.support.trees import write
from ansible_collections.freezer.backup.tests.support.version_1 import FirstSet, forged
from ansible_collections.freezer.backup.tests.support.version_2 import forge

#: A value of a manifest in a place, and what stands there in its stead. Its own SHA-256 is made right again.
ODD_IN_ANY_MANIFEST = [
    (("timestamp",), "soon"),
    (("timestamp",), 1.5),
    (("timestamp",), None),
    (("timestamp",), True),
    (("timestamp",), -1),
    (("timestamp",), 10**15),
    (("timestamp",), 10**400),
    (("level",), "0"),
    (("level",), 10**9),
    (("backup_id",), 5),
    (("backup_id",), "../../x"),
    (("backup_id",), "\x1b[2J" + 28 * "0"),
    (("hostname",), 5),
    (("hostname",), None),
    (("hostname",), "../../x"),
    (("hostname",), ".."),
    (("hostname",), "another"),
    (("backup_name",), ["tree"]),
    (("backup_name",), "tree/../../x"),
    (("parent",), "1_0"),
    (("parent",), {"folder": "../../etc", "backup_id": 32 * "0", "manifest_sha256": 64 * "0"}),
    (("parent",), {"folder": "1_7", "backup_id": 32 * "0", "manifest_sha256": 64 * "0"}),
    (("outcome",), "splendid"),
    (("sealing",), 5),
    (("time_started",), float("nan")),
    (("time_ended",), float("inf")),
    (("time_ended",), "x"),
    (("a new field",), 1),
]
#: What both the manifest of version 1 and the details of version 2 say.
ODD_DETAILS = [
    (("path",), 7),
    (("path",), "\ud800"),
    (("real_path",), {}),
    (("single_file",), "a/b"),
    (("source_bytes",), "many"),
    (("source_bytes",), [[]]),
    (("stream_bytes",), {}),
    (("counts",), None),
    (("counts",), {"files": "x"}),
    (("counts",), [1]),
    (("selection",), []),
    (("selection", "exclude"), "x"),
    (("codec",), "rot13"),
    (("codec",), []),
    (("unreadable",), [{"path": 5, "message": "x"}]),
    (("unreadable",), [{"path": "\ud800", "message": "x"}]),
    (("warnings",), 1),
    (("tar",), "1.34"),
    (("host",), {}),
    (("hold",), 5),
    (("snapshot",), [{}]),
    (("a new field",), 1),
]
ODD_IN_VERSION_1 = [
    (("segments",), {}),
    (("segments",), []),
    (("segments",), [5]),
    (("segments", 0, "bytes"), "1"),
    (("segments", 0, "bytes"), -1),
    (("segments", 0, "name"), "../../x"),
    (("segments", 0, "name"), "snar.gz"),
    (("segments", 0, "sha256"), None),
    (("catalogue",), None),
    (("snar", "bytes"), 10**19),
]
ODD_IN_VERSION_2 = [
    (("objects",), {}),
    (("objects",), []),
    (("objects",), [5]),
    (("objects", 0, "bytes"), "1"),
    (("objects", 0, "bytes"), -1),
    (("objects", 0, "bytes"), 10**19),
    (("objects", 0, "bytes"), (1 << 41) + 1),
    (("objects", 0, "name"), "../../x"),
    (("objects", 0, "name"), "snar.zst"),
    (("objects", 0, "name"), "data.000001.zst"),
    (("objects", 0, "tree"), None),
    (("objects", 0, "tree"), 64 * "A"),
    (("objects", 0, "sha256"), 64 * "0"),
    (("sealing",), {"method": "rot13", "key_id": None}),
    (("sealing",), {"method": "age", "key_id": 32 * "0"}),
]
ODD_IN_DETAILS = [
    *ODD_DETAILS,
    (("backup_id",), 32 * "0"),
    (("stream_bytes",), None),
    (("block_stream_bytes",), -1),
    (("frame_bytes",), 1 << 40),
    (("block_bytes",), 0),
    (("block_hash",), "md5"),
    (("codec",), "gzip"),
]


def fifo(path):
    os.mkfifo(path)


def listening_socket(path):
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    listener.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    os.close(folder)
    listener.close()


def link_without_end(path):
    os.symlink("/dev/zero", path)


def link_to_a_file(path):
    os.symlink("/etc/passwd", path)


def link_to_itself(path):
    os.symlink(path, path)


def folder(path):
    os.mkdir(path)


def device(path):
    try:
        os.mknod(path, 0o020666, os.makedev(1, 5))  # /dev/zero
    except OSError:
        pytest.skip("devices cannot be made here")


def endless_file(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def deep_json(path):
    with open(path, "wb") as file:
        file.write(b'{"a":' * 200_000)


def many_digits(path):
    with open(path, "wb") as file:
        file.write(b'{"format": ' + b"1" * 4_000_000 + b"}")


def set_in(document, path, value):
    for name in path[:-1]:
        document = document[name]
    document[path[-1]] = value


ODD_OBJECTS = [
    fifo,
    listening_socket,
    link_without_end,
    link_to_a_file,
    link_to_itself,
    folder,
    device,
    endless_file,
    deep_json,
    many_digits,
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Level 0, level 1 and a second level 0 of one set, and one backup of another; never changed by a test."""
    some = Set(tmp_path_factory.mktemp("stored"), max_level=1, compression="zstd")
    write(some.source / "file", b"content")
    some.backup()
    write(some.source / "second", b"more")
    some.backup()
    some.backup()
    some.backup(backup_name="other")
    return some


@pytest.fixture
def copy(stored, tmp_path):
    shutil.copytree(stored.container, tmp_path / "container")
    some = Set(tmp_path, **{**stored.options, "container": str(tmp_path / "container")})
    some.container = tmp_path / "container"
    return some


def newest_manifest(some):
    return some.set_folder / some.backup_folders()[-1] / "manifest.json"


def assert_only_one_is_damaged(some, stored):
    """Every verb, with a set of three of which the newest has a manifest that is none."""
    with no_hang(30):
        found = some.info(backup_name=None, hostname=None)
        assert len(found["backups"]) == 3
        assert len(found["damaged"]) == 1
        assert some.backup_folders()[-1] in found["damaged"][0]
        json.dumps(found).encode("utf-8")
        oldest = found["backups"][-1]
        for refused in (attempt(some.restore), attempt(some.verify, check="segments")):
            assert isinstance(refused[1], ArchiveError), refused
            assert "backup_id" in str(refused[1])
        target = some.new_target()
        some.restore(target, backup_id=oldest["backup_id"])
        assert (target / "file").read_bytes() == b"content"
        assert some.verify(backup_id=oldest["backup_id"], check="segments")["outcome"] == "success"
        planned = some.prune(keep_last=1, dry_run=True)
        assert len(planned["damaged"]) == 1
        made = some.backup(max_level=3)
        assert (made["outcome"], made["level"]) == ("success", 0)
        assert "the earlier backups cannot be continued" in made["reason"]
        assert differences(stored.source, target) != []
        assert some.prune(keep_last=1)["outcome"] == "success"
        some.restore(backup_id=made["backup_id"])


@pytest.mark.parametrize("odd", ODD_OBJECTS, ids=lambda odd: odd.__name__)
def test_what_is_no_regular_file_is_damage_to_one_backup_and_hangs_nothing(copy, stored, odd):
    manifest = newest_manifest(copy)
    manifest.unlink()
    odd(str(manifest))
    copy.options["path_to_backup"] = str(stored.source)
    assert_only_one_is_damaged(copy, stored)


@pytest.mark.parametrize(
    ("path", "value"), [ODD_IN_ANY_MANIFEST[0], ODD_IN_ANY_MANIFEST[5], ODD_IN_ANY_MANIFEST[17], ODD_IN_VERSION_2[5]]
)
def test_odd_values_in_a_manifest_are_damage_to_one_backup(copy, stored, path, value):
    manifest = newest_manifest(copy)
    manifest.write_bytes(forged(manifest.read_bytes(), path, value))
    copy.options["path_to_backup"] = str(stored.source)
    assert_only_one_is_damaged(copy, stored)


@pytest.mark.parametrize(("path", "value"), ODD_IN_ANY_MANIFEST + ODD_IN_VERSION_2, ids=lambda part: ascii(part)[:40])
def test_a_manifest_whose_values_are_not_those_of_its_format_is_refused_in_a_sentence(copy, path, value):
    manifest = newest_manifest(copy)
    changed = forged(manifest.read_bytes(), path, value)
    if path == ("hostname",) and value == "another":
        parse_public(changed, "it")  # whole by itself, and not the one of this folder
    else:
        with pytest.raises(ArchiveError, match=r"^it is not a manifest of a backup \(.*\)\.$"):
            parse_public(changed, "it")
    manifest.write_bytes(changed)
    found = copy.info(backup_name=None, hostname=None)
    assert (len(found["backups"]), len(found["damaged"])) == (3, 1)


@pytest.fixture(scope="module")
def manifest_1(tmp_path_factory):
    """The stored manifest of a backup of version 1."""
    some = FirstSet(tmp_path_factory.mktemp("first"))
    write(some.source / "file")
    return (some.folder_of(some.backup()) / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    ("path", "value"), ODD_IN_ANY_MANIFEST + ODD_DETAILS + ODD_IN_VERSION_1, ids=lambda part: ascii(part)[:40]
)
def test_a_manifest_of_version_1_whose_values_are_not_those_of_its_format_is_refused_in_a_sentence(
    manifest_1, path, value
):
    changed = forged(manifest_1, path, value)
    if path == ("hostname",) and value == "another":
        parse_manifest(changed, "it")
    else:
        with pytest.raises(ArchiveError, match=r"^it is (not a manifest of a backup \(.*\)|sealed, and .*)\.$"):
            parse_manifest(changed, "it")


@pytest.mark.parametrize(("path", "value"), ODD_IN_DETAILS, ids=lambda part: ascii(part)[:40])
def test_odd_details_are_damage_to_one_backup(copy, stored, path, value):
    copy.options["path_to_backup"] = str(stored.source)
    others = {one["backup_id"] for one in copy.info(backup_name=None, hostname=None)["backups"][1:]}
    forge(newest_manifest(copy).parent, lambda forgery: set_in(forgery.details, path, value))
    found = copy.info(backup_name=None, hostname=None)
    assert others <= {one["backup_id"] for one in found["backups"]}
    assert len(found["damaged"]) == 1
    assert "details" in found["damaged"][0]
    for refused in (attempt(copy.restore), attempt(copy.verify)):
        assert isinstance(refused[1], DamagedArchive), refused
    assert copy.backup(max_level=3)["level"] == 0


def test_a_forged_set_of_the_same_folder_does_not_take_it_away(copy, stored):
    """``host_tree`` is also the folder of ``tree`` of ``host``; one manifest cannot say that all of it is another's."""
    copy.options.update(path_to_backup=str(stored.source), backup_name="tr_ee")
    copy.backup()
    copy.backup()
    manifest = newest_manifest(copy)
    document = json.loads(manifest.read_bytes())
    head = {name: document.pop(name) for name in ("format", "format_version")}
    document.pop("self_sha256")
    manifest.write_bytes(with_digest(head, {**document, "hostname": "host_tr", "backup_name": "ee"}))
    assert copy.backup(max_level=2)["outcome"] == "success"
    assert len(copy.info(hostname=None, backup_name="tr_ee")["backups"]) == 2
    assert len(copy.prune(keep_last=1)["damaged"]) == 1


def test_a_folder_of_the_end_of_time_leaves_room_for_new_backups(copy, stored):
    copy.options["path_to_backup"] = str(stored.source)
    for name in ("253370764800_0", "253370764799_0", "999999999999999_0", "1_999999999"):
        (copy.set_folder / name).mkdir()
    first, second = copy.backup(), copy.backup()
    found = [one["backup_id"] for one in copy.info()["backups"]]
    assert {first["backup_id"], second["backup_id"]} <= set(found)
    assert copy.prune(keep_daily=3)["outcome"] == "success"


@pytest.mark.parametrize("odd", [fifo, link_without_end, folder, link_to_a_file], ids=lambda odd: odd.__name__)
@pytest.mark.parametrize("name", ["data.000000.zst", "snar.zst", "catalogue.zst", "frames", "details.json", "leaves"])
def test_an_odd_segment_is_damage_that_is_named(copy, stored, name, odd):
    copy.options["path_to_backup"] = str(stored.source)
    path = newest_manifest(copy).with_name(name)
    path.unlink()
    odd(str(path))
    with no_hang(30):
        _result, problem = attempt(copy.verify, check="segments")
        if name != "leaves":  # those can be made anew
            assert isinstance(problem, ArchiveError)
            assert name in str(problem)
        assert attempt(copy.restore)[1] is None or name not in ("leaves", "snar.zst")
        assert copy.backup(max_level=3)["outcome"] == "success"


@pytest.mark.parametrize("odd", [fifo, link_without_end, folder, link_to_a_file], ids=lambda odd: odd.__name__)
@pytest.mark.parametrize("name", ["data.000000", "snar.gz", "catalogue.gz"])
def test_an_odd_segment_of_version_1_is_damage_that_is_named(tmp_path, name, odd):
    some = FirstSet(tmp_path)
    write(some.source / "file")
    path = some.folder_of(some.backup()) / name
    path.unlink()
    odd(str(path))
    with no_hang(30):
        for check in ("segments", "stream", "restore"):
            _result, problem = attempt(some.verify, check=check)
            assert isinstance(problem, DamagedArchive)
            assert name in str(problem)
        assert (attempt(some.restore)[1] is None) == (name != "data.000000")
        assert some.backup_of_this_release(max_level=3)["outcome"] == "success"


@pytest.mark.parametrize("odd", [fifo, link_to_a_file, link_without_end], ids=lambda odd: odd.__name__)
def test_a_lock_that_is_no_file_is_refused_in_a_sentence(copy, odd):
    lock = copy.set_folder / ".lock"
    lock.unlink()
    odd(str(lock))
    with no_hang(10), pytest.raises(StorageError, match="not a regular file.*Remove it"):
        copy.backup()


def test_what_is_no_folder_at_all_is_incomplete_and_pruned(copy, stored):
    copy.options["path_to_backup"] = str(stored.source)
    os.mkfifo(copy.set_folder / "1700000000_0")
    write(copy.set_folder / "1700000001_0", b"a file")
    assert len(copy.info()["incomplete"]) == 2
    removed = [one["path"] for one in copy.prune(keep_last=5)["leftovers"]]
    # Other tests may have left scratch folders in the temporary folder of this host.
    assert len([path for path in removed if path.startswith(copy.set_folder.name)]) == 2
    assert len(copy.info()["incomplete"]) == 0


@pytest.mark.parametrize("verb", ["backup", "restore", "verify", "prune"])
def test_a_folder_of_a_set_that_is_a_link_leads_no_verb_elsewhere(copy, stored, tmp_path, verb):
    """Who owns the container could have root write to, and prune, any folder of the host."""
    copy.options["path_to_backup"] = str(stored.source)
    elsewhere = tmp_path / "elsewhere"
    copy.set_folder.rename(elsewhere)
    (elsewhere / "1000_0").mkdir()
    write(elsewhere / "1000_0" / "precious", b"x")
    copy.set_folder.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    verbs = {
        "backup": copy.backup,
        "restore": copy.restore,
        "verify": copy.verify,
        "prune": lambda: copy.prune(keep_last=1),
    }
    with pytest.raises(StorageError, match=f"{copy.set_folder} is a symbolic link and not a folder"):
        verbs[verb]()
    assert sorted(elsewhere.rglob("*")) == before
    found = copy.info(backup_name=None, hostname=None)
    assert [one["backup_name"] for one in found["backups"]] == ["other"]
    assert "is a symbolic link and not a folder" in found["damaged"][0]


def test_a_folder_of_a_backup_that_is_a_link_is_damage_and_what_it_leads_to_stays(copy, stored, tmp_path):
    copy.options["path_to_backup"] = str(stored.source)
    newest = newest_manifest(copy).parent
    newest.rename(tmp_path / "elsewhere")
    newest.symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    assert len(copy.info()["damaged"]) == 1
    assert copy.backup()["outcome"] == "success"
    copy.prune(keep_last=1)
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def with_snar(some, head, byte, mebibytes):
    """Put another snapshot file into the newest backup, with the right hashes; its size."""
    squeeze = zstandard.ZstdCompressor().compressobj()
    packed = squeeze.compress(head) + b"".join(squeeze.compress(byte * (1 << 20)) for _mebibyte in range(mebibytes))
    packed += squeeze.flush()
    forge(newest_manifest(some).parent, lambda forgery: forgery.objects.update({"snar.zst": packed}))
    return len(packed)


@pytest.mark.parametrize(
    ("head", "byte"),
    [(b"GNU tar-1.34-2\n0\x000\x00", b"x"), (b"", b"x"), (b"GNU tar-1.34-2\n", b"1")],
    ids=["one folder", "one line", "one number"],
)
def test_a_snapshot_file_that_unpacks_to_much_more_takes_little_memory_and_a_full_backup_is_made(
    copy, stored, head, byte, monkeypatch
):
    copy.options["path_to_backup"] = str(stored.source)
    assert with_snar(copy, head, byte, 400) < 1 << 20
    # What another host has written is not continued at all.
    monkeypatch.setattr(WritingKeys, "why_not_continued", lambda *_arguments: None)
    tracemalloc.start()
    try:
        made = copy.backup(max_level=5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (made["outcome"], made["level"]) == ("success", 0)
    assert "the snapshot file of the last level" in made["reason"]
    assert peak < 300 << 20, f"{peak >> 20} MiB"


def test_a_manifest_has_a_largest_size(tmp_path):
    storage = LocalStorage(str(tmp_path))
    with open(tmp_path / "x", "wb") as file:
        file.truncate(MOST_MANIFEST_BYTES + 1)
    with pytest.raises(OddObject, match="is larger than such an object can be"):
        storage.read("x", MOST_MANIFEST_BYTES)


@pytest.mark.parametrize("odd", [fifo, link_without_end, endless_file, folder], ids=lambda odd: odd.__name__)
def test_an_odd_record_of_a_run_over_several_hosts_is_refused_and_hangs_nothing(tmp_path, odd):
    odd(str(tmp_path / "owner.freeze.name.json"))
    with no_hang(10), pytest.raises(OddObject):
        RunRecords(str(tmp_path), "owner").runs()


def test_a_backup_whose_details_a_reader_would_refuse_is_not_made(tmp_path, monkeypatch):
    some = Set(tmp_path)
    write(some.source / "file")
    monkeypatch.setattr(create, "MOST_VALUES", 5)
    with pytest.raises(ArchiveError, match="more than the maximum of 5 values: exclude unreadable paths"):
        some.backup()
    assert some.backup_folders() == []


@pytest.mark.parametrize(
    ("field", "other"),
    [("mode", b"4755"), ("uid", b"4242"), ("group", b"staff"), ("size", b"8"), ("mtime", b"1")],
)
def test_a_catalogue_that_says_other_things_of_a_file_than_its_header_is_damage(copy, field, other):
    def change(forgery):
        fields = forgery.side("catalogue").split(b"\0")
        (second,) = (
            Member(*fields[at : at + FIELDS])
            for at in range(0, len(fields) - 1, FIELDS)
            if b"second" in fields[at : at + FIELDS]
        )
        before = b"\0".join(second)
        assert getattr(second, field) != other
        plain = forgery.side("catalogue").replace(before, b"\0".join(second._replace(**{field: other})))
        forgery.set_side("catalogue", plain)

    forge(newest_manifest(copy).parent, change)
    for refused in (attempt(copy.restore), attempt(copy.verify, check="restore")):
        assert isinstance(refused[1], DamagedArchive), refused
    assert "differs in kind, link, size, mode, owner or time" in str(attempt(copy.restore)[1])
