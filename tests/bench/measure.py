# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One command, run and measured: wall clock, processor time, peak memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.02


class CommandFailed(Exception):
    """A measured command did not end well, so there is nothing to measure."""


@dataclass(frozen=True)
class Run:
    """What one run took. `process_bytes` has the peak memory of each of its programs (the largest one, where processes
    of one name follow each other), `memory_bytes` the sum of them.

    The sum is an upper bound: the processes of a pipe need not be at their peaks at the same time.
    """

    wall_seconds: float
    cpu_seconds: float
    memory_bytes: int
    process_bytes: dict[str, int]
    output: bytes


class _MemoryWatch(threading.Thread):
    """Looks at the peak resident size (VmHWM) of a process and all its descendants until told to stop.

    getrusage would be simpler and wrong: it charges a child with what its parent had before the child's exec.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(name="memory", daemon=True)
        self._pid = pid
        self._stopped = threading.Event()
        self._peaks: dict[int, tuple[str, int]] = {}
        self.start()

    def run(self) -> None:
        while not self._stopped.is_set():
            self._look(self._pid)
            self._stopped.wait(_SAMPLE_SECONDS)

    def _look(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            children = [Path(task, "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
        except OSError:
            return  # it has ended meanwhile
        fields = dict(line.partition(":")[::2] for line in status.splitlines())
        if "VmHWM" in fields:
            # The newest look counts, not the highest: before its exec a child shows the memory of its parent.
            self._peaks[pid] = fields["Name"].strip(), int(fields["VmHWM"].split()[0]) * 1024
        for child in " ".join(children).split():
            self._look(int(child))

    def stop(self) -> dict[str, int]:
        """The peaks by the names of the programs."""
        self._stopped.set()
        self.join()
        found: dict[str, int] = {}
        for name, peak in self._peaks.values():
            found[name] = max(found.get(name, 0), peak)
        return found


def run(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command in a process of its own and measure it with all its children.

    What was written before is on the disk when the clock starts. Raises CommandFailed.
    """
    os.sync()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment)
        watch = _MemoryWatch(process.pid)
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks = watch.stop()
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            said = (errors.read().strip() or output.read().strip()).decode("utf-8", "replace")
            raise CommandFailed(f"{' '.join(argv)} ended with status {process.returncode}: {said[-2000:]}")
        return Run(wall, usage.ru_utime + usage.ru_stime, sum(peaks.values()), peaks, output.read())
