# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run over several hosts goes on after a step, from the variables of each member as the playbooks keep them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

States = Mapping[str, Mapping[str, Any]]


def may_go_on(states: States, after: str) -> bool:
    """Whether nothing has failed, and all that had to be quiesced by now is."""
    if any(state.get("freezer_failures") for state in states.values()):
        return False
    return all(
        _has_gone_through(state) for state in states.values() if after == "freeze" or _member(state).get("is_service")
    )


def freezes_several(states: States) -> bool:
    """Whether there are several hosts to freeze at one moment."""
    return sum("offset_seconds" in _registered(state, "freezer_prepared") for state in states.values()) > 1


def skew(states: States) -> dict[str, float]:
    """How far apart the hosts of freezer_compute were frozen, and how much their clocks may be further apart than was measured.

    Nothing where none was frozen.
    """
    clocks = [(state, _registered(state, "freezer_prepared")) for state in states.values()]
    moments = [
        float(frozen["held_from"]) - float(clock["offset_seconds"])
        for state, clock in clocks
        if "offset_seconds" in clock and (frozen := _registered(state, "freezer_frozen")).get("held_from")
    ]
    if not moments:
        return {}
    errors = sorted(float(clock["error_seconds"]) for _state, clock in clocks if "error_seconds" in clock)
    return {
        "skew_seconds": round(max(moments) - min(moments), 3),
        "clock_error_seconds": round(sum(errors[-2:]), 3),
    }


def judge(run: Mapping[str, Any], states: States, main_step: str) -> dict[str, Any]:
    """What all have come to once they are released: who is `done` with the main step, what has failed until then (`failures` of each
    host), whether it is `all_done`, each held to the end, and whether what was taken is `undone`.
    """
    workflow = str(run["workflow"])
    failures: dict[str, list[str]] = {}
    done, kept = [], True
    for host, state in states.items():
        over = _hold_was_over(workflow, state)
        failures[host] = _lost_in_a_step(state, main_step) + _release_failures(workflow, state, over)
        line = _registered(state, "freezer_done").get("line") or {}
        if workflow == "finalize" or (not state.get("freezer_failures") and line.get("step") == main_step):
            done.append(host)
        kept = kept and not over and not thawed_of(state).get("unreachable")
    judged = {"done": done, "failures": failures, "all_done": kept and len(done) == len(states)}
    return {**judged, "undone": is_undone(run, states, judged)}


def is_undone(run: Mapping[str, Any], states: States, judged: Mapping[str, Any]) -> bool:
    """Whether what a backup has taken is removed again: also where it has turned out later that it is not whole."""
    begun = any(_registered(state, "freezer_all_held").get("go") for state in states.values())
    late = any(
        str(failure).startswith("upload:")
        for state in states.values()
        for failure in state.get("freezer_failures") or []
    )
    return bool(run["workflow"] == "backup" and begun and (late or not judged["all_done"]))


def failures_of(host: str, state: Mapping[str, Any]) -> list[str]:
    """What has failed on a host, with the step: while it was quiesced, at its release, and later."""
    records = _registered(state, "freezer_records")
    unread = records.get("failed") and not records.get("unreachable")
    return [
        *(state.get("freezer_failures") or []),
        *(judged_of(state).get("failures", {}).get(host) or []),
        *([f"record: {records.get('msg') or 'failed'}"] if unread else []),
    ]


def judged_of(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `judge` has found, which is the same for all."""
    return _registered(state, "freezer_judged")


def _lost_in_a_step(state: Mapping[str, Any], main_step: str) -> list[str]:
    """The step that a host has begun, and of which it has no end."""
    begun = (_registered(state, "freezer_begun").get("line") or {}).get("step", "")
    if _registered(state, "freezer_all_held").get("go"):
        begun = main_step
    done = (_registered(state, "freezer_done").get("line") or {}).get("step", "")
    if begun and begun != done:
        return [f"{begun}: the host was lost in the middle of it."]
    if any(_registered(state, name).get("unreachable") for name in ("freezer_prepared", "freezer_frozen")):
        return [
            f"{'prepare' if _member(state).get('is_service') else 'freeze'}: the host was lost in the middle of it."
        ]
    return []


def _hold_was_over(workflow: str, state: Mapping[str, Any]) -> str:
    """Why a hold was over before it was released, if it was."""
    held = _registered(state, "freezer_prepared" if _member(state).get("is_service") else "freezer_frozen")
    thawed = thawed_of(state)
    why = str(thawed.get("released_by") or "request")
    if not held.get("held_from") or workflow == "finalize":
        return ""
    if why != "request":
        return why
    if thawed and not any(thawed.get(word) for word in ("failed", "unreachable", "changed")):
        return "another run or finalize has released it, or the host has started anew"
    return ""


def _release_failures(workflow: str, state: Mapping[str, Any], over: str) -> list[str]:
    thawed = thawed_of(state)
    if thawed.get("unreachable"):
        return [
            _lost_before_steps(workflow, state)
            or "finalize: the host cannot be reached, and releases at its own deadline."
        ]
    if not thawed and _member(state).get("logs_in", True):
        return ["finalize: the host was not asked to release, and releases at its own deadline."]
    failures = [f"finalize: {thawed.get('msg') or 'failed'}"] if thawed.get("failed") else []
    if over:
        failures.append(
            f"finalize: the hold was over before it was released ({over}), so the result is not consistent. Raise "
            "freezer_deadline_seconds if that is why."
        )
    return failures


def _lost_before_steps(workflow: str, state: Mapping[str, Any]) -> str:
    """Where a host was lost that has begun no step: one that was lost in the check was not asked for its record any more."""
    recorded = _registered(state, "freezer_on_record")
    if workflow == "finalize" or _registered(state, "freezer_begun") or (recorded and not recorded.get("unreachable")):
        return ""
    return f"{'record' if recorded else 'check'}: the host cannot be reached; nothing was quiesced on it by this run."


def release_events(states: States) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Host, step, event and details of what the release was for each member: compute first, then services."""
    for services in (False, True):
        mine = {host: state for host, state in states.items() if bool(_member(state).get("is_service")) == services}
        out = [host for host, state in mine.items() if "finalize" in (_member(state).get("skips") or [])]
        for host in mine:
            yield host, "finalize", "skipped" if host in out else "start", {}
        for host, state in mine.items():
            if host in out:
                continue
            thawed = thawed_of(state)
            event = "failed" if thawed.get("failed") or thawed.get("unreachable") else "done"
            held = thawed.get("held_seconds")
            yield host, "finalize", event, {} if held is None else {"held_seconds": round(float(held), 3)}


def thawed_of(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result of the release of a host; one of the two tasks is for it."""
    for register in ("freezer_thawed_compute", "freezer_thawed_services"):
        found = _registered(state, register)
        if found and not found.get("skipped"):
            return found
    return {}


def _has_gone_through(state: Mapping[str, Any]) -> bool:
    """Whether a member has been through the step in which it is quiesced: as a step of its own, or with hooks."""
    registers = ("freezer_done", "freezer_prepared" if _member(state).get("is_service") else "freezer_frozen")
    return any((_registered(state, name).get("line") or {}).get("step") for name in registers)


def _registered(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return dict(state.get(name) or {})


def _member(state: Mapping[str, Any]) -> Mapping[str, Any]:
    return _registered(state, "freezer_member")
