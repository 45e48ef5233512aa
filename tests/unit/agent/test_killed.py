# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""kill -9, SIGTERM and interrupts at any moment: the last committed backup restores, and the next run succeeds."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import copied_files, files
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support import agent_process
from ansible_collections.freezer.backup.tests.support.faulty_storage import FaultyStorage
from ansible_collections.freezer.backup.tests.support.key_files import AgeKey, pass_file, quick_scrypt
from ansible_collections.freezer.backup.tests.support.sets import Set, differences
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import remember, write

pytestmark = pytest.mark.rounds

ROUNDS = rounds(2)
#: Lines for a process of its own: what it needs is loaded, and then a file says so.
_READY = """
from pathlib import Path
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import files
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository import set_keys
Path({path!r}).touch()
"""
_QUICK_SCRYPT = "import functools; set_keys.ScryptRecipient = functools.partial(set_keys.ScryptRecipient, work=4)"


def fill(some, seed):
    """Some megabytes that take a few dozen milliseconds to back up."""
    for number in range(60):
        write(some.source / f"folder {number % 7}" / f"file {number}", random.Random(seed + number).randbytes(100_000))


def leftovers(folder):
    return [path for path in folder.iterdir() if path.name.startswith("freezer-")]


def kill_after(process, seconds):
    """Kill a process with all of its threads; what it had started ends by itself."""
    time.sleep(seconds)
    children = agent_process.descendants(process.pid)
    process.kill()
    process.communicate()
    return children


def assert_gone(pids):
    """Children end because the pipe that they write to is closed; that may take them a moment."""
    end = time.monotonic() + 10
    while any(agent_process.is_running(pid) for pid in pids):
        assert time.monotonic() < end, "a child has outlived its parent"
        time.sleep(0.01)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A temporary folder of the test's own, here and in processes that it starts."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


class Backup:
    """A backup in a process of its own, which can be ended in the midst of its work."""

    def __init__(self, some, **options):
        self._ready = some.folder / "ready"
        self._ready.unlink(missing_ok=True)
        lines = _READY.format(path=str(self._ready)) + _QUICK_SCRYPT
        self.process = agent_process.start("backup", {**some.options, **options}, before=lines)
        while not self._ready.exists():
            assert self.process.poll() is None
            time.sleep(0.001)
        self._began = time.monotonic()

    def seconds(self):
        """How long it works if nothing ends it."""
        said, _complained = self.process.communicate(timeout=100)
        assert json.loads(said)["outcome"] == "success"
        return time.monotonic() - self._began


def end_at(process, seconds, victim):
    """Kill the agent, its tar or both of them at that time; a tar that is gone already ends nothing."""
    time.sleep(seconds)
    children = agent_process.descendants(process.pid)
    tars = [pid for pid in children if name_of(pid) == "tar"]
    if "tar" in victim:
        for pid in tars:
            os.kill(pid, signal.SIGKILL)
    if "agent" in victim:
        process.kill()
    said, complained = process.communicate(timeout=100)
    assert_gone(children)
    if "agent" not in victim:
        # It has found out by itself, and tells it; or tar had done its work.
        assert complained == b"", complained.decode("utf-8", "replace")
        assert (process.returncode == 0) == ("error" not in json.loads(said))
    return process.returncode


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def assert_prune_takes_every_orphan(some, work, backups):
    """What is left is the backups, the lock and the key pair, and nothing in the temporary folder."""
    result = some.prune(keep_last=len(backups))
    listed = some.info()
    assert (listed["incomplete"], listed["damaged"], leftovers(work)) == ([], [], [])
    assert [one["backup_id"] for one in listed["backups"]] == backups
    assert some.backup_folders() == sorted(one["folder"].rpartition("/")[2] for one in listed["backups"])
    assert set(os.listdir(some.set_folder)) - set(some.backup_folders()) <= {".lock", ".keys"}
    for one in listed["backups"]:
        names = os.listdir(some.container / one["folder"])
        assert not [name for name in names if name.startswith(".")]
    return result


