# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Servers as the agent keeps them: images in Swift, against tests/labs/openstack; bytes are compared in its files."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import CloudError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import SetBusy
from ansible_collections.freezer.backup.tests.support.agent_process import IMPORT_ROOT
from ansible_collections.freezer.backup.tests.support.cloud_proxy import (
    accepted_and_lost,
    accepted_and_silent,
    answers,
    breaks_after,
    damaged,
    token_expired,
)
from ansible_collections.freezer.backup.tests.support.cloud_world import GIGABYTE


@pytest.fixture(scope="module")
def server(world):
    return world.server(world.image(os.urandom(300_000)), "web")


@pytest.fixture
def action(server):
    return {
        "nova_inst_id": server,
        "hostname": "host",
        "storage": "swift",
        "container": f"c-{secrets.token_hex(6)}",
        "cloud_timeout_seconds": 120,
    }


def temporary(world):
    """Names of what is there only while a backup is made."""
    images = world.ask("image", "GET", f"/v2/images?owner={world.project.id}&limit=1000")["images"]
    volumes = world.ask("volume", "GET", "/volumes")["volumes"]
    snapshots = world.ask("volume", "GET", "/snapshots")["snapshots"]
    return [one["name"] for one in (*images, *volumes, *snapshots) if "freezer-temp" in one["name"]]


@pytest.mark.usefixtures("as_member")
def test_a_server_becomes_one_large_object_and_of_that_a_new_server(world, server, action):
    world.disk(server).write_bytes(os.urandom(17 << 20))
    done = agent.backup(action)
    assert (done["changed"], done["outcome"], done["level"], done["consistency"]) == (True, "success", 0, "crash")
    place = f"{server}/{done['timestamp']}"
    assert done["storages"] == [
        {"storage": "swift", "container": action["container"], "folder": place, "outcome": "success"}
    ]
    found = world.cloud.service("object-store").request("GET", f"/{action['container']}/{place}", raw=True)
    assert found.document == world.disk(server).read_bytes()
    assert found.headers["x-object-meta-resource-name"] == "web"
    assert found.headers["x-object-meta-sha256"] == done["disks"][0]["sha256"]
    record = done["metadata"]
    assert (record["nova_inst_id"], record["mode"], record["stored_bytes"]) == (server, "nova", 17 << 20)
    assert (record["container"], record["folder"]) == (action["container"], place)
    assert f"--storage swift --container {action['container']}" in record["cli"]
    assert temporary(world) == []
    listed = agent.info({"storage": "swift", "container": action["container"]})["backups"]
    assert [one["backup_id"] for one in listed] == [done["backup_id"]]
    assert agent.restore(action, dry_run=True)["restored_server"] == f"web~{done['timestamp']}"
    new = agent.restore(action)
    assert (new["changed"], new["outcome"]) == (True, "success")
    assert world.disk(new["restored_server_id"]).read_bytes() == world.disk(server).read_bytes()
    assert world.get_server(new["restored_server_id"])["flavor"] == world.get_server(server)["flavor"]
    again = agent.restore(action)
    assert (again["changed"], again["restored_server_id"]) == (False, new["restored_server_id"])


@pytest.mark.usefixtures("as_member")
def test_of_several_a_restore_takes_the_one_that_is_meant_and_prune_leaves_what_rules_keep(world, server, action):
    kept = []
    for _number in range(2):
        world.disk(server).write_bytes(os.urandom(5000))
        kept.append((agent.backup({**action, "backup_name": "nightly"}), world.disk(server).read_bytes()))
    other = agent.backup({**action, "backup_name": "weekly"})
    first, second = (done for done, _bytes in kept)
    by_date = agent.restore(
        {**action, "backup_name": "nightly", "restore_from_date": first["timestamp"], "restore_as": "a"}
    )
    assert by_date["backup_id"] == first["backup_id"]
    assert world.disk(by_date["restored_server_id"]).read_bytes() == kept[0][1]
    by_id = agent.restore({**action, "backup_id": first["backup_id"], "restore_as": "b"}, dry_run=True)
    assert by_id["timestamp"] == first["timestamp"]
    assert agent.restore({**action, "restore_as": "c"}, dry_run=True)["backup_id"] == other["backup_id"]
    with pytest.raises(ArchiveError, match="that is old enough"):
        agent.restore({**action, "restore_from_date": first["timestamp"] - 1000})
    young = agent.backup({**action, "backup_name": "nightly", "min_age": 3600})
    assert (young["changed"], young["backup_id"]) == (False, second["backup_id"])
    rules = {**action, "backup_name": "nightly", "keep_last": 1}
    planned = agent.prune(rules, dry_run=True)
    assert (planned["outcome"], planned["removed_count"]) == ("planned", 1)
    assert len(agent.info(action)["backups"]) == 3
    pruned = agent.prune(rules)
    assert [one["backup_id"] for one in pruned["removed"]] == [first["backup_id"]]
    assert agent.prune(rules)["removed"] == []
    assert {one["backup_id"] for one in agent.info(action)["backups"]} == {second["backup_id"], other["backup_id"]}
    left = world.objects(action["container"])
    assert not [name for name in left if f"/{first['timestamp']}" in name]


