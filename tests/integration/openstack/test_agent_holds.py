# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A database held while a cloud takes its snapshot: MariaDB of tests/labs/databases, Nova of tests/labs/openstack."""

from __future__ import annotations

import os
import secrets
import subprocess
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.base import QuiesceError
from ansible_collections.freezer.backup.tests.support import labs


@pytest.fixture(scope="module")
def database():
    try:
        return labs.start("databases")
    except labs.LabUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture
def mysql(database, monkeypatch, tmp_path):
    """The keys of an action that hold the database."""
    monkeypatch.setenv("PATH", f"{database['FREEZER_TEST_DATABASES_BIN']}{os.pathsep}{os.environ['PATH']}")
    conf = tmp_path / "mysql.conf"
    password = database["FREEZER_TEST_DATABASES_PASSWORD"]
    socket = database["FREEZER_TEST_MYSQL_SOCKET"]
    conf.write_text(f"[client]\nuser = backup\npassword = {password}\nsocket = {socket}\n")
    return {"mode": "mysql", "mysql_conf": str(conf), "deadline_seconds": 100}


def commits(database):
    """Whether a commit goes through within a second."""
    line = ["mariadb", "--no-defaults", "-u", "root", "--socket", database["FREEZER_TEST_MYSQL_SOCKET"], "-e"]
    statement = "SET STATEMENT lock_wait_timeout=1 FOR CREATE OR REPLACE TABLE shop.cloud_probe (id INT)"
    return subprocess.run([*line, statement], capture_output=True, check=False, timeout=60).returncode == 0


def watched(database, seen):
    """A fault of the proxy that only looks whether the database is held while a request passes."""

    def look(exchange):
        seen.append((f"{exchange.method} {exchange.path}", commits(database)))
        return exchange.forward()

    return look


def test_a_database_is_held_while_nova_takes_the_snapshot_and_not_while_it_is_copied(
    world, through_proxy, database, mysql
):
    server = world.server(world.image(os.urandom(100_000)))
    seen = []
    through_proxy.on("POST .*/action", watched(database, seen))
    through_proxy.on("GET .*/v2/images/.*/file", watched(database, seen))
    action = {"nova_inst_id": server, "storage": "swift", "container": f"c-{secrets.token_hex(6)}"}
    done = agent.backup({**action, **mysql, "cloud_timeout_seconds": 120})
    assert [free for _request, free in seen] == [False, True], seen
    assert (done["consistency"], done["metadata"]["mode"]) == ("app", "mysql")
    assert 0 < done["held_seconds"] < done["duration_seconds"]
    assert commits(database)


def test_a_database_is_held_while_cinder_takes_a_snapshot_and_the_backup_is_made_of_that(
    world, through_proxy, database, mysql
):
    volume = world.volume()
    seen = []
    through_proxy.on("POST .*/snapshots$", watched(database, seen))
    through_proxy.on("POST .*/backups$", watched(database, seen))
    done = agent.backup({"cindernative_vol_id": volume, **mysql, "cloud_timeout_seconds": 600})
    assert [free for _request, free in seen] == [False, True], seen
    assert (done["consistency"], done["outcome"]) == ("app", "success")
    assert world.ask("volume", "GET", "/snapshots")["snapshots"] == []


def test_a_hold_that_ends_too_early_fails_the_backup_and_leaves_nothing(world, through_proxy, database, mysql):
    server = world.server(world.image(os.urandom(100_000)))

    def slow(exchange):
        time.sleep(5)
        return exchange.forward()

    through_proxy.on("POST .*/action", slow)
    container = f"c-{secrets.token_hex(6)}"
    action = {"nova_inst_id": server, "storage": "swift", "container": container, **mysql, "deadline_seconds": 3}
    with pytest.raises(QuiesceError):
        agent.backup({**action, "cloud_timeout_seconds": 120})
    assert commits(database)
    assert [one["name"] for one in world.images()] == []
    assert world.objects(container) == {}
