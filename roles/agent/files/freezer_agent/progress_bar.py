# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Progress for a terminal: a bar with bytes, files, speed and time left. Importing this imports rich."""

from __future__ import annotations

import contextlib
from types import TracebackType

from rich import progress as rich_progress
from rich.console import Console
from rich.table import Column
from rich.text import Text

from ansible_collections.freezer.backup.plugins.module_utils._engine.progress import Progress

from .wording import counted, duration, size

#: Columns that a terminal needs for these figures and a bar that is worth its name.
_FOR_FILES = 76
_FOR_SPEED = 60


class _Figures(rich_progress.ProgressColumn):
    def render(self, task: rich_progress.Task) -> Text:
        if task.total:
            return Text(f"{size(task.completed)} of {size(task.total)}")
        return Text(size(task.completed) if task.completed else "")


class _Files(rich_progress.ProgressColumn):
    def render(self, task: rich_progress.Task) -> Text:
        files = task.fields["files"]
        return Text(counted(files, "file") if files else "")


class _Speed(rich_progress.ProgressColumn):
    def render(self, task: rich_progress.Task) -> Text:
        return Text(f"{size(task.speed)}/s" if task.speed else "", style="dim")


class _Left(rich_progress.ProgressColumn):
    #: A number that changes ten times a second cannot be read.
    max_refresh = 0.5

    def render(self, task: rich_progress.Task) -> Text:
        if task.finished or task.time_remaining is None:
            return Text("")
        return Text(f"{duration(max(task.time_remaining, 1))} left".replace(".0 s", " s"), style="cyan")


def _unbroken() -> Column:
    """A narrow terminal shortens the bar, not the figures."""
    return Column(no_wrap=True)


class ProgressBar(Progress):
    """A bar that is there while the context lasts, and leaves no trace."""

    wants_totals = True

    def __init__(self, console: Console) -> None:
        columns = [
            rich_progress.TextColumn("{task.description}", table_column=_unbroken()),
            rich_progress.BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=8)),
            rich_progress.TaskProgressColumn(table_column=_unbroken()),
            _Figures(_unbroken()),
        ]
        if console.width >= _FOR_FILES:
            columns.append(_Files(_unbroken()))
        if console.width >= _FOR_SPEED:
            columns.append(_Speed(_unbroken()))
        self._bar = rich_progress.Progress(
            *columns,
            _Left(_unbroken()),
            console=console,
            transient=True,
            expand=True,
            refresh_per_second=5,
        )
        self._files = 0
        self._task = self._bar.add_task("looking", total=None, files=0)

    def __enter__(self) -> ProgressBar:
        try:
            self._bar.start()
        except BaseException:
            # A signal in this moment: the terminal gets its cursor back, whether or not a half-started bar can be ended.
            with contextlib.suppress(Exception):
                self._bar.stop()
            self._bar.console.show_cursor()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, phase: str, total_bytes: int | None = None, total_files: int | None = None) -> None:
        self._files = 0
        self._bar.reset(self._task, total=total_bytes, description=phase, files=0)

    def advance(self, done_bytes: int = 0, done_files: int = 0) -> None:
        if done_bytes:
            self._bar.update(self._task, advance=done_bytes)
        if done_files:
            self._files += done_files
            self._bar.update(self._task, files=self._files)
