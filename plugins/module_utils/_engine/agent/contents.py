# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verbs that read what is in backups: list, find, history and diff. Nothing but catalogues is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Callable

from ..action.options import OptionError, Options, parse_options
from ..archive import find as finding
from ..archive import state_comparison as comparing
from ..archive.disk_state import state_of_folder
from ..archive.open_backup import with_details
from ..archive.patterns import matcher
from ..archive.plan import Planned, final_state
from ..archive.records import FOLDER, Member
from ..archive.selection import Selection, at
from ..progress import Progress
from ..repository.backup_set import StoredBackup, contents
from ..repository.errors import ArchiveError, DamagedArchive
from ..sealing.errors import SealingError
from ..storage.errors import StorageError
from ..system.file_names import shown
from .choosing import choose
from .choosing import described as chosen_described
from .conduct import readable_errors, run_verb
from .media.base import Copy
from .media.by_name import medium_of
from .media.catalogues import SearchedSet, catalogues, described, path_in, sets_of
from .media.files import Files
from .media.parts import patterns
from .media.upstream_copies import is_upstreams
from .results import LISTED_AT_MOST

#: Is given each entry when it is found. There may be millions, and none is kept.
Show = Callable[[dict[str, Any]], None]
_KINDS = {
    b"-": "file",
    b"d": "folder",
    b"l": "symbolic link",
    b"h": "hard link",
    b"p": "FIFO",
    b"b": "block device",
    b"c": "character device",
}


class _Entries:
    """Shows entries, and keeps the first of them for the result."""

    def __init__(self, show: Show | None) -> None:
        self._show = show
        self._first: list[dict[str, Any]] = []
        self.count = 0

    def add(self, entry: dict[str, Any]) -> None:
        self.count += 1
        if self.count <= LISTED_AT_MOST:
            self._first.append(entry)
        if self._show is not None:
            self._show(entry)

    def result(self) -> dict[str, Any]:
        return {"entries_count": self.count, "entries": self._first}


def read_contents(action: Mapping[str, Any], what: str, show: Show | None = None) -> dict[str, Any]:
    """Do what an action asks for: ``list``, ``find``, ``history`` or ``diff``. Raises FreezerError.

    `show` is called with each entry; the result has their number and the first 200.
    """
    works = {"list": _list, "find": _find, "history": _history, "diff": _diff}
    with readable_errors(what):
        medium = medium_of(parse_options(action))
        if not isinstance(medium, Files):
            raise OptionError(
                f"{what} looks into backups of files, and not of a server or a volume; use info, restore or verify."
            )
        entries = _Entries(show)

        def work(files: Files, _progress: Progress, _dry_run: bool) -> dict[str, Any]:
            files.options.refuse_for(what)
            for sentence in files.options.lacking(what).values():
                raise OptionError(sentence)
            about = works[what](files, entries)
            problems = about.pop("not_read", [])
            return {
                **about,
                "changed": False,
                "outcome": "partial" if problems else "success",
                "not_read_count": len(problems),
                "not_read": problems[:LISTED_AT_MOST],
                **entries.result(),
            }

        return run_verb(what, work, medium)


# ---------------------------------------------------------------- one backup


def _list(files: Files, entries: _Entries) -> dict[str, Any]:
    chosen = choose(files)
    for copy in chosen.copies:
        try:
            _list_copy(files.options, files, copy, entries)
        except (DamagedArchive, StorageError):
            if copy is chosen.copies[-1] or entries.count:
                raise
        else:
            break
    return {**chosen_described(files, copy), "remarks": chosen.remarks()}


def _list_copy(options: Options, files: Files, copy: Copy[Any], entries: _Entries) -> None:
    plan: Iterable[Planned] = final_state(_catalogues(files, copy.backup_set.storage, copy.chain))
    if options.path:
        plan = at(plan, _need_path(options.path, copy.stored))
    if options.include or options.exclude:
        wanted = Selection(patterns(options.include, copy.stored), patterns(options.exclude, copy.stored)).wants
        plan = (one for one in plan if wanted(one.member.name))
    for one in plan:
        entries.add(_entry(one.member, one.level))
    if not entries.count:
        asked = [*([options.path] if options.path else []), *options.include]
        raise ArchiveError(f"{copy.stored.folder} has nothing at {', '.join(asked) or 'all that exclude leaves'}.")


