# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-api as a process: how it starts, says what is wrong, serves, survives, and stops."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest

from ansible_collections.freezer.backup.tests.support import api_process
from ansible_collections.freezer.backup.tests.support.api_process import basic_authorization

ACTION = {"freezer_action": {"action": "backup", "path_to_backup": "/etc"}}


def run(*arguments, **options):
    """freezer-api with arguments with which it ends by itself."""
    line = api_process.command(*arguments)
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, **options)


def write_users(path, **users):
    lines = (f"{user}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}\n" for user, word in users.items())
    path.write_text("".join(lines))
    return str(path)


def test_it_is_installed_as_a_command(tmp_path):
    command = shutil.which("freezer-api", path=os.path.dirname(api_process.command()[0]))
    assert command is not None
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "--auth-strategy" in shown.stdout


def test_versions_home_and_health_need_no_authentication(start_freezer_api, tmp_path):
    users = write_users(tmp_path / "htpasswd", alice="secret")
    api = start_freezer_api("--htpasswd", users, auth_strategy="http_basic")
    versions = api.get("/")
    assert versions.status == 300
    assert [version["id"] for version in versions.json["versions"]] == ["v2", "v1"]
    assert versions.json["versions"][0]["links"] == [{"href": f"{api.url}/v2/", "rel": "self"}]
    for path, base in (("/v1", "/v1"), ("/v2/", "/v2/{project_id}")):
        home = api.get(path)
        assert home.headers["content-type"] == "application/json-home"
        resources = home.json["resources"]
        assert resources["rel/backups"]["href-template"] == f"{base}/backups/{{backup_id}}"
        assert resources["rel/job"]["hints"]["allow"] == ["GET", "PATCH", "POST", "DELETE"]
    assert (api.get("/healthcheck").status, api.get("/healthcheck").text) == (200, "OK")


def test_every_answer_has_the_id_of_its_request(freezer_api):
    ids = set()
    for path in ("/", "/v1/jobs", "/nowhere", "/v1/jobs/unknown", "/healthcheck"):
        ids.add(freezer_api.get(path).headers["x-openstack-request-id"])
    assert len(ids) == 5
    assert all(request_id.startswith("req-") for request_id in ids)


def test_unknown_routes_and_verbs_are_told_in_json(freezer_api):
    reply = freezer_api.get("/nowhere")
    assert reply.status == 404
    assert reply.json == {"title": "404 Not Found", "description": "The API has no route /nowhere"}
    reply = freezer_api.put("/v1/jobs")
    assert reply.status == 405
    assert reply.json["description"] == "PUT cannot be used on /v1/jobs"
    assert reply.headers["allow"] == "GET, HEAD, POST, OPTIONS"


def test_an_answer_that_is_no_json_cannot_be_had(freezer_api):
    assert freezer_api.get("/v1/jobs", Accept="text/html").status == 406
    assert freezer_api.get("/v1/jobs", Accept="*/*").status == 200


