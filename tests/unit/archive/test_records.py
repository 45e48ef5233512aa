# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The records of a catalogue: what a writer makes is read back, and whatever else comes is refused in one way."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.errors import DamagedCatalogue
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.records import (
    FIELDS,
    MOST_NAME_BYTES,
    MOST_RECORD_BYTES,
    Member,
    encode,
    gone,
    order_key,
    read_records,
)
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.tar_chains import record

pytestmark = pytest.mark.rounds
EXAMPLES = settings(max_examples=50 * rounds(2), deadline=None, derandomize=True, database=None)

_PART = rb"(?!\.{1,2}(?:/|\Z))[^/\0]+"
_NAME = re.compile(rb"(?:%b/)*%b" % (_PART, _PART))
_NUMBER = rb"(?:0|[1-9][0-9]{0,18})"
#: The same forms as an independent reader has them, one record at a time.
_FORMS = [rb"[-dlhpbc]", rb"[0-7]{4}", _NUMBER, _NUMBER, rb"[^\0]*", rb"[^\0]*", rb"%b(?:,%b)?" % (_NUMBER, _NUMBER)]
_FORMS += [rb"-?[0-9]{1,19}(?:\.[0-9]{1,9})?", _NUMBER, _NUMBER, rb"(?:%b)?" % _NUMBER]


def sound(fields):
    """Whether a record by itself is one that a writer makes."""
    kind, name, link = fields[0], fields[11], fields[12]
    if kind == b"x":
        return not any(fields[1:11]) and not link and _NAME.fullmatch(name) is not None
    if not all(re.fullmatch(form, value) for form, value in zip(_FORMS, fields, strict=False)):
        return False
    if (b"," in fields[6]) != (kind in (b"b", b"c")) or (b"," in fields[6] and len(fields[6]) > 15):
        return False
    if any(int(value) >= 1 << 63 for value in (fields[2], fields[3], fields[8], fields[9], fields[10] or b"0")):
        return False
    if b"," not in fields[6] and int(fields[6]) >= 1 << 63:
        return False
    if int(fields[8]) % 512 or int(fields[9]) % 512 or not int(fields[9]) or (fields[10] and kind != b"-"):
        return False
    if name and not _NAME.fullmatch(name):
        return False
    return bool(link) == (kind in (b"l", b"h")) and (kind != b"h" or (link != name and bool(_NAME.fullmatch(link))))


def read(plain, cut=1 << 16):
    return [member for batch in read_records(io.BytesIO(plain), "it", cut) for member in batch.members]


def outcome(plain, cut):
    """The members, or the error; of an error the members before it depend on the cuts."""
    try:
        return read(plain, cut)
    except DamagedCatalogue as problem:
        return str(problem)


odd = st.sampled_from(
    [b"", b"0", b"00", b"1", b"-1", b"+1", b" 1", b"1_0", b"512", b"1.5", b"9" * 18, b"9" * 19, b"1" + b"0" * 19, b"0644", b"644", b"-", b"d",
     b"x", b"h", b"l", b"c", b"1,3", b"a", b"a/", b"/a", b"a//b", b".", b"..", b"a/..", b"./a", b"...", b"\xff", b"\n", "٣".encode()]
)  # fmt: skip
field = st.one_of(odd, st.binary(max_size=5).map(lambda value: value.replace(b"\0", b"")))
fixed = st.sampled_from(
    [record("a"), record("a", "l", "/etc"), record("a", "h", "b"), record("a", "d"), record("a", "x")]
)
made = st.tuples(fixed, st.dictionaries(st.integers(0, FIELDS - 1), field, max_size=2)).map(
    lambda pair: tuple(pair[1].get(place, value) for place, value in enumerate(pair[0]))
)


