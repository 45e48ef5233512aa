# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The Keystone that other tests build on: who is who there, and that the lab does nothing twice."""

from __future__ import annotations

import os
import subprocess
import urllib.error

import pytest

from ansible_collections.freezer.backup.tests.support import keystone_lab


def validated(keystone, token):
    answer, _headers = keystone.ask("GET", "/auth/tokens", None, keystone.token("admin"), {"X-Subject-Token": token})
    return answer["token"]


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("alpha-member", {"member", "reader"}),
        ("beta-reader", {"reader"}),
        ("alpha-service", {"service"}),
        ("beta-auditor", {"auditor"}),
        ("stranger", {"member", "reader"}),
    ],
)
def test_users_have_the_role_of_their_name_in_their_project(keystone, name, roles):
    token = validated(keystone, keystone.token(name))
    assert {role["name"] for role in token["roles"]} == roles
    assert token["project"]["id"] == keystone.user(name).project_id
    assert token["user"]["domain"]["id"] == keystone.user(name).domain_id


def test_an_administrator_of_a_project_is_one(keystone):
    assert "admin" in {role["name"] for role in validated(keystone, keystone.token("alpha-admin"))["roles"]}


def test_two_projects_of_one_name_are_two(keystone):
    assert keystone.user("stranger").project == keystone.user("alpha-member").project
    assert keystone.user("stranger").project_id != keystone.user("alpha-member").project_id


def test_an_application_credential_gives_a_token_of_its_user(keystone):
    token = validated(keystone, keystone.application_credential_token())
    assert token["user"]["name"] == "alpha-member"


def test_a_revoked_token_is_no_token_any_more(keystone):
    token = keystone.token("alpha-member")
    keystone.revoke(token)
    with pytest.raises(urllib.error.HTTPError) as caught:
        validated(keystone, token)
    assert caught.value.code == 404


def test_an_endpoint_is_in_the_catalogue_in_its_region(keystone):
    with keystone.in_region("http://127.0.0.1:1/") as region:
        catalogue = validated(keystone, keystone.token("alpha-member"))["catalog"]
        found = [
            endpoint["url"]
            for service in catalogue
            if service["type"] == "backup"
            for endpoint in service["endpoints"]
            if endpoint["region"] == region and endpoint["interface"] == "public"
        ]
        assert found == ["http://127.0.0.1:1/"]
    assert region not in str(validated(keystone, keystone.token("alpha-member"))["catalog"])


def test_regions_that_killed_tests_left_are_removed_by_the_next_one(keystone):
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = [f"region-{ended.pid}-0123abcd", "region-0123abcd"]
    for region in left:
        keystone.add_endpoint("http://127.0.0.1:1/", region)
    with keystone.in_region("http://127.0.0.1:1/"):
        regions = str(keystone.ask("GET", "/regions", None, keystone.token("admin"))[0])
    assert not any(region in regions for region in left)


def test_up_of_a_lab_that_is_up_changes_nothing(keystone):
    again = keystone_lab.start()
    # Somebody else may have started another piece in the meantime.
    assert keystone.environment.items() <= again.environment.items()


def test_a_wrong_word_is_told_how_the_lab_is_used():
    lab = os.path.join(os.path.dirname(keystone_lab.__file__), "../labs/openstack/lab")
    done = subprocess.run([lab, "up", "moon"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: lab up")
