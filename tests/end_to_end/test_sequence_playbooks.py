# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The playbooks backup, restore, remove_backup and finalize on several hosts, with failures in each phase.

The hosts are this machine two to four times, each with a folder for its holder. What they hold is a service that writes down when
it stops and starts; a snapshot is a file. The file systems that are frozen are in tests/unit/quiesce.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold
from ansible_collections.freezer.backup.tests.support.phases import phases
from ansible_collections.freezer.backup.tests.support.sequence_farm import Farm
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

_ROUNDS = rounds(2)
_KILLS = rounds(1)
#: A program that fails, and the step that it fails: targets that cannot be held, and hooks.
_BROKEN = [("s1-prepare", "prepare"), ("c1-stop", "freeze"), ("s1-stop", "prepare"), ("c1-freeze", "freeze")]
#: How many lines the event log has of a run that succeeds.
_LINES_OF_A_RUN = 26
_LINES_OF_A_RUN_ON_TWO = 14
#: What a run over three hosts may print; it was 200.
_LINES_OF_A_SCREEN = 99
_STEPS = ("prepare", "freeze", "snapshot", "apply", "delete", "finalize")


@pytest.fixture
def farm(tmp_path):
    """A service and a compute host."""
    return Farm(tmp_path)


@pytest.fixture
def four(tmp_path):
    """Two of each."""
    return Farm(tmp_path, ("s1", "s2"), ("c1", "c2"))


def _failed(output, host):
    """How many tasks have failed on a host, by the recap."""
    (line,) = [line for line in output.splitlines() if line.startswith(f"{host} ") and "unreachable=" in line]
    return int(line.partition("failed=")[2].split()[0])


def _sequence(farm, main):
    services, compute = set(farm.services), set(farm.compute)
    return [
        ("prepare", "start", services),
        ("prepare", "done", services),
        ("freeze", "start", compute),
        ("freeze", "done", compute),
        ("freeze", "note", {"s1"}),
        (main, "start", services | compute),
        (main, "done", services | compute),
        ("finalize", "start", compute),
        ("finalize", "done", compute),
        ("finalize", "start", services),
        ("finalize", "done", services),
    ]


def test_a_backup_goes_through_the_phases_in_their_order_and_is_restored_and_removed(four):
    four.hooks = _STEPS
    # However busy the machine is, both are ready by then.
    four.variables["freezer_lead_seconds"] = 10
    succeeded, output = four.backup(snapshot_type="daily", snapshot_rotation=7, snapshot_incremental=False)
    assert succeeded, output
    assert len(four.logged()) == _LINES_OF_A_RUN
    assert phases(four.logged()) == [*_sequence(four, "snapshot"), ("backup", "done", {"s1"})]
    history = four.history()
    for host in four.compute:
        mine = [line.split()[1] for line in history if line.startswith(host)]
        assert mine == ["freeze", "stop", "snapshot", "start", "finalize"]
    last_stop = max(history.index(f"{host} stop") for host in four.names)
    first_start = min(history.index(f"{host} start") for host in four.names)
    assert all(last_stop < history.index(f"{host} snapshot") < first_start for host in four.names)
    assert four.snapshots() == [f"{host}.snapshot.one" for host in sorted(four.names)]
    given = json.loads((four.folder / "c1.snapshot.one").read_text())
    assert len(given.pop("run_id")) == 32
    assert given == {
        "workflow": "backup",
        "snapshot_name": "one",
        "snapshot_incremental": False,
        "snapshot_type": "daily",
        "snapshot_rotation": 7,
        "include_instances": [],
        "include_types": [],
        "exclude_types": [],
    }
    four.hosts_were_held_at_one_moment()
    four.nothing_is_left()

    four.events.unlink()
    four.variables["freezer_lead_seconds"] = 1
    succeeded, output = four.run("restore", snapshot_name="one")
    assert succeeded, output
    assert phases(four.logged()) == [*_sequence(four, "apply"), ("restore", "done", {"s1"})]
    four.nothing_is_left()

    four.events.unlink()
    before = four.history()
    succeeded, output = four.run("remove_backup", snapshot_name="one")
    assert succeeded, output
    assert phases(four.logged())[0] == ("delete", "start", set(four.names))
    assert four.snapshots() == []
    assert {line.split()[1] for line in four.history()[len(before) :]} == {"delete"}


