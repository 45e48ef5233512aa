# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command line to the documents of an API, as the README of Freezer shows it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.cli.showing import (
    show_document,
    show_list,
)
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.cli.status import show_status
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Journal, Known
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.runs import Run
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.main import main
from ansible_collections.freezer.backup.tests.support.freezer_readmes import TEST_JOB
from ansible_collections.freezer.backup.tests.support.scheduler_process import COMMAND, clean_environment


@pytest.fixture
def run(freezer_api, tmp_path, monkeypatch, capsys):
    """Runs the command in this process; returns exit status, output and errors."""
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OS_BACKUP_URL", f"{freezer_api.url}/v2/p{uuid.uuid4().hex[:12]}")
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = main(["--state-dir", str(tmp_path / "state"), *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def test_a_job_goes_the_way_of_the_readme(run, tmp_path):
    (tmp_path / "test_job.json").write_text(TEST_JOB)
    status, out, _err = run("-c", "node12", "job-create", "--file", "test_job.json")
    assert status == 0
    job_id = out.strip()
    _status, out, _err = run("-c", "node12", "job-list")
    heads, row = [line for line in out.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in heads.strip("|").split("|")] == [
        "job_id", "description", "# actions", "status", "event", "result", "session_id", "next run",
    ]  # fmt: skip
    assert [cell.strip() for cell in row.strip("|").split("|")][:3] == [job_id, "schedule_backups 6", "1"]
    _status, out, _err = run("-c", "node12", "job-get", "-j", job_id)
    found = json.loads(out)
    assert (found["client_id"], found["job_schedule"]["schedule_interval"]) == ("node12", "4 hours")
    for event in ("start", "stop", "abort"):
        assert run("job-" + event, job_id)[0] == 0
        assert json.loads(run("job-get", job_id)[1])["job_schedule"]["event"] == event
    assert "was requested already" in run("job-abort", "-j", job_id)[2]
    assert run("job-delete", job_id)[0] == 0
    assert run("job-get", job_id)[::2] == (1, f"freezer-scheduler: There is no job {job_id}.\n")
    # Those of another client are not listed, unless all are asked for.
    run("-c", "other", "job-create", "--file", "test_job.json")
    assert run("-c", "node12", "job-list", "--format", "value")[1] == ""
    assert len(run("-c", "node12", "job-list", "-a", "--format", "value")[1].splitlines()) == 1


def job_with(run, tmp_path, **schedule):
    """A job with such a schedule; returns its id."""
    document = json.loads(TEST_JOB)
    document = document.get("job", document)
    document["job_schedule"] = schedule
    (tmp_path / "job.json").write_text(json.dumps(document))
    return run("-c", "node12", "job-create", "--file", "job.json")[1].strip()


@pytest.mark.parametrize(
    ("status", "phase", "shown"),
    [("scheduled", "queued", "queued"), ("running", "queued", "queued"), ("running", "started", "running"),
     ("completed", "queued", "completed")],
)  # fmt: skip
def test_a_job_that_waits_for_its_place_is_shown_as_queued(run, tmp_path, status, phase, shown):
    job_with(run, tmp_path, status=status, progress={"phase": phase})
    line = run("-c", "node12", "job-list", "--format", "value")[1]
    assert line.split("\t")[3] == shown


def test_of_a_completed_job_there_is_nothing_to_stop_and_a_start_is_asked_for(run, tmp_path):
    job_id = job_with(run, tmp_path, status="completed", result="success")
    assert run("job-stop", job_id)[::2] == (
        0, f"There is nothing to stop: the job {job_id} is completed.\n"
    )  # fmt: skip
    assert run("job-start", job_id)[::2] == (0, f"The start of the job {job_id} is requested.\n")
    schedule = json.loads(run("job-get", job_id)[1])["job_schedule"]
    assert (schedule["event"], schedule["result"]) == ("start", "success")


def test_values_keep_their_places_and_when_a_job_is_due_next_comes_last(run, tmp_path):
    document = json.loads(TEST_JOB)
    document["job_schedule"] = {"schedule_hour": "3", "schedule_timezone": "UTC", "status": "scheduled",
                                "result": "fail", "reason": "No room."}  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(document))
    job_id = run("-c", "node12", "job-create", "--file", "job.json")[1].strip()
    values = run("-c", "node12", "job-list", "--format", "value")[1].rstrip("\n").split("\t")
    assert values[:6] == [job_id, "schedule_backups 6", "1", "scheduled", "", "fail"]
    assert values[10:12] == ["node12", "No room."]
    due = datetime.strptime(values[12], "%Y-%m-%d %H:%M:%S").astimezone()
    assert (due.astimezone(UTC).hour, timedelta(0) < due - datetime.now(UTC) <= timedelta(days=1)) == (3, True)


def on_a_terminal(columns, show):
    """What a function prints on a terminal of so many columns, as lines without what colours them."""
    near, far = pty.openpty()
    child = os.fork()
    if not child:
        os.environ.update(TERM="xterm", COLUMNS=str(columns))
        for number in (1, 2):
            os.dup2(far, number)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        try:
            show()
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.close(far)
    seen = b""
    with contextlib.suppress(OSError):
        while data := os.read(near, 65536):
            seen += data
    os.close(near)
    os.waitpid(child, 0)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode()).splitlines()