def _catalogues(files: Files, storage: Any, chain: Any) -> Any:
    if chain and is_upstreams(Copy(None, chain)):
        raise ArchiveError(
            "The agent of OpenStack's Freezer stored no list of what is in a backup; restore it, and look at that."
        )
    return catalogues(storage, chain, files.sealing_of(storage, chain[-1]))


def _need_path(given: str, backup: StoredBackup) -> bytes:
    path = path_in(given, backup)
    if path is None:
        raise ArchiveError(f"{given} is not below {shown(backup.known.path)}, which {backup.folder} is a backup of.")
    return path


# ---------------------------------------------------------------- many backups


def _find(files: Files, entries: _Entries) -> dict[str, Any]:
    options = files.options

    def search(one: SearchedSet) -> None:
        wanted = patterns(options.include, _newest_of(files, one))
        backups = _backups_of(files, one)
        for backup, planned in finding.find(backups, wanted):
            entries.add({**described(backup), **_entry(planned.member, planned.level)})

    about = _search(files, search)
    _need_any(files, entries, ", ".join(options.include), about["not_read"])
    return about


def _history(files: Files, entries: _Entries) -> dict[str, Any]:
    given = str(files.options.path)

    def search(one: SearchedSet) -> None:
        path = path_in(given, _newest_of(files, one))
        if path is None:
            return
        backups = _backups_of(files, one)
        versions = list(finding.history(backups, path))
        if all(version.planned is None for _backup, version in versions):
            return
        for backup, version in versions:
            planned = version.planned
            state = (
                {"path": shown(os.fsdecode(path)) or "."} if planned is None else _entry(planned.member, planned.level)
            )
            entries.add({**described(backup), "present": planned is not None, "is_changed": version.changed, **state})

    about = _search(files, search)
    _need_any(files, entries, given, about["not_read"])
    return {"path": given, **about}


def _newest_of(files: Files, one: SearchedSet) -> StoredBackup:
    """The newest backup of a set, with its details."""
    newest = one.chains[-1][-1]
    return with_details(one.storage, newest, files.sealing_of(one.storage, newest))


def _backups_of(files: Files, one: SearchedSet) -> list[tuple[StoredBackup, Any]]:
    """Each backup of a set with the catalogues of its chain."""
    return [
        (chain[-1], catalogues(one.storage, chain, files.sealing_of(one.storage, chain[-1]))) for chain in one.chains
    ]


def _search(files: Files, search: Callable[[SearchedSet], None]) -> dict[str, Any]:
    """Look into all sets that an action names, in each storage; a backup that several of them have counts once."""
    searched: set[str] = set()
    problems: list[str] = []
    backups = 0
    for storage in files.storages():
        for one in sets_of(storage, contents(storage, files.may_be_meant), files.options):
            problems += one.problems
            new = [chain for chain in one.chains if chain[-1].manifest.backup_id not in searched]
            if not new:
                continue
            try:
                search(SearchedSet(one.storage, one.hostname, one.backup_name, new, ()))
            except (ArchiveError, StorageError, SealingError) as problem:
                problems.append(f"Not all of {one.describe()} was searched: {problem}")
                continue
            backups += len(new)
            searched |= {chain[-1].manifest.backup_id for chain in new}
    return {"backups_count": backups, "not_read": problems}


def _need_any(files: Files, entries: _Entries, what: str, problems: list[str]) -> None:
    if not entries.count:
        options = files.options
        of_name = f" of {options.backup_name}" if options.backup_name else ""
        beside = f" {problems[0]}" if problems else ""
        of_host = f" of host {options.hostname}" if options.hostname else ""
        raise ArchiveError(f"No backup{of_name}{of_host} that could be searched has {what}.{beside}")


# ---------------------------------------------------------------- two states


