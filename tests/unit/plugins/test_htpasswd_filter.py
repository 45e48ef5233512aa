# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter htpasswd, and that freezer-api reads what it writes."""

from __future__ import annotations

import bcrypt
import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.filter import htpasswd as plugin
from ansible_collections.freezer.backup.roles.api.files.freezer_api.auth.http_basic import HttpBasic

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
    with pytest.raises(AnsibleFilterError, match="is no name of a user"):
        htpasswd("", {user: "secret"})


@pytest.mark.parametrize("password", ["", "x" * 73, "ä" * 37, "a\0b"])
def test_a_password_that_bcrypt_would_cut_or_refuse_is_refused_without_being_shown(password):
    with pytest.raises(AnsibleFilterError, match="The password of admin must have 1 to 72 bytes") as refused:
        htpasswd("", {"admin": password})
    assert not password or password not in str(refused.value)
