# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Gives tar some members of a stream: those of the plan, whose headers say what the catalogue says, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Callable, Protocol

from ..repository.errors import DamagedArchive
from .catalogue_writer import HeaderFacts, relative
from .errors import INSTEAD
from .headers import BLOCK
from .member_stream import FoundMember, MemberStream, told
from .records import HARD_LINK, Member
from .streams import Stream

#: How tar ends an archive.
END = bytes(2 * BLOCK)


class Sink(Protocol):
    """Where the bytes go, such as the standard input of tar."""

    def write(self, data: bytes, /) -> object: ...


class Comparison:
    """Compares the members of a stream with those that were asked for. `found` is the last one that was met."""

    def __init__(self, where: str) -> None:
        self.stream = MemberStream(where, self._see)
        self._where = where
        self._facts = HeaderFacts()
        self.found: FoundMember | None = None
        self._expected: list[Member] = []
        self._next = 0

    def expect(self, member: Member) -> None:
        """Another member that has to come next."""
        if self._next > 1000:
            del self._expected[: self._next]
            self._next = 0
        self._expected.append(member)

    def _see(self, found: FoundMember) -> None:
        if self._next == len(self._expected):
            raise DamagedArchive(f"{self._where} has {told(found.name)} where its catalogue has nothing. {INSTEAD}")
        member = self._expected[self._next]
        self._next += 1
        link = relative(found.link) if found.kind == HARD_LINK else found.link
        if (found.kind, relative(found.name), link, found.length, self._facts.of(found)) != (
            member.kind,
            member.name,
            member.link,
            int(member.length),
            b"%b\0" % b"\0".join(member[1:8]),
        ):
            raise DamagedArchive(
                f"{self._where} has {told(found.name)} where its catalogue has {told(member.name)}, or differs in kind, link, size, "
                f"mode, owner or time. {INSTEAD}"
            )
        self.found = found

    def finish(self) -> None:
        """Raise DamagedArchive unless all of them have come, and the end of the archive."""
        self.stream.finish()
        if self._next < len(self._expected):
            raise DamagedArchive(f"{self._where} ends before {told(self._expected[self._next].name)}. {INSTEAD}")


def feed(
    stream: Stream,
    members: Iterable[Member],
    sink: Sink,
    where: str,
    advance: Callable[[int], None] = lambda _content_bytes: None,
) -> int:
    """Write an archive of these members, which are in the order of the stream; returns how many there were.

    `where` is the name of the level in messages; `advance` is told of the bytes of content. Raises DamagedArchive before
    anything is written that is not the member of the catalogue, StorageError, and what `sink` raises.
    """
    comparison = Comparison(where)

    def ranges() -> Iterator[tuple[int, int]]:
        for member in members:
            comparison.expect(member)
            yield member.begin, member.end

    with stream.read(ranges()) as blocks:
        for block in blocks:
            advance(comparison.stream.check(block))
            sink.write(block)
    comparison.stream.check(END)
    comparison.finish()
    sink.write(END)
    return comparison.stream.members
