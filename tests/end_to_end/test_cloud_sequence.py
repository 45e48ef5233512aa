# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The playbooks backup, restore, remove_backup and finalize on hosts that are servers of tests/labs/openstack, with volumes.

Ansible logs in to this machine in the place of the hosts; the guests that really are frozen are in test_cloud_in_guests.py.
"""

from __future__ import annotations

import json
import signal
import time

import pytest

from ansible_collections.freezer.backup.tests.support.cloud_farm import CloudFarm, changed, three_servers
from ansible_collections.freezer.backup.tests.support.cloud_proxy import CloudProxy, answers
from ansible_collections.freezer.backup.tests.support.soak import SOAK

pytestmark = pytest.mark.rounds


@pytest.fixture(scope="module")
def world(nova_lab):
    made = three_servers(nova_lab)
    made.spare = made.volume("spare")
    yield made
    made.clean()


@pytest.fixture
def farm(tmp_path, world, nova_lab):
    with CloudProxy(nova_lab.auth_url) as proxy:
        made = CloudFarm(tmp_path, world, proxy)
        held = {"freezer_targets": "{{ held_target }}", **made.hooks("snapshot", "delete", "apply")}
        made.services = {"db1": {"freezer_server": "db", "freezer_volumes": "attached", **held}}
        made.compute = {
            "c1": {"freezer_server": "web1", **held},
            # Nobody logs in to it: what would be run there is not.
            "c2": {"freezer_server": "web2", "freezer_volumes": ["spare"], "freezer_api_only": True},
        }
        made.variables = {"freezer_cloud_record_folder": str(tmp_path / "controller")}
        yield made
        for image in world.images():
            world.ask("image", "DELETE", f"/v2/images/{image['id']}")
        for kind in ("backups", "snapshots"):
            world.remove_all_of_cinder(kind)


def _images(world):
    names = {server_id: name for name, server_id in world.ids.items()}
    return sorted(
        (names[image["freezer_server_id"]], image["status"], image["freezer_consistency"]) for image in world.images()
    )


def _of_volumes(world, kind):
    found = world.ask("volume", "GET", f"/{kind}/detail", headers={"OpenStack-API-Version": "volume 3.43"})[kind]
    names = {world.data: "data", world.spare: "spare"}
    return sorted((names[one["volume_id"]], one["status"], one["metadata"]["freezer_consistency"]) for one in found)


def _nothing_is_left(farm, world):
    assert (_images(world), _of_volumes(world, "snapshots"), _of_volumes(world, "backups")) == ([], [], [])
    _nobody_is_held(farm)


def _nobody_is_held(farm):
    history = farm.history()
    for host in ("db1", "c1"):
        assert history.count(f"{host} stop") == history.count(f"{host} start"), history
    assert [path for path in farm.folder.rglob("*.json") if path.name.startswith(("run.", "api-only-"))] == []


def _check(farm, workflow):
    """Run a playbook in check mode against a cloud that refuses writes."""
    farm.proxy.refuse_writes = True
    succeeded, output = farm.run(workflow, "--check", snapshot_name="one")
    assert (succeeded, farm.proxy.refused) == (True, []), output
    farm.proxy.refuse_writes = False
    farm.events.unlink()


def _run(farm, workflow):
    succeeded, output = farm.run(workflow, snapshot_name="one")
    assert succeeded, output


def _run_again(farm, workflow):
    """A second run changes nothing."""
    farm.services["db1"]["freezer_hooks"] = farm.compute["c1"]["freezer_hooks"] = {}
    succeeded, output = farm.run(workflow, snapshot_name="one")
    assert (succeeded, changed(output)) == (True, 0), output


def test_a_set_of_servers_and_volumes_is_taken_while_its_hosts_are_held_and_restored_and_removed(farm, world):
    world.disk(world.ids["web1"]).write_bytes(b"good")
    world.write(world.spare, 0, b"good")
    before = world.digest(world.spare)
    succeeded, output = farm.run("backup", snapshot_name="one", snapshot_type="daily")
    assert succeeded, output
    assert _images(world) == [("db", "active", "app"), ("web1", "active", "app"), ("web2", "active", "crash")]
    assert _of_volumes(world, "snapshots") == [("data", "available", "app"), ("spare", "available", "fs")]
    everybody = {"db1", "c1", "c2"}
    assert farm.phases() == [
        ("prepare", "start", {"db1"}),
        ("prepare", "done", {"db1"}),
        ("freeze", "start", {"c1", "c2"}),
        ("freeze", "done", {"c1", "c2"}),
        ("snapshot", "start", everybody),
        ("snapshot", "done", everybody),
        ("finalize", "start", {"c1", "c2"}),
        ("finalize", "done", {"c1", "c2"}),
        ("finalize", "start", {"db1"}),
        ("finalize", "done", {"db1"}),
        ("upload", "start", everybody),
        ("upload", "done", everybody),
    ]
    _nobody_is_held(farm)
    taken = [line for line in farm.logged() if line["step"] == "snapshot" and "cloud" in line]
    assert {line["host"]: len(line["cloud"]) for line in taken} == {"db1": 2, "c1": 1, "c2": 2}
    succeeded, output = farm.run("backup", snapshot_name="one")
    assert not succeeded
    assert "already. Choose another snapshot_name" in output.replace("\n", " ")
    assert len(_images(world)) == 3

    world.disk(world.ids["web1"]).write_bytes(b"bad")
    world.write(world.spare, 0, b"bad")
    _check(farm, "restore")
    _run(farm, "restore")
    assert world.disk(world.ids["web1"]).read_bytes() == b"good"
    assert world.digest(world.spare) == before
    assert [world.server_status(one) for one in world.ids.values()] == ["ACTIVE"] * 3
    assert world.get_volume(world.data)["status"] == "in-use"
    assert "c1 apply" in farm.history()

    _run(farm, "remove_backup")
    _nothing_is_left(farm, world)


@pytest.mark.soak
def test_a_backup_and_a_removal_write_nothing_in_check_mode_and_a_second_removal_and_finalize_change_nothing(
    farm, world
):
    """The modules in check mode, and twice, are in tests/integration/modules/test_cloud_modules.py."""
    _check(farm, "backup")
    _nothing_is_left(farm, world)
    _run(farm, "backup")
    _check(farm, "remove_backup")
    assert len(_images(world)) == 3
    _run(farm, "remove_backup")
    _run_again(farm, "remove_backup")
    _run_again(farm, "finalize")


def test_full_backups_hold_hosts_until_they_are_taken_and_rotate_by_type_after_success(farm, world):
    farm.services["db1"].pop("freezer_server")
    farm.services["db1"]["freezer_volumes"] = "data"
    farm.compute.pop("c1")
    farm.compute["c2"].pop("freezer_volumes")
    farm.variables["freezer_backup_level"] = "auto"
    for name in ("one", "two"):
        succeeded, output = farm.run(
            "backup", snapshot_name=name, snapshot_incremental=False, snapshot_type="daily", snapshot_rotation=1
        )
        assert succeeded, output
    # One image is kept, and one chain: the second backup builds on the first one.
    assert [image["freezer_set"] for image in world.images()] == ["sequence-daily"]
    assert _of_volumes(world, "backups") == [("data", "available", "app")] * 2
    backups = world.ask("volume", "GET", "/backups/detail")["backups"]
    assert sorted(one["is_incremental"] for one in backups) == [False, True]
    assert _of_volumes(world, "snapshots") == []
    lines = [(line["step"], line["event"], line["host"]) for line in farm.logged()]
    assert lines.index(("finalize", "done", "db1")) < lines.index(("upload", "start", "db1"))
    _nobody_is_held(farm)
    if SOAK:
        succeeded, output = farm.run("remove_backup", snapshot_name="two", snapshot_incremental=False)
        assert succeeded, output
        assert (_images(world), len(_of_volumes(world, "backups"))) == ([], 1)


_REFUSED = answers(403, {"forbidden": {"message": "refused on purpose"}})
#: Where it fails, what fails there, and the last step that is reached before all are let go.
_FAULTS = {
    "check": ("GET .*/v2/images[?]", "snapshot: "),
    "prepare": ("db1", "prepare: "),
    "freeze": ("c1", "freeze: "),
    "snapshot of a volume": ("POST .*/snapshots$", "snapshot: "),
    "snapshot of a server": ("POST .*/action", "snapshot: "),
    "hook of the snapshot": ("c1", "snapshot: "),
    "upload": ("", "upload: "),
}


#: `make soak` has all of them; each takes a run of the whole sequence.
_BROKEN_PHASES = list(_FAULTS) if SOAK else ["snapshot of a server", "upload"]


@pytest.mark.parametrize("phase", _BROKEN_PHASES)
def test_a_failure_in_any_phase_leaves_no_host_quiesced_and_nothing_incomplete(farm, world, phase):
    where, sentence = _FAULTS[phase]
    if phase == "upload":
        # The image is there while the hosts are held, and Nova gives it up later.
        def gives_up(exchange):
            status, headers, body = exchange.forward()
            lost = farm.events.exists() and '"step": "upload"' in farm.events.read_text()
            return (
                status,
                headers,
                body.replace(b'"status": "active"', b'"status": "killed"' if lost else b'"status": "saving"'),
            )

        rule = farm.proxy.on("GET .*/v2/images[?]", gives_up, times=9999)
    elif where.startswith(("GET", "POST")):
        # What is looked up first ends the run by itself if it fails.
        rule = farm.proxy.on(where, _REFUSED, times=9999, skip=phase == "check")
    else:
        step = phase if phase in ("prepare", "freeze") else "snapshot"
        host = farm.services.get(where) or farm.compute[where]
        host.update(farm.hooks(step, "delete"))
        farm.break_hook(where, step)
        rule = None
    succeeded, output = farm.run("backup", snapshot_name="one")
    if rule:
        rule.times = 0
    assert not succeeded
    assert sentence in output
    steps = {line["step"] for line in farm.logged() if line["event"] == "start"}
    assert ("snapshot" in steps) == (phase not in ("check", "prepare", "freeze"))
    assert ("upload" in steps) == (phase == "upload")
    lines = [(line["step"], line["event"], line["host"]) for line in farm.logged()]
    for host in ("db1", "c1", "c2"):
        assert ("finalize", "done", host) in lines
    _nothing_is_left(farm, world)


def test_what_a_killed_controller_has_left_in_the_cloud_is_removed_by_finalize(farm, world):
    farm.variables["freezer_deadline_seconds"] = 30
    with farm.start("backup", snapshot_name="one") as process:
        while not any(line["step"] == "snapshot" and "cloud" in line for line in farm.logged()):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    records = [
        json.loads(path.read_text())["snapshot_name"]
        for path in farm.folder.rglob("*.json")
        if "run" in path.name or "api-only" in path.name
    ]
    assert records == ["one"] * 3
    succeeded, output = farm.run("finalize")
    assert succeeded, output
    _nothing_is_left(farm, world)
