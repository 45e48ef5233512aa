# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler in the background: its own file is whole after every end, and a start that fails says why."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support.scheduler_process import (
    COMMAND,
    Scheduler,
    clean_environment,
    processes_with,
    wait_for,
)
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

ROUNDS = rounds(4)


@pytest.fixture
def scheduler(freezer_api, tmp_path):
    """A scheduler whose job is due all the time, so that it always writes, from both of its threads."""
    project = f"p{uuid.uuid4().hex[:12]}"
    job = {"client_id": "node1", "job_actions": [{"freezer_action": {"action": "exec", "command": "true"}}]}
    job["job_schedule"] = {"schedule_interval": "1 seconds"}
    assert freezer_api.post(f"/v2/{project}/jobs/often", job).status == 201
    config = {"interval": 0.2, "agent_command": "true", "systemd_scopes": "false"}
    found = Scheduler("node1", tmp_path, f"{freezer_api.url}/v2/{project}", config)
    yield found
    for pid in processes_with(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


def check_file(path: Path) -> None:
    """The file is SQLite's, whole, and has its job, as far as a copy of it shows: the file itself is left alone."""
    assert path.read_bytes()[:16] == b"SQLite format 3\0"
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT job_id FROM jobs").fetchall() in ([("often",)], [])
    db.close()


def test_its_own_file_is_whole_however_often_it_is_started_and_ended_or_killed(scheduler):
    chance = random.Random(ROUNDS)
    path = scheduler.state / "scheduler.db"
    for turn in range(ROUNDS):
        scheduler.call("start")
        check_file(path)
        time.sleep(chance.uniform(0, 0.5))
        if turn % 2 and chance.random() < 0.8:
            pid = int((scheduler.state / "scheduler.pid").read_text())
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: pid not in processes_with(str(scheduler.folder)))
        else:
            scheduler.call("stop")
        before = path.read_bytes()
        check_file(path)
        # To ask for its status changes nothing of a file that another program owns.
        assert scheduler.call("status", check=False).returncode == 3
        assert path.read_bytes() == before


def test_a_start_that_is_killed_half_way_leaves_a_file_that_the_next_one_uses(scheduler):
    chance = random.Random(ROUNDS)
    for _turn in range(max(2, ROUNDS // 2)):
        starter = subprocess.Popen(scheduler.words("start"), start_new_session=True, stderr=subprocess.DEVNULL,
                                   env=clean_environment({}))  # fmt: skip
        time.sleep(chance.uniform(0, 1))
        for pid in processes_with(str(scheduler.folder)):
            os.kill(pid, signal.SIGKILL)
        starter.wait()
    scheduler.call("start")
    check_file(scheduler.state / "scheduler.db")
    scheduler.call("stop")


def test_in_the_background_it_has_no_descriptor_of_its_caller_and_does_without_the_standard_ones(scheduler, tmp_path):
    words = " ".join(f"'{word}'" for word in scheduler.words("start"))
    held = tmp_path / "held"
    subprocess.run(["sh", "-c", f"exec 7>{held}; {words} <&- >&- 2>&-"], check=True, env=clean_environment({}))
    pid = int((scheduler.state / "scheduler.pid").read_text())
    opened = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert str(held) not in opened
    assert str(scheduler.state / "scheduler.db") in opened
    check_file(scheduler.state / "scheduler.db")
    scheduler.call("stop")


@pytest.mark.parametrize("way", [["start"], ["--no-daemon", "start"]], ids=["background", "foreground"])
def test_relative_paths_mean_the_folder_where_it_was_started(freezer_api, tmp_path, way):
    """In its flags, its configuration and its clouds.yaml; also when it reads them again."""
    project = f"p{uuid.uuid4().hex[:12]}"
    folder = tmp_path / "typed here"
    folder.mkdir()
    cloud = {"auth_type": "none", "backup_endpoint_override": f"{freezer_api.url}/v2/{project}"}
    (folder / "clouds.yaml").write_text(json.dumps({"clouds": {"mine": cloud}}))
    lines = ["[DEFAULT]", "client_id = node1", "interval = 0.2", "systemd_scopes = false", "disable_exec = false"]
    lines += ["state_dir = state", "log_file = own.log", "agent_command = ./agent", "[api]", "cloud = mine", ""]
    (folder / "own.conf").write_text("\n".join(lines))
    (folder / "agent").symlink_to(Path(COMMAND).with_name("freezer-agent"))
    environment = clean_environment({"XDG_CONFIG_HOME": str(tmp_path)})
    process = subprocess.Popen([COMMAND, "--config-file", "own.conf", *way], cwd=folder, env=environment)
    log = folder / "own.log"
    try:
        wait_for(lambda: log.exists() and " runs; it knows " in log.read_text())
        pid = int((folder / "state/node1/scheduler.pid").read_text())
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: "configuration was read again" in log.read_text())
        action = {"action": "exec", "command": ["touch", str(folder / "mark")]}
        job = {"client_id": "node1", "job_actions": [{"freezer_action": action}]}
        assert freezer_api.post(f"/v2/{project}/jobs/once", job).status == 201
        wait_for((folder / "mark").exists)
        os.kill(pid, signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        for pid in processes_with(str(tmp_path)):
            os.kill(pid, signal.SIGKILL)


def test_a_start_that_fails_in_the_background_says_why(scheduler):
    scheduler.state.mkdir(parents=True)
    (scheduler.state / "scheduler.db").write_text("This is no database." * 100)
    done = scheduler.call("start", check=False)
    assert done.returncode == 1
    assert f"The scheduler's own file {scheduler.state}/scheduler.db cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert scheduler.call("status", check=False).returncode == 1
