# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids a run over several hosts because of names: of a backup, of types and of hosts; and of whom a refusal is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.plugin_utils.sequence import nothing_to_do, words

#: A sentence, and the hosts that it is about.
Said = tuple[str, list[str]]


def name_taken(run: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> list[Said]:
    """A backup never takes the name of one that is there: to undo it would remove that. `seen` are all hosts that were asked."""
    if run["workflow"] != "backup":
        return []
    name = run["snapshot_name"]
    have = [host for host, member in seen.items() if name in _names(member, "done")]
    said = (
        f"{', '.join(have)}: there is a backup {name} on record already. Choose another snapshot_name, leave it out, or remove that "
        f"one first with remove_backup."
    )
    return [(said, have)] if have else []


def undeletable(run: Mapping[str, Any], members: Iterable[Mapping[str, Any]]) -> list[Said]:
    """Hosts whose snapshots nothing would remove: when a backup fails, or when they are to be removed."""
    workflow, name = run["workflow"], run["snapshot_name"]
    if workflow not in ("backup", "remove_backup"):
        return []
    kept = [member for member in members if _keeps(member)]
    if workflow == "remove_backup":
        kept = [member for member in kept if name in _names(member, "done", "runs")]
    hosts = [str(member["host"]) for member in kept]
    what = "would stay, and so does its record" if workflow == "remove_backup" else "could not be removed again"
    said = (
        f"{', '.join(hosts)}: freezer_hooks has `snapshot` and no `delete`, so what that takes {what}. Give it hooks `delete`, or an "
        f"empty list of them if it takes nothing that stays."
    )
    return [(said, hosts)] if hosts else []


def _keeps(member: Mapping[str, Any]) -> bool:
    """Whether hooks take a snapshot that none removes. An empty list, and a step that is skipped, say that this is meant."""
    hooks, skips = member["hooks"], member["skips"]
    return bool(hooks.get("snapshot")) and "delete" not in hooks and not {"snapshot", "delete"} & set(skips)


def _names(member: Mapping[str, Any], *kinds: str) -> list[str]:
    known = member.get("known") or {}
    return [
        str(run["snapshot_name"]) for kind in kinds for run in known.get(kind) or [] if run.get("workflow") == "backup"
    ]


def unknown_types(run: Mapping[str, Any], seen: Iterable[Mapping[str, Any] | None], groups: Iterable[str]) -> list[str]:
    """Names in include_types and exclude_types that no host of the run and no group of the inventory has, as sentences."""
    types = set(groups).union(*(words((member or {}).get("types")) for member in seen))
    found = []
    for variable in ("include_types", "exclude_types"):
        unknown = [name for name in run.get(variable) or [] if name not in types]
        if unknown:
            found.append(
                f"{variable} names what is no group of the inventory and in freezer_types of no host: {', '.join(unknown)}."
            )
    return found


def no_host(pattern: str, meant: list[str], hosts: list[str], limit: str) -> str:
    """Why no host takes part, where nothing else is wrong."""
    if not meant:
        if pattern == "freezer_services:freezer_compute":
            return "No host takes part: the groups freezer_services and freezer_compute are empty."
        return f"No host takes part: freezer_hosts, which is {pattern}, fits none of the inventory."
    if not hosts:
        return f"No host takes part: --limit {limit} leaves none."
    return "No host takes part: include_instances, include_types and exclude_types leave none."


def about(workflow: str, members: Iterable[Mapping[str, Any]], allows_idle: bool) -> list[str]:
    """The hosts that are wrong themselves: in their variables, or with nothing to do."""
    return [
        str(member["host"])
        for member in members
        if member["problems"] or (not allows_idle and nothing_to_do(workflow, member))
    ]
