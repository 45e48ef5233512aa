# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The gate and tar are two readers of one stream: what passes the gate, tar understands in the same way."""

from __future__ import annotations

import os
import random
import subprocess
import tarfile

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import gate as gate_module
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import UnsafeArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.gate import Gate
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.members import Folders
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import unquote
from ansible_collections.freezer.backup.tests.support.hostile_archives import archive, folder, member, sparse, with_sum
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

ROUNDS = 400 * rounds(1)
_KEYS = ["path", "linkpath", "size", "mtime", "GNU__dumpdir", "SCHILY__xattr__user__x", "SCHILY__acl__access", "uid",
         "GNU__sparse__major", "GNU__sparse__minor", "GNU__sparse__name", "GNU__sparse__realsize"]  # fmt: skip
_VALUES = ["./q", "./q/", "0", "1", "2", "512", "1024", "-1", "1.5", "", "./q\n", "0x10", "+1", " 1", "1 ", "0512", "Yq\0\0",
           "18446744073709551616", str(2**63), "9" * 40, "a=b"]  # fmt: skip
_MAPS = ["1 0 600", "1 0 1024", "0", "1 1024 0", "2 0 512 900 88", "2 0 88 512 512", "2 0 600 1024 0", "600", "-1", "1 0 +600",
         "1 0 99999999999999999999", "2 512 512 0 88", "1 5000 600"]  # fmt: skip
_KINDS = [tarfile.REGTYPE] * 3 + [
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
    b"7",
    b"L",
    b"S",
    b"x",
]
_EDGES = [
    0,
    99,
    100,
    107,
    116,
    123,
    124,
    125,
    134,
    135,
    136,
    147,
    148,
    154,
    155,
    156,
    157,
    257,
    263,
    265,
    297,
    329,
    337,
    344,
    345,
]


def _member(choose, number):
    records = {key: choose.choice(_VALUES) for key in choose.sample(_KEYS, choose.choice([0, 0, 0, 1, 1, 2, 3]))}
    if choose.random() < 0.4:
        # Mostly as tar writes it, so that much of it passes.
        data = b"x" * choose.choice([0, 600, 600, 600, 1024])
        return sparse(f"./s{number}", choose.choice(_MAPS), data, **(records if choose.random() < 0.2 else {}))
    if choose.random() < 0.2:
        records["size"] = choose.choice(["0", "10", "0512", "512", "600", str(2**63), "9" * 40, "-512"])
    kind = choose.choice(_KINDS)
    content = b"x" * choose.choice([0, 10, 512, 600]) if kind == tarfile.REGTYPE or choose.random() < 0.1 else b""
    slash = "/" if kind == tarfile.DIRTYPE else ""
    return member(f"./m{number}{slash}", kind, content, linked="./first", **records)


def _stream(choose):
    """Members of which most are a little odd, and at the end a file whose content is a member too."""
    parts = [folder("."), member("./first")]
    for number in range(choose.randint(1, 3)):
        one = _member(choose, number)
        if choose.random() < 0.4:
            at = choose.choice(
                [begin for begin in range(0, len(one), 512) if one[begin + 257 : begin + 262] == b"ustar"]
            )
            altered = bytearray(one)
            altered[at + choose.choice(_EDGES)] = choose.choice(b"\0 07-8\x80\xff")
            tail = choose.choice([b"\0 ", b"\0 ", b"\0 ", b"  ", b"77"])
            one = bytes(altered[:at]) + with_sum(bytes(altered[at:]), tail)
        parts.append(one)
    return archive(*parts, member("./last", content=bytes(512) + member("./hidden")))


def _names(printed):
    return [os.fsencode(unquote(line[1:-1])) for line in printed.decode("utf-8", "surrogateescape").splitlines()]


def test_what_passes_the_gate_is_for_tar_what_it_is_for_the_gate(tmp_path, monkeypatch):
    seen = []

    class Seen(Folders):
        def obstacle(self, name, is_folder, linked=None):
            seen.append(name)
            return super().obstacle(name, is_folder, linked)

    monkeypatch.setattr(gate_module, "Folders", Seen)
    choose = random.Random(20261129)
    passed = 0
    for turn in range(ROUNDS):
        stream, cut = _stream(choose), choose.choice([100, 512, 700, 1 << 20])
        seen.clear()
        gate = Gate("it", increment=False)
        try:
            for position in range(0, len(stream), cut):
                gate.check(stream[position : position + cut])
            gate.finish()
        except UnsafeArchive:
            continue
        passed += 1
        target = tmp_path / str(turn)
        target.mkdir()
        listing = ["tar", "--list", "--file=-", "--quoting-style=c"]
        extraction = ["tar", "--extract", "--verbose", "--file=-", "--quoting-style=c", f"--directory={target}"]
        for argv in (listing, extraction):
            done = subprocess.run(argv, input=stream, capture_output=True, check=False)
            assert _names(done.stdout) == seen, f"round {turn}: {done.stderr.decode()}"
        # It is a member by right where a size, for both readers, covers all that is before it.
        assert (target / "hidden").exists() == (b"./hidden" in seen)
    assert passed > ROUNDS // 10


@pytest.mark.parametrize("cut", [1, 500, 1 << 20])
def test_a_sparse_file_passes_wherever_its_regions_lie(tmp_path, cut):
    """A file that grows while it is read has regions behind its size, and an empty one at its size comes after them."""
    regions = " ".join(
        [*(f"{at} 512" for at in range(0, 1 << 20, 4096)), f"{1 << 20} 0"]
    )  # a map of more than one block
    stream = archive(
        folder("."),
        sparse("./many", f"257 {regions}", b"x" * 131072, GNU__sparse__realsize=str(1 << 20)),
        sparse("./grown", "3 0 512 2048 700 1024 0", b"x" * 1212),
        sparse("./hole", f"1 {5 << 40} 0", GNU__sparse__realsize=str(5 << 40)),
        sparse("./nothing", "0"),
        member("./last", content=b"x"),
    )
    gate = Gate("it", increment=True)
    for position in range(0, len(stream), cut):
        gate.check(stream[position : position + cut])
    gate.finish()
    assert gate.content_bytes == (1 << 20) + 1024 + (5 << 40) + 1024 + 1
    for argv in (["--list"], ["--extract", "--verbose", f"--directory={tmp_path}", "--exclude=./hole"]):
        done = subprocess.run(["tar", "--file=-", *argv], input=stream, capture_output=True, check=True)
        assert done.stdout.split()[-1] == b"./last"
    assert (tmp_path / "many").stat().st_size == 1 << 20
