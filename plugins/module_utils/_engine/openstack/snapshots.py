# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What snapshots of servers and of volumes have in common: options, metadata, and the same work on several of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from .errors import SomeFailed
from .listing import Listing
from .resources import OWNER, Resource, chosen
from .waiting import each


@dataclass(frozen=True)
class SnapshotOptions:
    """What is wanted of several servers or volumes; times are in seconds."""

    snapshot_name: str
    incremental: bool = True
    require_quiesce: bool = False
    min_age: float | None = None
    #: What rotation counts: snapshots that have it in common. By default the snapshot's name.
    backup_set: str | None = None
    #: By the id of what the caller quiesces meanwhile: ``fs`` or ``app``.
    held: Mapping[str, str] = field(default_factory=dict)
    #: The volumes of a group of Cinder get one group snapshot; else each is taken after the other.
    as_groups: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: ``taken`` is when what is quiesced may be released; ``whole`` is when everything is stored and checked.
    wait_for: str = "whole"
    restore_as: str | None = None
    timeout_seconds: float = 600.0
    concurrency: int = 8

    @property
    def set_name(self) -> str:
        """What rotation counts."""
        return self.backup_set or self.snapshot_name

    def marks(self, run: str, consistency: str, level: int = 0) -> dict[str, str]:
        """The metadata of all that a run makes."""
        return {
            **{str(key): str(value) for key, value in self.metadata.items()},
            "freezer_owner": OWNER,
            "freezer_set": self.set_name,
            "freezer_level": str(level),
            "freezer_consistency": consistency,
            "freezer_run": run,
        }


def all_of(
    known: Listing, names: Sequence[str], what: str, work: Callable[[Resource], dict[str, Any]], concurrency: int
) -> dict[str, Any]:
    """Do it with those that ids or names mean; `what` they are is ``server`` or ``volume``.

    Raises CloudError, before anything is done, for a name that none or several have, and SomeFailed, after all, when
    not every one could be done.
    """
    results: list[dict[str, Any]] = []
    problems: list[str] = []
    for one, result, problem in each(chosen(known.fresh(), names, what), work, concurrency):
        about = {what: one["name"], f"{what}_id": one["id"]}
        if problem is not None:
            problems.append(f"{one['name'] or one['id']}: {problem}")
            results.append({**about, "changed": False, "outcome": "failed", "message": str(problem)})
        else:
            results.append({**about, **(result or {})})
    answer = {"changed": any(one["changed"] for one in results), "snapshots": results}
    if problems:
        more = f" ({len(problems)} of {len(results)} {what}s failed)" if len(results) > 1 else ""
        raise SomeFailed(f"{problems[0].rstrip('.')}{more}.", answer)
    return answer


def made_before(
    known: Listing, what: str, name: str, marks: Mapping[str, str], ready: Collection[str], dry_run: bool
) -> dict[str, Any] | None:
    """The result if nothing is to be made: one of this name with these marks is there, or it is a dry run; else None.

    `what` is made is ``server`` or ``volume``, `ready` the states in which it is what it was to become. Raises RestError.
    """
    found = [one for one in known.marked(marks) if one["name"] == name]
    if found and found[0]["status"] in ready:
        return {
            "changed": False,
            "outcome": "unchanged",
            f"restored_{what}": name,
            f"restored_{what}_id": found[0]["id"],
        }
    return {"changed": True, "outcome": "planned", f"restored_{what}": name} if dry_run else None