def listed_job(job_id="07999ea33a494ccf84590191d6fe850c", client_id="node12", **schedule):
    return {"job_id": job_id, "client_id": client_id, "description": "nightly backup of everything below /srv/data",
            "job_actions": [{}], "job_schedule": {"schedule_hour": "2", "status": "scheduled", **schedule}}  # fmt: skip


REASON = "Action 1 (backup of etc): the path /etc/nothing does not exist."


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_list_on_a_terminal_breaks_no_word_and_shows_first_what_an_operator_looks_for(columns):
    now = time.time()
    jobs = [listed_job(result="fail", reason=REASON, time_ended=now - 60), listed_job("j" * 32, status="running")]
    lines = on_a_terminal(columns, lambda: show_list("job", jobs, "table"))
    assert max(map(len, lines)) <= columns
    heads = lines[0].split("  ")
    assert heads[0] == "job_id"
    row = next(line for line in lines if line.startswith("07999ea33a494ccf84590191d6fe850c "))
    assert ("scheduled" in row, " fail" in row) == (True, True)
    if columns >= 80:
        assert datetime.fromtimestamp(now - 60).astimezone().strftime("%m-%d %H:%M") in row
        assert "next run" in lines[0]
    # A reason without room for it is told below, whole.
    assert (REASON in " ".join(" ".join(lines).split())) == (columns < 120 or columns == 200)
    assert ("reason" in lines[0]) == (columns >= 120)


def test_clients_are_shown_where_there_are_several():
    def of(*clients):
        jobs = [listed_job(f"job{number}", client) for number, client in enumerate(clients)]
        return on_a_terminal(80, lambda: show_list("job", jobs, "table"))

    assert "client_id" not in of("node1", "node1")[0]
    assert of("node1", "node2")[0].split()[:2] == ["job_id", "client_id"]


def test_a_document_in_a_table_has_a_line_for_each_value():
    job = listed_job("job1", reason="x")
    lines = on_a_terminal(
        100, lambda: show_document({**job, "job_actions": [{"freezer_action": {"mode": "fs"}}]}, "table")
    )
    assert not any("{" in line or "[" in line for line in lines)
    assert any(line.split() == ["job_actions.1.freezer_action.mode", "fs"] for line in lines)


