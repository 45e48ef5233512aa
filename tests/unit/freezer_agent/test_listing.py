# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The table of info, on terminals of several widths and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.listing import print_listing

BACKUP_ID = "0123456789abcdef0123456789abcdef"


def backup(**changes):
    """An entry of a result of info."""
    return {
        "backup_id": BACKUP_ID,
        "hostname": "web1",
        "backup_name": "etc",
        "level": 1,
        "timestamp": 1795337766,
        "outcome": "success",
        "source_bytes": 3 << 20,
        "stored_bytes": 1 << 20,
        "storage": "local",
        "container": "/srv/backups",
        **changes,
    }


@pytest.fixture
def listing():
    """Prints a result as it would appear with a width; None stands for a pipe."""

    def show(backups, width=None, incomplete=(), damaged=()):
        stream = io.StringIO()
        console = Console(file=stream, width=width, force_terminal=width is not None, color_system=None)
        print_listing({"backups": backups, "incomplete": incomplete, "damaged": damaged}, console)
        return stream.getvalue()

    return show


def test_a_wide_terminal_shows_a_line_for_each_backup(listing):
    lines = [line.split() for line in listing([backup(), backup(level=0)], width=140).splitlines() if BACKUP_ID in line]
    assert [line[1:4] for line in lines] == [["etc", "web1", "1"], ["etc", "web1", "0"]]
    assert lines[0][-5:] == ["3.00", "MiB", "1.00", "MiB", "success"]


def test_a_terminal_of_80_columns_shows_whole_ids_and_names_above(listing):
    shown = listing([backup(), backup(backup_name="home")], width=80).splitlines()
    assert [line for line in shown if " of web1" in line] == ["etc of web1", "home of web1"]
    assert sum(BACKUP_ID in line for line in shown) == 2
    assert all(len(line) <= 80 for line in shown)


def test_a_pipe_gets_plain_lines_that_are_never_cut(listing):
    shown = listing([backup(backup_name="n" * 120)]).splitlines()
    assert len(shown) == 2
    assert shown[1].startswith(f"{BACKUP_ID}  {'n' * 120}  web1")


def test_the_container_is_shown_where_there_are_several(listing):
    shown = listing([backup(), backup(container="/mnt/backups")])
    assert "/srv/backups" in shown
    assert "/mnt/backups" in shown
    assert "/srv/backups" not in listing([backup()])


def test_a_backup_by_upstreams_agent_has_its_format_and_no_size_of_its_source(listing):
    lines = listing([backup(), backup(source_bytes=None, format="freezer")]).splitlines()
    assert lines[0].split()[-1] == "format"
    assert lines[1].split()[-5:] == ["3.00", "MiB", "1.00", "MiB", "success"]
    assert lines[2].split()[-4:] == ["1.00", "MiB", "success", "freezer"]
    assert "3.00" not in lines[2]


def test_what_is_no_backup_stands_below(listing):
    shown = listing([backup()], incomplete=["web1_etc/1_0"], damaged=["m\x1b is damaged."])
    assert shown.index("web1_etc/1_0") > shown.index(BACKUP_ID)
    assert "m\\x1b is damaged." in shown


def test_no_backups_are_a_sentence(listing):
    assert listing([]) == "There is no backup.\n"


def test_markup_in_names_is_only_text(listing):
    assert "[red]etc[/]" in listing([backup(backup_name="[red]etc[/]")])


def test_containers_are_listed_with_what_a_storage_says_of_them():
    stream = io.StringIO()
    containers = [
        {"storage": "local", "container": "/srv/a\nb", "has_marker": False},
        {"storage": "swift", "container": "freezer_backups", "objects": 1234, "bytes": 3 << 20, "has_marker": True},
    ]
    print_listing({"containers": containers}, Console(file=stream, width=80))
    heads, local, swift, said = stream.getvalue().splitlines()
    assert heads.split() == ["container", "storage", "objects", "bytes", "marked"]
    assert local.split() == ["/srv/a\\nb", "local", "no"]
    assert swift.split() == ["freezer_backups", "swift", "1,234", "3.00", "MiB", "yes"]
    assert "--container NAME lists what is in one" in said


def test_that_there_is_no_container_is_said():
    stream = io.StringIO()
    print_listing({"containers": []}, Console(file=stream, width=80))
    assert stream.getvalue() == "There is no container that could be listed.\n"
