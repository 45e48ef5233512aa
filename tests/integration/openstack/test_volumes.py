# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots and backups of volumes, against the Cinder of tests/labs/openstack; bytes are compared in its files."""

from __future__ import annotations

import os
import secrets
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volume_copies import (
    VolumeSnapshotOptions,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volumes import (
    VolumeSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import CloudError
from ansible_collections.freezer.backup.tests.support.cloud_proxy import accepted_and_lost, answers, token_expired


@pytest.fixture(scope="module")
def volume(world):
    found = world.volume("data")
    world.write(found, 0, os.urandom(100_000))
    return found


def kept(cloud, name, **options):
    return VolumeSnapshots(cloud, VolumeSnapshotOptions(name, **{"timeout_seconds": 180, **options}))


def fresh_name():
    return f"s-{secrets.token_hex(4)}"


def snapshots_of(world, volume):
    found = world.ask("volume", "GET", "/snapshots/detail")["snapshots"]
    return {one["name"]: one["status"] for one in found if one["volume_id"] == volume}


def backups_of(world, volume):
    found = world.ask("volume", "GET", "/backups/detail")["backups"]
    return {one["name"]: one for one in found if one["volume_id"] == volume}


def test_a_snapshot_is_made_once_and_the_volume_reverts_to_it(world):
    volume = world.volume()
    world.write(volume, 5000, os.urandom(50_000))
    before = world.digest(volume)
    name = fresh_name()
    done = kept(world.cloud, name).present([volume])
    one = done["snapshots"][0]
    assert (one["outcome"], one["consistency"], one["level"]) == ("success", "fs", 0)
    assert kept(world.cloud, name).present([volume])["changed"] is False
    world.write(volume, 5000, b"broken")
    assert world.digest(volume) != before
    assert kept(world.cloud, name).applied([volume])["changed"] is True
    assert world.digest(volume) == before
    assert kept(world.cloud, name).applied([volume])["changed"] is False


def test_a_new_volume_is_made_from_a_snapshot_once(world, volume):
    name = fresh_name()
    kept(world.cloud, name).present([volume])
    done = kept(world.cloud, name, restore_to="new").applied([volume])["snapshots"][0]
    assert world.digest(done["restored_volume_id"]) == world.digest(volume)
    again = kept(world.cloud, name, restore_to="new").applied([volume])
    assert again["changed"] is False
    assert again["snapshots"][0]["restored_volume_id"] == done["restored_volume_id"]
    kept(world.cloud, name).absent([volume])


def test_only_the_newest_snapshot_can_be_reverted_to_and_only_the_named_one_is_removed(world, volume):
    older, newer = fresh_name(), fresh_name()
    kept(world.cloud, older).present([volume])
    time.sleep(1.1)  # Cinder tells them apart by whole seconds
    kept(world.cloud, newer).present([volume])
    with pytest.raises(CloudError, match="newest snapshot only"):
        kept(world.cloud, older).applied([volume])
    assert kept(world.cloud, older).absent([volume])["changed"] is True
    assert kept(world.cloud, older).absent([volume])["changed"] is False
    names = snapshots_of(world, volume)
    assert f"volume-{volume}-{newer}-increment" in names
    assert f"volume-{volume}-{older}-increment" not in names
    kept(world.cloud, newer).absent([volume])


def test_snapshots_of_a_set_rotate(world, volume):
    names = [fresh_name() for _number in range(3)]
    for name in names:
        kept(world.cloud, name, rotation=2, backup_set="nightly").present([volume])
    left = snapshots_of(world, volume)
    assert [f"volume-{volume}-{name}-increment" in left for name in names] == [False, True, True]
    for name in names[1:]:
        kept(world.cloud, name).absent([volume])


def test_full_and_incremental_backups_restore_and_rotate_as_chains(world):
    volume = world.volume()
    world.write(volume, 0, os.urandom(200_000))
    states = []
    names = [fresh_name() for _number in range(3)]
    options = {"incremental": False, "backup_set": "weekly"}
    for number, name in enumerate(names[:2]):
        world.write(volume, 500_000, os.urandom(1000))
        done = kept(world.cloud, name, backup_level="auto", **options).present([volume])["snapshots"][0]
        assert (done["outcome"], done["level"]) == ("success", number)
        states.append(world.digest(volume))
    assert kept(world.cloud, names[0], **options).present([volume])["changed"] is False
    with pytest.raises(CloudError, match="build on it"):
        kept(world.cloud, names[0], **options).absent([volume])
    world.write(volume, 500_000, b"broken")
    assert kept(world.cloud, names[1], **options).applied([volume])["changed"] is True
    assert world.digest(volume) == states[1]
    beside = kept(world.cloud, names[0], restore_to="new", **options).applied([volume])["snapshots"][0]
    assert world.digest(beside["restored_volume_id"]) == states[0]
    done = kept(world.cloud, names[2], rotation=1, **options).present([volume])["snapshots"][0]
    assert done["level"] == 0
    assert len(done["removed"]) == 2
    assert list(backups_of(world, volume)) == [f"volume-{volume}-{names[2]}-backup"]


def test_backups_of_volumes_with_metadata_become_new_volumes_once(world):
    # Cinder lets a new volume have the metadata of the old one, and what it had before is gone.
    volumes = [world.volume(metadata={"team": name}) for name in ("blue", "green")]
    for volume in volumes:
        world.write(volume, 0, os.urandom(1000))
    name = fresh_name()
    kept(world.cloud, name, incremental=False).present(volumes)
    done = kept(world.cloud, name, incremental=False, restore_to="new").applied(volumes)["snapshots"]
    restored = [one["restored_volume_id"] for one in done]
    assert [world.digest(one) for one in restored] == [world.digest(one) for one in volumes]
    assert [world.get_volume(one)["metadata"]["team"] for one in restored] == ["blue", "green"]
    again = kept(world.cloud, name, incremental=False, restore_to="new").applied(volumes)
    assert again["changed"] is False
    assert [one["restored_volume_id"] for one in again["snapshots"]] == restored


def test_an_attached_volume_is_copied_and_restored_with_its_server(world):
    server = world.server(world.image(b"x" * 1000))
    volume = world.volume()
    world.write(volume, 0, os.urandom(10_000))
    before = world.digest(volume)
    world.attach(server, volume)
    with pytest.raises(CloudError, match="attached to a server"):
        kept(world.cloud, fresh_name(), incremental=False, require_quiesce=True).present([volume])
    name = fresh_name()
    done = kept(world.cloud, name, incremental=False).present([volume])["snapshots"][0]
    assert (done["outcome"], done["consistency"]) == ("success", "crash")
    assert kept(world.cloud, name, incremental=False).applied([volume])["changed"] is True
    assert world.digest(volume) == before
    assert world.get_volume(volume)["status"] == "in-use"
    assert world.get_volume(volume)["attachments"][0]["server_id"] == server


def test_a_fault_in_the_middle_makes_one_snapshot_and_not_two(world, volume, proxy, behind):
    faults = (token_expired, answers(429, Retry_After="0"), answers(500), accepted_and_lost)
    rules = [proxy.on("POST .*/snapshots", fault) for fault in faults]
    name = fresh_name()
    assert kept(behind, name).present([volume])["snapshots"][0]["outcome"] == "success"
    assert [rule.met >= 1 for rule in rules] == [True] * len(rules)
    found = world.ask("volume", "GET", "/snapshots/detail")["snapshots"]
    assert [one["status"] for one in found if name in one["name"]] == ["available"]
    kept(world.cloud, name).absent([volume])


def test_a_full_quota_is_a_sentence(volume, proxy, behind):
    full = {
        "overLimit": {"code": 413, "message": "SnapshotLimitExceeded: Maximum number of snapshots allowed exceeded"}
    }
    proxy.on("POST .*/snapshots", answers(413, full), times=9)
    with pytest.raises(CloudError, match="raise the quota"):
        kept(behind, fresh_name()).present([volume])


def test_a_snapshot_in_error_is_removed_and_the_next_run_makes_it(world, volume, proxy, behind):
    name = fresh_name()

    def breaks_it(exchange):
        status, headers, body = exchange.forward()
        return status, headers, body.replace(b'"status": "available"', b'"status": "error"')

    rule = proxy.on("GET .*/snapshots/detail", breaks_it, times=1000)
    with pytest.raises(CloudError, match="is error"):
        kept(behind, name).present([volume])
    rule.times = 0
    world.wait(lambda: not any(name in one for one in snapshots_of(world, volume)), "the removal")
    assert kept(behind, name).present([volume])["changed"] is True
    kept(world.cloud, name).absent([volume])


def test_what_cinder_still_works_on_is_removed_when_that_has_ended(world, volume, proxy, behind):
    name = fresh_name()
    kept(world.cloud, name).present([volume])

    def still_made(exchange):
        status, headers, body = exchange.forward()
        return status, headers, body.replace(b'"status": "available"', b'"status": "creating"')

    # The first look is whether there is one, by the second it is still being made.
    proxy.on("GET .*/snapshots/detail", still_made, times=2)
    refused = proxy.on("DELETE .*/snapshots/", answers(409), times=2)
    assert kept(behind, name).absent([volume])["changed"] is True
    assert refused.met == 3
    assert not any(name in one for one in snapshots_of(world, volume))
    kept(world.cloud, name).present([volume])
    refused.times = 9999
    with pytest.raises(CloudError, match="which is in the way of its removal, did not happen within 2 seconds"):
        kept(behind, name, timeout_seconds=2).absent([volume])
    refused.times = 0
    kept(world.cloud, name).absent([volume])


def test_what_cinder_failed_to_delete_names_the_remedy_which_helps(world, volume):
    name = fresh_name()
    made = kept(world.cloud, name).present([volume])["snapshots"][0]["snapshot_id"]

    def becomes(status):
        action = {"os-reset_status": {"status": status}}
        world.admin.service("volume").request("POST", f"/snapshots/{made}/action", action)

    becomes("error_deleting")
    with pytest.raises(CloudError, match=f"could not delete .*{made}.* administrator set its status to error"):
        kept(world.cloud, name).absent([volume])
    becomes("error")
    assert kept(world.cloud, name).absent([volume])["changed"] is True
    assert not any(name in one for one in snapshots_of(world, volume))


def test_check_mode_asks_and_never_writes(world, volume, proxy, behind):
    name = fresh_name()
    kept(world.cloud, name).present([volume])
    proxy.refuse_writes = True
    for works in (kept(behind, fresh_name()).present, kept(behind, name).applied, kept(behind, name).absent):
        assert works([volume], dry_run=True)["changed"] is True
    assert kept(behind, name).present([volume], dry_run=True)["changed"] is False
    assert proxy.refused == []
    kept(world.cloud, name).absent([volume])
