# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of a stream: what it says of every member, and streams that would not restore, which are refused."""

from __future__ import annotations

import io
import os
import random
import tarfile
from itertools import pairwise

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.catalogue_writer import CatalogueWriter
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import UnsafeArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.external_sort import ExternalSort
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.member_stream import MemberStream
from ansible_collections.freezer.backup.tests.support.hostile_archives import archive, folder, link, member
from ansible_collections.freezer.backup.tests.support.tar_chains import Chain, members_of, record
from ansible_collections.freezer.backup.tests.support.trees import make_everything, make_socket


def written(tmp_path, *members, gone=()):
    """The members of the catalogue of this stream."""
    with CatalogueWriter("17_0", str(tmp_path)) as writer:
        stream = MemberStream("17_0", writer.add)
        stream.check(archive(*members))
        stream.finish()
        for name in gone:
            writer.gone(name)
        return members_of(b"".join(writer.records()))


def test_every_member_of_a_tree_with_everything_is_in_it_as_it_is_on_disk_and_where_it_is_in_the_stream(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    make_everything(top)
    with open(top / "hole", "wb") as hole:
        hole.truncate(10 << 20)
        hole.write(b"x" * 5000)
    level = Chain(top, tmp_path / "work").write()[0]
    with tarfile.open(fileobj=io.BytesIO(level.stream), encoding="utf-8", errors="surrogateescape") as stream:
        listed = {os.fsencode(one.name).removeprefix(b".").removeprefix(b"/"): one for one in stream}
    found = members_of(level.plain)
    assert {one.name for one in found} == listed.keys()
    assert sum(level.counts.values()) == len(found) > 40
    links = 0
    for one in found:
        status, other = os.lstat(os.path.join(os.fsencode(top), one.name)), listed[one.name]
        assert one.permissions == status.st_mode & 0o7777
        assert (int(one.uid), int(one.gid), one.mtime_ns) == (status.st_uid, status.st_gid, status.st_mtime_ns)
        assert (os.fsencode(other.uname), os.fsencode(other.gname)) == (one.owner, one.group)
        if one.kind == b"-":
            assert one.size_bytes == status.st_size
        elif one.kind == b"h":
            links += 1
            assert os.path.samestat(status, os.lstat(os.path.join(os.fsencode(top), one.link)))
        elif one.kind == b"l":
            assert one.link == os.readlink(os.path.join(os.fsencode(top), one.name))
        elif one.device is not None:
            assert os.makedev(*one.device) == status.st_rdev
        with tarfile.open(fileobj=io.BytesIO(level.stream[one.begin : one.end] + bytes(1024))) as alone:
            assert len(alone.getmembers()) == 1
    assert links > 0
    ends = sorted((one.begin, one.end) for one in found)
    assert all(one[1] == other[0] for one, other in pairwise(ends))


@pytest.mark.parametrize(
    ("members", "path"),
    [
        # A folder was replaced by a link while it was read, or its parent was hidden: nothing may be written through it.
        ([folder("."), link("./a", "/etc"), member("./a/passwd")], "./a"),
        ([folder("."), folder("./p"), member("./p/a/b/passwd")], "./p/a"),
        ([folder("."), folder("./a"), member("./a/b"), member("./a")], "./a"),
        ([folder("."), member("./a"), member("./a")], "./a"),
        ([member("./a"), member("./b/c")], "./b"),
        ([folder("."), member("./a", tarfile.LNKTYPE, linked="./b")], "./b"),
        ([folder("."), folder("./b"), member("./a", tarfile.LNKTYPE, linked="./b")], "./b"),
        ([folder("."), member("./a", tarfile.LNKTYPE, linked="./b"), member("./b")], "./b"),
        ([folder("."), member("./a", tarfile.LNKTYPE, linked="./d/b"), member("./b")], "./d/b"),
    ],
)
def test_a_stream_that_would_not_restore_is_refused_with_the_path_in_the_way(tmp_path, members, path):
    with pytest.raises(UnsafeArchive, match="17_0 is refused") as refusal:
        written(tmp_path, *members)
    assert refusal.value.path == path


@pytest.mark.parametrize("name", ["/etc/passwd", "a", "./../a", "./a//b", "./a/./b", "./a/../b", "../a", ".//a"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    for one in (member(name), member("./a", tarfile.LNKTYPE, linked=name), member(f"{name}/", tarfile.DIRTYPE)):
        with pytest.raises(UnsafeArchive):
            written(tmp_path, folder("."), one)


@pytest.mark.parametrize(
    "records",
    [{"mtime": "1e5"}, {"mtime": " 1"}, {"uid": "-1"}, {"gid": "1" * 19}, {"uname": "u" * 1025}, {"mtime": ""}],
)
def test_a_field_that_tar_does_not_write_is_refused(tmp_path, records):
    with pytest.raises(UnsafeArchive, match="odd"):
        written(tmp_path, folder("."), member("./a", **records))


def test_large_ids_and_long_names_come_from_the_extended_header(tmp_path):
    found = written(
        tmp_path,
        folder("."),
        member(
            "./a", uid="4294967294", gid="3000000", uname="someone\N{LATIN SMALL LETTER E WITH ACUTE}", mtime="-3.25"
        ),
    )[1]
    assert (found.uid, found.gid, found.owner, found.mtime) == (
        b"4294967294",
        b"3000000",
        "someone\xe9".encode(),
        b"-3.25",
    )


def test_what_is_gone_stands_in_order_and_a_member_of_the_same_name_counts(tmp_path):
    found = written(
        tmp_path, folder("."), folder("./a"), member("./a/b"), member("./c"), gone=[b"b", b"a/a", b"c", b"b", b"a"]
    )
    assert [(one.name, one.kind) for one in found] == [
        *[(b"", b"d"), (b"a", b"d"), (b"a/a", b"x"), (b"a/b", b"-"), (b"b", b"x"), (b"c", b"-")]
    ]
    assert found[2] == record("a/a", "x")


def test_the_map_of_a_large_file_is_in_its_record(tmp_path):
    with CatalogueWriter("17_0", str(tmp_path)) as writer:
        stream = MemberStream("17_0", lambda found: writer.add(found, 86 if found.size else None))
        stream.check(archive(folder("."), member("./a", content=b"x"), member("./b")))
        maps = [one.map_begin for one in members_of(b"".join(writer.records()))]
    assert maps == [None, 86, None]


def test_a_sort_beyond_its_memory_gives_the_same_and_leaves_no_file(tmp_path):
    choose = random.Random(3)
    items = [choose.randbytes(choose.choice([0, 1, 5, 100_000 if number % 500 == 0 else 3])) for number in range(2000)]
    with ExternalSort(str(tmp_path), most_items=7) as sort:
        for item in items:
            sort.add(item)
        assert list(sort.sorted()) == list(sort.sorted()) == sorted(items)
        assert os.listdir(tmp_path) == []
    with ExternalSort(str(tmp_path)) as sort:
        assert list(sort.sorted()) == []


def test_sockets_are_no_members(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    make_socket(top / "s")
    level = Chain(top, tmp_path / "work").write()[0]
    assert [one.name for one in members_of(level.plain)] == [b"", b"s"]
