# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The plan: the last state of every path of a chain, and chains that could write elsewhere, which are refused by level and path."""

from __future__ import annotations

import random
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import DamagedCatalogue
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.plan import HardLinks, final_state
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.records import encode, order_key
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.tar_chains import catalogue, record, stored

TOP = record("", "d")


def chain(*levels):
    """Catalogues of these members, in their order, each with the folder itself."""
    return [
        catalogue(sorted([TOP, *members], key=lambda member: order_key(member.name)), f"{17 + level}_{level}")
        for level, members in enumerate(levels)
    ]


def state(*levels):
    return [(one.member.name.decode(), one.level) for one in final_state(chain(*levels))]


def test_the_newest_level_that_has_a_path_counts_and_what_is_gone_or_no_folder_hides_what_lower_levels_had_below():
    found = state(
        [record("a", "d"), record("a/1"), record("a/2"), record("a-b"), record("b", "d"), record("b/1"), record("c"), record("e", "d"), record("e/1")],
        [record("a", "d"), record("a/1"), record("b", "x"), record("c", "d"), record("c/1"), record("e")],
        [record("a", "d"), record("a/3"), record("b", "d"), record("b/2"), record("c", "d"), record("e", "d"), record("e/2"), record("f", "x")],
    )  # fmt: skip
    assert found == [
        *[("", 2), ("a", 2), ("a/1", 1), ("a/2", 0), ("a/3", 2), ("a-b", 0), ("b", 2), ("b/2", 2)],
        *[("c", 2), ("c/1", 1), ("e", 2), ("e/2", 2)],
    ]


def test_a_single_file_has_no_folder_itself():
    assert [one.level for one in final_state([catalogue([record("f")]), catalogue([])])] == [0]


@pytest.mark.parametrize(
    ("levels", "level", "path"),
    [
        # The link of a level would redirect the file of the next one.
        ([[record("a", "l", "/etc")], [record("a/passwd")]], 1, "a/passwd"),
        ([[record("a", "l", "/etc")], [record("a", "l", "/etc"), record("a/passwd")]], 1, "a/passwd"),
        ([[record("a", "l", "/etc")], [record("a/b", "d"), record("a/b/passwd")]], 1, "a/b"),
        # A folder was hidden while tar looked at folders, and was back when it read files.
        ([[record("p", "d"), record("p/a", "l", "/etc")], [record("p/a/passwd")]], 1, "p/a/passwd"),
        # A folder was replaced by a link while it was read.
        ([[record("a", "l", "/tmp"), record("a/b")]], 0, "a/b"),
        ([[record("a"), record("a/b")]], 0, "a/b"),
        # Nothing is there at all.
        ([[record("a/b")]], 0, "a/b"),
        ([[record("a", "d"), record("a/b/c/d")]], 0, "a/b/c/d"),
        ([[record("a", "d"), record("a/b")], [record("a", "x")], [record("a/c")]], 2, "a/c"),
        ([[record("a", "d"), record("a/b")], [record("a", "x"), record("a/c")]], 1, "a/c"),
        ([[record("a", "d"), record("a/b")], [record("a", "x"), record("a/b")], [record("a", "d")]], 1, "a/b"),
        ([[record("a", "d")], [record("a", "h", "b"), record("a/b"), record("b")]], 1, "a/b"),
    ],
)
def test_a_member_whose_parent_is_no_folder_is_refused_by_level_and_path(levels, level, path):
    with pytest.raises(DamagedCatalogue) as refusal:
        state(*levels)
    assert refusal.value.path == path
    assert f"Level {level} ({17 + level}_{level}) is refused: it has {path}" in str(refusal.value)


@pytest.mark.parametrize("top", [record("", "l", "/etc"), record("")])
def test_a_backup_that_is_no_folder_is_refused(top):
    for levels in ([catalogue([top, record("a")])], [catalogue([top]), catalogue([TOP])]):
        with pytest.raises(DamagedCatalogue):
            list(final_state(levels))


@pytest.mark.parametrize(
    "members",
    [
        [record("b"), record("a")],
        [record("a", "d"), record("a-b"), record("a/b")],
        [record("a", "d"), record("a", "d")],
        [record("a", "x"), record("a")],
    ],
)
def test_names_out_of_order_or_twice_are_refused_with_their_backup(members):
    with pytest.raises(DamagedCatalogue, match="The catalogue of 18_1 has a name (twice|out of its order)"):
        list(final_state([catalogue([TOP], "17_0"), catalogue([TOP, *members], "18_1")]))


def test_to_save_what_can_be_saved_what_is_refused_is_told_and_left_out():
    refused = []
    levels = chain(
        [record("a", "l", "/etc"), record("b", "d"), record("b/1"), record("e")],
        [record("a/passwd"), record("a/d", "d"), record("a/d/f"), record("b", "d"), record("b/1"), record("f")],
    )
    found = [(one.member.name.decode(), one.level) for one in final_state(levels, refused.append)]
    assert found == [("", 1), ("a", 0), ("b", 1), ("b/1", 1), ("e", 0), ("f", 1)]
    assert [one.path for one in refused] == ["a/d", "a/d/f", "a/passwd"]


def test_to_save_what_can_be_saved_older_states_stand_in_for_what_is_behind_the_damage_of_a_catalogue():
    refused = []
    below = catalogue([TOP, record("a"), record("b")], "17_0")
    whole = b"".join(map(encode, [TOP, record("a", begin=512), record("b", begin=1024)]))
    for damaged, levels in ((whole[:-30], [1, 1, 0]), (b"", [0, 0, 0]), (whole[:-1] + b"x", [1, 1, 0])):
        refused.clear()
        assert [one.level for one in final_state([below, stored(damaged, "18_1")], refused.append)] == levels
        assert all("18_1" in str(one) for one in refused)
        assert len(refused) == (damaged != b"")


