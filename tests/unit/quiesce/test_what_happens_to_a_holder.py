# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Everything that may happen to a holder, its guard and who asked for the hold: nothing stays frozen in any of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold
from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.base import QuiesceError
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

_ROUNDS = rounds(4)


def test_it_releases_at_the_deadline(host, file_system):
    host.freeze({"path": str(file_system.path)}, deadline_seconds=1)
    assert file_system.is_frozen()
    assert file_system.thawed_after(2) is not None
    record = host.wait_until_over()
    assert record["released_by"] == "deadline"
    assert 0.9 < record["held_seconds"] < 2
    assert "was over after" in hold.lost_sentence(record)
    assert host.thaw()["released_by"] == "deadline"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_releases_when_it_is_told_to_end(host, file_system, number):
    host.freeze({"path": str(file_system.path)})
    holder, _guard = host.processes()
    host.kill(holder, with_signal=number)
    assert file_system.thawed_after(2) is not None
    assert host.wait_until_over()["released_by"] == "signal"


def test_a_lost_terminal_does_not_end_it(host, file_system):
    host.freeze({"path": str(file_system.path)})
    for process in host.processes():
        host.kill(process, with_signal=signal.SIGHUP)
    time.sleep(0.3)
    assert file_system.is_frozen()
    assert host.thaw()["released_by"] == "request"


def test_the_guard_releases_when_the_holder_is_killed(host, file_system):
    host.freeze({"path": str(file_system.path)})
    holder, _guard = host.processes()
    host.kill(holder)
    assert file_system.thawed_after(2) is not None
    record = host.wait_until_over()
    assert record["released_by"] == "guard"
    assert record["problems"] == []


def test_the_guard_releases_when_the_holder_hangs(host, file_system):
    host.freeze({"path": str(file_system.path)}, deadline_seconds=1)
    holder, _guard = host.processes()
    host.kill(holder, with_signal=signal.SIGSTOP)
    assert file_system.thawed_after(5) is not None
    assert host.wait_until_over()["released_by"] == "guard"


def test_the_holder_releases_when_the_guard_is_killed(host, file_system):
    host.freeze({"path": str(file_system.path)})
    _holder, guard = host.processes()
    host.kill(guard)
    assert file_system.thawed_after(2) is not None
    assert host.wait_until_over()["released_by"] == "guard lost"


def test_a_thaw_cleans_up_when_both_were_killed(host, file_system):
    host.freeze({"path": str(file_system.path)})
    holder, guard = host.processes()
    host.kill(guard, with_signal=signal.SIGSTOP)
    host.kill(holder)
    host.kill(guard)
    time.sleep(0.2)
    assert file_system.is_frozen()
    assert host.look()["left"]
    result = host.thaw()
    assert not file_system.is_frozen()
    assert (result["changed"], result["released_by"]) == (True, "cleanup")
    assert not host.thaw()["changed"]


def test_a_new_freeze_cleans_up_what_a_killed_pair_has_left(host, file_system):
    host.freeze({"path": str(file_system.path)})
    holder, guard = host.processes()
    host.kill(guard, with_signal=signal.SIGSTOP)
    host.kill(holder)
    host.kill(guard)
    assert host.freeze({"path": str(file_system.path)}, deadline_seconds=20)["changed"]
    assert host.thaw()["released_by"] == "request"


