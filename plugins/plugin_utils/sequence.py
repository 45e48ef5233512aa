# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over several hosts is asked for, who takes part, and what forbids it to begin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.plugin_utils.sequence_end import failures_of, judged_of, thawed_of

STEPS = ("prepare", "freeze", "snapshot", "apply", "delete", "finalize", "suspend", "resume", "statistics")
#: The steps that a workflow may go through: only their hooks need to be there.
STEPS_OF = {
    "backup": ("prepare", "freeze", "snapshot", "delete", "finalize"),
    "restore": ("prepare", "freeze", "apply", "finalize"),
    "remove_backup": ("delete",),
    "finalize": ("finalize", "delete"),
    "suspend": ("suspend",),
    "resume": ("resume",),
    "statistics": ("statistics",),
}
#: Operations of Cloudify's plugin, and the steps that they are here.
_OPERATIONS = {
    "cloudify.interfaces.freeze.fs_prepare": ("prepare", "freeze"),
    "cloudify.interfaces.freeze.fs_finalize": ("finalize",),
    "cloudify.interfaces.freeze.suspend": ("suspend",),
    "cloudify.interfaces.freeze.resume": ("resume",),
    "cloudify.interfaces.lifecycle.suspend": ("suspend",),
    "cloudify.interfaces.lifecycle.resume": ("resume",),
    "cloudify.interfaces.snapshot.create": ("snapshot",),
    "cloudify.interfaces.snapshot.apply": ("apply",),
    "cloudify.interfaces.snapshot.delete": ("delete",),
    "cloudify.interfaces.statistics.perfomance": ("statistics",),
    "cloudify.interfaces.statistics.performance": ("statistics",),
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
#: What `backup` calls a run that was given no name.
GENERATED = re.compile(r"backup-[0-9]+")
#: Steps in the play that has the end of the run, so that a host that they take out of the play is out of it at the end.
_STEPS_OF_THE_END = ("statistics",)
#: Workflows of which a part of the hosts would pass for all of them.
_WHOLE = ("backup", "restore", "remove_backup")


def steps_of(name: str) -> tuple[str, ...]:
    """The steps that a name means: one of ours, or an operation of Cloudify, in full or its last words. Empty if it means none."""
    if name in STEPS:
        return (name,)
    for operation, steps in _OPERATIONS.items():
        if operation == name or (operation.endswith(f".{name}") and name):
            return steps
    return ()


def words(value: Any) -> list[str]:
    """A list, or a text with commas, as a list of texts."""
    if value is None:
        return []
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return [word for one in value for word in words(one if isinstance(one, (str, list)) else str(one))]


def nothing_to_do(workflow: str, member: Mapping[str, Any]) -> str:
    """What a member lacks that has no part in a run, as the end of a sentence, or nothing."""
    has = set(member["has"]) - set(member["skips"])
    if workflow in ("backup", "remove_backup") and not member["has"]:
        return (
            "nothing to do: none of freezer_targets, freezer_lvm_snapshots, freezer_server, freezer_volumes and "
            "freezer_hooks."
        )
    if workflow == "restore" and "apply" not in has and "apply" not in member["skips"] and "snapshot" in member["has"]:
        return "nothing that brings its snapshots back: freezer_hooks has no `apply`."
    return ""


def told_once(said: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Each sentence once, with the hosts that it is about, from pairs of a host and a sentence."""
    about: dict[str, list[str]] = {}
    for host, sentence in said:
        hosts = about.setdefault(sentence, [])
        if host not in hosts:
            hosts.append(host)
    return list(about.items())


def problems(
    run: Mapping[str, Any],
    members: list[Mapping[str, Any]],
    hosts: list[str],
    meant: list[str],
    allowed: Iterable[str],
    slice_of: str,
    main_step: str,
    unknown_types: Iterable[str] = (),
) -> list[str]:
    """Why a run must not begin, as sentences. `hosts` are those of the run, `meant` those of its groups whatever `--limit` says.

    `allowed` has `partial` where a part of the hosts, and `idle` where hosts with nothing to do may pass.
    """
    found: list[str] = []
    name, workflow = run["snapshot_name"], run["workflow"]
    if not _NAME.fullmatch(name):
        found.append(f"A backup cannot be called {name}: letters, digits, dots, dashes and underscores, 64 at most.")
    unknown = [host for host in run["include_instances"] if host not in hosts]
    if unknown:
        found.append(f"include_instances names hosts that are not in the groups: {', '.join(unknown)}.")
    found += unknown_types
    if workflow in _WHOLE and "partial" not in allowed:
        wanted = set(run["include_instances"]) or set(meant)
        left_out = [host for host in meant if host in wanted and host not in hosts]
        if left_out and not unknown:
            found.append(
                f"--limit leaves out {', '.join(left_out)}, and it would pass for a {workflow} of all hosts. Name hosts with "
                f"include_instances, or set freezer_allow_partial=true."
            )
        if slice_of:
            found.append(
                f"This is a slice of the job {slice_of}, and it would pass for a {workflow} of all hosts. Set its job slicing to 1, "
                f"or freezer_allow_partial=true."
            )
    said = told_once((member["host"], problem) for member in members for problem in member["problems"])
    found += [f"{', '.join(about)}: {problem}" for problem, about in said]
    if workflow in ("suspend", "resume"):
        found += [
            f"{member['host']}: freezer_depends_on names hosts that are not in the groups: {', '.join(strangers)}."
            for member in members
            if (strangers := [host for host in member["needs"] if host not in hosts])
        ]
    if "idle" not in allowed and members:
        found += _idle(workflow, members, main_step)
    return found


def _idle(workflow: str, members: list[Mapping[str, Any]], main_step: str) -> list[str]:
    """Which members, or all of them, a run would leave as they are."""
    # What a member has to do whose hooks cannot be used is not known.
    well = [member for member in members if not member["problems"]]
    said = told_once((member["host"], lack) for member in well if (lack := nothing_to_do(workflow, member)))
    found = [f"{', '.join(about)} {'have' if len(about) > 1 else 'has'} {lack}" for lack, about in said]
    if (
        workflow in (*_WHOLE, "suspend", "resume")
        and well == members
        and all(main_step not in set(member["has"]) - set(member["skips"]) for member in members)
    ):
        found.append(f"No host has anything to do in the step {main_step}, not even a hook.")
    if found:
        found.append("Give them something to do, take them out of the groups, or set freezer_allow_idle=true.")
    return found


def parts(workflow: str, members: list[Mapping[str, Any]], rotates: bool, forks: int = 5) -> dict[str, Any]:
    """The files of tasks that a run goes through, without those that no member needs: `before` all are released, or what it is for where
    nothing is quiesced; in each step; and `then` when all are released, for each of the plays that follow, in their order.
    """
    lvm = any(member["lvm"] for member in members)
    cloud = any(member["server"] or member["volumes"] for member in members)
    targets = any(member["targets"] for member in members)
    quiesces = workflow in ("backup", "restore")
    hooks = {step for member in members for step, entries in member["hooks"].items() if entries}
    # More hosts than forks get ready in several rounds, so that all have to be ready before any of them is waited for.
    plain = not hooks & {"prepare", "freeze"} and sum(not member["is_service"] for member in members) <= forks
    before = {
        "cloud_look": cloud and (quiesces or workflow == "remove_backup"),
        "lvm_check_host": lvm and quiesces,
        "cloud_check": cloud and quiesces,
        "so_far": (lvm or cloud) and quiesces,
        "hold": quiesces and plain,
        "hold_in_steps": quiesces and not plain,
        "remove": workflow == "remove_backup",
        "power": workflow in ("suspend", "resume"),
        "statistics": workflow == "statistics",
        "judge": workflow == "finalize",
        "finalize_hooks": workflow == "finalize" and "finalize" in hooks,
    }
    steps = {}
    for step in (*STEPS, "upload"):
        first = {
            "server_host": step == "resume",
            "cloud_host": cloud and step in ("snapshot", "upload", "apply", "delete"),
            "lvm_host": lvm and step in ("snapshot", "delete"),
            # They run only if what is before them has found something.
            "hooks_host": step == "delete" and "delete" in hooks,
        }
        # So that hooks can still write.
        last = {
            "prepare_host": targets and step == "prepare",
            "freeze_host": targets and step == "freeze",
            "server_host": step == "suspend",
        }
        steps[step] = {"first": _wanted(first), "last": _wanted(last)}
    finalize = {"finalize_hooks": "finalize" in hooks}
    remove = {
        "lvm_skew": lvm and workflow == "backup",
        "upload": cloud and workflow == "backup",
        "undo": workflow == "backup",
    }
    end = {"rotate": rotates and workflow == "backup"}
    return {
        "before": _wanted(before),
        "parts": steps,
        "then": {"finalize": _wanted(finalize), "remove": _wanted(remove), "end": _wanted(end)},
    }


def _wanted(named: Mapping[str, bool]) -> list[str]:
    return [name for name, is_wanted in named.items() if is_wanted]


def unrecorded(name: str, members: list[Mapping[str, Any]], known: list[Mapping[str, Any]]) -> list[str]:
    """Why a backup cannot be brought back that only hooks could know of. Snapshots of LVM and of clouds are looked for themselves."""
    names = [str(run["snapshot_name"]) for run in known]
    if name in names or any(member["server"] or member["volumes"] or member["lvm"] for member in members):
        return []
    there = ", ".join(dict.fromkeys(names)) or "none"
    return [
        f"There is no backup {name} on record on any host, only: {there}. If it has no record, set freezer_allow_unrecorded=true."
    ]


def ended_badly(run: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]], main_step: str) -> list[str]:
    """What has failed in a run, on which host and at which step, and what is left where: lines of text, or none.

    `states` are the variables of each member, as the playbooks keep them.
    """
    workflow = run["workflow"]
    lines = [f"{host}: {failure}" for host, state in states.items() for failure in failures_of(host, state)]
    if not lines and workflow == "finalize":
        lines = [
            f"{host}: delete: a hook has ended the play, so it is not known whether all that a killed run has left is removed."
            for host, state in states.items()
            if not state.get("freezer_has_removed")
        ]
    failed = {host for host, state in states.items() if failures_of(host, state)}
    undone = [host for host, state in states.items() if not _has_done(host, state, main_step) and host not in failed]
    if not lines and undone and workflow in _WHOLE:
        lines = [
            f"{host}: {main_step}: it was not reached, so a hook has ended the play for this host." for host in undone
        ]
    if not lines:
        lines = [f"{host}: record: {said}" for host, state in states.items() if (said := _left_on_record(state))]
    if not lines:
        return []
    left = [host for host, state in states.items() if _is_recorded(state)]
    if left:
        lines.append(
            f"Left on {', '.join(left)}: the record of this run, and what it may have taken. freezer.backup.finalize removes both."
        )
    elif workflow == "backup":
        lines.append(_left_of_a_backup(states))
    return lines


def _left_of_a_backup(states: Mapping[str, Mapping[str, Any]]) -> str:
    """What there is of a backup that is on no record any more as being under way."""
    if all(judged_of(state).get("all_done") and not judged_of(state).get("undone") for state in states.values()):
        return "The backup itself is complete."
    if not any((state.get("freezer_all_held") or {}).get("go") for state in states.values()):
        return "No snapshot was taken."
    stays = _not_deleted(states)
    if stays:
        return f"Left on {', '.join(stays)}: what it has taken there, since skip_actions has `delete`."
    return "No snapshot of it is left."


def _not_deleted(states: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Hosts on which nothing is removed that was taken there."""
    skips = {host: (state.get("freezer_member") or {}).get("skips", ()) for host, state in states.items()}
    return [host for host, steps in skips.items() if "delete" in steps and "snapshot" not in steps]


def failed_hosts(
    run: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]], main_step: str, there: list[str]
) -> list[str]:
    """The hosts that count as failed, of a run that `ended_badly`: those on which something has failed.

    `there` are the hosts that are still in the play. One that a hook has taken out of it fails no more; if there is no other, the
    controller or the first one does, for the run has failed.
    """
    wrong = [host for host, state in states.items() if failures_of(host, state)]
    if not wrong and run["workflow"] in _WHOLE:
        wrong = [host for host, state in states.items() if not _has_done(host, state, main_step)]
    return [host for host in there if host in wrong and not _was_taken_out(states[host])] or for_all(there)


