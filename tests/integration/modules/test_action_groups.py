# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Defaults of the action groups, as README.md has them, work with every module of a group."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from support.module_docs import documentation
from support.modules import run_module

ROOT = Path(__file__).resolve().parents[3]
GROUPS = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]
DOCUMENTED = {
    group: re.findall(r"`([a-z_]+)`", options)
    for group, options in re.findall(
        r"^\| `group/freezer\.backup\.(\w+)` \|[^|]+\|([^|]+)\|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
}


def test_every_group_is_documented():
    assert sorted(DOCUMENTED) == sorted(GROUPS)


@pytest.mark.parametrize(("group", "module"), [(group, module) for group in DOCUMENTED for module in GROUPS[group]])
def test_every_module_of_a_group_takes_what_they_have_in_common(group, module):
    options = documentation(module)["options"]
    assert set(DOCUMENTED[group]) <= set(options)


#: What openstack.cloud calls an option, and what it is called here.
NAMES = {
    "ca_cert": "ca_file",
    "cacert": "ca_file",
    "cert": "client_cert",
    "key": "client_key",
    "verify": "validate_certs",
    "endpoint_type": "interface",
    "api_timeout": "timeout_seconds",
}


@pytest.mark.parametrize("module", ["job_info", "server_snapshot"])
def test_options_may_be_called_as_in_openstack_cloud(module):
    options = documentation(module)["options"]
    assert {
        name: ours for ours, option in options.items() for name in option.get("aliases", ()) if name in NAMES
    } == NAMES


def test_an_alias_counts_as_the_option_itself():
    options = {"auth": {"auth_url": "https://127.0.0.1:9/v3", "username": "a", "password": "b"}, "verify": True}
    result = run_module("job_info", {**options, "ca_cert": "/nowhere.pem", "api_timeout": 1, "endpoint_type": "public"})
    assert result["failed"]
    assert "/nowhere.pem" in result["msg"]