def test_what_a_killed_pair_left_before_a_reboot_is_not_touched(host, file_system):
    host.freeze({"path": str(file_system.path)})
    holder, guard = host.processes()
    host.kill(guard, with_signal=signal.SIGSTOP)
    host.kill(holder)
    host.kill(guard)
    record = Path(host.folder / "default.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "boot_id": "another"}))
    time.sleep(0.2)
    assert host.thaw()["changed"]
    assert file_system.is_frozen()


class Owner:
    """A process that holds a file system with `held` and then sleeps."""

    CODE = (
        "import sys, time\n"
        "from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.hold import held\n"
        "with held([{'path': sys.argv[1]}], folder=sys.argv[2]):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )

    def __init__(self, path: Path, folder: Path) -> None:
        line = [sys.executable, "-c", self.CODE, str(path), str(folder)]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)

    def wait_until_held(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"


def test_it_releases_when_the_program_that_holds_is_killed(host, file_system):
    owner = Owner(file_system.path, host.folder)
    owner.wait_until_held()
    assert file_system.is_frozen()
    owner.process.kill()
    owner.process.wait()
    assert file_system.thawed_after(2) is not None


@pytest.mark.parametrize("seed", range(_ROUNDS))
def test_after_a_kill_at_any_moment_nothing_stays_frozen(host, file_system, seed):
    chance = random.Random(seed)
    code = (
        "import sys\n"
        "from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold\n"
        "hold.freeze([{'command': {'prepare': ['sleep', '0.05']}}, {'path': sys.argv[1]}], 1, folder=sys.argv[2])\n"
    )
    line = [sys.executable, "-c", code, str(file_system.path), str(host.folder)]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as caller:
        time.sleep(chance.uniform(0.05, 0.6))
        processes = [*host.processes(), caller.pid] if host.folder.is_dir() else [caller.pid]
        host.kill(chance.choice(processes))
    host.wait_until_over(6)
    assert not file_system.is_frozen(), host.log()


def test_a_hold_that_lasts_to_the_end_says_how_long_it_was(host, file_system):
    with hold.held([{"path": str(file_system.path)}], folder=str(host.folder)) as found:
        assert file_system.is_frozen()
        time.sleep(0.2)
    assert not file_system.is_frozen()
    assert 0.2 <= found.held_seconds < 60
    assert found.consistency == "fs"
    assert list(host.folder.iterdir()) == []


def test_a_hold_that_did_not_last_is_an_error(host, file_system):
    with pytest.raises(QuiesceError, match=r"was over after .* \(deadline\), so what was copied .* not consistent"):
        with hold.held([{"path": str(file_system.path)}], deadline_seconds=0.5, folder=str(host.folder)):
            time.sleep(0.8)
    assert not file_system.is_frozen()


def test_an_error_while_holding_releases_and_is_what_is_raised(host, file_system):
    with pytest.raises(ZeroDivisionError):
        with hold.held([{"path": str(file_system.path)}], folder=str(host.folder)):
            raise ZeroDivisionError
    assert not file_system.is_frozen()
    assert list(host.folder.iterdir()) == []


def test_a_freeze_that_blocks_is_given_up_and_undone_when_it_ends(host, make_file_system):
    below = make_file_system("below", megabytes=64)
    above = make_file_system("above", image_folder=below.path)
    (above.path / "file").write_bytes(os.urandom(1024 * 1024))
    below.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(QuiesceError, match=r"was not held in 1\.0 s.* in a blocking system call"):
            host.freeze({"path": str(above.path)}, timeout_seconds=1, deadline_seconds=2)
        assert time.monotonic() - began < 60
        assert host.processes()
    finally:
        below.thaw()
    host.wait_until_over()
    assert not above.is_frozen(), host.log()


def test_a_holder_killed_while_its_freeze_blocks_leaves_nothing_frozen(host, make_file_system):
    below = make_file_system("below", megabytes=64)
    above = make_file_system("above", image_folder=below.path)
    (above.path / "file").write_bytes(os.urandom(1024 * 1024))
    below.freeze()
    try:
        with pytest.raises(QuiesceError):
            host.freeze({"path": str(above.path)}, timeout_seconds=1, deadline_seconds=60)
        holder = host.processes()[0]
        host.kill(holder)
        time.sleep(0.5)
    finally:
        below.thaw()
    host.wait_until_over()
    assert not above.is_frozen(), host.log()


def test_a_full_disk_below_the_holders_own_files_holds_nothing(file_system, make_file_system):
    full = make_file_system("full", megabytes=4)
    folder = full.path / "holds"
    folder.mkdir(mode=0o700)
    full.fill()
    with pytest.raises(QuiesceError, match=r"cannot be written: No space left"):
        hold.freeze([{"path": str(file_system.path)}], folder=str(folder))
    assert not file_system.is_frozen()


def test_a_disk_that_fills_up_while_it_holds_does_not_keep_it_from_releasing(file_system, make_file_system):
    full = make_file_system("full", megabytes=4)
    folder = full.path / "holds"
    hold.freeze([{"path": str(file_system.path)}], folder=str(folder))
    full.fill()
    assert hold.thaw(str(folder))["released_by"] == "request"
    assert not file_system.is_frozen()


def test_a_folder_that_others_may_enter_is_refused(tmp_path, file_system):
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    with pytest.raises(QuiesceError, match="only this user can enter"):
        hold.freeze([{"path": str(file_system.path)}], folder=str(folder))


def test_each_step_is_a_line_of_the_log(host, file_system):
    host.freeze({"command": {"prepare": ["true"], "finalize": ["true"]}}, {"path": str(file_system.path)})
    host.thaw()
    steps = [line.partition("] ")[2] for line in host.log().splitlines()]
    steps = [step.partition(" in ")[0] for step in steps if "connected" not in step]
    path = f"file system of {file_system.path}"
    assert steps == [
        "command true: held",
        f"{path}: held",
        "releasing: request",
        f"{path}: released",
        "command true: released",
    ]


def test_the_holders_memory_is_locked(host, file_system):
    host.freeze({"path": str(file_system.path)})
    for process in host.processes():
        status = Path(f"/proc/{process}/status").read_text()
        locked = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmLck"))
        assert locked > 1000, host.log()


def test_its_files_are_for_this_user_alone(host, file_system):
    host.freeze({"path": str(file_system.path)})
    assert host.folder.stat().st_mode & 0o777 == 0o700
    assert {path.suffix for path in host.folder.iterdir()} == {".json", ".sock", ".lock", ".log"}
    for path in host.folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_targets_are_held_at_the_moment_that_was_given_and_not_before(host, file_system):
    target = {"path": str(file_system.path)}
    moment = time.time() + 2
    ready = host.freeze(target, hold_at=moment, deadline_seconds=60)
    assert (ready["changed"], ready["ready"], ready["held"]) == (True, True, False)
    assert not file_system.is_frozen()
    assert time.time() < moment
    held = host.freeze(target, hold_at=moment, deadline_seconds=60)
    assert (held["changed"], held["held"]) == (False, True)
    assert moment <= held["held_from"] < moment + 0.5
    assert file_system.is_frozen()
    assert 57 < held["remaining_seconds"] <= 60
    thawed = host.thaw()
    assert (thawed["changed"], thawed["released_by"], file_system.is_frozen()) == (True, "request", False)
    with pytest.raises(QuiesceError, match=r"released|ended already"):
        host.freeze(target, hold_at=moment)


def test_a_moment_that_is_over_is_now_and_one_that_is_too_far_away_is_refused(host, file_system):
    target = {"path": str(file_system.path)}
    moment = time.time() - 5
    host.freeze(target, hold_at=moment)
    assert host.freeze(target, hold_at=moment)["held"]
    host.thaw()
    with pytest.raises(QuiesceError, match="s ahead of this host's clock, and 600 are the most"):
        host.freeze(target, hold_at=time.time() + 700)


def test_what_is_thawed_before_its_moment_is_never_held(host, file_system):
    target = {"path": str(file_system.path)}
    moment = time.time() + 1.5
    host.freeze(target, hold_at=moment)
    with pytest.raises(QuiesceError, match="with other targets"):
        host.freeze({"command": {"prepare": ["true"]}}, hold_at=moment)
    assert host.thaw()["changed"]
    time.sleep(1.7)
    assert not file_system.is_frozen()
    with pytest.raises(QuiesceError, match="ended before its time: request"):
        host.freeze(target, hold_at=moment)


@pytest.mark.parametrize("who", [0, 1])
def test_a_holder_or_guard_killed_before_the_moment_holds_nothing_and_that_is_said(host, file_system, who):
    target = {"path": str(file_system.path)}
    moment = time.time() + 1.5
    host.freeze(target, hold_at=moment)
    host.kill(host.processes()[who])
    host.wait_until_over()
    with pytest.raises(QuiesceError, match="guard"):
        host.freeze(target, hold_at=moment)
    assert not file_system.is_frozen()


def test_what_cannot_be_held_at_its_moment_is_told_to_who_waits(host):
    target = {"command": {"prepare": ["sh", "-c", "exit 7"]}}
    moment = time.time() + 1
    assert host.freeze(target, hold_at=moment)["ready"]
    for _time in range(2):
        with pytest.raises(QuiesceError, match="ended with status 7"):
            host.freeze(target, hold_at=moment)
