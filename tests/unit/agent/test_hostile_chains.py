# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Chains with right hashes that would write elsewhere, or whose catalogues lie about their streams, are refused before tar sees it."""

from __future__ import annotations

import os
import random
import tarfile

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.tests.support.hostile_archives import (
    archive,
    folder,
    link,
    member,
    sparse,
    with_sum,
)
from ansible_collections.freezer.backup.tests.support.mounts import opened, paths_in
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.tar_chains import record
from ansible_collections.freezer.backup.tests.support.trees import write
from ansible_collections.freezer.backup.tests.support.version_2 import Forgery, catalogue_of, claims, forge

#: What an attacker stores: members as they are in the stream, each with what the catalogue says of it.
TOP = (folder("."), record("", "d"))
MINE = b"mine"


def file(name, said=None, content=MINE):
    """A file, and what the catalogue says its name is."""
    return member(name, content=content), record(said or name.removeprefix("./"))


@pytest.fixture
def attacked(tmp_path):
    """A chain of two levels, a folder outside of everything, and a way to give each level other members and another catalogue."""
    some = Set(tmp_path, max_level=5, compression="none")
    outside = tmp_path / "outside"
    write(outside / "passwd", b"root")
    write(outside / "sub" / "precious", b"precious")
    write(some.source / "file")
    results = [some.backup(), some.backup()]
    folders = [some.folder_of(result) for result in results]

    def become(first, second, in_order=True):
        for level, parts in enumerate((first, second)):
            members = [one for one, _said in parts]
            forgery = Forgery(folders[level])
            forgery.set_stream(
                archive(*members), claims(members, [said for _one, said in parts], in_order or level == 0)
            )
            forgery.store(folders[0] if level else None)

    some.become, some.outside, some.results, some.folders = become, outside, results, folders
    some.link = (link("./a", str(outside)), record("a", "l", str(outside)))
    return some


def state(top):
    return {path.relative_to(top).as_posix(): path.is_file() and path.read_bytes() for path in top.rglob("*")}


def assert_refused(some, match=r"\.$"):
    """Neither restore nor proof does anything outside, or leaves anything in the target."""
    before = state(some.outside)
    target = some.new_target()
    with pytest.raises(DamagedArchive, match=match) as refusal:
        some.restore(target)
    assert state(some.outside) == before
    assert not target.exists()
    with pytest.raises(DamagedArchive):
        some.verify(check="stream")
    assert state(some.outside) == before
    assert some.verify(check="segments")["outcome"] == "success"
    assert_not_all_is_shown(some)
    return str(refusal.value)


def assert_not_all_is_shown(some):
    """A mount is refused as well, or what lies is an error there: nothing of it is given out in the name of something else."""
    told, seen = [], {}
    try:
        with opened(some.options, told.append) as tree:
            for path in paths_in(tree):
                try:
                    tree.attributes(path)
                    seen[path] = tree.read(path, 0, 1 << 20)
                except OSError:
                    continue
    except DamagedArchive:
        return
    # A hard link shows the file of the catalogue, which is whole, wherever the link of the stream leads.
    assert told or seen[b"b"] == seen[b"f"] == MINE


def test_a_file_behind_a_link_of_the_level_below_is_refused_with_what_to_do(attacked):
    attacked.become([TOP, attacked.link], [TOP, file("./a/passwd")])
    said = assert_refused(attacked, r"Level 1 \(.*_1\) is refused: it has a/passwd, and a is no folder then")
    assert (
        "Restore an earlier backup (backup_id or restore_from_date), and take a new full one (no_incremental)" in said
    )
    first = attacked.results[0]
    target = attacked.new_target()
    assert attacked.restore(target, backup_id=first["backup_id"])["outcome"] == "success"
    assert os.readlink(target / "a") == str(attacked.outside)
    assert attacked.backup(no_incremental=True)["level"] == 0
    assert attacked.restore()["outcome"] == "success"


