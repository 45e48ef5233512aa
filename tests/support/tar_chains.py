# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Chains of levels that GNU tar wrote, with their catalogues, and restores of them by plan; nothing is stored."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.catalogue_writer import CatalogueWriter
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.gone import Gone, ParentNames, sockets
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.member_stream import (
    FoundMember,
    MemberStream,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.plan import (
    Catalogue,
    HardLinks,
    Planned,
    final_state,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.records import Member, encode, read_records
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.selection import Selection
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.snar import (
    CLOCK_TICK_NANOSECONDS,
    settle,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import (
    Source,
    TarMessages,
    create_argv,
    extract_argv,
)

_END = bytes(1024)


def record(name: str | bytes, kind: str = "-", link: str = "", begin: int = 0, **fields: bytes) -> Member:
    """A member of a catalogue, by itself as a writer makes it."""
    plain = Member(b"-", b"0644", b"0", b"0", b"root", b"root", b"0", b"1.5", b"%d" % begin, b"512", b"", b"", b"")
    if kind == "x":
        plain = Member(*[b""] * 13)
    changes = {"kind": kind.encode(), "name": os.fsencode(name), "link": os.fsencode(link), **fields}
    return plain._replace(**changes)


def catalogue(members: Iterable[Member], where: str = "it") -> Catalogue:
    """A catalogue of these members, in the order in which they come."""
    return stored(b"".join(map(encode, members)), where)


def stored(plain: bytes, where: str = "it") -> Catalogue:
    """A catalogue of these bytes."""
    return Catalogue(where, lambda: nullcontext(io.BytesIO(plain)))


def members_of(plain: bytes) -> list[Member]:
    """The members of a plain catalogue."""
    return [member for batch in read_records(io.BytesIO(plain), "it") for member in batch.members]


@dataclass
class Level:
    """One level: its stream, its catalogue, and tar's snapshot file after it."""

    stream: bytes
    plain: bytes
    snar: bytes
    catalogue: Catalogue
    messages: TarMessages
    counts: dict[str, int] = field(default_factory=dict)


class Chain:
    """A folder as tar writes it, level by level; a level that cannot continue becomes the first one of a new chain."""

    def __init__(self, top: Path, work: Path, **options: object) -> None:
        self.source = replace(Source(str(top)), **options)  # type: ignore[arg-type]
        self.work = work
        work.mkdir(exist_ok=True)
        self.levels: list[Level] = []

    @property
    def catalogues(self) -> list[Catalogue]:
        """Those of all levels, the lowest first."""
        return catalogues(self.levels)

    def write(self) -> list[Level]:
        """Write the next level; returns the chain that it is in."""
        began = self._write()
        for name in self.levels[-1].messages.missing_links:
            if began and os.lstat(os.path.join(self.source.folder, name)).st_ctime_ns < began - CLOCK_TICK_NANOSECONDS:
                self.levels = []
                self._write()
                break
        return self.levels[:]

    def _write(self) -> int:
        """Write the next level; returns the start of its parent in nanoseconds since 1970."""
        where, snar = f"level-{len(self.levels)}", self.work / "snar"
        parent = self.levels[-1] if self.levels else None
        with CatalogueWriter(where, str(self.work)) as writer, ParentNames(str(self.work)) as names:
            began = 0
            if parent is None:
                snar.unlink(missing_ok=True)
                unread = []
            else:
                unread = [os.fsencode(entry["path"]) for entry in parent.messages.unreadable]
                with open(snar, "wb") as settled:
                    began = settle(io.BytesIO(parent.snar), settled, self.source.folder, unread, names.add)
            names.done()
            gone = Gone(where, names, lambda name, _was_folder: writer.gone(name), unread)

            def see(found: FoundMember) -> None:
                writer.add(found)
                if parent is not None:
                    gone.see(found)

            argv = create_argv(self.source, str(snar), increment=parent is not None)
            done = subprocess.run(
                argv, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C", "TZ": "UTC"}
            )
            assert done.returncode in (0, 1), done.stderr
            messages = TarMessages()
            for line in done.stderr.decode("utf-8", "surrogateescape").splitlines():
                messages.add_line(line)
            stream = MemberStream(where, see)
            for position in range(0, len(done.stdout), 70000):
                stream.check(done.stdout[position : position + 70000])
            stream.finish()
            for name in sockets(messages.warnings, self.source.folder):
                writer.gone(name)
            if gone.unknown:
                gone.complete(one.member for one in final_state(self.catalogues))
            plain = b"".join(writer.records())
            counts = writer.counts
        self.levels.append(Level(done.stdout, plain, snar.read_bytes(), stored(plain, where), messages, counts))
        return began


def catalogues(levels: Sequence[Level]) -> list[Catalogue]:
    """The catalogues of a chain."""
    return [level.catalogue for level in levels]


def replay(levels: Sequence[Level], target: Path) -> None:
    """Replay the levels one after the other, as version 1 does."""
    target.mkdir(exist_ok=True)
    for number, level in enumerate(levels):
        argv = extract_argv(str(target), increment=number > 0)
        subprocess.run(argv, input=level.stream, check=True, capture_output=True)


def restore(levels: Sequence[Level], target: Path, work: Path) -> list[Planned]:
    """Restore all by plan."""
    with HardLinks(catalogues(levels), str(work)) as links:
        plan = list(links.watch(final_state(catalogues(levels))))
        put(levels, target, work, plan, links.targets())
    return plan


def restore_selected(levels: Sequence[Level], target: Path, work: Path, selection: Selection) -> list[Planned]:
    """Restore a part by plan."""
    with HardLinks(catalogues(levels), str(work)) as links:
        plan = list(links.watch(selection.of(final_state(catalogues(levels)))))
        put(levels, target, work, plan, links.targets())
    return plan


def put(levels: Sequence[Level], target: Path, work: Path, plan: Sequence[Planned], targets: Iterable[Planned]) -> None:
    """Extract the members that are needed with one tar for each level, and put those of the plan into their places."""
    needed = {(one.member, one.level) for one in (*plan, *targets)}
    folders = []
    for number, level in enumerate(levels):
        wanted = sorted((one for one, level in needed if level == number), key=lambda member: member.begin)
        assert all(one.end <= other.begin for one, other in pairwise(wanted))
        stream = b"".join(level.stream[member.begin : member.end] for member in wanted if member.kind != b"d")
        folder = work / f"{target.name}-{number}"
        folder.mkdir()
        folders.append(os.fsencode(folder))
        subprocess.run(extract_argv(str(folder), False), input=stream + _END, check=True, capture_output=True)
    target.mkdir(exist_ok=True)
    for member, number, _wanted in plan:
        place = os.path.join(os.fsencode(target), member.name)
        if member.kind != b"d":
            os.rename(os.path.join(folders[number], member.name), place)
        elif member.name:
            os.mkdir(place)
    for member, _level, _wanted in reversed(plan):
        if member.kind == b"d":
            place = os.path.join(os.fsencode(target), member.name)
            if os.geteuid() == 0:
                os.chown(place, int(member.uid), int(member.gid))
            os.chmod(place, member.permissions)
            os.utime(place, ns=(0, member.mtime_ns))
