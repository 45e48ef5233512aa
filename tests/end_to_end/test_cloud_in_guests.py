# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Guests of tests/labs/guests, whose file systems really are frozen, around snapshots that the Nova and the Cinder of
tests/labs/openstack take of servers and volumes in their place."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.cloud_farm import CloudFarm, changed
from ansible_collections.freezer.backup.tests.support.cloud_proxy import CloudProxy
from ansible_collections.freezer.backup.tests.support.cloud_world import World

# The writer stays behind in the guest until the file system is thawed.
_CANNOT_WRITE = (
    "rm -f /run/late; sh -c 'echo now >/srv/data/late; touch /run/late' >/dev/null 2>&1 & sleep 1; test ! -e /run/late"
)
_WRITES = "timeout 3 sh -c 'echo now >/srv/data/written; sync -f /srv/data'"


@pytest.fixture
def farm(tmp_path, nova_lab, guests):
    world = World(nova_lab, cloud_lab.new_project(nova_lab))
    with CloudProxy(nova_lab.auth_url) as proxy:
        made = CloudFarm(tmp_path, world, proxy)
        made.ways = {}
        yield made
    world.clean()
    for guest in guests:
        guest.attempt("rm -rf /srv/data/late /srv/data/written /run/freezer-backup /var/lib/freezer-backup")


def test_guests_are_frozen_when_the_cloud_is_asked_and_go_on_before_the_images_have_arrived(
    farm, guests, record_testsuite_property
):
    image = farm.world.image(os.urandom(5000))
    for guest in guests:
        server, volume = farm.world.server(image, guest.name), farm.world.volume(f"{guest.name}-data")
        farm.world.attach(server, volume)
        farm.compute[guest.name] = {
            "freezer_server": guest.name,
            "freezer_volumes": "attached",
            "freezer_targets": [{"path": "/srv/data"}],
        }
    asked, went_on = [], []

    def while_frozen(exchange):
        asked.append((exchange.path, [guest.attempt(_CANNOT_WRITE).returncode for guest in guests]))
        return exchange.forward()

    def late(exchange):
        """An upload that takes until the guests have gone on: the lab's images are there too soon to see it."""
        status, headers, body = exchange.forward()
        if len([line for line in farm.logged() if (line["step"], line["event"]) == ("finalize", "done")]) < len(guests):
            return status, headers, body.replace(b'"status": "active"', b'"status": "saving"')
        if not went_on:
            went_on.extend(guest.attempt(_WRITES).returncode for guest in guests)
        return status, headers, body

    farm.proxy.on("POST .*(/action|/snapshots)$", while_frozen, times=99)
    farm.proxy.on("GET .*/v2/images[?]", late, times=9999)
    succeeded, output = farm.run("backup", "-i", guests[0].inventory, snapshot_name="one")
    assert succeeded, output
    assert [results for _path, results in asked] == [[0, 0]] * 4
    assert sum(path.endswith("/action") for path, _results in asked) == 2
    assert went_on == [0, 0]
    assert [image["freezer_consistency"] for image in farm.world.images()] == ["fs", "fs"]
    steps = [(line["step"], line["event"]) for line in farm.logged() if line["event"] != "note"]
    assert steps.index(("upload", "start")) > max(
        number for number, step in enumerate(steps) if step == ("finalize", "done")
    )
    held = [line["held_seconds"] for line in farm.logged() if "held_seconds" in line]
    assert len(held) == 2
    record_testsuite_property("held_seconds", held)
    print(f"guests were held for {held} seconds")


# What hooks of suspend and resume do is in test_cloud_power_playbooks.py, and what this one does in test_hooks_in_guests.py.
@pytest.mark.soak
def test_services_of_hosts_are_stopped_by_suspend_and_started_by_resume(farm, guests):
    hook = [{"role": "freezer.backup.hooks", "tasks_from": "service"}]
    unit = "freezer-test.service"
    for guest in guests:
        guest.write(f"/run/systemd/system/{unit}", "[Service]\nExecStart=sleep infinity\n")
        guest.run(f"systemctl daemon-reload; systemctl start {unit}")
        farm.compute[guest.name] = {"freezer_hooks": {"suspend": hook, "resume": hook}, "hooks_services": [unit]}
    state = f"systemctl is-active {unit} || :"
    for playbook, expected in (("suspend", "inactive"), ("resume", "active")):
        for changes in (len(guests), 0):
            succeeded, output = farm.run(playbook, "-i", guests[0].inventory)
            assert (succeeded, changed(output)) == (True, changes), output
            assert [guest.run(state).strip() for guest in guests] == [expected] * 2
    for guest in guests:
        guest.run(f"systemctl stop {unit}; rm /run/systemd/system/{unit}; systemctl daemon-reload")
