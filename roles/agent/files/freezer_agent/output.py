# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a run says and where: a bar and a summary on a terminal, lines elsewhere, and everything in the log file.

Standard output belongs to results: the table of ``info`` and JSON. All else goes to standard error, and what cannot be
written there, because its disk is full for example, stops no work.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.progress import Progress
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.streams import (
    give_stdout_up,
    say,
    unwritten,
)

from .log_file import LogFile
from .progress_lines import ProgressLines, Several
from .report import Report

if TYPE_CHECKING:
    from rich.console import Console

#: How much of a list a summary shows; the log file has as much as the engine tells.
SHOWN_ENTRIES = 5


def is_lively(stream: IO[str]) -> bool:
    """Whether a stream is a terminal that can redraw a line."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


class Output:
    """One run's voice."""

    def __init__(self, quiet: bool, log_file: LogFile | None) -> None:
        self._quiet = quiet
        self._log = log_file
        self._lively = is_lively(sys.stderr)

    def _console(self) -> Console:
        from rich.console import Console  # only where there is a terminal: it costs more than the rest of the start

        return Console(stderr=True, highlight=False, markup=False, emoji=False)

    def note(self, text: str) -> None:
        """Say what is going on: in the log file, and as a line where there is no bar."""
        if self._log is not None:
            self._log.write(text)
        if not self._quiet and not self._lively:
            say(printable(text))

    def tell(self, sentence: str) -> None:
        """Say what was decided where it was left open: also where there is a bar."""
        if self._log is not None:
            self._log.write(sentence)
        if not self._quiet:
            say(f"freezer-agent: {printable(sentence)}")

    def warn(self, sentence: str) -> None:
        """Say what is not as it was asked for, and does not end the run."""
        if self._log is not None:
            self._log.write(sentence, "WARNING")
        if not self._quiet:
            say(f"freezer-agent: warning: {printable(sentence)}")

    @contextmanager
    def progress(self, record: Progress | None = None) -> Iterator[Progress]:
        """A listener for the engine, shown as long as the context lasts; ``record`` listens as well."""
        others = [] if record is None else [record]
        if self._quiet or not self._lively:
            yield Several([ProgressLines(self.note), *others])
            return
        from .progress_bar import ProgressBar

        with ProgressBar(self._console()) as drawn:
            yield Several([drawn, *([] if self._log is None else [ProgressLines(self.note)]), *others])

    def report(self, report: Report) -> None:
        """Show how it went."""
        if self._log is not None:
            for line in report.log_lines():
                self._log.write(line, "INFO" if report.good else "WARNING")
        if self._quiet:
            return
        lines = report.lines(SHOWN_ENTRIES)
        if not self._lively:
            say("\n".join(lines))
            return
        console = self._console()
        console.print(lines[0], style="bold green" if report.good else "bold yellow", soft_wrap=True)
        for line in lines[1:]:
            console.print(line, soft_wrap=True)

    def listing(self, result: Mapping[str, Any]) -> None:
        """Print the table of info: the one text that goes to standard output. Raises HostError if it cannot be written."""
        from rich.console import Console

        from .listing import print_listing

        try:
            print_listing(result, Console(highlight=False, markup=False, emoji=False))
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as problem:
            give_stdout_up()
            raise unwritten(problem) from None

    def error(self, sentence: str) -> None:
        """Say why there is no result; also with --quiet."""
        if self._log is not None:
            self._log.write(sentence, "ERROR")
        say_error(sentence)


def say_error(sentence: str) -> None:
    """A sentence on standard error, as one line where programs read it."""
    text = f"freezer-agent: {printable(sentence)}"
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
    say(text)
