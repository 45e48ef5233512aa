# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The playbooks suspend, resume and statistics on hosts that are servers of tests/labs/openstack."""

from __future__ import annotations

import json

import pytest

from ansible_collections.freezer.backup.tests.support.cloud_farm import CloudFarm, changed, three_servers
from ansible_collections.freezer.backup.tests.support.cloud_proxy import CloudProxy, answers
from ansible_collections.freezer.backup.tests.support.soak import SOAK

pytestmark = pytest.mark.rounds

_NAMES = ("db", "web1", "web2")


@pytest.fixture(scope="module")
def world(nova_lab):
    made = three_servers(nova_lab)
    yield made
    made.clean()


@pytest.fixture
def farm(tmp_path, world, nova_lab):
    with CloudProxy(nova_lab.auth_url) as proxy:
        made = CloudFarm(tmp_path, world, proxy)
        hooks = made.hooks("suspend", "resume", "statistics")
        made.services = {"db1": {"freezer_server": "db", **hooks}}
        made.compute = {
            "c1": {"freezer_server": world.ids["web1"], **hooks},
            "c2": {"freezer_server": "web2", "freezer_api_only": True},
        }
        yield made


def _states(world):
    return [world.server_status(world.ids[name]) for name in _NAMES]


def test_dependents_are_suspended_first_and_resumed_last_once_and_in_check_mode_never(farm, world):
    farm.proxy.refuse_writes = True
    succeeded, output = farm.run("suspend", "--check")
    assert succeeded, output
    assert (farm.proxy.refused, _states(world)) == ([], ["ACTIVE"] * 3)
    assert changed(output) > 0
    farm.proxy.refuse_writes = False
    farm.events.unlink()

    succeeded, output = farm.run("suspend")
    assert succeeded, output
    assert _states(world) == ["SUSPENDED"] * 3
    assert farm.phases() == [
        ("suspend", "start", {"c1", "c2"}),
        ("suspend", "done", {"c1", "c2"}),
        ("suspend", "start", {"db1"}),
        ("suspend", "done", {"db1"}),
    ]
    assert farm.history() == ["c1 suspend", "db1 suspend"]
    succeeded, output = farm.run("suspend")
    assert (succeeded, changed(output)) == (True, 0), output
    assert farm.history() == ["c1 suspend", "db1 suspend"]

    farm.events.unlink()
    succeeded, output = farm.run("resume")
    assert succeeded, output
    assert _states(world) == ["ACTIVE"] * 3
    assert [hosts for _step, event, hosts in farm.phases() if event == "done"] == [{"db1"}, {"c1", "c2"}]
    assert farm.history()[2:] == ["db1 resume", "c1 resume"]
    if SOAK:
        farm.compute["c1"]["freezer_hooks"] = farm.services["db1"]["freezer_hooks"] = {}
        succeeded, output = farm.run("resume")
        assert (succeeded, changed(output)) == (True, 0), output


def test_a_host_that_is_left_out_or_skipped_stays_as_it_is_and_nova_that_is_busy_is_asked_again(farm, world):
    farm.compute["c1"]["skip_actions"] = ["suspend"]
    busy = farm.proxy.on("POST .*/action", answers(409, {"conflictingRequest": {"message": "task_state"}}))
    succeeded, output = farm.run("suspend", include_instances="c1,c2")
    assert succeeded, output
    assert busy.met == 2
    assert _states(world) == ["ACTIVE", "ACTIVE", "SUSPENDED"]
    succeeded, output = farm.run("resume", include_instances="c2")
    assert succeeded, output
    assert _states(world) == ["ACTIVE"] * 3


def test_when_one_fails_whom_it_needs_goes_on_running_and_a_second_run_goes_on(farm, world):
    farm.compute["c1"]["freezer_depends_on"] = ["c2"]
    if SOAK:
        # What does not stop on a host keeps its server running, as Nova that refuses does.
        broken = farm.break_hook("c1", "suspend")
        succeeded, output = farm.run("suspend")
        assert not succeeded
        assert "c1: suspend: " in output
        assert _states(world) == ["ACTIVE"] * 3
        broken.unlink()
    rule = farm.proxy.on("POST .*/action", answers(403, {"forbidden": {"message": "not you"}}), times=99, skip=1)
    succeeded, output = farm.run("suspend")
    assert not succeeded
    assert _states(world) == ["ACTIVE", "SUSPENDED", "ACTIVE"]
    assert "c2: suspend: " in output
    farm.proxy.rules.remove(rule)
    succeeded, output = farm.run("suspend")
    assert succeeded, output
    assert _states(world) == ["SUSPENDED"] * 3
    farm.events.unlink()
    succeeded, output = farm.run("resume")
    assert succeeded, output
    assert [hosts for _step, event, hosts in farm.phases() if event == "done"] == [{"db1"}, {"c2"}, {"c1"}]


def test_unknown_names_and_circles_end_it_before_anything(farm, world):
    farm.compute["c1"]["freezer_server"] = "nobody"
    farm.proxy.refuse_writes = True
    succeeded, output = farm.run("suspend")
    assert not succeeded
    assert "There is no server 'nobody' in this project." in output
    farm.compute["c1"]["freezer_server"] = "web1"
    farm.compute["c1"]["freezer_depends_on"] = ["c2"]
    farm.compute["c2"]["freezer_depends_on"] = ["c1"]
    succeeded, output = farm.run("suspend")
    assert not succeeded
    assert "Each of these needs another one of them: c1, c2." in output
    assert (farm.proxy.refused, _states(world)) == ([], ["ACTIVE"] * 3)


def test_statistics_tell_of_servers_and_their_volumes_in_a_table_and_a_file(farm, world, tmp_path):
    farm.proxy.refuse_writes = True
    path = tmp_path / "statistics.json"
    succeeded, output = farm.run("statistics", freezer_statistics_file=str(path), exclude_types="freezer_compute")
    assert succeeded, output
    found = json.loads(path.read_text())
    assert [one["name"] for one in found["servers"]] == ["db"]
    assert [one["name"] for one in found["volumes"]] == ["data"]
    assert farm.history() == ["db1 statistics"]
    farm.services = farm.compute = {}
    succeeded, output = farm.run("statistics", statistics_file=str(path))
    assert succeeded, output
    assert sorted(one["name"] for one in json.loads(path.read_text())["servers"]) == sorted(_NAMES)
    assert "never" in output
    assert farm.proxy.refused == []
