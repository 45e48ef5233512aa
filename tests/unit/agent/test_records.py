# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the record of a backup says beside sizes and times: the command, links that lead nowhere, the snapshot."""

from __future__ import annotations

import io
import os
import shlex
import threading
from types import SimpleNamespace

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.equivalent_command import backup_command
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import results
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.record import Made
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.links import BrokenLinks
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.command_line import parse_command_line
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.settings import read_settings
from ansible_collections.freezer.backup.tests.support.sets import Set, tick
from ansible_collections.freezer.backup.tests.support.trees import write


def options_of(line):
    program, *words = shlex.split(line)
    assert program == "freezer-agent"
    settings = read_settings(parse_command_line(words), io.StringIO())
    assert settings.action == "backup"
    return parse_options(settings.options)


@pytest.mark.parametrize(
    "action",
    [
        {"path_to_backup": "/etc", "backup_name": "etc", "storage": "local", "container": "/srv/backups"},
        {"path_to_backup": "/a b'c", "exclude": ["*.lock", "-x", "$HOME"], "storage": "local", "container": "/-c"},
        {
            "max_level": 6,
            "always_level": 2,
            "restart_always_level": 7,
            "no_incremental": True,
            "max_segment_size": "1M",
        },
        {"snapshot": "lvm", "mode": "mysql", "mysql_conf": "/root/my.conf", "lvm_snapperm": "rw", "lvm_snapsize": "1G"},
        {"one_file_system": False, "dereference_symlink": "soft", "compression": "gzip", "compression_level": 9},
        {"nova_inst_id": "5", "storage": "swift", "container": "c", "engine_name": "nova", "osrc": "/root/openrc"},
        {"cindernative_vol_id": "5", "cloud_timeout_seconds": 1234567.5, "min_age": 90, "insecure": True},
        {"sync": True, "max_priority": True, "init": True, "hostname": "web", "cloud": "home", "timeout": 2.5},
    ],
    ids=str,
)
def test_the_command_of_a_record_asks_for_the_same_backup(action):
    options = parse_options(action)
    assert options_of(backup_command(options, options.storage, options.container)) == options


@pytest.mark.parametrize("url", ["http://me:secret@proxy:3128", "me:secret@proxy:3128"])
def test_the_command_of_a_record_has_no_password(url):
    line = backup_command(parse_options({"proxy": url}), None, None)
    assert "secret" not in line
    assert "proxy:3128" in line


def test_a_record_stays_short_enough_for_a_request(some):
    assert backup_command(parse_options({"exclude": ["x" * 100] * 1000}), None, None) is None
    for number in range(60):
        (some.source / f"more-{number}").symlink_to("gone")
    record = some.backup()["metadata"]
    assert (record["total_broken_links"], len(record["broken_links"])) == (64, 50)


@pytest.mark.parametrize(
    ("action", "mode", "engine"),
    [
        ({"path_to_backup": "/etc"}, "fs", "tar"),
        ({"path_to_backup": "/var/lib/mysql", "mode": "mysql"}, "mysql", "tar"),
        ({"nova_inst_id": "5"}, "nova", "nova"),
        ({"cinder_vol_id": "5", "mode": "mysql"}, "mysql", "cinder"),
        ({"cindernative_vol_id": "5"}, "cindernative", "cindernative"),
    ],
    ids=str,
)
def test_one_builder_makes_the_record_of_every_medium(action, mode, engine):
    manifest = SimpleNamespace(backup_id="b", hostname="web", backup_name="daily", timestamp=12, began=11, level=1)
    made = Made(
        manifest=manifest,
        outcome="success",
        storage="swift",
        container="c",
        cli=None,
        path="/etc",
        source_bytes=(1 << 20) + 1,
        consistency="app",
        stored_bytes=None,
        time_started=11.2,
        time_ended=13.7,
        hold={"held_seconds": 0.12345},
        parent_backup_id="a",
    )
    record = made.record(parse_options(action), {"resource_id": "5", "max_level": None})
    assert (record["mode"], record["engine_name"], record["backup_size_uncompressed"]) == (mode, engine, 2)
    assert (record["curr_backup_level"], record["parent_backup_id"], record["resource_id"]) == (1, "a", "5")
    assert not {"cli", "stored_bytes", "backup_size_compressed", "max_level"} & set(record), "keys without a value"
    result = made.result()
    assert (result["timestamp"], result["held_seconds"], result["duration_seconds"]) == (11, 0.123, 2.5)
    shared = ("outcome", "consistency", "held_seconds", "duration_seconds", "source_bytes", "backup_id")
    assert [record[key] for key in shared] == [result[key] for key in shared]


@pytest.fixture
def some(tmp_path):
    some = Set(tmp_path, max_level=2)
    write(some.source / "there", b"content")
    for name, target in {
        "whole": "there",
        "absolute": str(some.source / "there"),
        "nowhere": "gone",
        'a "quoted"\nname': "/no/such",
        "round": "round",
        "through": "there/below",
    }.items():
        (some.source / name).symlink_to(target)
    return some


def test_links_that_lead_nowhere_are_counted_and_named(some):
    tick()  # what is as old as the backup is in its increment too
    made = some.backup()
    assert made["metadata"]["total_broken_links"] == 4
    names = {os.path.basename(path) for path in made["metadata"]["broken_links"]}
    assert names == {"nowhere", 'a "quoted"\nname', "round", "through"}
    assert all(path.startswith(f"{some.source}/") for path in made["metadata"]["broken_links"])
    assert (made["problems"], made["outcome"]) == ([], "success")
    assert made["metadata"]["vol_snap_path"] == ""
    assert options_of(made["metadata"]["cli"]) == parse_options(some.options)
    (some.source / "new").symlink_to("gone")
    assert some.backup()["metadata"]["broken_links"] == [f"{some.source}/new"], "an increment has what is new in it"


def test_a_link_to_what_does_not_answer_does_not_hold_up_a_backup(tmp_path, monkeypatch):
    answered = threading.Event()
    real = os.stat

    def hanging(path, *arguments, **options):
        if str(path).endswith("silent"):
            answered.wait(30)
        return real(path, *arguments, **options)

    (tmp_path / "silent").symlink_to("gone")
    monkeypatch.setattr(os, "stat", hanging)
    with BrokenLinks(patience_seconds=0.05) as links:
        links.begin(str(tmp_path))
        links.see("./silent")
        names, count = links.found()
    answered.set()
    assert (names, count) == ([], None)
    assert "could not be counted" in results.Seen("", names, count).problems()[0]
