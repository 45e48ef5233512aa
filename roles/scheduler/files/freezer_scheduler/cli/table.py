# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Tables: with frames for files and programs, and on a terminal with as many columns as fit, none of them wrapped."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_STYLES = {"success": "green", "fail": "bold red", "aborted": "yellow", "running": "cyan", "aborting": "yellow"}

#: Texts of any length: only these columns may be cut off.
_TEXTS = ("description", "reason", "path")
_TEXT_WIDTH = 20
#: Times, which are shown without seconds, and without the current year.
_TIMES = ("started", "ended", "next run", "made")
_GAP = 2


@dataclass(frozen=True)
class Layout:
    """The columns on a terminal from left to right, and their rank if not all fit.

    ``always`` are shown also when they are empty, ``if_several`` only if they have more than one value. The values of the
    column ``below`` are printed below the table if the column does not fit.
    """

    order: Sequence[str]
    rank: Sequence[str]
    always: Sequence[str] = ()
    if_several: Sequence[str] = ()
    below: str = ""

    def fitted(self, names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> RenderableType:
        """A table of at most ``width`` characters, unless the first column alone is wider."""
        from rich.cells import cell_len
        from rich.console import Group
        from rich.text import Text

        cells = {name: [_short(name, row[number]) for row in rows] for number, name in enumerate(names)}
        widths: dict[str, int] = {}
        for name in self.rank:
            values = set(cells[name])
            if (name in self.if_several and len(values) < 2) or (name not in self.always and not any(values)):
                continue
            widest = max(map(cell_len, (name, *values)))
            least = min(widest, _TEXT_WIDTH) if name in _TEXTS else widest
            if not widths or sum(widths.values()) + _GAP * len(widths) + least <= width:
                widths[name] = least
        left = width - sum(widths.values()) - _GAP * (len(widths) - 1)
        for name in (name for name in self.rank if name in widths and name in _TEXTS):
            more = min(left, max(map(cell_len, cells[name])) - widths[name])
            if more > 0:
                widths[name] += more
                left -= more
        shown = [name for name in self.order if name in widths]
        table = _on_a_terminal({name: min(widths[name], width) for name in shown})
        for number in range(len(rows)):
            table.add_row(*(_styled(cells[name][number]) for name in shown))
        if not self.below or self.below in widths:
            return table
        first = self.rank[0]
        notes = [Text(f"{cells[first][number]}: {text}") for number, text in enumerate(cells[self.below]) if text]
        return Group(table, *([Text(), *notes] if notes else []))


def boxed(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table with all columns at their full width."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else box.ASCII2)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(_styled, row))
    return table


def _on_a_terminal(widths: dict[str, int]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for name, width in widths.items():
        is_text = name in _TEXTS
        table.add_column(name, width=width, no_wrap=is_text, overflow="ellipsis" if is_text else "fold")
    return table


def _styled(text: str) -> RenderableType:
    from rich.text import Text

    return Text(text, style=_STYLES.get(text, ""))


def _short(name: str, text: str) -> str:
    if name not in _TIMES or len(text) < 16:
        return text
    return text[5:16] if text.startswith(time.strftime("%Y-")) else text[:16]
