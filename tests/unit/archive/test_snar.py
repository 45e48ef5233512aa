# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""tar's snapshot file before it is used again."""

from __future__ import annotations

import io
import os
import subprocess
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import snar
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.snar import (
    CLOCK_TICK_NANOSECONDS,
    CannotContinue,
    settle,
)
from ansible_collections.freezer.backup.tests.support.trees import NASTY_NAMES, write


@pytest.fixture
def top(tmp_path):
    top = tmp_path / "top"
    for name in ("a", "a/b", "a/b/c", "empty", "many"):
        (top / name).mkdir(parents=True)
        write(top / name / "file")
    (top / "empty" / "file").unlink()
    for number in range(200):
        write(top / "many" / f"a file with a name, number {number}")
    return top


def written_by_tar(top):
    file = top.parent / "snar"
    subprocess.run(["tar", "-cf", "/dev/null", "-g", file, "-C", top, "."], check=True)
    return file.read_bytes()


def settled(content, top, unread=()):
    out = io.BytesIO()
    began = settle(io.BytesIO(content), out, str(top), unread)
    return out.getvalue(), began


def folders(content):
    """The names of folders and what they held, by name."""
    body = content.split(b"\n", 1)[1].split(b"\0", 2)[2]
    found = {}
    for entry in body.split(b"\0\0\0")[:-1]:
        fields = entry.split(b"\0")
        found[fields[5]] = [one for one in fields[6:] if one]
    return found


def test_an_unchanged_tree_keeps_everything_but_a_tick_of_the_clock(top):
    content = written_by_tar(top)
    result, began = settled(content, top)
    seconds, nanoseconds = content.split(b"\n", 1)[1].split(b"\0")[:2]
    assert began == int(seconds) * 10**9 + int(nanoseconds)
    assert abs(time.time_ns() - began) < 60 * 10**9
    now = result.split(b"\n", 1)[1].split(b"\0")[:2]
    assert int(now[0]) * 10**9 + int(now[1]) == began - CLOCK_TICK_NANOSECONDS
    assert result.split(b"\0", 2)[2] == content.split(b"\0", 2)[2]
    assert set(folders(result)) == {b".", b"./a", b"./a/b", b"./a/b/c", b"./empty", b"./many"}


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 64, 1000])
def test_it_does_not_matter_how_the_file_is_read(top, monkeypatch, block_bytes):
    content = written_by_tar(top)
    expected = settled(content, top)
    monkeypatch.setattr(snar, "_READ_BYTES", block_bytes)
    assert settled(content, top) == expected


def test_folders_that_are_gone_moved_or_made_again_are_taken_out(top):
    content = written_by_tar(top)
    (top / "a" / "b").rename(top / "moved")
    (top / "empty").rmdir()
    (top / "many").rename(top.parent / "many")
    (top / "many").mkdir()
    assert set(folders(settled(content, top)[0])) == {b".", b"./a"}


def test_a_folder_that_has_become_a_file_or_a_link_to_itself_is_taken_out(top):
    content = written_by_tar(top)
    (top / "empty").rmdir()
    write(top / "empty")
    (top / "many").rename(top / "other")
    os.symlink("other", top / "many")
    assert set(folders(settled(content, top)[0])) == {b".", b"./a", b"./a/b", b"./a/b/c"}


def test_what_could_not_be_read_is_taken_out_so_that_it_is_tried_again(top):
    content = written_by_tar(top)
    result = folders(settled(content, top, [b"./a/file", b"./many", b"./nowhere/x", b"./a/b/c"])[0])
    assert result == {b".": result[b"."], b"./a": [b"Db"], b"./a/b": [b"Yfile"], b"./empty": []}
    assert result[b"."] == [b"Da", b"Dempty"]


def test_names_of_all_kinds_are_found_again(tmp_path):
    top = tmp_path / "top"
    for name in NASTY_NAMES:
        write(os.path.join(os.fsencode(top), name, name))
    content = written_by_tar(top)
    result = folders(settled(content, top)[0])
    assert set(result) == {b".", *(b"./" + name for name in NASTY_NAMES)}
    unread = [b"./" + name + b"/" + name for name in NASTY_NAMES]
    assert all(held == [] for name, held in folders(settled(content, top, unread)[0]).items() if name != b".")


def test_tar_takes_a_settled_file_and_finds_nothing_new(top):
    time.sleep(0.02)
    content = written_by_tar(top)
    (top.parent / "settled").write_bytes(settled(content, top)[0])
    command = ["tar", "-cf", "/dev/null", "-v", "-g", top.parent / "settled", "-C", top, "."]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    assert sorted(said.stdout.split()) == ["./", "./a/", "./a/b/", "./a/b/c/", "./empty/", "./many/"]
    assert said.stderr == ""


def test_a_file_without_folders_is_settled_too(top):
    subprocess.run(["tar", "-cf", "/dev/null", "-g", top.parent / "snar", "-C", top / "a", "./file"], check=True)
    result, began = settled((top.parent / "snar").read_bytes(), top)
    assert began > 0
    assert result.count(b"\0") == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"something else\n",
        b"GNU tar-1.34-1\n1\0002\000",
        b"GNU tar-1.34-2\n",
        b"GNU tar-1.34-2\nnumber\0002\000",
        b"GNU tar-1.34-2\n1\0002\0000\0x\0\0\0",
        b"GNU tar-1.34-2\n1\0002\0000\0001\0002\0003\000ino\0./a\0\0\0",
    ],
)
def test_what_is_no_snapshot_file_of_version_2_is_refused(top, content):
    with pytest.raises(CannotContinue, match="unknown format"):
        settled(content, top)


def test_a_time_in_the_future_is_refused(top):
    content = written_by_tar(top)
    line, _seconds, rest = content.partition(b"\n")[0], *content.split(b"\n", 1)[1].split(b"\0", 1)
    with pytest.raises(CannotContinue, match="clock has been set back"):
        settled(line + b"\n" + str(int(time.time()) + 100).encode() + b"\0" + rest, top)