def test_the_status_of_a_scheduler_breaks_no_id_on_a_narrow_terminal(tmp_path):
    journal = Journal(tmp_path / "scheduler.db")
    journal.keep_job(Known("j" * 32, "{}", None, State("running"), 1.0, 0, False))
    journal.keep_run(Run("run", "j" * 32, 1.0, 1.0, phase="running", pid=1234567))
    journal.close()
    lines = on_a_terminal(60, lambda: show_status("node1", 99, tmp_path, None))
    assert ("runs (process 99)" in " ".join(lines), max(map(len, lines)) <= 60) == (True, True)
    assert [line.split()[:2] for line in lines if "jjj" in line] == [["j" * 32, "running"]]


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        ({"phase": "started"}, "started"),
        ({"phase": "data", "done_bytes": 2**20, "total_bytes": 2**22}, "data 25% 1.0 MiB"),
        ({"phase": "data", "done_bytes": 2**21}, "data 2.0 MiB"),
    ],
)
def test_progress_says_what_is_known(capsys, progress, shown):
    show_list("job", [listed_job(status="running", progress=progress)], "value")
    assert capsys.readouterr().out.split("\t")[9] == shown


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("session", {"session_id": "s1", "description": "together", "schedule": {"schedule_hour": "2"}}),
        ("action", {"action_id": "a1", "freezer_action": {"action": "info", "backup_name": "b", "password": "pw"}}),
        ("client", {"client_id": "node1", "hostname": "node1", "description": "one"}),
        ("backup", {"backup_id": "b1", "container": "c", "hostname": "h", "backup_name": "n", "time_stamp": 1}),
    ],
)
def test_every_kind_of_document_is_stored_shown_changed_and_deleted(run, tmp_path, kind, document):
    (tmp_path / "document.yaml").write_text(yaml.safe_dump(document))
    document_id = document[f"{kind}_id"]
    assert run(f"{kind}-create", "--file", "document.yaml")[:2] == (0, f"{document_id}\n")
    assert document_id in run(f"{kind}-list")[1]
    shown = yaml.safe_load(run(f"{kind}-get", document_id, "--format", "yaml")[1])
    assert (shown.get("client") or shown)[f"{kind}_id"] == document_id
    listed = json.loads(run(f"{kind}-list", "--format", "json")[1])
    assert len(listed) == 1
    assert "pw" not in json.dumps(listed)
    (tmp_path / "changes.json").write_text('{"description": "changed"}')
    assert run(f"{kind}-update", document_id, "--file", "changes.json")[0] == 0
    assert "changed" in run(f"{kind}-get", document_id)[1]
    assert run(f"{kind}-delete", document_id)[0] == 0
    assert run(f"{kind}-get", document_id)[0] == 1


def test_passwords_are_shown_only_on_request(run, tmp_path):
    (tmp_path / "a.json").write_text('{"action_id": "a", "freezer_action": {"action": "info", "password": "pw"}}')
    run("action-create", "--file", "a.json")
    assert '"password": "********"' in run("action-get", "a")[1]
    assert '"password": "pw"' in run("action-get", "a", "--show-secrets")[1]


def test_sessions_take_jobs_and_go_through_rounds(run, tmp_path):
    (tmp_path / "s.json").write_text('{"session_id": "s", "schedule": {}}')
    (tmp_path / "j.json").write_text('{"job_id": "j", "client_id": "n", "job_actions": []}')
    run("session-create", "--file", "s.json")
    run("job-create", "--file", "j.json")
    assert run("session-add-job", "s", "-j", "j")[0] == 0
    status, out, _err = run("session-start", "s", "-j", "j")
    assert (status, json.loads(out)) == (0, {"session_id": "s", "result": "success", "session_tag": 1})
    assert run("session-end", "s", "-j", "j", "-t", "1", "-r", "success")[0] == 0
    assert json.loads(run("session-get", "s")[1])["result"] == "success"
    assert run("session-remove-job", "s", "-j", "j")[0] == 0


@pytest.mark.parametrize("ids", [("s", "j"), ("-s", "s", "j"), ("j", "--session", "s"), ("s", "--job", "j")])
def test_a_job_joins_and_leaves_a_session_by_plain_ids_and_it_is_said_what_was_done(run, tmp_path, ids):
    (tmp_path / "s.json").write_text('{"session_id": "s", "schedule": {"schedule_hour": "2"}}')
    (tmp_path / "j.json").write_text('{"job_id": "j", "client_id": "n", "job_actions": []}')
    run("session-create", "--file", "s.json")
    run("job-create", "--file", "j.json")
    assert run("session-add-job", *ids) == (0, "", "The job j is in the session s and follows its schedule.\n")
    status, _out, err = run("session-remove-job", *ids)
    assert (status, err.splitlines()[0]) == (0, "The job j has left the session s.")
    assert "The job j has left the session and no schedule to go on with, so the scheduler stops it." in err


def test_a_session_that_is_deleted_names_the_jobs_that_are_stopped_by_that(run, tmp_path):
    (tmp_path / "s.json").write_text('{"session_id": "s", "schedule": {"schedule_hour": "2"}}')
    run("session-create", "--file", "s.json")
    for job_id, schedule in (("once", {}), ("daily", {"schedule_hour": "3"})):
        document = {"job_id": job_id, "client_id": "n", "job_actions": [], "job_schedule": schedule}
        (tmp_path / "j.json").write_text(json.dumps(document))
        run("job-create", "--file", "j.json")
        run("session-add-job", "s", job_id)
    status, _out, err = run("session-delete", "s")
    assert (status, "The session s is deleted." in err, "The job once has left" in err) == (0, True, True)
    daily = json.loads(run("job-get", "daily")[1])
    assert (daily["session_id"], daily["job_schedule"]["schedule_hour"]) == ("", "3")


