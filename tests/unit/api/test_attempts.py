# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Wrong passwords keep nobody else from coming in."""

from __future__ import annotations

import base64
import threading

import bcrypt
import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.auth.attempts import BURST, Attempts
from ansible_collections.freezer.backup.roles.api.files.freezer_api.auth.http_basic import HttpBasic
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import TooManyRequestsError, UnavailableError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite import SqliteStore


class Clock:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


def fail(attempts, address, times):
    for _time in range(times):
        with attempts.one(address):
            pass


def test_a_source_of_wrong_passwords_is_told_when_to_come_again():
    clock = Clock()
    attempts = Attempts(clock=clock)
    fail(attempts, "192.0.2.1", BURST)
    with pytest.raises(TooManyRequestsError, match=r"from 192\.0\.2\.1; try again in 2 seconds") as refused:
        fail(attempts, "192.0.2.1", 1)
    assert refused.value.headers == {"Retry-After": "2"}
    fail(attempts, "192.0.2.2", 1)
    clock.seconds += 2
    fail(attempts, "192.0.2.1", 1)
    with pytest.raises(TooManyRequestsError):
        fail(attempts, "192.0.2.1", 1)


def test_right_passwords_are_not_counted():
    attempts = Attempts(clock=Clock())
    for _time in range(5 * BURST):
        with attempts.one("192.0.2.1") as was_right:
            was_right()


def test_all_addresses_that_a_host_has_of_ipv6_are_one_source():
    attempts = Attempts(clock=Clock())
    for number in range(BURST):
        fail(attempts, f"2001:db8::{number:x}", 1)
    with pytest.raises(TooManyRequestsError, match="2001:db8::/64"):
        fail(attempts, "2001:db8::ffff", 1)
    fail(attempts, "2001:db8:0:1::1", 1)


def test_only_some_callers_wait_for_a_check_of_a_password():
    attempts = Attempts(at_once=1)
    release, begun = threading.Event(), threading.Semaphore(0)

    def check(address):
        begun.release()
        with attempts.one(address):
            release.wait(30)

    threads = [threading.Thread(target=check, args=(f"192.0.2.{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
        begun.acquire()
    while attempts._callers._value:
        pass
    with pytest.raises(UnavailableError) as refused:
        fail(attempts, "192.0.2.9", 1)
    assert refused.value.headers == {"Retry-After": "1"}
    release.set()
    for thread in threads:
        thread.join()
    fail(attempts, "192.0.2.9", 1)


def login(client, name, password, address="192.0.2.1"):
    encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
    return client.simulate_get("/v1/jobs", headers={"Authorization": f"Basic {encoded}"}, remote_addr=address)


def test_who_was_let_in_a_moment_ago_comes_in_whatever_others_try(tmp_path):
    users = tmp_path / "htpasswd"
    users.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    client = falcon.testing.TestClient(create_app(SqliteStore(tmp_path / "api.db"), HttpBasic(users)))
    assert login(client, "alice", "secret").status_code == 200
    statuses = [login(client, name, "guess").status_code for name in ("alice", "mallory") * BURST]
    assert statuses == [401] * BURST + [429] * BURST
    assert login(client, "alice", "secret").status_code == 200
    # From elsewhere a guess is still looked at.
    assert login(client, "alice", "guess", "192.0.2.2").status_code == 401
