# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over several hosts may begin with, and what its end says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.plugin_utils import hooks, sequence, sequence_refusal


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("snapshot", ("snapshot",)),
        ("cloudify.interfaces.snapshot.create", ("snapshot",)),
        ("fs_prepare", ("prepare", "freeze")),
        ("freeze.suspend", ("suspend",)),
        ("cloudify.interfaces.statistics.perfomance", ("statistics",)),
        ("snapshots", ()),
        ("", ()),
    ],
)
def test_operations_of_cloudify_are_steps_and_other_words_are_none(name, steps):
    assert sequence.steps_of(name) == steps


def test_lists_may_be_texts_with_commas():
    assert sequence.words("a, b,,c") == ["a", "b", "c"]
    assert sequence.words(["a,b", 3]) == ["a", "b", "3"]
    assert sequence.words(None) == []


def _member(host, **more):
    return {
        "host": host,
        "server": "",
        "volumes": [],
        "lvm": False,
        "targets": True,
        "needs": [],
        "skips": [],
        "hooks": {},
        "has": ["freeze", "snapshot"],
        "problems": [],
        **more,
    }


def _run(workflow="backup", **more):
    return {"workflow": workflow, "snapshot_name": "one", "include_instances": [], **more}


def _problems(members, run=None, hosts=("a", "b"), allowed=(), slice_of="", main_step="snapshot"):
    return sequence.problems(run or _run(), members, list(hosts), ["a", "b"], allowed, slice_of, main_step)


def test_a_run_of_all_hosts_that_have_something_to_do_may_begin():
    assert _problems([_member("a"), _member("b")]) == []


def test_a_part_may_begin_if_it_is_named_or_allowed():
    (problem,) = _problems([_member("a")], hosts=["a"])
    assert problem.startswith("--limit leaves out b")
    assert _problems([_member("a")], _run(include_instances=["a"]), hosts=["a"]) == []
    assert _problems([_member("a")], hosts=["a"], allowed=["partial"], slice_of="nightly") == []
    assert "slice of the job nightly" in _problems([_member("a")], _run(include_instances=["a"]), slice_of="nightly")[0]
    # To suspend a part of the hosts is what may be meant.
    assert _problems([_member("a", has=["suspend"])], _run("suspend"), hosts=["a"], main_step="suspend") == []


def test_members_without_anything_to_do_are_named():
    idle = _member("b", has=[])
    assert "b has nothing to do" in _problems([_member("a"), idle])[0]
    assert _problems([_member("a"), idle], allowed=["idle"]) == []
    skipped = [_member(host, skips=["snapshot"]) for host in "ab"]
    assert _problems(skipped)[0] == "No host has anything to do in the step snapshot, not even a hook."
    forgotten = _member("a", lvm=True, has=["snapshot", "delete"])
    applied = _member("b", has=["apply", "snapshot"])
    assert (
        "a has nothing that brings its snapshots back"
        in _problems([forgotten, applied], _run("restore"), main_step="apply")[0]
    )


def test_each_problem_is_said_once_with_the_hosts_that_have_it():
    broken = ["the hook snapshot: There is no file missing.yml of tasks."]
    assert _problems([_member(host, has=[], problems=broken) for host in "ab"]) == [f"a, b: {broken[0]}"]
    idle = [_member(host, has=[]) for host in "ab"]
    assert _problems(idle)[0].startswith("a, b have nothing to do: none of freezer_targets")


def test_a_broken_hook_of_the_main_step_is_something_to_do():
    broken = _member("a", has=[], problems=["the hook snapshot: There is no file missing.yml of tasks."])
    assert len(_problems([broken, _member("b", has=["freeze"])])) == 1


def test_finalize_says_what_it_has_released_before_it_failed_and_what_else_is_held():
    states = {
        "a": {"freezer_thawed_compute": {"changed": True}, "freezer_thawed_services": {"skipped": True}},
        "b": {"freezer_thawed_compute": {"skipped": True}, "freezer_thawed_services": {"unreachable": True}},
        "c": {"freezer_thawed_compute": {"changed": False, "still_held": ["default"]}},
        "d": {"freezer_thawed_compute": {"failed": True, "msg": "no room"}},
        "e": {"freezer_thawed_compute": {"changed": True}},
        "f": {},
    }
    assert sequence.released(states) == [
        "Released: a, e.",
        "Not released, since they cannot be reached; their own deadline does it: b.",
        "Nothing was quiesced by these playbooks: c.",
        "Not released (no room): d.",
        "Not asked: f.",
    ]
    (line,) = sequence.other_holds(states)
    assert line.startswith("c: still held under the name default")
    assert "-a 'state=thawed name=default'" in line


