# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The effects of changes on each document, before anything is written.

Several changes of one group can be about one document; the second one then expects the result of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..base import Change, Create, Delete, Discard, Put, Replace, Stored
from ..errors import ConflictError
from .connection import Found

#: The kind, the project and the id of a document.
Identity = tuple[str, str, str]


@dataclass(frozen=True)
class ElasticStored(Stored):
    """A document with the state that a write of it has to name. ``is_locked``: a change of several documents is pending."""

    found: Found | None = None
    is_locked: bool = False


@dataclass(frozen=True)
class Effect:
    """The effect of a group on one document: another state of it, or with ``source`` None its removal.

    ``before`` is the state that the document must be in; without it, the document must not exist.
    """

    identity: Identity
    before: Found | None
    source: dict[str, Any] | None
    is_creation: bool


def identity_of(change: Change) -> Identity:
    """The identity of the document that a change is about."""
    if isinstance(change, (Replace, Delete)):
        return change.stored.kind, change.stored.owner.project_id, change.stored.id
    project_id = change.project_id if isinstance(change, Discard) else change.owner.project_id
    return change.kind, project_id, change.id


def is_blind(change: Change) -> bool:
    """Whether a change applies to any state of its document."""
    return isinstance(change, (Put, Discard))


#: Makes the new state of a document from its change, the version, and the earlier state.
MakeSource = Callable[[Change, int, Mapping[str, Any] | None], dict[str, Any]]


def effects_of(
    changes: Sequence[Change], now: Mapping[Identity, Found | None], make_source: MakeSource
) -> tuple[list[Effect], list[int]]:
    """The effects of changes on each document, and the resulting versions.

    ``now`` has the documents of blind changes. Raises ConflictError for changes that contradict each other or the store.
    """
    folded: dict[Identity, Effect] = {}
    versions: list[int] = []
    for change in changes:
        identity = identity_of(change)
        earlier = folded.get(identity)
        effect: Effect | None
        if isinstance(change, (Replace, Delete)):
            effect = _of_known_state(change, identity, earlier, make_source)
        else:
            effect = _of_identity(change, identity, earlier, now.get(identity), make_source)
        versions.append(0 if effect is None or effect.source is None else effect.source["version"])
        if effect is not None:
            folded[identity] = effect
    # A document that was created and removed again has no effect.
    return [effect for effect in folded.values() if effect.before or effect.source], versions


def _of_known_state(
    change: Replace | Delete, identity: Identity, earlier: Effect | None, make_source: MakeSource
) -> Effect:
    stored = change.stored
    if earlier is not None or not isinstance(stored, ElasticStored) or stored.is_locked or stored.found is None:
        raise ConflictError(stored.kind, stored.id, "changed")
    if isinstance(change, Delete):
        return Effect(identity, stored.found, None, False)
    return Effect(identity, stored.found, make_source(change, stored.version + 1, stored.found.source), False)


def _of_identity(
    change: Create | Put | Discard,
    identity: Identity,
    earlier: Effect | None,
    found: Found | None,
    make_source: MakeSource,
) -> Effect | None:
    before = earlier.before if earlier is not None else found
    source: Mapping[str, Any] | None = found.source if found is not None else None
    if earlier is not None:
        source = earlier.source
    if isinstance(change, Discard):
        return Effect(identity, before, None, False) if source is not None else earlier
    if source is None:
        return Effect(identity, before, make_source(change, 1, None), isinstance(change, Create))
    if isinstance(change, Create):
        raise ConflictError(change.kind, change.id, "exists")
    return Effect(identity, before, make_source(change, source["version"] + 1, source), False)