@pytest.mark.parametrize(
    "lie",
    [
        # What is extracted behind a link would go elsewhere.
        lambda some: [TOP, (some.link[0], record("a", "d")), file("./a/passwd")],
        lambda some: [TOP, (folder("./a"), record("a", "l", str(some.outside))), file("./b")],
        lambda some: [TOP, some.link, file("./a/passwd", "b")],
        lambda _some: [TOP, file("./b/../../up", "b")],
        lambda _some: [TOP, file("/tmp/freezer-absolute", "b")],
        lambda some: [TOP, (link("./b", str(some.outside)), record("b", "l", "file"))],
        lambda some: [TOP, (link("./b", str(some.outside)), record("b"))],
        lambda _some: [TOP, (member("./b", tarfile.FIFOTYPE), record("b"))],
        # What a hard link of the stream leads to is not what the catalogue says.
        lambda some: [TOP, file("./f"), (member("./b", tarfile.LNKTYPE, linked="./a/passwd"), record("b", "h", "f"))],
        lambda some: [TOP, file("./f"), (member("./b", tarfile.LNKTYPE, linked="/etc/passwd"), record("b", "h", "f"))],
        lambda some: [TOP, file("./f"), (member("./b", tarfile.LNKTYPE, linked="./f"), record("b"))],
        # A member more, or less, than the catalogue says is in this place.
        lambda _some: [TOP, (member("./b") + member("./a/passwd", content=MINE), record("b"))],
        lambda _some: [TOP, (member("./b", content=MINE)[:512], record("b"))],
    ],
    ids=["folder is a link", "link is a folder", "name", "way up", "absolute", "target", "file is a link", "FIFO", "link's way",
         "absolute link", "link is a file", "two", "half"],
)  # fmt: skip
def test_a_catalogue_that_lies_about_the_stream_is_refused(attacked, lie):
    attacked.become([TOP, attacked.link], lie(attacked))
    assert_refused(attacked)


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ([record("b/c")], "it has b/c, and b is no folder then"),
        ([record("b", "l", "a"), record("b/passwd")], "it has b/passwd, and b is no folder then"),
        ([record("b", "h", "a/passwd")], "it has b as a link to a/passwd, and no such file before it"),
        ([record("b", "h", "a")], "it has b as a link to a, and no such file before it"),
        ([record("b", "h", "../outside/passwd")], "a name with a part that leads elsewhere"),
        ([record("b", "h", "/etc/passwd")], "a name with a part that leads elsewhere"),
        ([record("../up")], "a name with a part that leads elsewhere"),
        ([record("/tmp/freezer-absolute")], "a name with a part that leads elsewhere"),
        ([record("b", "d"), record("b/../../up")], "a name with a part that leads elsewhere"),
        ([record("b", "d"), record("b//c")], "a name with a part that leads elsewhere"),
        ([record("b", "d"), record("b/.")], "a name with a part that leads elsewhere"),
        ([record("./b")], "a name with a part that leads elsewhere"),
        ([record("b", "d"), record("b", "l", "a")], "a name twice"),
        ([record("", "d")], "a name twice|a name with a part that leads elsewhere"),
        ([record("b", "x", mode=b"0644")], "more than the name of what is gone"),
        ([record("b", "q")], "the kind 'q'"),
        ([record("b", "-", "a")], "something else that leads somewhere"),
        ([record("b", "l")], "a link that leads to nothing"),
        ([record("b", mode=b"104755")], "an odd mode"),
        ([record("b", size=b"-1")], "an odd number"),
        ([record("b", mtime=b"soon")], "an odd time"),
        ([record("b", map=b"0"), record("c", "d", map=b"0")], "a map of what is no file"),
        ([record("b" * 65537)], "a name that is too long"),
    ],
)
def test_records_that_lead_elsewhere_or_are_none_are_refused(attacked, parts, match):
    """The stream has a small file for each of them: the catalogue alone is enough to refuse them."""
    second = [(member(f"./{number}"), said) for number, said in enumerate(parts)]
    attacked.become([TOP, attacked.link], [TOP, *second])
    assert_refused(attacked, match)


def test_records_out_of_their_order_are_refused(attacked):
    """A reader that merges by order would pass over what comes too late, such as that a name is gone."""
    attacked.become([TOP, file("./b"), file("./c")], [TOP, file("./d"), file("./b")], in_order=False)
    assert_refused(attacked, r"a name out of its order \(b\)")


