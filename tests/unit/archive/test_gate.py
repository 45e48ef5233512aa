# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The gate before tar reads what our writer's tar writes, however the stream is cut, and stops at whatever is altered."""

from __future__ import annotations

import os
import random
import subprocess
import tarfile

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import UnsafeArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.gate import Gate
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.headers import MOST_EXTENDED
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.members import Folders
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import Source, create_argv
from ansible_collections.freezer.backup.tests.support.hostile_archives import archive, folder, member, sparse
from ansible_collections.freezer.backup.tests.support.trees import NASTY_NAMES, write


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """The stream of a tree with odd names, long names, links, holes, attributes, and nothing in some folders."""
    top = os.fsencode(tmp_path_factory.mktemp("source"))
    for name in NASTY_NAMES:
        write(os.path.join(top, name, name), name)
        os.symlink(b"/x" + name, os.path.join(top, b"link to " + name[:200]))
    os.makedirs(os.path.join(top, b"L" * 200, b"M" * 200, b"empty"))
    os.link(os.path.join(top, NASTY_NAMES[0], NASTY_NAMES[0]), os.path.join(top, b"L" * 200, b"M" * 200, b"h" * 100))
    os.mkfifo(os.path.join(top, b"fifo"))
    with open(os.path.join(top, b"sparse"), "wb") as sparse:
        sparse.truncate(1 << 22)
        sparse.write(b"x" * 5000)
    try:
        os.setxattr(os.path.join(top, b"sparse"), "user.with=equals", b"a\0b=\n")
    except OSError:
        pass  # a file system without attributes
    argv = create_argv(Source(os.fsdecode(top)), str(tmp_path_factory.mktemp("snar") / "snar"))
    return subprocess.run(argv, capture_output=True, check=True).stdout


def through(stream, cut, increment=True):
    gate = Gate("it", increment)
    position = 0
    while position < len(stream):
        size = cut()
        gate.check(stream[position : position + size])
        position += size
    return gate


@pytest.mark.parametrize("largest", [7, 600, 5000, 1 << 20])
@pytest.mark.parametrize("increment", [True, False])
def test_the_members_are_those_that_tar_lists_however_the_stream_is_cut(stream, largest, increment):
    choose = random.Random(largest)
    gate = through(stream, lambda: choose.randint(1, largest), increment)
    listed = subprocess.run(
        ["tar", "--list", "--quoting-style=c"], input=stream, capture_output=True, check=True
    ).stdout
    assert gate.members == listed.count(b"\n") > 3 * len(NASTY_NAMES)


def test_any_bit_of_a_header_that_flips_is_noticed(stream):
    """Of all but one header the sum tells; an attacker who mends the sum has to get by the other checks."""
    choose = random.Random(5)
    headers = [at for at in range(0, len(stream), 512) if stream[at + 257 : at + 262] == b"ustar"]
    for _round in range(300):
        altered = bytearray(stream)
        at = choose.choice(headers) + choose.choice([*range(148), *range(156, 512)])
        altered[at] ^= 1 << choose.randrange(8)
        with pytest.raises(UnsafeArchive):
            through(bytes(altered), lambda: 1 << 20)


def test_a_member_needs_every_folder_on_its_way_and_the_highest_one_that_is_none_is_told():
    folders = Folders()
    assert folders.obstacle(b"./", True) is None
    assert folders.obstacle(b"./file", False) is None
    assert folders.obstacle(b"./a/b/c/file", False) == b"./a"
    assert folders.obstacle(b"./a/", True) is None
    assert folders.obstacle(b"./a/b/c/file", False) == b"./a/b"
    assert folders.obstacle(b"./a/b/c/", True) == b"./a/b"
    assert folders.obstacle(b"./a/file", False, b"./file") is None
    assert folders.obstacle(b"./a/more", False, b"./b/file") == b"./b"
    assert folders.obstacle(b"./a/more", False, b"./a") == b"./a"
    assert folders.obstacle(b"./a", False) == b"./a"
    assert folders.obstacle(b"/a", False) == b"/a"
    assert folders.obstacle(b"a", False) == b"a"


def test_a_sparse_file_that_became_shorter_while_tar_looked_for_its_holes_is_named():
    """GNU tar writes a size below zero then, as one of 64 bits: a backup is begun again, and without the file in the end."""
    start = folder(".")
    for changed in (sparse("./s", "1 0 1024", size=str(2**64 - 523777)), sparse("./s", "2 0 300 300 212", b"x" * 512)):
        with pytest.raises(UnsafeArchive) as refusal:
            Gate("it", increment=False).check(start + changed)
        assert refusal.value.path == "./s"


def test_an_extended_header_without_an_end_is_refused_at_its_first_block():
    head = tarfile.TarInfo("./PaxHeaders/x")
    head.type, head.size = tarfile.XHDTYPE, MOST_EXTENDED + 1
    with pytest.raises(UnsafeArchive, match=f"an extended header of {MOST_EXTENDED + 1} bytes"):
        Gate("it", increment=False).check(folder(".") + head.tobuf(tarfile.USTAR_FORMAT))


def test_a_large_extended_header_in_small_pieces_is_looked_at_once():
    """It is the list of a large folder. To put the pieces together anew with each of them would copy a terabyte."""
    stream = archive(
        member("./", tarfile.DIRTYPE, GNU__dumpdir="".join(f"Y{name:0250}\0" for name in range(130000)) + "\0")
    )
    gate = through(stream, lambda: 512, increment=True)
    gate.finish()
    assert gate.members == 1


def test_more_zeros_behind_the_end_than_a_record_of_tar_has_are_refused():
    gate = through(archive(folder(".")), lambda: 512)
    with pytest.raises(UnsafeArchive, match="something behind the end"):
        gate.check(bytes(131072 + 512))
