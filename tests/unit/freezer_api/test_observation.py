# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What operators see of a running API: its log, its metrics, its health."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import falcon.testing
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.networks import Networks
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.conversation import Surroundings
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.metrics import Metrics, MetricsPage
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.errors import StoreError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.measured import MeasuredStore
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support import api_process

ACTION = {
    "action_id": "a",
    "freezer_action": {"action": "backup", "path_to_backup": "/etc", "ssh_password": "hunter2-in-body"},
}
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} \d+ INFO freezer_api\.access "
    r"(?P<id>req-[0-9a-f-]{36}) (?P<theirs>\S+) (?P<address>\S+) (?P<user>\S+) (?P<project>\S+) "
    r'"(?P<method>\S+) (?P<path>\S+)" (?P<status>\d{3}) (?P<bytes>\d+) (?P<seconds>\d+\.\d{4})'
)


def access_lines(path, count, seconds=10):
    """The lines about requests, as soon as there are enough of them: a line is written after its answer."""
    deadline = time.monotonic() + seconds
    while True:
        lines = [line for line in path.read_text().splitlines() if " freezer_api.access " in line]
        if len(lines) >= count or time.monotonic() > deadline:
            found = [LINE.fullmatch(line) for line in lines]
            assert None not in found, lines
            assert len(found) == count, lines
            return found
        time.sleep(0.02)


def test_every_request_has_a_line_with_its_id_and_no_secret(start_freezer_api):
    api = start_freezer_api()
    theirs = f"req-{'0' * 8}-1111-2222-3333-{'4' * 12}"
    token = {"X-Auth-Token": "alice:web:member", "Authorization": "Bearer hunter2-in-header"}
    created = api.request("POST", "/v2/web/actions", ACTION, {**token, "X-Openstack-Request-Id": theirs})
    api.request("GET", "/v2/web/actions?search={%22match%22:[{%22_all%22:%22hunter2-in-query%22}]}", None, token)
    api.request("GET", "/v2/web/jobs/no%0A2026-11-22%20evil%22", None, token)
    api.request("GET", "/v2/other/jobs", None, token)
    api.request("DELETE", "/nothing/here", None, token)
    api.get("/")
    lines = access_lines(api.log, 6)
    shown = [(line["method"], line["path"], line["status"]) for line in lines]
    assert shown == [
        ("POST", "/v2/web/actions", "201"),
        ("GET", "/v2/web/actions", "200"),
        ("GET", "/v2/web/jobs/no%0A2026-11-22%20evil%22", "404"),
        ("GET", "/v2/other/jobs", "403"),
        ("DELETE", "/nothing/here", "404"),
        ("GET", "/", "300"),
    ]
    assert lines[0]["id"] == created.headers["x-openstack-request-id"]
    assert lines[0]["theirs"] == theirs
    assert (lines[0]["address"], lines[0]["user"], lines[0]["project"]) == ("127.0.0.1", "alice", "web")
    assert int(lines[0]["bytes"]) == len(created.text)
    assert (lines[5]["user"], lines[5]["theirs"]) == ("-", "-")
    assert "hunter2" not in api.log.read_text()


def test_the_log_goes_to_a_file_that_can_be_rotated(start_freezer_api, tmp_path):
    config = tmp_path / "freezer-api.conf"
    config.write_text(f"[DEFAULT]\nlog_dir = {tmp_path}\nlog_file = own.log\n[paste_deploy]\nconfig_file = x\n")
    api = start_freezer_api("--config-file", str(config))
    log = tmp_path / "own.log"
    assert "config_file in [paste_deploy]" in log.read_text()
    api.get("/v1")
    access_lines(log, 1)
    os.rename(log, tmp_path / "own.log.1")
    api.get("/v2")
    deadline = time.monotonic() + 10
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert access_lines(log, 1)[0]["path"] == "/v2"
    assert api.log.read_text() == ""


def test_the_access_log_can_be_turned_off(start_freezer_api, tmp_path):
    config = tmp_path / "freezer-api.conf"
    config.write_text("[DEFAULT]\naccess_log = false\n")
    api = start_freezer_api("--config-file", str(config))
    api.get("/v1")
    assert api.stop() == 0
    assert "freezer_api.access" not in api.log.read_text()


