# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots of servers, against the Nova and the Glance of tests/labs/openstack."""

from __future__ import annotations

import os
import secrets

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.compute.servers import (
    ServerSnapshotOptions,
    ServerSnapshots,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import CloudError, SomeFailed
from ansible_collections.freezer.backup.tests.support.cloud_proxy import (
    accepted_and_lost,
    accepted_and_silent,
    answers,
    never_sent,
    token_expired,
)
from ansible_collections.freezer.backup.tests.support.scheduler_process import wait_for


@pytest.fixture(scope="module")
def base(world):
    return world.image(os.urandom(300_000))


@pytest.fixture(scope="module")
def server(world, base):
    return world.server(base, "web")


def snapshots(cloud, name, **options):
    return ServerSnapshots(cloud, ServerSnapshotOptions(name, **{"timeout_seconds": 90, **options}))


def fresh_name():
    return f"s-{secrets.token_hex(4)}"


def downloaded(world, image_id):
    return world.cloud.service("image").request("GET", f"/v2/images/{image_id}/file", raw=True).document


def test_a_snapshot_holds_the_bytes_of_the_disk_and_is_made_once(world, server):
    world.disk(server).write_bytes(os.urandom(200_000))
    name = fresh_name()
    done = snapshots(world.cloud, name, metadata={"ticket": "7"}).present(["web"])
    assert done["changed"] is True
    one = done["snapshots"][0]
    assert (one["outcome"], one["server_id"], one["size_bytes"]) == ("success", server, 200_000)
    assert one["snapshot"] == f"vm-{server}-{name}-increment"
    assert downloaded(world, one["image_id"]) == world.disk(server).read_bytes()
    image = world.ask("image", "GET", f"/v2/images/{one['image_id']}")
    assert image["freezer_set"] == name
    assert (image["freezer_owner"], image["freezer_level"], image["ticket"]) == ("freezer.backup", "0", "7")
    again = snapshots(world.cloud, name).present([server])
    assert again["changed"] is False
    assert again["snapshots"][0]["image_id"] == one["image_id"]


def test_an_applied_snapshot_is_the_disk_again_and_the_server_runs(world, server):
    before = os.urandom(100_000)
    world.disk(server).write_bytes(before)
    name = fresh_name()
    snapshots(world.cloud, name).present([server])
    world.disk(server).write_bytes(b"broken")
    done = snapshots(world.cloud, name).applied([server])
    assert done["changed"] is True
    assert world.disk(server).read_bytes() == before
    assert world.server_status(server) == "ACTIVE"
    assert snapshots(world.cloud, name).applied([server])["changed"] is False
    world.disk(server).write_bytes(b"broken again")
    assert snapshots(world.cloud, name, force=True).applied([server])["changed"] is True
    assert world.disk(server).read_bytes() == before


def test_a_server_beside_it_is_made_from_a_snapshot_once(world, server):
    name = fresh_name()
    snapshots(world.cloud, name).present([server])
    done = snapshots(world.cloud, name, restore_as="beside").applied([server])["snapshots"][0]
    assert world.disk(done["restored_server_id"]).read_bytes() == world.disk(server).read_bytes()
    again = snapshots(world.cloud, name, restore_as="beside").applied([server])
    assert again["changed"] is False
    assert again["snapshots"][0]["restored_server_id"] == done["restored_server_id"]
    world.ask("compute", "DELETE", f"/servers/{done['restored_server_id']}")


def test_backups_rotate(world, server):
    kind = fresh_name()
    names = [fresh_name() for _number in range(3)]
    for name in names:
        snapshots(world.cloud, name, incremental=False, backup_type=kind, rotation=2).present([server])

    def kept():
        return sorted(image["name"] for image in world.images() if image.get("backup_type") == kind)

    # Nova removes the oldest one after the newest can be used, and the newest may not be listed yet.
    wait_for(lambda: kept() == sorted(f"vm-{server}-{name}-backup" for name in names[1:]), 90)


def test_only_the_named_snapshot_is_removed(world, server):
    first, second = fresh_name(), fresh_name()
    for name in (first, second):
        snapshots(world.cloud, name).present([server])
    assert snapshots(world.cloud, first).absent([server])["changed"] is True
    assert snapshots(world.cloud, first).absent([server])["changed"] is False
    left = [image["freezer_set"] for image in world.images()]
    assert second in left
    assert first not in left


def test_a_young_snapshot_is_enough(world, server):
    name = fresh_name()
    snapshots(world.cloud, name).present([server])
    done = snapshots(world.cloud, fresh_name(), min_age=3600).present([server])
    assert done["changed"] is False
    assert "min_age" in done["snapshots"][0]["reason"]


def test_quiesce_is_recorded_demanded_and_refused(world, server):
    name = fresh_name()
    assert snapshots(world.cloud, name).present([server])["snapshots"][0]["consistency"] == "crash"
    with pytest.raises(CloudError, match="hw_qemu_guest_agent"):
        snapshots(world.cloud, fresh_name(), require_quiesce=True).present([server])
    held = world.image(b"x" * 1000, hw_qemu_guest_agent="yes", os_require_quiesce="yes")
    other = world.server(held)
    done = snapshots(world.cloud, fresh_name(), require_quiesce=True).present([other])
    assert done["snapshots"][0]["consistency"] == "fs"


def test_a_name_of_no_or_several_servers_is_refused(world, base):
    with pytest.raises(CloudError, match="There is no server 'nobody'"):
        snapshots(world.cloud, "x").present(["nobody"])
    twins = [world.begin_server(base, "twin") for _number in range(2)]
    with pytest.raises(CloudError, match="Several servers are called 'twin'") as told:
        snapshots(world.cloud, "x").present(["twin"])
    assert all(twin in str(told.value) for twin in twins)


def test_check_mode_asks_and_never_writes(world, server, proxy, behind):
    name = fresh_name()
    snapshots(world.cloud, name).present([server])
    proxy.refuse_writes = True
    assert snapshots(behind, fresh_name()).present([server], dry_run=True)["changed"] is True
    assert snapshots(behind, name).present([server], dry_run=True)["changed"] is False
    assert snapshots(behind, name).applied([server], dry_run=True)["changed"] is True
    assert snapshots(behind, name, restore_as="x").applied([server], dry_run=True)["changed"] is True
    assert snapshots(behind, name).absent([server], dry_run=True)["changed"] is True
    assert proxy.refused == []


BUSY = {
    "conflictingRequest": {"code": 409, "message": "Cannot 'createImage' while it is in task_state image_uploading"}
}
FAULTS = {
    "409": answers(409, BUSY),
    "429": answers(429, Retry_After="0"),
    "500": answers(500, {"computeFault": {"code": 500, "message": "Unexpected API Error"}}),
    "accepted-and-lost": accepted_and_lost,
    "accepted-and-silent": accepted_and_silent(5),
    "never-sent": never_sent,
    "token-expired": token_expired,
}
#: What meets the request one after the other: it is given up when no answer comes for the third time.
IN_A_ROW = [("token-expired", "409", "429", "500", "accepted-and-lost"), ("never-sent", "accepted-and-silent")]


@pytest.mark.parametrize("faults", IN_A_ROW, ids=" ".join)
def test_a_fault_in_the_middle_makes_one_snapshot_and_not_two(world, server, proxy, behind, faults):
    rules = [proxy.on("POST .*/action", FAULTS[fault]) for fault in faults]
    name = fresh_name()
    # Less patience than the proxy is silent for.
    impatient = connect_cloud({"auth": {**world.project.auth, "auth_url": proxy.auth_url}, "timeout_seconds": 4}, {})
    done = snapshots(impatient, name).present([server])
    assert done["snapshots"][0]["outcome"] == "success"
    assert [rule.met >= 1 for rule in rules] == [True] * len(rules)
    assert [image["status"] for image in world.images() if image["freezer_set"] == name] == ["active"]


def test_a_fault_while_looking_changes_nothing(server, proxy, behind):
    wheres = ("GET .*/servers/detail", "GET .*/v2/images")
    rules = [proxy.on(where, FAULTS[fault], skip=1) for where in wheres for fault in ("500", "token-expired")]
    assert snapshots(behind, fresh_name()).present([server])["changed"] is True
    assert [rule.met >= 2 for rule in rules] == [True] * len(rules)


def test_a_full_quota_is_a_sentence_and_leaves_nothing(world, server, proxy, behind):
    full = {"forbidden": {"code": 403, "message": "Quota exceeded for image_count"}}
    proxy.on("POST .*/action", answers(403, full), times=9)
    name = fresh_name()
    with pytest.raises(CloudError, match="raise the quota"):
        snapshots(behind, name).present([server])
    assert [image for image in world.images() if image["freezer_set"] == name] == []


def test_an_image_that_nova_gave_up_is_removed_and_the_next_run_makes_it(world, server, proxy, behind):
    name = fresh_name()

    def breaks_it(exchange):
        status, headers, body = exchange.forward()
        return status, headers, body.replace(b'"status": "active"', b'"status": "killed"')

    rule = proxy.on("GET .*/v2/images", breaks_it, times=1000, skip=1)
    with pytest.raises(SomeFailed, match="killed"):
        snapshots(behind, name).present([server])
    rule.times = 0
    assert [image for image in world.images() if image["freezer_set"] == name] == []
    assert snapshots(behind, name).present([server])["changed"] is True


def test_one_of_several_that_fails_is_named_and_the_others_are_done(world, server, base, proxy, behind):
    other = world.server(base)
    proxy.on(f"POST .*/servers/{other}/action", answers(403, {"forbidden": {"message": "policy"}}), times=9)
    name = fresh_name()
    with pytest.raises(SomeFailed) as told:
        snapshots(behind, name).present([server, other])
    results = {one["server_id"]: one["outcome"] for one in told.value.values["snapshots"]}
    assert results == {server: "success", other: "failed"}


def test_a_rebuild_whose_answer_was_lost_ends_with_a_server_that_runs(world, server, proxy, behind):
    name = fresh_name()
    world.disk(server).write_bytes(b"good")
    snapshots(world.cloud, name).present([server])
    world.disk(server).write_bytes(b"bad")
    proxy.on("POST .*/action", accepted_and_lost, times=3)
    snapshots(behind, name).applied([server])
    assert world.disk(server).read_bytes() == b"good"
    assert world.server_status(server) == "ACTIVE"