@EXAMPLES
@given(st.lists(made, max_size=4))
@example([record("").__class__(*record("", "d"))])
@example([tuple(record("dev", "c", size=b"1,3"))])
@example([tuple(record("a", map=b"0"))])
@example([tuple(record("a", "d", map=b"0"))])
def test_what_is_read_is_what_an_independent_reader_accepts_and_comes_out_as_it_was(records):
    plain = b"".join(b"\0".join(fields) + b"\0" for fields in records)
    keys = [order_key(fields[11]) for fields in records]
    good = all(map(sound, records)) and all(one < other for one, other in pairwise(keys))
    found = {cut: outcome(plain, cut) for cut in (1, 7, 64, 1 << 16)}
    for cut, result in found.items():
        assert isinstance(result, list) == good, (cut, result)
    if good:
        assert found[1] == found[7] == found[64] == found[1 << 16] == [Member(*fields) for fields in records]
        assert b"".join(map(encode, found[1])) == plain


@EXAMPLES
@given(st.one_of(st.binary(max_size=200), st.lists(field, max_size=40).map(b"\0".join)), st.sampled_from([1, 5, 1000]))
def test_any_bytes_are_members_or_one_kind_of_error(plain, cut):
    try:
        members = read(plain, cut)
    except DamagedCatalogue:
        return
    assert b"".join(map(encode, members)) == plain


@EXAMPLES
@given(st.data())
def test_a_catalogue_with_some_bytes_changed_is_still_sound_or_refused(data):
    plain = bytearray(
        b"".join(map(encode, [record("", "d"), record("a", "d"), record("a/b"), record("a/c", "h", "a/b"), gone(b"b")]))
    )
    for _change in range(data.draw(st.integers(1, 3))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    try:
        members = read(bytes(plain), data.draw(st.sampled_from([1, 40, 1000])))
    except DamagedCatalogue:
        return
    assert all(map(sound, members))
    assert b"".join(map(encode, members)) == bytes(plain)


def test_numbers_of_a_member():
    member = record("a", mode=b"4755", size=b"12", mtime=b"-1.5", begin=1024, length=b"1536", map=b"7")
    assert (member.permissions, member.size_bytes, member.begin, member.end, member.map_begin) == (
        0o4755,
        12,
        1024,
        2560,
        7,
    )
    assert member.device is None
    assert member.mtime_ns == -1_500_000_000
    assert record("a", mtime=b"1796043842.014009519").mtime_ns == 1796043842014009519
    assert record("a", mtime=b"-0.25").mtime_ns == -250_000_000
    device = record("null", "c", size=b"1,3")
    assert (device.device, device.size_bytes, device.map_begin) == ((1, 3), 0, None)


@pytest.mark.parametrize("cut", [100, 1 << 16, 1 << 20])
def test_names_as_long_as_the_format_has_them_are_read_and_longer_ones_refused(cut):
    whole = [record(b"d/" * 32767 + b"ff", "h", "/".join(["e"] * 32768))]
    assert len(whole[0].name) == MOST_NAME_BYTES
    assert read(b"".join(map(encode, whole)), cut) == whole
    for changed in ({"name": whole[0].name + b"f"}, {"link": b"e" * 65537}, {"owner": b"o" * 1025}):
        with pytest.raises(DamagedCatalogue, match="too long"):
            read(encode(whole[0]._replace(**changed)), cut)


def test_a_record_without_an_end_is_refused_before_much_of_it_is_read():
    class Endless:
        given = 0

        def read(self, size):
            self.given += size
            return b"a" * size

    source = Endless()
    with pytest.raises(DamagedCatalogue, match="longer than any"):
        list(read_records(source, "it"))
    assert source.given < 2 * MOST_RECORD_BYTES


def test_the_error_names_backup_and_path():
    with pytest.raises(DamagedCatalogue, match=r"The catalogue of 17_0 has a name twice \(a/b\)") as refusal:
        list(read_records(io.BytesIO(2 * encode(record("a/b"))), "17_0"))
    assert refusal.value.path == "a/b"
