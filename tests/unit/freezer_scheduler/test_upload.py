# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs of a folder become jobs of the API, as the README of Freezer says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import uuid

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import Unreachable
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.api.conversation import Conversation
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.folder import JobFolder
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Journal
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.main import main
from ansible_collections.freezer.backup.tests.support.scheduler_process import Scheduler, wait_for

BACKUP = {"freezer_action": {"action": "backup", "path_to_backup": "/etc", "backup_name": "etc"}}


@pytest.fixture
def url(freezer_api):
    return f"{freezer_api.url}/v2/p{uuid.uuid4().hex[:12]}"


@pytest.fixture
def run(url, tmp_path, monkeypatch, capsys):
    """Runs the command in this process; returns exit status, output and errors."""
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OS_BACKUP_URL", url)

    def call(*arguments):
        status = main(["--state-dir", str(tmp_path / "state"), *arguments])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "job_dir"
    path.mkdir()
    return path


def write(folder, name, document, mode=0o600):
    (folder / name).write_text(json.dumps(document))
    (folder / name).chmod(mode)


def test_job_files_are_stored_at_the_api_once_and_changed_when_they_change(run, folder):
    write(folder, "job_nightly.conf", {"job_actions": [BACKUP], "job_schedule": {"schedule_hour": "3"}})
    write(folder, "job_once.json", {"job": {"job_actions": [BACKUP], "description": "once"}})
    status, out, err = run("-c", "node12", "job-upload", str(folder))
    assert (status, out) == (0, "nightly\nonce\n")
    assert ("The job nightly is created at the API.\n" in err, err.count("No client node12")) == (True, 1)
    found = json.loads(run("job-get", "nightly")[1])
    assert (found["client_id"], found["job_schedule"]["schedule_hour"]) == ("node12", "3")
    # Again, from the folder of -f: nothing changes.
    status, _out, err = run("-c", "node12", "-f", str(folder), "job-upload")
    assert (status, err.count("is the same already")) == (0, 2)
    assert json.loads(run("job-get", "nightly")[1]) == found
    # What the API knows of the job stays, and what is not in the file any more goes.
    assert run("job-start", "nightly")[0] == 0
    write(folder, "job_nightly.conf", {"job_actions": [BACKUP], "job_schedule": {"schedule_interval": "2 days"}})
    status, _out, err = run("-c", "node12", "job-create", "--file", str(folder))
    assert (status, "The job nightly is changed at the API." in err) == (0, True)
    schedule = json.loads(run("job-get", "nightly")[1])["job_schedule"]
    assert (schedule["schedule_interval"], schedule.get("schedule_hour"), schedule["event"]) == (
        "2 days",
        None,
        "start",
    )


def test_what_a_scheduler_of_upstream_wrote_is_stored_without_what_its_api_wrote(run, folder):
    job = {"job_id": "a1b2", "client_id": "node12", "user_id": "u", "project_id": "p", "session_tag": 4, "job_actions": [BACKUP],
           "job_schedule": {"schedule_interval": "4 hours", "status": "completed", "result": "fail", "current_pid": 7}}  # fmt: skip
    write(folder, "job_a1b2.conf", job)
    assert run("-c", "node12", "job-upload", str(folder))[0] == 0
    found = json.loads(run("job-get", "a1b2")[1])
    assert (found["job_schedule"].get("status") or "", found["job_schedule"].get("result") or "") == ("", "")
    assert "completed" not in run("-c", "node12", "job-list", "--format", "value")[1]


def test_what_cannot_be_stored_is_told_and_the_others_are_stored(run, folder, tmp_path):
    write(folder, "job_taken.conf", {"job_actions": [BACKUP]})
    assert run("-c", "other", "job-upload", str(folder))[0] == 0
    write(folder, "job_good.conf", {"job_actions": [BACKUP]})
    write(folder, "job_open.conf", {"job_actions": [BACKUP]}, mode=0o644)
    write(folder, "job_wrong.conf", {"job_actions": [BACKUP], "job_schedule": {"schedule_hour": "25"}})
    status, out, err = run("-c", "node12", "job-upload", str(folder))
    assert (status, out) == (1, "good\n")
    assert "The job taken was not stored: there is one of the client other" in err
    assert "job_open.conf is not used: other users may read or write it (mode 0644); chmod it to 0600." in err
    assert "The job wrong was not stored: " in err
    (tmp_path / "empty").mkdir()
    status, _out, err = run("-c", "node12", "job-upload", str(tmp_path / "empty"))
    assert (status, "has no job files" in err) == (1, True)
    status, _out, err = run("-c", "node12", "job-upload", str(tmp_path / "none"))
    assert (status, "none cannot be read: No such file" in err) == (1, True)


def test_a_scheduler_that_is_started_with_a_folder_stores_its_jobs_and_runs_them(url, run, folder, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/mark\n")
    script.chmod(0o700)
    write(folder, "job_once.conf", {"job_actions": [{"freezer_action": {"action": "exec", "command": str(script)}}]})
    scheduler = Scheduler("node12", tmp_path, url, {"disable_exec": "false", "systemd_scopes": "false"})
    try:
        scheduler.start("-i", "1", "-f", str(folder))
        wait_for((tmp_path / "mark").exists)
        wait_for(lambda: json.loads(run("job-get", "once")[1])["job_schedule"].get("result") == "success")
        assert "The job once is created at the API." in scheduler.log
        scheduler.end()
        scheduler.start("-f", str(folder))
        wait_for(lambda: "The job once is the same already." in scheduler.log)
    finally:
        scheduler.end(signal.SIGKILL)
    assert (tmp_path / "mark").read_text() == "ran\n"


def test_a_folder_is_stored_when_the_api_is_reached_although_it_was_away_at_the_start(url, folder, tmp_path):
    write(folder, "job_once.conf", {"job_actions": [BACKUP]})
    addresses = ["http://127.0.0.1:1", url]
    with contextlib.closing(Journal(tmp_path / "scheduler.db")) as journal:

        def registry():
            return connect(auth_type="none", url=addresses.pop(0))

        away = Conversation(registry, journal, "node12", {}, JobFolder(folder))
        with pytest.raises(Unreachable):
            away.upload()
        away.close()
        # The next try has a new connection, as an API that is back has.
        away._registry = None
        away.upload()
        assert away.registry.jobs.get("once")["client_id"] == "node12"
        # Once: what is deleted meanwhile does not come back.
        away.registry.jobs.delete("once")
        away.upload()
        assert away.registry.jobs.get("once") is None
        away.close()
