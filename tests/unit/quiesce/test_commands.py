# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Holding with commands of the user's own."""

from __future__ import annotations

import os
import threading
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.base import QuiesceError


class Service:
    """Something that commands stop and start, with a journal of it."""

    def __init__(self, folder):
        self.journal = folder / "journal"
        self.journal.touch()

    def says(self, word, then="true"):
        return ["sh", "-c", f"echo {word} >>'{self.journal}'; {then}"]

    def target(self, name="", prepare_then="true", finalize_then="true", **keys):
        prepare, finalize = self.says(f"stop{name}", prepare_then), self.says(f"start{name}", finalize_then)
        return {"command": {"prepare": prepare, "finalize": finalize, **keys}}

    def history(self):
        return self.journal.read_text().split()


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path)


def test_it_is_prepared_and_finalized_once(host, service):
    host.freeze(service.target())
    assert service.history() == ["stop"]
    host.thaw()
    assert service.history() == ["stop", "start"]


def test_targets_are_released_in_reverse_order_with_file_systems_held_last(host, service, file_system):
    host.freeze({"path": str(file_system.path)}, service.target("1"), service.target("2"))
    assert file_system.is_frozen()
    host.thaw()
    assert service.history() == ["stop1", "stop2", "start2", "start1"]


def test_a_prepare_that_fails_is_finalized_and_so_is_all_before_it(host, service):
    with pytest.raises(QuiesceError, match="ended with status 3: no luck"):
        host.freeze(service.target("1"), service.target("2", "echo no luck >&2; exit 3"), service.target("3"))
    assert service.history() == ["stop1", "stop2", "start2", "start1"]


def test_a_prepare_that_hangs_is_killed_with_its_children_and_finalized(host, service, tmp_path):
    children = tmp_path / "child"
    began = time.monotonic()
    with pytest.raises(QuiesceError, match=r"was not held in 1\.0 s|did not end in 1 s"):
        host.freeze(service.target("", f"sleep 600 & echo $! >'{children}'; wait"), timeout_seconds=1)
    assert time.monotonic() - began < 120, "what sleeps for 600 seconds was waited for"
    assert service.history() == ["stop", "start"]
    assert not os.path.exists(f"/proc/{children.read_text().strip()}") or _is_dead(children.read_text().strip())


def _is_dead(process):
    with open(f"/proc/{process}/stat", encoding="ascii") as file:
        return file.read().split()[2] == "Z"


def test_a_finalize_that_hangs_does_not_keep_the_others(host, service):
    host.freeze(service.target("1"), service.target("2", finalize_then="exec sleep 600", timeout_seconds=1))
    began = time.monotonic()
    result = host.thaw()
    assert time.monotonic() - began < 120, "what sleeps for 600 seconds was waited for"
    assert service.history() == ["stop1", "stop2", "start2", "start1"]
    assert "did not end in 1 s" in " ".join(result["problems"])


def test_a_slow_finalize_that_outlasts_the_deadline_is_left_to_end(host, service):
    host.freeze(service.target(finalize_then="sleep 4; echo started >>" + str(service.journal)), deadline_seconds=1)
    record = host.wait_until_over()
    assert service.history() == ["stop", "start", "started"]
    assert record["released_by"] == "deadline"


def test_the_guard_finalizes_when_the_holder_is_killed(host, service):
    host.freeze(service.target())
    holder, _guard = host.processes()
    host.kill(holder)
    host.wait_until_over()
    assert service.history() == ["stop", "start"]


def test_a_prepare_that_is_under_way_when_the_holder_is_killed_is_ended_before_it_is_finalized(host, service):
    prepare = service.target("", f"sleep 1.5; echo too-late >>'{service.journal}'")

    def kill_soon():
        until = time.monotonic() + 10
        while not service.history() and time.monotonic() < until:
            time.sleep(0.02)
        host.kill(host.processes()[0])

    killer = threading.Thread(target=kill_soon)
    killer.start()
    with pytest.raises(QuiesceError, match="holder has died"):
        host.freeze(prepare)
    killer.join()
    host.wait_until_over()
    time.sleep(2)
    assert service.history() == ["stop", "start"]


def test_a_command_that_is_not_there_holds_nothing(host, service):
    with pytest.raises(QuiesceError, match="no-such-program"):
        host.freeze(service.target(), {"command": {"prepare": ["no-such-program"]}})
    assert service.history() == []


def test_the_deadline_counts_while_targets_are_taken(host, service):
    with pytest.raises(QuiesceError, match="deadline has passed"):
        host.freeze(service.target("1"), service.target("2", "sleep 5"), deadline_seconds=1)
    assert service.history() == ["stop1", "stop2", "start2", "start1"]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ({}, "has one of the keys"),
        ({"path": "/srv", "mysql": {}}, "has one of the keys"),
        ({"oracle": {}}, "no kind of target 'oracle'"),
        ({"path": "srv"}, "begins with /"),
        ({"command": {}}, "needs prepare, finalize or both"),
        ({"mysql": {"user": "x"}}, "unknown key 'user'"),
    ],
)
def test_targets_that_cannot_be_understood_are_explained(host, target, sentence):
    with pytest.raises(QuiesceError, match=sentence):
        host.freeze(target)
