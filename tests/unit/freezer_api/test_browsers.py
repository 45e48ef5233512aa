# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a page of a foreign site can make a browser send to an API that believes its callers."""

from __future__ import annotations

import base64

import bcrypt
import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.settings import read_settings
from ansible_collections.freezer.backup.roles.api.files.freezer_api.server.building import make_app

ACTION = b'{"action_id": "a", "freezer_action": {"action": "backup", "path_to_backup": "/etc"}}'
ALLOWED = [
    {},
    {"Host": "localhost:9090"},
    {"Host": "LOCALHOST."},
    {"Host": "127.0.0.1:9090"},
    {"Host": "[::1]:9090"},
    {"Host": "192.0.2.7"},
    {"Host": "backup.example.org"},
    {"Host": "localhost:9090", "Origin": "http://localhost:9090"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Content-Type": "application/json"},
    {"Content-Type": "application/json; charset=utf-8"},
    {"Content-Type": "application/merge-patch+json"},
]
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Host": "localhost:9090", "Origin": "http://localhost:3000"},
    {"Host": "localhost:9090", "Origin": "https://localhost:9090"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
OTHER_HOSTS = [
    {"Host": "evil.example"},
    {"Host": "evil.example:9090"},
    {"Host": "localhost.evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    # A page that is its own site for the browser can say all that a proxy says.
    {"Host": "evil.example", "X-Forwarded-Host": "localhost"},
    {"Host": "localhost", "X-Forwarded-Host": "evil.example"},
    {"Host": "localhost", "Forwarded": "host=evil.example"},
]
OTHER_TYPES = [
    {"Content-Type": "text/plain"},
    {"Content-Type": "text/plain;charset=application/json"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
]


def client_of(tmp_path, strategy, *arguments):
    config = tmp_path / "freezer-api.conf"
    config.write_text("[DEFAULT]\nallowed_hosts = backup.example.org\naccess_log = false\n")
    line = ["--store", f"sqlite:///{tmp_path}/api.db", "--auth-strategy", strategy, "--config-file", str(config)]
    return falcon.testing.TestClient(make_app(read_settings([*line, *arguments])))


@pytest.fixture
def noauth(tmp_path):
    return client_of(tmp_path, "noauth")


@pytest.fixture
def http_basic(tmp_path):
    users = tmp_path / "htpasswd"
    users.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    return client_of(tmp_path, "http_basic", "--htpasswd", str(users))


PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"alice:secret").decode()}


def status(client, method, headers):
    body = ACTION if method == "POST" else None
    # None of the headers that the test client would think of by itself.
    return client.simulate_request(
        method, "/v1/actions", body=body, headers={"Host": "localhost", **headers}, remote_addr="127.0.0.1"
    ).status_code


def test_noauth_takes_no_request_of_a_foreign_site(noauth):
    for headers in [*FOREIGN, *OTHER_HOSTS]:
        for method in ("GET", "POST"):
            assert (headers, status(noauth, method, headers)) == (headers, 403)
    for headers in OTHER_TYPES:
        assert (headers, status(noauth, "POST", headers)) == (headers, 415)
    assert noauth.simulate_get("/v1/actions", headers={"Host": "localhost"}).json == {"actions": []}


def test_noauth_takes_what_programs_and_its_own_pages_send(noauth):
    for headers in ALLOWED:
        assert (headers, status(noauth, "GET", headers)) == (headers, 200)
        assert (headers, status(noauth, "POST", headers)) in ((headers, 201), (headers, 409))


def test_the_password_that_a_browser_adds_is_no_word_of_its_user(http_basic):
    for headers in FOREIGN:
        assert (headers, status(http_basic, "POST", {**PASSWORD, **headers})) == (headers, 403)
    for headers in OTHER_TYPES:
        assert (headers, status(http_basic, "POST", {**PASSWORD, **headers})) == (headers, 415)
    # Under another name the browser has no password for it.
    assert status(http_basic, "POST", {**PASSWORD, "Host": "any.example"}) == 201


def test_a_foreign_host_is_told_how_it_becomes_a_known_one(noauth):
    answer = noauth.simulate_get("/v1/jobs", headers={"Host": "api.example.org"})
    assert "'api.example.org'" in answer.json["description"]
    assert "allowed_hosts" in answer.json["description"]


def test_public_paths_are_not_checked_for_browsers(noauth):
    assert noauth.simulate_get("/healthcheck", headers={"Host": "evil.example"}).status_code == 200
