# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""playbooks/run_job.yml: a job of a real API, run on this machine. test_job_semantics.py has what a run means for its job."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.ansible_command import handed_on_by, run_ansible, start_playbook

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.kinds import ensure_backup_record
from ansible_collections.freezer.backup.tests.support.scheduler_process import Scheduler, wait_for


class Runner:
    """A client with some data, and the playbook."""

    def __init__(self, url: str, project_id: str, folder: Path) -> None:
        self.registry = connect(url, project_id=project_id)
        self.variables = {"freezer_url": url, "freezer_project_id": project_id, "freezer_client_id": "db1"}
        self.data, self.container, self.restored = folder / "data", folder / "container", folder / "restored"
        self.data.mkdir()
        (self.data / "file").write_text("first")

    def backup(self, name: str, **keys: Any) -> dict[str, Any]:
        return {"action": "backup", "backup_name": name, "path_to_backup": str(self.data), **self.place(), **keys}

    def restore(self, name: str) -> dict[str, Any]:
        return {"action": "restore", "backup_name": name, "restore_abs_path": str(self.restored), **self.place()}

    def place(self) -> dict[str, Any]:
        return {"storage": "local", "container": str(self.container), "mode": "fs"}

    def store(self, *actions: dict[str, Any], **keys: Any) -> None:
        """Store the job; an action is a freezer_action, or an element of job_actions."""
        elements = [action if "freezer_action" in action else {"freezer_action": action} for action in actions]
        job = {"client_id": "db1", "job_actions": elements, "job_schedule": {}, **keys}
        self.registry.jobs.replace("nightly", job)

    def run(self, **variables: str) -> tuple[bool, str]:
        result = run_ansible(
            "ansible-playbook", "freezer.backup.run_job", **{**self.variables, "job_id": "nightly", **variables}
        )
        return result.returncode == 0, result.stdout + result.stderr

    def run_with(self, variables: dict[str, Any], *arguments: str) -> tuple[bool, str]:
        """Run it with variables that are not texts."""
        extra = json.dumps({**self.variables, "job_id": "nightly", **variables})
        result = run_ansible("ansible-playbook", *arguments, "-e", extra, "freezer.backup.run_job")
        return result.returncode == 0, result.stdout + result.stderr

    def job(self) -> dict[str, Any]:
        job = self.registry.jobs.get("nightly")
        assert job is not None
        return job

    def schedule(self) -> dict[str, Any]:
        schedule: dict[str, Any] = self.job()["job_schedule"]
        return schedule

    def recorded(self) -> list[tuple[str, int]]:
        found = [backup["backup_metadata"] for backup in self.registry.backups.all()]
        return sorted((metadata["backup_name"], metadata["level"]) for metadata in found)


@pytest.fixture
def runner(freezer_api, project_id, tmp_path):
    return Runner(freezer_api.url, project_id, tmp_path)


def test_a_job_runs_its_actions_in_order_and_is_recorded(runner):
    runner.store(runner.backup("etc"), runner.restore("etc"))
    runner.registry.job_event("nightly", "start")
    before = int(time.time())
    succeeded, output = runner.run()
    assert succeeded, output
    assert (runner.restored / "file").read_text() == "first"
    assert runner.recorded() == [("etc", 0)]
    schedule = runner.schedule()
    assert (schedule["status"], schedule["result"], schedule["event"]) == ("completed", "success", "")
    assert before <= schedule["time_started"] <= schedule["time_ended"] <= time.time()


def test_a_second_run_continues_the_backup_of_the_first(runner):
    runner.store(runner.backup("etc", max_level=2), job_schedule={"schedule_interval": "1 days"})
    for text in ("first", "second"):
        (runner.data / "file").write_text(text)
        succeeded, output = runner.run()
        assert succeeded, output
    assert runner.recorded() == [("etc", 0), ("etc", 1)]
    assert runner.schedule()["status"] == "scheduled"


def test_a_failure_skips_what_is_not_mandatory_and_is_recorded_with_its_reason_and_handed_on(runner):
    runner.store(
        runner.backup("broken", path_to_backup=str(runner.data / "nowhere")),
        runner.backup("skipped"),
        {"freezer_action": runner.backup("mandatory"), "mandatory": True},
        job_schedule={"schedule_interval": "1 days", "schedule_end_date": "2020-01-01T00:00:00"},
    )
    succeeded, output = runner.run()
    assert not succeeded
    assert "Job nightly failed: Action 1 (backup of broken): " in output
    assert "nowhere" in output
    assert runner.recorded() == [("mandatory", 0)]
    assert (runner.schedule()["status"], runner.schedule()["result"]) == ("completed", "fail")
    assert runner.schedule()["reason"].startswith("Action 1 (backup of broken): ")
    assert "nowhere" in runner.schedule()["reason"]
    (backup,) = runner.registry.backups.all()
    handed_on = handed_on_by(output)
    assert handed_on["freezer_job_id"] == "nightly"
    assert handed_on["freezer_job_result"] == "fail"
    assert "nowhere" in handed_on["freezer_job_failures"][0]
    assert handed_on["freezer_backup_ids"] == [backup["backup_metadata"]["backup_id"]]


