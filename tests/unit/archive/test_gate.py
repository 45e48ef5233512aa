# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The gate before tar reads what our writer's tar writes, however the stream is cut, and stops at whatever is altered."""

from __future__ import annotations

import os
import random
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import UnsafeArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.gate import Gate
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.members import Folders
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import Source, create_argv
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
    listed = os.open(os.devnull, os.O_WRONLY)
    argv = create_argv(Source(os.fsdecode(top)), str(tmp_path_factory.mktemp("snar") / "snar"), listed)
    made = subprocess.run(argv, pass_fds=[listed], capture_output=True, check=True).stdout
    os.close(listed)
    return made


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
