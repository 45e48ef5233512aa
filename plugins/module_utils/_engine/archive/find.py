# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Names in many backups: those that match patterns, and one path as it was in each.

Chains share their lower levels, so each catalogue is read twice, not once for each backup: first for names that match, then for
what all levels say of these names and of the folders above them. The plans are made of that.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple, TypeVar

from .patterns import matcher
from .plan import Catalogue, Planned, final_state
from .records import FOLDER, GONE, Member, Readable, encode, read_records

#: What a caller knows a backup by.
Backup = TypeVar("Backup")
#: Backups, each with the catalogues of its chain, the lowest level first.
Chains = Sequence[tuple[Backup, Sequence[Catalogue]]]


class Version(NamedTuple):
    """One path in one backup."""

    #: Its state, None where it is not in the backup.
    planned: Planned | None
    #: Whether it is another one than in the backup before: stored again, gone, or there for the first time.
    changed: bool


def find(backups: Chains[Backup], patterns: Sequence[bytes]) -> Iterator[tuple[Backup, Planned]]:
    """All paths of all backups that match one of the patterns (as Selection has them), backup by backup.

    Raises DamagedCatalogue. Memory: what matches.
    """
    matches = matcher(patterns)
    names = {
        member.name
        for one in _distinct(backups)
        for member in _members(one)
        if member.kind != GONE and matches(member.name)
    }
    reduced = _reduced(backups, names)
    for backup, chain in backups:
        for planned in final_state([reduced[one] for one in chain]):
            if planned.member.name in names:
                yield backup, planned


def history(backups: Chains[Backup], path: bytes) -> Iterator[tuple[Backup, Version]]:
    """One path, relative as in a catalogue, in each of the backups, in their order. Raises DamagedCatalogue."""
    reduced = _reduced(backups, {path})
    before: tuple[Catalogue, Planned] | None = None
    for backup, chain in backups:
        found = (one for one in final_state([reduced[one] for one in chain]) if one.member.name == path)
        planned = next(found, None)
        now = None if planned is None else (chain[planned.level], planned)
        # The folders of an unchanged tree are stored again in every level, in another place.
        changed = now != before and (now is None or before is None or _differs(before, now))
        before = now
        yield backup, Version(planned, changed)


def _differs(before: tuple[Catalogue, Planned], now: tuple[Catalogue, Planned]) -> bool:
    one, other = before[1].member, now[1].member
    if one.kind == other.kind == FOLDER:
        other = other._replace(offset=one.offset, length=one.length)
        return one != other
    return before[0] != now[0] or one != other


def _distinct(backups: Iterable[tuple[Backup, Sequence[Catalogue]]]) -> Iterable[Catalogue]:
    return dict.fromkeys(one for _backup, chain in backups for one in chain)


def _members(catalogue: Catalogue) -> Iterator[Member]:
    with catalogue.open() as source:
        for batch in read_records(source, catalogue.where):
            yield from batch.members


def _reduced(backups: Chains[Backup], names: Collection[bytes]) -> dict[Catalogue, Catalogue]:
    """The same catalogues with nothing but these names and the folders above them."""
    wanted = {b"", *names}
    for name in names:
        above = name.rpartition(b"/")[0]
        while above not in wanted:
            wanted.add(above)
            above = above.rpartition(b"/")[0]
    reduced = {}
    for one in _distinct(backups):
        plain = b"".join(encode(member) for member in _members(one) if member.name in wanted)
        reduced[one] = Catalogue(one.where, partial(_opened, plain))
    return reduced


def _opened(plain: bytes) -> AbstractContextManager[Readable]:
    return nullcontext(io.BytesIO(plain))
