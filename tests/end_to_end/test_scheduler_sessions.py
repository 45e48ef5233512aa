# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Many real schedulers and a real API in the rounds of one session: clocks differ, a node dies, another is cut off."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from ansible_collections.freezer.backup.tests.support.scheduler_process import Scheduler, clean_environment, wait_for
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

HOW_MANY = min(20, rounds(8))
ROUNDS = 3
INTERVAL_SECONDS = 15
HOLD_OFF_SECONDS = 7
POLL_SECONDS = 2
SKEW_SECONDS = 1.0
#: The clock of one process is wrong: the fault that is injected. Everything else is the program.
WRONG_CLOCK = """
import sys, time
right, error = time.time, float(sys.argv.pop(1))
time.time = lambda: right() + error
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.main import main
sys.exit(main())
"""
#: As many agents at once would measure this machine, not the schedulers: this one says that it was successful.
AGENT = """#!/bin/sh
echo '{"outcome": "success", "changed": false}' >"/proc/self/fd/$3"
"""
BASE = "/v2/default"


class Cable:
    """Forwards connections to the API until it is cut."""

    def __init__(self, port):
        self._target = port
        self.is_whole = True
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._open = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                near, _address = self._server.accept()
            except OSError:
                return
            if not self.is_whole:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @staticmethod
    def _pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.is_whole = False
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._server.close()
        self.cut()


@pytest.fixture
def api(start_freezer_api):
    return start_freezer_api("--workers", "2")


@pytest.fixture
def cable(api):
    made = Cable(api.port)
    yield made
    made.close()


@pytest.fixture
def nodes(api, cable, tmp_path):
    """Schedulers with clocks that are wrong by a second or so; node1 reaches the API through the cable."""
    chance = random.Random(1)
    agent = tmp_path / "agent"
    agent.write_text(AGENT)
    agent.chmod(0o700)
    made = []
    for number in range(HOW_MANY):
        url = f"http://127.0.0.1:{cable.port}" if number == 1 else api.url
        config = {"interval": POLL_SECONDS, "agent_command": agent, "systemd_scopes": "false"}
        node = Scheduler(f"node{number}", tmp_path, url, config)
        # The one that is cut off comes late, so that it is not the one that begins a round that it knows nothing of.
        node.skew = -SKEW_SECONDS if number == 1 else chance.uniform(-SKEW_SECONDS, SKEW_SECONDS)
        made.append(node)
    yield made
    for node in made:
        node.end(signal.SIGKILL)


def start(node):
    words = node.words("--no-daemon", "start")
    with open(node.folder / f"{node.client_id}.log", "ab") as log:
        node.process = subprocess.Popen(
            [sys.executable, "-c", WRONG_CLOCK, str(node.skew), *words[1:]],
            stdout=log,
            stderr=log,
            env=clean_environment({}),
        )


def test_every_round_has_one_tag_one_start_and_a_true_result(api, nodes, cable):
    for node in nodes:
        # For a day that is far away, until the session says when.
        job = {"client_id": node.client_id, "job_actions": [{"freezer_action": {"action": "info"}}],
               "job_schedule": {"schedule_date": "2099-01-01T00:00:00"}}  # fmt: skip
        assert api.post(f"{BASE}/jobs/j-{node.client_id}", job).status == 201
        start(node)
    wait_for(lambda: len(api.get(f"{BASE}/clients?limit=100").json["clients"]) == HOW_MANY, 120)
    wait_for(
        lambda: (
            {one["job_schedule"].get("status") for one in api.get(f"{BASE}/jobs?limit=100").json["jobs"]}
            == {"scheduled"}
        ),
        60,
    )

    first = int(time.time()) + 10
    date = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    schedule = {"schedule_interval": f"{INTERVAL_SECONDS} seconds", "schedule_start_date": date}
    assert api.post(f"{BASE}/sessions/s", {"schedule": schedule, "hold_off": HOLD_OFF_SECONDS}).status == 201
    for node in nodes:
        assert api.put(f"{BASE}/sessions/s/jobs/j-{node.client_id}").status == 204

    dead, lonely = "j-node0", "j-node1"
    for number in range(1, ROUNDS + 1):
        expected = {f"j-{node.client_id}" for node in nodes} - ({dead} if number > 1 else set())
        expected -= {lonely} if number == 2 else set()

        def session(number=number):
            found = api.get(f"{BASE}/sessions/s").json
            return found if found["session_tag"] >= number else None

        seen = wait_for(session, INTERVAL_SECONDS + 30)
        assert seen["session_tag"] == number

        def all_ended(expected=expected, number=number):
            found = api.get(f"{BASE}/sessions/s").json
            assert found["session_tag"] == number, found["session_tag"]
            ended = {job for job, entry in found["jobs"].items() if entry["status"] == "completed"}
            return found if ended >= expected else None

        found = wait_for(all_ended, HOLD_OFF_SECONDS + POLL_SECONDS)
        starts = [found["jobs"][job]["time_started"] for job in expected]
        assert max(starts) - min(starts) <= 2 + POLL_SECONDS
        wrong = {
            job: api.get(f"{BASE}/jobs/{job}").text for job in expected if found["jobs"][job]["result"] != "success"
        }
        assert not wrong, (number, wrong)
        missing = set(found["jobs"]) - expected
        # With all jobs there it has ended well; a missing one is waited for, and is no success.
        assert (found["status"], found["result"]) == (("running", "") if missing else ("completed", "success"))
        assert all(found["jobs"][job]["status"] != "completed" for job in missing)
        if number == 1:
            nodes[0].end(signal.SIGKILL)
            cable.cut()
        elif number == 2:
            # Until this round cannot be joined any more.
            time.sleep(max(0.0, max(starts) + HOLD_OFF_SECONDS + 1 - time.time()))
            cable.is_whole = True

    # The one that was cut off says of that round that it was not run.
    assert f"Job {lonely} cannot join its session and is not run" in nodes[1].log
    tags = {job: api.get(f"{BASE}/jobs/{job}").json["session_tag"] for job in found["jobs"]}
    assert {tag for job, tag in tags.items() if job != dead} == {ROUNDS}
    assert tags[dead] == 1