def test_a_backup_of_three_hosts_prints_less_than_a_hundred_lines_with_the_callback_of_ansible_itself(tmp_path):
    """A service and two of compute, each with a snapshot; what its hook prints is in it."""
    farm = Farm(tmp_path, services=("s1",), compute=("c1", "c2"))
    succeeded, output = farm.backup()
    assert succeeded, output
    own, _stats, _more = output.partition("CUSTOM STATS: ")
    assert len(own.rstrip().splitlines()) <= _LINES_OF_A_SCREEN, output
    assert "[WARNING]" not in output
    assert "backup one is done on 3 hosts." in output
    farm.nothing_is_left()


@pytest.mark.parametrize(("broken", "reached"), _BROKEN[:_ROUNDS])
def test_if_one_host_cannot_be_quiesced_there_is_no_snapshot_and_all_are_finalized(farm, broken, reached):
    farm.hooks = (*farm.hooks, "prepare", "freeze")
    farm.script(broken, "echo broken on purpose >&2; exit 1")
    succeeded, output = farm.backup()
    assert not succeeded
    assert f"{broken[:2]}: {reached}: " in output
    steps = {step for _host, step, _event in farm.logged()}
    assert "snapshot" not in steps
    assert ("freeze" in steps) == (reached == "freeze")
    assert (broken[:2], reached, "failed") in farm.logged()
    for host in farm.names:
        assert (host, "finalize", "done") in farm.logged()
    assert farm.snapshots() == []
    farm.nothing_is_left()


def test_where_hosts_are_more_than_forks_they_are_held_at_one_moment_all_the_same(farm):
    farm.arguments = ("--forks", "1")
    farm.variables["freezer_lead_seconds"] = 5
    succeeded, output = farm.backup()
    assert succeeded, output
    assert phases(farm.logged()) == [*_sequence(farm, "snapshot"), ("backup", "done", {"s1"})]
    farm.hosts_were_held_at_one_moment()
    farm.nothing_is_left()


def test_if_one_snapshot_fails_all_are_removed_after_all_hosts_were_released(farm):
    farm.script("c1-snapshot", "exit 1")
    succeeded, output = farm.backup()
    assert not succeeded
    assert "backup one failed.\nc1: snapshot: " in output
    assert [_failed(output, host) for host in ("c1", "s1")] == [1, 0]
    # Once, and last.
    assert output.count("c1: snapshot: ") == 1
    assert "lines above say where and why" in output.rpartition("No snapshot of it is left.")[2]
    found = phases(farm.logged())
    steps = [step for step, event, _hosts in found if event == "done"]
    assert steps == ["prepare", "freeze", "snapshot", "finalize", "finalize", "delete"]
    assert farm.snapshots() == []
    farm.nothing_is_left()

    # Only what has succeeded has a name that is taken.
    (farm.folder / "c1-snapshot").unlink()
    farm.arguments = ("--check",)
    succeeded, output = farm.backup()
    assert succeeded, output
    assert "backup one would be done on 2 hosts." in output
    farm.arguments = ()
    succeeded, output = farm.backup()
    assert succeeded, output
    taken, before = farm.snapshots(), farm.history()
    made = {
        path: path.read_text() for path in [*farm.folder.glob("*.snapshot.*"), *farm.folder.glob("*.record/*.done")]
    }
    assert len(made) == 4
    # Neither would have been left of the first one: a snapshot that fails, or a host that cannot be held.
    for broken in ("c1-snapshot", "s1-prepare"):
        farm.script(broken, "exit 1")
    farm.events.unlink()
    succeeded, output = farm.backup(include_instances="s1")
    assert not succeeded
    assert (
        "s1, c1: there is a backup one on record already. Choose another snapshot_name, leave it out, or remove"
        in output
    )
    assert "No snapshot" not in output
    assert {path: path.read_text() for path in made} == made
    assert (farm.snapshots(), farm.history(), farm.logged()) == (taken, before, [])
    succeeded, output = farm.run("finalize")
    assert succeeded, output
    assert "finalize is done on 2 hosts." in output
    assert farm.snapshots() == taken


def test_a_finalize_that_fails_releases_the_others_and_loses_no_snapshot(farm):
    farm.hooks = (*farm.hooks, "finalize")
    farm.script("c1-finalize", "exit 1")
    succeeded, output = farm.backup()
    assert not succeeded
    assert "c1: finalize: " in output
    assert len(farm.snapshots()) == 2
    farm.nothing_is_left()


