# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The role agent on this machine, as it is."""

from __future__ import annotations

import venv
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support.ansible_command import run_ansible

PLAYBOOK = """
- name: Prepare this host
  hosts: localhost
  gather_facts: false
  roles:
    - role: freezer.backup.agent
"""


@pytest.fixture
def playbook(tmp_path: Path) -> str:
    """A playbook with the role and nothing else."""
    path = tmp_path / "prepare.yml"
    path.write_text(PLAYBOOK)
    return str(path)


@pytest.mark.parametrize("mode", [[], ["--check"], ["--check", "--diff"]])
def test_a_host_that_has_everything_is_left_alone(playbook, mode):
    # What this machine has for sure, since the tests run: GNU tar, and Python with the libraries.
    ran = run_ansible(
        "ansible-playbook",
        playbook,
        *mode,
        agent_zstd="false",
        agent_clouds="true",
        agent_named_clouds="true",
        agent_encryption="true",
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " changed=0 " in ran.stdout
    assert " failed=0 " in ran.stdout


def test_an_unknown_value_is_refused_before_anything_is_done(playbook):
    ran = run_ansible("ansible-playbook", playbook, agent_zstd="perhaps")
    assert ran.returncode != 0
    assert "agent_zstd" in ran.stdout + ran.stderr


def test_a_python_that_cannot_have_the_libraries_is_named(playbook, tmp_path):
    venv.create(tmp_path / "bare", symlinks=True)
    python = tmp_path / "bare/bin/python"
    ran = run_ansible(
        "ansible-playbook",
        playbook,
        agent_zstd="false",
        agent_named_clouds="true",
        agent_encryption="true",
        ansible_python_interpreter=str(python),
    )
    assert ran.returncode != 0
    said = " ".join((ran.stdout + ran.stderr).split())
    assert (
        f"{python}, which runs the modules on this host, has no keystoneauth1 and no openstacksdk and no cryptography"
        in said
    )
    assert "No module named pip. Install it there, or set agent_clouds" in said