@pytest.mark.parametrize(
    "said",
    [
        "the role 'mine' was not found in freezer.backup:ansible.legacy:/srv/roles",
        # ansible-core 2.22
        "The role 'mine' was not found in: freezer.backup:ansible.legacy:/srv/roles",
    ],
)
def test_a_role_that_is_not_found_is_named_without_a_dozen_folders(said):
    assert hooks.without_search_path(said).startswith("the role 'mine' was not found beside the playbook")
    assert "ansible.legacy" not in hooks.without_search_path(said)


def test_a_removal_whose_hooks_did_not_run_had_nothing_to_remove():
    hooks = {"freezer_member": {"hooks": {"delete": [{"tasks": "x"}]}}}
    run = _run("remove_backup")
    assert sequence.nothing_was_there(run, {"a": {**hooks, "freezer_is_known": False}})
    assert not sequence.nothing_was_there(run, {"a": {**hooks, "freezer_is_known": True}})


def test_a_backup_that_only_hooks_know_has_to_be_on_record():
    assert sequence.unrecorded("one", [_member("a")], [{"snapshot_name": "one"}]) == []
    assert sequence.unrecorded("one", [_member("a"), _member("b", lvm=True)], []) == []
    assert (
        "no backup one on record on any host, only: two"
        in sequence.unrecorded("one", [_member("a")], [{"snapshot_name": "two"}])[0]
    )


def _judged(*done, **more):
    return {"freezer_judged": {"done": done, "failures": {}, "all_done": True, "undone": False, **more}}


def test_the_end_says_who_failed_where_and_what_is_left():
    well = _judged("a", "b")
    assert sequence.ended_badly(_run(), {"a": well}, "snapshot") == []
    undone = _judged("a", all_done=False, undone=True)
    bad = {**undone, "freezer_failures": ["snapshot: no space"], "freezer_on_record": {"others": []}}
    assert sequence.ended_badly(_run(), {"a": undone, "b": bad}, "snapshot") == [
        "b: snapshot: no space",
        "Left on b: the record of this run, and what it may have taken. freezer.backup.finalize removes both.",
    ]
    bad |= {"freezer_off_record": {"others": [], "failed": False}, "freezer_all_held": {"go": True}}
    assert sequence.ended_badly(_run(), {"a": undone, "b": bad}, "snapshot")[-1] == "No snapshot of it is left."
    late = {**well, "freezer_failures": ["finalize: exit 1"]}
    assert sequence.ended_badly(_run(), {"a": late}, "snapshot")[-1] == "The backup itself is complete."
    # A hook that takes its host out of the play has no failure.
    assert "a: snapshot: it was not reached" in sequence.ended_badly(_run(), {"a": {}}, "snapshot")[0]
    # Where nothing had begun there is nothing of this run, whatever there is of others.
    assert sequence.ended_badly(_run(), {"a": {"freezer_failures": ["record: taken"]}}, "snapshot")[-1] == (
        "No snapshot was taken."
    )
    kept = {**undone, "freezer_failures": ["snapshot: no"], "freezer_member": {"skips": ["delete"]}}
    assert sequence.ended_badly(_run(), {"a": {**kept, "freezer_all_held": {"go": True}}}, "snapshot")[-1] == (
        "Left on a: what it has taken there, since skip_actions has `delete`."
    )


def test_the_hosts_that_have_failed_count_as_failed_and_the_controller_for_those_that_are_out_of_the_play():
    states = {"a": _judged("a", "b"), "b": {**_judged("a", "b"), "freezer_failures": ["snapshot: no space"]}}
    assert sequence.failed_hosts(_run(), states, "snapshot", ["a", "b"]) == ["b"]
    assert sequence.failed_hosts(_run(), states, "snapshot", ["a"]) == ["a"]
    assert sequence.failed_hosts(_run(), states, "snapshot", ["a", "localhost"]) == ["localhost"]
    # The play of statistics is the one that has the end: a hook there has taken it out of that, so it says nothing any more.
    out = {"freezer_begun": {"line": {"step": "statistics"}}, "freezer_done": {"line": {"step": "resume"}}}
    assert sequence.failed_hosts(_run(), {**states, "b": {**states["b"], **out}}, "snapshot", ["a", "b"]) == ["a"]
    lost = {**states["b"], "freezer_begun": {"line": {"step": "prepare"}}}
    assert sequence.failed_hosts(_run(), {**states, "b": lost}, "snapshot", ["a", "b"]) == ["b"]


