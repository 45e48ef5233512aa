# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The holder's guard: a fork that releases everything if the holder dies or misses its deadline.

The holder writes lines to a pipe: ``+2`` before target 2 is taken, ``-2`` after it was released, ``r 40`` when the holder
begins to release, which may take 40 seconds, ``p 1234`` while the program of a command runs, and ``end``. The end of the
pipe means that the holder is dead. The kernel reports this also for a killed holder, but not before a call such as FIFREEZE
that the holder was killed in has ended.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from typing import Callable

from .base import Driver, uptime
from .process import Step, say, stay_in_memory

#: How long after the deadline the guard waits for the holder.
GRACE_SECONDS = 2.0


class Guard:
    """The holder's end. `descriptor` becomes readable when the guard dies."""

    def __init__(self, process_id: int, pipe: int, descriptor: int) -> None:
        self.process_id = process_id
        self._pipe = pipe
        self.descriptor = descriptor

    def tell(self, line: str) -> None:
        """Announce the next step. The descriptor shows that a guard has died."""
        try:
            os.write(self._pipe, f"{line}\n".encode())
        except OSError:
            pass

    def dismiss(self) -> None:
        """End the guard, after everything was released."""
        self.tell("end")
        os.close(self._pipe)
        try:
            os.waitpid(self.process_id, 0)
        except ChildProcessError:
            pass


def start(
    drivers: Sequence[Driver], deadline: float, own_descriptors: Sequence[int], report: Callable[[list[str]], None]
) -> Guard:
    """Fork the guard. When this is called, nothing may be held, and no thread and no client may run.

    `deadline` is on the clock of `uptime`. `own_descriptors` are those of the holder that the guard must not keep open.
    `report` is called in the guard after a recovery, with sentences about what could not be undone.
    """
    holder = os.getpid()
    reading, writing = os.pipe()
    alive, kept = os.pipe()
    child = os.fork()
    if child:
        os.close(reading)
        os.close(kept)
        return Guard(child, writing, alive)
    status = 1
    try:
        os.setsid()
        os.close(writing)
        os.close(alive)
        for descriptor in own_descriptors:
            os.close(descriptor)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        stay_in_memory()
        _Watch(drivers, deadline, holder, reading, report).run()
        status = 0
    finally:
        os._exit(status)


class _Watch:
    """The main loop of the guard."""

    def __init__(
        self,
        drivers: Sequence[Driver],
        deadline: float,
        holder: int,
        pipe: int,
        report: Callable[[list[str]], None],
    ) -> None:
        self._drivers = drivers
        self._until = deadline + GRACE_SECONDS
        self._holder = holder
        self._pipe = pipe
        self._report = report
        self._taken: list[int] = []
        self._program = 0
        self._text = b""
        self._ended = False
        self._gone = False

    def run(self) -> None:
        while not self._ended and not self._gone and uptime() < self._until:
            self._listen(min(1.0, max(0.0, self._until - uptime())))
        if self._ended:
            return
        if self._gone:
            say("guard: the holder is gone")
        else:
            say("guard: the holder has missed its deadline and is killed")
            os.kill(self._holder, signal.SIGKILL)
        if self._program:
            # A prepare that still runs would end after its finalize.
            try:
                os.killpg(self._program, signal.SIGKILL)
            except OSError:
                pass
        problems = self._recover()
        # The dying holder may still be in a call that freezes; its effect is undone as well.
        while not self._gone:
            self._listen(1.0)
            problems = self._recover()
        self._report(problems)

    def _listen(self, seconds: float) -> None:
        if not select.select([self._pipe], [], [], seconds)[0]:
            return
        said = os.read(self._pipe, 4096)
        self._gone = not said
        self._text += said
        *lines, self._text = self._text.split(b"\n")
        for line in lines:
            word = line.decode()
            if word == "end":
                self._ended = True
            elif word.startswith("+"):
                self._taken.append(int(word[1:]))
            elif word.startswith("-"):
                self._taken.remove(int(word[1:]))
            elif word.startswith("p "):
                self._program = int(word[2:])
            elif word.startswith("r "):
                self._until = max(self._until, uptime() + float(word[2:]) + GRACE_SECONDS)

    def _recover(self) -> list[str]:
        return recover([self._drivers[index] for index in self._taken])


def recover(drivers: Sequence[Driver]) -> list[str]:
    """Undo takes that may be incomplete, the last first; sentences about what could not be undone."""
    problems = []
    for driver in reversed(drivers):
        step = Step(f"recovery of {driver.label}", driver.recover)
        # The thread may block in the kernel; the next target waits for a limited time only.
        step.join(driver.timeout_seconds + GRACE_SECONDS)
        if not step.over:
            problems.append(f"The {driver.label} could not be released yet: a system call still blocks.")
        elif step.problem:
            problems.append(step.problem)
        say(f"{driver.label}: {problems[-1] if not step.over or step.problem else 'released after the holder'}")
    return problems
