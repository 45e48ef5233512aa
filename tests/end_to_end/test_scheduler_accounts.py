# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Real schedulers with accounts of their nodes: everything that they do works, and nothing else is open to them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage
from ansible_collections.freezer.backup.tests.support.api_process import basic_authorization
from ansible_collections.freezer.backup.tests.support.scheduler_process import Scheduler, wait_for

PASSWORD = "correct-horse-battery-staple"
NODES = ("db1", "db2")
WEB = "/v2/web"
_MANAGE = (sys.executable, "-m", manage.__name__, "user")


@pytest.fixture
def api(start_freezer_api, tmp_path):
    """An API whose accounts freezer-manage has made: alice is a member of the project web, db1 and db2 are its nodes."""
    path = tmp_path / "accounts"
    words = {"alice": ("member",), **{name: ("node", "--client", f"web_{name}") for name in NODES}}
    for name, (role, *more) in words.items():
        line = [
            *_MANAGE,
            "add",
            name,
            "--role",
            role,
            "--project",
            "web",
            "--htpasswd",
            path,
            "--password-stdin",
            *more,
        ]
        subprocess.run(line, input=PASSWORD, text=True, check=True, timeout=60)
    process = start_freezer_api("--htpasswd", str(path), auth_strategy="http_basic")
    process.headers.update(basic_authorization("alice", PASSWORD))
    return process


@pytest.fixture
def schedulers(api, tmp_path):
    """The scheduler of each node, with the node's account."""
    made = {
        name: Scheduler(
            f"web_{name}",
            tmp_path,
            api.url,
            {"systemd_scopes": "false"},
            {"auth_type": "http_basic", "username": name, "password": PASSWORD, "project_id": "web"},
        )
        for name in NODES
    }
    yield made
    for one in made.values():
        one.end(signal.SIGKILL)


def actions(folder, name):
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "file").write_text("something\n")
    common = {
        "backup_name": name,
        "path_to_backup": str(source),
        "storage": "local",
        "container": str(folder / name),
        "max_level": 0,
    }
    return [
        *({"freezer_action": {"action": "backup", "mode": "fs", **common}} for _turn in range(2)),
        {"freezer_action": {"action": "admin", "keep_last": 1, **common}},
    ]


def test_schedulers_with_accounts_of_nodes_do_all_that_schedulers_do(api, schedulers, tmp_path):
    assert api.post(f"{WEB}/sessions", {"session_id": "both", "schedule": {}, "hold_off": 60}).status == 201
    for name in NODES:
        job = {"client_id": f"web_{name}", "job_actions": actions(tmp_path, name), "job_schedule": {}}
        assert api.post(f"{WEB}/jobs/of-{name}", job).status == 201
        assert api.put(f"{WEB}/sessions/both/jobs/of-{name}").status == 204

    def schedule(name):
        return api.get(f"{WEB}/jobs/of-{name}").json["job_schedule"]

    for one in schedulers.values():
        one.start()
    for name in NODES:
        wait_for(lambda name=name: schedule(name).get("status") == "completed", 60)
        assert schedule(name)["result"] == "success", schedule(name)
    session = wait_for(lambda: (found := api.get(f"{WEB}/sessions/both").json)["status"] == "completed" and found)
    assert (session["result"], session["session_tag"]) == ("success", 1)
    # They are known; of two backups of each one was removed again, and its record with it.
    clients = api.get(f"{WEB}/clients").json["clients"]
    assert sorted(one["client"]["client_id"] for one in clients) == ["web_db1", "web_db2"]
    records = wait_for(lambda: len(found := api.get(f"{WEB}/backups").json["backups"]) == 2 and found)
    assert sorted(one["backup_metadata"]["client_id"] for one in records) == ["web_db1", "web_db2"]

    # An event is taken and answered.
    later = {"client_id": "web_db1", "job_actions": [], "job_schedule": {"schedule_date": "2100-01-01T00:00:00"}}
    assert api.post(f"{WEB}/jobs/of-later", later).status == 201
    wait_for(lambda: schedule("later").get("status") == "scheduled")
    assert api.post(f"{WEB}/jobs/of-later/event", {"stop": None}).status == 202
    wait_for(lambda: (schedule("later")["event"], schedule("later")["status"]) == ("", "stop"))

    # The commands of the scheduler show what is the node's own, and make nothing.
    jobs = json.loads(schedulers["db1"].call("job-list", "--format", "json", "--all-clients").stdout)
    assert "of-db1" in json.dumps(jobs)
    assert "of-db2" not in json.dumps(jobs)
    refused = schedulers["db1"].call("job-start", "of-db2", check=False)
    assert refused.returncode != 0
    for one in schedulers.values():
        assert one.end() == 0
        assert " ERROR " not in one.log
        assert "403" not in one.log