def _diff(files: Files, entries: _Entries) -> dict[str, Any]:
    options = files.options
    if options.compare_to is not None and options.since_backup_id:
        raise OptionError("compare_to cannot be combined with since_backup_id; remove one of them.")
    chosen = choose(files)
    copy = chosen.copies[0]
    storage, chain = copy.backup_set.storage, copy.chain
    newer = _catalogues(files, storage, chain)
    counts = dict.fromkeys((comparing.ADDED, comparing.REMOVED, comparing.CHANGED), 0)
    about: dict[str, Any] = {**chosen_described(files, copy), "remarks": chosen.remarks(), "counts": counts}
    unreadable: list[str] = []

    def part(plan: Iterable[Planned]) -> Iterable[Planned]:
        return at(plan, _need_path(options.path, copy.stored)) if options.path else plan

    with _folder(options, copy.stored, unreadable) as now:
        if now is not None:
            found = comparing.compare(part(final_state(newer)), part(now), owner=os.geteuid() == 0)
            about["compare_to"] = shown(str(options.compare_to))
        else:
            since = copy.backup_set.chain(_since(options, copy))
            about["since_backup_id"] = since[-1].manifest.backup_id
            older = _catalogues(files, storage, since)
            shared = comparing.shared_levels(
                [one.manifest_sha256 for one in since], [one.manifest_sha256 for one in chain]
            )
            found = comparing.compare(part(final_state(older)), part(final_state(newer)), shared_levels=shared)
        for one in comparing.without_times_of_folders(found):
            counts[one.change] += 1
            entries.add(_difference(one))
    return {**about, "not_read": unreadable}


def _since(options: Options, copy: Copy[Any]) -> StoredBackup:
    """The older backup: the one that is named, else the one before."""
    if options.since_backup_id:
        found: StoredBackup = copy.backup_set.find(options.since_backup_id)
        return found
    for one in copy.backup_set.newest_first():
        if one.manifest.timestamp < copy.manifest.timestamp:
            earlier: StoredBackup = one
            return earlier
    raise ArchiveError(
        f"There is no backup before {copy.manifest.backup_id} to compare it with; name a folder with compare_to."
    )


@contextmanager
def _folder(options: Options, backup: StoredBackup, unreadable: list[str]) -> Iterator[Iterable[Planned] | None]:
    """The state of the folder of ``compare_to`` as far as a backup would read it; None without one."""
    if options.compare_to is None:
        yield None
        return
    try:
        top = os.open(options.compare_to, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as problem:
        raise OptionError(f"compare_to {shown(options.compare_to)} cannot be read: {problem.strerror}.") from None
    known = backup.known
    matches = matcher(map(os.fsencode, known.selection["exclude"]))
    single = None if known.single_file is None else os.fsencode(known.single_file)

    def left_out(name: bytes) -> bool:
        return matches(name) or (single is not None and name != single)

    def unread(name: bytes, problem: OSError) -> None:
        unreadable.append(f"{shown(os.fsdecode(name))}: {problem.strerror}")

    try:
        yield state_of_folder(top, unread, bool(known.selection["one_file_system"]), left_out)
    finally:
        os.close(top)


# ---------------------------------------------------------------- entries


@lru_cache(maxsize=1024)
def _rights(mode: bytes, uid: bytes, gid: bytes, owner: bytes, group: bytes) -> dict[str, Any]:
    """The mode and the owners of a path: few differ in a tree."""
    return {
        "mode": mode.decode("ascii"),
        "uid": int(uid),
        "gid": int(gid),
        "owner": shown(os.fsdecode(owner)),
        "group": shown(os.fsdecode(group)),
    }


def _entry(member: Member, level: int) -> dict[str, Any]:
    """One path as a dictionary; sizes in bytes, times in seconds since 1970."""
    kind = member.kind
    entry: dict[str, Any] = {
        "path": shown(os.fsdecode(member.name)) or ".",
        "kind": _KINDS[kind],
        **_rights(*member[1:6]),
        "size": member.size_bytes,
        "mtime": float(member.mtime),
        "stored_in_level": level,
    }
    if member.link:
        entry["link"] = shown(os.fsdecode(member.link))
    return entry


def _difference(one: comparing.Difference) -> dict[str, Any]:
    """One path that differs: its kind, size and time are those after the change, or before it was removed."""
    sides = [side.member for side in (one.left, one.right) if side is not None]
    found: dict[str, Any] = {
        "path": shown(os.fsdecode(one.name)) or ".",
        "change": one.change,
        "fields": list(one.fields),
        "kind": _KINDS[sides[-1].kind],
        "size": sides[-1].size_bytes,
        "mtime": float(sides[-1].mtime),
    }
    if len(sides) == 2 and sides[0].kind != FOLDER:
        found["size_before"] = sides[0].size_bytes
    return found
