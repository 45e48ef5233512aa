# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-api behind a real Keystone: whose tokens it takes, and what it says about others."""

from __future__ import annotations

import datetime
import subprocess
import time
import uuid

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.token_cache import TokenCache
from ansible_collections.freezer.backup.tests.support import api_process
from ansible_collections.freezer.backup.tests.support.keystone_api import write_config

JOB = {
    "client_id": "db1",
    "job_actions": [{"freezer_action": {"action": "backup", "path_to_backup": "/etc"}}],
    "job_schedule": {},
}


@pytest.fixture(scope="module")
def api(keystone, tmp_path_factory):
    """One freezer-api for all tests here; each uses documents of its own."""
    folder = tmp_path_factory.mktemp("keystone-api")
    process = api_process.start(folder, "--config-file", str(write_config(folder, keystone)), auth_strategy="keystone")
    yield process
    process.stop()


@pytest.fixture(scope="module")
def token_of(keystone):
    """Tokens by the name of their user, asked for once."""
    known = {}

    def token(name):
        if name not in known:
            known[name] = keystone.token(name)
        return {"X-Auth-Token": known[name]}

    return token


@pytest.fixture
def job_id():
    return f"job-{uuid.uuid4().hex}"


def test_a_member_works_in_the_project_of_the_token(api, keystone, token_of, job_id):
    jobs = f"/v2/{keystone.projects['alpha']}/jobs"
    member = token_of("alpha-member")
    assert api.request("POST", f"{jobs}/{job_id}", JOB, member).status == 201
    document = api.request("GET", f"{jobs}/{job_id}", None, member).json
    assert document["user_id"] == keystone.user("alpha-member").id
    assert document["project_id"] == keystone.projects["alpha"]
    assert api.request("DELETE", f"{jobs}/{job_id}", None, member).status == 204


def test_v1_is_about_the_user_of_the_token(api, token_of, job_id):
    member = token_of("alpha-member")
    assert api.request("POST", f"/v1/jobs/{job_id}", JOB, member).status == 201
    assert api.request("GET", f"/v1/jobs/{job_id}", None, member).json["_version"] == 1
    assert api.request("GET", f"/v1/jobs/{job_id}", None, token_of("alpha-admin")).status == 404


@pytest.mark.parametrize("version", [1, 2])
def test_no_token_and_a_wrong_one_are_sent_to_keystone(api, keystone, version):
    path = "/v1/jobs" if version == 1 else f"/v2/{keystone.projects['alpha']}/jobs"
    for headers, says in (({}, "Send a token"), ({"X-Auth-Token": "gAAAAnonsense"}, "invalid or has expired")):
        reply = api.request("GET", path, None, headers)
        assert reply.status == 401
        assert reply.headers["www-authenticate"] == f'Keystone uri="{keystone.auth_url}"'
        assert reply.json["title"] == "Unauthorized"
        assert says in reply.json["description"]


def test_a_revoked_token_is_not_valid_any_more(api, keystone):
    token = keystone.token("alpha-member")
    keystone.revoke(token)
    assert api.get("/v1/jobs", **{"X-Auth-Token": token}).status == 401


