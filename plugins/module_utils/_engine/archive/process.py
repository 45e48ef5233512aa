# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Care for child processes: what they say is collected, and none of them outlives its purpose."""

from __future__ import annotations

import subprocess
import threading
from typing import IO

from . import tar


class TarErrors(threading.Thread):
    """Collects what tar says on its error stream while it works."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(name="tar-errors", daemon=True)
        self.messages = tar.TarMessages()
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        try:
            for line in self._pipe:
                self.messages.add_line(line.decode("utf-8", "surrogateescape").rstrip("\n"))
        except ValueError:
            pass  # the work was given up, and the pipe closed under us


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Make sure that a child is gone and its pipes are closed."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
