# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Logins with a real Keystone. A scripted one stands in for faults that a real one does not have when it should."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from support.certificates import Authority
from support.faulty_server import FaultyServer, answer, drop, not_http, silence

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.errors import FREEZER
from ansible_collections.freezer.backup.plugins.module_utils._engine.http import errors
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.connection import Connection
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.environment import (
    with_environment,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.login import auth_method
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.transport import Transport


def password(keystone, name: str = "alpha-member", **more: Any) -> dict[str, Any]:
    user = keystone.user(name)
    return {
        "auth_url": keystone.auth_url,
        "username": user.name,
        "password": user.password,
        "user_domain_id": user.domain_id,
        "project_id": user.project_id,
        **more,
    }


def credential(keystone) -> dict[str, Any]:
    known = keystone.application_credential
    return {
        "auth_url": keystone.auth_url,
        "application_credential_id": known["id"],
        "application_credential_secret": known["secret"],
    }


def multifactor(keystone) -> dict[str, Any]:
    return {**password(keystone), "auth_methods": ["v3password"]}


# auth_type, how auth is made
WAYS = [
    pytest.param("password", password, id="password"),
    pytest.param("v3applicationcredential", credential, id="application credential"),
    pytest.param("v3multifactor", multifactor, id="keystoneauth"),
]


def user_of(keystone, token: str) -> str:
    # A token may look at itself.
    found, _headers = keystone.ask("GET", "/auth/tokens", None, token, {"X-Subject-Token": token})
    return found["token"]["user"]["name"]


@pytest.fixture(scope="module")
def region(keystone):
    """A region of the catalogue with a Freezer API of which nothing but the address matters."""
    with keystone.in_region("http://freezer.example:9090/v2/$(project_id)s") as name:
        yield name


@pytest.mark.parametrize(("auth_type", "auth"), WAYS)
def test_keystone_gives_a_token_a_project_and_an_address(keystone, region, auth_type, auth):
    method = auth_method(auth_type, auth(keystone), Transport())
    assert user_of(keystone, method.headers()["X-Auth-Token"]) == "alpha-member"
    project_id = keystone.user("alpha-member").project_id
    assert method.project_id() == project_id
    assert method.endpoint("public", region) == f"http://freezer.example:9090/v2/{project_id}"


@pytest.mark.parametrize(("auth_type", "auth"), WAYS)
def test_a_registry_needs_no_address_where_there_is_a_catalogue(keystone, region, auth_type, auth):
    registry = connect(auth_type=auth_type, auth=auth(keystone), region_name=region)
    project_id = keystone.user("alpha-member").project_id
    assert (registry.url, registry.project_id, registry.api_version) == ("http://freezer.example:9090", project_id, 2)


@pytest.mark.parametrize(("auth_type", "auth"), WAYS)
def test_a_token_is_used_again_and_renewed_when_it_is_refused(keystone, auth_type, auth):
    script = [answer(200, {}), answer(200, {}), answer(401, {}), answer(201, {"job_id": "a"}), answer(200, {})]
    with FaultyServer(script) as server:
        api = Connection(server.url, service=FREEZER, auth=auth_method(auth_type, auth(keystone), Transport()))
        api.request("GET", "/jobs")
        api.request("GET", "/jobs")
        time.sleep(1.1)  # tokens carry seconds: one of the same second would be the same one
        api.request("POST", "/jobs", {}, repeatable=False)
        api.request("GET", "/jobs")
    tokens = [request.headers["x-auth-token"] for request in server.requests]
    assert tokens[0] == tokens[1] == tokens[2]
    assert tokens[3] == tokens[4] != tokens[0]
    assert user_of(keystone, tokens[3]) == "alpha-member"


def test_what_is_refused_twice_is_not_asked_a_third_time(keystone):
    with (
        FaultyServer([answer(401, {})] * 3) as server,
        pytest.raises(errors.Unauthorized, match="The Freezer API does not accept the credentials"),
    ):
        Connection(server.url, service=FREEZER, auth=auth_method("password", password(keystone), Transport())).request(
            "GET", "/jobs"
        )
    assert len(server.requests) == 2


def test_a_token_of_another_project_is_exchanged_for_one_of_the_project(keystone):
    token = keystone.token("alpha-member")
    auth = {"auth_url": keystone.auth_url, "token": token, "project_id": keystone.user("alpha-member").project_id}
    method = auth_method("token", auth, Transport())
    assert method.headers()["X-Auth-Token"] != token
    assert method.project_id() == auth["project_id"]


def test_an_admin_token_of_keystoneauths_brings_its_endpoint_along():
    with FaultyServer([answer(200, {"jobs": []})]) as server:
        auth = {"endpoint": server.url, "token": "0123456789abcdef"}
        assert connect(auth_type="admin_token", auth=auth, project_id="p1").jobs.list() == []
    assert server.requests[0].headers["x-auth-token"] == "0123456789abcdef"


def test_an_application_credential_may_be_named(keystone):
    auth = {**credential(keystone), "application_credential_name": "tests", "username": "alpha-member"}
    del auth["application_credential_id"]
    assert auth_method("v3applicationcredential", auth, Transport()).project_id()


def test_projects_and_users_of_other_domains_are_found_by_name(keystone):
    auth = password(keystone, "stranger", project_name="alpha", project_domain_name="second")
    del auth["project_id"]
    assert auth_method("password", auth, Transport()).project_id() == keystone.user("stranger").project_id


@pytest.mark.parametrize("end", ["", "/", "/v3/", "/v3"])
def test_the_address_of_keystone_may_end_in_its_version(keystone, end):
    auth = password(keystone, auth_url=keystone.auth_url[: -len("/v3")] + end)
    assert auth_method("password", auth, Transport()).project_id() == auth["project_id"]


@pytest.mark.parametrize(("auth_type", "auth"), WAYS)
def test_wrong_credentials_are_a_sentence_without_the_secret(keystone, auth_type, auth):
    wrong = {**auth(keystone)}
    secret = "application_credential_secret" if "application_credential_secret" in wrong else "password"
    wrong[secret] = "wr0ng-word"
    with pytest.raises(errors.Unauthorized, match="Keystone does not accept the credentials") as caught:
        auth_method(auth_type, wrong, Transport()).headers()
    assert caught.value.status == 401
    assert "wr0ng-word" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("auth_type", "auth"), WAYS)
