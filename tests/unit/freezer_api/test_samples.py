# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The samples in docs/ say what the code does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.policies import list_rules
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.options import OPTIONS
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.settings import read_files

CHECKOUT = Path(__file__).resolve().parents[3]
DOCS = CHECKOUT / "docs"


@pytest.mark.parametrize("name", ["freezer-api.conf.sample", "freezer-api.policy.yaml.sample"])
def test_a_sample_is_what_the_generators_write_now(tmp_path, name):
    subprocess.run([CHECKOUT / "tools/samples", tmp_path], check=True, capture_output=True, timeout=120)
    assert (DOCS / name).read_text() == (tmp_path / name).read_text(), "run tools/samples"


def test_every_line_of_the_sample_can_be_used(tmp_path):
    sample = (DOCS / "freezer-api.conf.sample").read_text()
    options = re.compile(r"^#(\w+ = (?!<None>).*)$", re.MULTILINE)
    path = tmp_path / "freezer-api.conf"
    path.write_text(options.sub(r"\1", sample))
    configuration = read_files([str(path)])
    assert configuration.warnings == ()
    found = {section: dict(configuration.options[section]) for section in OPTIONS if section != "DEFAULT"}
    assert found["database"]["connection"] == "sqlite:////var/lib/freezer/api.db"
    assert configuration.options.allowed_networks == ["192.0.2.0/24", "2001:db8::/32"]


def test_every_option_says_what_it_is_for():
    for section, options in OPTIONS.items():
        for option in options:
            assert option.help, f"{option.name} in [{section}]"
            assert option.help.endswith("."), f"{option.name} in [{section}]"


def test_the_rules_of_the_policy_sample_are_the_rules():
    sample = (DOCS / "freezer-api.policy.yaml.sample").read_text()
    written = yaml.safe_load(re.sub(r'^#(".*)$', r"\1", sample, flags=re.MULTILINE))
    assert written == {rule.name: rule.check_str for rule in list_rules()}
