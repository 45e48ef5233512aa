# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command line where there is no API: it shows what the scheduler works on, and what is asked reaches it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import stat
import threading
from datetime import UTC
from typing import NamedTuple

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import State
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.events import EventBox, NotHeard
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Journal, Known
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.scheduler import Core
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.surroundings import Limits
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.main import main
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.process.daemon import Lock
from ansible_collections.freezer.backup.tests.support.scheduler_process import Scheduler, wait_for


@pytest.fixture
def jobs(tmp_path):
    """Writes job files, each with a script for its action."""
    folder = tmp_path / "jobs"
    folder.mkdir()

    def write(name, script, mode=0o600, **schedule):
        program = tmp_path / f"{name}.sh"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        path = folder / f"job_{name}.conf"
        path.touch(0o600)
        action = {"freezer_action": {"action": "exec", "command": str(program)}}
        path.write_text(json.dumps({"job_actions": [action], "job_schedule": schedule}))
        path.chmod(mode)
        return path

    write.folder = folder
    return write


@pytest.fixture
def scheduler(jobs, tmp_path):
    config = {
        "disable_exec": "false",
        "no_api": "true",
        "jobs_dir": jobs.folder,
        "interval": 30,
        "systemd_scopes": "false",
    }
    # Where an API would be asked, nothing listens.
    made = Scheduler("node1", tmp_path, "http://127.0.0.1:1", config)
    yield made
    made.end(signal.SIGKILL)


