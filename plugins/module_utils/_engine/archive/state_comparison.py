# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Two states of a tree compared by what catalogues say of them: two backups, or a backup and a folder as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .plan import Planned
from .records import FILE, FOLDER, HARD_LINK, order_key

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
KIND, MODE, OWNER, SIZE, MTIME, TARGET, STORED_AGAIN = (
    "kind",
    "mode",
    "owner",
    "size",
    "mtime",
    "target",
    "stored again",
)


class Difference(NamedTuple):
    """One path that differs; its name is relative to what was backed up."""

    name: bytes
    #: ``added``, ``removed`` or ``changed``, as seen from the left.
    change: str
    left: Planned | None
    right: Planned | None
    #: What differs of a path that is on both sides.
    fields: tuple[str, ...] = ()


def compare(
    left: Iterable[Planned], right: Iterable[Planned], owner: bool = True, shared_levels: int = 0
) -> Iterator[Difference]:
    """The differences of two states, in the order of a catalogue.

    Owners are compared by number, unless `owner` is false. Of a hard link the catalogue does not say what it leads to is: its kind,
    size and target are not compared. The first `shared_levels` levels of both sides are the same backups.
    A file of which both have the same size and time may differ all the same: where both are of one chain, and another level
    stored the file again, ``stored again`` tells so.
    """
    ours, theirs = iter(left), iter(right)
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        key = None if one is None else order_key(one.member.name)
        other_key = None if other is None else order_key(other.member.name)
        if one is not None and (other_key is None or (key is not None and key < other_key)):
            yield Difference(one.member.name, REMOVED, one, None)
            one = next(ours, None)
        elif other is not None and (key is None or (other_key is not None and other_key < key)):
            yield Difference(other.member.name, ADDED, None, other)
            other = next(theirs, None)
        elif one is not None and other is not None:
            fields = fields_that_differ(one, other, owner, shared_levels)
            if fields:
                yield Difference(one.member.name, CHANGED, one, other, fields)
            one, other = next(ours, None), next(theirs, None)


def fields_that_differ(left: Planned, right: Planned, owner: bool, shared_levels: int = 0) -> tuple[str, ...]:
    one, other = left.member, right.member
    if left.level == right.level < shared_levels:
        return ()  # the same member
    linked = HARD_LINK in (one.kind, other.kind)
    if one.kind != other.kind and not (linked and FOLDER not in (one.kind, other.kind)):
        return (KIND,)
    found = []
    if one.mode != other.mode:
        found.append(MODE)
    if owner and (one.uid, one.gid) != (other.uid, other.gid):
        found.append(OWNER)
    if one.size != other.size and not linked:
        found.append(SIZE)
    if one.mtime != other.mtime and one.mtime_ns != other.mtime_ns:
        found.append(MTIME)
    if one.link != other.link and not linked:
        found.append(TARGET)
    if not found and shared_levels and one.kind == FILE:
        found.append(STORED_AGAIN)
    return tuple(found)


def without_times_of_folders(differences: Iterable[Difference]) -> Iterator[Difference]:
    """Differences without folders of which nothing but the time differs: it changes with whatever comes or goes in them."""
    for one in differences:
        folder = one.left is not None and one.left.member.kind == FOLDER
        if not (folder and one.fields == (MTIME,)):
            yield one


def shared_levels(left: Sequence[object], right: Sequence[object]) -> int:
    """The number of lower levels that two chains have in common; equal objects are the same backup."""
    number = 0
    for one, other in zip(left, right):
        if one != other:
            break
        number += 1
    return number
