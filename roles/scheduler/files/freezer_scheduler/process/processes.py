# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of agents: started, watched, ended with all their children, and found again after a restart.

Each has its own session, and so its own process group, and outlives the scheduler: it writes its result and progress to
files of the run, which a later scheduler reads. It gets the action through a file in memory, never through an argument or
the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import selectors
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.results import left_out_said
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import FAIL, Outcome, outcome_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import process

from ..core.runs import Run
from ..core.surroundings import Started
from . import process_table

LOG = logging.getLogger("freezer_scheduler")

#: How long an agent may clean up after an abort before it is killed with its children. An abort takes under 10 seconds.
PATIENCE_SECONDS = 6.0
_KILL_AGAIN_SECONDS = 0.2
_TAIL_BYTES = 400


@dataclass
class _Watched:
    run: Run
    descriptor: int
    child: process.Program | None
    aborted_at: float | None = None
    is_gone: bool = False


class Processes:
    """The agents of one scheduler. ``folder`` is for the files of their runs. ``scope`` returns the arguments that run a
    command in a systemd scope of a name; None without systemd. An agent runs an ``exec`` only while ``allow_exec`` is
    true."""

    def __init__(
        self,
        agent: Sequence[str],
        folder: Path,
        scope: Callable[[str], list[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agent = list(agent)
        self._runs = folder / "runs"
        self._logs = folder / "logs"
        for one in (self._runs, self._logs):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.allow_exec = False
        self._scope = scope
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self.selector = selectors.DefaultSelector()

    def start(self, run: Run, what: Mapping[str, Any]) -> Started:
        """Start the agent with a bare ``freezer_action``. Raises OSError, and HostError if there is no agent to start."""
        folder = self._runs / run.run_id
        folder.mkdir(mode=0o700, exist_ok=True)
        mark = _mark(run)
        words = [*self._agent, "--stdin", *(["--allow-exec"] if self.allow_exec else [])]
        document = json.dumps(what).encode()
        scope = ""
        with contextlib.ExitStack() as stack:
            stdin = os.memfd_create("action")
            stack.callback(os.close, stdin)
            os.write(stdin, document)
            os.lseek(stdin, 0, os.SEEK_SET)
            result = _opened(stack, self._result(run))
            progress = _opened(stack, folder / "progress")
            fresh = os.O_TRUNC if run.index == 0 and run.attempt == 1 else 0
            log = _opened(stack, self._logs / f"{run.job_id}.log", os.O_APPEND | fresh)
            words += ["--result-fd", str(result), "--progress-fd", str(progress)]
            if self._scope is not None:
                scope = f"freezer-run-{run.run_id}-{run.index}-{run.attempt}.scope"
                words = [*self._scope(scope), *words]
            child = process.Program(
                words,
                stdin=stdin,
                stdout=log,
                stderr=log,
                pass_fds=(result, progress),
                cwd="/",
                # The environment of the scheduler has the credentials for clouds.
                env={**os.environ, process.RUN_MARK: mark},
                own_session=True,
            )
        self._watch(run, child.pid, child)
        return Started(child.pid, process_table.born(child.pid), scope)

    def adopt(self, run: Run) -> bool:
        """Watch the process of a run that an earlier scheduler started; False if it has ended."""
        pid = run.pid if run.pid and process_table.born(run.pid) == run.born else 0
        if not pid:
            # The scheduler may have died between the start and the record of it.
            pid = next((one for one in process_table.marked(process.RUN_MARK, _mark(run)) if os.getpgid(one) == one), 0)
        if not pid:
            return False
        try:
            self._watch(run, pid, None)
        except ProcessLookupError:
            return False
        run.pid, run.born = pid, process_table.born(pid)
        return True

    def leftover(self, run: Run) -> Outcome:
        """The result of a process that has ended while no scheduler ran."""
        return self._outcome(run, None)

    def abort(self, run: Run) -> None:
        """Terminate the agent and all its children; they are killed if they do not end."""
        watched = self._watched.get(run.run_id)
        if watched is not None and watched.aborted_at is None:
            watched.aborted_at = self._clock()
            self._signal(run, signal.SIGTERM)

    def ended(self) -> list[tuple[str, Outcome]]:
        """The runs whose process has ended since the last call."""
        for key, _events in self.selector.select(0):
            if isinstance(key.data, _Watched):
                key.data.is_gone = True
        found = []
        for watched in list(self._watched.values()):
            if watched.aborted_at is not None and not self._is_swept(watched):
                continue
            if watched.is_gone:
                status = watched.child.wait() if watched.child is not None else None
                self._unwatch(watched)
                found.append((watched.run.run_id, self._outcome(watched.run, status)))
        return found

    def wait(self, timeout: float) -> None:
        """Return when a process ends, another registered event happens, or after ``timeout`` seconds."""
        if any(one.aborted_at is not None for one in self._watched.values()):
            timeout = min(timeout, _KILL_AGAIN_SECONDS)
        self.selector.select(max(timeout, 0))

    def progress(self, run: Run) -> dict[str, Any] | None:
        """The progress that the agent has reported, or None."""
        try:
            found = json.loads((self._runs / run.run_id / "progress").read_bytes()[:1024])
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def forget(self, run: Run) -> None:
        """Remove the files of a run. The output of the agent stays in the log of the job until its next run."""
        shutil.rmtree(self._runs / run.run_id, ignore_errors=True)

    def close(self) -> None:
        """Stop watching; the agents go on."""
        for watched in list(self._watched.values()):
            self._unwatch(watched)
        self.selector.close()

    def _watch(self, run: Run, pid: int, child: process.Program | None) -> None:
        descriptor = os.pidfd_open(pid)
        watched = _Watched(run, descriptor, child)
        self._watched[run.run_id] = watched
        self.selector.register(descriptor, selectors.EVENT_READ, watched)

    def _unwatch(self, watched: _Watched) -> None:
        self.selector.unregister(watched.descriptor)
        os.close(watched.descriptor)
        self._watched.pop(watched.run.run_id, None)
        if watched.child is not None:
            watched.child.leave()

    def _is_swept(self, watched: _Watched) -> bool:
        """Whether all processes of an aborted run have ended; those that have not are killed after their time."""
        if watched.is_gone and watched.child is not None:
            watched.child.wait()
        left = self._members(watched.run, with_leader=not watched.is_gone)
        if not left and watched.is_gone:
            return True
        if self._clock() - (watched.aborted_at or 0) >= PATIENCE_SECONDS:
            self._signal(watched.run, signal.SIGKILL)
            process_table.kill_scope(watched.run.pid, watched.run.scope)
        return False

    def _members(self, run: Run, *, with_leader: bool) -> set[int]:
        found = process_table.in_session(run.pid) | set(process_table.marked(process.RUN_MARK, _mark(run)))
        return found if with_leader else found - {run.pid}

    def _signal(self, run: Run, number: int) -> None:
        members = self._members(run, with_leader=True)
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _result(self, run: Run) -> Path:
        return self._runs / run.run_id / f"result-{run.index}-{run.attempt}"

    def _outcome(self, run: Run, status: int | None) -> Outcome:
        try:
            document = json.loads(self._result(run).read_bytes())
        except (OSError, ValueError):
            document = None
        if not isinstance(document, dict):
            how = "" if status is None else f" (status {status})"
            said = self._last_words(run)
            return Outcome(FAIL, f"the agent ended without a result{how}{': ' + said if said else ''}.")
        return outcome_of(document, left_out_said(document))

    def _last_words(self, run: Run) -> str:
        try:
            with open(self._logs / f"{run.job_id}.log", "rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - _TAIL_BYTES))
                lines = log.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip() if lines else ""


def _mark(run: Run) -> str:
    return f"{run.run_id}-{run.index}-{run.attempt}"


def _opened(stack: contextlib.ExitStack, path: Path, flags: int = os.O_TRUNC) -> int:
    """A descriptor above 9 for writing to a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    stack.callback(os.close, moved)
    return moved