def test_defaults_count_where_an_action_says_nothing(runner, freezer_api, project_id):
    own = {"backup_name": "own", "path_to_backup": str(runner.data), "mode": None}
    runner.store(own, action_defaults={"action": "backup", **runner.place()})
    succeeded, output = runner.run()
    assert succeeded, output
    assert runner.recorded() == [("own", 0)]


def test_defaults_complete_an_action_that_is_named_by_its_id(runner):
    shared = {"action": "backup", "backup_name": "shared", "path_to_backup": str(runner.data)}
    runner.registry.actions.create({"action_id": "shared", "freezer_action": shared})
    job = {"client_id": "db1", "job_actions": [{"action_id": "shared"}], "action_defaults": runner.place()}
    runner.registry.jobs.replace("nightly", {**job, "job_schedule": {}})
    succeeded, output = runner.run()
    assert succeeded, output
    assert runner.recorded() == [("shared", 0)]


@pytest.mark.parametrize("defaults", [{}, {"action": "exec"}])
def test_what_this_playbook_does_not_run_is_refused_before_anything_is_recorded(runner, defaults):
    command = {"command": "true"} if defaults else {"action": "exec", "command": "true"}
    runner.store(runner.backup("etc"), command, action_defaults=defaults)
    before = {"status": "completed", "result": "success", "reason": "", "time_started": 11, "time_ended": 12}
    runner.registry.jobs.patch("nightly", {"job_schedule": before})
    before = runner.job()
    succeeded, output = runner.run()
    assert not succeeded
    output = " ".join(output.split())
    assert "Job nightly was not run, and nothing of it was recorded: its action 2 is exec" in output
    assert runner.job() == before
    assert runner.recorded() == []


def test_a_job_does_not_switch_off_the_check_of_a_container(runner):
    runner.store(runner.backup("etc"), action_defaults={"init": True})
    succeeded, output = runner.run()
    assert not succeeded
    assert "its action 1 has init, which takes a container as it is" in " ".join(output.split())
    assert runner.recorded() == []


def test_a_stopped_job_stays_stopped_and_is_not_shown_as_queued(runner):
    runner.store(runner.backup("etc"))
    left = {"status": "stop", "reason": "It was aborted.", "progress": {"phase": "queued", "done_bytes": 9}}
    runner.registry.jobs.patch("nightly", {"job_schedule": left})
    succeeded, output = runner.run()
    assert succeeded, output
    found = runner.schedule()
    assert (found["status"], found["result"], found["reason"]) == ("stop", "success", "")
    assert (found["progress"]["phase"], found["progress"]["after"]) == ("", "")


def test_a_scheduler_leaves_a_job_alone_while_this_playbook_runs_it(runner, freezer_api, project_id, tmp_path):
    scheduler = Scheduler(
        "db1", tmp_path, f"{freezer_api.url}/v2/{project_id}", {"systemd_scopes": "false", "interval": 1}
    )
    late = runner.data / "late"
    action = runner.backup("etc", path_to_backup=str(late))
    runner.store({"freezer_action": action, "max_retries": 60, "max_retries_interval": 1})
    # The scheduler has forgotten the job, as it does with those that have ended.
    runner.registry.jobs.patch("nightly", {"job_schedule": {"status": "completed", "result": "fail", "reason": "Old."}})
    try:
        scheduler.start()
        playbook = start_playbook(
            "run_job", "localhost,", {**runner.variables, "job_id": "nightly"}, "-c", "local",
            "-e", f"ansible_python_interpreter={sys.executable}",
        )  # fmt: skip
        wait_for(lambda: "nightly is run by a playbook" in scheduler.log)
        # It looks again every second.
        time.sleep(2.5)
        found = runner.schedule()
        assert (found["status"], found["result"], found["reason"]) == ("running", "", "")
        late.write_text("late")
        output, _errors = playbook.communicate(timeout=300)
        assert playbook.returncode == 0, output
        found = runner.schedule()
        assert (found["status"], found["result"], found["reason"]) == ("completed", "success", "")
        assert runner.recorded() == [("etc", 0)]
        # It is the scheduler's again.
        runner.registry.job_event("nightly", "start")
        wait_for(lambda: len(runner.recorded()) == 2)
    finally:
        scheduler.end(signal.SIGKILL)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"job_id": ""}, "Which job is meant?"),
        ({"job_id": "nobody"}, "There is no job nobody."),
        ({"freezer_client_id": "web1"}, "Job nightly belongs to the client db1, and localhost is web1."),
    ],
)
def test_a_job_that_cannot_be_meant_is_not_run(runner, variables, sentence):
    runner.store(runner.backup("etc"))
    succeeded, output = runner.run(**variables)
    assert not succeeded
    assert sentence in output
    assert runner.recorded() == []
    assert "status" not in runner.schedule()


