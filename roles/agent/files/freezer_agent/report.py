# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What came of a run, as a reader sees it: a title, a few facts, lists to look at; and the words that all of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import OPTION_KEYS
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable

from .wording import as_typed, counted, moment

Result = Mapping[str, Any]


@dataclass
class Concern:
    """A list that the reader should look at: what it is, how long it is, and its first entries."""

    title: str
    count: int
    entries: Sequence[str]


@dataclass
class Report:
    """What came of a run. ``good`` is whether all of it is as it should be."""

    title: str
    good: bool = True
    facts: list[tuple[str, str]] = field(default_factory=list)
    #: Rows that are shown whole, the first one with the names of the columns.
    table: list[Sequence[str]] = field(default_factory=list)
    concerns: list[Concern] = field(default_factory=list)

    def add_paths(self, what: str, count: int, found: Sequence[Mapping[str, str]]) -> None:
        """Add a concern about paths, if there are any."""
        if count:
            self.concerns.append(Concern(f"{counted(count, 'path')} {what}", count, path_entries(found)))

    def log_lines(self) -> list[str]:
        """Everything, in lines that stand for themselves."""
        lines = [self.title, *(f"{label}: {value}" for label, value in self.facts), *self._table_lines()]
        for concern in self.concerns:
            lines += [f"{concern.title}: {entry}" for entry in concern.entries]
        return lines

    def lines(self, entries_at_most: int) -> list[str]:
        """A block of text, the title first."""
        lines = [printable(self.title)]
        lines += [f"  {label:<12}{printable(value)}" for label, value in self.facts]
        lines += [f"  {printable(line)}" for line in self._table_lines()]
        for concern in self.concerns:
            shown = concern.entries[:entries_at_most]
            lines.append(f"  {concern.title}:")
            lines += [f"    {printable(entry)}" for entry in shown]
            if concern.count > len(shown):
                lines.append(f"    and {concern.count - len(shown):,} more")
        return lines

    def _table_lines(self) -> list[str]:
        widths = [max(map(len, column)) for column in zip(*self.table, strict=True)]
        return [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in self.table
        ]


def whose(result: Result) -> str:
    """The name and the host of a backup."""
    return f"{result['backup_name']} of {result['hostname']}"


def which_one(result: Result) -> str:
    """The level of a backup and when it began."""
    return f"level {result['level']} of {moment(result['timestamp'])}"


def level_and_why(result: Result) -> str:
    """The level of a backup and the reason for it."""
    return f"{result['level']} ({as_said(result['reason'])})"


def as_said(sentence: str) -> str:
    """A sentence of the engine as a reader at a shell needs it."""
    return as_typed(sentence, OPTION_KEYS)


def place_of(storage: Result, folder: str) -> str:
    """A folder in a storage."""
    place = f"{storage['container']}/{folder}"
    return place if storage["storage"] == "local" else f"{storage['storage']} {place}"


def levels_of(result: Result) -> str:
    """The levels of a chain."""
    return ", ".join(str(one["level"]) for one in result["chain"])


def path_entries(found: Sequence[Mapping[str, str]]) -> list[str]:
    """Paths with what is said of each."""
    return [f"{one['path']}: {one['message']}" if one.get("path") else one["message"] for one in found]


def add_not_stored(report: Report, result: Result) -> None:
    """Add a concern about the storages that failed, if there are any."""
    failed = failed_storages(result)
    if failed:
        report.concerns.append(Concern("Not stored in", len(failed), failed))


def failed_storages(result: Result) -> list[str]:
    """The storages that failed, with the reason of each."""
    failed = [one for one in result["storages"] if one["outcome"] == "failed"]
    return [f"{one['container']}: {as_said(one['message'])}" for one in failed]
