# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Documents on standard output: a table for people, JSON, YAML and values for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .runs import QUEUED

if TYPE_CHECKING:
    from rich.box import Box
    from rich.console import Console
    from rich.table import Table

Document = Mapping[str, Any]

_STYLES = {"success": "green", "fail": "bold red", "aborted": "yellow", "running": "cyan", "aborting": "yellow"}


def _schedule(key: str) -> Callable[[Document], Any]:
    return lambda document: (document.get("job_schedule") or document.get("schedule") or {}).get(key)


def _top(key: str) -> Callable[[Document], Any]:
    return lambda document: document.get(key)


def _within(part: str, key: str) -> Callable[[Document], Any]:
    return lambda document: (document.get(part) or {}).get(key)


def _moment(value: Callable[[Document], Any]) -> Callable[[Document], Any]:
    def text(document: Document) -> str:
        seconds = value(document)
        if not isinstance(seconds, (int, float)) or seconds <= 0:
            return ""
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")

    return text


def _status(document: Document) -> str:
    """The status of a job; one that is due and waits for its place is queued."""
    schedule = document.get("job_schedule") or {}
    status = str(schedule.get("status") or "")
    is_queued = (schedule.get("progress") or {}).get("phase") == QUEUED
    return QUEUED if is_queued and status in ("scheduled", "running") else status


def _progress(document: Document) -> str:
    schedule = document.get("job_schedule") or {}
    found = schedule.get("progress") or {}
    if schedule.get("status") not in ("running", "aborting") or not found or found.get("phase") == QUEUED:
        return ""
    done, total = found.get("done_bytes") or 0, found.get("total_bytes")
    share = f"{min(done / total, 1):.0%} " if total else ""
    return f"{found.get('phase') or ''} {share}{done / 2**20:,.1f} MiB".strip()


#: The columns of each kind: those of python-freezerclient and the README first.
COLUMNS: Mapping[str, Sequence[tuple[str, Callable[[Document], Any]]]] = {
    "job": (
        ("job_id", _top("job_id")),
        ("description", _top("description")),
        ("# actions", lambda document: len(document.get("job_actions") or [])),
        ("status", _status),
        ("event", _schedule("event")),
        ("result", _schedule("result")),
        ("session_id", _top("session_id")),
        ("started", _moment(_schedule("time_started"))),
        ("ended", _moment(_schedule("time_ended"))),
        ("progress", _progress),
    ),
    "session": (
        ("session_id", _top("session_id")),
        ("description", _top("description")),
        ("status", _top("status")),
        ("result", _top("result")),
        ("# jobs", lambda document: len(document.get("jobs") or {})),
        ("round", _top("session_tag")),
        ("started", _moment(_top("time_start"))),
    ),
    "action": (
        ("action_id", _top("action_id")),
        ("action", _within("freezer_action", "action")),
        ("backup_name", _within("freezer_action", "backup_name")),
        ("path", _within("freezer_action", "path_to_backup")),
        ("storage", _within("freezer_action", "storage")),
    ),
    "client": (
        ("client_id", _within("client", "client_id")),
        ("hostname", _within("client", "hostname")),
        ("description", _within("client", "description")),
        ("uuid", _within("client", "uuid")),
    ),
    "backup": (
        ("backup_id", _top("backup_id")),
        ("hostname", _within("backup_metadata", "hostname")),
        ("backup_name", _within("backup_metadata", "backup_name")),
        ("path", _within("backup_metadata", "path_to_backup")),
        ("level", _within("backup_metadata", "level")),
        ("made", _moment(_within("backup_metadata", "time_stamp"))),
        ("outcome", _within("backup_metadata", "outcome")),
    ),
}


def show_list(kind: str, documents: Iterable[Document], how: str) -> None:
    """Print documents of a kind: as a table, whole as JSON or YAML, or a line of values for each."""
    found = list(documents)
    if how == "json":
        print(json.dumps(found, indent=2))
    elif how == "yaml":
        _print_yaml(found)
    elif how == "value":
        for document in found:
            print("\t".join(_text(value(document)) for _name, value in COLUMNS[kind]))
    else:
        _console().print(_table(kind, found))


def show_document(document: Document, how: str) -> None:
    """Print one document whole."""
    if how == "yaml":
        _print_yaml(document)
    elif how == "value":
        for key, value in document.items():
            print(f"{key}\t{_text(value)}")
    elif how == "table":
        from rich.table import Table

        table = Table(box=_box())
        table.add_column("key")
        table.add_column("value", overflow="fold")
        for key, value in document.items():
            table.add_row(str(key), _text(value))
        _console().print(table)
    else:
        print(json.dumps(document, indent=2))


def watch(
    kind: str, find: Callable[[], Sequence[Document]], seconds: float, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Show a list again and again, in one place on a terminal, until Ctrl-C."""
    console = _console()
    try:
        if not console.is_terminal:
            while True:
                console.print(_table(kind, find()))
                sys.stdout.flush()
                sleep(seconds)
        from rich.live import Live

        with Live(_table(kind, find()), console=console, auto_refresh=False) as live:
            while True:
                sleep(seconds)
                live.update(_table(kind, find()), refresh=True)
    except KeyboardInterrupt:
        return


def _console() -> Console:
    from rich.console import Console  # it costs more than the rest of the start

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        # Nothing is cut off where nobody looks.
        console.width = 1000
    return console


def _box() -> Box:
    from rich import box

    return box.SIMPLE_HEAD if sys.stdout.isatty() else box.ASCII2


def _table(kind: str, documents: Sequence[Document]) -> Table:
    from rich.table import Table
    from rich.text import Text

    columns = COLUMNS[kind]
    rows = [[_text(value(document)) for _name, value in columns] for document in documents]
    # What nobody has is shown only as far as it always was.
    shown = [number for number in range(len(columns)) if number < 7 or any(row[number] for row in rows)]
    table = Table(box=_box())
    for number in shown:
        table.add_column(columns[number][0], overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[number], style=_STYLES.get(row[number], "")) for number in shown))
    return table


def _print_yaml(value: Any) -> None:
    import yaml

    print(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), end="")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]
