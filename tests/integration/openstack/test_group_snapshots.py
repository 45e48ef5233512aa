# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes of one group of Cinder: one snapshot for all of them, found, applied and removed like those of single volumes."""

from __future__ import annotations

import os
import secrets

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volume_copies import (
    VolumeSnapshotOptions,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volumes import (
    VolumeSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import CloudError
from ansible_collections.freezer.backup.tests.support.cloud_proxy import accepted_and_lost, answers


@pytest.fixture(scope="module")
def pair(world):
    """Two volumes with bytes in them, which are a group."""
    found = [world.volume("data"), world.volume("journal")]
    for volume in found:
        world.write(volume, 0, os.urandom(10_000))
    world.group("database", found)
    return found


@pytest.fixture
def name(world, pair):
    made = f"s-{secrets.token_hex(4)}"
    yield made
    for incremental, left in ((True, world.snapshots()), (False, world.ask("volume", "GET", "/backups")["backups"])):
        if left:
            together(world.cloud, made, incremental=incremental).absent(pair)
    assert world.snapshots() == []


def together(cloud, name, **options):
    return VolumeSnapshots(cloud, VolumeSnapshotOptions(name, **{"timeout_seconds": 180, "as_groups": True, **options}))


def of_one_group(world):
    """Of all snapshots the name and what group snapshot they belong to, which is the same one of all."""
    found = world.snapshots()
    assert len({one["group_snapshot_id"] for one in found}) == 1
    assert found[0]["group_snapshot_id"]
    return sorted(one["name"] for one in found)


def test_volumes_of_a_group_are_taken_as_one_once_and_each_can_be_applied(world, pair, name):
    before = [world.digest(volume) for volume in pair]
    done = together(world.cloud, name).present(pair)["snapshots"]
    assert [(one["changed"], one["outcome"], one["consistency"]) for one in done] == [(True, "success", "fs")] * 2
    assert of_one_group(world) == sorted(f"volume-{volume}-{name}-increment" for volume in pair)
    assert together(world.cloud, name).present(pair)["changed"] is False
    # Before they are reverted: Cinder's driver for NFS makes no volume of a snapshot after that.
    beside = together(world.cloud, name, restore_to="new").applied(pair[:1])["snapshots"][0]
    assert world.digest(beside["restored_volume_id"]) == before[0]
    for volume in pair:
        world.write(volume, 0, b"broken")
    assert together(world.cloud, name).applied(pair)["changed"] is True
    assert [world.digest(volume) for volume in pair] == before


def test_a_part_is_not_removed_without_the_others(world, pair, name):
    together(world.cloud, name).present(pair)
    with pytest.raises(CloudError, match=f"removes all of them or none. Name also {pair[1]}"):
        together(world.cloud, name).absent(pair[:1])
    assert len(of_one_group(world)) == 2
    done = together(world.cloud, name, concurrency=1).absent(pair)["snapshots"]
    assert [one["changed"] for one in done] == [True, True]
    assert world.snapshots() == []
    assert together(world.cloud, name).absent(pair)["changed"] is False


def test_backups_are_made_of_what_was_taken_as_one(world, pair, name):
    before = [world.digest(volume) for volume in pair]
    options = {"incremental": False}
    done = together(world.cloud, name, wait_for="taken", **options).present(pair)["snapshots"]
    assert [(one["changed"], one["outcome"]) for one in done] == [(True, "taken")] * 2
    assert of_one_group(world) == sorted(f"volume-{volume}-{name}-backup-held" for volume in pair)
    assert together(world.cloud, name, wait_for="taken", **options).present(pair)["changed"] is False
    for volume in pair:
        world.write(volume, 0, b"written later")
    assert together(world.cloud, name, **options).present(pair)["changed"] is True
    assert world.snapshots() == []
    beside = together(world.cloud, name, restore_to="new", **options).applied(pair)["snapshots"]
    assert [world.digest(one["restored_volume_id"]) for one in beside] == before


def test_a_volume_that_is_not_named_is_not_taken(world, pair, proxy, behind):
    proxy.refuse_writes = True
    with pytest.raises(CloudError, match=r"further volumes.*: journal\. Name them too"):
        together(behind, "partly").present(pair[:1])
    with pytest.raises(CloudError, match="further volumes"):
        together(behind, "partly").present(pair[:1], dry_run=True)


def test_check_mode_writes_nothing(pair, proxy, behind):
    proxy.refuse_writes = True
    done = together(behind, "planned").present(pair, dry_run=True)
    assert [one["outcome"] for one in done["snapshots"]] == ["planned"] * 2


def test_what_a_killed_run_has_taken_gets_its_names_from_the_next(world, pair, name, proxy, behind):
    rule = proxy.on("PUT .*/snapshots/", answers(403), times=99, skip=1)
    with pytest.raises(CloudError, match="2 of 2 volumes failed"):
        together(behind, name).present(pair)
    assert rule.met == 2
    taken = {one["group_snapshot_id"] for one in world.snapshots()}
    assert together(world.cloud, name).present(pair)["changed"] is True
    assert of_one_group(world) == sorted(f"volume-{volume}-{name}-increment" for volume in pair)
    assert taken == {one["group_snapshot_id"] for one in world.snapshots()}


def test_what_a_killed_run_has_taken_is_removed_without_its_names(world, pair, name, proxy, behind):
    proxy.on("PUT .*/snapshots/", answers(403), times=99)
    with pytest.raises(CloudError):
        together(behind, name).present(pair)
    assert all(one["name"].startswith("group-") for one in world.snapshots())
    assert together(world.cloud, name).absent(pair)["changed"] is True
    assert world.snapshots() == []


def test_a_fault_in_the_middle_makes_one_and_not_two(world, pair, name, proxy, behind):
    rules = [proxy.on("POST .*/group_snapshots", fault) for fault in (answers(500), answers(409), accepted_and_lost)]
    assert together(behind, name).present(pair)["changed"] is True
    assert [rule.met >= 1 for rule in rules] == [True] * len(rules)
    assert len(of_one_group(world)) == 2


def test_one_in_error_is_removed_and_the_next_run_makes_it(world, pair, name, proxy, behind):
    def breaks_it(exchange):
        status, headers, body = exchange.forward()
        return status, headers, body.replace(b'"status": "available"', b'"status": "error"')

    rule = proxy.on("GET .*/group_snapshots/", breaks_it, times=1000)
    with pytest.raises(CloudError, match="Cinder gave it up"):
        together(behind, name).present(pair)
    rule.times = 0
    world.wait(lambda: not world.snapshots(), "the removal")
    assert together(world.cloud, name).present(pair)["changed"] is True


def test_rotation_counts_them_and_a_snapshot_of_one_volume_is_not_added_to(world, pair, name):
    older = f"{name}-older"
    together(world.cloud, older, rotation=1, backup_set="nightly").present(pair)
    done = together(world.cloud, name, rotation=1, backup_set="nightly").present(pair)["snapshots"]
    assert {len(one["removed"]) for one in done} <= {0, 1}
    assert len(of_one_group(world)) == 2
    alone = f"{name}-alone"
    together(world.cloud, alone, as_groups=False).present(pair[:1])
    with pytest.raises(CloudError, match="others have none: journal"):
        together(world.cloud, alone).present(pair)
    together(world.cloud, alone).absent(pair)
