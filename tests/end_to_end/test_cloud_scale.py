# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a play costs with 100 servers and 200 volumes: the requests to the cloud, counted on their way.

For `make soak` only: with a few, the lists that all wait with hide what is asked for once for each. What modules ask for is
counted in tests/integration/openstack/test_taken.py.
"""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest

from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.cloud_farm import CloudFarm
from ansible_collections.freezer.backup.tests.support.cloud_proxy import CloudProxy
from ansible_collections.freezer.backup.tests.support.cloud_world import World
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.soak

#: There have to be a few to compare with, however few the rounds are.
_MANY = max(20, rounds(100))
_FEW = _MANY // 10
#: A server and its two volumes.
_SNAPSHOTS = 3


@pytest.fixture(scope="module")
def world(nova_lab):
    made = World(nova_lab, cloud_lab.new_project(nova_lab))
    made.wait_seconds = 20 * _MANY
    image = made.image(b"x" * 5000)
    for number in range(2 * _MANY):
        made.begin_volume(f"volume{number}")
    made.wait(
        lambda: {one["status"] for one in made.ask("volume", "GET", "/volumes/detail")["volumes"]} == {"available"},
        "the volumes",
    )
    made.servers(image, (f"server{number}" for number in range(_MANY)))
    yield made
    made.clean()


def test_requests_for_each_server_do_not_become_more_with_their_number(tmp_path, world, nova_lab):
    costs, seconds = {}, {}
    for number in (_FEW, _MANY):
        folder = tmp_path / str(number)
        folder.mkdir()
        with CloudProxy(nova_lab.auth_url) as proxy:
            farm = CloudFarm(folder, world, proxy)
            farm.seconds = 3000
            farm.compute = {
                f"h{one}": {
                    "freezer_server": f"server{one}",
                    "freezer_volumes": [f"volume{2 * one}", f"volume{2 * one + 1}"],
                    "freezer_api_only": True,
                }
                for one in range(number)
            }
            farm.variables = {"freezer_cloud_record_folder": str(folder / "record"), "freezer_cloud_concurrency": 16}
            began = time.monotonic()
            succeeded, output = farm.run("backup", snapshot_name=f"of{number}")
            seconds[number] = time.monotonic() - began
            assert succeeded, output[-5000:]
            costs[number] = Counter(_kind(line) for line in proxy.requests)
    for number, cost in costs.items():
        each = sum(cost.values()) / number
        print(f"{number} servers, {2 * number} volumes: {each:.1f} requests a server, {seconds[number]:.0f} s, {cost}")
        assert sum(count for line, count in cost.items() if line.startswith("POST")) == _SNAPSHOTS * number
    assert sum(costs[_MANY].values()) / _MANY <= sum(costs[_FEW].values()) / _FEW


def _kind(line):
    """A request without ids and queries."""
    return re.sub(r"[0-9a-f]{8}-?[0-9a-f-]{24,28}", "ID", line.partition("?")[0])