@pytest.mark.parametrize("kind", ["zstd", "none", "sealed"])
def test_a_backup_killed_at_any_moment_leaves_the_last_one_whole_and_the_next_run_succeeds(tmp_path, work, kind):
    """The agent is killed, or tar alone, or both; prune then takes all that is not a backup."""
    key = AgeKey(tmp_path, "identity")
    some = Set(tmp_path, max_level=1000, compression="zstd" if kind == "sealed" else kind, max_segment_size="256k")
    opens = {"identity_file": key.file} if kind == "sealed" else {}
    if kind == "sealed":
        some.options["encryption_recipients"] = [key.public]
    fill(some, 0)
    duration = Backup(some).seconds()
    (last,) = some.info()["backups"]
    copy = tmp_path / "copy 0"
    remember(some.source, copy)
    made, killed, orphans = [last["backup_id"]], 0, 0
    for number in range(ROUNDS):
        fill(some, number * 1000)
        chosen = random.Random(f"{number} {kind}")
        victim = chosen.choice([("agent",), ("agent",), ("tar",), ("agent", "tar")])
        status = end_at(Backup(some).process, chosen.uniform(0, duration * 0.9), victim)
        killed += status != 0
        listed = some.info()
        assert listed["damaged"] == []
        newest = listed["backups"][0]
        if newest["backup_id"] == last["backup_id"]:
            target = some.new_target()
            assert some.restore(target, **opens)["backup_id"] == last["backup_id"]
            assert differences(copy, target) == []
            shutil.rmtree(target)
        else:  # it was quicker than the killer: then it is whole
            shutil.rmtree(copy)
            copy = tmp_path / f"copy {number + 1}"
            remember(some.source, copy)
            last = newest
            made.insert(0, last["backup_id"])
        assert some.verify(**opens)["outcome"] == "success"
        for name in listed["incomplete"]:
            assert not (some.container / name / "manifest.json").exists()
        orphans += len(listed["incomplete"]) + len(leftovers(work))
        if number % 10 == 9 or number == ROUNDS - 1:
            assert_prune_takes_every_orphan(some, work, made)
    result = some.backup()
    assert result["outcome"] == "success"
    target = some.new_target()
    some.restore(target, **opens)
    assert differences(some.source, target) == []
    print(f"{kind}: {ROUNDS} rounds, {killed} ended early, {orphans} orphans seen, {len(made)} backups made")


@pytest.mark.parametrize("held", ["passphrase", "recipients"])
def test_a_first_backup_killed_at_any_moment_leaves_nothing_sealed_for_a_key_that_is_not_there(
    tmp_path, work, monkeypatch, held
):
    """The pair of a set is made by its first backup: each round is a new set."""
    quick_scrypt(monkeypatch)
    key = AgeKey(tmp_path, "identity")
    passphrase = pass_file(tmp_path)
    seals = {"passphrase": {"encrypt_pass_file": passphrase}, "recipients": {"encryption_recipients": [key.public]}}
    opens = {"passphrase": {}, "recipients": {"identity_file": key.file}}
    duration, pairs = None, 0
    for number in range(max(1, ROUNDS // 4)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        some = Set(folder, max_level=9, **seals[held])
        write(some.source / "file", random.Random(number).randbytes(300_000))
        if duration is None:
            duration = Backup(some, backup_name="first").seconds()
        end_at(Backup(some).process, random.Random(f"{number} {held}").uniform(0, duration), ("agent",))
        made = some.info()["backups"] if some.container.exists() else []
        for level in range(2):
            result = some.backup()
            assert (result["outcome"], result["problems"]) == ("success", [])
            assert result["level"] == level + len(made)
            target = some.new_target()
            some.restore(target, **opens[held])
            assert differences(some.source, target) == []
        pairs += len(list((some.set_folder / ".keys").iterdir())) - 1
        assert (some.set_folder / ".keys" / result["key_id"] / "public").exists()
        listed = some.info()
        assert_prune_takes_every_orphan(some, work, [one["backup_id"] for one in listed["backups"]])
        assert some.restore(**opens[held])["outcome"] == "success"
        shutil.rmtree(folder)
    print(f"{held}: {pairs} pairs were made twice")
    assert held == "recipients" or not pairs


def test_a_half_backup_is_listed_as_incomplete_and_nothing_else_sees_it(tmp_path, monkeypatch):
    some = Set(tmp_path, max_level=5)
    fill(some, 0)
    child = os.fork()
    if child == 0:
        storage = FaultyStorage(
            LocalStorage(str(some.container)), {("commit", 2): lambda _operation: os.kill(os.getpid(), signal.SIGKILL)}
        )
        monkeypatch.setattr(files, "storage_for", lambda _kind, _container, _access: storage)
        try:
            some.backup()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    half = some.backup_folders()
    for options in ({}, {"backup_name": None}, {"backup_name": None, "hostname": None}):
        listed = some.info(**options)
        assert (listed["backups"], listed["incomplete"]) == ([], [f"host_tree/{half[0]}"])
    assert some.info(backup_name="other")["incomplete"] == []
    with pytest.raises(ArchiveError, match="There is no backup"):
        some.restore()
    result = some.backup()
    assert (result["level"], result["outcome"]) == (0, "success")
    assert some.info()["incomplete"] == [f"host_tree/{half[0]}"]
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []


def test_a_restore_killed_at_any_moment_is_mended_by_the_next_one(tmp_path):
    some = Set(tmp_path, max_level=3)
    fill(some, 0)
    some.backup()
    fill(some, 1000)
    some.backup()
    target = some.new_target()
    action = some.action_to_restore(target, overwrite=True)
    began = time.monotonic()
    agent_process.run("restore", action)
    duration = time.monotonic() - began
    for number in range(max(2, ROUNDS // 2)):
        for path in sorted(target.rglob("*")):
            if path.is_file() and path.name.endswith(str(number % 10)):
                path.unlink()
        process = agent_process.start("restore", action)
        assert_gone(kill_after(process, random.Random(number).uniform(duration * 0.3, duration)))
        some.restore(target, overwrite=True)
        assert differences(some.source, target) == []


def signalled(tmp_path, monkeypatch, deliver):
    """A backup that gets a signal in the middle of its data; what is left and what was running then."""
    some = Set(tmp_path, max_level=5, compression="none")
    write(some.source / "big", b"\1" * (40 << 20))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(work))
    some.backup()
    os.utime(some.source / "big")
    running = []
    others = set(agent_process.descendants(os.getpid()))  # servers of other tests

    def interrupt(_operation):
        running.extend(set(agent_process.descendants(os.getpid())) - others)
        deliver()

    faulty = FaultyStorage(LocalStorage(str(some.container)), {("write", 3): interrupt})
    monkeypatch.setattr(files, "storage_for", lambda _kind, _container, _access: faulty)
    return some, work, running


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit(143), MemoryError])
def test_an_interrupt_in_the_middle_removes_what_was_written_and_ends_tar(tmp_path, monkeypatch, raised):
    def deliver():
        raise raised

    some, work, running = signalled(tmp_path, monkeypatch, deliver)
    with pytest.raises(raised if isinstance(raised, type) else SystemExit):
        some.backup()
    assert running
    assert_gone(running)
    assert len(some.backup_folders()) == 1
    assert leftovers(work) == []
    monkeypatch.undo()
    assert some.backup()["level"] == 1
    assert some.verify()["outcome"] == "success"


def test_a_signal_that_a_program_turns_into_an_exit_leaves_nothing_behind(tmp_path, monkeypatch):
    some, work, running = signalled(tmp_path, monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))

    def leave(number, _frame):
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with pytest.raises(SystemExit):
            some.backup()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert_gone(running)
    assert (len(some.backup_folders()), leftovers(work)) == (1, [])


