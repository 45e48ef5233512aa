# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Playbooks whose variables are empty, or which have no host to work on: statistics.yml and deploy.yml."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from support.ansible_command import run_ansible

ROLES = Path(__file__).resolve().parents[2] / "roles"


def test_statistics_with_empty_answers_ask_the_cloud_as_the_user_of_the_controller():
    names = [
        "freezer_cloud",
        "freezer_cloud_host",
        "freezer_cloud_concurrency",
        "freezer_hosts",
        "freezer_statistics_file",
        "freezer_statistics_diagnostics",
        "statistics_file",
        "statistics_diagnostics",
        "include_instances",
        "include_types",
        "exclude_types",
        "freezer_event_log",
        "freezer_api_only",
        "skip_actions",
    ]
    as_nobody = ("-b", "--become-user", "freezer_no_such_user")
    for empty in ("", None):
        extra = json.dumps(dict.fromkeys(names, empty))
        ran = run_ansible("ansible-playbook", *as_nobody, "-e", extra, "freezer.backup.statistics")
        # There is no cloud here: that the module says so means that it took its options, and ran.
        assert "OS_CLOUD" in ran.stdout
        assert "freezer_no_such_user" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("empty", [False, True], ids=["unset", "empty"])
def test_a_deployment_on_no_host_is_a_failure(empty):
    names = [f"freezer_{role}_{what}" for role in ("api", "scheduler") for what in ("hosts", "serial")]
    extra = json.dumps(dict.fromkeys(names, "") if empty else {})
    ran = run_ansible("ansible-playbook", "-e", extra, "freezer.backup.deploy")
    assert ran.returncode != 0
    assert "No host is meant: freezer_api:freezer_scheduler fits none of the inventory. Nothing was done." in ran.stdout


def test_schedulers_alone_can_be_deployed():
    words = (
        "-i",
        "db1,",
        "-c",
        "local",
        "-e",
        "freezer_api_hosts=!all freezer_scheduler_hosts=db1 ansible_become=false",
    )
    ran = run_ansible("ansible-playbook", *words, "freezer.backup.deploy")
    # The role was reached, and has no API.
    assert "No host is meant" not in ran.stdout
    assert "freezer_scheduler_api names no API" in ran.stdout


def test_a_deployment_takes_empty_variables_of_the_roles_for_none():
    """Not Ansible's own check of arguments, and no task, stumbles over one: the role asks for what has no default."""
    options = yaml.safe_load((ROLES / "scheduler/meta/argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    hosts = {"freezer_api_hosts": "!all", "freezer_scheduler_hosts": "db1", "ansible_become": False}
    extra = json.dumps({**dict.fromkeys(options, ""), **hosts})
    ran = run_ansible("ansible-playbook", "-i", "db1,", "-c", "local", "-e", extra, "freezer.backup.deploy")
    assert "freezer_scheduler_api names no API" in ran.stdout, ran.stdout
