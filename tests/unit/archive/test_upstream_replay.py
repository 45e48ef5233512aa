# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Levels of upstream's agent that were altered at random: nothing outside of the folder changes, and every end is an orderly one."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.upstream_replay import Replay
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.upstream_tar import Level
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.tests.support.hostile_archives import with_sum
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import write
from ansible_collections.freezer.backup.tests.support.upstream_archives import archive, folder, link, member
from ansible_collections.freezer.backup.tests.support.upstream_backups import HOST, listed, unpack

PATHS = (
    b"./odd",
    b"./left",
    b"./right",
    b"./folder to link",
    b"./out",
    b"./out/theirs",
    b"./link",
    b"./../out",
    b"/",
    b".",
    b"",
)


@pytest.fixture(scope="module")
def streams(tmp_path_factory) -> list[list[bytes]]:
    """The members of each golden level, as they lie in their streams."""
    data = unpack(tmp_path_factory.mktemp("golden")) / "data" / "tar" / f"{HOST}_gzip"
    return [_members(gzip.decompress(path.read_bytes())) for path in sorted(data.rglob("data"))]


def _members(stream: bytes) -> list[bytes]:
    found, position = [], 0
    while stream[position : position + 512].strip(b"\0"):
        begin = position
        while True:
            kind, size = stream[position + 156 : position + 157], int(stream[position + 124 : position + 135], 8)
            position += 512 + -(-size // 512) * 512
            if kind not in b"KL":
                break
        found.append(stream[begin:position])
    return found


def _alter(members: list[bytes], choose: random.Random) -> list[bytes]:
    altered = list(members)
    for _count in range(choose.randint(1, 4)):
        number = choose.randrange(len(altered))
        one, what = altered[number], choose.randrange(7)
        if what == 0:
            del altered[number : number + choose.randint(1, 3)]
        elif what == 1:
            altered.insert(choose.randrange(len(altered) + 1), one)
        elif what == 2:
            altered[number] = with_sum(choose.choice(PATHS).ljust(100, b"\0") + one[100:])
        elif what == 3:
            altered[number] = with_sum(one[:156] + bytes([choose.choice(b"0123456DKLS")]) + one[157:])
        elif what == 4:
            altered[number] = with_sum(one[:157] + choose.choice(PATHS).ljust(100, b"\0") + one[257:])
        elif what == 5:
            position = choose.randrange(len(one))
            altered[number] = with_sum(
                one[:position] + bytes([one[position] ^ (1 << choose.randrange(8))]) + one[position + 1 :]
            )
        elif len(one) > 512 and one[156:157] == b"D":
            moves = b"R%b\0T%b\0" % (choose.choice(PATHS), choose.choice(PATHS))
            names = one[512:].rstrip(b"\0") + b"\0" + moves + b"\0"
            head = one[:124] + b"%011o\0" % len(names) + one[136:512]
            altered[number] = with_sum(head) + names + bytes(-len(names) % 512)
        altered = altered or [one]
    return altered


@pytest.mark.rounds
@pytest.mark.parametrize("seed", range(rounds(30)))
def test_an_altered_chain_changes_nothing_outside(tmp_path, streams, seed):
    choose = random.Random(seed)
    outside = tmp_path / "outside"
    write(outside / "theirs" / "file", b"theirs")
    before = listed(outside)
    # Level 0 has a way out, which the others may try to go.
    level_0 = [folder(".", "Yout", "Yfile"), link("./out", str(outside)), member("./file")] if seed % 2 else streams[0]
    (tmp_path / "tree").mkdir()
    (tmp_path / "beside").mkdir()
    try:
        with Replay(str(tmp_path / "tree"), str(tmp_path / "beside")) as replay:
            for members in (level_0, *(_alter(one, choose) for one in streams[1:])):
                replay.level(Level("it", iter([archive(*members)])))
            replay.finish()
    except FreezerError:
        pass
    assert listed(outside) == before
    assert sorted(os.listdir(tmp_path)) == ["beside", "outside", "tree"]
    _remove(tmp_path / "tree")


def _remove(tree: Path) -> None:
    for path, folders, _files in os.walk(tree):
        for name in folders:
            if not os.path.islink(os.path.join(path, name)):
                os.chmod(os.path.join(path, name), 0o700)
    shutil.rmtree(tree)


NEW_PLACE = (
    # A folder is where one with other files was.
    (
        (folder(".", "Da", "Db"), folder("./a", "Yf"), folder("./b", "Yg"), member("./a/f"), member("./b/g")),
        (folder(".", "Db", "R./a", "T./b"), folder("./b", "Nf")),
        ["b", "b/f"],
    ),
    # A new folder has the inode of one that is gone, so that tar takes it for that one; a file had its name.
    (
        (folder(".", "Da", "Yb"), folder("./a", "Yf"), member("./b"), member("./a/f")),
        (folder(".", "Db", "R./a", "T./b"), folder("./b", "Yg"), member("./b/g")),
        ["b", "b/g"],
    ),
)


@pytest.mark.parametrize(("level_0", "level_1", "expected"), NEW_PLACE)
def test_a_folder_in_the_place_of_something_else_is_followed(tmp_path, level_0, level_1, expected):
    """tar itself does not rename over a file, nor over a folder with something in it, so upstream's own restore fails."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "beside").mkdir()
    with Replay(str(tmp_path / "tree"), str(tmp_path / "beside")) as replay:
        for members in (level_0, level_1):
            replay.level(Level("it", iter([archive(*members)])))
        met = replay.finish()
    assert (met.not_restored, met.unreadable) == ([], [])
    assert [str(path.relative_to(tmp_path / "tree")) for path in sorted((tmp_path / "tree").rglob("*"))] == expected
    assert os.listdir(tmp_path / "beside") == []