@pytest.mark.parametrize(
    "changed",
    [
        {"offset": b"0"},
        {"offset": b"1024"},
        {"offset": b"1073741824"},
        {"length": b"512"},
        {"length": b"1073741824"},
        {"length": b"0"},
        {"offset": b"100"},
        {"length": b"9223372036854775296"},
    ],
    ids=[
        "the top's place",
        "the other file's place",
        "behind the end",
        "too short",
        "too long",
        "nothing",
        "no block",
        "endless",
    ],
)
def test_a_member_that_lies_where_another_one_does_or_nothing_is_refused(attacked, changed):
    attacked.become([TOP], [TOP, file("./b"), file("./c")])
    forgery = Forgery(attacked.folders[1])
    members = [TOP[0], member("./b", content=MINE), member("./c", content=MINE)]
    honest = claims(members, [TOP[1], record("b"), record("c")])
    fields = honest.split(b"\0")[:-1]
    last = fields[-13:]
    last[8], last[9] = changed.get("offset", last[8]), changed.get("length", last[9])
    forgery.set_side("catalogue", b"".join(field + b"\0" for field in (*fields[:-13], *last)))
    forgery.store(attacked.folders[0])
    assert_refused(attacked)


@pytest.mark.parametrize(
    "hidden",
    [
        member("./innocent", path="./a/passwd", content=MINE),
        member("./GNUSparseFile.1/x", GNU__sparse__name="./a/passwd", content=MINE),
        member("././@LongLink", tarfile.GNUTYPE_LONGNAME, content=b"./a/passwd\0") + member("./x", content=MINE),
        member("./x", tarfile.XGLTYPE, content=b"19 path=./a/passwd\n") + member("./x", content=MINE),
        member("./x", tarfile.LNKTYPE, linked="./y", content=member("./a/passwd", content=MINE)),
        member("./x", content=b"", size="512") + member("./a/passwd", content=MINE),
        bytes([1]) * 512 + member("./a/passwd", content=MINE),
        bytes(1024) + member("./a/passwd", content=MINE),
        member("./x", path="./y\0", content=MINE),
        member("./x", GNU__volume__label="x", content=MINE),
        member("./x", GNU__sparse__map="0,1", content=MINE),
    ],
    ids=["extended", "sparse", "long name", "global", "content of a link", "size", "no header", "after the end", "NUL",
         "volume", "old sparse"],
)  # fmt: skip
@pytest.mark.parametrize("said", ["x", "a/passwd"])
def test_what_another_reader_could_take_for_another_member_is_refused(attacked, hidden, said):
    """Whatever name the catalogue gives to it."""
    second = [TOP, (hidden, record(said))]
    attacked.become([TOP, attacked.link], [TOP, (folder("./a"), record("a", "d")), *second[1:]])
    before = state(attacked.outside)
    target = attacked.new_target()
    if said == "a/passwd" and hidden.startswith(member("./innocent", path="./a/passwd")[:512]):
        attacked.restore(target)  # this is its name, for every reader
        assert (target / "a" / "passwd").read_bytes() == MINE
    else:
        assert_refused(attacked)
    assert state(attacked.outside) == before


_CLAIMS_MORE = bytes(512)  # what a sparse file takes from the next member


