# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent to whatever route: the API answers in JSON, never with a 5xx, and goes on."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from urllib.parse import quote

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.domain.kinds.all import RULES
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import BadRequestError
from ansible_collections.freezer.backup.tests.support import api_process
from ansible_collections.freezer.backup.tests.support.guards import no_hang
from ansible_collections.freezer.backup.tests.support.soak import SOAK

_LONG = "x" * 5000
_DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000

#: Bodies that are no JSON object, or hardly one.
RAW = [
    b"{bad",
    b"{",
    b"[",
    b"[]",
    b"[{}]",
    b"null",
    b"true",
    b"0",
    b'""',
    b'"text"',
    b"NaN",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": -Infinity}',
    b'{"a": 1e400}',
    b'{"session_tag": 9223372036854775808}',
    b'{"session_tag": -99999999999999999999999999999999}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": 0.' + b"1" * 5000 + b"}",
    b"\x00",
    b'{"a": "\x00"}',
    b'{"a": "\\u0000"}',
    b'{"\\u0000": 1}',
    b'{"a": "\\ud800"}',
    b'{"\\ud800": "a"}',
    b'{"a": "\\ud83d\\ude00"}',
    b"\xff\xfe{\x00}\x00",
    b'{"a": "\xff"}',
    b"\xef\xbb\xbf{}",
    b"\xed\xa0\x80",
    b"{}{}",
    b"{} trailing",
    b'{"a": 1, "a": 2}',
    b"{'a': 1}",
    b'{"a": 01}',
    b'{"a": "unterminated',
    b"<xml/>",
    b"a=b&c=d",
    b"\r\n" * 100,
    _DEEP,
    b"[" * 100_000,
    b'{"match": ' + b"[" * 3000 + b"]" * 3000 + b"}",
]

#: Objects with wrong things in them, for the keys that the kinds know.
WRONG = [
    None,
    True,
    0,
    -1,
    1.5,
    2**63 - 1,
    "",
    "text",
    "a/b",
    "a b",
    "a\n",
    "\x00",
    _LONG,
    "\U0001f600",
    [],
    [[]],
    {},
    {"a": 1},
]
KEYS = [
    "job_id",
    "action_id",
    "session_id",
    "client_id",
    "backup_id",
    "job_actions",
    "job_schedule",
    "action_defaults",
    "freezer_action",
    "schedule",
    "jobs",
    "session_tag",
    "hold_off",
    "client",
    "uuid",
    "backup_name",
    "backup_metadata",
    "status",
    "time_stamp",
    "user_id",
    "_version",
    "description",
    "",
    "match",
    "match_not",
    "time_after",
    "start",
    "end",
]
#: Objects that are nearly right.
NEARLY = [
    {"job_actions": [None], "client_id": "a"},
    {"job_actions": [{}], "client_id": "a"},
    {"job_actions": [{"freezer_action": None}], "client_id": "a"},
    {"job_actions": [{"freezer_action": {}, "action_id": ""}], "client_id": "a"},
    {"job_actions": [{"freezer_action": {}, "action_id": "x"}] * 3, "client_id": "a"},
    {"job_actions": [{"freezer_action": {_LONG: _LONG}}] * 20, "client_id": "a"},
    {"job_actions": [], "client_id": "a", "action_defaults": {"freezer_action": []}},
    {"job_actions": [], "client_id": "a", "job_schedule": {"schedule_date": "9999-99-99T99:99:99"}},
    {"job_actions": [], "client_id": "a", "job_schedule": {"time_created": "x"}},
    {"job_actions": [], "client_id": "a", "session_id": "nowhere"},
    {"job_actions": [], "client_id": "a" * 300},
    {"job_actions": [], "client_id": "a." * 100},
    {"job_actions": [], "client_id": "-" * 200 + "_"},
    {"schedule": {}, "jobs": {"a": None}},
    {"schedule": {}, "jobs": {"a": {}}, "session_tag": 2**63 - 1},
    {"schedule": {}, "jobs": [1]},
    {"schedule": {}, "time_start": -(2**63)},
    {"client_id": "a", "client": {"client": {"client": {}}}},
    {"client_id": "a", "supported_modes": "fs"},
    {"backup_name": "n", "container": "c", "hostname": "h", "status": "odd"},
    {"backup_name": "n", "container": {}, "hostname": []},
    {"backup_name": "n", "container": "c", "hostname": "h", "time_stamp": 2**62, "backup_metadata": {"a": []}},
    {"match": [{"_all": "[{"}]},
    {"match": [{"_all": '[{"_all": "[{}]"}]'}]},
    {"match": [{"_all": '[{"a": 1}]'}]},
    {"match": [{"a.b.c.d.e.f.g": "x"}]},
    {"match": [{'a"b': 1}]},
    {"match": [{"a'; DROP TABLE document; --": 1}]},
    {"match": [{"client_id": "x' OR '1'='1"}], "match_not": [{"status": 5}]},
    {"match": [{"status": 2**63 - 1}, {"status": -1.5}, {"status": False}, {"status": None}]},
    {"match": [{"a": 1}] * 100},
    {"match": [{str(number): "x"} for number in range(100)], "match_not": [{"_all": "x"}]},
    {"match": [{"job_actions": "x"}, {"job_actions.freezer_action": "x"}, {"freezer_action.a": "x"}]},
    {"start": {"job_id": "a", "current_tag": 2**63 - 1}},
    {"start": {"job_id": "\x00", "current_tag": -1}},
    {"end": {"job_id": "a", "current_tag": -(2**63), "result": _LONG}},
]

