# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The backups of ``--action info`` as a table. Importing this imports rich."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable

from .wording import moment, size

Backup = Mapping[str, Any]

#: As wide as any table could be.
_WIDE = 1000
_STYLES = {"success": "green", "partial": "yellow"}


def print_listing(result: Mapping[str, Any], console: Console) -> None:
    """Print the table, then what is not a whole backup. A table that is too wide for a terminal is split by name."""
    if "containers" in result:
        _print_containers(result["containers"], console)
        return
    backups = result["backups"]
    if not backups:
        console.print(Text("There is no backup."))
    elif not console.is_terminal:
        console.width = _WIDE
        console.print(_table(backups, named=True, box=None))
    else:
        whole = _table(backups, named=True, box=SIMPLE_HEAD)
        if console.measure(whole, options=console.options.update(width=_WIDE)).maximum <= console.width:
            console.print(whole)
        else:
            _print_by_name(backups, console)
    for title, entries in (
        ("Without a manifest, so no backup: a run that failed, or one that is under way", result["incomplete"]),
        ("Damaged", result["damaged"]),
    ):
        if entries:
            console.print(Text(f"{title}:", style="yellow"), soft_wrap=True)
            for entry in entries:
                console.print(Text(f"  {printable(entry)}"), soft_wrap=True)


def _print_containers(containers: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print a line for each container, and how to look into one."""
    if not containers:
        console.print(Text("There is no container that could be listed."))
        return
    if not console.is_terminal:
        console.width = _WIDE
    of_swift = any(one["storage"] == "swift" for one in containers)
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("container")
    table.add_column("storage")
    if of_swift:
        table.add_column("objects", justify="right")
        table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("marked")
    for one in containers:
        cells = [Text(printable(one["container"])), Text(one["storage"])]
        if of_swift:
            cells += [Text(f"{one['objects']:,}"), Text(size(one["bytes"]))] if "bytes" in one else [Text(""), Text("")]
        table.add_row(*cells, Text("yes" if one["has_marker"] else "no"))
    console.print(table)
    console.print(
        Text("Marked are those that a backup of this release has written to. --container NAME lists what is in one."),
        soft_wrap=True,
    )


def _print_by_name(backups: Sequence[Backup], console: Console) -> None:
    def name(backup: Backup) -> tuple[str, str]:
        return str(backup["backup_name"]), str(backup["hostname"])

    for (backup_name, hostname), members in groupby(sorted(backups, key=name), key=name):
        console.print(Text(f"{printable(backup_name)} of {printable(hostname)}", style="bold"), soft_wrap=True)
        console.print(_table(list(members), named=False, box=None))


def _table(backups: Sequence[Backup], named: bool, box: Box | None) -> Table:
    of_several_formats = any("format" in backup for backup in backups)
    several_places = len({backup["container"] for backup in backups}) > 1
    table = Table(box=box, pad_edge=False, padding=(0, 1 if box else 2, 0, 0))
    table.add_column("id", no_wrap=True)
    if named:
        table.add_column("name")
        table.add_column("host")
    table.add_column("level", justify="right")
    table.add_column("time", no_wrap=True)
    if named:
        table.add_column("source", justify="right", no_wrap=True)
    table.add_column("stored", justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    if of_several_formats:
        table.add_column("format")
    if several_places:
        table.add_column("in")
    for backup in backups:
        cells = [Text(str(backup["backup_id"]))]
        if named:
            cells += [Text(printable(backup["backup_name"])), Text(printable(backup["hostname"]))]
        cells += [Text(str(backup["level"])), Text(moment(backup["timestamp"]))]
        if named:
            # Upstream's agent does not record it.
            cells.append(Text("" if backup["source_bytes"] is None else size(backup["source_bytes"])))
        outcome = str(backup["outcome"])
        cells += [Text(size(backup["stored_bytes"])), Text(outcome, style=_STYLES.get(outcome, ""))]
        if of_several_formats:
            cells.append(Text(str(backup.get("format", ""))))
        if several_places:
            cells.append(Text(printable(backup["container"])))
        table.add_row(*cells)
    return table