@pytest.mark.parametrize("filter_program", [False, True], ids=["library", "zstd program"])
def test_a_tar_that_is_killed_gives_no_backup(tmp_path, monkeypatch, filter_program):
    """The same for a tar that meets a bug of its own: its status is not 0 or 1."""
    if filter_program:
        monkeypatch.setattr(copied_files.codec_for.__globals__["shutil"], "which", lambda name, **_options: name)
        monkeypatch.setitem(copied_files.codec_for.__globals__, "zstandard", None)
    some = Set(tmp_path, compression="zstd" if filter_program else "none")
    # More than the pipes and what zstd works on at once, and further apart than it looks for repetitions.
    write(some.source / "big", random.Random(1).randbytes(4 << 20) * 24)
    killed = []

    def kill_tar(_operation):
        for pid in agent_process.descendants(os.getpid()):
            if name_of(pid) == "tar":
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    faulty = FaultyStorage(LocalStorage(str(some.container)), {("write", 1): kill_tar})
    monkeypatch.setattr(files, "storage_for", lambda _kind, _container, _access: faulty)
    with pytest.raises(ArchiveError, match="tar could not archive"):
        some.backup()
    assert killed
    assert some.backup_folders() == []


def test_threads_end_with_the_work_whatever_ended_it(tmp_path, monkeypatch):
    before = set(threading.enumerate())
    some, _work, _running = signalled(tmp_path, monkeypatch, lambda: (_turn for _turn in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        some.backup()
    monkeypatch.undo()
    some.backup()
    some.restore()
    some.verify()
    assert set(threading.enumerate()) - before == set()


def test_no_descriptor_stays_open_whatever_ended_the_work(tmp_path, monkeypatch):
    some, _work, _running = signalled(tmp_path, monkeypatch, lambda: (_turn for _turn in ()).throw(KeyboardInterrupt))
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyboardInterrupt):
        some.backup()
    monkeypatch.undo()
    some.backup()
    some.restore()
    some.verify()
    assert len(os.listdir("/proc/self/fd")) <= len(before)