def test_a_hook_that_hangs_past_the_deadline_makes_no_backup(farm):
    farm.variables["freezer_deadline_seconds"] = 4
    farm.script("c1-snapshot", "sleep 7")
    succeeded, output = farm.backup()
    assert not succeeded
    assert "the hold was over before it was released (deadline)" in output
    assert farm.snapshots() == []
    farm.nothing_is_left()


def test_a_host_that_cannot_be_reached_keeps_the_others_from_a_backup_and_not_from_being_released(farm):
    farm.hosts["c1"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    succeeded, output = farm.backup()
    assert not succeeded
    assert "c1: record: the host cannot be reached; nothing was quiesced on it by this run." in output
    assert farm.snapshots() == []
    farm.nothing_is_left()


def test_who_takes_part_can_be_chosen(four):
    four.hosts["c2"] = {"skip_actions": ["snapshot"]}
    four.hosts["s2"] = {"freezer_types": ["slow"]}
    succeeded, output = four.backup(include_instances="s1,s2,c2", exclude_types="slow")
    assert succeeded, output
    assert four.snapshots() == ["s1.snapshot.one"]
    assert {line.split()[0] for line in four.history()} == {"s1", "c2"}
    assert ("c2", "snapshot", "skipped") in four.logged()


def test_unknown_instances_are_an_error_and_nothing_is_done(farm):
    succeeded, output = farm.backup(include_instances=["c1", "c9"])
    assert not succeeded
    assert "names hosts that are not in the groups: c9. Nothing was done." in output.replace("\n", " ")
    assert farm.history() == []


def test_finalize_changes_nothing_where_nothing_is_held_and_names_holds_of_others(farm):
    farm.hooks = ()
    folder = str(farm.folder / "c1.holds")
    hold.freeze([{"command": {"prepare": ["/bin/true"], "finalize": ["/bin/true"]}}], 300, folder=folder)
    succeeded, output = farm.run("finalize")
    assert hold.thaw(folder)["changed"]
    assert succeeded, output
    assert "c1: still held under the name default" in output
    assert all("changed=0" in line for line in output.splitlines() if "unreachable=" in line)


def test_a_run_does_not_hide_one_that_was_killed_before_it_and_finalize_removes_what_that_left(farm):
    with farm.start("backup", snapshot_name="one") as process:
        while [line[1:] for line in farm.logged()].count(("snapshot", "done")) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    farm.events.unlink()
    succeeded, output = farm.run("backup", snapshot_name="two")
    assert succeeded, output
    assert "Not ended on this host, so either still under way or killed: one." in " ".join(output.split())
    assert farm.held() == []
    assert len(farm.snapshots()) == 4
    succeeded, output = farm.run("finalize")
    assert succeeded, output
    assert farm.snapshots() == [f"{host}.snapshot.two" for host in sorted(farm.names)]
    farm.nothing_is_left()


def test_a_hold_that_another_process_has_released_makes_no_backup(farm):
    release = "from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold; hold.thaw"
    farm.script("c1-snapshot", f"""exec {sys.executable} -c '{release}("{farm.folder}/c1.holds", "sequence")'\n""")
    succeeded, output = farm.backup()
    assert not succeeded
    assert "c1: finalize: the hold was over before it was released (another run or finalize has released it" in output
    assert farm.snapshots() == []
    farm.nothing_is_left()


@pytest.mark.parametrize("seed", range(_KILLS))
def test_a_controller_that_is_killed_at_any_moment_leaves_nothing_after_the_deadline_and_finalize(farm, seed):
    farm.variables["freezer_deadline_seconds"] = 6
    chosen = random.Random(seed)
    with farm.start("backup", snapshot_name="one") as process:
        # By what has happened, not by the clock: so every moment has its turn, however busy the machine is.
        lines = chosen.randint(0, _LINES_OF_A_RUN_ON_TWO)
        while len(farm.logged()) < lines and process.poll() is None:
            time.sleep(0.02)
        time.sleep(chosen.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        process.wait()
    time.sleep(max(0.0, killed + 9 - time.monotonic()))
    # What was about to be quiesced may come to it late on a busy machine.
    while farm.held():
        assert time.monotonic() < killed + 60
        time.sleep(0.1)
    succeeded, output = farm.run("finalize")
    assert succeeded, output
    farm.nothing_is_left()
    assert len(farm.snapshots()) in (0, 2), output  # all of a backup that was complete, or none