def _naive(levels):
    """The same by the words of the format, path by path; None where the chain is refused."""
    kinds = [{member.name: member.kind for member in level} for level in levels]
    paths = sorted({name for level in kinds for name in level}, key=order_key)

    def above(name):
        parts = name.split(b"/")
        return [b"/".join(parts[:end]) for end in range(1, len(parts))]

    found = {}
    for path in paths:
        for number in reversed(range(len(levels))):
            hides = any(kinds[number].get(one, b"d") != b"d" for one in above(path))
            if path in kinds[number]:
                if hides:
                    return None
                if kinds[number][path] != b"x":
                    found[path] = (number, kinds[number][path])
                if not all(found.get(one, (0, b""))[1] == b"d" for one in above(path)):
                    return None
                break
            if hides:
                break
    return [(path, number) for path, (number, _kind) in found.items()]


@pytest.mark.rounds
def test_the_merge_gives_what_the_words_of_the_format_give_path_by_path():
    choose = random.Random(14)
    names = [b"a", b"a-", b"b", b"a/a", b"a/b", b"b/a", b"a/a/a", b"a/a/b", b"a/b/a"]
    refused = whole = 0
    for _turn in range(1000 * rounds(1)):
        levels = []
        for number in range(choose.randint(1, 4)):
            members = []
            for name in names:
                kind = choose.choice(["", "", "-", "d", "d", "d", "l"] + ["x"] * (number > 0))
                # Mostly with a folder above, so that many pass.
                parent = name.rpartition(b"/")[0]
                if kind and (
                    not parent
                    or any(one.name == parent and one.kind == b"d" for one in members)
                    or choose.random() < 0.05
                ):
                    members.append(record(name, kind, "/x" if kind == "l" else ""))
            levels.append(members)
        expected = _naive(levels)
        try:
            found = [(one.member.name, one.level) for one in final_state(chain(*levels)) if one.member.name]
        except DamagedCatalogue:
            found = None
        assert found == expected, levels
        refused += expected is None
        whole += expected is not None
    assert min(refused, whole) > 50


def test_hard_links_lead_to_files_of_their_own_level_also_where_a_newer_one_has_the_name(tmp_path):
    levels = chain(
        [record("a"), record("b", "h", "a", 512), record("c", "h", "a", 1024), record("z", "l", "/x", 1536), record("zz", "h", "z", 2048)],
        [record("a"), record("d", "h", "a", 512)],
    )  # fmt: skip
    with HardLinks(levels, str(tmp_path)) as links:
        plan = list(links.watch(final_state(levels)))
        targets = [(one.member.name, one.member.kind, one.level) for one in links.targets()]
    assert [one.level for one in plan] == [1, 1, 0, 0, 1, 0, 0]
    assert targets == [(b"a", b"-", 0), (b"z", b"l", 0), (b"a", b"-", 1)]


@pytest.mark.parametrize(
    "members",
    [
        [record("b", "h", "a", 512)],
        [record("b", "h", "zzz", 512)],
        [record("a", "x"), record("b", "h", "a", 512)],
        [record("a", "d"), record("b", "h", "a", 512)],
        [record("a"), record("b", "h", "a", 512), record("c", "h", "b", 1024)],
        [record("a", begin=1024), record("b", "h", "a", 512)],
    ],
)
def test_a_hard_link_that_leads_to_no_file_before_it_in_its_level_is_refused(tmp_path, members):
    levels = chain([record("a")], members)
    with HardLinks(levels, str(tmp_path)) as links:
        list(links.watch(final_state(levels)))
        with pytest.raises(DamagedCatalogue, match=r"Level 1 \(18_1\) is refused: it has [bc] as a link to") as refusal:
            list(links.targets())
    assert refusal.value.path in ("b", "c")


@pytest.mark.rounds
@settings(max_examples=100 * rounds(1), deadline=None, derandomize=True, database=None)
@given(st.data())
def test_catalogues_with_bytes_changed_give_a_plan_without_anything_below_what_is_no_folder_or_are_refused(data):
    levels = [
        [record("a", "d"), record("a/b"), record("c", "l", "/x"), record("d", "h", "a/b", 1024)],
        [record("a", "d"), record("a/c", "d"), record("b", "x"), record("c", "d"), record("c/d", begin=512)],
    ]
    catalogues = []
    for number, members in enumerate(levels):
        plain = bytearray(b"".join(encode(one) for one in [TOP, *members]))
        for _change in range(data.draw(st.integers(0, 2))):
            plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.sampled_from(b"\0/.abcdxhl-015\xff"))
        catalogues.append(stored(bytes(plain), str(number)))
    with tempfile.TemporaryDirectory() as scratch, HardLinks(catalogues, scratch) as links:
        try:
            plan = list(links.watch(final_state(catalogues)))
            targets = list(links.targets())
        except DamagedCatalogue:
            return
    kinds = {one.member.name: one.member.kind for one in plan}
    assert len(kinds) == len(plan)
    for name in kinds:
        parts = name.split(b"/")
        assert all(kinds[b"/".join(parts[:end])] == b"d" for end in range(1, len(parts))), plan
        assert not {b".", b".."} & set(parts)
    assert len(targets) <= sum(kind == b"h" for kind in kinds.values())