def for_all(there: list[str]) -> list[str]:
    """Who fails for what is wrong with none of the hosts of a play: the controller, if it is one of them."""
    return [host for host in there if host == "localhost"] or there[:1]


def _was_taken_out(state: Mapping[str, Any]) -> bool:
    """Whether a host is in the middle of a step of the play that has the end of the run."""
    begun, done = (
        ((state.get(name) or {}).get("line") or {}).get("step") for name in ("freezer_begun", "freezer_done")
    )
    return begun in _STEPS_OF_THE_END and begun != done


def ended_well(run: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]], would_be: bool) -> str:
    """What a run has done, as a sentence; with `would_be` what it would do, in check mode."""
    name = about(run)
    stays = _not_deleted(states) if run["workflow"] == "remove_backup" else []
    number = len(states) - len(stays)
    hosts = f"{number} host{'' if number == 1 else 's'}"
    if run["workflow"] == "statistics":
        return (
            f"{hosts} {'take' if len(states) > 1 else 'takes'} part in the statistics. What the cloud says comes next."
        )
    said = f"{name} {'would be' if would_be else 'is'} done on {hosts}."
    return f"{said} Not on {', '.join(stays)}, where skip_actions has `delete`." if stays else said


def about(run: Mapping[str, Any]) -> str:
    """The workflow, and the name of the backup if it is about one."""
    return f"{run['workflow']} {run['snapshot_name']}" if run["workflow"] in _WHOLE else str(run["workflow"])


