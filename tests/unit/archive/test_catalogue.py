# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""tar's list of members: every line is read back as what it says."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.catalogue import (
    Tally,
    name_in,
)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b'drwxr-xr-x  root/root         0 2026-11-22 09:18:23.638660743 "./"\n', "./"),
        (b'-rwsr-xr-x+ a user/the group 5368709124 2026-11-22 09:18:23.6384404   "./f g"\n', "./f g"),
        (b'lrwxrwxrwx  0/0 0 1938-04-24 22:13:20           "./a -> b" -> "c\\n\\"d\\377"\n', "./a -> b"),
        (b'lrwxrwxrwx  0/0 0 2026-11-22 09:18:23.1 "./\\"q\\" \\377" -> "./x"\n', './"q" \udcff'),
        (b'hrw-r--r--  root/root         0 2026-11-22 09:18:23.1 "./h" link to "./link to \\"x\\""\n', "./h"),
        (b'crw-rw-rw-  root/root       1,3 2026-11-22 09:18:23.1 "./null"\n', "./null"),
        (b'prw-r--r--  root/root         0 2026-11-22 09:18:23.1 "./1 2026-11-22 pipe"\n', "./1 2026-11-22 pipe"),
        (b"", None),
        (b"x", None),
        (b"-rw-r--r-- root/root 1 2026-11-22 09:18 ./unquoted\n", None),
        (b"total 5\n", None),
    ],
)
def test_the_name_in_a_line_is_that_of_the_member(line, name):
    assert name_in(line) == name


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
