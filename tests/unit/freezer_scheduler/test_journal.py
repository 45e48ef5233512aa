# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The file that a scheduler must not forget anything with."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.cli.status import show_status
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import JOB, Journal, Known
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.runs import Run

#: Opens the file, reads and closes it, as `freezer-scheduler status` does.
READER = """
import sys
from pathlib import Path
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Journal
journal = Journal(Path(sys.argv[1]))
print(sum(1 for known in journal.jobs()))
journal.close()
"""


def known(number):
    return Known(f"job{number}", '{"job_actions": []}' * 20, None, State("scheduled"), 1.0, 0, False)


def test_connections_of_one_process_keep_their_locks_while_others_come_and_go(tmp_path):
    """Closing a file drops all locks of a process on it: a second connection must not drop those of the first."""
    path = tmp_path / "scheduler.db"
    journal = Journal(path)
    for turn in range(6):
        journal.begin()
        for number in range(200):
            journal.keep_job(known(turn * 200 + number))
        journal.commit()
        # The thread that speaks with the API has a connection of its own.
        second = Journal(path)
        # Closing the last connection, as far as locks tell, folds the log in and deletes it.
        done = subprocess.run([sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True)
        assert int(done.stdout) == (turn + 1) * 200
        assert Path(f"{path}-wal").exists()
        second.close()
    journal.close()
    again = Journal(path)
    assert again._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert sum(1 for _known in again.jobs()) == 1200


def test_what_was_not_committed_is_forgotten_and_the_rest_is_there_again(tmp_path):
    journal = Journal(tmp_path / "scheduler.db")
    run = Run("r", "job1", 1.5, 2.5, results=["success"], messages=["it worked"])
    journal.begin()
    journal.keep_job(known(1))
    journal.keep_run(run)
    journal.commit()
    journal.begin()
    journal.keep_job(known(2))
    journal.close()
    again = Journal(tmp_path / "scheduler.db")
    assert [one.job_id for one in again.jobs()] == ["job1"]
    assert again.runs() == [run]


def test_reports_of_a_job_that_wait_become_one_and_one_that_grew_meanwhile_is_told_again(tmp_path):
    journal = Journal(tmp_path / "scheduler.db")
    journal.report(JOB, "a", {"status": "running"})
    journal.report(JOB, "b", {"status": "running"})
    journal.report(JOB, "a", {"result": "success"})
    reports = journal.waiting_reports(10)
    assert [(one.key, one.body) for one in reports] == [
        ("a", {"status": "running", "result": "success"}),
        ("b", {"status": "running"}),
    ]
    journal.report(JOB, "b", {"status": "completed"})
    journal.told(reports)
    assert [(one.key, one.body) for one in journal.waiting_reports(10)] == [("b", {"status": "completed"})]


def test_the_file_is_its_owners_only(tmp_path):
    old = os.umask(0)
    try:
        Journal(tmp_path / "new" / "scheduler.db").begin()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    for path in (tmp_path / "new").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_status_shows_what_waits_for_its_place_and_writes_nothing(tmp_path, capsys):
    path = tmp_path / "scheduler.db"
    journal = Journal(path)
    for number, phase in enumerate(("running", "ready")):
        state = State("running")
        journal.keep_job(Known(f"job{number}", "{}", None, state, 1.0, 0, False))
        journal.keep_run(Run(f"run{number}", f"job{number}", 1.0, 1.0, phase=phase))
    before = [(one.name, one.read_bytes()) for one in sorted(tmp_path.glob("*.db*")) if not one.name.endswith("-shm")]
    assert show_status("node1", None, tmp_path, "json") == 3
    found = json.loads(capsys.readouterr().out)
    assert found["jobs"] == {"running": 1, "queued": 1}
    assert {run["job_id"]: run["phase"] for run in found["runs"]} == {"job0": "running", "job1": "queued"}
    assert show_status("node1", None, tmp_path, None) == 3
    said = capsys.readouterr().out
    assert ("{" in said, "1 running, 1 queued" in said) == (False, True)
    assert len([line for line in said.splitlines() if line.startswith("| job")]) == 4, said
    after = [(one.name, one.read_bytes()) for one in sorted(tmp_path.glob("*.db*")) if not one.name.endswith("-shm")]
    assert after == before
    journal.close()
