# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bring several indices to their desired states, or remove them: read all, refuse what is not allowed, then change them.

Modules and freezer-manage return these results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from . import ensure, settings
from .client import SearchClient
from .ensure import Plan, Wanted
from .own_mappings import PLURALS, own_indices
from .state import look_at

KINDS = tuple(sorted(PLURALS))
#: Gets the index that is copied, the number of copied documents, and of all documents.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Permissions:
    """What is allowed beyond changes that lose nothing.

    ``copies``: documents may move to a new index. ``loses``: documents, and parts of them, may be lost. ``prunes``:
    indices that a copy has replaced are removed.
    """

    copies: bool = False
    loses: bool = False
    prunes: bool = False


@dataclass
class Result:
    """The changes, made or planned. ``indices`` has a report for each index."""

    changed: bool = False
    indices: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, report: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
        """Add the report of one index."""
        self.indices.append(report)
        if report["outcome"] != "unchanged":
            self.changed = True
            self.before[report["name"]] = before
            self.after[report["name"]] = after


def desired_indices(params: Mapping[str, Any]) -> list[Wanted]:
    """The desired indices of the options of a module: ``index`` with ``mapping``, or ``prefix`` with ``kinds``."""
    said = dict(settings.flat(params.get("settings") or {}))
    if params.get("number_of_replicas") is not None:
        said["index.number_of_replicas"] = params["number_of_replicas"]
    if params.get("index"):
        removes = bool(params.get("remove_fields"))
        return [Wanted(params["index"], params.get("mapping") or {}, said, removes)]
    return own_desired_indices(params["prefix"], params.get("kinds"), said)


def own_desired_indices(
    prefix: str, kinds: Sequence[str] | None = None, said: Mapping[str, Any] | None = None
) -> list[Wanted]:
    """The indices of freezer-api whose names begin with ``prefix``, with more settings than their own."""
    plurals = None if kinds is None else {PLURALS[kind] for kind in kinds}
    return [
        Wanted(own.alias(prefix), own.mapping, {**settings.flat(own.settings), **(said or {})})
        for own in own_indices()
        if plurals is None or own.plural in plurals
    ]


def make_present(
    client: SearchClient,
    wanted: Sequence[Wanted],
    may: Permissions,
    check_mode: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Bring indices to their desired states. Raises RestError, SearchError."""
    plans = [ensure.plan(client, one) for one in wanted]
    for todo in plans:
        ensure.refuse_what_is_not_allowed(todo, may.copies)
    result = Result(warnings=_warnings(client, plans))
    for todo in plans:
        name = todo.wanted.name
        before, after = todo.before(), todo.after()
        outcome = _outcome(todo)
        report = described(todo)
        old = list(todo.state.earlier) if may.prunes else []
        if outcome == "copied" and may.prunes:
            # Under its present name, or the one that it gets for the swap.
            old.append(todo.state.index.name if todo.state.index is not None else "")
        if outcome != "unchanged" and not check_mode:
            tell = None if progress is None else (lambda done, total, name=name: progress(name, done, total))
            done = ensure.carry_out(client, todo, may.copies, may.loses, tell)
            report.update(index=done.index, copied_documents=done.copied.documents)
            report["left_out"] = [{"id": document_id, "reason": why} for document_id, why in done.copied.left_out]
        if old:
            before, after = {**before, "old_versions": old}, {**after, "old_versions": []}
            outcome = "pruned" if outcome == "unchanged" else outcome
            if not check_mode:
                ensure.prune(client, look_at(client, name))
        report["outcome"] = outcome
        result.add(report, before, after)
    return result


def make_absent(client: SearchClient, names: Sequence[str], may: Permissions, check_mode: bool = False) -> Result:
    """Remove indices with all their versions. Raises WouldLose, RestError, SearchError."""
    states = [look_at(client, name) for name in names]
    for state in states:
        ensure.refuse_to_lose(client, state, ensure.removable(state), may.loses)
    result = Result()
    for state in states:
        gone = ensure.removable(state)
        if gone and not check_mode:
            ensure.remove(client, state, may.loses)
        index = state.index.name if state.index is not None else None
        report = {"name": state.name, "index": index, "outcome": "removed" if gone else "unchanged", "removed": gone}
        result.add(report, {"indices": gone, "documents": state.documents}, {})
    return result


def look(client: SearchClient, wanted: Sequence[Wanted]) -> list[dict[str, Any]]:
    """Indices and their differences from the desired states. Raises RestError, SearchError."""
    found = []
    for one in wanted:
        todo = ensure.plan(client, one)
        index = todo.state.index
        report = described(todo)
        report["mapping"] = index.mapping_without_notes() if index is not None else {}
        report["settings"] = dict(index.settings) if index is not None else {}
        report["aliases"] = sorted(index.aliases) if index is not None else []
        found.append(report)
    return found


def described(todo: Plan) -> dict[str, Any]:
    """An index and its differences from the desired state, field by field, as plain data."""
    by_kind: dict[str, list[dict[str, Any]]] = {"added": [], "changed": [], "conflict": [], "extra": []}
    for one in (*todo.differences, *todo.setting_differences):
        by_kind[one.what].append({"path": one.path, "before": one.before, "after": one.after})
    state = todo.state
    return {
        "name": state.name,
        "index": state.index.name if state.index is not None else None,
        "documents": state.documents,
        "old_versions": list(state.earlier),
        "unfinished_copy": state.unfinished.name if state.unfinished is not None else None,
        "refuses_writes": state.index is not None and state.index.refuses_writes,
        "added": by_kind["added"],
        "changed": by_kind["changed"],
        "conflicts": by_kind["conflict"],
        "extra": by_kind["extra"],
        "copy_needed": bool(todo.copy_reasons),
        "outcome": _outcome(todo),
    }


def _outcome(todo: Plan) -> str:
    if todo.creates:
        return "created"
    if todo.copy_reasons:
        return "copied"
    return "changed" if todo.changes else "unchanged"


def _warnings(client: SearchClient, plans: Sequence[Plan]) -> list[str]:
    """Warnings about problems that will occur later."""
    wanted = {todo.replicas for todo in plans if todo.replicas is not None}
    if not wanted:
        return []
    data_nodes = client.data_nodes()
    return [warning for warning in (replica_warning(count, data_nodes) for count in sorted(wanted)) if warning]


def replica_warning(replicas: int, data_nodes: int) -> str | None:
    """The reason why a number of replicas does not suit a cluster, or None."""
    if replicas >= data_nodes:
        return (
            f"{replicas} replicas and the original need {replicas + 1} data nodes, and there are {data_nodes}: the "
            f"cluster stays yellow, and missing replicas protect nothing. At most {max(0, data_nodes - 1)} fit."
        )
    if replicas == 0 and data_nodes > 1:
        return f"Without replicas the loss of one of the {data_nodes} data nodes loses documents."
    return None
