# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The moment of a snapshot and its end: what is held still may go on before the bytes have arrived. And what is kept after it."""

from __future__ import annotations

import os
import re
import secrets

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volume_copies import (
    VolumeSnapshotOptions,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.block_storage.volumes import (
    VolumeSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.compute.servers import (
    ServerSnapshotOptions,
    ServerSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import CloudError, SomeFailed
from ansible_collections.freezer.backup.tests.support.cloud_proxy import accepted_and_lost, answers

_IMAGES = "GET .*/v2/images[?]"
_SERVERS = "GET .*/servers/detail"


@pytest.fixture(scope="module")
def base(world):
    return world.image(os.urandom(50_000))


@pytest.fixture(scope="module")
def server(world, base):
    return world.server(base, "web")


def of_servers(cloud, name, **options):
    return ServerSnapshots(cloud, ServerSnapshotOptions(name, **{"timeout_seconds": 90, **options}))


def of_volumes(cloud, name, **options):
    return VolumeSnapshots(cloud, VolumeSnapshotOptions(name, **{"timeout_seconds": 180, **options}))


def fresh_name():
    return f"s-{secrets.token_hex(4)}"


def reads(pattern, text):
    """The services' answer with something else in it."""

    def fault(exchange):
        status, headers, body = exchange.forward()
        return status, headers, re.sub(pattern, text, body)

    return fault


def test_a_server_is_taken_while_its_image_is_uploaded_and_whole_when_that_is_over(server, proxy, behind):
    name = fresh_name()
    late = proxy.on(_IMAGES, reads(rb'"status": "active"', b'"status": "saving"'), times=1000)
    options = {"wait_for": "taken", "held": {server: "app"}}
    one = of_servers(behind, name, **options).present([server])["snapshots"][0]
    assert (one["outcome"], one["changed"], one["consistency"]) == ("taken", True, "app")
    assert of_servers(behind, name, **options).present([server])["changed"] is False
    with pytest.raises(CloudError, match="did not happen within"):
        of_servers(behind, name, timeout_seconds=2).present([server])
    late.times = 0
    one = of_servers(behind, name).present([server])["snapshots"][0]
    assert (one["size_bytes"], one["consistency"]) == (50_000, "app")


def test_a_server_is_not_taken_before_nova_has_looked_at_its_disk(server, proxy, behind):
    # As Nova and Glance have it between the request and the moment of the snapshot.
    proxy.on(_IMAGES, reads(rb'"status": "(active|saving)"', b'"status": "queued"'), times=1000)
    proxy.on(
        _SERVERS, reads(rb'"OS-EXT-STS:task_state": [^,]*', b'"OS-EXT-STS:task_state": "image_snapshot"'), times=1000
    )
    with pytest.raises(CloudError, match="The moment of the snapshot .* did not happen within 3 seconds"):
        of_servers(behind, fresh_name(), wait_for="taken", timeout_seconds=3).present([server])


def test_a_backup_of_a_volume_has_what_was_there_when_it_was_taken(world):
    volume = world.volume()
    world.write(volume, 0, os.urandom(40_000))
    before = world.digest(volume)
    name = fresh_name()
    options = {"incremental": False}
    one = of_volumes(world.cloud, name, wait_for="taken", held={volume: "fs"}, **options).present([volume])[
        "snapshots"
    ][0]
    assert (one["outcome"], one["changed"]) == ("taken", True)
    assert of_volumes(world.cloud, name, wait_for="taken", **options).present([volume])["changed"] is False
    world.write(volume, 0, b"written while it is uploaded")
    one = of_volumes(world.cloud, name, **options).present([volume])["snapshots"][0]
    assert (one["outcome"], one["consistency"]) == ("success", "fs")
    assert world.ask("volume", "GET", f"/snapshots/detail?volume_id={volume}")["snapshots"] == []
    restored = of_volumes(world.cloud, name, restore_to="new", **options).applied([volume])["snapshots"][0]
    assert world.digest(restored["restored_volume_id"]) == before
    of_volumes(world.cloud, name, **options).absent([volume])


def test_what_was_taken_of_a_volume_goes_with_the_backup_that_never_was(world, proxy, behind):
    volume = world.volume()
    name = fresh_name()
    proxy.on("POST .*/snapshots$", accepted_and_lost)
    of_volumes(behind, name, incremental=False, wait_for="taken").present([volume])
    proxy.on("POST .*/backups$", answers(413, {"overLimit": {"message": "quota"}}), times=99)
    with pytest.raises(SomeFailed, match="quota"):
        of_volumes(behind, name, incremental=False).present([volume])
    assert len(world.ask("volume", "GET", f"/snapshots/detail?volume_id={volume}")["snapshots"]) == 1
    assert of_volumes(behind, name, incremental=False).absent([volume])["changed"] is True
    assert world.ask("volume", "GET", f"/snapshots/detail?volume_id={volume}")["snapshots"] == []


@pytest.mark.parametrize("incremental", [True, False])
def test_so_many_snapshots_of_a_server_are_kept_of_a_set_and_others_stay(world, base, incremental):
    server = world.server(base)
    names = [fresh_name() for _number in range(3)]
    options = {"incremental": incremental, "backup_set": fresh_name()}
    of_servers(world.cloud, names[0], incremental=incremental).present([server])
    for name in names[1:]:
        of_servers(world.cloud, name, keep=2, **options).present([server])

    def own():
        return {image["name"].split(server)[1].strip("-") for image in world.images() if server in image["name"]}

    ending = "increment" if incremental else "backup"
    assert own() == {f"{name}-{ending}" for name in names}
    last = of_servers(world.cloud, names[-1], keep=1, **options)
    assert len(last.present([server], dry_run=True)["snapshots"][0]["removed"]) == 1
    assert len(last.present([server])["snapshots"][0]["removed"]) == 1
    assert last.present([server])["changed"] is False
    assert own() == {f"{names[0]}-{ending}", f"{names[-1]}-{ending}"}


def test_rotation_of_volumes_can_wait_until_all_is_well(world):
    volume = world.volume()
    names = [fresh_name() for _number in range(2)]
    for name in names:
        of_volumes(world.cloud, name, backup_set="nightly").present([volume])
    last = of_volumes(world.cloud, names[-1], backup_set="nightly", rotation=1)
    assert len(last.present([volume], dry_run=True)["snapshots"][0]["removed"]) == 1
    assert last.present([volume])["changed"] is True
    assert last.present([volume])["changed"] is False
    left = world.ask("volume", "GET", f"/snapshots/detail?volume_id={volume}")["snapshots"]
    assert [one["name"] for one in left] == [f"volume-{volume}-{names[-1]}-increment"]


def test_the_requests_for_each_server_do_not_become_more_with_their_number(world, base, proxy, behind):
    servers = [*world.servers(base, (f"one{number}" for number in range(8))).values()]
    cost = {}
    for number in (2, 8):
        before = len(proxy.requests)
        of_servers(behind, fresh_name(), concurrency=16).present(servers[:number])
        cost[number] = (len(proxy.requests) - before) / number
    assert cost[8] <= cost[2]
    assert cost[8] < 8
