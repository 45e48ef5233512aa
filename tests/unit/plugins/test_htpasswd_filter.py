# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter htpasswd, and that freezer-api reads what it writes."""

from __future__ import annotations

import base64
import inspect

import bcrypt
import falcon.testing
import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.filter import htpasswd as plugin
from ansible_collections.freezer.backup.plugins.filter.account_faults import account_faults
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import COST
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.context import Context
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.http_basic import HttpBasic

ROUNDS = 4


def htpasswd(existing, users, rounds=ROUNDS):
    return plugin.htpasswd(existing, users, rounds)


def test_the_api_reads_the_file(tmp_path):
    path = tmp_path / "users"
    path.write_text(htpasswd("", {"zoe": "secret", "admin": "pässword"}))
    assert [line.partition(":")[0] for line in path.read_text().splitlines()] == ["admin", "zoe"]
    HttpBasic(path)


def test_a_hash_that_holds_is_kept_and_others_are_made_anew():
    before = htpasswd("", {"admin": "one", "guest": "two"})
    after = htpasswd(before, {"admin": "one", "guest": "three"})
    assert after.splitlines()[0] == before.splitlines()[0]
    assert after.splitlines()[1] != before.splitlines()[1]
    assert bcrypt.checkpw(b"three", after.splitlines()[1].partition(":")[2].encode())


def test_who_is_not_named_is_taken_out():
    assert htpasswd(htpasswd("", {"admin": "one", "guest": "two"}), {"guest": "two"}).startswith("guest:")


def test_a_hash_that_costs_too_little_is_made_anew():
    cheap = htpasswd("", {"admin": "one"})
    assert htpasswd(cheap, {"admin": "one"}, ROUNDS + 1).startswith("admin:$2b$05$")
    assert htpasswd(cheap, {"admin": "one"}, ROUNDS) == cheap


def test_a_hash_is_taken_as_it_is_even_where_there_is_no_bcrypt(monkeypatch):
    given = bcrypt.hashpw(b"one", bcrypt.gensalt(ROUNDS)).decode()
    monkeypatch.setattr(plugin, "bcrypt", None)
    assert htpasswd("", {"admin": given}) == f"admin:{given}\n"
    with pytest.raises(AnsibleFilterError, match="bcrypt"):
        htpasswd("", {"admin": "one"})


def test_a_line_that_only_looks_like_a_hash_is_replaced():
    broken = "admin:$2b$12$" + "." * 52 + "!\nguest:$2b$99$" + "a" * 53 + "\nnonsense\n"
    assert htpasswd(broken, {"admin": "one", "guest": "two"}).count("$2b$04$") == 2


@pytest.mark.parametrize("user", ["", "a:b", "a b", "a\nb", "x" * 256])
def test_a_name_that_the_api_would_refuse_is_refused(user):
    with pytest.raises(AnsibleFilterError, match="has no user name of letters"):
        htpasswd("", {user: "secret"})


@pytest.mark.parametrize("password", ["", "x" * 73, "ä" * 37, "a\0b"])
def test_a_password_that_bcrypt_would_cut_or_refuse_is_refused_without_being_shown(password):
    with pytest.raises(AnsibleFilterError, match="The account 'admin' needs a password of 1 to 72 bytes") as refused:
        htpasswd("", {"admin": password})
    assert not password or password not in str(refused.value)


NODE = {"password": "secret", "role": "node", "project_id": "web"}


@pytest.mark.parametrize(
    ("options", "line", "context"),
    [
        ("secret", "db1:{}", Context("db1", "default", frozenset(["admin"]))),
        (
            {"password": "secret", "role": "admin"},
            "db1:{}:admin:default",
            Context("db1", "default", frozenset(["admin"])),
        ),
        (
            {"password": "secret", "role": "member", "project_id": "web"},
            "db1:{}:member:web",
            Context("db1", "web", frozenset(["member"])),
        ),
        (NODE, "db1:{}:node:web:web_db1", Context("db1", "web", frozenset(["node"]), client_id="web_db1")),
        (
            {**NODE, "client_id": "db1.example.org"},
            "db1:{}:node:web:db1.example.org",
            Context("db1", "web", frozenset(["node"]), client_id="db1.example.org"),
        ),
    ],
    ids=["password", "admin", "member", "node", "client"],
)
def test_the_api_knows_the_accounts_of_an_inventory(tmp_path, options, line, context):
    written = htpasswd("", {"db1": options})
    assert written == line.format(written.split(":")[1].strip()) + "\n"
    assert htpasswd(written, {"db1": options}) == written
    (tmp_path / "accounts").write_text(written)
    token = base64.b64encode(b"db1:secret").decode()
    request = falcon.testing.create_req(headers={"Authorization": f"Basic {token}"})
    assert HttpBasic(tmp_path / "accounts").authenticate(request) == context


def test_a_hash_stays_while_the_role_of_an_account_changes():
    plain = htpasswd("", {"db1": "secret"})
    bound = htpasswd(plain, {"db1": NODE})
    assert bound == f"{plain.strip()}:node:web:web_db1\n"
    assert htpasswd(bound, {"db1": "secret"}) == plain


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"password": "secret"}, "has the role ''; the roles are admin, member, reader, node"),
        ({"password": "secret", "role": "member"}, "has the project ''"),
        ({**NODE, "client": "db1"}, "has 'client', which no account has; it has password, role, project_id, client_id"),
        ({**NODE, "client_id": "db 1"}, "has the client 'db 1'"),
        ({**NODE, "role": "reader", "client_id": "db1"}, "which only a node has"),
        ({**NODE, "password": None}, "needs a password"),
        ({"role": "admin"}, "needs a password"),
    ],
)
def test_what_is_wrong_with_an_account_is_told_without_its_password(options, says):
    (fault,) = account_faults({"fine": NODE, "db1": options})
    assert fault.startswith("The account 'db1' ")
    assert says in fault
    assert "secret" not in fault
    with pytest.raises(AnsibleFilterError, match="The account 'db1'"):
        htpasswd("", {"db1": options})


def test_the_roles_hashes_have_the_cost_that_freezer_manage_gives_them():
    assert inspect.signature(plugin.htpasswd).parameters["rounds"].default == COST == 12
