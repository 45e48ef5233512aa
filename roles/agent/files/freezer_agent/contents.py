# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is in backups, printed while it is found: lines for people, or a JSON object on each line for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import IO, Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable

from .answers import Answer
from .report import Concern, Report
from .wording import counted, moment

Entry = Mapping[str, Any]

_LETTERS = {
    "file": "-",
    "folder": "d",
    "symbolic link": "l",
    "hard link": "h",
    "FIFO": "p",
    "block device": "b",
    "character device": "c",
}
_SIGNS = {"added": "+", "removed": "-", "changed": "M"}
_PERMISSIONS = ("---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx")
_ID_DIGITS = 8
#: So many lines are written at once.
_BATCH = 256
_json = json.JSONEncoder(check_circular=False).encode


class Lines:
    """Writes entries as lines, to a stream of text and to an answer, either of which may be missing."""

    def __init__(self, action: str, stream: IO[str] | None, answer: Answer | None) -> None:
        self._line = _LINES[action]
        self._stream, self._answer = stream, answer
        self._waiting: list[str] = []

    def show(self, entry: Entry) -> None:
        """Write one entry. Raises OSError."""
        if self._stream is not None:
            self._stream.write(f"{self._line(entry)}\n")
        if self._answer is not None:
            self._waiting.append(_json(entry))
            if len(self._waiting) == _BATCH:
                self._flush()

    def finish(self) -> None:
        """Write what waits in buffers. Raises OSError."""
        self._flush()
        if self._answer is not None:
            self._answer.close()
        if self._stream is not None:
            self._stream.flush()

    def _flush(self) -> None:
        if self._answer is not None and self._waiting:
            self._answer.append("\n".join(self._waiting) + "\n")
        self._waiting.clear()


@lru_cache(maxsize=4096)
def _rights(kind: str, mode: str) -> str:
    """Kind and mode as ls shows them."""
    bits = int(mode, 8)
    letters = list("".join(_PERMISSIONS[bits >> shift & 7] for shift in (6, 3, 0)))
    for bit, place, mark in ((0o4000, 2, "s"), (0o2000, 5, "s"), (0o1000, 8, "t")):
        if bits & bit:
            letters[place] = mark if letters[place] == "x" else mark.upper()
    return _LETTERS[kind] + "".join(letters)


@lru_cache(maxsize=1024)
def _owner(name: str, number: int) -> str:
    return f"{printable(name or str(number)):<8}"


def _moment(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return f"@{seconds}"


def _member(entry: Entry) -> str:
    link = f" -> {printable(entry['link'])}" if "link" in entry else ""
    return (
        f"{_rights(entry['kind'], entry['mode'])} {_owner(entry['owner'], entry['uid'])} {_owner(entry['group'], entry['gid'])} {entry['size']:>12} "
        f"{_moment(int(entry['mtime'] // 1))} {printable(entry['path'])}{link}"
    )


def _backup(entry: Entry) -> str:
    return f"{entry['backup_id'][:_ID_DIGITS]} {_moment(entry['timestamp'])}"


def _found(entry: Entry) -> str:
    return f"{_backup(entry)} {printable(entry['hostname'])} {printable(entry['backup_name'])} {_member(entry)}"


def _version(entry: Entry) -> str:
    state = _member(entry) if entry["present"] else f"(not there) {printable(entry['path'])}"
    return f"{'*' if entry['is_changed'] else ' '} {_backup(entry)} {printable(entry['backup_name'])} {state}"


def _difference(entry: Entry) -> str:
    what = f" ({', '.join(entry['fields'])})" if entry["fields"] else ""
    slash = "/" if entry["kind"] == "folder" and entry["path"] != "." else ""
    return f"{_SIGNS[entry['change']]} {printable(entry['path'])}{slash}{what}"


_LINES: Mapping[str, Callable[[Entry], str]] = {
    "list": _member,
    "find": _found,
    "history": _version,
    "diff": _difference,
}


def report_on_contents(result: Entry) -> Report:
    """What the lines on standard output were about."""
    count = result["entries_count"]
    who = f"{result.get('backup_name')} of {result.get('hostname')}"
    if "backups_count" in result:
        report = Report(f"{counted(count, 'line')} about {counted(result['backups_count'], 'backup')}.")
    elif "counts" in result:
        counts = result["counts"]
        parts = ", ".join(f"{counts[key]:,} {key}" for key in ("added", "removed", "changed") if counts[key])
        other = result.get("compare_to") or f"{result['since_backup_id']} to {result['backup_id']}"
        report = Report(f"{who}, {other}: {parts or 'no difference'}.")
    else:
        report = Report(
            f"{counted(count, 'path')} in {who}, level {result['level']} of {moment(result['timestamp'])}.",
            facts=[("id", result["backup_id"])],
        )
    report.good = not result["not_read_count"]
    if result["not_read_count"]:
        report.concerns.append(Concern("Not read", result["not_read_count"], list(result["not_read"])))
    if result.get("remarks"):
        report.concerns.append(Concern("Remarks", len(result["remarks"]), list(result["remarks"])))
    return report