BODIES = RAW + [json.dumps(body).encode() for body in NEARLY]


@pytest.fixture(scope="module")
def freezer_api(tmp_path_factory):
    """One store is enough: what is refused here does not get as far as a store."""
    process = api_process.start(tmp_path_factory.mktemp("freezer-api"))
    yield process
    process.stop()


def routes(base):
    """Every route of a version, with every method that reads a body."""
    for plural in ("jobs", "actions", "sessions", "clients", "backups"):
        yield "GET", f"{base}/{plural}"
        yield "POST", f"{base}/{plural}"
        yield "POST", f"{base}/{plural}/hostile"
        yield "PATCH", f"{base}/{plural}/hostile"
        yield "GET", f"{base}/{plural}/hostile"
        yield "DELETE", f"{base}/{plural}/missing"
    yield "POST", f"{base}/jobs/hostile/event"
    yield "POST", f"{base}/sessions/hostile/action"
    yield "PUT", f"{base}/sessions/hostile/jobs/hostile"
    yield "DELETE", f"{base}/sessions/hostile/jobs/hostile"


@pytest.fixture(scope="module")
def connection(freezer_api):
    opened = http.client.HTTPConnection(freezer_api.host, freezer_api.port, timeout=60)
    yield opened
    opened.close()


@pytest.fixture(params=["/v1", "/v2/hostile"], ids=["v1", "v2"], scope="module")
def base(request, connection):
    path = request.param
    for plural, body in (
        ("jobs", {"client_id": "a", "job_actions": [{"freezer_action": {"action": "info"}}]}),
        ("sessions", {"schedule": {}}),
        ("actions", {"freezer_action": {"action": "info"}}),
        ("clients", {"client_id": "hostile"}),
        ("backups", {"backup_name": "n", "container": "c", "hostname": "h"}),
    ):
        assert ask(connection, "POST", f"{path}/{plural}/hostile", json.dumps(body).encode())[0] == 201
    return path


def ask(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, {"X-Auth-Token": "hostile:hostile:member", **(headers or {})})
    response = connection.getresponse()
    return response.status, response.read()


def assert_sane(method, path, body, status, text):
    request = f"{method} {path} {body[:200]!r}: {status} {text[:300]!r}"
    assert status < 500, request
    if status >= 400:
        assert set(json.loads(text)) == {"title", "description"}, request
    elif status != 204:
        json.loads(text)


def in_turn(things, base, turn=0):
    """Every other one, the others for the other version: both read a body with the same code. In `make soak` all."""
    return things if SOAK else things[((base == "/v1") + turn) % 2 :: 2]


@pytest.mark.rounds
@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:40]))
def test_a_hostile_body_is_answered_on_every_route(connection, base, body):
    for method, path in in_turn(list(routes(base)), base, BODIES.index(body)):
        status, text = ask(connection, method, path, body)
        assert_sane(method, path, body, status, text)


