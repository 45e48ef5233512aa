# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The members of upstream's archives are read as its tar writes them, however the stream is cut, and nothing else is."""

from __future__ import annotations

import os
import random
import subprocess
import tarfile

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import upstream_tar
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import UnsafeArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.upstream_tar import Level
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.tests.support.hostile_archives import with_sum
from ansible_collections.freezer.backup.tests.support.trees import NASTY_NAMES, write
from ansible_collections.freezer.backup.tests.support.upstream_archives import (
    TAR,
    TAR_ALSO,
    archive,
    folder,
    link,
    member,
)


def members(stream: bytes, cut=lambda: 1 << 20) -> list[tuple[object, bytes]]:
    """Every member with its content."""
    position, pieces = 0, []
    while position < len(stream):
        size = cut()
        pieces.append(stream[position : position + size])
        position += size
    level = Level("it", iter(pieces))
    return [(one, b"".join(level.content())) for one in level]


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> bytes:
    """What tar stores of odd names, long names and links, and numbers that need another form."""
    top = tmp_path_factory.mktemp("source")
    root = os.fsencode(top)
    for name in NASTY_NAMES:
        write(root + b"/" + name + b"/" + name, name * 30)
        os.symlink(b"/x" * 90 + name[:60], root + b"/link to " + name[:200])
    os.link(root + b"/" + NASTY_NAMES[0] + b"/" + NASTY_NAMES[0], root + b"/" + b"h" * 200)
    write(top / "old", b"")
    os.utime(top / "old", (-5_000_000_000, -5_000_000_000))
    os.makedirs(root + b"/" + b"L" * 200 + b"/" + b"M" * 200 + b"/empty")
    snapshot = tmp_path_factory.mktemp("snapshot") / "snar"
    made = subprocess.run(
        [*TAR, *TAR_ALSO, f"--listed-incremental={snapshot}", "."], cwd=top, stdout=subprocess.PIPE, check=True
    )
    return made.stdout


@pytest.mark.parametrize("largest", [7, 600, 5000, 1 << 20])
def test_the_members_are_those_of_another_reader_however_the_stream_is_cut(stream, tmp_path, largest):
    choose = random.Random(largest)
    found = members(stream, lambda: choose.randint(1, largest))
    (tmp_path / "tar").write_bytes(stream)
    with tarfile.open(tmp_path / "tar", errors="surrogateescape") as other:
        expected = []
        for one in other:
            content = other.extractfile(one).read() if one.type in (tarfile.REGTYPE, b"D") else b""
            # It takes the times of incremental dumps for the beginning of the name.
            name = (
                b"./" + os.fsencode(one.name).partition(b"./")[2]
                if not one.name.startswith("./")
                else os.fsencode(one.name)
            )
            expected.append((name.rstrip(b"/"), one.mtime, one.mode, one.uid, content))
    assert [(one.name, one.mtime, one.mode, one.uid, content) for one, content in found if one.name != b"."] == [
        one for one in expected if one[0] != b"."
    ]
    kinds = [one.kind for one, _content in found]
    assert {upstream_tar.FOLDER, upstream_tar.REGULAR, upstream_tar.SYMLINK, upstream_tar.HARD_LINK} == set(kinds)


TOP = folder(".", "Yfile", "Dsub")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (archive(TOP, member("./file", b"S")), "a member of the kind 'S'"),
        (archive(TOP, member("./file", b"x")), "a member of the kind 'x'"),
        (archive(TOP, member("./sub", b"5")), "a member of the kind '5'"),
        (archive(TOP, member("./../file")), "the name ./../file"),
        (archive(TOP, member("file")), "the name file"),
        (archive(TOP, member("/file")), "the name /file"),
        (archive(TOP, member("./a//b")), "the name ./a//b"),
        (archive(TOP, member("./file/")), "the name ./file/"),
        (archive(folder("./sub"), member("./sub/file")), "the folder ./sub/"),
        (archive(TOP, member("./file", b"2")), "a link ./file to nothing"),
        (archive(TOP, member("./file", b"1", linked="../file")), "the name ../file"),
        (archive(TOP, member("./file", b"6", b"content")), "content of ./file, which is no file"),
        (archive(member("file"), member("other")), "a second file in an archive of one file"),
        (archive(member("../file")), "the name ../file"),
        (archive(TOP) + b"x" * 512, "something behind the end"),
        (archive(TOP) + bytes(2 << 20), "something behind the end"),
        (archive(TOP)[: -(-len(TOP) // 512) * 512], "an end in the middle"),
        (TOP[:700], "an end in the middle"),
        (b"", "an end in the middle"),
        (archive(b"x" * 512), "something that is no header"),
        (archive(TOP, member("./file")[:148] + b"0000000\0" + member("./file")[156:]), "something that is no header"),
        (archive(TOP, with_sum(member("./file")[:124] + b"-0000000001\0" + member("./file")[136:])), "odd number"),
        (archive(TOP, with_sum(member("./file")[:124] + b"\xff" * 12 + member("./file")[136:])), "impossible number"),
        (archive(TOP, with_sum(member("./file")[:124] + b"00000000008\0" + member("./file")[136:])), "odd number"),
        (archive(TOP, with_sum(member("./file")[:136] + b"\x80" + b"\x7f" * 11 + member("./file")[148:])), "impossible number"),
        (archive(TOP, tarfile.TarInfo("./file").tobuf(tarfile.USTAR_FORMAT)), "a header of tar's POSIX format"),
        (archive(TOP, with_sum(member("./" + "x" * 200)[:124] + b"77777777777\0" + member("./" + "x" * 200)[136:])), "impossible number"),
    ],
)  # fmt: skip
def test_another_form_is_refused(broken, words):
    with pytest.raises(DamagedArchive, match=words):
        members(broken)


@pytest.mark.parametrize(
    "parts",
    [
        (member("./sub/file"),),
        (link("./sub", "/etc"), member("./sub/passwd")),
        (folder("./sub"), link("./sub", "/etc"), member("./sub/passwd")),
        (link("./sub", "/etc"), member("./hard", b"1", linked="./sub/passwd")),
        (folder("./a/b"),),
    ],
)
def test_a_member_whose_folder_is_not_in_the_level_is_refused(parts):
    with pytest.raises(UnsafeArchive, match="is not the folder there that it has to be"):
        members(archive(TOP, *parts))


def test_a_member_that_nobody_reads_is_passed_over(stream):
    names = [one.name for one in Level("it", iter([stream]))]
    assert names == [one.name for one, _content in members(stream)]
