# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Tree hashes, and parts of objects that are believed because of them."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.trees import (
    LEAF_BYTES,
    TreeHash,
    leaf_count,
    tree_of,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified import (
    MOST_OBJECT_BYTES,
    BackupObjects,
    StoredTree,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage

SIZES = [0, 1, LEAF_BYTES - 1, LEAF_BYTES, LEAF_BYTES + 1, 3 * LEAF_BYTES + 7]


class Stored:
    """A folder of a backup with objects of random content and their leaves."""

    def __init__(self, folder: Path, sizes: list[int]) -> None:
        self.folder = folder / "set" / "1_0"
        self.folder.mkdir(parents=True)
        self.content = [os.urandom(size) for size in sizes]
        self.objects = []
        leaves = b""
        for number, content in enumerate(self.content):
            tree = TreeHash()
            tree.update(content)
            leaves += tree.leaves()
            self.path(number).write_bytes(content)
            self.objects.append(StoredTree(f"data.{number:06d}", len(content), tree.hexdigest()))
        (self.folder / "leaves").write_bytes(leaves)
        self.storage = LocalStorage(str(folder))

    def path(self, number: int) -> Path:
        return self.folder / f"data.{number:06d}"

    def read(self, number: int, begin: int, end: int) -> bytes:
        with BackupObjects(self.storage, "set/1_0", self.objects) as objects:
            return objects.object(self.objects[number].name).read(begin, end)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", [1 << 18, (1 << 20) + 3])
def test_the_hash_is_the_sha256_of_the_sha256_of_each_mib(size, step):
    content = os.urandom(size)
    tree = TreeHash()
    for begin in range(0, size, step):
        tree.update(content[begin : begin + step])
    leaves = [
        hashlib.sha256(content[begin : begin + LEAF_BYTES]).digest() for begin in range(0, len(content), LEAF_BYTES)
    ]
    assert tree.leaves() == b"".join(leaves)
    assert len(leaves) == leaf_count(size)
    assert tree.hexdigest() == tree_of(b"".join(leaves)) == hashlib.sha256(b"".join(leaves)).hexdigest()


def test_a_shell_makes_the_same_hash(tmp_path):
    content = os.urandom(2 * LEAF_BYTES + 5)
    path = tmp_path / "object"
    path.write_bytes(content)
    tree = TreeHash()
    tree.update(content)
    command = "split -b 1M --filter='openssl dgst -sha256 -binary' \"$1\" | openssl dgst -sha256 -r"
    done = subprocess.run(["/bin/sh", "-c", command, "sh", str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == tree.hexdigest()


def test_any_part_of_any_object_is_read(tmp_path):
    stored = Stored(tmp_path, SIZES)
    for number, content in enumerate(stored.content):
        size = len(content)
        borders = [at for at in (0, 1, LEAF_BYTES - 1, LEAF_BYTES + 1, size - 1, size) if 0 <= at <= size]
        with BackupObjects(stored.storage, "set/1_0", stored.objects) as objects:
            one = objects.object(stored.objects[number].name)
            for begin in borders:
                for end in borders:
                    if begin <= end:
                        assert one.read(begin, end) == content[begin:end]


def test_a_changed_byte_is_found_where_it_is_and_keeps_no_other_part_from_being_read(tmp_path):
    stored = Stored(tmp_path, [3 * LEAF_BYTES])
    damaged = bytearray(stored.content[0])
    damaged[LEAF_BYTES + 100] ^= 1
    stored.path(0).write_bytes(damaged)
    assert stored.read(0, 0, LEAF_BYTES) == stored.content[0][:LEAF_BYTES]
    assert stored.read(0, 2 * LEAF_BYTES, 3 * LEAF_BYTES) == stored.content[0][2 * LEAF_BYTES :]
    with pytest.raises(DamagedArchive, match="MiB 2 differs"):
        stored.read(0, LEAF_BYTES + 200, LEAF_BYTES + 201)


@pytest.mark.parametrize("size", [0, LEAF_BYTES - 1, 2 * LEAF_BYTES])
def test_an_object_that_is_shorter_is_damaged(tmp_path, size):
    stored = Stored(tmp_path, [2 * LEAF_BYTES + 1])
    os.truncate(stored.path(0), size)
    with pytest.raises(DamagedArchive):
        stored.read(0, 2 * LEAF_BYTES, 2 * LEAF_BYTES + 1)


@pytest.mark.parametrize("leaves", ["missing", "as there"])
def test_an_object_of_which_much_less_is_there_than_its_manifest_says_is_damage_after_one_request(
    tmp_path, monkeypatch, leaves
):
    stored = Stored(tmp_path, [2 * LEAF_BYTES])
    stored.objects[0] = replace(stored.objects[0], bytes=MOST_OBJECT_BYTES)
    if leaves == "missing":
        (stored.folder / "leaves").unlink()
    asked = []
    read = BackupObjects.read
    monkeypatch.setattr(BackupObjects, "read", lambda self, *part: asked.append(part) or read(self, *part))
    with pytest.raises(DamagedArchive, match=f"ends before the {MOST_OBJECT_BYTES} bytes"):
        stored.read(0, 0, 1)
    assert [part for part in asked if part[0] != "leaves"] == [("data.000000", MOST_OBJECT_BYTES - 1, 1)]


def test_an_object_that_is_missing_is_damaged(tmp_path):
    stored = Stored(tmp_path, [10])
    stored.path(0).unlink()
    with pytest.raises(DamagedArchive, match="is missing"):
        stored.read(0, 0, 10)


@pytest.mark.parametrize("wrong", ["missing", "short", "changed", "exchanged", "folder"])
def test_leaves_that_are_missing_or_wrong_are_made_anew_from_the_object(tmp_path, wrong):
    stored = Stored(tmp_path, [2 * LEAF_BYTES, LEAF_BYTES + 1])
    leaves = stored.folder / "leaves"
    right = leaves.read_bytes()
    leaves.unlink()
    if wrong == "folder":
        leaves.mkdir()
    elif wrong != "missing":
        leaves.write_bytes({"short": right[:40], "changed": right[:-1] + b"x", "exchanged": right[::-1]}[wrong])
    assert stored.read(1, 5, LEAF_BYTES + 1) == stored.content[1][5:]
    damaged = bytearray(stored.content[1])
    damaged[-1] ^= 1
    stored.path(1).write_bytes(damaged)
    with pytest.raises(DamagedArchive, match="not what was written"):
        stored.read(1, 0, 1)


def test_leaves_of_another_content_are_not_believed(tmp_path):
    # Whoever writes to the storage can exchange both; the manifest has the tree.
    stored = Stored(tmp_path, [100])
    other = TreeHash()
    other.update(b"x" * 100)
    stored.path(0).write_bytes(b"x" * 100)
    (stored.folder / "leaves").write_bytes(other.leaves())
    with pytest.raises(DamagedArchive, match="not what was written"):
        stored.read(0, 0, 100)


@pytest.mark.parametrize("size", SIZES)
def test_an_object_that_goes_on_behind_its_end_is_damage_where_its_end_is_read(tmp_path, size):
    stored = Stored(tmp_path, [size])
    with open(stored.path(0), "ab") as more:
        more.write(b"x")
    with pytest.raises(DamagedArchive, match=f"has more than the {size} bytes"):
        stored.read(0, 0, size)
    if size > LEAF_BYTES:
        assert stored.read(0, 0, 5) == stored.content[0][:5]


def test_an_object_of_no_bytes_has_to_be_there(tmp_path):
    stored = Stored(tmp_path, [0, 5])
    assert stored.read(0, 0, 0) == b""
    stored.path(0).unlink()
    with pytest.raises(DamagedArchive, match="is missing"):
        stored.read(0, 0, 0)