def test_a_catalogue_without_a_freezer_is_a_sentence(keystone, auth_type, auth):
    with pytest.raises(errors.BadAddress, match="no endpoint of the service type backup.*in region nowhere"):
        connect(auth_type=auth_type, auth=auth(keystone), region_name="nowhere")


@pytest.mark.parametrize("auth_type", ["password", "v3multifactor"])
def test_credentials_for_no_project_are_a_sentence(keystone, auth_type):
    auth = {**password(keystone), "project_id": None, "auth_methods": ["v3password"]}
    with pytest.raises(errors.BadAddress, match="The credentials are for no project"):
        connect("http://127.0.0.1:9", auth_type=auth_type, auth=auth)
    assert connect("http://127.0.0.1:9", auth_type=auth_type, auth=auth, api_version=1).api_version == 1


def test_an_auth_type_that_does_not_exist_is_a_sentence(keystone):
    with pytest.raises(errors.BadAddress, match="There is no auth_type v3magic"):
        auth_method("v3magic", password(keystone), Transport()).headers()


def test_what_a_plugin_lacks_is_a_sentence():
    with pytest.raises(
        errors.BadAddress, match="auth_type v3oidcpassword cannot be used like this: .*discovery-endpoint"
    ):
        auth_method("v3oidcpassword", {"username": "anna"}, Transport()).headers()


def test_a_file_with_a_cloud_and_one_with_its_secret_are_all_that_is_needed(keystone, region, tmp_path, monkeypatch):
    known = credential(keystone)
    secret = {"auth": {"application_credential_secret": known.pop("application_credential_secret")}}
    said = {"auth_type": "v3applicationcredential", "auth": known, "backup_region_name": region}
    environ = {}
    for name, variable, cloud in (("clouds", "CONFIG", said), ("secure", "SECURE", secret)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"clouds": {"mine": cloud}}))
        environ[f"OS_CLIENT_{variable}_FILE"] = str(path)
        monkeypatch.setenv(f"OS_CLIENT_{variable}_FILE", str(path))
    project_id = keystone.user("alpha-member").project_id
    assert connect_cloud({}, environ).project_id() == project_id
    registry = connect(**with_environment({}, environ))
    assert (registry.url, registry.project_id) == ("http://freezer.example:9090", project_id)


