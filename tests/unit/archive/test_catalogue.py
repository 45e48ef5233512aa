# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""tar's list of members: every line is read back as what it says."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.catalogue import (
    Entry,
    Tally,
    entries,
    parse_line,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            'drwxr-xr-x  root/root         0 2026-11-22 09:18:23.638660743 "./"',
            Entry("directories", "rwxr-xr-x", "root", "root", 0, "2026-11-22T09:18:23.638660743Z", "./", None),
        ),
        (
            '-rwsr-xr-x+ a user/the group 5368709124 2026-11-22 09:18:23.6384404   "./f g"',
            Entry(
                "files", "rwsr-xr-x", "a user", "the group", 5368709124, "2026-11-22T09:18:23.6384404Z", "./f g", None
            ),
        ),
        (
            'lrwxrwxrwx  0/0 0 1938-04-24 22:13:20           "./a -> b" -> "c\\n\\"d\\377"',
            Entry("symbolic_links", "rwxrwxrwx", "0", "0", 0, "1938-04-24T22:13:20Z", "./a -> b", 'c\n"d\udcff'),
        ),
        (
            'hrw-r--r--  root/root         0 2026-11-22 09:18:23.1 "./h" link to "./link to \\"x\\""',
            Entry("hard_links", "rw-r--r--", "root", "root", 0, "2026-11-22T09:18:23.1Z", "./h", './link to "x"'),
        ),
        (
            'crw-rw-rw-  root/root       1,3 2026-11-22 09:18:23.1 "./null"',
            Entry("devices", "rw-rw-rw-", "root", "root", 0, "2026-11-22T09:18:23.1Z", "./null", None),
        ),
        (
            'prw-r--r--  root/root         0 2026-11-22 09:18:23.1 "./1 2026-11-22 pipe"',
            Entry("fifos", "rw-r--r--", "root", "root", 0, "2026-11-22T09:18:23.1Z", "./1 2026-11-22 pipe", None),
        ),
    ],
)
def test_a_line_says_what_it_says(line, expected):
    assert parse_line(line) == expected
    assert list(entries([line + "\n"])) == [expected]


@pytest.mark.parametrize("line", ["", "x", "-rw-r--r-- root/root 1 2026-11-22 09:18 ./unquoted", "total 5"])
def test_what_is_no_line_is_refused(line):
    with pytest.raises(ValueError, match="not a line of a catalogue"):
        parse_line(line)


def test_members_are_counted_by_kind_and_only_files_have_content():
    tally = Tally()
    for line in (
        b'-rw-r--r--  a 5 b/c 2026 12 2026-11-22 09:18:23.1 "./x 99 2026-11-22 y"\n',
        b'-rw-r--r--  root/root        30 2026-11-22 09:18:23.1 "./b"\n',
        b'drwxr-xr-x  root/root         0 2026-11-22 09:18:23.1 "./"\n',
        b'hrw-r--r--  root/root        30 2026-11-22 09:18:23.1 "./c" link to "./b"\n',
        b'Vrw-r--r--  root/root         0 2026-11-22 09:18:23.1 "./odd"\n',
    ):
        tally.add(line)
    assert {kind: count for kind, count in tally.counts.items() if count} == {
        "files": 2,
        "directories": 1,
        "hard_links": 1,
        "others": 1,
    }
    assert tally.members == 5
    assert tally.content_bytes == 12 + 30