def _has_done(host: str, state: Mapping[str, Any], main_step: str) -> bool:
    """Whether a host has gone through the step that the run is for."""
    line = (state.get("freezer_done") or {}).get("line") or {}
    return host in judged_of(state).get("done", ()) or line.get("step") == main_step


def _left_on_record(state: Mapping[str, Any]) -> str:
    """Why the record of a run that is over is not closed on a host, if it is not: the next `finalize` would undo what is on it."""
    off = state.get("freezer_off_record") or {}
    if off.get("unreachable"):
        return "the host cannot be reached, so the record of the run is not closed."
    if off.get("failed"):
        return str(off.get("msg") or "failed")
    return "the run is still on record." if _is_recorded(state) else ""


def _is_recorded(state: Mapping[str, Any]) -> bool:
    """Whether the run is still on record on a host: put there, and not taken off again."""
    off = state.get("freezer_off_record") or {}
    taken_off = "others" in off and not off.get("failed")
    return "others" in (state.get("freezer_on_record") or {}) and not taken_off


def released(states: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the playbook finalize has released before it was found that no more of it can be done, as sentences."""
    became: dict[str, list[str]] = {}
    for host, state in states.items():
        thawed = thawed_of(state)
        if thawed.get("unreachable"):
            word = "Not released, since they cannot be reached; their own deadline does it"
        elif thawed.get("failed"):
            word = f"Not released ({thawed.get('msg', 'failed')})"
        elif thawed.get("changed"):
            word = "Released"
        else:
            word = "Nothing was quiesced by these playbooks" if thawed else "Not asked"
        became.setdefault(word, []).append(host)
    return [f"{word}: {', '.join(hosts)}." for word, hosts in became.items()]


def other_holds(states: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is still held on hosts under names that the playbooks do not use, and how to release it, as sentences."""
    lines = []
    for host, state in states.items():
        folder = state.get("freezer_state_folder")
        for name in thawed_of(state).get("still_held") or []:
            options = f"state=thawed name={name}" + (f" state_folder={folder}" if folder else "")
            lines.append(
                f"{host}: still held under the name {name}, which is no hold of these playbooks. If nothing needs it any more: "
                f"ansible {host} -m freezer.backup.freeze -a '{options}'"
            )
    return lines


def nothing_was_there(run: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a removal had nothing to remove. What hooks do is not known, if they ran."""
    if run["workflow"] != "remove_backup":
        return False
    registers = ("freezer_lvm_done", "freezer_cloud_servers_done", "freezer_cloud_volumes_done")
    for state in states.values():
        if has_delete_hooks(state) and state.get("freezer_is_known", True):
            return False
        if any((state.get(name) or {}).get("changed") for name in registers):
            return False
    return True


def has_delete_hooks(state: Mapping[str, Any]) -> bool:
    """Whether a host has hooks that remove a backup."""
    return bool((state.get("freezer_member") or {}).get("hooks", {}).get("delete"))