# ---- faults

TOKEN = {"token": {"project": {"id": "p1"}, "catalog": [], "expires_at": "2100-01-01T00:00:00.000000Z"}}
GIVEN = answer(201, TOKEN, {"X-Subject-Token": "t0ken"})
KNOWN: dict[str, Any] = {"user_id": "u1", "password": "s3cret", "project_id": "p1", "auth_methods": ["v3password"]}
PLAIN_AND_LIBRARY = pytest.mark.parametrize("auth_type", ["password", "v3multifactor"])


def scripted(server: FaultyServer, auth_type: str, **options: Any) -> Any:
    method = auth_method(auth_type, {**KNOWN, "auth_url": server.url + "/v3"}, Transport(**options))
    method._sleep = lambda seconds: None
    return method


@PLAIN_AND_LIBRARY
@pytest.mark.parametrize("fault", [drop, answer(502), answer(503), answer(504)])
def test_a_keystone_that_is_not_ready_is_asked_again(auth_type, fault):
    with FaultyServer([fault, fault, GIVEN]) as server:
        assert scripted(server, auth_type).headers()["X-Auth-Token"] == "t0ken"
    assert [request.path for request in server.requests] == ["/v3/auth/tokens"] * 3


@PLAIN_AND_LIBRARY
def test_a_keystone_that_is_never_ready_is_given_up(auth_type):
    with FaultyServer([answer(503)] * 3) as server, pytest.raises(errors.RestError, match="Keystone.*503"):
        scripted(server, auth_type, retries=2).headers()
    assert len(server.requests) == 3


@PLAIN_AND_LIBRARY
def test_a_silent_keystone_ends_with_the_timeout(auth_type):
    with FaultyServer([silence(4)]) as server:
        started = time.monotonic()
        with pytest.raises(errors.Unreachable):
            scripted(server, auth_type, timeout_seconds=0.2, retries=0).headers()
        assert time.monotonic() - started < 4, "the silence was waited for"


@PLAIN_AND_LIBRARY
def test_a_keystone_that_is_not_there_is_a_sentence(auth_type):
    with FaultyServer([]) as server:
        method = scripted(server, auth_type, retries=0)
    with pytest.raises(errors.Unreachable, match="Keystone .*cannot be reached") as caught:
        method.headers()
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@PLAIN_AND_LIBRARY
def test_an_answer_without_a_token_is_recognised(auth_type):
    with FaultyServer([answer(200, {"hello": "world"})]) as server, pytest.raises(errors.RestError) as caught:
        scripted(server, auth_type).headers()
    assert "token" in str(caught.value)


def test_something_else_than_a_keystone_is_recognised():
    with FaultyServer([not_http]) as server, pytest.raises(errors.WrongService, match="does not speak HTTP"):
        scripted(server, "password").headers()
    with (
        FaultyServer([answer(200, body=b"<html>")]) as server,
        pytest.raises(errors.WrongService, match="Is this the address of Keystone"),
    ):
        scripted(server, "password").headers()


@PLAIN_AND_LIBRARY
def test_a_keystone_that_is_not_trusted_gets_no_password(auth_type, tmp_path):
    with FaultyServer([GIVEN], tls=Authority(tmp_path).server_context("localhost")) as server:
        with pytest.raises(errors.Untrusted, match="ca_file"):
            scripted(server, auth_type, retries=0).headers()
    assert server.requests == []


@PLAIN_AND_LIBRARY
def test_the_options_about_tls_are_for_keystone_too(auth_type, tmp_path):
    authority = Authority(tmp_path)
    with FaultyServer([GIVEN], tls=authority.server_context("localhost")) as server:
        auth = {**KNOWN, "auth_url": server.url}
        registry = connect(server.url, auth_type=auth_type, auth=auth, ca_file=str(authority.ca_file))
        assert registry._connection._auth.headers()["X-Auth-Token"] == "t0ken"
    with FaultyServer([GIVEN], tls=Authority(tmp_path).server_context("elsewhere")) as server:
        auth = {**KNOWN, "auth_url": server.url}
        registry = connect(server.url, auth_type=auth_type, auth=auth, validate_certs=False)
        assert registry._connection._auth.headers()["X-Auth-Token"] == "t0ken"
