# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-scheduler as its users have it: a real API, real agents, real files, and what goes wrong with them."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import time
import uuid

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Scope
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.cloud_world import World
from ansible_collections.freezer.backup.tests.support.scheduler_process import Scheduler, processes_with, wait_for

SECRET = "correct-horse-battery-staple"
#: An agent that does not listen to SIGTERM, nor do its children, one of which has left its process group.
STUBBORN = """#!/bin/sh
trap '' TERM
sleep 601 &
setsid sleep 602 &
sleep 603
"""


@pytest.fixture
def project(freezer_api):
    """The jobs of this test, in a project of their own: their scheduler has it in its address."""
    return f"p{uuid.uuid4().hex[:12]}"


@pytest.fixture
def schedulers(freezer_api, project, tmp_path):
    """Makes schedulers, all of which are ended after the test, with what they have started."""
    made = []

    def make(client_id="node1", url=None, **config):
        address = url or f"{freezer_api.url}/v2/{project}"
        made.append(Scheduler(client_id, tmp_path, address or None, {"systemd_scopes": "false", **config}))
        return made[-1]

    yield make
    for one in made:
        one.end(signal.SIGKILL)
    for pid in processes_with(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def api(freezer_api, project):
    """Asks the API in this project."""

    class Api:
        def create(self, job_id, *actions, client_id="node1", schedule=None, **keys):
            body = {"client_id": client_id, "job_actions": list(actions), "job_schedule": schedule or {}, **keys}
            reply = freezer_api.post(f"/v2/{project}/jobs/{job_id}", body)
            assert reply.status == 201, reply.text

        def job(self, job_id):
            return freezer_api.get(f"/v2/{project}/jobs/{job_id}").json

        def schedule(self, job_id):
            return {"status": "", "event": "", "reason": "", **self.job(job_id)["job_schedule"]}

        def event(self, job_id, event):
            assert freezer_api.post(f"/v2/{project}/jobs/{job_id}/event", {event: None}).status == 202

        def backups(self):
            return freezer_api.get(f"/v2/{project}/backups?limit=1000").json["backups"]

    return Api()


def backup(folder, name="data", **keys):
    """An action that backs a small folder up."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "file").write_text("something\n")
    return {
        "freezer_action": {
            "action": "backup",
            "mode": "fs",
            "backup_name": name,
            "path_to_backup": str(source),
            "storage": "local",
            "container": str(folder / "container"),
            **keys,
        }
    }


def script(path, text):
    """An exec action with a script."""
    path.write_text(text)
    path.chmod(0o700)
    return {"freezer_action": {"action": "exec", "script": str(path)}}


def test_a_job_is_seen_run_and_recorded(schedulers, api, tmp_path):
    api.create("once", backup(tmp_path))
    schedulers().start()
    schedule = wait_for(lambda: (found := api.schedule("once"))["status"] == "completed" and found)
    assert (schedule["result"], schedule["event"], schedule["reason"]) == ("success", "", "")
    assert schedule["time_ended"] >= schedule["time_started"] > 0
    (record,) = wait_for(api.backups)
    assert record["backup_metadata"]["job_id"] == "once"
    assert record["backup_metadata"]["client_id"] == "node1"
    # It is known as a client now, and runs the job again when it is asked to.
    api.event("once", "start")
    wait_for(lambda: len(api.backups()) == 2)
    assert api.schedule("once")["time_started"] >= schedule["time_ended"]


def test_the_records_of_backups_that_a_job_removes_go_with_them(schedulers, api, tmp_path):
    whole = backup(tmp_path, max_level=0)
    removal = {"freezer_action": {**whole["freezer_action"], "action": "admin", "keep_last": 1}}
    api.create("rotated", whole, whole, whole, removal)
    schedulers().start()
    wait_for(lambda: api.schedule("rotated")["status"] == "completed")
    assert api.schedule("rotated")["result"] == "success", api.schedule("rotated")
    (record,) = wait_for(lambda: len(found := api.backups()) == 1 and found)
    (manifest,) = (tmp_path / "container").rglob("manifest.json")
    assert json.loads(manifest.read_text())["backup_id"] == record["backup_id"]


def test_a_server_and_a_volume_of_a_cloud_are_kept_by_a_job(schedulers, api, nova_lab, tmp_path):
    world = World(nova_lab, cloud_lab.new_project(nova_lab))
    try:
        server, volume = world.server(world.image(b"x" * 1000), "web"), world.volume("data")
        openrc = tmp_path / "openrc"
        openrc.write_text("".join(f"export {name}={value}\n" for name, value in world.project.environment.items()))
        openrc.chmod(0o600)
        common = {"action": "backup", "osrc": str(openrc)}
        of_server = {**common, "mode": "nova", "nova_inst_id": server, "storage": "swift", "container": "kept"}
        of_volume = {**common, "mode": "cindernative", "cindernative_vol_id": volume}
        api.create("cloud", {"freezer_action": of_server}, {"freezer_action": of_volume})
        schedulers().start()
        schedule = wait_for(lambda: (found := api.schedule("cloud"))["status"] == "completed" and found, seconds=180)
        assert schedule["result"] == "success", schedule
        found = wait_for(lambda: len(found := api.backups()) == 2 and found)
        records = [record["backup_metadata"] for record in found]
        assert {record["backup_media"] for record in records} == {"nova", "cindernative"}
        assert {record["job_id"] for record in records} == {"cloud"}
        assert world.project.auth["password"] not in str([api.job("cloud"), records])
    finally:
        world.clean()


def test_after_a_failure_only_what_is_mandatory_runs_and_failures_are_tried_again(schedulers, api, tmp_path):
    mark = tmp_path / "mark"
    failing = script(tmp_path / "failing", f"#!/bin/sh\necho try >> {mark}\nexit 3\n")
    api.create(
        "steps",
        {**failing, "max_retries": 2, "max_retries_interval": 1},
        script(tmp_path / "skipped", f"#!/bin/sh\necho skipped >> {mark}\n"),
        {**script(tmp_path / "cleanup", f"#!/bin/sh\necho mandatory >> {mark}\n"), "mandatory": True},
    )
    schedulers(disable_exec="false").start()
    schedule = wait_for(lambda: (found := api.schedule("steps"))["status"] == "completed" and found)
    assert mark.read_text().split() == ["try", "try", "try", "mandatory"]
    assert schedule["result"] == "fail"
    assert schedule["reason"] == f"Action 1 (exec): {tmp_path}/failing ended with status 3."


def test_a_command_is_not_run_unless_that_is_allowed(schedulers, api, tmp_path):
    mark = tmp_path / "mark"
    api.create("command", {"freezer_action": {"action": "exec", "command": f"touch {mark}"}, "max_retries": 5})
    schedulers().start()
    schedule = wait_for(lambda: (found := api.schedule("command"))["status"] == "completed" and found)
    assert schedule["result"] == "fail"
    assert "disable_exec = false" in schedule["reason"]
    assert not mark.exists()


def test_the_defaults_of_a_job_reach_a_named_action_and_break_no_command(
    freezer_api, schedulers, api, project, tmp_path
):
    mark = tmp_path / "mark"
    shared = backup(tmp_path)
    kept = {key: shared["freezer_action"].pop(key) for key in ("storage", "container")}
    assert freezer_api.post(f"/v2/{project}/actions/shared", shared).status == 201
    command = {"freezer_action": {"action": "exec", "command": f"touch {mark}"}}
    api.create("both", {"action_id": "shared"}, command, action_defaults={**kept, "compression": "zstd"})
    api.create("command", command, action_defaults={**kept, "password": SECRET})
    schedulers(disable_exec="false").start()
    for job_id in ("both", "command"):
        schedule = wait_for(lambda job_id=job_id: (found := api.schedule(job_id))["status"] == "completed" and found)
        assert schedule["result"] == "success", schedule
    assert mark.exists()
    assert [one["backup_metadata"]["backup_name"] for one in api.backups()] == ["data"]


@pytest.mark.parametrize("disable_exec", ["true", "false"])
def test_a_command_that_hides_in_an_action_is_not_run(freezer_api, schedulers, api, project, tmp_path, disable_exec):
    """Neither the scheduler nor the agent looks for what to do below another key than the one that was checked."""
    mark = tmp_path / "mark"
    hidden = {"action": "exec", "command": ["/bin/sh", "-c", f"id > {mark}"]}
    api.create("hidden", backup(tmp_path))
    # As an API may have it that checks nothing, or one that others can write to.
    store = SqliteStore(freezer_api.database)
    stored = store.get("job", "hidden", Scope(project_id=project))
    attack = {"freezer_action": {"action": "backup", "freezer_action": hidden}}
    store.replace(stored, {**stored.document, "job_actions": [{**stored.document["job_actions"][0], **attack}]})
    schedulers(disable_exec=disable_exec).start()
    schedule = wait_for(lambda: (found := api.schedule("hidden"))["status"] == "completed" and found)
    assert schedule["result"] == "fail"
    assert "has freezer_action; give the bare action" in schedule["reason"]
    assert not mark.exists()


def test_a_job_decides_no_file_that_the_agent_writes_for_itself(schedulers, api, tmp_path):
    written = {key: str(tmp_path / key) for key in ("metadata_out", "log_file")}
    api.create("written", backup(tmp_path, **written, config="/etc/shadow", quiet=True))
    scheduler = schedulers().start()
    schedule = wait_for(lambda: (found := api.schedule("written"))["status"] == "completed" and found)
    assert (schedule["result"], schedule["reason"]) == ("success", "")
    assert [path for path in written.values() if os.path.exists(path)] == []
    said = (scheduler.state / "logs" / "written.log").read_text()
    for key in (*written, "config", "quiet"):
        assert f"warning: {key} of the document on standard input is not used" in said


@pytest.mark.parametrize("kind", ["obedient", "stubborn"])
def test_an_abort_ends_everything_that_was_started(schedulers, api, tmp_path, kind):
    text = STUBBORN if kind == "stubborn" else "#!/bin/sh\nsleep 601 &\nsleep 603\n"
    api.create("long", {**script(tmp_path / "long", f"{text}# {tmp_path}\n"), "max_retries": 3})
    scheduler = schedulers(disable_exec="false", progress_interval=1).start()
    # The process and the status are told in two requests.
    wait_for(lambda: (found := api.schedule("long")).get("current_pid", -1) > 0 and found["status"] == "running")
    run = next(iter((scheduler.state / "runs").iterdir())).name
    wait_for(lambda: len(processes_with(f"FREEZER_RUN={run}")) >= (4 if kind == "stubborn" else 3))
    asked = time.monotonic()
    api.event("long", "abort")
    schedule = wait_for(lambda: (found := api.schedule("long"))["status"] == "completed" and found)
    # What is promised is ten seconds; the sleeps would take minutes, and a busy machine may take some of its own.
    assert time.monotonic() - asked < 60
    assert schedule["result"] == "aborted"
    assert processes_with(f"FREEZER_RUN={run}") == []
    assert schedule["current_pid"] == -1


def test_a_timeout_ends_an_action_and_says_so(schedulers, api, tmp_path):
    api.create("slow", {"freezer_action": {"action": "exec", "command": "sleep 600"}, "timeout": 1})
    schedulers(disable_exec="false").start()
    schedule = wait_for(lambda: (found := api.schedule("slow"))["status"] == "completed" and found)
    assert schedule["result"] == "fail"
    assert "longer than its timeout" in schedule["reason"]


def test_no_secret_is_in_an_argument_an_environment_or_a_file_that_others_can_read(schedulers, api, tmp_path):
    api.create(
        "secret",
        # A document may not choose its node's proxy: it is told so, and goes to the agent whole.
        backup(tmp_path, proxy=f"http://user:{SECRET}@127.0.0.1:1"),
        {**script(tmp_path / "slow", f"#!/bin/sh\nsleep 3 # {tmp_path}\n"), "mandatory": True},
    )
    scheduler = schedulers(disable_exec="false").start()
    wait_for(lambda: api.schedule("secret")["status"] == "running")
    seen = 0
    while api.schedule("secret")["status"] == "running":
        seen += 1
        assert processes_with(SECRET) == []
    assert seen
    assert (api.schedule("secret")["result"], api.schedule("secret")["reason"]) == ("success", "")
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert {path.parent for path in holding} == {scheduler.state}
    assert {path.name.partition("-")[0] for path in holding} == {"scheduler.db"}
    for path in [scheduler.state, *scheduler.state.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert SECRET not in scheduler.log


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_agents_outlive_their_scheduler_and_are_taken_up_by_the_next(schedulers, api, tmp_path, number):
    mark, may_end = tmp_path / "mark", tmp_path / "may-end"
    text = f"#!/bin/sh\nuntil [ -e {may_end} ]; do sleep 0.1; done\necho done >> {mark}\n"
    api.create("long", script(tmp_path / "long", text), backup(tmp_path))
    scheduler = schedulers(disable_exec="false").start()
    wait_for(lambda: api.schedule("long")["status"] == "running")
    wait_for(lambda: processes_with(f"{tmp_path}/long"))
    scheduler.end(number)
    scheduler.start()
    assert "is still running" in scheduler.log
    may_end.touch()
    wait_for(lambda: api.schedule("long")["status"] == "completed")
    assert api.schedule("long")["result"] == "success"
    assert mark.read_text() == "done\n"
    assert len(api.backups()) == 1


def test_an_agent_that_ended_while_no_scheduler_ran_has_its_result_told(schedulers, api, tmp_path):
    api.create("long", script(tmp_path / "long", "#!/bin/sh\nsleep 1\nexit 7\n"))
    scheduler = schedulers(disable_exec="false").start()
    wait_for(lambda: processes_with(f"{tmp_path}/long"))
    scheduler.end(signal.SIGKILL)
    wait_for(lambda: not processes_with(f"{tmp_path}/long"))
    scheduler.start()
    schedule = wait_for(lambda: (found := api.schedule("long"))["status"] == "completed" and found)
    assert (schedule["result"], "status 7" in schedule["reason"]) == ("fail", True)


def test_an_agent_that_is_killed_is_a_failure_that_is_told(schedulers, api, tmp_path):
    api.create("killed", {"freezer_action": {"action": "exec", "command": "sleep 604"}})
    scheduler = schedulers(disable_exec="false").start()
    run = wait_for(lambda: [path.name for path in (scheduler.state / "runs").iterdir()])[0]
    agent = wait_for(lambda: processes_with(f"FREEZER_RUN={run}"))
    for pid in agent:
        os.kill(pid, signal.SIGKILL)
    schedule = wait_for(lambda: (found := api.schedule("killed"))["status"] == "completed" and found)
    assert schedule["result"] == "fail"
    assert "ended without a result" in schedule["reason"]


def test_jobs_go_on_while_the_api_is_away_and_what_came_of_them_is_told_once(start_freezer_api, schedulers, tmp_path):
    api = start_freezer_api()
    port = str(api.port)
    base = "/v2/default"
    (tmp_path / "api2").mkdir()
    job = {"client_id": "node1", "job_actions": [backup(tmp_path)], "job_schedule": {"schedule_interval": "1 seconds"}}
    assert api.post(f"{base}/jobs/often", job).status == 201
    scheduler = schedulers(url=api.url).start()
    wait_for(lambda: api.get(f"{base}/backups").json["backups"])
    api.stop()
    wait_for(lambda: "cannot be used now" in scheduler.log)
    made = len(list((tmp_path / "container").rglob("manifest.json")))
    wait_for(lambda: len(list((tmp_path / "container").rglob("manifest.json"))) >= made + 3)
    waiting = json.loads(scheduler.call("status", "--format", "json").stdout)["reports_waiting"]
    assert waiting >= 3
    # Also a scheduler that is started meanwhile knows its jobs.
    scheduler.end(signal.SIGKILL)
    scheduler.start()
    made = len(list((tmp_path / "container").rglob("manifest.json")))
    wait_for(lambda: len(list((tmp_path / "container").rglob("manifest.json"))) >= made + 1)
    again = start_freezer_api("--bind", f"127.0.0.1:{port}")
    assert again.post(f"{base}/jobs/often/event", {"stop": None}).status == 202
    wait_for(lambda: again.get(f"{base}/jobs/often").json["job_schedule"]["status"] == "stop")
    wait_for(lambda: json.loads(scheduler.call("status", "--format", "json").stdout)["reports_waiting"] == 0)
    manifests = {json.loads(path.read_text())["backup_id"] for path in (tmp_path / "container").rglob("manifest.json")}
    recorded = [one["backup_id"] for one in again.get(f"{base}/backups?limit=1000").json["backups"]]
    assert sorted(recorded) == sorted(manifests)


def test_jobs_of_a_folder_are_run_without_an_api(schedulers, tmp_path):
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    mark = tmp_path / "mark"
    for name, mode in (("job_private.conf", 0o600), ("job_open.conf", 0o644)):
        action = script(tmp_path / name.partition(".")[0], f"#!/bin/sh\necho {name} >> {mark}\n")
        (jobs / name).write_text(json.dumps({"job_actions": [action]}))
        (jobs / name).chmod(mode)
    (jobs / "broken.conf").write_text("{")
    scheduler = schedulers(disable_exec="false", jobs_dir=jobs).start("--no-api")
    wait_for(mark.exists)
    time.sleep(1.5)
    assert mark.read_text() == "job_private.conf\n"
    assert "other users may read or write it (mode 0644); chmod it to 0600" in scheduler.log
    assert scheduler.log.count("broken.conf is not used") == 1
    (jobs / "job_open.conf").chmod(0o600)
    wait_for(lambda: mark.read_text() == "job_private.conf\njob_open.conf\n")
    # What has run once does not run again because the scheduler is started anew.
    scheduler.end()
    scheduler.start("--no-api")
    time.sleep(2)
    assert len(mark.read_text().split()) == 2


def test_one_scheduler_runs_for_a_client_in_the_background_until_it_is_stopped(schedulers, api, tmp_path):
    scheduler = schedulers()
    assert scheduler.call("status", check=False).returncode == 3
    said = scheduler.call("start").stderr
    pid = int(re.search(r"process (\d+)", said)[1])
    try:
        assert "runs already" in scheduler.call("start", check=False).stderr
        status = json.loads(scheduler.call("status", "--format", "json").stdout)
        assert (status["running"], status["pid"], status["api"]["problem"]) == (True, pid, "")
        assert os.getsid(pid) != os.getsid(0)
        scheduler.call("reload")
        log = scheduler.state / "scheduler.log"
        wait_for(lambda: "configuration was read again" in log.read_text())
    finally:
        scheduler.call("stop")
    assert pid not in processes_with(str(tmp_path))
    assert "does not run" in scheduler.call("stop").stderr


def test_a_start_and_the_status_say_that_the_api_cannot_be_used_and_why(schedulers):
    scheduler = schedulers(url="http://127.0.0.1:1")
    try:
        said = scheduler.call("start").stderr
        assert "warning: The API cannot be used now: " in said
        assert "cannot be reached" in said
        shown = " ".join(scheduler.call("status").stdout.split())
        assert "not usable since " in shown
        assert json.loads(scheduler.call("status", "--format", "json").stdout)["api"]["problem"].startswith(
            "The Freezer API"
        )
    finally:
        scheduler.call("stop")


def test_what_cannot_start_says_why(schedulers, tmp_path):
    assert "intervall in [DEFAULT]. Did you mean interval?" in schedulers(intervall=3).call("start", check=False).stderr
    (tmp_path / "state").write_text("")
    done = schedulers().call("start", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
