# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bring an index to its desired state: make it, change it in place, or copy it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from . import fields, settings
from .client import SearchClient
from .errors import CopyNeeded, WouldLose
from .fields import Difference
from .migration import Done, Migration, Progress, Target, finish, roll_back
from .state import State, look_at


@dataclass(frozen=True)
class Wanted:
    """The desired state of an index. ``settings`` have whole or short names, nested or not; None is the default.

    ``removes_fields``: remove fields that the mapping does not have, where documents may not add fields.
    """

    name: str
    mapping: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    removes_fields: bool = False


@dataclass(frozen=True)
class Plan:
    """The changes that an index needs."""

    wanted: Wanted
    state: State
    differences: tuple[Difference, ...] = ()
    setting_differences: tuple[Difference, ...] = ()
    removed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def creates(self) -> bool:
        """Whether the index is to be made."""
        return self.state.index is None

    @property
    def replicas(self) -> int | None:
        """The desired number of replicas, if one is given."""
        value = settings.flat(self.wanted.settings).get("index.number_of_replicas")
        return int(value) if value is not None and str(value).isdigit() else None

    @property
    def copy_reasons(self) -> list[str]:
        """The reasons for a copy to a new index; empty if none is needed."""
        conflicts = [one for one in (*self.differences, *self.setting_differences) if one.what == "conflict"]
        return [one.sentence() for one in conflicts] + [f"{path} would be removed" for path in self.removed]

    @property
    def leftover(self) -> str | None:
        """An unfinished copy of an earlier run that this plan does not use, or its note."""
        if self.state.index is None or self.copy_reasons:
            return None
        if self.state.unfinished is not None:
            return self.state.unfinished.name
        return self.state.index.replaced_by

    @property
    def is_half_finished(self) -> bool:
        """Whether a copy is in service and only its note is left to be removed."""
        return self.state.index is not None and self.state.index.is_being_filled

    @property
    def changes(self) -> bool:
        """Whether anything has to be done."""
        return bool(
            self.creates
            or any(one.what in ("added", "changed") for one in self.differences)
            or self.setting_differences
            or self.copy_reasons
            or self.leftover
            or self.is_half_finished
        )

    def before(self) -> dict[str, Any]:
        """The current state of the differences."""
        return _side(self, lambda one: one.before)

    def after(self) -> dict[str, Any]:
        """The desired state of the differences."""
        if self.creates:
            return {
                "index": self.state.version(self.state.next_number),
                "fields": {path: fields.described(said) for path, said in fields.flat(self.wanted.mapping).items()},
                "settings": settings.flat(self.wanted.settings),
            }
        return _side(self, lambda one: one.after)


def _side(plan: Plan, value: Callable[[Difference], Any]) -> dict[str, Any]:
    """One side of the diff: every field and setting that changes."""
    found: dict[str, Any] = {}
    for one in plan.differences:
        if (one.what != "extra" or one.path in plan.removed) and value(one) is not None:
            found.setdefault("fields", {})[one.path] = fields.described(value(one))
    for one in plan.setting_differences:
        if value(one) is not None:
            found.setdefault("settings", {})[one.path] = value(one)
    return found


def plan(client: SearchClient, wanted: Wanted) -> Plan:
    """The plan for an index. Changes nothing. Raises RestError, SearchError."""
    state = look_at(client, wanted.name)
    if state.index is None:
        return Plan(wanted, state)
    existing = state.index.mapping_without_notes()
    found = fields.differences(wanted.mapping, existing)
    extra = {one.path: one.before for one in found if one.what == "extra"}
    removed = fields.removable(wanted.mapping, extra) if wanted.removes_fields else {}
    return Plan(
        wanted,
        state,
        tuple(found),
        tuple(settings.differences(wanted.settings, state.index.settings, state.index.defaults)),
        removed,
    )


def carry_out(
    client: SearchClient, todo: Plan, may_copy: bool, may_lose: bool = False, progress: Progress | None = None
) -> Done:
    """Carry out a plan. Raises CopyNeeded if it needs a copy that is not allowed, RestError, SearchError."""
    wanted, state = todo.wanted, todo.state
    if state.index is None:
        name = state.version(state.next_number)
        made_with = {key: value for key, value in settings.flat(wanted.settings).items() if value is not None}
        client.create(name, wanted.mapping, made_with, [wanted.name])
        return Done(name)
    refuse_what_is_not_allowed(todo, may_copy)
    if todo.is_half_finished:
        finish(client, state.index)
    if todo.copy_reasons:
        return Migration(client, state, _target_of(todo), may_lose, progress).run()
    if todo.leftover:
        roll_back(client, state)
    if any(one.what in ("added", "changed") for one in todo.differences):
        client.put_mapping(
            state.index.name,
            fields.completed(wanted.mapping, {"_meta": state.index.mapping_without_notes().get("_meta")}, {}),
        )
    if todo.setting_differences:
        client.put_settings(state.index.name, {one.path: one.after for one in todo.setting_differences})
    return Done(state.index.name)


def refuse_what_is_not_allowed(todo: Plan, may_copy: bool) -> None:
    """Raise CopyNeeded if a plan needs a copy that is not allowed."""
    if todo.copy_reasons and not may_copy:
        raise CopyNeeded(
            f"{todo.state.name} has to be copied into a new index, which is not allowed: "
            f"{'; '.join(todo.copy_reasons)}."
        )


def _target_of(todo: Plan) -> Target:
    """The target of a copy: the desired state, and what the index has besides."""
    index = todo.state.index
    existing = index.mapping_without_notes() if index is not None else {}
    kept = {one.path: one.before for one in todo.differences if one.what == "extra" and one.path not in todo.removed}
    made_with = settings.inherited(index.settings if index is not None else {})
    for name, value in settings.flat(todo.wanted.settings).items():
        if value is None:
            made_with.pop(name, None)
        else:
            made_with[name] = value
    return Target(fields.completed(todo.wanted.mapping, existing, kept), made_with, tuple(todo.removed))


def remove(client: SearchClient, state: State, may_lose: bool) -> list[str]:
    """Remove an index with its earlier versions and unfinished copies; return what was removed.

    Raises WouldLose if there are documents that must not be lost, RestError.
    """
    names = removable(state)
    for name in names:
        # Searches, and so the count, may not include the last documents yet.
        client.refresh(name)
    refuse_to_lose(client, state, names, may_lose)
    for name in names:
        client.delete(name)
    return names


def removable(state: State) -> list[str]:
    """What ``remove`` would remove: the index, earlier versions, an unfinished copy."""
    unfinished = [state.unfinished.name] if state.unfinished is not None else []
    return [*([state.index.name] if state.index is not None else []), *state.earlier, *unfinished]


def refuse_to_lose(client: SearchClient, state: State, names: list[str], may_lose: bool) -> None:
    """Raise WouldLose if one of these indices has documents that must not be lost."""
    if may_lose:
        return
    counts = {name: client.count(name) for name in names}
    full = [f"{name} ({count} documents)" for name, count in counts.items() if count]
    if full:
        raise WouldLose(f"{state.name} has documents: {', '.join(full)}. To lose them set erase.")


def prune(client: SearchClient, state: State) -> list[str]:
    """Remove the earlier versions of an index that is in service; return which. Raises RestError."""
    if state.index is None:
        return []
    for name in state.earlier:
        client.delete(name)
    return list(state.earlier)
