# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The lines of list, find, history and diff, for people and for programs."""

from __future__ import annotations

import io
import json
import time

import pytest

from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.answers import answer_to_path
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.contents import Lines, report_on_contents
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.reports import report_on

BACKUP = {
    "hostname": "web1",
    "backup_name": "etc",
    "backup_id": "0123456789abcdef0123456789abcdef",
    "level": 1,
    "timestamp": 1795337766,
}
MEMBER = {
    "path": "ssh/key",
    "kind": "file",
    "mode": "4754",
    "uid": 0,
    "gid": 1234,
    "owner": "root",
    "group": "",
    "size": 512,
    "mtime": 1700000000.75,
    "stored_in_level": 0,
}


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def line(action, entry):
    stream = io.StringIO()
    lines = Lines(action, stream, None)
    lines.show(entry)
    lines.finish()
    return stream.getvalue()


def test_a_list_looks_like_that_of_ls():
    assert line("list", MEMBER) == "-rwsr-xr-- root     1234              512 2023-11-14T22:13:20 ssh/key\n"
    link = {**MEMBER, "kind": "symbolic link", "mode": "1777", "path": "a", "link": "b c"}
    assert line("list", link).startswith("lrwxrwxrwt ")
    assert line("list", link).endswith(" a -> b c\n")


def test_a_name_cannot_move_the_cursor_or_begin_another_line():
    hostile = {**MEMBER, "path": "a\n\x1b[2Jb", "link": "\r", "owner": "\x1b]0;x", "change": "added", "fields": []}
    for action in ("list", "diff"):
        text = line(action, hostile)
        assert text.count("\n") == 1
        assert text[:-1].isprintable()
    assert r"a\n\x1b[2Jb" in line("diff", hostile)


def test_find_and_history_begin_with_the_backup():
    assert line("find", {**BACKUP, **MEMBER}).startswith("01234567 2026-11-22T08:56:06 web1 etc -rws")
    here = {**BACKUP, **MEMBER, "present": True, "is_changed": True}
    assert line("history", here).startswith("* 01234567 2026-11-22T08:56:06 etc -rws")
    gone = {**BACKUP, "path": "ssh/key", "present": False, "is_changed": False}
    assert line("history", gone) == "  01234567 2026-11-22T08:56:06 etc (not there) ssh/key\n"


def test_a_difference_has_a_sign_and_what_differs():
    entry = {**MEMBER, "change": "changed", "fields": ["size", "mtime"]}
    assert line("diff", entry) == "M ssh/key (size, mtime)\n"
    assert line("diff", {**entry, "kind": "folder", "change": "removed", "fields": []}) == "- ssh/key/\n"


def test_a_program_gets_an_object_on_each_line_however_many_there_are(tmp_path):
    lines = Lines("list", None, answer_to_path(str(tmp_path / "lines")))
    for number in range(1000):
        lines.show({**MEMBER, "size": number})
    lines.finish()
    read = [json.loads(one) for one in (tmp_path / "lines").read_text().splitlines()]
    assert [one["size"] for one in read] == list(range(1000))
    assert read[0] == {**MEMBER, "size": 0}


@pytest.mark.parametrize(
    ("result", "title"),
    [
        ({**BACKUP, "entries_count": 2}, "2 paths in etc of web1, level 1 of 2026-11-22T08:56:06."),
        ({"backups_count": 3, "entries_count": 1}, "1 line about 3 backups."),
        (
            {**BACKUP, "counts": {"added": 1, "removed": 0, "changed": 2}, "compare_to": "/etc", "entries_count": 3},
            "etc of web1, /etc: 1 added, 2 changed.",
        ),
    ],
)
def test_the_summary_says_what_the_lines_were_about(result, title):
    report = report_on_contents({"not_read_count": 0, "not_read": [], **result})
    assert (report.title, report.good) == (title, True)


def test_what_was_not_read_is_shown_and_the_summary_is_not_good():
    report = report_on_contents(
        {"backups_count": 1, "entries_count": 1, "not_read_count": 1, "not_read": ["Not searched: x"]}
    )
    assert not report.good
    assert "    Not searched: x" in report.lines(5)


def test_a_file_that_was_written_to_a_pipe_is_summed_up():
    result = {**BACKUP, "path": "dump.sql", "restored_bytes": 2048, "outcome": "success", "remarks": []}
    assert report_on("restore", result).title == "Wrote dump.sql of etc of web1, 2.00 KiB."
    assert report_on("restore", {**result, "outcome": "planned"}).title.startswith(
        "Nothing was written. Would write dump.sql"
    )