def test_a_token_expires_also_while_it_is_remembered(api, keystone):
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=6)
    credential = keystone.new_application_credential(
        "alpha-member",
        keystone.token("alpha-member"),
        name=f"short-{uuid.uuid4().hex[:8]}",
        expires_at=until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    token = {"X-Auth-Token": keystone.application_credential_token(credential["id"], credential["secret"])}
    assert api.get("/v1/jobs", **token).status == 200
    while datetime.datetime.now(datetime.UTC) < until + datetime.timedelta(seconds=1):
        time.sleep(0.2)
    assert api.get("/v1/jobs", **token).status == 401
    # A service that acts for a user sends its own token too: then the user's may have expired.
    service = {"X-Service-Token": keystone.token("alpha-service")}
    assert api.get("/v1/jobs", **token, **service).status == 200
    member = {"X-Service-Token": keystone.token("beta-member")}
    assert api.get("/v1/jobs", **token, **member).status == 401


def test_an_application_credential_is_its_user(api, keystone, job_id):
    token = {"X-Auth-Token": keystone.application_credential_token()}
    path = f"/v2/{keystone.projects['alpha']}/jobs/{job_id}"
    assert api.request("POST", path, JOB, token).status == 201
    assert api.request("GET", path, None, token).json["user_id"] == keystone.user("alpha-member").id


@pytest.fixture
def endpoint(api, keystone):
    """The API is in Keystone's catalogue: access rules are about services that are."""
    with keystone.in_region(api.url):
        yield


@pytest.mark.usefixtures("endpoint")
def test_an_application_credential_with_access_rules_can_do_what_they_say(api, keystone, job_id):
    jobs = f"/v2/{keystone.projects['alpha']}/jobs"
    credential = keystone.new_application_credential(
        "alpha-member",
        keystone.token("alpha-member"),
        name=f"reads-{uuid.uuid4().hex[:8]}",
        access_rules=[{"service": "backup", "method": "GET", "path": "/v2/*/jobs"}],
    )
    token = {"X-Auth-Token": keystone.application_credential_token(credential["id"], credential["secret"])}
    assert api.request("GET", jobs, None, token).status == 200
    assert api.request("POST", f"{jobs}/{job_id}", JOB, token).status == 401


@pytest.mark.parametrize(
    ("name", "reads", "writes_jobs", "writes_backups", "sees_all"),
    [
        ("alpha-admin", 200, 201, 201, 200),
        ("alpha-member", 200, 201, 201, 403),
        ("alpha-reader", 200, 403, 403, 403),
        ("alpha-service", 200, 403, 201, 200),
        ("alpha-auditor", 403, 403, 403, 403),
        ("admin", 200, 201, 201, 200),
        ("beta-member", 403, 403, 403, 403),
        ("beta-reader", 403, 403, 403, 403),
        ("beta-admin", 200, 201, 201, 200),
        ("stranger", 403, 403, 403, 403),
    ],
)
def test_roles_allow_in_the_project_of_the_address_what_they_allow_upstream(
    api, keystone, token_of, job_id, name, reads, writes_jobs, writes_backups, sees_all
):
    base, token = f"/v2/{keystone.projects['alpha']}", token_of(name)
    backup = {"backup_name": job_id, "container": "c", "hostname": "h"}
    assert api.request("GET", f"{base}/jobs", None, token).status == reads
    assert api.request("POST", f"{base}/jobs/{job_id}", JOB, token).status == writes_jobs
    assert api.request("POST", f"{base}/backups", backup, token).status == writes_backups
    assert api.request("GET", f"{base}/jobs?all_projects=true", None, token).status == sees_all


def test_two_projects_of_one_name_see_nothing_of_each_other(api, keystone, token_of, job_id):
    stranger = keystone.user("stranger")
    path = f"/v2/{stranger.project_id}/jobs/{job_id}"
    assert api.request("POST", path, JOB, token_of("stranger")).status == 201
    assert api.request("GET", path, None, token_of("alpha-member")).status == 403
    own = f"/v2/{keystone.projects['alpha']}/jobs/{job_id}"
    assert api.request("GET", own, None, token_of("alpha-member")).status == 404


def test_headers_that_name_a_user_are_not_believed(api, token_of, keystone):
    lies = {"X-Identity-Status": "Confirmed", "X-User-Id": "root", "X-Project-Id": "p", "X-Roles": "admin"}
    assert api.request("GET", "/v1/jobs", None, lies).status == 401
    reader = {**token_of("alpha-reader"), **lies}
    path = f"/v2/{keystone.projects['alpha']}/jobs"
    assert api.request("POST", path, JOB, reader).status == 403
    assert api.request("GET", "/v2/p/jobs", None, reader).status == 403


def test_a_token_for_no_project_is_told_so(api, keystone):
    user = keystone.user("alpha-member")
    identity = {"methods": ["password"], "password": {"user": {"id": user.id, "password": user.password}}}
    _nothing, headers = keystone.ask("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": "unscoped"}})
    reply = api.get("/v1/jobs", **{"X-Auth-Token": headers["X-Subject-Token"]})
    assert reply.status == 403
    assert "not scoped to a project" in reply.json["description"]


def test_routes_without_authentication_need_no_keystone(api):
    assert [api.get(path).status for path in ("/", "/v1", "/v2", "/healthcheck")] == [300, 200, 200, 200]


@pytest.mark.parametrize("trouble", ["down", "login"])
def test_without_keystone_only_authentication_fails(start_freezer_api, keystone, tmp_path, trouble):
    login = {"down": {"auth_url": "http://127.0.0.1:9/v3"}, "login": {"password": "wrong"}}[trouble]
    config = write_config(tmp_path, keystone, http_request_max_retries="0", **login)
    api = start_freezer_api("--config-file", str(config), auth_strategy="keystone")
    reply = api.get("/v1/jobs", **{"X-Auth-Token": keystone.token("alpha-member")})
    assert reply.status == 503
    assert reply.headers["retry-after"] == "10"
    assert reply.json["title"] == "Service Unavailable"
    assert "Keystone" in reply.json["description"]
    assert "wrong" not in reply.text
    assert api.get("/healthcheck").status == 200
    assert api.get("/v1/jobs").status == 401


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("", "write auth_type = password"),
        ("auth_type = password\nauth_url = http://127.0.0.1:1", "lacks username, password"),
        ("auth_type = magic", "plugin magic could not be found"),
        ("auth_type = password\nauth_section = elsewhere_auth", "write auth_type = password"),
    ],
)
def test_what_is_missing_is_said_at_the_start(tmp_path, section, says):
    config = tmp_path / "freezer-api.conf"
    config.write_text(f"[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\n{section}\n")
    line = api_process.command("--store", f"sqlite:///{tmp_path}/api.db", "--config-file", str(config))
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_the_memory_of_tokens_forgets_in_time_and_has_an_end(monkeypatch):
    cache = TokenCache(most=2)
    cache.set("a", b"1", time=60)
    cache.set("b", b"2", time=60)
    cache.set("a", b"3", time=60)
    cache.set("c", b"4", time=60)
    assert [cache.get(key) for key in "abc"] == [b"3", None, b"4"]
    cache.set("c", b"5", time=0)
    assert cache.get("c") is None
