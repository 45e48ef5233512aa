# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The thread for requests to the API, so that a slow or absent one never delays a job."""

from __future__ import annotations

import contextlib
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError

from ..core.journal import JournalError
from ..core.surroundings import Join, Joined
from .conversation import Conversation

LOG = logging.getLogger("freezer_scheduler")

_FIRST_PAUSE_SECONDS = 1.0
_REGISTER_AGAIN_SECONDS = 86400.0
#: The share of the interval by which polls are spread, so that many nodes do not poll at once.
JITTER = 0.1
#: Reports are gathered this long, and sent together.
_GATHER_SECONDS = 0.2


class Page(NamedTuple):
    """Some jobs."""

    jobs: list[tuple[dict[str, Any], str | None]]


class Polled(NamedTuple):
    """The end of a poll, with the ids of all jobs."""

    job_ids: set[str]


class Session(NamedTuple):
    """The current state of a session."""

    session: dict[str, Any]


class Whereabouts(NamedTuple):
    """The current state of a job that is no longer in the list; None if it is not this client's any more."""

    job_id: str
    job: dict[str, Any] | None


Message = Page | Polled | Session | Whereabouts | Joined


class ApiThread(threading.Thread):
    """Polls the API, sends reports and questions. ``tell`` is called from this thread with each message."""

    def __init__(
        self,
        make: Callable[[], Conversation],
        interval_seconds: float,
        tell: Callable[[Message], None],
        has_sessions: Callable[[], bool],
    ) -> None:
        super().__init__(name="api", daemon=True)
        self.interval_seconds = interval_seconds
        self.is_reachable: bool | None = None
        self._make = make
        self._tell = tell
        self._has_sessions = has_sessions
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._digested = threading.Event()
        self._digested.set()
        self._stopping = False
        self._reports = False
        self._mentions: dict[str, Mapping[str, Any]] = {}
        self._failures = 0

    # For the scheduler's thread.

    def ask(self, question: Join) -> None:
        """Send a question to the API; the answer comes as a message."""
        self._requests.put(question)

    def look_for(self, job_id: str) -> None:
        """Get the current state of a job; it comes as a message."""
        self._requests.put(job_id)

    def kick(self) -> None:
        """Send new reports."""
        if not self._reports:
            self._reports = True
            self._requests.put(None)

    def mention(self, keys: Mapping[str, Mapping[str, Any]]) -> None:
        """Send reports of progress."""
        self._requests.put(dict(keys))

    def digested(self) -> None:
        """The scheduler has handled all messages of the last poll."""
        self._digested.set()

    def look_now(self) -> None:
        """Poll at once."""
        self._requests.put(True)

    def stop(self, timeout: float) -> None:
        """Send reports for up to ``timeout`` seconds, and end."""
        self._stopping = True
        self._requests.put(None)
        self.join(timeout)

    # This thread.

    def run(self) -> None:
        try:
            self._converse(self._make())
        except Exception:  # a thread that dies silently would leave jobs unseen
            LOG.exception("The thread for the API has ended; the scheduler continues with the jobs that it knows")

    def _converse(self, conversation: Conversation) -> None:
        clock = time.monotonic
        register_at = 0.0
        # Spread over time, for nodes that were switched on together.
        poll_at = clock() + random.uniform(0, min(1.0, self.interval_seconds * JITTER))
        while not self._stopping:
            try:
                if not self._take_requests(conversation, max(0.0, poll_at - clock())):
                    poll_at = clock()
                if self._mentions:
                    # Before the reports, which are newer: else an ended run would be shown as running.
                    mentions, self._mentions = self._mentions, {}
                    conversation.mention(mentions)
                if self._reports and clock() < poll_at:
                    self._reports = False
                    if conversation.deliver():
                        self._reached(conversation)
                if clock() >= poll_at and self._digested.is_set():
                    if clock() >= register_at:
                        conversation.register()
                        register_at = clock() + _REGISTER_AGAIN_SECONDS
                    conversation.upload()
                    self._reports = False
                    conversation.deliver()
                    self._poll(conversation)
                    self._reached(conversation)
                    poll_at = clock() + self.interval_seconds * random.uniform(1 - JITTER, 1 + JITTER)
                elif clock() >= poll_at:
                    poll_at = clock() + 0.05
            except FreezerError as error:
                poll_at = clock() + self._failed(conversation, error)
                self._reports = True
            except Exception:  # a fault in one answer must not end the thread
                LOG.exception("A fault of the program in the thread for the API")
                conversation.forget_tags()
                poll_at = clock() + self.interval_seconds
        try:
            conversation.deliver()
        except FreezerError as error:
            LOG.warning("Reports that could not be sent are kept: %s", error)
        conversation.close()

    def _take_requests(self, conversation: Conversation, seconds: float) -> bool:
        """Handle requests for up to ``seconds``; False if one of them asks for a poll."""
        try:
            request = self._requests.get(timeout=seconds) if seconds > 0 else self._requests.get_nowait()
        except queue.Empty:
            return True
        polls = False
        gathered = False
        while True:
            if isinstance(request, Join):
                self._tell(self._joined(conversation, request))
            elif isinstance(request, str):
                try:
                    self._tell(Whereabouts(request, conversation.whereabouts(request)))
                except FreezerError as error:
                    LOG.warning("Job %s cannot be read: %s", request, error)
                    conversation.forget_tags()
            elif isinstance(request, dict):
                self._mentions.update(request)
            elif request is True:
                conversation.forget_tags()
                polls = True
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                if gathered or not self._reports or self._stopping:
                    return not polls
                gathered = True
                try:
                    request = self._requests.get(timeout=_GATHER_SECONDS)
                except queue.Empty:
                    return not polls

    def _joined(self, conversation: Conversation, request: Join) -> Joined:
        try:
            return conversation.join(request)
        except Exception:  # else its run would wait for ever
            LOG.exception("A fault of the program in the thread for the API")
            return Joined(request.run_id, "refused", message="the answer of the API was not understood")

    def _poll(self, conversation: Conversation) -> None:
        pages = conversation.jobs()
        if pages is not None:
            self._digested.clear()
            seen: set[str] = set()
            for page in pages:
                seen.update(str(job.get("job_id")) for job, _tag in page)
                self._tell(Page(page))
            self._tell(Polled(seen))
        if self._has_sessions():
            for session in conversation.sessions():
                self._tell(Session(session))

    def _reached(self, conversation: Conversation) -> None:
        if self.is_reachable is False:
            LOG.info("The API can be reached again")
        if not self.is_reachable:
            conversation.remember("", time.time())
        self.is_reachable = True
        self._failures = 0

    def _failed(self, conversation: Conversation, error: FreezerError) -> float:
        if self.is_reachable is not False:
            LOG.warning("The API cannot be used now; jobs are run as they were last seen: %s", error)
            with contextlib.suppress(JournalError):
                conversation.remember(f"{str(error).rstrip('.')}.", time.time())
        self.is_reachable = False
        self._failures += 1
        longest = max(self.interval_seconds, _FIRST_PAUSE_SECONDS)
        pause = min(longest, _FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10))
        return pause * random.uniform(0.5, 1.0)
