# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way in which a task can say who asks, with a real Keystone before a real API."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from support import api_process
from support.ansible_command import run_ansible
from support.keystone_api import write_config
from support.modules import MASKS, run_module


@pytest.fixture(scope="module")
def api(keystone, tmp_path_factory):
    """An API that asks the lab's Keystone who somebody is, in the catalogue in a region of its own."""
    folder = tmp_path_factory.mktemp("keystone-auth")
    process = api_process.start(folder, "--config-file", str(write_config(folder, keystone)), auth_strategy="keystone")
    with keystone.in_region(process.url) as process.region:
        yield process
    process.stop()


@pytest.fixture
def auth(keystone) -> dict[str, Any]:
    user = keystone.user("alpha-member")
    return {
        "auth_url": keystone.auth_url,
        "username": user.name,
        "password": user.password,
        "project_name": user.project,
    }


def credential(keystone) -> dict[str, Any]:
    known = keystone.application_credential
    return {
        "auth_url": keystone.auth_url,
        "application_credential_id": known["id"],
        "application_credential_secret": known["secret"],
    }


def made(keystone, **options: Any) -> dict[str, Any]:
    """Register a client, look at it, remove it; returns it."""
    name = f"n{uuid.uuid4().hex[:12]}"
    result = run_module("client", {**options, "client_id": name})
    assert not result["failed"], result["msg"]
    assert result["client"]["user_id"] == keystone.user("alpha-member").id
    assert result["client"]["project_id"] == keystone.user("alpha-member").project_id
    assert keystone.password not in json.dumps(result)
    (found,) = run_module("client_info", {**options, "client_id": name})["clients"]
    assert found == result["client"]
    assert run_module("client", {**options, "client_id": name, "state": "absent"})["changed"]
    return result


def test_a_password_and_the_catalogue_are_enough(keystone, api, auth):
    result = made(keystone, auth=auth, region_name=api.region)
    shown = result["invocation"]["module_args"]["auth"]
    assert shown.pop("password") in MASKS
    assert auth == {**shown, "password": auth["password"]}


def test_an_application_credential_and_the_catalogue_are_enough(keystone, api):
    made(keystone, auth=credential(keystone), region_name=api.region)
    made(keystone, auth_type="v3applicationcredential", auth=credential(keystone), url=api.url)


def test_an_address_goes_before_the_catalogue(keystone, api, auth):
    made(keystone, auth=auth, url=api.url, region_name="nowhere")


def test_user_and_password_may_stand_beside_auth(keystone, api, auth):
    password, username = auth.pop("password"), auth.pop("username")
    made(keystone, auth=auth, username=username, password=password, region_name=api.region)


def test_an_existing_token_is_used(keystone, api):
    project_id = keystone.user("alpha-member").project_id
    made(keystone, auth_type="token", token=keystone.token("alpha-member"), url=api.url, project_id=project_id)


def test_version_1_needs_no_project_in_its_addresses(keystone, api, auth):
    made(keystone, auth=auth, url=api.url, api_version=1)


def test_a_plugin_of_keystoneauths_is_taken(keystone, api, auth):
    auth.update(auth_methods=["v3password"], user_domain_id="default", project_domain_id="default")
    made(keystone, auth_type="v3multifactor", auth=auth, region_name=api.region)


def test_a_cloud_may_be_given_as_it_stands_in_a_clouds_yaml(keystone, api, auth):
    cloud = {"auth": auth, "region_name": api.region, "interface": "internal"}
    result = made(keystone, cloud=cloud)
    assert result["invocation"]["module_args"]["cloud"]["auth"]["password"] in MASKS


@pytest.fixture
def clouds_yaml(tmp_path, api, keystone):
    # JSON is YAML.
    clouds = {
        "alpha": {"auth": credential(keystone), "auth_type": "v3applicationcredential", "region_name": api.region},
        "elsewhere": {"auth": credential(keystone), "auth_type": "v3applicationcredential", "region_name": "nowhere"},
    }
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": clouds}))
    return path


def test_a_cloud_may_be_named(keystone, clouds_yaml, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml))
    made(keystone, cloud="alpha")
    monkeypatch.setenv("OS_CLOUD", "alpha")
    made(keystone)


def test_options_go_before_a_named_cloud(keystone, api, clouds_yaml, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml))
    message = run_module("client_info", {"cloud": "elsewhere"})["msg"]
    assert "no endpoint of the service type backup with interface public in region nowhere" in message
    made(keystone, cloud="elsewhere", region_name=api.region)


def test_an_openrc_is_enough(keystone, api, monkeypatch):
    for name, value in keystone.user("alpha-member").environment(keystone.auth_url, api.region).items():
        monkeypatch.setenv(name, value)
    made(keystone)


def test_another_project_of_the_task_is_asked_for(keystone, api, monkeypatch, auth):
    for name, value in keystone.user("alpha-member").environment(keystone.auth_url, api.region).items():
        monkeypatch.setenv(name, value)
    message = run_module("client_info", {"project_id": keystone.projects["beta"]})["msg"]
    assert message.startswith("Keystone does not accept the credentials"), "alpha-member is nobody in beta"


def test_a_wrong_password_is_a_sentence_without_it(api, auth):
    result = run_module("client_info", {"auth": {**auth, "password": "wr0ng-word"}, "url": api.url})
    assert result["failed"]
    assert result["status"] == 401
    assert result["msg"].startswith("Keystone does not accept the credentials for POST ")
    assert "wr0ng-word" not in json.dumps(result)


def test_a_playbook_says_the_cloud_once_for_all_modules(keystone, api, clouds_yaml, tmp_path, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml))
    playbook = tmp_path / "cloud.yml"
    playbook.write_text(
        """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/freezer.backup.registry:
      cloud: alpha
  tasks:
    - freezer.backup.client:
        client_id: "{{ client }}"
    - freezer.backup.job_set:
        client_id: ["{{ client }}"]
        prune: true
        jobs:
          - {job_id: "{{ client }}", client_id: "{{ client }}", job_actions: []}
    - freezer.backup.job_info:
        client_id: "{{ client }}"
        query: "[].job_id"
      register: found
    - ansible.builtin.assert:
        that: found.query_result == [client]
    - freezer.backup.job_set:
        client_id: ["{{ client }}"]
        prune: true
        jobs: []
    - freezer.backup.client:
        client_id: "{{ client }}"
        state: absent
"""
    )
    result = run_ansible("ansible-playbook", "-vvv", str(playbook), client=f"n{uuid.uuid4().hex[:12]}")
    assert "ok=6    changed=4 " in result.stdout, result.stdout + result.stderr
    assert keystone.password not in result.stdout + result.stderr