@pytest.mark.usefixtures("as_member")
def test_what_is_damaged_or_missing_is_found(world, server, action):
    world.disk(server).write_bytes(os.urandom(17 << 20))
    done = agent.backup(action)
    for check in ("segments", "stream"):
        assert agent.verify({**action, "check": check})["outcome"] == "success"
    swift = world.cloud.service("object-store")
    segments = f"{action['container']}_segments"
    pieces = sorted(world.objects(segments))
    place = f"/{action['container']}/{server}/{done['timestamp']}"
    swift.request("DELETE", f"/{segments}/{pieces[-1]}", raw=True)
    with pytest.raises(DamagedArchive, match="lacks segments"):
        agent.verify({**action, "check": "segments"})
    swift.request("PUT", place, data=os.urandom(17 << 20), raw=True)
    assert agent.verify({**action, "check": "segments"})["outcome"] == "success"
    with pytest.raises(DamagedArchive, match="is damaged: it has"):
        agent.verify(action)
    with pytest.raises(DamagedArchive, match="is damaged: it has"):
        agent.restore({**action, "restore_as": "never"})
    names = [one["name"] for one in world.ask("compute", "GET", "/servers")["servers"]]
    assert "never" not in names
    images = world.ask("image", "GET", f"/v2/images?name=freezer-{done['backup_id']}")["images"]
    assert images == []
    swift.request("DELETE", place, raw=True)
    with pytest.raises(DamagedArchive, match="is missing"):
        agent.verify({**action, "check": "segments"})


@pytest.mark.usefixtures("as_member")
def test_a_server_that_boots_from_a_volume_is_kept_with_it_and_restored(world, action):
    image = world.image(os.urandom(1 << 20))
    volume = world.volume("root", imageRef=image)
    mapping = [{"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": 0}]
    server = world.server("", "from-volume", imageRef="", block_device_mapping_v2=mapping)
    action = {**action, "nova_inst_id": server, "cloud_timeout_seconds": 600}
    done = agent.backup(action)
    assert [(one["volume_id"], one["bytes"]) for one in done["disks"]] == [(volume, GIGABYTE)]
    assert temporary(world) == []
    new = agent.restore(action)
    assert world.server_status(new["restored_server_id"]) == "ACTIVE"
    attached = world.get_server(new["restored_server_id"])["os-extended-volumes:volumes_attached"]
    assert [one["id"] for one in attached] == new["volume_ids"]
    assert new["volume_ids"] != [volume]
    assert world.digest(new["volume_ids"][0]) == world.digest(volume)
    assert agent.restore(action)["changed"] is False


BUSY = {
    "conflictingRequest": {"code": 409, "message": "Cannot 'createImage' while it is in task_state image_uploading"}
}
#: What meets the requests of a backup one after the other: several faults of each step, which do not add up to giving it up.
FAULTS = {
    "busy-refused-lost": [
        ("POST .*/action", answers(409, BUSY)),
        ("POST .*/action", answers(429, Retry_After="0")),
        ("GET .*/v2/images/.*/file", token_expired),
        ("GET .*/v2/images/.*/file", breaks_after(100_000)),
        ("PUT .*/c-", answers(500)),
    ],
    "fails-and-is-silent": [
        ("POST .*/action", answers(500)),
        ("POST .*/action", accepted_and_lost),
        ("GET .*/v2/images/.*/file", accepted_and_lost),
        ("PUT .*/c-", token_expired),
    ],
}


@pytest.mark.parametrize("faults", list(FAULTS.values()), ids=list(FAULTS))
def test_faults_in_passing_make_one_whole_backup(world, server, action, through_proxy, faults):
    world.disk(server).write_bytes(os.urandom(300_000))
    rules = [through_proxy.on(pattern, what) for pattern, what in faults]
    done = agent.backup(action)
    assert [rule.met >= 1 for rule in rules] == [True] * len(rules)
    content = world.cloud.service("object-store").request(
        "GET", f"/{action['container']}/{server}/{done['timestamp']}", raw=True
    )
    assert content.document == world.disk(server).read_bytes()
    assert (len(agent.info(action)["backups"]), temporary(world)) == (1, [])


