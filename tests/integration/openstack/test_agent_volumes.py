# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes as the agent keeps them: images in Swift and Cinder's own backups, against tests/labs/openstack.

A volume is copied several times for each image of it: the tests are few and long.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from types import SimpleNamespace

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import native
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media.native_set import in_order
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volume_copies import (
    VolumeSnapshotOptions,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volumes import (
    VolumeSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import CloudError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.tests.support.cloud_proxy import (
    accepted_and_lost,
    answers,
    breaks_after,
    token_expired,
)
from ansible_collections.freezer.backup.tests.support.cloud_world import GIGABYTE


@pytest.fixture
def container():
    return f"c-{secrets.token_hex(6)}"


def everything(world):
    """What the project has in Glance and Cinder, by name."""
    images = world.ask("image", "GET", f"/v2/images?owner={world.project.id}&limit=1000")["images"]
    volumes = world.ask("volume", "GET", "/volumes")["volumes"]
    snapshots = world.ask("volume", "GET", "/snapshots")["snapshots"]
    return sorted(one["name"] for one in (*images, *volumes, *snapshots))


def test_an_attached_volume_is_kept_in_swift_through_faults_restored_and_proved(world, container, through_proxy):
    server = world.server(world.image(b"x" * 1000))
    volume = world.volume("data")
    world.write(volume, 5000, os.urandom(50_000))
    before = world.digest(volume)
    world.attach(server, volume)
    action = {"cinder_vol_name": "data", "storage": "swift", "container": container, "cloud_timeout_seconds": 900}
    known = everything(world)
    rules = [
        through_proxy.on("POST .*/snapshots$", answers(429, Retry_After="0")),
        through_proxy.on("POST .*/volumes$", accepted_and_lost),
        through_proxy.on("POST .*/volumes/.*/action", answers(500)),
        through_proxy.on("GET .*/v2/images/.*/file", breaks_after(5 << 20)),
        through_proxy.on("DELETE .*/snapshots/", answers(409, {"conflict": {"message": "busy"}})),
    ]
    done = agent.backup(action)
    assert [rule.met >= 1 for rule in rules] == [True] * len(rules)
    assert (done["outcome"], done["consistency"], done["resource_id"]) == ("success", "crash", volume)
    assert [one["bytes"] for one in done["disks"]] == [GIGABYTE]
    assert (done["metadata"]["cinder_vol_id"], done["metadata"]["mode"]) == (volume, "cinder")
    assert done["problems"] == []
    assert everything(world) == known
    through_proxy.on("PUT .*/v2/images/.*/file", token_expired)
    new = agent.restore({**action, "restore_as": "again"})
    assert world.digest(new["restored_volume_id"]) == before
    assert world.get_volume(new["restored_volume_id"])["bootable"] == "false"
    assert agent.restore({**action, "restore_as": "again"})["changed"] is False
    assert everything(world) == sorted([*known, "again"])
    # What it was made of is not needed any more.
    world.ask("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{volume}", raw=True)
    world.wait(lambda: world.get_volume(volume)["status"] == "available", "the volume without its server")
    world.ask("volume", "DELETE", f"/volumes/{volume}", raw=True)
    by_id = {"cinder_vol_id": volume, "storage": "swift", "container": container, "cloud_timeout_seconds": 900}
    assert agent.restore({**by_id, "restore_as": "again"}, dry_run=True)["changed"] is False
    proved = agent.verify({**by_id, "compare_to": "again"})
    assert (proved["outcome"], proved["check"], proved["differences"]) == ("success", "restore", [])


@pytest.fixture(scope="module")
def volume(world):
    """A volume that no test changes."""
    return world.volume()


def test_a_refusal_at_any_step_leaves_nothing(world, volume, container, through_proxy):
    known = everything(world)
    exceeded = "{}LimitExceeded: exceeded"
    action = {"cinder_vol_id": volume, "storage": "swift", "container": container, "cloud_timeout_seconds": 300}
    for pattern, fault, words in (
        (
            "POST .*/snapshots$",
            answers(413, {"overLimit": {"code": 413, "message": exceeded.format("Snapshot")}}),
            "raise the quota",
        ),
        (
            "POST .*/volumes$",
            answers(413, {"overLimit": {"code": 413, "message": exceeded.format("Volume")}}),
            "raise the quota",
        ),
        ("POST .*/volumes/.*/action", answers(400, {"badRequest": {"message": "no"}}), "is refused"),
    ):
        rule = through_proxy.on(pattern, fault, times=100)
        with pytest.raises(CloudError, match=words):
            agent.backup(action)
        assert everything(world) == known
        assert world.objects(container) == {}
        rule.times = 0


def test_a_temporary_volume_in_error_ends_the_backup_and_is_removed(world, volume, container, through_proxy):
    known = everything(world)

    def breaks_it(exchange):
        status, headers, body = exchange.forward()
        return status, headers, body.replace(b'"status": "creating"', b'"status": "error"')

    through_proxy.on("GET .*/volumes/detail", breaks_it, times=1000)
    action = {"cinder_vol_id": volume, "storage": "swift", "container": container, "cloud_timeout_seconds": 120}
    with pytest.raises(CloudError, match="in the state error"):
        agent.backup(action)
    assert everything(world) == known


@pytest.mark.usefixtures("as_member")
def test_cinders_own_backups_build_on_each_other_restore_by_date_and_rotate_as_chains(world):
    volume = world.volume("native")
    action = {"cindernative_vol_id": volume, "backup_name": "daily", "max_level": 1, "cloud_timeout_seconds": 600}
    made, states = [], []
    for _number in range(3):
        world.write(volume, 500_000, os.urandom(5000))
        made.append(agent.backup(action))
        states.append(world.digest(volume))
    assert [(one["outcome"], one["level"]) for one in made] == [("success", 0), ("success", 1), ("success", 0)]
    assert made[1]["parent_backup_id"] == made[0]["backup_id"]
    record = made[1]["metadata"]
    assert (record["cindernative_vol_id"], record["level"], record["storage"]) == (volume, 1, "cinder")
    assert f"--cindernative-vol-id {volume}" in record["cli"]
    assert "--storage" not in record["cli"]
    assert agent.backup({**action, "min_age": 3600})["changed"] is False
    assert [one["backup_id"] for one in agent.info(action)["backups"]] == [one["backup_id"] for one in made[::-1]]
    old = agent.restore({**action, "restore_from_date": made[1]["timestamp"], "restore_as": "old"})
    assert [one["level"] for one in old["chain"]] == [0, 1]
    assert world.digest(old["restored_volume_id"]) == states[1]
    assert agent.restore({**action, "restore_from_date": made[1]["timestamp"], "restore_as": "old"})["changed"] is False
    with pytest.raises(ArchiveError, match="that is old enough"):
        agent.restore({**action, "restore_from_date": made[0]["timestamp"] - 1000})
    assert agent.verify({**action, "check": "segments"})["outcome"] == "success"
    # Cinder would build on the newest one, whoever made it.
    foreign = VolumeSnapshots(world.cloud, VolumeSnapshotOptions("theirs", incremental=False, backup_level="auto"))
    foreign.present([volume])
    full = agent.backup(action)
    assert (full["level"], "that has another name" in full["reason"]) == (0, True)
    planned = agent.prune({**action, "keep_last": 1}, dry_run=True)
    pruned = agent.prune({**action, "keep_last": 1})
    assert [one["backup_id"] for one in planned["removed"]] == [one["backup_id"] for one in pruned["removed"]]
    assert [one["backup_id"] for one in pruned["removed"]] == [made[1]["backup_id"], made[0]["backup_id"]]
    # On the third one another program's builds.
    assert made[2]["backup_id"] in pruned["damaged"][0]
    assert agent.prune({**action, "keep_last": 1})["removed"] == []
    left = world.ask("volume", "GET", "/backups")["backups"]
    assert {made[2]["backup_id"], full["backup_id"]} < {one["id"] for one in left}


@pytest.mark.usefixtures("as_member")
def test_two_backups_that_begin_in_one_second_are_two(world, monkeypatch):
    volume = world.volume()
    action = {"cindernative_vol_id": volume, "cloud_timeout_seconds": 600}
    began = int(time.time())
    made = []
    for moment in (began + 0.25, began + 0.75):
        # A clock that stands still: disks that are fast enough are not everywhere.
        monkeypatch.setattr(native, "time", SimpleNamespace(time=lambda moment=moment: moment))
        made.append(agent.backup(action))
    assert made[0]["backup_id"] != made[1]["backup_id"]
    assert [one["backup_id"] for one in agent.info(action)["backups"]] == [one["backup_id"] for one in made[::-1]]


def backup_of_second(name, incremental=False, dependents=False, second=7):
    return {
        "id": name,
        "created_at": f"2026-11-28T05:57:{second:02}.000000",
        "is_incremental": incremental,
        "has_dependent_backups": dependents,
    }


@pytest.mark.parametrize(
    "made",
    [
        [backup_of_second("increment", incremental=True), backup_of_second("full")],
        [backup_of_second("full", dependents=True), backup_of_second("increment", incremental=True)],
        [
            backup_of_second("first", incremental=True, dependents=True),
            backup_of_second("second", incremental=True),
            backup_of_second("later", second=8),
        ],
    ],
)
def test_backups_of_one_second_stand_in_the_order_in_which_they_build_on_each_other(made):
    assert in_order(made) == made
    assert in_order(made[::-1]) == made


@pytest.mark.usefixtures("as_member")
def test_cinder_is_not_asked_to_build_on_one_of_two_backups_of_one_second(world, through_proxy):
    volume = world.volume()
    action = {"cindernative_vol_id": volume, "max_level": 5, "cloud_timeout_seconds": 600}
    for level in (0, 1):
        assert agent.backup(action)["level"] == level

    def all_at_once(exchange):
        status, headers, body = exchange.forward()
        same = re.sub(rb'"created_at": "[^"]*"', b'"created_at": "2026-11-28T05:57:07.000000"', body)
        return status, headers, same

    through_proxy.on("GET .*/backups/detail", all_at_once, times=1000)
    planned = agent.backup(action, dry_run=True)
    assert (planned["level"], "shares its second with another backup" in planned["reason"]) == (0, True)


def test_a_backup_whose_answer_was_lost_is_made_once_and_check_mode_writes_nothing(world, through_proxy):
    volume = world.volume()
    action = {"cindernative_vol_id": volume, "cloud_timeout_seconds": 600}
    through_proxy.refuse_writes = True
    assert agent.backup(action, dry_run=True)["outcome"] == "planned"
    assert through_proxy.refused == []
    through_proxy.refuse_writes = False
    through_proxy.on("POST .*/backups$", accepted_and_lost)
    done = agent.backup(action)
    left = world.ask("volume", "GET", "/backups/detail")["backups"]
    assert [one["id"] for one in left if one["volume_id"] == volume] == [done["backup_id"]]
    through_proxy.refuse_writes = True
    assert agent.restore(action, dry_run=True)["outcome"] == "planned"
    assert agent.prune({**action, "keep_last": 1}, dry_run=True)["removed"] == []
    assert through_proxy.refused == []
