# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""How logins go over the network: what is repeated, whom they trust, what a sentence says of a fault."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.http.connection import Tls
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import (
    BadAddress,
    Forbidden,
    RestError,
    ServerError,
    Unreachable,
    Untrusted,
    WrongService,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.keystoneauth import Keystoneauth
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.transport import Transport
from ansible_collections.freezer.backup.tests.support.certificates import Authority
from ansible_collections.freezer.backup.tests.support.faulty_server import (
    FaultyServer,
    answer,
    drop,
    half_an_answer,
    not_http,
    silence,
)

CATALOGUE = [{"type": "backup", "endpoints": [{"interface": "public", "region": "north", "url": "http://freezer"}]}]
TOKEN = {"token": {"project": {"id": "p1"}, "catalog": CATALOGUE}}
GIVEN = answer(201, TOKEN, {"X-Subject-Token": "t0ken"})


def login(url: str, sleep: Any = lambda _seconds: None, **transport: Any) -> Keystoneauth:
    auth = {"auth_url": url, "user_id": "u1", "password": "s3cret"}
    return Keystoneauth("password", auth, Transport(**transport), sleep)


def test_one_login_answers_all_that_is_asked():
    with FaultyServer([GIVEN]) as server:
        keystone = login(server.url)
        assert keystone.headers() == {"X-Auth-Token": "t0ken"}
        assert keystone.project_id() == "p1"
        assert keystone.endpoint("public", None) == "http://freezer"
    assert [(request.method, request.path) for request in server.requests] == [("POST", "/v3/auth/tokens")]


def test_a_token_is_fetched_anew_only_when_it_was_refused():
    late = {"token": {**TOKEN["token"], "expires_at": "2001-01-01T00:00:00.000000Z"}}
    with FaultyServer([answer(201, late, {"X-Subject-Token": "old"}), GIVEN]) as server:
        keystone = login(server.url)
        assert not keystone.renew(), "nothing was refused yet"
        # By the clock of this machine it is over, and clocks are wrong at times.
        assert keystone.headers() == keystone.headers() == {"X-Auth-Token": "old"}
        assert keystone.renew()
        assert keystone.headers() == {"X-Auth-Token": "t0ken"}
    assert len(server.requests) == 2


def test_threads_whose_token_is_refused_at_the_same_time_log_in_once():
    with FaultyServer([answer(201, TOKEN, {"X-Subject-Token": "old"}), GIVEN]) as server:
        keystone = login(server.url)
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
            first = [thread.submit(keystone.headers).result() for thread in (one, other)]
            assert [thread.submit(keystone.renew).result() for thread in (one, other)] == [True, True]
            second = [one.submit(keystone.headers).result()]
            # A refusal that comes late is one of the old token.
            late = other.submit(keystone.renew).result()
            second.append(other.submit(keystone.headers).result())
    assert late
    assert (first, second) == ([{"X-Auth-Token": "old"}] * 2, [{"X-Auth-Token": "t0ken"}] * 2)
    assert len(server.requests) == 2


def test_a_keystone_that_asks_for_patience_gets_it():
    pauses: list[float] = []
    with FaultyServer([answer(503, headers={"Retry-After": "7"}), GIVEN]) as server:
        assert login(server.url, pauses.append).headers()
    assert pauses == [7.0]
    with FaultyServer([answer(503, headers={"Retry-After": "3600"})]) as server:
        with pytest.raises(ServerError, match=r"Keystone failed on POST .*/v3/auth/tokens \(status 503\)"):
            login(server.url, pauses.append).headers()
    assert pauses == [7.0]


@pytest.mark.parametrize("fault", [drop, half_an_answer])
def test_a_login_that_was_lost_is_repeated(fault):
    with FaultyServer([fault, GIVEN]) as server:
        assert login(server.url).headers()
    assert len(server.requests) == 2


def test_what_keystone_says_is_repeated_with_the_request():
    said = {"error": {"code": 403, "title": "Forbidden", "message": "The password is expired."}}
    with FaultyServer([answer(403, said, {"Content-Type": "application/json"})]) as server:
        request = f"POST {server.url}/v3/auth/tokens (status 403)"
        with pytest.raises(Forbidden) as caught:
            login(server.url).headers()
    assert str(caught.value) == f"Keystone does not permit {request}: Forbidden: The password is expired."


def test_a_password_does_not_follow_a_redirection():
    with FaultyServer([answer(307, headers={"Location": "http://elsewhere.example/"})]) as server:
        with pytest.raises(RestError, match=r"is redirected to http://elsewhere.example/\. Use that server's address"):
            login(server.url).headers()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        (
            drop,
            Unreachable,
            "The connection was lost during POST .*/v3/auth/tokens: the server closed it without an an",
        ),
        (half_an_answer, Unreachable, "it ended in the middle of the answer"),
        (not_http, WrongService, "does not speak HTTP"),
        (answer(200, {}), WrongService, "was answered without a token. Is this the address of Keystone"),
        (answer(200, TOKEN), WrongService, "was answered without a token that makes sense. Is auth_url the address"),
        (answer(200, body=b"<html>"), WrongService, "Is this the address of Keystone"),
        (silence(1), Unreachable, r"POST .*/v3/auth/tokens got no answer for 0.2 seconds \(the timeout\)"),
    ],
)
def test_a_fault_of_a_login_is_a_sentence(fault, kind, sentence):
    with FaultyServer([fault]) as server, pytest.raises(kind, match=sentence) as caught:
        login(server.url, retries=0, timeout_seconds=0.2).headers()
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_keystone_that_is_not_there_is_named():
    with FaultyServer([]) as server:
        url = server.url
    keystone = login(url, retries=1)
    with pytest.raises(Unreachable, match=f"Keystone at {url}/v3 cannot be reached: Connection refused"):
        keystone.headers()
    with pytest.raises(Unreachable, match="Keystone at http://keystone.invalid/v3 cannot be reached: "):
        login("http://keystone.invalid", retries=0).headers()