def test_only_users_of_the_password_file_come_in(start_freezer_api, tmp_path):
    users = tmp_path / "htpasswd"
    write_users(users, alice="correct horse")
    api = start_freezer_api("--htpasswd", str(users), auth_strategy="http_basic")
    for headers in ({}, basic_authorization("alice", "wrong"), {"X-Auth-Token": "alice:web:admin"}):
        reply = api.request("GET", "/v2/web/jobs", headers=headers)
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Basic ")
        assert reply.json["title"] == "Unauthorized"
    api.headers = basic_authorization("alice", "correct horse")
    assert api.post("/v2/web/actions/a", ACTION).status == 201
    assert api.post("/v2/other/actions/a", ACTION).status == 201
    assert api.get("/v2/web/actions/a").json["user_id"] == "alice"
    assert api.get("/v1/actions?all_projects=1").status == 200

    write_users(users, bob="battery staple")
    assert api.get("/v2/web/actions/a").status == 401
    api.headers = basic_authorization("bob", "battery staple")
    assert api.get("/v2/web/actions/a").status == 200
    assert api.stop() == 0
    written = api.log.read_text()
    assert "correct horse" not in written
    assert "battery staple" not in written


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--auth-strategy"),
        (["--auth-strategy", "noauth"], "--store"),
        (["--auth-strategy", "noauth", "--store", "sqlite:////proc/no/api.db"], "/proc/no/api.db cannot be the store"),
        (["--auth-strategy", "http_basic", "--htpasswd", "/no/file", "--store", "sqlite:///a"], "/no/file"),
        (["--auth-strategy", "noauth", "--store", "sqlite:///a", "--bind", "192.0.2.1:0", "--force"], "192.0.2.1"),
        (["--auth-strategy", "noauth", "--store", "sqlite:///a", "--bind", "0.0.0.0:0"], "--force"),
        (
            ["--auth-strategy", "noauth", "--store", "sqlite:///a", "--bind", "no.such.host.invalid:1", "--force"],
            "host",
        ),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(tmp_path, arguments, says):
    ended = run(*arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("freezer-api: ")
    assert ended.stderr.count("\n") == 1
    assert says in ended.stderr


def test_a_port_that_is_taken_is_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["--auth-strategy", "noauth", "--store", f"sqlite:///{tmp_path}/a", "--bind", f"127.0.0.1:{port}"]
        ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"port {port} cannot be listened on: Address already in use" in ended.stderr


def test_it_stops_when_told_and_keeps_what_it_was_given(start_freezer_api):
    api = start_freezer_api()
    api.post("/v2/web/actions/kept", ACTION)
    assert api.stop(signal.SIGTERM) == 0
    with pytest.raises(ConnectionError):
        api.get("/healthcheck")
    again = start_freezer_api()
    assert again.get("/v2/web/actions/kept").json["freezer_action"] == ACTION["freezer_action"]
    assert again.stop(signal.SIGINT) == 0


def test_a_request_that_runs_when_it_is_stopped_comes_to_its_end(start_freezer_api):
    api = start_freezer_api()
    body = json.dumps(ACTION).encode()
    connection = http.client.HTTPConnection(api.host, api.port, timeout=60)
    connection.putrequest("POST", "/v2/web/actions/slow")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    # The server has the request once another one is answered after it.
    api.get("/healthcheck")
    time.sleep(0.2)
    api.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    connection.send(body[10:])
    assert connection.getresponse().status == 201
    connection.close()
    assert api.process.wait(60) == 0


def test_a_worker_that_dies_is_replaced_and_the_api_is_announced_once(start_freezer_api):
    api = start_freezer_api()
    (worker_id,) = api.worker_ids()
    os.kill(worker_id, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert api.get("/healthcheck").status == 200
            break
        except OSError:
            time.sleep(0.05)
    assert api.get("/healthcheck").status == 200
    assert api.stop() == 0
    assert api.process.stdout.read() == ""


def test_sighup_replaces_the_workers_and_the_api_goes_on(start_freezer_api):
    api = start_freezer_api()
    before = set(api.worker_ids())
    api.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 30
    while not api.worker_ids() or before & set(api.worker_ids()):
        assert api.process.poll() is None, api.log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert api.get("/healthcheck").status == 200
    assert api.stop() == 0


def test_writes_wait_for_a_locked_store_and_then_say_so_while_reads_go_on(start_freezer_api):
    api = start_freezer_api()
    api.post("/v2/web/actions/before", ACTION)
    other = sqlite3.connect(api.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as thread:
        late = thread.submit(api.post, "/v2/web/actions/after", ACTION)
        assert api.get("/v2/web/actions/before").status == 200
        reply = late.result()
    assert reply.status == 503
    assert reply.json["title"] == "Service Unavailable"
    assert "locked" in reply.json["description"]
    assert reply.headers["retry-after"] == "1"
    other.execute("ROLLBACK")
    other.close()
    assert api.post("/v2/web/actions/after", ACTION).status == 201
