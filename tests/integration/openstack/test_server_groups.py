# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Servers that boot from volumes which are a group of Cinder: one group snapshot, and an image that stands for it."""

from __future__ import annotations

import json
import os
import secrets

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.compute.servers import (
    ServerSnapshotOptions,
    ServerSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import CloudError
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.listing import GROUP_VERSION
from ansible_collections.freezer.backup.tests.support.cloud_proxy import accepted_and_lost, answers


@pytest.fixture(scope="module")
def image(world):
    return world.image(os.urandom(100_000), hw_disk_bus="virtio")


def boots_from(world, volumes):
    """A server with these volumes, the first of which it boots from."""
    mapping = [
        {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": -1 if number else 0}
        for number, volume in enumerate(volumes)
    ]
    return world.server("", imageRef="", block_device_mapping_v2=mapping)


@pytest.fixture(scope="module")
def volumes(world, image):
    """A volume to boot from, and one with data."""
    found = [world.volume("root", imageRef=image), world.volume("data")]
    world.write(found[1], 0, os.urandom(10_000))
    world.group("of-a-server", found)
    return found


@pytest.fixture(scope="module")
def server(world, volumes):
    return boots_from(world, volumes)


@pytest.fixture
def name(world, server):
    made = f"s-{secrets.token_hex(4)}"
    yield made
    images = [one["name"] for one in world.images()]
    for own in (made, f"{made}-nova", f"{made}-older"):
        if own == made or any(f"-{own}-" in image for image in images):
            together(world.cloud, own).absent([server])
    assert world.snapshots() == []
    assert world.images() == []


def together(cloud, name, **options):
    return ServerSnapshots(cloud, ServerSnapshotOptions(name, **{"timeout_seconds": 180, "as_groups": True, **options}))


def group_snapshots(world):
    return {one["group_snapshot_id"] for one in world.snapshots()}


def booted(world, server, name):
    """What became of a new server. Cinder calls a new volume available a moment before it says which lock it needs, and when
    Nova looks in that moment it gives the server up: then the next run has to make it."""
    for _attempt in range(4):
        try:
            return together(world.cloud, name, restore_as="beside").applied([server])["snapshots"][0]
        except CloudError as problem:
            if "in the state ERROR" not in str(problem):
                raise
    pytest.fail("Nova has given four servers up")


def test_a_server_that_nova_gives_up_is_removed_with_the_volumes_that_were_made_for_it(world, server, name):
    together(world.cloud, name).present([server])
    known = world.ask("volume", "GET", "/volumes")["volumes"]
    # There is room for the first of its volumes, and none for the second.
    world.limit_volumes(len(known) + 1)
    try:
        with pytest.raises(CloudError, match="in the state ERROR"):
            together(world.cloud, name, restore_as="never").applied([server])
    finally:
        world.limit_volumes(-1)
    assert world.ask("volume", "GET", "/volumes")["volumes"] == known
    assert [one["id"] for one in world.ask("compute", "GET", "/servers")["servers"]] == [server]


def test_a_server_is_taken_as_one_once_and_a_new_one_boots_from_it(world, server, volumes, name):
    before = [world.digest(volume) for volume in volumes]
    done = together(world.cloud, name).present([server])["snapshots"][0]
    assert (done["changed"], done["outcome"], done["consistency"]) == (True, "success", "crash")
    assert {one["name"] for one in world.snapshots()} == {f"snapshot for vm-{server}-{name}-increment"}
    assert len(group_snapshots(world) - {None}) == 1
    assert set(done["volume_snapshot_ids"]) == {one["id"] for one in world.snapshots()}
    assert together(world.cloud, name).present([server])["changed"] is False
    world.write(volumes[1], 0, b"written later")
    new = booted(world, server, name)
    attached = world.get_server(new["restored_server_id"])["os-extended-volumes:volumes_attached"]
    assert {world.digest(one["id"]) for one in attached} == set(before)
    root = next(one["id"] for one in attached if world.get_volume(one["id"])["bootable"] == "true")
    assert world.get_volume(root)["attachments"][0]["device"] == "/dev/sda"
    world.ask("compute", "DELETE", f"/servers/{new['restored_server_id']}")
    world.wait(lambda: len(world.ask("compute", "GET", "/servers")["servers"]) == 1, "the removal of the server")
    for one in attached:
        world.wait(lambda one=one: world.get_volume(one["id"])["status"] == "available", "the volumes")
        world.ask("volume", "DELETE", f"/volumes/{one['id']}")


def test_the_image_says_what_nova_says_in_its_own(world, server, name):
    by_nova = together(world.cloud, f"{name}-nova", as_groups=False).present([server])["snapshots"][0]
    by_us = together(world.cloud, name).present([server])["snapshots"][0]
    theirs, ours = (world.ask("image", "GET", f"/v2/images/{one['image_id']}") for one in (by_nova, by_us))

    def devices(made):
        found = json.loads(made["block_device_mapping"])
        keys = ("source_type", "destination_type", "boot_index", "device_name", "delete_on_termination", "volume_size")
        return sorted(str([one[key] for key in keys]) for one in found)

    assert devices(ours) == devices(theirs)
    same = ("bdm_v2", "root_device_name", "size", "status", "visibility", "hw_disk_bus")
    assert {key: ours.get(key) for key in same} == {key: theirs.get(key) for key in same}


def test_absent_and_keep_remove_the_image_and_all_parts(world, server, name):
    older = together(world.cloud, f"{name}-older", backup_set="nightly").present([server])["snapshots"][0]
    done = together(world.cloud, name, backup_set="nightly", keep=1).present([server])["snapshots"][0]
    assert done["removed"] == [older["image_id"]]
    assert len(world.snapshots()) == 2
    assert together(world.cloud, name).absent([server], dry_run=True)["changed"] is True
    assert together(world.cloud, name).absent([server])["changed"] is True
    assert (world.snapshots(), world.images()) == ([], [])
    assert together(world.cloud, name).absent([server])["changed"] is False


def test_what_is_held_is_recorded_and_what_is_not_is_refused(world, server, name):
    with pytest.raises(CloudError, match="Nova does not do that for a group snapshot"):
        together(world.cloud, name, require_quiesce=True).present([server])
    assert world.snapshots() == []
    held = together(world.cloud, name, require_quiesce=True, held={server: "app"}, wait_for="taken")
    done = held.present([server])["snapshots"][0]
    assert (done["outcome"], done["consistency"]) == ("taken", "app")
    assert together(world.cloud, name).present([server])["changed"] is False


def test_check_mode_writes_nothing(server, proxy, behind):
    proxy.refuse_writes = True
    done = together(behind, "planned").present([server], dry_run=True)["snapshots"][0]
    assert done["outcome"] == "planned"
    assert proxy.refused == []


def test_a_group_of_other_volumes_too_and_one_of_some_are_refused(world, image, proxy, behind):
    own = [world.volume("root2", imageRef=image), world.volume("data2")]
    partly = boots_from(world, own)
    proxy.refuse_writes = True
    group = world.group("partly", own[:1])
    with pytest.raises(CloudError, match=r"does not have all of its volumes: data2\."):
        together(behind, "never").present([partly])
    other = world.volume("other")
    more = {"group": {"add_volumes": f"{own[1]},{other}"}}
    world.cloud.service("volume").request("PUT", f"/groups/{group}", more, headers=GROUP_VERSION)
    world.wait(
        lambda: world.ask("volume", "GET", f"/groups/{group}", headers=GROUP_VERSION)["group"]["status"] == "available",
        "the group",
    )
    with pytest.raises(CloudError, match=r"has volumes that are not its own: other\."):
        together(behind, "never").present([partly], dry_run=True)


def test_a_fault_in_passing_makes_one_and_not_two(world, server, name, proxy, behind):
    rules = [
        proxy.on("POST .*/group_snapshots", accepted_and_lost),
        proxy.on("POST .*/v2/images", accepted_and_lost),
        proxy.on("PUT .*/v2/images/.*/file", answers(500)),
    ]
    assert together(behind, name).present([server])["changed"] is True
    assert [rule.met >= 1 for rule in rules] == [True] * len(rules)
    assert (len(world.snapshots()), len(world.images())) == (2, 1)


@pytest.mark.parametrize(
    ("killed_at", "how"),
    [
        ("PUT .*/snapshots/", "again"),
        ("PUT .*/snapshots/", "absent"),
        ("POST .*/v2/images", "absent"),
        ("PUT .*/v2/images/.*/file", "again"),
    ],
    ids=["names-again", "names-absent", "image-absent", "bytes-again"],
)
def test_what_a_run_leaves_that_ends_in_the_middle_is_made_anew_or_removed(
    world, server, name, proxy, behind, killed_at, how
):
    proxy.on(killed_at, answers(403), times=99)
    with pytest.raises(CloudError):
        together(behind, name).present([server])
    left = group_snapshots(world)
    assert len(left) == 1
    if how == "absent":
        assert together(world.cloud, name).absent([server])["changed"] is True
        assert (world.snapshots(), world.images()) == ([], [])
    else:
        assert together(world.cloud, name).present([server])["changed"] is True
        assert (len(world.snapshots()), len(world.images())) == (2, 1)
        assert group_snapshots(world) != left
