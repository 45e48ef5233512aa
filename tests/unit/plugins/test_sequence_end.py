# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run over several hosts goes on, from what is known of each of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.plugin_utils import sequence, sequence_end

_RUN = {"workflow": "backup", "snapshot_name": "one"}
_SERVICE, _COMPUTE = ({"freezer_member": {"is_service": service, "skips": []}} for service in (True, False))


def _line(step: str, event: str = "done") -> dict[str, Any]:
    return {"line": {"step": step, "event": event}}


def _held(**more: Any) -> dict[str, Any]:
    """A host of compute that was held, has done its snapshot and was released."""
    return {
        **_COMPUTE,
        "freezer_on_record": {"others": []},
        "freezer_all_held": {"go": True},
        "freezer_frozen": {**_line("freeze"), "held_from": 100.0},
        "freezer_done": _line("snapshot"),
        "freezer_thawed_compute": {"changed": True, "released_by": "request", "held_seconds": 3.0},
        **more,
    }


def _judged(**more: Any) -> dict[str, Any]:
    return sequence_end.judge(_RUN, {"a": _held(), "b": _held(**more)}, "snapshot")


def test_compute_is_frozen_only_if_all_services_are_prepared_and_nothing_has_failed():
    ready, compute = {**_SERVICE, "freezer_prepared": _line("prepare")}, {**_COMPUTE, "freezer_prepared": {}}
    assert sequence_end.may_go_on({"s": ready, "c": compute}, "prepare")
    assert not sequence_end.may_go_on({"s": ready, "c": compute}, "freeze")
    assert sequence_end.may_go_on({"s": ready, "c": {**compute, "freezer_frozen": _line("freeze")}}, "freeze")
    # With hooks the step has a line of its own; one that was lost has none.
    assert sequence_end.may_go_on({"s": {**_SERVICE, "freezer_done": _line("prepare")}}, "prepare")
    assert not sequence_end.may_go_on({"s": {**_SERVICE, "freezer_prepared": {"unreachable": True}}}, "prepare")
    assert not sequence_end.may_go_on(
        {"s": ready, "c": {**compute, "freezer_failures": ["freeze: no clock"]}}, "prepare"
    )


def test_how_far_apart_hosts_were_frozen_is_said_by_the_clock_of_the_controller():
    states = {
        "a": {
            "freezer_prepared": {"offset_seconds": 50.0, "error_seconds": 0.01},
            "freezer_frozen": {"held_from": 150.0},
        },
        "b": {
            "freezer_prepared": {"offset_seconds": -2.0, "error_seconds": 0.02},
            "freezer_frozen": {"held_from": 98.25},
        },
        "s": {**_SERVICE, "freezer_prepared": {"held_from": 7.0}},
    }
    assert sequence_end.skew(states) == {"skew_seconds": 0.25, "clock_error_seconds": 0.03}
    # Where nothing was frozen there is nothing to say.
    assert sequence_end.skew({"s": states["s"]}) == {}
    assert sequence_end.freezes_several(states)
    assert not sequence_end.freezes_several({"s": states["s"], "a": states["a"]})


def test_all_that_were_held_to_the_end_make_a_backup():
    assert _judged() == {"done": ["a", "b"], "failures": {"a": [], "b": []}, "all_done": True, "undone": False}


@pytest.mark.parametrize(
    ("more", "failure"),
    [
        (
            {"freezer_thawed_compute": {"changed": True, "released_by": "deadline"}},
            "released (deadline), so the result",
        ),
        ({"freezer_thawed_compute": {"changed": False}}, "another run or finalize has released it"),
        ({"freezer_thawed_compute": {"unreachable": True}}, "finalize: the host cannot be reached, and releases at"),
        ({"freezer_done": {}}, "snapshot: the host was lost in the middle of it."),
        ({"freezer_done": {}, "freezer_failures": ["snapshot: no space"]}, "snapshot: "),
    ],
)
def test_one_that_was_not_held_to_the_end_or_was_lost_leaves_no_backup(more, failure):
    judged = _judged(**more)
    said = [*judged["failures"]["b"], *more.get("freezer_failures", [])]
    assert failure in " ".join(said)
    assert judged["failures"]["a"] == []
    assert not judged["all_done"]
    assert judged["undone"]


def test_a_release_that_fails_fails_the_run_and_keeps_the_backup():
    judged = _judged(freezer_thawed_compute={"failed": True, "msg": "no room"})
    assert judged["failures"]["b"] == ["finalize: no room"]
    assert judged["all_done"]
    assert not judged["undone"]


def test_a_host_is_lost_where_it_was_lost():
    lost = {**_COMPUTE, "freezer_thawed_compute": {"unreachable": True}}
    recorded = {"freezer_on_record": {"others": []}}
    for state, said in (
        (lost, "check: the host cannot be reached; nothing was quiesced on it by this run."),
        ({**lost, "freezer_on_record": {"unreachable": True}}, "record: the host cannot be reached; nothing"),
        (
            {**lost, **recorded, "freezer_frozen": {"unreachable": True}},
            "freeze: the host was lost in the middle of it.",
        ),
    ):
        failures = sequence_end.judge(_RUN, {"c": state}, "snapshot")["failures"]["c"]
        assert failures[0].startswith(said)


def test_a_backup_that_never_arrives_in_the_cloud_is_undone():
    judged = _judged()
    states = {"a": {**_held(), "freezer_judged": judged, "freezer_failures": ["upload: out of space"]}}
    assert sequence_end.is_undone(_RUN, states, judged)
    assert not sequence_end.is_undone({**_RUN, "workflow": "restore"}, states, judged)


def test_the_log_is_told_of_each_release_compute_first():
    states = {"s": {**_SERVICE, "freezer_thawed_services": {"failed": True}}, "c": _held()}
    states["d"] = {"freezer_member": {"is_service": False, "skips": ["finalize"]}}
    assert list(sequence_end.release_events(states)) == [
        ("c", "finalize", "start", {}),
        ("d", "finalize", "skipped", {}),
        ("c", "finalize", "done", {"held_seconds": 3.0}),
        ("s", "finalize", "start", {}),
        ("s", "finalize", "failed", {}),
    ]


def test_a_member_that_was_not_asked_to_release_has_failed_unless_ansible_does_not_log_in_to_it():
    (failure,) = _judged(freezer_thawed_compute={"skipped": True})["failures"]["b"]
    assert failure.startswith("finalize: the host was not asked to release")
    api_only = {"freezer_member": {"is_service": False, "skips": [], "logs_in": False}}
    more = {**api_only, "freezer_frozen": {}, "freezer_thawed_compute": {"skipped": True}}
    assert _judged(**more)["failures"]["b"] == []


@pytest.mark.parametrize(
    ("off", "said"),
    [
        ({}, "b: record: the run is still on record."),
        ({"unreachable": True}, "b: record: the host cannot be reached, so the record of the run is not closed."),
        ({"failed": True, "msg": "No space."}, "b: record: No space."),
    ],
)
def test_a_run_whose_record_stays_open_on_a_member_has_failed(off, said):
    """The next `finalize` would remove what a run has made that seemed to have succeeded."""
    judged = {"freezer_judged": _judged()}
    states = {
        "a": _held(**judged, freezer_off_record={"others": []}),
        "b": _held(**judged, freezer_off_record=off),
    }
    assert sequence.ended_badly(_RUN, {"a": states["a"]}, "snapshot") == []
    lines = sequence.ended_badly(_RUN, states, "snapshot")
    assert lines[0] == said
    assert lines[1].startswith("Left on b: the record of this run")