@pytest.mark.rounds
@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_any_type_under_a_known_key_is_answered_on_every_route(connection, base, key):
    with_body = [(method, path) for method, path in routes(base) if method != "DELETE" and "hostile/jobs/" not in path]
    for value in in_turn(WRONG, base):
        body = json.dumps({key: value}).encode()
        for method, path in with_body:
            status, text = ask(connection, method, path, body)
            assert_sane(method, path, body, status, text)


@pytest.mark.parametrize(
    "document_id",
    [
        "a b",
        "a/b",
        "%00",
        "%",
        "..",
        ".",
        "a\n",
        "ü",
        "\U0001f600",
        "%ff",
        "'",
        '"',
        "a;b",
        "{x}",
        _LONG[:300],
        "x" * 256,
    ],
    ids=lambda value: repr(value[:10]),
)
def test_a_hostile_id_is_answered_on_every_route(connection, base, document_id):
    body = json.dumps(
        {"client_id": "a", "job_actions": [], "schedule": {}, "freezer_action": {"action": "info"}}
    ).encode()
    quoted = document_id if document_id in ("%00", "%", "%ff", "..", ".") else quote(document_id, safe="/")
    for plural in ("jobs", "actions", "sessions", "clients", "backups"):
        for method in ("GET", "POST", "PATCH", "DELETE"):
            path = f"{base}/{plural}/{quoted}"
            status, text = ask(connection, method, path, body)
            assert_sane(method, path, body, status, text)
    for path in (f"{base}/jobs/{quoted}/event", f"{base}/sessions/{quoted}/action"):
        status, text = ask(connection, "POST", path, b'{"start": {"job_id": "a", "current_tag": 0}}')
        assert_sane("POST", path, b"", status, text)
    for path in (f"{base}/sessions/hostile/jobs/{quoted}", f"{base}/sessions/{quoted}/jobs/hostile"):
        status, text = ask(connection, "PUT", path)
        assert_sane("PUT", path, b"", status, text)


@pytest.mark.parametrize(
    "query",
    [
        "search=",
        "search=%7B",
        "search=%00",
        "search=%ff",
        "search=[]",
        "search=null",
        "search=%7B%22match%22%3A5%7D",
        "search=a&search=b",
        "limit=",
        "limit=%00",
        "limit[]=1",
        "limit=99999999999999999999",
        "offset=2147483647",
        "offset=2147483648",
        "all_projects=%00",
        "all_projects=maybe",
        "all_projects",
        "&&&===",
        "%",
        "unknown=1",
        "search=" + quote('{"match":[{"_all":"' + "x" * 3000 + '"}]}'),
    ],
)
def test_a_hostile_query_string_is_answered(connection, base, query):
    for plural in ("jobs", "actions", "sessions", "clients", "backups"):
        status, text = ask(connection, "GET", f"{base}/{plural}?{query}")
        assert_sane("GET", query, b"", status, text)


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/html"},
        {"Accept": ";;;"},
        {"Accept": "\xff"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"If-Match": "\xff\xfe"},
        {"If-Match": ",,,"},
        {"If-Match": '"1-1'},
        {"X-Auth-Token": "\xff"},
        {"X-Auth-Token": ":::::"},
        {"X-Auth-Token": _LONG},
        {"X-HTTP-Method-Override": "DELETE"},
        {"Host": "evil.example"},
        {"X-Forwarded-For": "x" * 1000},
        {"Expect": "200-ok"},
    ],
    ids=str,
)
def test_a_hostile_header_is_answered(freezer_api, base, headers):
    opened = http.client.HTTPConnection(freezer_api.host, freezer_api.port, timeout=60)
    for method, path in (("GET", "/jobs"), ("POST", "/actions"), ("PATCH", "/jobs/hostile"), ("GET", "/jobs/hostile")):
        status, text = ask(opened, method, base + path, b"{}" if method != "GET" else None, headers)
        assert_sane(method, path, str(headers).encode(), status, text)
    opened.close()


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PUT", "BREW"])
@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v2", "/v1/jobs", "/v2/hostile/jobs/x", "/healthcheck", "/nowhere", "/v3"]
)
def test_other_methods_are_answered(freezer_api, method, path):
    opened = http.client.HTTPConnection(freezer_api.host, freezer_api.port, timeout=60)
    opened.request(method, path)
    response = opened.getresponse()
    response.read()
    assert response.status < 500
    opened.close()


