# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A machine whose file systems are frozen by its hypervisor, through QEMU's guest agent, while something is held by us.

That is what Nova does for a snapshot of a server whose image has hw_qemu_guest_agent and os_require_quiesce.
"""

from __future__ import annotations

import time

import pytest

from ansible_collections.freezer.backup.tests.support import labs
from ansible_collections.freezer.backup.tests.support.machines import GuestAgent, machine
from ansible_collections.freezer.backup.tests.support.role_runs import needed

_HELD = {"command": {"prepare": ["touch", "/run/prepared"], "finalize": ["touch", "/run/finalized"]}}


@pytest.fixture(scope="module")
def variables():
    with needed(labs.machines()) as found:
        yield found


@pytest.fixture(scope="module")
def inside(variables):
    made = machine(variables)
    yield made
    made.disconnect()


@pytest.fixture
def hypervisor(variables, inside):
    agent = GuestAgent(variables["FREEZER_TEST_MACHINES_AGENT"])
    yield agent
    agent.thaw()
    agent.close()
    inside.run("rm -rf /run/prepared /run/finalized /run/freezer-backup /srv/data/written")


def hold(inside, target, deadline):
    made = inside.module("freeze", {"targets": [target], "deadline_seconds": deadline})
    assert made.get("held_from"), made


def let_go(inside):
    return inside.module("freeze", {"state": "thawed"})


def test_an_application_is_held_around_a_freeze_of_the_hypervisor(inside, hypervisor):
    hold(inside, _HELD, 300)
    assert hypervisor.freeze() >= 2
    assert hypervisor.is_frozen()
    hypervisor.thaw()
    done = let_go(inside)
    assert (done["released_by"], done["problems"]) == ("request", [])
    inside.run("test -e /run/finalized; timeout 20 sh -c 'echo now >/srv/data/written; sync -f /srv/data'")


def test_the_deadline_ends_a_hold_also_while_the_hypervisor_has_everything_frozen(inside, hypervisor):
    # Logs and the holder's own program are on file systems on which nothing can be written then.
    began = time.monotonic()
    let_go(inside)  # changes nothing, and takes what a call takes here and now
    deadline = 20 + 3 * int(time.monotonic() - began)
    hold(inside, _HELD, deadline)
    # It is the machine that waits: its clock falls behind the host's where the host has much to do.
    released = inside.start("echo begun; until test -e /run/finalized; do sleep 1; done")
    try:
        assert released.stdout.readline() == "begun\n"
        hypervisor.freeze()
        assert released.poll() is None, "this machine became much slower in this test"
        assert released.wait(300) == 0
        assert hypervisor.is_frozen()
    finally:
        released.kill()
        released.communicate()
    hypervisor.thaw()
    done = let_go(inside)
    assert done["released_by"] == "deadline", done


def test_a_file_system_that_is_held_is_thawed_by_the_hypervisor_too_and_that_is_told(inside, hypervisor):
    hold(inside, {"path": "/srv/data"}, 300)
    hypervisor.freeze()
    hypervisor.thaw()
    inside.run("timeout 20 sh -c 'echo now >/srv/data/written; sync -f /srv/data'")
    done = let_go(inside)
    assert "was thawed by another process" in done["msg"], done
