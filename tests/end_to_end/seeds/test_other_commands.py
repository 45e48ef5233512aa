# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The commands for freezer-scheduler and freezer-manage in Freezer's READMEs, as they stand there."""

from __future__ import annotations

import json
import os
import shlex
import uuid

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler import main as scheduler
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.cli.command_line import parse
from ansible_collections.freezer.backup.tests.support.freezer_readmes import TEST_JOB

COLUMNS = ["job_id", "description", "# actions", "status", "event", "result", "session_id"]


def words(command):
    """The arguments of a command, without the prompt and the program."""
    return [word for word in shlex.split(command) if word != "#"][1:]


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("freezer-scheduler start", {"verb": "start"}),
        ("freezer-scheduler stop", {"verb": "stop"}),
        ("freezer-scheduler --no-daemon start", {"verb": "start", "no_daemon": True}),
        (
            "freezer-scheduler -c node12 -i 15 -f ~/job_dir start",
            {"verb": "start", "client_id": "node12", "interval": 15.0, "jobs_dir": "~/job_dir"},
        ),
    ],
)
def test_a_command_that_starts_or_stops_the_scheduler_is_understood(command, asked):
    found = vars(parse(words(command)))
    assert {key: found[key] for key in asked} == asked
    assert {key for key in ("client_id", "interval", "jobs_dir", "no_daemon") if found[key] is not None} == set(
        asked
    ) - {"verb"}


@pytest.fixture
def call(freezer_api, tmp_path, monkeypatch, capsys):
    """Runs a command for the scheduler in this process, where test_job.json lies; returns what it prints."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OS_BACKUP_URL", f"{freezer_api.url}/v2/p{uuid.uuid4().hex[:12]}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_job.json").write_text(TEST_JOB)

    def run(command):
        status = scheduler.main(["--state-dir", str(tmp_path / "state"), *words(command)])
        said = capsys.readouterr()
        assert (status, said.err) == (0, "")
        return said.out

    return run


def test_the_job_of_the_readme_is_uploaded_listed_and_read(call):
    job_id = call("freezer-scheduler -c node12 job-create --file test_job.json").strip()
    heads, row = [
        line for line in call("freezer-scheduler -c node12 job-list").splitlines() if job_id in line or "job_id" in line
    ]
    assert [name for name in COLUMNS if name in heads] == COLUMNS
    assert "schedule_backups 6" in row
    found = json.loads(call(f"freezer-scheduler -c node12 job-get -j {job_id}"))
    sent = json.loads(TEST_JOB)
    assert found["client_id"] == "node12"
    assert found["description"] == sent["description"]
    assert sent["job_schedule"].items() <= found["job_schedule"].items()
    (action,) = found["job_actions"]
    assert sent["job_actions"][0].items() <= action.items()


@pytest.fixture
def manage_store(tmp_path, capsys, monkeypatch):
    """Runs a command for the store in this process: its exit status, and what it says."""
    monkeypatch.setattr("sys.stdin", open(os.devnull, encoding="utf-8"))  # noqa: SIM115

    def run(command):
        try:
            status = manage.main(["--store", f"sqlite:///{tmp_path}/api.db", *words(command)])
        except SystemExit as ending:
            status = ending.code
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


@pytest.mark.parametrize(
    "command",
    [
        "# freezer-manage db sync",
        "# freezer-manage db update",
        "# freezer-manage db show",
        "# freezer-manage db update-settings",
        "# freezer-manage -h",
        "# freezer-manage -y -e db sync",
        # The README calls this one wrong; here options can stand anywhere.
        "# freezer-manage db sync -y -e",
    ],
)
def test_a_command_for_the_store_does_what_it_says(manage_store, command):
    assert manage_store("# freezer-manage db sync")[0] == 0
    status, said = manage_store(command)
    assert (status, "Traceback" in said) == (0, False), said


def test_a_store_is_removed_after_a_question(manage_store, tmp_path):
    assert manage_store("# freezer-manage db sync")[0] == 0
    status, said = manage_store("# freezer-manage db remove")
    assert status != 0, said
    assert (tmp_path / "api.db").exists()
    assert manage_store("# freezer-manage -y db remove")[0] == 0
    assert not (tmp_path / "api.db").exists()
