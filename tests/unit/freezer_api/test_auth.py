# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who may come in: the strategies, and what the ones who are in may do."""

from __future__ import annotations

import base64
import os
import threading

import bcrypt
import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access import context
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.context import Context
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.http_basic import HttpBasic
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import ADMINISTRATOR, NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.strategy import AuthError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import (
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Owner, Scope


def request(**headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return falcon.testing.create_req(headers=names)


def basic(user, password):
    token = base64.b64encode(user.encode() + b":" + (password if isinstance(password, bytes) else password.encode()))
    return request(Authorization=f"Basic {token.decode()}")


def hashed(password, prefix="2b"):
    value = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    return value.replace("$2b$", f"${prefix}$", 1)


@pytest.fixture
def password_file(tmp_path):
    """A file of users that the tests write: ``password_file(alice="secret")``."""
    path = tmp_path / "htpasswd"

    def write(**users):
        path.write_text("# users\n\n" + "".join(f"{user}:{hashed(password)}\n" for user, password in users.items()))
        return path

    return write


def test_without_a_token_noauth_takes_the_request_for_the_administrators():
    assert NoAuth().authenticate(request()) == ADMINISTRATOR
    assert ADMINISTRATOR.roles == {"admin"}


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("alice:web:member", Context("alice", "web", frozenset(["member"]))),
        ("alice:web:Reader|admin", Context("alice", "web", frozenset(["reader", "admin"]))),
        ("alice:web", Context("alice", "web", frozenset(["member"]))),
        ("alice", Context("alice", "alice", frozenset(["member"]))),
    ],
)
def test_a_noauth_token_says_who_sends_the_request(token, expected):
    assert NoAuth().authenticate(request(X_Auth_Token=token)) == expected


@pytest.mark.parametrize("token", ["", ":web", "a b:web", "alice:w/b", "x" * 300])
def test_a_noauth_token_without_a_user_is_refused(token):
    with pytest.raises(UnauthorizedError):
        NoAuth().authenticate(request(X_Auth_Token=token))


def test_a_user_of_the_password_file_administers_every_project(password_file):
    strategy = HttpBasic(password_file(alice="secret"))
    for _turn in range(2):
        assert strategy.authenticate(basic("alice", "secret")) == Context("alice", "default", frozenset(["admin"]))


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
def test_every_form_of_bcrypt_is_known(tmp_path, prefix):
    path = tmp_path / "htpasswd"
    path.write_text(f"alice:{hashed('pässword', prefix)}\n")
    assert HttpBasic(path).authenticate(basic("alice", "pässword")).user_id == "alice"


@pytest.mark.parametrize(
    "asked",
    [
        request(),
        basic("alice", "wrong"),
        basic("alice", ""),
        basic("alice", b"sec\0ret"),
        basic("alice", b"\xff\xfe"),
        basic("bob", "secret"),
        basic("", "secret"),
        request(Authorization="Basic"),
        request(Authorization="Basic !!!"),
        request(Authorization="Basic YWxpY2U="),
        request(Authorization="Basic /////w=="),
        request(Authorization="Bearer secret"),
    ],
)
def test_other_callers_are_asked_for_a_password(password_file, asked):
    strategy = HttpBasic(password_file(alice="secret"))
    with pytest.raises(UnauthorizedError) as caught:
        strategy.authenticate(asked)
    assert caught.value.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_password_is_compared_to_the_length_that_bcrypt_reads(password_file):
    strategy = HttpBasic(password_file(alice="x" * 80))
    assert strategy.authenticate(basic("alice", "x" * 80)).user_id == "alice"
    with pytest.raises(UnauthorizedError):
        strategy.authenticate(basic("alice", "x" * 71))


def test_a_changed_file_counts_at_once_also_for_who_was_in(password_file):
    path = password_file(alice="secret")
    strategy = HttpBasic(path)
    strategy.authenticate(basic("alice", "secret"))
    password_file(alice="changed", bob="new")
    with pytest.raises(UnauthorizedError):
        strategy.authenticate(basic("alice", "secret"))
    assert strategy.authenticate(basic("alice", "changed")).user_id == "alice"
    assert strategy.authenticate(basic("bob", "new")).user_id == "bob"


def test_no_caller_is_authenticated_while_the_file_cannot_be_read(password_file):
    path = password_file(alice="secret")
    strategy = HttpBasic(path)
    strategy.authenticate(basic("alice", "secret"))
    os.unlink(path)
    with pytest.raises(UnavailableError, match="No caller can be authenticated"):
        strategy.authenticate(basic("alice", "secret"))
    password_file(alice="secret")
    assert strategy.authenticate(basic("alice", "secret")).user_id == "alice"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no user"),
        ("# nobody\n", "no user"),
        ("alice:secret\n", "line 1 .* no bcrypt hash"),
        ("alice:$apr1$x$y\n", "htpasswd -B"),
        (f"bob:{hashed('b')}\n:{hashed('a')}\n", "line 2 .* no user name"),
        ("alice:$2b$99$" + "a" * 53, "line 1"),
    ],
    ids=["empty", "comment", "plain", "apr1", "nameless", "rounds"],
)
def test_a_file_that_cannot_be_used_is_told_with_its_line(tmp_path, content, says):
    path = tmp_path / "htpasswd"
    path.write_text(content)
    with pytest.raises(AuthError, match=says):
        HttpBasic(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(AuthError, match="No such file"):
        HttpBasic(tmp_path / "missing")


def test_no_password_is_kept_in_memory(password_file):
    strategy = HttpBasic(password_file(alice="very-secret-password"))
    strategy.authenticate(basic("alice", "very-secret-password"))
    assert b"very-secret-password" not in repr(vars(strategy)).encode()


def test_many_threads_can_authenticate_at_once(password_file):
    strategy = HttpBasic(password_file(alice="secret"))
    # A password is checked for a few callers at a time and remembered then: those of test_attempts.py are told to come again.
    strategy.authenticate(basic("alice", "secret"))
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(strategy.authenticate(basic("alice", "secret")).user_id))
        for _turn in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["alice"] * 16


MEMBER = Context("alice", "web", frozenset(["member"]))
ADMIN = Context("root", "ops", frozenset(["admin"]))


def test_v1_is_about_the_documents_that_the_user_has_in_the_project_of_the_request():
    found = context.access(MEMBER, None)
    assert found.scope == Scope(project_id="web", user_id="alice", home_project_id="web")
    assert found.owner == Owner("alice", "web")


def test_v1_is_about_all_documents_of_a_user_who_may_act_in_every_project():
    found = context.access(ADMIN, None, in_all_projects=True)
    assert found.scope == Scope(user_id="root", home_project_id="ops")
    assert found.owner == Owner("root", "ops")


def test_v2_is_about_the_documents_of_the_project():
    found = context.access(MEMBER, "web")
    assert found.scope == Scope(project_id="web")
    assert found.owner == Owner("alice", "web")


def test_a_project_without_a_name_does_not_exist():
    with pytest.raises(NotFoundError):
        context.access(ADMIN, "a b")