def test_the_end_of_a_good_run_says_what_was_done_and_what_would_be():
    two = {"a": {}, "b": {}}
    assert sequence.ended_well(_run(), two, would_be=False) == "backup one is done on 2 hosts."
    assert sequence.ended_well(_run(), {"a": {}}, would_be=True) == "backup one would be done on 1 host."
    # These are about no backup, and of the cloud nothing was asked so far.
    assert sequence.ended_well(_run("finalize"), two, would_be=False) == "finalize is done on 2 hosts."
    assert "is done" not in sequence.ended_well(_run("statistics"), two, would_be=False)
    skips = {"a": {}, "b": {"freezer_member": {"skips": ["delete"]}}}
    assert sequence.ended_well(_run("remove_backup"), skips, would_be=False) == (
        "remove_backup one is done on 1 host. Not on b, where skip_actions has `delete`."
    )


def test_a_name_that_any_host_has_on_record_as_done_is_taken():
    seen = {"a": _member("a"), "b": _member("b", known={"done": [{"workflow": "backup", "snapshot_name": "one"}]})}
    ((said, about),) = sequence_refusal.name_taken(_run(), seen)
    assert said.startswith("b: there is a backup one on record already. Choose another snapshot_name, leave it out, or")
    assert about == ["b"]
    assert sequence_refusal.name_taken(_run(snapshot_name="two"), seen) == []
    assert sequence_refusal.name_taken(_run("restore"), seen) == []
    # One that has failed or was killed may be made again.
    killed = {"a": _member("a", known={"runs": [{"workflow": "backup", "snapshot_name": "one"}], "done": []})}
    assert sequence_refusal.name_taken(_run(), killed) == []


def test_snapshots_of_hooks_that_none_removes_are_refused_and_a_removal_keeps_their_record():
    known = {"done": [{"workflow": "backup", "snapshot_name": "one"}]}
    taken = _member("a", hooks={"snapshot": [{"tasks": "x"}]}, known=known)
    for workflow, what in (("backup", "could not be removed again"), ("remove_backup", "would stay, and so does its")):
        ((said, about),) = sequence_refusal.undeletable(_run(workflow), [taken, _member("b")])
        assert said.startswith(f"a: freezer_hooks has `snapshot` and no `delete`, so what that takes {what}")
        assert about == ["a"]
    assert sequence_refusal.undeletable(_run("restore"), [taken]) == []
    # What never was is not in the way, nor what is said to be so.
    assert sequence_refusal.undeletable(_run("remove_backup", snapshot_name="two"), [taken]) == []
    for meant in ({"hooks": {**taken["hooks"], "delete": []}}, {"skips": ["delete"]}):
        assert sequence_refusal.undeletable(_run(), [{**taken, **meant}]) == []


def test_types_that_no_host_has_are_refused_and_empty_groups_are_not():
    run = _run(include_types=["db"], exclude_types=["slow", "nosuch"])
    seen = [_member("a", types=["freezer_services", "slow"]), None]
    (said,) = sequence_refusal.unknown_types(run, seen, ["all", "db"])
    assert said == "exclude_types names what is no group of the inventory and in freezer_types of no host: nosuch."


def test_why_no_host_takes_part_is_said_as_it_is():
    groups = "freezer_services:freezer_compute"
    assert sequence_refusal.no_host(groups, [], [], "").endswith("freezer_services and freezer_compute are empty.")
    assert "freezer_hosts, which is nope, fits none" in sequence_refusal.no_host("nope", [], [], "")
    assert "--limit db9 leaves none" in sequence_refusal.no_host(groups, ["a"], [], "db9")
    assert "exclude_types leave none" in sequence_refusal.no_host(groups, ["a"], ["a"], "")
    assert _problems([], _run(include_instances=["web9"])) == [
        "include_instances names hosts that are not in the groups: web9."
    ]


def test_no_loop_of_the_playbooks_goes_through_a_set_which_has_no_order():
    # Whether an upload was whole was judged after what it had left was removed, or not, by chance.
    tasks = Path(__file__).resolve().parents[3] / "playbooks" / "tasks"
    loops = [line for path in tasks.glob("*.yml") for line in path.read_text().splitlines() if " loop: " in line]
    assert loops
    assert [line for line in loops if re.search(r"difference|intersect|union|symmetric", line)] == []
