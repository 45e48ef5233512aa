# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is said of servers, volumes and their backups, against the services of tests/labs/openstack."""

from __future__ import annotations

import os
from datetime import UTC, datetime

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
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import CloudError
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.statistics import _backups, statistics
from ansible_collections.freezer.backup.tests.support.cloud_proxy import answers

_DIAGNOSTICS = "GET .*/diagnostics"


@pytest.fixture(scope="module")
def project(world):
    """A server with a volume, one without, and a volume of nobody; some have backups."""
    image = world.image(os.urandom(70_000))
    web, _other = world.server(image, "web"), world.server(image, "other")
    data = world.volume("data")
    world.volume("spare")
    world.attach(web, data)
    ServerSnapshots(world.cloud, ServerSnapshotOptions("one")).present(["web"])
    ServerSnapshots(world.cloud, ServerSnapshotOptions("two")).present(["web"])
    VolumeSnapshots(world.cloud, VolumeSnapshotOptions("one")).present(["spare"])
    VolumeSnapshots(world.cloud, VolumeSnapshotOptions("two", incremental=False)).present(["spare"])
    return world


def test_states_sizes_attachments_and_backups_are_told_of_all(project):
    found = statistics(project.cloud)
    servers = {one["name"]: one for one in found["servers"]}
    volumes = {one["name"]: one for one in found["volumes"]}
    assert (set(servers), set(volumes)) == ({"web", "other"}, {"data", "spare"})
    web = servers["web"]
    assert (web["status"], web["vcpus"], web["ram_mib"], web["disk_gib"]) == ("ACTIVE", 1, 16, 1)
    assert web["volume_ids"] == [volumes["data"]["id"]]
    assert volumes["data"]["server_ids"] == [web["id"]]
    assert (web["backups"]["count"], web["backups"]["size_bytes"]) == (2, 140_000)
    assert web["backups"]["newest"] == f"vm-{web['id']}-two-increment"
    assert 0 <= web["backups"]["newest_age_seconds"] < 300
    assert servers["other"]["backups"]["newest_age_seconds"] is None
    spare = volumes["spare"]
    assert (spare["size_gib"], spare["snapshots"]["count"], spare["backups"]["count"]) == (1, 1, 1)
    assert found["totals"] == {
        "servers": 2,
        "volumes": 2,
        "volume_size_gib": 2,
        "image_size_bytes": 140_000,
        "snapshot_size_gib": 1,
        "backup_size_gib": 1,
        "servers_without_backup": ["other"],
        "volumes_without_backup": ["data"],
    }
    lines = {line.split()[1]: line for line in found["table"][1:]}
    assert "136.7 KiB" in lines["web"]
    assert "never" in lines["other"]
    assert "2 GiB" in lines["spare"]


def test_a_named_server_brings_its_volumes_and_nothing_else(project):
    found = statistics(project.cloud, ["web"])
    assert [one["name"] for one in found["servers"]] == ["web"]
    assert [one["name"] for one in found["volumes"]] == ["data"]
    found = statistics(project.cloud, [], ["spare"])
    assert (found["servers"], [one["name"] for one in found["volumes"]]) == ([], ["spare"])
    with pytest.raises(CloudError, match="There is no server 'nobody'"):
        statistics(project.cloud, ["nobody"])


def test_diagnostics_are_what_the_hypervisor_says(project, behind, proxy):
    # The policy of a cloud shows them to administrators; what is asked and taken over is the same.
    proxy.on(_DIAGNOSTICS, answers(200, {"state": "running", "driver": "libvirt", "num_cpus": 1}), times=2)
    found = statistics(behind)
    assert [one["diagnostics"]["state"] for one in found["servers"]] == ["running", "running"]


def test_diagnostics_that_are_refused_are_asked_for_once_and_nothing_fails(project, behind, proxy):
    found = statistics(behind, concurrency=1)
    assert len([line for line in proxy.requests if line.endswith("/diagnostics")]) == 1
    for one in found["servers"]:
        assert one["diagnostics"] is None
        assert "policy" in one["diagnostics_reason"]


def test_lists_are_asked_for_once_and_nothing_is_written(project, behind, proxy):
    statistics(behind, diagnostics=False)
    assert dict(proxy.methods()) == {"GET": 5}


@pytest.mark.parametrize("as_listed", [(0, 1), (1, 0)])
def test_of_two_made_in_the_same_second_the_one_of_the_later_run_is_the_newest(as_listed):
    # Glance keeps whole seconds, and lists those of one second by their ids.
    images = [
        {"name": name, "created_at": "2026-11-30T04:10:07Z", "status": "active", "size": 7, "freezer_run": run}
        for name, run in (("one", "01764475807000000001-a"), ("two", "01764475807000000002-a"))
    ]
    for one in images:
        one["id"] = one["name"]
    now = datetime(2026, 11, 30, 4, 10, 9, tzinfo=UTC)
    found = _backups([images[index] for index in as_listed], "active", now)
    assert (found["newest"], found["newest_age_seconds"]) == ("two", 2)