def test_a_certificate_that_is_not_trusted_is_a_sentence(tmp_path):
    with FaultyServer([GIVEN], tls=Authority(tmp_path).server_context("localhost")) as server:
        with pytest.raises(Untrusted, match="The certificate of .* is not trusted: .*ca_file"):
            login(server.url).headers()
    assert server.requests == []


def test_a_file_that_is_no_certificate_is_a_sentence(tmp_path):
    with pytest.raises(BadAddress, match=r"ca_file /missing/ca\.pem cannot be used: "):
        login("https://keystone.invalid", tls=Tls(ca_file="/missing/ca.pem")).headers()


def test_who_asks_is_not_said_by_a_file_for_other_programs(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("default login someone password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with FaultyServer([GIVEN]) as server:
        assert login(server.url, retries=0).headers()
    assert "authorization" not in server.requests[0].headers
    assert json.loads(server.requests[0].body)["auth"]["identity"]["methods"] == ["password"]


def test_a_login_goes_through_the_proxy_that_is_named():
    with FaultyServer([GIVEN]) as server:
        proxy = server.url.partition("//")[2]
        assert login("http://keystone.invalid", proxy=f"anna:word@{proxy}").headers()
    assert server.requests[0].path == "http://keystone.invalid/v3/auth/tokens"
    assert server.requests[0].headers["proxy-authorization"] == "Basic YW5uYTp3b3Jk"
    with pytest.raises(BadAddress, match="proxy is no address"):
        login("http://keystone.invalid", proxy="ftp://x").headers()


def test_a_login_with_openid_connect_goes_from_the_provider_to_keystone_and_its_project():
    unscoped = answer(201, {"token": {"user": {"id": "u1"}}}, {"X-Subject-Token": "unscoped"})
    with FaultyServer([answer(200, {"access_token": "of the provider"}), unscoped, GIVEN]) as server:
        auth = {
            "auth_url": f"{server.url}/v3",
            "access_token_endpoint": f"{server.url}/oidc/token",
            "identity_provider": "company",
            "protocol": "openid",
            "client_id": "backup",
            "client_secret": "s3cret",
            "project_id": "p1",
        }
        cloud = connect_cloud({"cloud": {"auth_type": "v3oidcclientcredentials", "auth": auth}}, {})
        assert cloud.project_id() == "p1"
    assert [request.path for request in server.requests] == [
        "/oidc/token",
        "/v3/OS-FEDERATION/identity_providers/company/protocols/openid/auth",
        "/v3/auth/tokens",
    ]
    assert server.requests[1].headers["authorization"] == "Bearer of the provider"
    assert json.loads(server.requests[2].body)["auth"]["scope"] == {"project": {"id": "p1"}}


@pytest.fixture
def no_proxies(monkeypatch):
    """An environment without proxies."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_the_proxy_of_the_environment_is_asked_for_logins_and_services(no_proxies):
    token = {"token": {"project": {"id": "p1"}, "catalog": []}}
    with FaultyServer([answer(201, token, {"X-Subject-Token": "t0ken"}), answer(200, {"servers": []})]) as proxy:
        no_proxies.setenv("http_proxy", proxy.url)
        auth = {"auth_url": "http://keystone.invalid", "user_id": "u1", "password": "s3cret"}
        cloud = connect_cloud({"cloud": {"auth": auth, "compute_endpoint_override": "http://nova.invalid/v2.1"}}, {})
        assert cloud.service("compute").request("GET", "/servers").document == {"servers": []}
    asked = [(request.method, request.path) for request in proxy.requests]
    assert asked == [("POST", "http://keystone.invalid/v3/auth/tokens"), ("GET", "http://nova.invalid/v2.1/servers")]


@pytest.mark.parametrize(
    ("environment", "option"),
    [({"no_proxy": "localhost"}, None), ({}, "none")],
    ids=["no_proxy", "the option"],
)
def test_the_proxy_of_the_environment_is_not_asked_where_there_shall_be_none(no_proxies, environment, option):
    for name, value in {"http_proxy": "http://127.0.0.1:9", **environment}.items():
        no_proxies.setenv(name, value)
    with FaultyServer([GIVEN]) as server:
        assert login(server.url, retries=0, proxy=option).headers()


def test_the_proxy_of_an_option_goes_before_that_of_the_environment(no_proxies):
    no_proxies.setenv("http_proxy", "http://127.0.0.1:9")
    no_proxies.setenv("no_proxy", "keystone.invalid")
    with FaultyServer([GIVEN]) as proxy:
        assert login("http://keystone.invalid", retries=0, proxy=proxy.url).headers()


def test_a_proxy_that_is_not_there_is_told_as_one(no_proxies):
    no_proxies.setenv("http_proxy", "http://anna:geheim@127.0.0.1:9")
    with pytest.raises(
        Unreachable, match=r"cannot be reached: Connection refused \(through the proxy .* http_proxy"
    ) as told:
        login("http://keystone.invalid", retries=0).headers()
    assert "geheim" not in str(told.value)
