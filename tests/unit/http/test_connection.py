# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""How the registry's connection meets faults of the network. The server is scripted: these faults cannot be ordered
from a real API. What a real API answers is tested in test_client.py."""

from __future__ import annotations

import email.utils
import json
import socket
import ssl
import time
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.errors import FREEZER
from ansible_collections.freezer.backup.plugins.module_utils._engine.http import errors
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.auth import (
    AuthMethod,
    HttpBasic,
    NoAuth,
    Token,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.connection import Connection, Tls
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.repeating import RETRIED_STATUSES
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.service import Service
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.transport import Transport
from ansible_collections.freezer.backup.tests.support.certificates import Authority
from ansible_collections.freezer.backup.tests.support.faulty_server import (
    FaultyServer,
    answer,
    answer_and_close,
    drop,
    half_an_answer,
    not_http,
    silence,
)


def standard(server: FaultyServer, **options: Any) -> Connection:
    return Connection(server.url, **options)


def of_cloud(server: FaultyServer, **options: Any) -> Service:
    ways = {name: options.pop(name) for name in ("tls", "timeout_seconds", "retries") if name in options}
    name, auth = options.pop("service", "Nova"), options.pop("auth", NoAuth())
    options.setdefault("retried_statuses", RETRIED_STATUSES)
    return Service(name, server.url, auth, Transport(**ways), **options)


@pytest.fixture(params=[standard, of_cloud], ids=["standard library", "keystoneauth1"])
def connection(request):
    """Makes a connection of one of the two kinds, which do the same."""

    def make(server: FaultyServer, **options: Any) -> Any:
        options.setdefault("sleep", lambda seconds: None)
        options.setdefault("service", FREEZER)
        return request.param(server, **options)

    return make


def test_requests_share_one_connection(connection):
    with FaultyServer([answer(200, {"n": n}) for n in range(3)]) as server:
        api = connection(server)
        assert [api.request("GET", "/jobs").document["n"] for _round in range(3)] == [0, 1, 2]
    assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_meanwhile_is_replaced_even_for_what_must_not_be_repeated(connection):
    with FaultyServer([answer_and_close(200, {}), answer(201, {"job_id": "a"})]) as server:
        api = connection(server, retries=0)
        api.request("GET", "/jobs")
        time.sleep(0.05)
        assert api.request("POST", "/jobs", {}, repeatable=False).document == {"job_id": "a"}
    assert [request.method for request in server.requests] == ["GET", "POST"]


@pytest.mark.parametrize("fault", [drop, half_an_answer])
def test_a_lost_connection_is_tried_again(connection, fault):
    with FaultyServer([fault, fault, answer(200, {"ok": True})]) as server:
        assert connection(server).request("GET", "/jobs").document == {"ok": True}
    assert server.connections == 3


def test_a_request_that_may_have_arrived_is_not_sent_twice(connection):
    with (
        FaultyServer([drop, answer(201, {})]) as server,
        pytest.raises(errors.Unreachable, match="Whether the server acted on it is unknown"),
    ):
        connection(server).request("POST", "/jobs", {}, repeatable=False)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_is_not_ready_is_asked_again(connection, status):
    with FaultyServer([answer(status), answer(status), answer(200, {"ok": True})]) as server:
        assert connection(server).request("PATCH", "/jobs/a", {"description": "d"}).document == {"ok": True}
    assert [json.loads(request.body) for request in server.requests] == [{"description": "d"}] * 3


def test_a_server_that_is_never_ready_is_given_up_with_what_it_said(connection):
    document = {"title": "Service Unavailable", "description": "the store is read-only"}
    with (
        FaultyServer([answer(503, document)] * 4) as server,
        pytest.raises(errors.ServerError, match=r"status 503.*the store is read-only") as caught,
    ):
        connection(server, retries=3).request("GET", "/jobs")
    assert (caught.value.status, caught.value.title) == (503, "Service Unavailable")
    assert len(server.requests) == 4


def test_a_plain_failure_of_the_server_is_not_repeated(connection):
    with FaultyServer([answer(500), answer(200, {})]) as server, pytest.raises(errors.ServerError):
        connection(server).request("GET", "/jobs")
    assert len(server.requests) == 1


def test_pauses_double(connection):
    pauses: list[float] = []
    with FaultyServer([answer(503)] * 4) as server, pytest.raises(errors.ServerError):
        connection(server, sleep=pauses.append).request("GET", "/jobs")
    assert len(pauses) == 3
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, (0.25, 0.5, 1.0), strict=True))


def test_retry_after_in_seconds_is_honoured(connection):
    pauses: list[float] = []
    with FaultyServer([answer(503, headers={"Retry-After": "7"}), answer(200, {})]) as server:
        connection(server, sleep=pauses.append).request("GET", "/jobs")
    assert pauses == [7.0]


def test_retry_after_as_a_date_is_honoured(connection):
    pauses: list[float] = []
    date = email.utils.formatdate(time.time() + 20, usegmt=True)
    with FaultyServer([answer(503, headers={"Retry-After": date}), answer(200, {})]) as server:
        connection(server, sleep=pauses.append).request("GET", "/jobs")
    assert 15 < pauses[0] <= 20


def test_a_server_that_asks_for_an_hour_gets_an_error_at_once(connection):
    pauses: list[float] = []
    with FaultyServer([answer(503, headers={"Retry-After": "3600"})]) as server, pytest.raises(errors.ServerError):
        connection(server, sleep=pauses.append).request("GET", "/jobs")
    assert pauses == []


def test_a_refused_connection_is_a_sentence_with_the_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    pauses: list[float] = []
    with pytest.raises(errors.Unreachable, match=f"127.0.0.1:{port} cannot be reached: Connection refused"):
        Connection(f"http://127.0.0.1:{port}", sleep=pauses.append).request("POST", "/jobs", {}, repeatable=False)
    assert len(pauses) == 3, "nothing was sent, so even this may be tried again"


def test_silence_ends_with_the_timeout_and_is_not_repeated():
    with FaultyServer([silence(1.0)]) as server, pytest.raises(errors.Unreachable, match=r"no answer for 0\.2 seconds"):
        standard(server, timeout_seconds=0.2).request("GET", "/jobs")
    assert len(server.requests) == 1


def test_an_answer_that_is_not_json_names_the_address(connection):
    with (
        FaultyServer([answer(200, body=b"<html>Welcome to nginx</html>")]) as server,
        pytest.raises(errors.WrongService, match=f"GET {server.url}/jobs was answered with something"),
    ):
        connection(server).request("GET", "/jobs")


def test_an_error_page_that_is_not_json_is_still_the_error_of_its_status(connection):
    with FaultyServer([answer(403, body=b"<html>no</html>")]) as server, pytest.raises(errors.Forbidden):
        connection(server).request("GET", "/jobs")


def test_a_server_of_another_protocol_is_recognised(connection):
    with FaultyServer([not_http]) as server, pytest.raises(errors.WrongService, match="does not speak HTTP"):
        connection(server).request("GET", "/jobs")


def test_a_redirect_is_reported_and_the_credentials_stay_here(connection):
    with (
        FaultyServer([answer(301, headers={"Location": "https://elsewhere.example/jobs"})]) as server,
        pytest.raises(errors.RestError, match=r"redirected to https://elsewhere.example/jobs"),
    ):
        connection(server, auth=Token("secret")).request("GET", "/jobs")
    assert len(server.requests) == 1


def test_wrong_credentials_are_a_sentence_without_the_password(connection):
    with (
        FaultyServer([answer(401, {"title": "Unauthorized", "description": "wrong password"})]) as server,
        pytest.raises(errors.Unauthorized, match="does not accept the credentials") as caught,
    ):
        connection(server, auth=HttpBasic("anna", "s3cret")).request("GET", "/jobs")
    assert "s3cret" not in str(caught.value)
    assert server.requests[0].headers["authorization"] == "Basic YW5uYTpzM2NyZXQ="


def test_a_token_goes_into_its_header(connection):
    with FaultyServer([answer(200, {})]) as server:
        connection(server, auth=Token("t0ken")).request("GET", "/jobs")
    assert server.requests[0].headers["x-auth-token"] == "t0ken"


def test_a_search_travels_as_the_body_of_a_get(connection):
    with FaultyServer([answer(200, {"jobs": []})]) as server:
        connection(server).request("GET", "/jobs", {"match": [{"client_id": "db1"}]})
    assert json.loads(server.requests[0].body) == {"match": [{"client_id": "db1"}]}


def test_a_server_with_a_certificate_of_the_named_authority_is_trusted(connection, tmp_path):
    authority = Authority(tmp_path)
    with FaultyServer([answer(200, {"ok": True})], tls=authority.server_context("localhost")) as server:
        api = connection(server, tls=Tls(ca_file=str(authority.ca_file)))
        assert api.request("GET", "/jobs").document == {"ok": True}
        api.close()


def test_a_server_of_an_unknown_authority_is_refused_before_anything_is_sent(connection, tmp_path):
    with (
        FaultyServer([answer(200, {})], tls=Authority(tmp_path).server_context("localhost")) as server,
        pytest.raises(errors.Untrusted, match=r"is not trusted.*ca_file"),
    ):
        connection(server, auth=Token("secret")).request("GET", "/jobs")
    assert server.requests == []


def test_a_certificate_for_another_name_is_refused(connection, tmp_path):
    authority = Authority(tmp_path)
    with (
        FaultyServer([answer(200, {})], tls=authority.server_context("other.example")) as server,
        pytest.raises(errors.Untrusted, match="localhost"),
    ):
        connection(server, tls=Tls(ca_file=str(authority.ca_file))).request("GET", "/jobs")


def test_certificates_are_not_looked_at_when_told_so(connection, tmp_path):
    with FaultyServer([answer(200, {"ok": True})], tls=Authority(tmp_path).server_context("other.example")) as server:
        api = connection(server, tls=Tls(validate_certs=False))
        assert api.request("GET", "/jobs").document == {"ok": True}
        api.close()


def test_a_client_certificate_is_shown_to_a_server_that_wants_one(connection, tmp_path):
    authority = Authority(tmp_path)
    context = authority.server_context("localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.ca_file)
    certificate, key = authority.issue("scheduler")
    with FaultyServer([answer(200, {"ok": True})], tls=context) as server:
        tls = Tls(ca_file=str(authority.ca_file), client_cert=str(certificate), client_key=str(key))
        api = connection(server, tls=tls)
        assert api.request("GET", "/jobs").document == {"ok": True}
        api.close()


def test_https_to_a_server_without_tls_says_so():
    with (
        FaultyServer([drop], greeting=b"SSH-2.0-OpenSSH_9.2p1\r\n") as server,
        pytest.raises(errors.Untrusted, match="Is it http"),
    ):
        Connection(server.url.replace("http", "https"), timeout_seconds=5).request("GET", "/jobs")


def test_an_authority_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(errors.BadAddress, match=r"nowhere\.pem"):
        Connection("https://localhost:1", tls=Tls(ca_file=str(tmp_path / "nowhere.pem"))).request("GET", "/")


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9090",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://host/a b",
        "http://host/?x=1",
        "http://a..b",
    ],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(errors.BadAddress):
        Connection(url).request("GET", "/jobs")


def test_a_password_in_the_address_is_refused_and_not_repeated_in_the_message():
    with pytest.raises(errors.BadAddress) as caught:
        Connection("http://anna:s3cret@host")
    assert "s3cret" not in str(caught.value)


def test_an_auth_method_shows_no_secret_in_its_text_form():
    assert "s3cret" not in repr(HttpBasic("anna", "s3cret"))


def test_a_proxy_is_asked_in_place_of_the_server():
    with FaultyServer([answer(200, {"n": 1})]) as proxy:
        way = Transport(proxy=proxy.url.replace("http://", "http://anna:geheim@"))
        api = Service("Nova", "http://freezer.invalid:9090/v2", NoAuth(), way)
        assert api.request("GET", "/jobs").document == {"n": 1}
    (request,) = proxy.requests
    assert request.path == "http://freezer.invalid:9090/v2/jobs"
    assert request.headers["proxy-authorization"] == "Basic YW5uYTpnZWhlaW0="


def test_a_server_with_tls_is_reached_through_a_tunnel_of_the_proxy():
    with FaultyServer([answer(403, {})]) as proxy:
        api = Service("Nova", "https://freezer.invalid:9090", NoAuth(), Transport(proxy=proxy.url, retries=0))
        with pytest.raises(errors.Unreachable, match="Tunnel connection failed: 403"):
            api.request("GET", "/jobs")
    assert [(request.method, request.path) for request in proxy.requests] == [("CONNECT", "freezer.invalid:9090")]


@pytest.mark.parametrize("proxy", ["ftp://geheim", "http://", "http://a:geheim@:1", "http://x:port"])
def test_what_is_no_address_of_a_proxy_is_refused_without_its_password(proxy):
    with pytest.raises(errors.BadAddress, match=r"^proxy is no address such as ") as refused:
        Service("Nova", "http://127.0.0.1:9090", NoAuth(), Transport(proxy=proxy)).request("GET", "/jobs")
    assert "geheim" not in str(refused.value)


class _Renewed(AuthMethod):
    """A token that is another one after each renewal."""

    def __init__(self) -> None:
        self.number = 1

    def headers(self) -> dict[str, str]:
        return {"X-Auth-Token": f"t{self.number}"}

    def renew(self) -> bool:
        self.number += 1
        return True


def test_data_are_given_anew_each_time_that_they_are_sent(connection):
    given: list[int] = []

    def data():
        given.append(len(given))
        yield b"ab"
        yield b"cde"

    with FaultyServer([drop, answer(401), answer(201, {"ok": True})]) as server:
        api = connection(server, auth=_Renewed())
        assert api.request("PUT", "/o", data=data, headers={"Content-Length": "5"}).document == {"ok": True}
    assert [request.body for request in server.requests] == [b"abcde"] * 3
    assert [request.headers["x-auth-token"] for request in server.requests] == ["t1", "t1", "t2"]
    assert not any("transfer-encoding" in request.headers for request in server.requests)
    assert given == [0, 1, 2]


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc"), b"", memoryview(b"")])
def test_bytes_are_sent_as_they_are_with_their_length(connection, data):
    with FaultyServer([answer(201, {})]) as server:
        connection(server).request("PUT", "/o", data=data)
    assert server.requests[0].body == bytes(data)
    assert server.requests[0].headers["content-length"] == str(len(data))
    assert "transfer-encoding" not in server.requests[0].headers


def test_what_a_sink_has_taken_in_part_is_not_asked_for_again():
    taken: list[tuple[int, bytes]] = []
    with (
        FaultyServer([half_an_answer, answer(200, {})]) as server,
        pytest.raises(errors.Unreachable, match="it ended in the middle of the answer"),
    ):
        of_cloud(server, service="Glance").pour("/o", {}, lambda status, block: taken.append((status, block)))
    assert taken == [(200, b'{"jobs": [')]
    assert len(server.requests) == 1


def test_a_fault_of_who_takes_the_answer_is_told_as_it_is_and_the_rest_is_not_the_next_answer():
    def sink(_status: int, _block: bytes) -> None:
        raise RuntimeError("full")

    with FaultyServer([answer(200, {"n": 1}), answer(200, {"n": 2})]) as server:
        api = of_cloud(server)
        with pytest.raises(RuntimeError, match="full"):
            api.pour("/o", {}, sink)
        assert api.request("GET", "/o").document == {"n": 2}
    assert server.connections == 2


def test_silence_of_a_cloud_is_repeated():
    with FaultyServer([silence(0.3), answer(200, {"ok": True})]) as server:
        api = of_cloud(server, timeout_seconds=0.2, sleep=lambda seconds: None)
        assert api.request("GET", "/o").document == {"ok": True}
