# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Wrong passwords do not lock out other users."""

from __future__ import annotations

import base64
import threading
import time

import bcrypt
import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access import http_basic
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.attempts import (
    BURST,
    SOURCE_BURST,
    Attempts,
    source_of,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.http_basic import HttpBasic
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.unix_socket import PEER_KEY, Peer
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import TooManyRequestsError, UnavailableError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore


class Clock:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


def fail(attempts, source, times, name="alice"):
    for _time in range(times):
        with attempts.one(source, name):
            pass


def succeed(attempts, source, name="alice"):
    with attempts.one(source, name) as was_right:
        was_right()


def test_a_source_of_wrong_passwords_for_a_user_is_told_when_to_come_again():
    clock = Clock()
    attempts = Attempts(clock=clock)
    fail(attempts, "192.0.2.1", BURST)
    with pytest.raises(
        TooManyRequestsError, match=r"for this user came from 192\.0\.2\.1; try again in 2 sec"
    ) as refused:
        fail(attempts, "192.0.2.1", 1)
    assert refused.value.headers == {"Retry-After": "2"}
    fail(attempts, "192.0.2.2", 1)
    fail(attempts, "192.0.2.1", 1, "bob")
    clock.seconds += 2
    fail(attempts, "192.0.2.1", 1)
    with pytest.raises(TooManyRequestsError):
        fail(attempts, "192.0.2.1", 1)


def test_a_source_that_tries_many_names_is_told_when_to_come_again():
    clock = Clock()
    attempts = Attempts(clock=clock)
    for number in range(SOURCE_BURST):
        fail(attempts, "192.0.2.1", 1, f"name{number}")
    with pytest.raises(TooManyRequestsError, match=r"passwords came from 192\.0\.2\.1; try again in 1 seconds"):
        fail(attempts, "192.0.2.1", 1, "another")
    fail(attempts, "192.0.2.2", 1, "another")
    clock.seconds += 0.5
    fail(attempts, "192.0.2.1", 1, "another")


def test_right_passwords_are_not_counted():
    attempts = Attempts(clock=Clock())
    for _time in range(5 * SOURCE_BURST):
        succeed(attempts, "192.0.2.1")


def test_guesses_for_other_names_do_not_lock_a_known_user_of_the_same_source_out():
    attempts = Attempts(clock=Clock())
    succeed(attempts, "192.0.2.1", "bob")
    for number in range(SOURCE_BURST):
        fail(attempts, "192.0.2.1", 1, f"name{number}")
    succeed(attempts, "192.0.2.1", "bob")
    # Whose last password was wrong is one of the others.
    fail(attempts, "192.0.2.1", 1, "bob")
    with pytest.raises(TooManyRequestsError):
        fail(attempts, "192.0.2.1", 1, "bob")


@pytest.mark.parametrize(
    ("address", "peer", "source"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("2001:db8::1", None, "2001:db8::/64"),
        ("2001:db8::ffff%eth0", None, "2001:db8::/64"),
        ("127.0.0.1", None, "this machine"),
        ("127.3.2.1", None, "this machine"),
        ("::1", None, "this machine"),
        ("::ffff:127.0.0.2", None, "this machine"),
        ("127.0.0.1", Peer(1000, frozenset()), "the user 1000 of this machine"),
        # A proxy at the Unix socket has said where it comes from.
        ("192.0.2.1", Peer(33, frozenset()), "192.0.2.1"),
    ],
)
def test_all_addresses_that_one_caller_can_choose_from_are_one_source(address, peer, source):
    assert source_of(address, peer) == source


def test_only_some_callers_wait_for_a_check_of_a_password_and_a_known_user_need_not():
    attempts = Attempts(at_once=1)
    succeed(attempts, "192.0.2.9", "bob")
    release, begun = threading.Event(), threading.Semaphore(0)

    def check(source):
        begun.release()
        with attempts.one(source, "alice"):
            release.wait(30)

    threads = [threading.Thread(target=check, args=(f"192.0.2.{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
        begun.acquire()
    while attempts._slots._callers._value:
        pass
    with pytest.raises(UnavailableError) as refused:
        fail(attempts, "192.0.2.9", 1)
    assert refused.value.headers == {"Retry-After": "1"}
    succeed(attempts, "192.0.2.9", "bob")
    release.set()
    for thread in threads:
        thread.join()
    fail(attempts, "192.0.2.9", 1)


def login(client, name, password, address="192.0.2.1", **environment):
    encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {encoded}"}
    return client.simulate_get("/v1/jobs", headers=headers, remote_addr=address, extras=environment).status_code


@pytest.fixture
def client(tmp_path):
    users = tmp_path / "htpasswd"
    cheap = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    users.write_text(f"alice:{cheap}\nbob:{cheap}\n")
    return falcon.testing.TestClient(create_app(SqliteStore(tmp_path / "api.db"), HttpBasic(users)))


def test_who_was_let_in_a_moment_ago_comes_in_whatever_others_try(client):
    assert login(client, "alice", "secret") == 200
    assert [login(client, "alice", "guess") for _time in range(2 * BURST)] == [401] * BURST + [429] * BURST
    assert login(client, "alice", "secret") == 200
    # From elsewhere a guess is still looked at.
    assert login(client, "alice", "guess", "192.0.2.2") == 401


def test_guesses_for_one_user_keep_no_other_user_of_the_same_machine_out(client):
    guesses = [login(client, "alice", "guess", f"127.0.0.{number}") for number in range(1, 2 * BURST)]
    assert guesses == [401] * BURST + [429] * (BURST - 1)
    assert login(client, "alice", "secret", "127.0.0.1") == 429
    assert login(client, "bob", "secret", "127.0.0.1") == 200


def test_guesses_of_a_user_at_the_unix_socket_keep_other_users_of_it_not_out(client):
    mallory, alice = ({PEER_KEY: Peer(number, frozenset())} for number in (1000, 1001))
    assert [login(client, "alice", "guess", "127.0.0.1", **mallory) for _time in range(BURST)] == [401] * BURST
    assert login(client, "alice", "secret", "127.0.0.1", **mallory) == 429
    assert login(client, "alice", "secret", "127.0.0.1", **alice) == 200


def test_a_password_that_is_used_is_not_checked_again_after_ten_minutes(client, monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(http_basic.time, "monotonic", lambda: now)
    assert login(client, "alice", "secret") == 200
    for _time in range(3):
        now += 500
        while login(client, "alice", "guess") != 429:
            pass
        # It would be a 429 as well if it were checked.
        assert login(client, "alice", "secret") == 200
