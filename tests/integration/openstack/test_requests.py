# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What snapshots and a backup cost in requests, counted on their way. That of many is in tests/end_to_end/test_cloud_scale.py."""

from __future__ import annotations

import os
import secrets

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
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

NUMBER = 4
#: So many there were when http.client sent them, and so many there are: one for a token, the lists that all wait with, one
#: for each snapshot, and for the servers one for their image.
OF_SERVERS = 3 + 1 + NUMBER
OF_VOLUMES = 3 + NUMBER
#: Of three segments, the first backup of a container.
OF_BACKUP = 26
#: Clouds differ, and so do releases of the libraries.
MORE = 1.1


def cost(proxy):
    """How many requests there were. Looking again whether something is done counts once: how often depends on the machine."""
    reads = [line for line in proxy.requests if line.startswith("GET")]
    return proxy.logins + len(set(reads)) + len(proxy.requests) - len(reads)


def test_snapshots_of_servers_cost_so_many_requests(world, proxy, behind):
    base = world.image(os.urandom(50_000))
    servers = [*world.servers(base, (f"counted{number}" for number in range(NUMBER))).values()]
    ServerSnapshots(behind, ServerSnapshotOptions(secrets.token_hex(4), timeout_seconds=90)).present(servers)
    assert proxy.logins == 1
    assert cost(proxy) <= MORE * OF_SERVERS


def test_snapshots_of_volumes_cost_so_many_requests(world, proxy, behind):
    volumes = [world.volume(f"counted{number}") for number in range(NUMBER)]
    VolumeSnapshots(behind, VolumeSnapshotOptions(secrets.token_hex(4), timeout_seconds=90)).present(volumes)
    assert proxy.logins == 1
    assert cost(proxy) <= MORE * OF_VOLUMES


@pytest.mark.usefixtures("through_proxy")
def test_a_backup_to_swift_costs_so_many_requests(tmp_path, proxy):
    source = tmp_path / "source"
    source.mkdir()
    (source / "big").write_bytes(os.urandom(20 << 20))
    place = {"storage": "swift", "container": f"c-{secrets.token_hex(6)}", "max_segment_size": "8M"}
    agent.backup({"path_to_backup": str(source), "backup_name": "tree", "hostname": "host", **place})
    assert proxy.logins == 1
    assert proxy.logins + len(proxy.requests) <= MORE * OF_BACKUP
