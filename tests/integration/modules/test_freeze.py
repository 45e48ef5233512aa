# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""freeze as Ansible runs it: check mode, diff, second runs, sentences, and Ansible itself."""

from __future__ import annotations

import json
import time

import pytest
from support.ansible_command import run_ansible
from support.modules import run_module


class Host:
    """A service that is stopped and started, and a folder for the holder's files."""

    def __init__(self, folder):
        self.folder = folder / "holds"
        self.journal = folder / "journal"
        self.journal.touch()

    def target(self, name="app"):
        says = ["sh", "-c", f'echo "$0" >>{self.journal}']
        return {"command": {"prepare": [*says, f"stop-{name}"], "finalize": [*says, f"start-{name}"]}}

    def attempt(self, check_mode=False, **options):
        return run_module("freeze", {"state_folder": str(self.folder), **options}, check_mode)

    def run(self, **options):
        """Run the module, after check mode has promised the same and done nothing."""
        before = self.journal.read_text(), self.folder.exists()
        promised = self.attempt(check_mode=True, **options)
        assert (self.journal.read_text(), self.folder.exists()) == before
        result = self.attempt(**options)
        assert not result["failed"], result["msg"]
        assert (promised["changed"], promised["diff"]) == (result["changed"], result["diff"])
        return result

    def history(self):
        return self.journal.read_text().split()


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path)
    yield made
    made.attempt(state="thawed")


def test_it_quiesces_and_releases(host):
    frozen = host.run(targets=[host.target()])
    assert frozen["changed"]
    assert frozen["diff"]["before"] == {"state": "thawed", "targets": []}
    assert frozen["diff"]["after"] == {"state": "frozen", "targets": ["command sh"]}
    assert 0 < frozen["remaining_seconds"] <= 60
    assert host.history() == ["stop-app"]
    thawed = host.run(state="thawed")
    assert thawed["changed"]
    assert thawed["released_by"] == "request"
    assert thawed["held_seconds"] > 0
    assert host.history() == ["stop-app", "start-app"]


def test_a_second_run_changes_nothing(host):
    host.run(targets=[host.target()], deadline_seconds=30)
    second = host.run(targets=[host.target()], deadline_seconds=30)
    assert not second["changed"]
    assert second["diff"]["before"] == second["diff"]["after"]
    assert second["remaining_seconds"] < 30
    host.run(state="thawed")
    assert not host.run(state="thawed")["changed"]
    assert host.history() == ["stop-app", "start-app"]


def test_thawing_what_was_never_held_changes_nothing(host):
    assert not host.run(state="thawed")["changed"]
    assert not host.folder.exists()


def test_it_says_that_the_deadline_had_passed(host):
    host.run(targets=[host.target()], deadline_seconds=0.5)
    time.sleep(1)
    result = host.run(state="thawed")
    assert not result["changed"]
    assert result["released_by"] == "deadline"
    assert host.history() == ["stop-app", "start-app"]


def test_other_targets_under_the_same_name_are_refused_also_in_check_mode(host):
    host.run(targets=[host.target()])
    for check_mode in (True, False):
        result = host.attempt(check_mode, targets=[host.target("other")])
        assert result["failed"]
        assert "with other targets: command sh" in result["msg"]
    assert host.run(targets=[host.target("other")], name="second")["changed"]
    host.run(state="thawed", name="second")


def test_what_must_not_be_frozen_is_refused_also_in_check_mode(host):
    for check_mode in (True, False):
        result = host.attempt(check_mode, targets=[{"path": "/tmp"}])
        assert result["failed"]
        assert "was not frozen" in result["msg"]


def test_a_release_that_fails_fails_the_module_with_what_happened(host):
    target = host.target()
    target["command"]["finalize"] = ["sh", "-c", "echo it will not start >&2; exit 1"]
    host.run(targets=[target])
    result = host.attempt(state="thawed")
    assert result["failed"]
    assert "it will not start" in result["msg"]


@pytest.mark.parametrize("targets", [[{}], [{"path": "/srv", "command": {}}], None])
def test_targets_have_one_key(host, targets):
    assert host.attempt(targets=targets)["failed"]


def test_ansible_leaves_a_holder_behind_that_outlives_it(host):
    options = {"targets": [host.target()], "deadline_seconds": 20, "state_folder": str(host.folder)}
    done = run_ansible("ansible", "localhost", "-m", "freezer.backup.freeze", "-a", json.dumps(options))
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.history() == ["stop-app"]
    done = run_ansible(
        "ansible", "localhost", "-m", "freezer.backup.freeze", "-a", f"state=thawed state_folder={host.folder}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"released_by": "request"' in done.stdout
    assert host.history() == ["stop-app", "start-app"]


def test_it_is_ready_at_once_and_holds_at_its_moment(host):
    moment = time.time() + 5
    ready = host.run(targets=[host.target()], hold_at=moment, deadline_seconds=30)
    assert (ready["changed"], ready["ready"]) == (True, True)
    assert host.history() == []
    assert time.time() < moment
    held = host.run(targets=[host.target()], hold_at=moment, deadline_seconds=30)
    assert not held["changed"]
    assert "ready" not in held
    assert held["held_from"] >= moment
    assert host.history() == ["stop-app"]
    assert host.run(state="thawed")["changed"]
    again = host.attempt(targets=[host.target()], hold_at=moment)
    assert again["failed"], "the moment of a hold that is over does not come again"


def test_what_waits_for_its_moment_can_be_released(host):
    host.run(targets=[host.target()], hold_at=time.time() + 60)
    assert host.run(state="thawed")["changed"]
    assert host.history() == []
    assert not host.run(state="thawed")["changed"]


def test_the_clock_of_a_host_is_measured(tmp_path):
    done = run_ansible("ansible", "localhost", "-m", "freezer.backup.clock_offset")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout[done.stdout.index("{") :])
    # It is the controller's own.
    assert abs(found["offset_seconds"]) <= found["error_seconds"] < 5
    assert found["changed"] is False


def test_a_clock_that_cannot_be_read_is_a_sentence(tmp_path):
    program = tmp_path / "date"
    program.write_text("#!/bin/sh\necho 1795337766.%N\n")
    program.chmod(0o755)
    path = f"ansible_shell_executable='/usr/bin/env PATH={tmp_path}:/usr/bin:/bin sh'"
    done = run_ansible("ansible", "localhost", "-m", "freezer.backup.clock_offset", "-e", path)
    assert done.returncode != 0
    assert "The host's clock cannot be read: `date +%s.%N` says 1795337766.%N." in done.stdout + done.stderr