def test_a_log_that_cannot_be_written_is_told_at_the_start(tmp_path):
    config = tmp_path / "freezer-api.conf"
    config.write_text(f"[DEFAULT]\nlog_file = {tmp_path}/missing/api.log\n")
    line = api_process.command(
        "--store", f"sqlite:///{tmp_path}/a.db", "--auth-strategy", "noauth", "--config-file", str(config)
    )
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"freezer-api: the log cannot be written to {tmp_path}/missing/api.log: No such file or directory\n"
    )


def numbers(text):
    """The samples on a page of metrics: name and labels, and the value."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("workers", ["1", "3"])
def test_metrics_count_requests_store_calls_and_documents_of_all_workers(start_freezer_api, workers):
    api = start_freezer_api("--workers", workers)
    for number in range(20):
        api.post(f"/v2/web/actions/a{number}", ACTION)
    api.get("/v2/web/actions/missing")
    api.get("/v1/jobs")
    api.get("/nothing")
    page = api.get("/metrics")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/plain; version=")
    found = numbers(page.text)

    def count(name, **labels):
        return found.get((name, *sorted(labels.items())), 0)

    single = "/v2/{project_id}/actions/{document_id}"
    assert count("freezer_api_requests_total", route=single, method="POST", status="201") == 20
    assert count("freezer_api_requests_total", route=single, method="GET", status="404") == 1
    assert count("freezer_api_requests_total", route="/v1/jobs", method="GET", status="200") == 1
    assert count("freezer_api_requests_total", route="none", method="GET", status="404") == 1
    assert count("freezer_api_request_duration_seconds_count", route=single, method="POST") == 20
    assert count("freezer_api_request_duration_seconds_bucket", route=single, method="POST", le="+Inf") == 20
    assert count("freezer_api_store_calls_total", call="apply", outcome="ok") == 20
    assert count("freezer_api_store_call_duration_seconds_count", call="search") == 1
    assert count("freezer_api_documents", kind="action") == 20
    assert count("freezer_api_documents", kind="job") == 0
    assert count("freezer_api_store_up") == 1
    assert api.stop() == 0


@pytest.fixture
def measured(tmp_path):
    """An application with metrics that are open to 10.0.0.0/8."""
    metrics = Metrics()
    store = MeasuredStore(SqliteStore(tmp_path / "api.db"), metrics.store_called)
    surroundings = Surroundings(
        trusted_proxies=Networks(["127.0.0.1"]), metrics_networks=Networks(["10.0.0.0/8"]), observers=[metrics]
    )
    app = create_app(store, NoAuth(), surroundings=surroundings)
    app.add_route("/metrics", MetricsPage(metrics, store))
    return falcon.testing.TestClient(app)


def test_metrics_are_for_their_networks_and_for_administrators(measured):
    assert measured.simulate_get("/metrics", remote_addr="10.9.8.7").status_code == 200
    for role, status in (("admin", 200), ("service", 200), ("member", 403), ("reader", 403)):
        headers = {"X-Auth-Token": f"alice:web:{role}"}
        assert measured.simulate_get("/metrics", remote_addr="192.0.2.1", headers=headers).status_code == status
    through = {"X-Forwarded-For": "192.0.2.1", "X-Auth-Token": "alice:web:member"}
    assert measured.simulate_get("/metrics", remote_addr="127.0.0.1", headers=through).status_code == 403
    wrong = {"X-Auth-Token": ":"}
    assert measured.simulate_get("/metrics", remote_addr="192.0.2.1", headers=wrong).status_code == 401


def test_odd_requests_do_not_make_the_metrics_grow(measured):
    for number in range(50):
        measured.simulate_get(f"/odd/{number}", remote_addr="10.0.0.1")
        measured.simulate_get(f"/v2/p{number}/jobs/{number}", remote_addr="10.0.0.1")
    found = numbers(measured.simulate_get("/metrics", remote_addr="10.0.0.1").text)
    routes = {dict(key[1:])["route"] for key in found if key[0] == "freezer_api_requests_total"}
    assert routes == {"none", "/v2/{project_id}/jobs/{document_id}"}


def test_a_store_that_fails_is_seen_in_the_metrics(tmp_path):
    class Broken(SqliteStore):
        def counts(self):
            raise StoreError("the store cannot be used now")

    metrics = Metrics()
    store = MeasuredStore(Broken(tmp_path / "api.db"), metrics.store_called)
    metrics.page(store)
    found = numbers(metrics.page(store).decode())
    assert found["freezer_api_store_up",] == 0
    assert found["freezer_api_store_calls_total", ("call", "counts"), ("outcome", "error")] == 1
    assert not [key for key in found if key[0] == "freezer_api_documents"]


def test_metrics_can_be_turned_off(start_freezer_api, tmp_path):
    config = tmp_path / "freezer-api.conf"
    config.write_text("[metrics]\nenabled = false\n")
    assert start_freezer_api("--config-file", str(config)).get("/metrics").status == 404


def memory_bytes(process_ids):
    """What processes have in memory, pages that they share counted once between them."""
    found = 0
    for process_id in process_ids:
        lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
        found += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return found


def test_with_one_worker_it_takes_less_than_120_mib(start_freezer_api):
    api = start_freezer_api()
    for number in range(50):
        api.post(f"/v2/web/actions/a{number}", ACTION)
    api.get("/metrics")
    assert memory_bytes([api.process.pid, *api.worker_ids()]) < 120 * 2**20


def test_what_only_some_need_is_not_loaded_by_all():
    program = "ansible_collections.freezer.backup.roles.api.files.freezer_api"
    code = f"import sys, {program}.main, {program}.manage; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    late = {"keystonemiddleware", "keystoneauth1", "oslo_policy", "prometheus_client", "webob"}
    assert late.isdisjoint(loaded)


def test_a_file_sends_requests_elsewhere_and_nothing_else_changes(tmp_path):
    file = tmp_path / "maintenance"
    app = create_app(SqliteStore(tmp_path / "api.db"), NoAuth(), disable_by_file=file)
    client = falcon.testing.TestClient(app)
    assert client.simulate_get("/healthcheck").text == "OK"
    file.touch()
    reply = client.simulate_get("/healthcheck")
    assert reply.status_code == 503
    assert "disabled" in reply.json["description"]
    assert client.simulate_get("/v1/jobs").status_code == 200
    file.unlink()
    assert client.simulate_get("/healthcheck").status_code == 200


def test_head_is_answered_as_get_is_without_the_body(start_freezer_api):
    api = start_freezer_api()
    token = {"X-Auth-Token": "alice:web:member"}
    paths = ("/", "/v1", "/v2", "/healthcheck", "/openapi.json", "/metrics", "/v1/jobs", "/v2/web/jobs")
    bodies = []
    for path in paths:
        got, head = (api.request(method, path, None, token) for method in ("GET", "HEAD"))
        assert (head.status, head.text) == (got.status, ""), path
        assert head.headers["content-type"] == got.headers["content-type"], path
        bodies.append(got.text.encode())
    lines = access_lines(api.log, 2 * len(paths))
    # The numbers of a page of metrics are others each time.
    for path, body, got, head in zip(paths, bodies, lines[::2], lines[1::2], strict=True):
        assert int(got["bytes"]) == len(body) > 0
        assert (head["path"], head["method"], head["bytes"]) == (path, "HEAD", "0")


def test_the_home_document_leads_to_every_route(freezer_api):
    for version, base in (("v1", "/v1"), ("v2", "/v2/{project_id}")):
        resources = freezer_api.get(f"/{version}").json["resources"]
        places = {name: resource["href-template"] for name, resource in resources.items()}
        assert places["rel/job_event"] == f"{base}/jobs/{{job_id}}/event"
        assert places["rel/session_action"] == f"{base}/sessions/{{session_id}}/action"
        assert places["rel/session_job"] == f"{base}/sessions/{{session_id}}/jobs/{{job_id}}"
        assert places["rel/jobs_batch"] == f"{base}/jobs:batch"
        for resource in resources.values():
            named = re.findall(r"\{(?!\?)(\w+)\}", resource["href-template"])
            assert set(named) <= set(resource["href-vars"])


@pytest.mark.parametrize(("module", "name"), [("main", "freezer-api"), ("manage", "freezer-manage")])
def test_the_commands_say_their_version(module, name):
    path = f"ansible_collections.freezer.backup.roles.api.files.freezer_api.{module}"
    ran = subprocess.run([sys.executable, "-m", path, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+.*\n", ran.stdout)