def test_a_job_file_in_yaml_is_uploaded_as_one_in_json(run, tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    for name in ("job_one.yml", "job_two.conf"):
        (folder / name).write_text("job_actions: []\njob_schedule:\n  schedule_date: 2030-01-01T00:00:00\n")
        (folder / name).chmod(0o600)
    assert run("-c", "n", "job-upload", str(folder))[:2] == (0, "one\ntwo\n")
    assert json.loads(run("job-get", "one")[1])["job_schedule"]["schedule_date"] == "2030-01-01T00:00:00"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["job-get"], 2, "Which job is meant?"),
        (["job-lits"], 2, "There is no verb job-lits. Did you mean job-list? See freezer-scheduler --help."),
        (
            ["job-list", "--fromat", "json"],
            2,
            "Unknown option --fromat (did you mean --format?); see freezer-scheduler --help.",
        ),
        (["job-list", "--lmit=3"], 2, "Unknown option --lmit (did you mean --limit?); see freezer-scheduler --help."),
        (["--confg-file", "x", "job-list"], 2, "Unknown option --confg-file (did you mean --config-file?); see"),
        (["--geheim", "x", "job-list"], 2, "Unknown option --geheim; see freezer-scheduler --help."),
        (["job-create", "--file", "none.json"], 1, "none.json cannot be read: No such file"),
        (
            ["job-create", "--file", "broken.json"],
            1,
            "The file broken.json is no JSON: Expecting property name enclosed in double",
        ),
        (
            ["job-create", "--file", "broken.yml"],
            1,
            "The file broken.yml is no YAML: mapping values are not allowed here (line 2, column 9)",
        ),
        (["session-start", "s"], 2, "Which job is meant? session-start needs a session and a job."),
        (["session-add-job"], 2, "Which session is meant?"),
        (["job-create", "--file", "wrong.json"], 1, "its values go from 0 to 23"),
        (["session-start", "s", "-j", "j"], 1, "There is no session s"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(run, tmp_path, arguments, status, words):
    (tmp_path / "broken.json").write_text("{ [")
    (tmp_path / "broken.yml").write_text("client_id: n\njob: one: two\n")
    (tmp_path / "wrong.json").write_text(
        '{"client_id": "n", "job_actions": [], "job_schedule": {"schedule_hour": "25"}}'
    )
    got, _out, err = run(*arguments)
    assert (got, words in err, "Traceback" in err) == (status, True, False), err


def test_an_api_that_does_not_answer_is_a_sentence(run, monkeypatch):
    monkeypatch.setenv("OS_BACKUP_URL", "http://127.0.0.1:1")
    status, _out, err = run("session-list")
    assert (status, "cannot be reached" in err, len(err.splitlines())) == (1, True, 1)


def test_bash_completes_verbs_and_options():
    completion = subprocess.run([COMMAND, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    bash = shutil.which("bash")
    assert bash is not None
    lines = f'{completion}\nCOMP_WORDS=(freezer-scheduler job-ab); COMP_CWORD=1\n_shtab_freezer_scheduler\necho "${{COMPREPLY[@]}}"'
    done = subprocess.run([bash, "-c", lines], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["job-abort"], done.stderr


def test_a_list_that_is_watched_is_drawn_again_in_its_place_until_ctrl_c(freezer_api, tmp_path):
    near, far = pty.openpty()
    environment = clean_environment({"OS_BACKUP_URL": freezer_api.url, "TERM": "xterm", "COLUMNS": "150"})
    words = [COMMAND, "--state-dir", str(tmp_path), "-c", "watched", "job-list", "--watch", "0.2"]
    process = subprocess.Popen(words, stdin=far, stdout=far, stderr=far, env=environment, start_new_session=True)
    os.close(far)
    seen = b""
    job = {"client_id": "watched", "description": "appears later", "job_actions": []}
    deadline = time.monotonic() + 30
    stored = False
    while time.monotonic() < deadline and b"appears later" not in seen:
        seen += os.read(near, 65536)
        if b"job_id" in seen and not stored:
            stored = True
            assert freezer_api.post("/v2/default/jobs/watched", job).status == 201
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0, sys.stderr
    assert b"appears later" in seen
    assert b"\x1b[" in seen
    os.close(near)
    freezer_api.delete("/v2/default/jobs/watched")