def test_a_fault_that_stays_leaves_nothing_and_the_next_run_repairs(world, server, action, through_proxy):
    world.disk(server).write_bytes(os.urandom(300_000))
    quota = answers(403, {"forbidden": {"code": 403, "message": "Quota exceeded for image_count"}})
    for pattern, fault, error, words in (
        ("POST .*/action", quota, CloudError, "raise the quota"),
        ("GET .*/v2/images/.*/file", damaged, CloudError, "are not those that Glance has a hash of"),
        ("PUT .*/c-.*manifest.json", answers(507), Exception, "quota or the cluster is full"),
    ):
        rule = through_proxy.on(pattern, fault, times=100)
        with pytest.raises(error, match=words):
            agent.backup(action)
        assert temporary(world) == []
        assert agent.info(action)["backups"] == []
        assert world.objects(action["container"]) == {}
        assert world.objects(f"{action['container']}_segments") == {}
        rule.times = 0
    assert agent.backup(action)["outcome"] == "success"


def test_a_restore_that_nova_refuses_leaves_no_image_and_the_next_one_does_it(world, action, through_proxy):
    done = agent.backup(action)
    full = {"forbidden": {"code": 403, "message": "Quota exceeded for instances"}}
    rule = through_proxy.on("POST .*/servers$", answers(403, full), times=100)
    with pytest.raises(CloudError, match="raise the quota"):
        agent.restore({**action, "restore_as": "later"})
    assert world.ask("image", "GET", f"/v2/images?name=freezer-{done['backup_id']}")["images"] == []
    rule.times = 0
    assert agent.restore({**action, "restore_as": "later"})["changed"] is True


def test_check_mode_asks_and_never_writes(action, through_proxy):
    agent.backup(action)
    through_proxy.refuse_writes = True
    assert agent.backup(action, dry_run=True)["outcome"] == "planned"
    assert agent.restore({**action, "restore_as": "x"}, dry_run=True)["changed"] is True
    assert agent.prune({**action, "keep_last": 1}, dry_run=True)["outcome"] == "planned"
    assert agent.verify(action)["outcome"] == "success"
    assert through_proxy.refused == []


def begin(action, **options):
    words = [f"--{key.replace('_', '-')}" + (f"={value}" if value else "") for key, value in action.items()]
    program = "from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main import main"
    return subprocess.Popen(
        [sys.executable, "-c", f"{program}; raise SystemExit(main())", *words],
        env={**os.environ, "PYTHONPATH": IMPORT_ROOT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def until_it_reads(proxy, process):
    deadline = time.monotonic() + 90
    while not any("/file" in line for line in proxy.requests):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_run_that_is_ended_removes_what_it_had_and_one_that_is_killed_is_cleaned_up_after(
    world, action, through_proxy
):
    through_proxy.on("GET .*/v2/images/.*/file", accepted_and_silent(5), times=2)
    ended = begin(action)
    until_it_reads(through_proxy, ended)
    ended.send_signal(signal.SIGTERM)
    said = ended.communicate(timeout=60)[0]
    assert ended.returncode == 128 + signal.SIGTERM, said
    assert temporary(world) == []
    assert world.objects(action["container"]) == {}
    through_proxy.requests.clear()
    killed = begin(action)
    until_it_reads(through_proxy, killed)
    killed.kill()
    killed.communicate()
    assert len(temporary(world)) == 1
    with pytest.raises(SetBusy):
        agent.backup(action)
    # The lock goes by itself after two minutes, which nobody wants to wait for here.
    world.cloud.service("object-store").request(
        "DELETE", f"/{action['container']}/{action['nova_inst_id']}/.lock", raw=True
    )
    assert agent.backup(action)["outcome"] == "success"
    assert temporary(world) == []


@pytest.mark.usefixtures("as_member")
def test_the_action_of_a_job_is_done_and_told_by_freezer_agent(world, server, action):
    document = {**action, "action": "backup", "mode": "nova", "engine": "nova", "snapshot": False}
    done = begin({"stdin": None}, stdin=subprocess.PIPE)
    said = done.communicate(json.dumps(document), timeout=120)[0]
    assert done.returncode == 0, said
    assert "Backed up the server web." in said
    kept = agent.info(action)["backups"][0]
    assert kept["backup_id"] in said
    place = {key: action[key] for key in ("nova_inst_id", "storage", "container")}
    proved = begin({**place, "action": "verify", "metadata_out": "-"})
    said = proved.communicate(timeout=120)[0]
    assert proved.returncode == 0, said
    assert '"outcome": "success"' in said
    restored = begin({**place, "action": "restore", "restore_as": "told"})
    said = restored.communicate(timeout=120)[0]
    assert "Restored the server web as told." in said


@pytest.mark.usefixtures("as_member")
def test_what_cannot_be_is_a_sentence(action, tmp_path):
    with pytest.raises(CloudError, match="There is no server 'gone'"):
        agent.backup({**action, "nova_inst_id": "gone"})
    with pytest.raises(OptionError, match="cannot be stored in the local storage .*; back them up with storage swift"):
        agent.backup({**action, "storage": "local", "container": str(tmp_path)})