@pytest.mark.parametrize(
    "hide",
    [
        lambda evil: sparse("./s", "1 0 1024") + member("./f", content=_CLAIMS_MORE + evil),
        lambda evil: sparse("./s", "1 0 512", b"x" * 1024 + evil),
        lambda evil: sparse("./s", "2 0 1 512 1", b"x" * 2) + bytes(512) + member("./f", content=_CLAIMS_MORE + evil),
        lambda evil: sparse("./s", "90 0 1") + member("./f", content=evil),
        lambda evil: sparse("./s", "7 x") + member("./f", content=evil),
        lambda evil: sparse("./s", "1 0 01024", b"x" * 1024) + member("./f", content=evil),
        lambda evil: sparse("./s", f"1 {2**63 - 1} 1", b"x") + member("./f", content=evil),
        lambda evil: sparse("./s", "1 0 1024", GNU__sparse__major="0") + member("./f", content=_CLAIMS_MORE + evil),
        lambda evil: sparse("./s", "1 0 1024", b"x" * 1024, GNU__sparse__realsize=str(2**63)) + member("./f", content=evil),
        lambda evil: member("./s", GNU__sparse__realsize="1024") + member("./f", content=_CLAIMS_MORE + evil),
        lambda evil: member("./s", tarfile.FIFOTYPE, GNU__sparse__realsize="1024") + member("./f", content=evil),
        lambda evil: member("./s", size=str(2**63)) + evil,
        lambda evil: member("./s", size="9" * 40) + evil,
        lambda evil: member("./s", content=evil, size="0" * 17 + str(len(evil))),
        lambda evil: with_sum(member("./s", content=evil), b"77"),
    ],
    ids=["more than there is", "less than there is", "odd regions", "map without an end", "no map", "odd length", "beyond files",
         "older form", "odd real size", "no map at all", "FIFO", "size of 2^63", "size of 40 digits", "zeros before the size",
         "sum of eight digits"],
)  # fmt: skip
def test_numbers_by_which_tar_would_find_another_next_member_are_refused(attacked, hide):
    """The catalogue says that all of it is one file."""
    evil = member("./a/passwd", content=MINE)
    attacked.become([TOP, attacked.link], [TOP, (hide(evil), record("s"))])
    assert_refused(attacked)


@pytest.mark.parametrize(
    "names",
    ["Ra/sub Tmoved", "Ya Ra/sub Tb/moved", "X Ra/sub T", "Yb Rb T/tmp/b", "Da", "", "D../outside", "Y/etc/passwd"],
)
def test_the_lists_of_names_in_folders_delete_and_move_nothing(attacked, names):
    """They are what tar deletes and moves by when it replays levels, as version 1 has it done. Here they say nothing."""
    attacked.become(
        [TOP, attacked.link, file("./f")], [(folder(".", names), record("", "d")), file("./g"), (b"", record("f", "x"))]
    )
    before = state(attacked.outside)
    target = attacked.new_target()
    assert attacked.restore(target)["outcome"] == "success"
    assert state(attacked.outside) == before
    assert sorted(os.listdir(target)) == ["a", "g"]


def test_members_that_the_catalogue_does_not_have_are_never_extracted(attacked):
    hidden = [attacked.link[0], member("./a/passwd", content=MINE)]
    attacked.become([TOP], [TOP, file("./f")])
    forgery = Forgery(attacked.folders[1])
    members = [TOP[0], member("./f", content=MINE)]
    forgery.set_stream(archive(*members, *hidden), claims(members, [TOP[1], record("f")]))
    forgery.store(attacked.folders[0])
    before = state(attacked.outside)
    target = attacked.new_target()
    attacked.restore(target)
    assert (os.listdir(target), state(attacked.outside)) == (["f"], before)
    for check in ("stream", "restore"):
        with pytest.raises(DamagedArchive):
            attacked.verify(check=check)


def test_a_stream_without_the_end_that_tar_writes_is_no_proof(attacked):
    members = TOP[0] + member("./f", content=b"x" * 512)

    def cut(forgery):
        plain, forgery.details["counts"] = catalogue_of(archive(members))
        forgery.set_stream(members, plain)

    forge(attacked.folders[1], cut)
    target = attacked.new_target()
    attacked.restore(target)
    assert (target / "f").read_bytes() == b"x" * 512
    with pytest.raises(DamagedArchive, match="it has no end after ./f"):
        attacked.verify()


@pytest.mark.parametrize("change", ["owner", "mode", "time", "size", "left out", "added", "counts"])
def test_a_catalogue_that_says_something_else_than_the_stream_is_no_proof(attacked, change):
    members = [TOP[0], member("./f", content=MINE), member("./g", content=MINE)]
    plain, counts = catalogue_of(archive(*members))
    fields = plain.split(b"\0")[:-1]
    records = [fields[place : place + 13] for place in range(0, len(fields), 13)]
    last = records[-1]
    changed = {
        "owner": lambda: last.__setitem__(2, b"0" if last[2] != b"0" else b"5"),
        "mode": lambda: last.__setitem__(1, b"4755"),
        "time": lambda: last.__setitem__(7, b"1.5"),
        "size": lambda: last.__setitem__(6, b"99"),
        "left out": records.pop,
        "added": lambda: records.append([b"x", *[b""] * 10, b"h", b""]),
        "counts": lambda: counts.update(files=7),
    }
    changed[change]()

    def lie(forgery):
        forgery.set_stream(archive(*members), b"".join(field + b"\0" for one in records for field in one))
        forgery.details["counts"] = counts

    forge(attacked.folders[1], lie)
    if change == "added":
        # What is gone stands in no stream.
        assert attacked.verify()["outcome"] == "success"
    else:
        with pytest.raises(DamagedArchive, match="is not what its catalogue says|other members than its details say"):
            attacked.verify()