# What the playbook takes besides job_id and what the tests need to find their API.
OPTIONAL = [
    "freezer_run_job_id",
    "freezer_host",
    "freezer_cloud",
    "freezer_auth",
    "freezer_auth_type",
    "freezer_username",
    "freezer_password",
    "freezer_token",
    "freezer_region_name",
    "freezer_interface",
    "freezer_api_version",
    "freezer_ca_file",
    "freezer_validate_certs",
    "freezer_client_cert",
    "freezer_client_key",
    "freezer_timeout_seconds",
    "freezer_retries",
]


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_answer_is_no_answer(runner, empty):
    runner.store(runner.backup("etc"), client_id="localhost")
    succeeded, output = runner.run_with({"freezer_client_id": empty, **dict.fromkeys(OPTIONAL, empty)})
    assert succeeded, output
    assert runner.recorded() == [("etc", 0)]


def test_the_job_with_the_prefix_goes_before_the_old_name(runner):
    runner.store(runner.backup("etc"))
    succeeded, output = runner.run(job_id="elsewhere", freezer_run_job_id="nightly")
    assert succeeded, output
    assert runner.recorded() == [("etc", 0)]


def test_an_answer_that_is_false_or_zero_is_an_answer(runner):
    runner.store(runner.backup("etc"))
    succeeded, output = runner.run_with(
        {"freezer_validate_certs": False, "freezer_retries": 0, "freezer_timeout_seconds": 0}
    )
    assert not succeeded
    assert "timeout_seconds" in output


def three_hosts(folder: Path, **clients: str) -> str:
    inventory = folder / "inventory"
    hosts = {name: {"freezer_client_id": clients.get(name, name)} for name in ("db1", "web1", "web2")}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    return str(inventory)


def test_of_several_hosts_the_job_runs_on_the_one_that_it_belongs_to(runner, tmp_path):
    del runner.variables["freezer_client_id"]
    runner.store(runner.backup("etc"))
    succeeded, output = runner.run_with({}, "-i", three_hosts(tmp_path))
    assert succeeded, output
    assert runner.recorded() == [("etc", 0)]
    assert "fatal" not in output
    assert "failed=0" in output
    assert "web1 -> " not in output


@pytest.mark.parametrize(
    ("clients", "arguments", "sentence"),
    [
        ({"db1": "db7"}, [], "belongs to the client db1, which none of the 4 hosts is."),
        ({"web1": "db1"}, [], "belongs to the client db1, and that is what all of these say they are: db1, web1."),
        ({}, ["--limit", "web1"], "belongs to the client db1, and web1 is web1."),
        ({}, ["-e", "freezer_host=db9"], "No host is meant: db9 fits none of the inventory. Nothing was done."),
        (
            {},
            ["-e", "freezer_host=db1", "--limit", "web1,web2"],
            "No host is meant: db1 fits none of the inventory with --limit web1,web2. Nothing was done.",
        ),
    ],
)
def test_a_job_that_belongs_to_no_host_or_to_several_is_not_run(runner, tmp_path, clients, arguments, sentence):
    del runner.variables["freezer_client_id"]
    runner.store(runner.backup("etc"))
    succeeded, output = runner.run_with({}, "-i", three_hosts(tmp_path, **clients), *arguments)
    assert not succeeded
    assert sentence in " ".join(output.split())
    assert runner.recorded() == []
    assert "status" not in runner.schedule()


def test_the_controller_needs_no_privileges_of_the_hosts(runner):
    runner.store(runner.backup("etc"))
    succeeded, output = runner.run_with({}, "-b", "--become-user", "freezer_no_such_user")
    assert not succeeded
    assert "Job nightly failed: Action 1 (backup of etc): " in output
    assert runner.schedule()["result"] == "fail"


