# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The commands of Freezer's README that write sample files of options, as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.settings import read_ini

COMMANDS = Path(sys.executable).parent


def run(command, folder):
    words = shlex.split(command)
    return subprocess.run(
        [COMMANDS / words[0], *words[1:]], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )


def test_the_options_of_the_agent_are_printed(tmp_path):
    shown = run("oslo-config-generator --namespace freezer --namespace oslo.log", tmp_path).stdout
    assert shown.startswith("[DEFAULT]")
    assert re.search(r"^#path_to_backup = ", shown, re.MULTILINE)
    # That it has a namespace of oslo.log too is that library's part.
    assert "#log_config_append" in shown


def test_a_sample_file_for_the_agent_can_be_used(tmp_path):
    (tmp_path / "etc").mkdir()
    run("oslo-config-generator --namespace freezer --output-file etc/agent.conf.sample", tmp_path)
    sample = tmp_path / "etc" / "agent.conf.sample"
    sample.write_text(re.sub(r"^#(container|backup_name) = .*$", r"\1 = x", sample.read_text(), flags=re.MULTILINE))
    assert read_ini(str(sample)) == {"container": "x", "backup_name": "x"}


@pytest.mark.parametrize(
    ("namespace", "option"),
    [("freezer-api", "auth_strategy"), ("freezer-scheduler", "client_id"), ("freezer-agent", "mode")],
)
def test_the_namespaces_of_upstream_are_known(tmp_path, namespace, option):
    assert re.search(
        rf"^#{option} = ", run(f"oslo-config-generator --namespace {namespace}", tmp_path).stdout, re.MULTILINE
    )
