# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The sender of a request behind proxies, and proxies that are not trusted."""

from __future__ import annotations

import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.networks import Networks
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.conversation import Surroundings
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.proxies import see_through
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support.guards import no_hang

TRUSTED = Networks(["127.0.0.0/8", "10.0.0.0/8", "::1"])


def seen(peer="127.0.0.1", trusted=TRUSTED, **headers):
    environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "inside:9090", "wsgi.url_scheme": "http", "SCRIPT_NAME": ""}
    environ.update({f"HTTP_{name.upper()}": value for name, value in headers.items()})
    see_through(environ, trusted)
    return environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], environ["HTTP_HOST"], environ["SCRIPT_NAME"]


UNCHANGED = ("127.0.0.1", "http", "inside:9090", "")


def test_headers_of_an_untrusted_proxy_are_ignored():
    lies = {
        "x_forwarded_for": "192.0.2.1",
        "x_forwarded_proto": "https",
        "x_forwarded_host": "evil.example.org",
        "x_forwarded_prefix": "/evil",
        "forwarded": "for=192.0.2.1;proto=https;host=evil.example.org",
    }
    assert seen("203.0.113.9", **lies) == ("203.0.113.9", "http", "inside:9090", "")
    assert seen("127.0.0.1", Networks([]), **lies) == UNCHANGED
    assert seen("", **lies)[0] == ""


@pytest.mark.parametrize(
    ("chain", "sender"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        # What the client itself has written comes first and does not count.
        ("10.0.0.1, 192.0.2.66, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.7", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.7, 10.0.0.8", "192.0.2.1"),
        ("10.0.0.6, 10.0.0.7", "10.0.0.6"),
        ("192.0.2.1, nonsense, 10.0.0.7", "10.0.0.7"),
        ("unknown", "127.0.0.1"),
        ("", "127.0.0.1"),
        (",,", "127.0.0.1"),
        ("192.0.2.1\r\nX: y", "127.0.0.1"),
    ],
)
def test_the_nearest_address_that_is_no_trusted_proxy_is_the_senders(chain, sender):
    assert seen(x_forwarded_for=chain)[0] == sender


def test_scheme_host_and_prefix_are_what_the_client_has_asked():
    assert seen(x_forwarded_proto="https", x_forwarded_host="api.example.org", x_forwarded_prefix="/backup/") == (
        "127.0.0.1",
        "https",
        "api.example.org",
        "/backup",
    )
    assert seen(x_forwarded_host="[2001:db8::1]:443")[2] == "[2001:db8::1]:443"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_proto": "javascript"},
        {"x_forwarded_host": "evil.example.org/<script>"},
        {"x_forwarded_host": "a b"},
        {"x_forwarded_prefix": "//evil.example.org"},
        {"x_forwarded_prefix": "/a?b"},
        {"forwarded": "nonsense"},
        {"forwarded": ";;;,,,==="},
        {"forwarded": 'for="unfinished'},
    ],
)
def test_what_makes_no_sense_changes_nothing(headers):
    assert seen(**headers) == UNCHANGED


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("for=192.0.2.1", ("192.0.2.1", "http", "inside:9090")),
        ('For="[2001:db8::1]:4711";Proto=HTTPS', ("2001:db8::1", "http", "inside:9090")),
        ("for=192.0.2.1;proto=https;host=api.example.org", ("192.0.2.1", "https", "api.example.org")),
        (
            "for=192.0.2.66;host=evil.example.org, for=192.0.2.1;proto=https;host=api.example.org, for=10.0.0.1",
            ("192.0.2.1", "https", "api.example.org"),
        ),
        ('for="_hidden, too";proto=https', ("127.0.0.1", "https", "inside:9090")),
        ("for=unknown", ("127.0.0.1", "http", "inside:9090")),
    ],
)
def test_the_header_of_rfc_7239_is_understood(header, expected):
    assert seen(forwarded=header)[:3] == expected
    # It goes before the older ones.
    assert seen(forwarded=header, x_forwarded_for="198.51.100.1")[0] == expected[0]


@pytest.fixture
def client(tmp_path):
    """An API for 192.0.2.0/24 only, behind proxies of 127.0.0.0/8."""
    surroundings = Surroundings(Networks(["192.0.2.0/24"]), Networks(["127.0.0.0/8"]))
    return falcon.testing.TestClient(create_app(SqliteStore(tmp_path / "api.db"), NoAuth(), surroundings=surroundings))


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/jobs", "/v2/p/jobs", "/metrics", "/nothing"])
def test_who_is_not_in_an_allowed_network_gets_nowhere(client, path):
    for remote in ("203.0.113.9", "127.0.0.1", "::1"):
        reply = client.simulate_get(path, remote_addr=remote)
        assert reply.status_code == 403
        assert reply.json == {
            "title": "Access Forbidden",
            "description": f"Requests from {remote} are not allowed here",
        }
    assert client.simulate_get(path, remote_addr="192.0.2.9").status_code != 403
    through = {"X-Forwarded-For": "192.0.2.9"}
    assert client.simulate_get(path, remote_addr="127.0.0.1", headers=through).status_code != 403
    assert client.simulate_get(path, remote_addr="203.0.113.9", headers=through).status_code == 403
    beyond = {"X-Forwarded-For": "203.0.113.9"}
    assert client.simulate_get(path, remote_addr="127.0.0.1", headers=beyond).status_code == 403


def test_health_can_be_asked_from_everywhere(client):
    assert client.simulate_get("/healthcheck", remote_addr="203.0.113.9").text == "OK"


def test_links_lead_back_through_the_proxy(client):
    through = {
        "X-Forwarded-For": "192.0.2.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "api.example.org",
        "X-Forwarded-Prefix": "/backup",
    }
    reply = client.simulate_get("/", remote_addr="127.0.0.1", headers=through)
    assert reply.json["versions"][0]["links"] == [{"href": "https://api.example.org/backup/v2/", "rel": "self"}]
    action = {"action_id": "a", "freezer_action": {"action": "info"}}
    reply = client.simulate_post("/v2/p/actions", remote_addr="127.0.0.1", headers=through, json=action)
    assert reply.headers["Location"] == "/backup/v2/p/actions/a"


@pytest.mark.parametrize(
    "header", ["a" * 300_000, " " * 300_000 + "x", '"' * 299_999, "for=" + " " * 300_000, "a=b;" * 80_000]
)
def test_the_time_that_a_header_takes_grows_with_its_length_and_not_faster(header):
    # What grows with the square of it takes an hour here, and took 25 seconds with the longest header that is let in.
    with no_hang(30):
        assert seen(forwarded=header)[0] == "127.0.0.1"


def test_separators_in_quotes_do_not_count():
    assert seen(forwarded='for="192.0.2.7";by="a;b,c";proto=https')[:2] == ("192.0.2.7", "https")