def test_a_job_of_a_session_runs_in_a_round_of_it(runner):
    runner.store(runner.backup("etc"))
    runner.registry.sessions.replace("shop", {"schedule": {}, "hold_off": 3600})
    runner.registry.add_session_job("shop", "nightly")
    succeeded, output = runner.run()
    assert succeeded, output
    session = runner.registry.sessions.get("shop")
    assert (session["session_tag"], session["status"], session["result"]) == (1, "completed", "success")
    assert runner.job()["session_tag"] == 1

    started = runner.schedule()["time_started"]
    succeeded, output = runner.run()
    assert not succeeded
    assert "was not run, and nothing of it was recorded: it has run in round 1 of its session shop already" in output
    assert runner.recorded() == [("etc", 0)]
    assert runner.schedule()["time_started"] == started


def test_a_dry_run_changes_nothing(runner):
    runner.store(runner.backup("etc"))
    before = runner.job()
    result = run_ansible(
        "ansible-playbook", "--check", "freezer.backup.run_job", **{**runner.variables, "job_id": "nightly"}
    )
    assert result.returncode == 0, result.stdout
    assert runner.job() == before
    assert runner.recorded() == []
    assert not runner.container.exists()


def test_a_dry_run_does_not_fail_for_want_of_a_backup_that_the_job_makes(runner):
    """What the job would not make is missing in a dry run too."""
    prune = {"action": "admin", "backup_name": "etc", "keep_last": 2, **runner.place()}
    runner.store(runner.backup("etc"), prune, runner.restore("etc"))
    succeeded, output = runner.run_with({}, "--check")
    assert succeeded, output
    assert output.count("check mode cannot tell, for the backup before it was not made") == 2
    assert not runner.container.exists()
    succeeded, output = runner.run()
    assert succeeded, output

    runner.store(runner.backup("etc"), {**runner.restore("other"), "overwrite": True})
    succeeded, output = runner.run_with({}, "--check")
    assert not succeeded
    assert "Action 2 (restore of other): There is no backup" in output


def test_a_dry_run_fails_for_all_that_is_wrong_beside_a_backup_that_the_job_makes(runner, tmp_path):
    """Each of these restores would fail in a real run as well, when the backup is there."""
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").write_text("mine")
    wrong = [
        ({"restore_abs_path": str(full)}, "is not empty, so nothing was restored into it"),
        ({"restore_abs_path": str(full / "file")}, "is not a folder"),
        ({"restore_abs_path": "here"}, "restore_abs_path has to be an absolute path"),
        ({"overwrit": True}, "'overwrit' is not known to this release, so nothing was done. Did you mean overwrite?"),
        ({"container": str(tmp_path / "other")}, "so no backup is stored there"),
        ({"backup_id": "5f6c0d4f"}, "so no backup is stored there"),
        ({"restore_from_date": "2026-01-01"}, "so no backup is stored there"),
    ]
    # Each in a job of its own would take seven times as long.
    restores = [{"freezer_action": {**runner.restore("etc"), **more}, "mandatory": True} for more, _said in wrong]
    runner.store(runner.backup("etc"), *restores)
    succeeded, output = runner.run_with({}, "--check")
    assert not succeeded
    for number, (_more, sentence) in enumerate(wrong, 2):
        assert f"Action {number} (restore of etc): " in output
        assert sentence in output
    assert "check mode cannot tell" not in output


def test_a_host_that_cannot_be_reached_is_a_failed_job(runner, tmp_path):
    runner.store(runner.backup("etc"))
    inventory = tmp_path / "inventory"
    inventory.write_text("db1 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n")
    variables = {**runner.variables, "job_id": "nightly", "freezer_host": "db1"}
    result = run_ansible("ansible-playbook", "-i", str(inventory), "freezer.backup.run_job", **variables)
    assert result.returncode != 0
    assert "Job nightly failed: Action 1 (backup of etc): " in result.stdout
    assert runner.schedule()["result"] == "fail"


def test_a_job_restores_only_what_is_on_record_or_signed_by_its_host(runner, tmp_path, monkeypatch):
    """One who can write to the container puts a newer backup there, or another one in the place of one that is on record."""
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state"))
    made = agent.backup(runner.backup("etc", max_level=0))
    ensure_backup_record(runner.registry, made["metadata"], made["backup_id"], "present", False)
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state of another"))
    (runner.data / "file").write_text("of another")
    put = agent.backup(runner.backup("etc", max_level=0))
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state"))
    runner.store(runner.restore("etc"))
    succeeded, output = runner.run()
    assert not succeeded
    assert f"{put['storages'][0]['folder']} of local storage {runner.container} is on no record of the API" in output
    assert not runner.restored.exists()
    runner.store({**runner.restore("etc"), "backup_id": made["backup_id"]})
    succeeded, output = runner.run()
    assert succeeded, output
    assert (runner.restored / "file").read_text() == "first"
