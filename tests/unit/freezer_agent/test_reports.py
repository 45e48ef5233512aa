# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Results in words, made from what the engine returns for real files."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.exit_status import status_of
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.reports import Concern, Report, report_on
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.wording import moment, size
from ansible_collections.freezer.backup.tests.support.sets import to_restore
from ansible_collections.freezer.backup.tests.support.upstream_backups import HOST, unpack


@pytest.fixture
def action(tmp_path):
    """A backup of two files and a link."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"a" * 4096)
    (source / "b").write_bytes(b"b" * 4096)
    (source / "link").symlink_to("a")
    return {
        "path_to_backup": str(source),
        "storage": "local",
        "container": str(tmp_path / "store"),
        "backup_name": "etc",
        "hostname": "web1",
        "max_level": 5,
    }


def test_a_backup_says_what_was_read_and_where_it_lies(action):
    result = agent.backup(action)
    report = report_on("backup", result)
    facts = dict(report.facts)
    assert report.good
    assert report.title == "Backed up etc of web1."
    assert facts["id"] == result["backup_id"]
    assert facts["read"] == "8.00 KiB in 2 files, 1 folder, 1 symbolic link"
    assert facts["level"] == "0 (there is no earlier backup to continue)"
    assert facts["in"] == f"{action['container']}/{result['storages'][0]['folder']}, a new container"
    assert status_of(result) == 0


def test_a_backup_in_two_storages_is_one_backup_with_two_copies(action, tmp_path):
    storages = [{"storage": "local", "container": str(tmp_path / name)} for name in ("one", "two")]
    for _count in range(2):
        agent.backup({**action, "storages": storages, "max_level": None})
    place = {"storages": storages, "backup_name": "etc", "hostname": "web1"}
    report = report_on("admin", agent.prune({**place, "keep_last": 1}))
    assert report.title == "Removed 1 backup (2 copies) of etc of web1."
    assert dict(report.facts)["kept"] == "1 backup (2 copies)"


def test_an_increment_says_what_is_gone_and_how_much_is_protected(action, tmp_path):
    agent.backup(action)
    (tmp_path / "source" / "b").unlink()
    facts = dict(report_on("backup", agent.backup(action)).facts)
    assert facts["deleted"] == "1 file since level 0"
    assert facts["protected"] == "2 files, 1 folder in all"
    assert dict(report_on("backup", agent.backup(action)).facts)["deleted"] == "nothing since level 1"


def test_a_backup_that_is_full_every_time_says_why(action):
    report = report_on("backup", agent.backup({**action, "max_level": None}))
    assert dict(report.facts)["level"].startswith(
        "0 (every backup is a full one: neither --max-level, --always-level nor "
    )


def test_a_source_in_which_links_could_be_followed_is_said_to_be_unprotected(action):
    result = agent.backup(action)
    assert "unprotected" not in dict(report_on("backup", {**result, "source_protected": True}).facts)
    told = {"source_protected": False, "source_protected_reason": "dereference_symlink is given"}
    report = report_on("backup", {**result, **told})
    assert report.good
    assert dict(report.facts)["unprotected"] == (
        "links that others put in place of folders could be followed: --dereference-symlink is given"
    )


def test_a_failed_storage_is_a_concern(action, tmp_path):
    (tmp_path / "no_folder").write_text("")
    storages = [{"storage": "local", "container": str(tmp_path / name)} for name in ("good", "no_folder")]
    result = agent.backup({**action, "storages": storages})
    report = report_on("backup", result)
    assert not report.good
    assert report.title == "Backed up etc of web1, but not all of it."
    assert [concern.title for concern in report.concerns] == ["Not stored in"]
    assert str(tmp_path / "no_folder") in report.concerns[0].entries[0]
    assert status_of(result) == 3


def test_unreadable_paths_are_a_concern(action):
    result = agent.backup(action)
    result.update(outcome="partial", unreadable_count=1, unreadable=[{"path": "./a", "message": "Permission denied"}])
    report = report_on("backup", result)
    assert not report.good
    assert report.concerns == [Concern("1 path could not be read", 1, ["./a: Permission denied"])]


def test_a_plan_says_that_nothing_was_written(action):
    report = report_on("backup", agent.backup(action, dry_run=True))
    assert report.title == "Nothing was written. etc of web1 would get a backup of level 0."


def test_a_young_backup_is_a_reason(action):
    agent.backup(action)
    result = agent.backup({**action, "min_age": 3600})
    assert report_on("backup", result).title.startswith(
        "No backup of etc of web1 was made: the newest backup is younger"
    )
    assert status_of(result) == 0


def test_a_restore_says_what_it_did(action, tmp_path):
    agent.backup(action)
    result = agent.restore(to_restore(action, tmp_path / "target"))
    report = report_on("restore", result)
    facts = dict(report.facts)
    assert (report.good, report.title) == (True, "Restored etc of web1.")
    assert facts["to"] == str(tmp_path / "target")
    assert facts["wrote"] == "8.00 KiB in 2 files, 1 symbolic link"
    assert "replaced" not in facts


def test_a_restore_over_files_says_what_it_replaces_and_so_does_its_plan(action, tmp_path):
    agent.backup(action)
    target = to_restore(action, tmp_path / "target")
    agent.restore(target)
    (tmp_path / "target" / "a").write_bytes(b"mine")
    (tmp_path / "target" / "b").unlink()
    over = {**target, "overwrite": True}
    for result, title in ((agent.restore(over, dry_run=True), "Would be replaced"), (agent.restore(over), "Replaced")):
        report = report_on("restore", result)
        facts = dict(report.facts)
        assert facts["would write" if title.startswith("Would") else "wrote"] == "8.00 KiB in 2 files"
        assert (facts["replaced"], facts["as it was"]) == ("1 path", "1 path")
        assert [(one.title, one.count, sorted(one.entries)) for one in report.concerns] == [(title, 1, ["a"])]
    assert dict(report_on("restore", agent.restore(over)).facts)["wrote"] == "nothing"


def test_a_planned_restore_says_so(action, tmp_path):
    agent.backup(action)
    result = agent.restore(to_restore(action, tmp_path / "target"), dry_run=True)
    assert report_on("restore", result).title == "Nothing was written. etc of web1 would be restored."


def test_a_restore_of_a_backup_with_gaps_is_not_called_good(action, tmp_path):
    agent.backup(action)
    result = agent.restore(to_restore(action, tmp_path / "target"))
    result.update(unreadable_count=1, unreadable=[{"path": "./c", "message": "Permission denied"}])
    report = report_on("restore", result)
    assert (report.good, report.title) == (False, "Restored etc of web1 from a backup that has gaps.")


def test_a_verification_says_what_it_looked_at(action):
    agent.backup(action)
    report = report_on("verify", agent.verify(action))
    assert report.title == "etc of web1 can be restored."
    assert dict(report.facts)["checked"] == "size and hash of every segment, read through by tar"


def test_of_a_backup_by_upstreams_agent_it_is_said_what_is_not_proven(tmp_path):
    container = unpack(tmp_path)
    action = {"storage": "local", "container": str(container), "hostname": HOST, "backup_name": "xz"}
    verified = report_on("verify", agent.verify(action))
    assert (verified.title, verified.good) == ("xz of web1 can be restored.", True)
    assert dict(verified.facts)["checked"] == "read to its end"
    restored = report_on("restore", agent.restore(to_restore(action, tmp_path / "restored")))
    assert dict(restored.facts)["from"] == f"{container}/data/tar/web1_xz"
    for report in (verified, restored):
        remarks = next(one for one in report.concerns if one.title == "Remarks")
        assert "no hashes and no signature" in remarks.entries[0]


def test_differences_are_a_concern_and_a_failure(action):
    agent.backup(action)
    source = action["path_to_backup"]
    with open(f"{source}/a", "ab") as changed:
        changed.write(b"more")
    result = agent.verify({**action, "compare_to": source})
    report = report_on("verify", result, source)
    assert report.title == f"etc of web1 can be restored, and differs from {source}."
    assert report.concerns[0].entries
    assert status_of(result) == 1


def test_a_summary_shows_the_first_entries_and_counts_the_rest():
    report = Report("Title.", concerns=[Concern("7 paths", 7, [f"p{number}" for number in range(7)])])
    assert report.lines(2) == ["Title.", "  7 paths:", "    p0", "    p1", "    and 5 more"]
    assert len(report.log_lines()) == 8


def test_names_in_a_summary_cannot_control_the_terminal():
    report = Report("a\x1bb", facts=[("in", "c\nd")])
    assert report.lines(1) == ["a\\x1bb", "  in          c\\nd"]


def test_what_admin_removes_is_listed(action, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = (agent.backup({**action, "max_level": None}) for _number in range(2))
    rules = {**action, "keep_last": 1}
    planned = report_on("admin", agent.prune(rules, dry_run=True))
    assert planned.title == "Nothing was removed. 1 backup of etc of web1 would be removed."
    assert [row[0] for row in planned.table] == ["", "keep", "would go"]
    result = agent.prune(rules)
    report = report_on("admin", result)
    assert report.good
    assert report.title == "Removed 1 backup of etc of web1."
    assert dict(report.facts)["kept"] == "1 backup"
    assert report.concerns == []
    assert [list(row) for row in report.table] == [
        ["", "time", "level", "stored", "id", "because of"],
        [
            "kept",
            moment(second["timestamp"]),
            "0",
            size(second["stored_bytes"]),
            second["backup_id"][:8],
            "--keep-last",
        ],
        ["removed", moment(first["timestamp"]), "0", size(first["stored_bytes"]), first["backup_id"][:8], ""],
    ]
    assert report.lines(5)[-1] == "  " + report.log_lines()[-1]
    assert report_on("admin", agent.prune(rules)).title == "No backup of etc of web1 was to be removed."
    assert status_of(result) == 0
    manifest = tmp_path / "store" / second["storages"][0]["folder"] / "manifest.json"
    manifest.write_text("{}")
    damaged = report_on("admin", agent.prune(rules))
    assert not damaged.good
    assert damaged.concerns[0].title == "Left alone, with all that it may be built on"
