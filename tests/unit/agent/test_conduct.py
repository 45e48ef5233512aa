# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How work is done: priority, written buffers, and what is asked of clouds and how."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent, conduct
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media.by_name import medium_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage import choose
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import process
from ansible_collections.freezer.backup.tests.support.agent_process import IMPORT_ROOT

_PROGRAM = """
import json, os, subprocess
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.conduct import raise_priority
warnings = raise_priority()
said = subprocess.run(["ionice", "-p", str(os.getpid())], capture_output=True, text=True).stdout.strip()
print(json.dumps([warnings, os.getpriority(os.PRIO_PROCESS, 0), said]))
"""


@pytest.fixture
def action(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("x")
    place = {"storage": "local", "container": str(tmp_path / "store"), "backup_name": "etc"}
    return {"path_to_backup": str(tmp_path / "source"), **place}


def test_the_highest_priority_is_taken_or_it_is_said_why_not():
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": IMPORT_ROOT}
    )  # fmt: skip
    warnings, niceness, disks = json.loads(ran.stdout)
    assert niceness == -20 or any("for processors stays as it is" in one for one in warnings)
    assert disks == "realtime: prio 0" or any("for disks stays as it is" in one for one in warnings)


def test_a_priority_that_cannot_be_had_is_a_warning_and_the_backup_is_made(action, monkeypatch):
    def refused(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refused)
    found = process.find
    monkeypatch.setattr(process, "find", lambda name: None if name == "ionice" else found(name))
    result = agent.backup({**action, "max_cpu_priority": True})
    assert result["outcome"] == "success"
    assert result["warnings"] == [
        "max_priority: the priority for processors stays as it is: Permission denied.",
        "max_priority: the priority for disks stays as it is: this host has no ionice.",
    ]


def test_buffers_are_written_out_before_a_backup_and_only_then(action, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "sync", lambda: calls.append("sync"))
    assert "warnings" not in agent.backup({**action, "sync": "true"})
    assert calls == ["sync"]
    agent.verify({**{key: action[key] for key in action if key != "path_to_backup"}, "sync": True})
    agent.backup({**action, "sync": False})
    agent.backup({**action, "sync": True}, dry_run=True)
    assert calls == ["sync"]


@pytest.mark.parametrize("key", ["nova_inst_id", "cinder_vol_id", "cindernative_vol_id"])
def test_buffers_are_not_written_out_for_a_server_or_a_volume_and_a_warning_says_so(key, monkeypatch):
    monkeypatch.setattr(os, "sync", lambda: pytest.fail("the file systems of this host are no part of the backup"))
    medium = medium_of(parse_options({key: "5", "storage": "swift", "container": "c"}))
    assert (medium.asks_cloud(), medium.lists_containers()) == (True, False)
    assert medium.sync() == [
        "sync writes out the file systems of this host; it does nothing for a server or a volume of a cloud."
    ]


def test_what_is_about_a_cloud_is_warned_of_where_none_is_asked(action):
    result = agent.backup({**action, "proxy": "http://p:1", "timeout": 5, "insecure": True})
    assert result["warnings"] == [
        f"{name} is about requests to a cloud, and none is asked here." for name in ("insecure", "proxy", "timeout")
    ]


def test_a_cloud_is_asked_as_the_action_says(monkeypatch):
    """What Connection does with it is tested with real servers."""
    options = parse_options(
        {"storage": "swift", "container": "c", "proxy": "http://p:1", "timeout": "5", "insecure": "yes"}
    )
    monkeypatch.setenv("OS_AUTH_URL", "https://keystone.invalid/v3")
    for name in ("OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"):
        monkeypatch.setenv(name, "x")
    cloud = choose.cloud_for(options.access("swift", "c"))
    transport = cloud._transport
    assert (transport.proxy, transport.timeout_seconds, transport.tls.validate_certs) == ("http://p:1", 5.0, False)
    assert "certificates of the cloud are not verified" in conduct._about_clouds(options, medium_of(options))[0]