class Said(NamedTuple):
    """What a verb gave."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(scheduler, capsys):
    """Runs a verb of the command line in this process."""

    def call(*arguments):
        status = main(scheduler.words(*arguments)[1:])
        return Said(status, *capsys.readouterr())

    call.schedules = lambda: {
        one["job_id"]: one["job_schedule"] for one in json.loads(call("job-list", "--format", "json").out)
    }
    return call


def test_without_an_api_jobs_are_listed_with_their_results_and_events_reach_the_scheduler(
    scheduler, jobs, run, tmp_path
):
    jobs("fails", "exit 3")
    jobs("sleeps", "exec sleep 600")
    jobs("waits", "true")
    jobs("nightly", f"echo ran >> {tmp_path}/mark", schedule_hour="3")
    jobs("open", "true", mode=0o644)
    before = run("job-list", "--format", "value")
    assert [line.split("\t")[0] for line in before.out.splitlines()] == ["fails", "nightly", "sleeps", "waits"]
    assert "job_open.conf is not used: other users may read or write it (mode 0644); chmod it to 0600." in before.err
    asked = run("job-start", "nightly")
    assert (asked.status, "No scheduler of node1 runs" in asked.err) == (3, True)

    scheduler.start()
    wait_for(lambda: run.schedules()["sleeps"].get("status") == "running")
    found = run.schedules()
    assert (found["fails"]["status"], found["fails"]["result"]) == ("completed", "fail")
    assert "3" in found["fails"]["reason"]
    assert (found["nightly"]["status"], found["nightly"]["schedule_hour"]) == ("scheduled", "3")
    queued = run("job-list", "--format", "value", "--search", "waits").out
    assert queued.split("\t")[3] == "queued"

    assert run("job-abort", "sleeps").err == "The abort of the job sleeps is requested.\n"
    wait_for(lambda: run.schedules()["sleeps"].get("result") == "aborted")
    wait_for(lambda: run.schedules()["waits"].get("result") == "success")
    assert run("job-start", "-j", "nightly").err == "The start of the job nightly is requested.\n"
    wait_for(lambda: run.schedules()["nightly"].get("result") == "success")
    assert run.schedules()["nightly"]["status"] == "scheduled"
    run("job-stop", "nightly")
    nightly = json.loads(run("job-get", "nightly").out)
    assert (nightly["job_schedule"]["status"], nightly["client_id"]) == ("stop", "node1")
    assert run("job-stop", "waits").err == "There is nothing to stop: the job waits is completed.\n"
    # A file that is new is found when something is asked of it.
    jobs("late", "true", schedule_hour="4")
    run("job-start", "late")
    wait_for(lambda: run.schedules()["late"].get("result") == "success")
    # What came of them is known when no scheduler runs, and no report waits for an API.
    assert scheduler.end() == 0
    assert run.schedules()["fails"]["result"] == "fail"
    assert json.loads(run("status", "--format", "json").out)["reports_waiting"] == 0
    assert (tmp_path / "mark").read_text() == "ran\n"


def test_passwords_of_job_files_are_shown_only_if_they_are_asked_for(run, jobs):
    path = jobs("secret", "true")
    path.write_text('{"job_actions": [{"freezer_action": {"action": "backup", "password": "pw-of-job"}}]}')
    said = [run("job-get", "secret").out, run("job-list", "--format", "json").out, run("job-list").out]
    assert not any("pw-of-job" in one for one in said)
    assert "pw-of-job" in run("job-get", "secret", "--show-secrets").out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["job-get", "none"], 1, "There is no job none in "),
        (["job-start", "none"], 1, "There is no job none in "),
        (["job-list", "-a"], 2, "-a needs an API"),
        (["job-create", "--file", "x"], 2, "a job is a file of "),
        (["session-list"], 2, "session-list needs an API"),
    ],
)
def test_what_needs_an_api_says_so_where_there_is_none(jobs, tmp_path, capsys, words, status, said):
    flags = ["--no-api", "-c", "node1", "-f", str(jobs.folder), "--state-dir", str(tmp_path / "state")]
    assert main([*flags, *words]) == status
    assert said in capsys.readouterr().err


def test_a_scheduler_that_works_with_an_api_takes_no_events_of_files_and_that_is_said(run, scheduler, jobs):
    jobs("nightly", "true", schedule_hour="3")
    lock = Lock(scheduler.state)
    lock.take()
    said = run("job-start", "nightly")
    assert said.status == 1
    assert "The start of the job nightly was not requested of the scheduler of " in said.err
    assert ": it works with an API, or is of an earlier release" in said.err
    os.close(lock._descriptor)


def test_an_event_that_is_not_heard_is_taken_back_and_only_its_owner_can_ask(tmp_path):
    box = EventBox(tmp_path)
    with pytest.raises(NotHeard):
        box.ask("job1", "start")
    pipe = box.open_pipe()
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("events", "wake")] == [0o700, 0o600]
    with pytest.raises(NotHeard):
        box.ask("job1", "start", seconds=0.1)
    assert list(box.waiting()) == []
    assert os.read(pipe, 10) == b"x"
    asking = threading.Thread(target=box.ask, args=("job1", "stop"))
    asking.start()
    (asked,) = wait_for(lambda: list(box.waiting()))
    assert (asked.job_id, asked.event) == ("job1", "stop")
    assert stat.S_IMODE((tmp_path / "events" / asked.name).stat().st_mode) == 0o600
    box.answered(asked.name)
    asking.join(20)
    os.close(pipe)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look at what belongs to others")
def test_root_sees_the_jobs_of_another_users_scheduler_and_can_ask_it(run, scheduler, jobs, tmp_path):
    os.chown(jobs("nightly", "true", schedule_hour="3"), 4242, -1)
    scheduler.state.mkdir(parents=True)
    box = EventBox(scheduler.state)
    pipe = box.open_pipe()
    for path in (scheduler.state, scheduler.state / "events", scheduler.state / "wake"):
        os.chown(path, 4242, 4242)
    said = run("job-list", "--format", "value")
    assert (said.out.split("\t")[0], said.err) == ("nightly", "")
    asking = threading.Thread(target=box.ask, args=("nightly", "start"))
    asking.start()
    name = wait_for(lambda: [one for one in os.listdir(scheduler.state / "events") if not one.startswith(".")])[0]
    assert (scheduler.state / "events" / name).stat().st_uid == 4242
    box.answered(name)
    asking.join(20)
    os.close(pipe)


def test_what_is_no_event_is_not_taken_for_one(tmp_path):
    box = EventBox(tmp_path)
    os.close(box.open_pipe())
    texts = ['{"job_id": "../x", "event": "start"}', '{"job_id": "a", "event": "run"}', "[]", "{", '{"job_id": 3}']
    for number, text in enumerate(texts):
        (tmp_path / "events" / str(number)).write_text(text)
    (tmp_path / "events" / "8").mkdir()
    (tmp_path / "events" / "9").symlink_to("/etc/passwd")
    assert list(box.waiting()) == [*map(str, range(len(texts))), "9"]


def test_an_event_that_was_dealt_with_before_a_crash_is_not_dealt_with_again(tmp_path):
    document = {"job_id": "job1", "job_actions": [{}], "job_schedule": {"schedule_hour": "3", "time_created": 1}}

    def core(journal):
        return Core(journal, None, Limits(), UTC)

    journal = Journal(tmp_path / "scheduler.db")
    first = core(journal)
    first.saw([(document, "1")], 1000.0)
    assert first.asked("job1", "start", "event-1", 1001.0)
    assert first.entries["job1"].is_open
    assert first.asked("job1", "stop", "event-2", 1002.0)
    journal.close()
    second = core(Journal(tmp_path / "scheduler.db"))
    second.recover(1003.0)
    second.entries["job1"].state = State("running")
    assert second.asked("job1", "stop", "event-2", 1004.0)
    assert second.entries["job1"].state == State("running")
    assert second.asked("job1", "stop", "event-3", 1005.0)
    assert second.entries["job1"].state == State("running", "stop")
    assert not second.asked("none", "start", "event-4", 1006.0)


def test_results_of_file_jobs_are_kept_and_what_an_api_waits_for_stays(tmp_path):
    journal = Journal(tmp_path / "scheduler.db")
    journal.report("job", "file", {"result": "", "status": "running"})
    journal.report("job", "at_the_api", {"result": "fail"})
    journal.report("backup", "b1", {"backup_id": "b1"})
    journal.settle(["file", "other"], {"file": {"progress": {"phase": "data"}}})
    journal.report("job", "file", {"result": "success"})
    journal.settle(["file", "other"], {})
    assert journal.result("file") == {"result": "success", "status": "running", "progress": {"phase": "data"}}
    assert journal.result("other") == {}
    assert [report.key for report in journal.waiting_reports(9)] == ["at_the_api", "b1"]
    journal.forget_job("file")
    assert journal.result("file") == {}


def test_the_file_of_an_earlier_release_is_listed_as_it_is(run, scheduler, jobs):
    jobs("nightly", "true", schedule_hour="3")
    journal = Journal(scheduler.state / "scheduler.db")
    journal.keep_job(Known("nightly", "{}", None, State("stop"), 1.0, 0, False))
    journal.close()
    with contextlib.closing(sqlite3.connect(scheduler.state / "scheduler.db")) as database:
        database.execute("DROP TABLE results")
    assert run.schedules()["nightly"]["status"] == "stop"