@pytest.mark.rounds
def test_whatever_two_levels_bring_at_random_behind_links_nothing_outside_changes(attacked):
    names = ["a", "a/b", "a/passwd", "a/sub", "a/sub/precious", "b", "b/passwd", "b/a", "passwd"]
    target_of = [str(attacked.outside), f"{attacked.outside}/passwd", "../outside", "b", "a", ".", "/"]
    before = state(attacked.outside)
    refused = 0
    for number in range(rounds(10)):
        chosen = random.Random(number)

        def one(name, chosen=chosen):
            kind = chosen.choice("-dlhx")
            if kind == "-":
                return file(f"./{name}")
            if kind == "d":
                return folder(f"./{name}", chosen.choice([None, "Ypasswd Rsub Tmoved"])), record(name, "d")
            if kind == "x":
                return b"", record(name, "x")
            to = chosen.choice(target_of if kind == "l" else [*target_of, *names])
            if kind == "l":
                return link(f"./{name}", to), record(name, "l", to)
            return member(f"./{name}", tarfile.LNKTYPE, linked=f"./{to}"), record(name, "h", to)

        levels = []
        for level in range(2):
            picked = chosen.sample(names, chosen.randint(1, 6))
            members = [one(name) for name in picked]
            levels.append([TOP, *(pair for pair in members if level or pair[0])])
        attacked.become(*levels, in_order=chosen.random() < 0.9)
        target = attacked.new_target()
        restored, problem = attempt(attacked.restore, target)
        _proof, other = attempt(attacked.verify, check="restore")
        assert state(attacked.outside) == before, levels
        assert not (attacked.folder / "moved").exists()
        for said in filter(None, (problem, other)):
            assert str(said)[-1] == ".", (levels, str(said))
        if restored is None:
            refused += 1
            assert not target.exists(), levels
    assert refused


def test_what_stands_in_the_place_of_a_link_by_right_is_restored(tmp_path):
    """A folder, and a folder again, in one chain of real backups: the checks are no obstacle."""
    some = Set(tmp_path, max_level=9)
    outside = tmp_path / "outside"
    write(outside / "passwd", b"root")
    write(some.source / "a" / "passwd", b"first")
    some.backup()
    os.rename(some.source / "a", tmp_path / "aside")
    os.symlink(outside, some.source / "a")
    assert some.backup()["level"] == 1
    os.unlink(some.source / "a")
    write(some.source / "a" / "passwd", b"third")
    assert some.backup()["level"] == 2
    target = some.new_target()
    some.restore(target)
    assert (target / "a" / "passwd").read_bytes() == b"third"
    assert (outside / "passwd").read_bytes() == b"root"


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (
            lambda: (member("./b", content=MINE), record("b", size=b"3")),
            "./b where its catalogue has b, or differs in kind, link, size",
        ),
        (
            lambda: (member("./b", content=MINE), record("b", size=b"9999")),
            "./b where its catalogue has b, or differs in kind, link, size",
        ),
        (
            lambda: (sparse("./b", "2 512 512 0 512", bytes(1024)), record("b", size=b"1024")),
            "a map of its holes that is out of order",
        ),
        (lambda: (member("./b", content=MINE), record("b", size=b"4", map=b"0")), "has no maps"),
    ],
    ids=["less", "more", "order", "map"],
)
def test_a_mount_gives_nothing_out_of_a_file_whose_catalogue_or_map_lies(attacked, lie, why):
    attacked.become([TOP, attacked.link], [TOP, lie()])
    told = []
    with opened(attacked.options, told.append) as tree:
        with pytest.raises(OSError, match="Input/output error"):
            tree.read(b"b", 0, 512)
    assert len(told) == 1
    assert why in told[0]