def exchange(freezer_api, raw):
    """Send bytes as they are; return the first line of the answer."""
    with socket.create_connection((freezer_api.host, freezer_api.port), timeout=60) as opened:
        opened.sendall(raw)
        opened.shutdown(socket.SHUT_WR)
        return opened.makefile("rb").readline().decode()


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n{}",
        b"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        b"GET http://x y HTTP/1.1\r\n\r\n",
        b"GET /v1/jobs HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n\r\n\r\n",
    ],
)
def test_what_is_hardly_http_does_not_stop_the_server(freezer_api, raw):
    # 501 is the answer to a transfer encoding that is unknown here (RFC 9112, section 6.1).
    assert exchange(freezer_api, raw)[8:12] == " 501" or " 5" not in exchange(freezer_api, raw)[:12]
    assert freezer_api.get("/healthcheck").status == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 431),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n", 413),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else value,
)
def test_what_is_no_request_for_the_application_is_refused_in_a_line_of_text(freezer_api, raw, status):
    with socket.create_connection((freezer_api.host, freezer_api.port), timeout=60) as opened:
        opened.sendall(raw)
        received = b""
        # What the server has not read of the request makes a reset of the end of the connection, after the answer.
        with contextlib.suppress(ConnectionResetError):
            while piece := opened.recv(100_000):
                received += piece
    head, body = received.split(b"\r\n\r\n", 1)
    assert head[8:12] == b" %d" % status
    assert b"Content-Type: text/plain" in head
    assert b"Connection: close" in head
    assert b"Server: " not in head
    assert b"waitress" not in body
    assert b"Traceback" not in body


def test_a_body_far_over_the_limit_is_not_read_to_its_end(freezer_api):
    sent = 0
    with socket.create_connection((freezer_api.host, freezer_api.port), timeout=60) as opened:
        opened.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 1_000_000_000:
                sent += opened.send(b" " * 100_000)
    assert sent < 32 * 1_048_576
    assert freezer_api.get("/healthcheck").status == 200


def chunked(*chunks):
    head = b"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def test_a_chunked_body_is_read(freezer_api):
    body = b'{"freezer_action": {"action": "info"}}'
    assert " 201 " in exchange(freezer_api, chunked(body[:10], body[10:]))


def test_a_body_over_the_limit_is_refused_however_it_is_sent(freezer_api):
    large = b'{"freezer_action": {"a": "' + b"x" * 1_100_000 + b'"}}'
    reply = freezer_api.post("/v1/actions", large)
    assert reply.status == 413
    assert "1048576" in reply.json["description"]
    assert " 413 " in exchange(freezer_api, chunked(*[large[at : at + 60_000] for at in range(0, len(large), 60_000)]))


def test_a_document_does_not_grow_over_the_limit_by_changes(freezer_api, project_id):
    path = f"/v2/{project_id}/actions/growing"
    assert freezer_api.post(path, {"freezer_action": {"action": "info", "a": "x" * 600_000}}).status == 201
    reply = freezer_api.patch(path, {"freezer_action": {"b": "x" * 600_000}})
    assert reply.status == 413
    assert "b" not in freezer_api.get(path).json["freezer_action"]


def test_of_a_million_mistakes_in_one_body_some_are_looked_at():
    mistakes = {"client_id": "a", "job_actions": [1] * 3_000_000}
    # To look at all of them takes some minutes, in which no other client is served.
    with no_hang(30), pytest.raises(BadRequestError, match="is not of type 'object'"):
        RULES["jobs"].checked(mistakes)


def test_a_job_has_at_most_a_thousand_actions(freezer_api, project_id):
    actions = [{"freezer_action": {"action": "info"}}] * 1001
    path = f"/v2/{project_id}/jobs/j"
    reply = freezer_api.post(path, {"client_id": "a", "job_actions": actions})
    assert reply.status == 400
    assert "in job_actions" in reply.text
    assert freezer_api.post(path, {"client_id": "a", "job_actions": actions[:1000]}).status == 201
    assert len(freezer_api.get(f"/v2/{project_id}/actions?limit=1000").json["actions"]) == 1000
    assert freezer_api.delete(path).status == 204
    assert freezer_api.get(f"/v2/{project_id}/actions").json["actions"] == []
