# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say which API is meant and who asks."""

from __future__ import annotations

import json
import socket
from functools import partial

import bcrypt
import pytest
from support.ansible_command import run_ansible
from support.modules import run_module


@pytest.fixture
def guarded(start_freezer_api, tmp_path):
    """An API that wants a user and a password."""
    users = tmp_path / "htpasswd"
    users.write_text(f"anna:{bcrypt.hashpw(b's3cret-word', bcrypt.gensalt(4)).decode()}\n")
    return start_freezer_api("--htpasswd", str(users), auth_strategy="http_basic")


def test_user_and_password_open_an_api_with_http_basic(guarded):
    options = {"url": guarded.url, "auth_type": "http_basic", "username": "anna", "password": "s3cret-word"}
    result = run_module("client", {**options, "client_id": "db1"})
    assert result["changed"]
    assert result["client"]["user_id"] == "anna"
    assert "s3cret-word" not in str(result)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"auth_type": "http_basic", "username": "anna", "password": "wr0ng-word"},
        {"auth_type": "token", "token": "0123456789abcdef"},
    ],
)
def test_wrong_credentials_are_a_sentence(guarded, options):
    result = run_module("client_info", {"url": guarded.url, **options})
    assert result["failed"]
    assert result["status"] == 401
    assert "does not accept the credentials" in result["msg"]
    assert "Check the user, password, token or key." in result["msg"]
    assert "wr0ng-word" not in str(result)


def test_a_secret_inside_auth_is_blotted_out_of_all_that_is_shown(tmp_path):
    # The password is a part of what the module says, because the server's address has it too.
    auth = {"auth_url": "http://127.0.0.1:9/s3cret-word", "username": "anna", "password": "s3cret-word"}
    tasks = [
        {"freezer.backup.client_info": {"auth": auth, "retries": 0}, "register": "asked", "ignore_errors": True},
        {"ansible.builtin.debug": {"var": "asked"}},
    ]
    (tmp_path / "playbook.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    ran = run_ansible("ansible-playbook", str(tmp_path / "playbook.yml"))
    assert ran.returncode == 0
    assert "127.0.0.1:9/" in ran.stdout
    shown = [line for line in ran.stdout.splitlines() if "msg" in line]
    assert shown
    assert "s3cret-word" not in "".join(shown)


def test_the_environment_says_what_the_task_does_not(guarded, monkeypatch):
    monkeypatch.setenv("OS_BACKUP_URL", guarded.url)
    monkeypatch.setenv("OS_AUTH_TYPE", "http_basic")
    monkeypatch.setenv("OS_USERNAME", "anna")
    monkeypatch.setenv("OS_PASSWORD", "s3cret-word")
    monkeypatch.setenv("OS_PROJECT_ID", "from_the_environment")
    result = run_module("client", {"client_id": "db1"})
    assert result["client"]["project_id"] == "from_the_environment"
    assert "s3cret-word" not in str(result)


def test_the_address_may_come_from_keystoneauths_variable(freezer_api, monkeypatch):
    monkeypatch.delenv("OS_BACKUP_URL", raising=False)
    monkeypatch.setenv("OS_ENDPOINT", freezer_api.url)
    assert not run_module("client_info", {"client_id": "nobody"})["failed"]


def test_no_address_at_all_is_a_sentence(monkeypatch):
    monkeypatch.delenv("OS_BACKUP_URL", raising=False)
    monkeypatch.delenv("OS_ENDPOINT", raising=False)
    message = "Where is the Freezer API? Give url, or cloud or auth, so that Keystone's catalogue says it."
    assert run_module("client_info", {})["msg"] == message


def test_an_api_that_is_not_there_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    result = run_module("job", {"url": url, "job_id": "j", "state": "absent", "retries": 0})
    assert result["msg"] == f"The Freezer API at {url} cannot be reached: Connection refused."


def test_the_group_gives_all_modules_their_defaults(freezer_api, project_id, tmp_path):
    playbook = tmp_path / "group.yml"
    playbook.write_text(
        """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/freezer.backup.registry:
      url: "{{ freezer_url }}"
      project_id: "{{ project }}"
  tasks:
    - freezer.backup.client:
        client_id: db1
    - freezer.backup.job:
        job_id: nightly
        client_id: db1
        job_actions: []
    - freezer.backup.session:
        session_id: shop
        schedule: {}
        jobs: [nightly]
    - freezer.backup.action:
        action_id: etc
        freezer_action: {action: backup, path_to_backup: /etc}
    - freezer.backup.backup_record:
        metadata: {container: /b, hostname: db1, backup_name: etc, time_stamp: 1}
    - freezer.backup.job_event:
        job_id: nightly
        event: start
    - freezer.backup.job_status:
        job_id: nightly
        status: running
    - freezer.backup.session_action:
        session_id: shop
        action: start
        job_id: nightly
    - freezer.backup.client_info:
    - freezer.backup.job_info:
    - freezer.backup.session_info:
    - freezer.backup.action_info:
    - freezer.backup.backup_info:
      register: backups
    - ansible.builtin.assert:
        that: backups.backups | length == 1
"""
    )
    variables = {"freezer_url": freezer_api.url, "project": project_id}
    result = run_ansible("ansible-playbook", "--diff", str(playbook), **variables)
    assert "ok=14   changed=8 " in result.stdout, result.stdout + result.stderr
    assert '+    "client_id": "db1"' in result.stdout


def test_one_task_from_a_shell(freezer_api, project_id):
    arguments = f"url={freezer_api.url} project_id={project_id} client_id=db1"
    run = partial(run_ansible, "ansible", "localhost", "-m", "freezer.backup.client", "-a", arguments)
    assert "localhost | CHANGED" in run().stdout
    assert "localhost | SUCCESS" in run().stdout
