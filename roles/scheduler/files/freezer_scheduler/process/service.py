# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The running scheduler: core, agents, API and signals, in one event loop."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import selectors
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError

from ..api import thread
from ..api.conversation import Conversation
from ..api.thread import ApiThread, Message
from ..config.settings import Settings
from ..core.events import EventBox
from ..core.folder import JobFolder
from ..core.intake import job_problem
from ..core.journal import API_STATE, Journal
from ..core.scheduler import Core
from ..core.surroundings import Join, Joined
from .notify import notify
from .processes import Processes

LOG = logging.getLogger("freezer_scheduler")

#: The longest sleep, since the system clock may be set meanwhile.
_LONGEST_SLEEP_SECONDS = 15.0
_LAST_WORDS_SECONDS = 10.0
JOURNAL_NAME = "scheduler.db"


class Service:
    """A scheduler until SIGTERM. ``folder`` is its own; ``reread`` reads the settings again for SIGHUP.

    ``uploads`` is a folder of jobs that are stored at the API when it is reached for the first time.
    """

    def __init__(
        self,
        settings: Settings,
        client_id: str,
        folder: Path,
        reread: Callable[[], Settings],
        uploads: Path | None = None,
    ) -> None:
        self._uploads = uploads
        self._settings = settings
        self._client_id = client_id
        self._path = folder / JOURNAL_NAME
        self._reread = reread
        self._journal = Journal(self._path)
        self._processes = Processes(settings.agent, folder, scopes(settings))
        self._processes.allow_exec = settings.limits.allow_exec
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._processes.selector.register(self._wake_read, selectors.EVENT_READ, "wake")
        self._api = None if settings.no_api else self._make_api()
        self._jobs = JobFolder(settings.jobs_dir) if settings.no_api else None
        self._events = EventBox(folder) if settings.no_api else None
        self._pipe = -1
        if self._events is not None:
            self._pipe = self._events.open_pipe()
            self._processes.selector.register(self._pipe, selectors.EVENT_READ, "wake")
        ask: Callable[[Join], None] | None = self._api.ask if self._api is not None else None
        self._core = Core(self._journal, self._processes, settings.limits, settings.zone, client_id, ask)
        self._signals: set[int] = set()
        self._folder_at = 0.0
        self._mention_at = 0.0

    def run(self, ready: Callable[[], None]) -> None:
        """Run until SIGTERM or SIGINT. Running agents go on, and are found again at the next start."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._receive)
        # The state of the API from an earlier scheduler is outdated.
        self._journal.begin()
        self._journal.note(API_STATE, "")
        self._journal.commit()
        self._core.recover(time.time())
        if self._api is not None:
            self._api.start()
        ready()
        notify("READY=1")
        LOG.info("The scheduler of %s runs; it knows %d jobs", self._client_id, len(self._core.entries))
        try:
            while not self._signals & {signal.SIGTERM, signal.SIGINT}:
                self._turn()
        finally:
            notify("STOPPING=1")
            if self._api is not None:
                self._api.stop(_LAST_WORDS_SECONDS)
            active = len(self._core.active_runs)
            LOG.info(
                "The scheduler ends%s", f"; {active} runs go on, and are continued at the next start" if active else ""
            )
            self._processes.close()
            self._journal.close()
            if self._pipe >= 0:
                os.close(self._pipe)

    def _turn(self) -> None:
        if signal.SIGHUP in self._signals:
            self._signals.discard(signal.SIGHUP)
            self._reload()
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        self._take_messages()
        self._take_events()
        self._look_at_folder()
        wake = self._core.tick(time.time())
        if self._api is not None and self._journal.waiting_reports(1):
            self._api.kick()
        self._mention()
        notify("WATCHDOG=1")
        timeout = _LONGEST_SLEEP_SECONDS if wake is None else min(wake - time.time(), _LONGEST_SLEEP_SECONDS)
        if self._jobs is not None:
            timeout = min(timeout, self._settings.interval_seconds)
        if self._core.has_passing:
            timeout = min(timeout, max(0.1, self._mention_at - time.monotonic()))
        if self._messages.empty() and not self._signals:
            self._processes.wait(timeout)

    def _take_messages(self) -> None:
        now = time.time()
        while True:
            try:
                message = self._messages.get_nowait()
            except queue.Empty:
                return
            if isinstance(message, thread.Page):
                self._core.saw(message.jobs, now)
            elif isinstance(message, thread.Polled):
                for job_id in self._core.saw_all(message.job_ids):
                    if self._api is not None:
                        self._api.look_for(job_id)
                if self._api is not None:
                    self._api.digested()
            elif isinstance(message, thread.Session):
                self._core.saw_session(message.session, now)
            elif isinstance(message, thread.Whereabouts):
                take_whereabouts(self._core, message.job_id, message.job, now)
            elif isinstance(message, Joined):
                self._core.joined(message, now)

    def _take_events(self) -> None:
        if self._events is None:
            return
        with contextlib.suppress(BlockingIOError):
            os.read(self._pipe, 4096)
        for asked in list(self._events.waiting()):
            if isinstance(asked, str):
                LOG.warning("The file %s of the events is no event; it is removed", asked)
                self._events.answered(asked)
                continue
            if asked.job_id not in self._core.entries:
                # Its file may be new.
                self._folder_at = 0.0
                self._look_at_folder()
            if not self._core.asked(asked.job_id, asked.event, asked.name, time.time()):
                LOG.warning("Job %s: %s was requested, but there is no such job", asked.job_id, asked.event)
            self._events.answered(asked.name)

    def _look_at_folder(self) -> None:
        if self._jobs is None or time.monotonic() < self._folder_at:
            return
        self._folder_at = time.monotonic() + self._settings.interval_seconds
        now = time.time()
        try:
            found = self._jobs.read_and_log()
        except FreezerError as error:
            LOG.error("%s", error)
            return
        self._core.saw(found, now)
        for job_id in self._core.saw_all({job["job_id"] for job, _tag in found}):
            self._core.gone(job_id, now)

    def _mention(self) -> None:
        passing: dict[str, dict[str, Any]] = {}
        if self._core.has_passing and time.monotonic() >= self._mention_at:
            passing = self._core.take_passing()
            self._mention_at = time.monotonic() + self._settings.limits.progress_seconds
        if self._api is None:
            # Reports of a job that is gone may be for an API that was used before, and are kept.
            entries = self._core.entries.values()
            if passing or self._journal.waiting_reports(1):
                self._journal.settle([entry.job_id for entry in entries if not entry.is_gone], passing)
        elif passing:
            self._api.mention(passing)

    def _make_api(self) -> ApiThread:
        about = {"hostname": socket.gethostname(), "description": "freezer-scheduler"}

        uploads = JobFolder(self._uploads) if self._uploads is not None else None

        def make() -> Conversation:
            # A SQLite connection belongs to one thread.
            return Conversation(self._settings.connect, Journal(self._path), self._client_id, about, uploads)

        return ApiThread(make, self._settings.interval_seconds, self._tell, self._has_sessions)

    def _has_sessions(self) -> bool:
        return any(entry.session_id for entry in list(self._core.entries.values()))

    def _tell(self, message: Message) -> None:
        self._messages.put(message)
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def _receive(self, number: int, _frame: Any) -> None:
        self._signals.add(number)
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def _reload(self) -> None:
        notify("RELOADING=1", monotonic=True)
        try:
            settings = self._reread()
        except FreezerError as error:
            LOG.error("The configuration stays as it is: %s", error)
        else:
            self._settings = settings
            self._core.reload(settings.limits)
            self._processes.allow_exec = settings.limits.allow_exec
            if self._api is not None:
                self._api.interval_seconds = settings.interval_seconds
                self._api.look_now()
            self._folder_at = 0.0
            LOG.info(
                "The configuration was read again; limits and intervals apply now, other options from the next start"
            )
        notify("READY=1")


def take_whereabouts(core: Core, job_id: str, job: dict[str, Any] | None, now: float) -> None:
    """Pass the current state of a job that is no longer in the list to the core."""
    if job is None:
        core.gone(job_id, now)
    elif not job_problem(job) and (job.get("job_schedule") or {}).get("status") in ("completed", "removed"):
        core.has_ended(job, now)
    else:
        core.saw([(job, None)], now)


def scopes(settings: Settings) -> Callable[[str], list[str]] | None:
    """Arguments that run an agent in a systemd scope; None if that is not possible or not wanted."""
    program = shutil.which("systemd-run")
    if not settings.systemd_scopes or os.geteuid() != 0 or program is None or not os.path.isdir("/run/systemd/system"):
        return None
    properties = [f"--property={one}" for one in settings.scope_properties]
    return lambda name: [program, "--scope", "--quiet", "--collect", f"--unit={name}", *properties, "--"]
