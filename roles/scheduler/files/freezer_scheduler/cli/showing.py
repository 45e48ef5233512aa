# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Documents on standard output: a table for people, JSON, YAML and values for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import next_runs

from ..core.runs import QUEUED
from .table import Layout, boxed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Document = Mapping[str, Any]
Column = tuple[str, Callable[[Document], Any]]

NEXT_RUN = "next run"
#: These first columns are shown also if they are empty, as in earlier releases.
_FIRST_COLUMNS = 7


def _schedule(key: str) -> Callable[[Document], Any]:
    return lambda document: (document.get("job_schedule") or document.get("schedule") or {}).get(key)


def _top(key: str) -> Callable[[Document], Any]:
    return lambda document: document.get(key)


def _within(part: str, key: str) -> Callable[[Document], Any]:
    return lambda document: (document.get(part) or {}).get(key)


def _time(value: Callable[[Document], Any]) -> Callable[[Document], Any]:
    def text(document: Document) -> str:
        seconds = value(document)
        if not isinstance(seconds, (int, float)) or seconds <= 0:
            return ""
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")

    return text


def _next_run(zone: tzinfo | None) -> Callable[[Document], str]:
    """When a job is due next, as its scheduler computes it; ``zone`` is that of schedules which name none."""

    def text(document: Document) -> str:
        now = float(int(time.time()))
        try:
            found = next_runs(document, now, zone=zone)
        except (FreezerError, ValueError):
            # The job is never run; its ``reason`` says why.
            return ""
        if not found:
            return ""
        is_at_once = found[0].timestamp() <= now
        return "now" if is_at_once else found[0].astimezone().strftime("%Y-%m-%d %H:%M:%S")

    return text


def _status(document: Document) -> str:
    """The status of a job; ``queued`` if it is due and waits for a slot."""
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
    parts = [str(found.get("phase") or "")]
    if total:
        parts.append(f"{min(done / total, 1):.0%}")
    if total or done:
        parts.append(f"{done / 2**20:,.1f} MiB")
    return " ".join(parts).strip()


#: The columns of each kind: those of python-freezerclient and the README first.
COLUMNS: Mapping[str, Sequence[Column]] = {
    "job": (
        ("job_id", _top("job_id")),
        ("description", _top("description")),
        ("# actions", lambda document: len(document.get("job_actions") or [])),
        ("status", _status),
        ("event", _schedule("event")),
        ("result", _schedule("result")),
        ("session_id", _top("session_id")),
        ("started", _time(_schedule("time_started"))),
        ("ended", _time(_schedule("time_ended"))),
        ("progress", _progress),
        ("client_id", _top("client_id")),
        ("reason", _schedule("reason")),
    ),
    "session": (
        ("session_id", _top("session_id")),
        ("description", _top("description")),
        ("status", _top("status")),
        ("result", _top("result")),
        ("# jobs", lambda document: len(document.get("jobs") or {})),
        ("round", _top("session_tag")),
        ("started", _time(_top("time_start"))),
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
        ("made", _time(_within("backup_metadata", "time_stamp"))),
        ("outcome", _within("backup_metadata", "outcome")),
    ),
}


#: The layout of a list of jobs on a terminal: what operators need most comes first.
_JOBS_ON_A_TERMINAL = Layout(
    order=("job_id", "client_id", "status", "result", "reason", "ended", NEXT_RUN, "progress", "description", "session_id",
           "event", "started", "# actions"),
    rank=("job_id", "status", "client_id", "result", NEXT_RUN, "ended", "progress", "reason", "description", "session_id",
          "event", "started", "# actions"),
    always=("job_id", "status", "result", NEXT_RUN),
    if_several=("client_id",),
    below="reason",
)  # fmt: skip


def show_list(kind: str, documents: Iterable[Document], how: str, zone: tzinfo | None = None) -> None:
    """Print documents of a kind: as a table, as JSON or YAML, or a line of values for each.

    ``zone`` is that of schedules which name none.
    """
    found = list(documents)
    if how == "json":
        print(json.dumps(found, indent=2))
    elif how == "yaml":
        _print_yaml(found)
    elif how == "value":
        columns = _columns(kind, zone)
        for document in found:
            print("\t".join(_text(value(document)) for _name, value in columns))
    else:
        console = _console()
        console.print(_table(console, kind, found, zone))


def show_document(document: Document, how: str) -> None:
    """Print one document."""
    if how == "yaml":
        _print_yaml(document)
    elif how == "value":
        for key, value in document.items():
            print(f"{key}\t{_text(value)}")
    elif how == "table":
        show_rows(("key", "value"), [(key, _text(value)) for key, value in _leaves(document)])
    else:
        print(json.dumps(document, indent=2))


def show_rows(names: Sequence[str], rows: Sequence[Sequence[str]], layout: Layout | None = None) -> None:
    """Print a table of texts; on a terminal with ``layout``."""
    console = _console()
    is_fitted = layout is not None and console.is_terminal
    console.print(layout.fitted(names, rows, console.width) if layout and is_fitted else boxed(names, rows))


def watch(
    kind: str,
    find: Callable[[], Sequence[Document]],
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    zone: tzinfo | None = None,
) -> None:
    """Show a list repeatedly until Ctrl-C; on a terminal at the same position."""
    console = _console()

    def table() -> RenderableType:
        return _table(console, kind, find(), zone)

    try:
        if not console.is_terminal:
            while True:
                console.print(table())
                sys.stdout.flush()
                sleep(seconds)
        from rich.live import Live

        with Live(table(), console=console, auto_refresh=False) as live:
            while True:
                sleep(seconds)
                live.update(table(), refresh=True)
    except KeyboardInterrupt:
        return


def _console() -> Console:
    from rich.console import Console  # slow to import

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        # Programs and files get all columns.
        console.width = 1000
    return console


def _columns(kind: str, zone: tzinfo | None) -> list[Column]:
    """The columns of a kind. Those that were added later are last, since programs count them."""
    return [*COLUMNS[kind], *([(NEXT_RUN, _next_run(zone))] if kind == "job" else [])]


def _table(console: Console, kind: str, documents: Sequence[Document], zone: tzinfo | None) -> RenderableType:
    columns = _columns(kind, zone)
    names = [name for name, _value in columns]
    rows = [[_text(value(document)) for _name, value in columns] for document in documents]
    if console.is_terminal:
        layout = _JOBS_ON_A_TERMINAL if kind == "job" else Layout(order=names, rank=names, always=names[:1])
        return layout.fitted(names, rows, console.width)
    # A column that was added later is shown if it is not empty.
    said = [{row[number] for row in rows} for number in range(len(names))]
    shown = [
        number
        for number, name in enumerate(names)
        if number < _FIRST_COLUMNS or (any(said[number]) and (name != "client_id" or len(said[number]) > 1))
    ]
    return boxed([names[number] for number in shown], [[row[number] for number in shown] for row in rows])


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a document, each with its path, such as ``job_actions.1.freezer_action.mode``."""
    if isinstance(value, Mapping) and value:
        found: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and any(isinstance(one, (Mapping, list)) for one in value):
        found = enumerate(value, 1)
    else:
        is_empty = isinstance(value, (Mapping, list)) and not value
        yield path, "" if is_empty else ", ".join(map(str, value)) if isinstance(value, list) else value
        return
    for key, inner in found:
        yield from _leaves(inner, f"{path}.{key}" if path else str(key))


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
