# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A worker process of gunicorn that gives a thread to a request only while there is something to do for it.

gunicorn's own workers lend a thread, or all of the process, to a client for as long as it takes to send a request and to
take the answer: a handful of slow clients keeps all others waiting. Here one loop does all the sending and receiving.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, cast

from gunicorn.http import wsgi
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, NoMoreData, ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.workers.base import Worker

from ..resources.batch import BODY_TIMES_USUAL
from .connection import Connection, Host, refusal
from .room import Room

#: What may wait for clients in a process, and for how long in any case.
HELD_BYTES = 67_108_864
_PATIENCE_SECONDS = 5.0
_LARGE_ANSWER_BYTES = 65_536
_TICK_SECONDS = 1.0
_WANTED_FILES = 65_536
_SPARE_FILES = 64
_BATCH_PATH = re.compile(rb"[A-Z]+ [^ ?]*:batch[ ?]")


class BufferingWorker(Worker, Host):
    """Serves on gunicorn's sockets until it is told to stop. Its limits are set before it starts."""

    max_usual_body_bytes: int
    max_batch_body_bytes: int

    def run(self) -> None:
        """Serve."""
        self._connections: dict[Connection, None] = {}
        self._room = Room(HELD_BYTES, _PATIENCE_SECONDS)
        self._most_connections = _raise_file_limit() - _SPARE_FILES
        self._pool = ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="request")
        asyncio.run(self._serve())
        self._pool.shutdown()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        self._loop.add_signal_handler(signal.SIGTERM, stopping.set)
        servers = [
            await self._loop.create_server(lambda: Connection(self), sock=listener.sock, backlog=self.cfg.backlog)
            for listener in self._listeners()
        ]
        while not stopping.is_set() and os.getppid() == self.ppid:
            await self._tick(stopping)
        self.alive = False
        self.is_stopping = True
        for server in servers:
            server.close()
        for connection in list(self._connections):
            connection.stop()
        give_up_at = time.monotonic() + self.cfg.graceful_timeout
        while self._connections and time.monotonic() < give_up_at:
            await asyncio.sleep(0.02)
            self.notify()

    async def _tick(self, stopping: asyncio.Event) -> None:
        self.notify()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _TICK_SECONDS)
        now = time.monotonic()
        for connection in list(self._connections):
            connection.check(now)

    def _listeners(self) -> list[Any]:
        return list(self.sockets)

    def came(self, connection: Connection) -> None:
        self._connections[connection] = None
        if len(self._connections) > self._most_connections:
            # The oldest of all: most likely it is idle, and an idle client expects to be hung up on.
            next(iter(self._connections)).give_up()

    def went(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._room.left(connection)

    def has_room(self, connection: Connection, more_bytes: int = 0) -> bool:
        return self._room.has(connection, more_bytes)

    def max_body_bytes(self, head: bytes) -> int:
        return self.max_batch_body_bytes if _BATCH_PATH.match(head) else self.max_usual_body_bytes

    def submit(self, request: bytes, connection: Connection, *, is_last: bool) -> None:
        self._pool.submit(self._answer, request, connection, connection.client, connection.server, is_last)

    def _answer(self, raw: bytes, connection: Connection, client: Any, server: Any, is_last: bool) -> None:
        """Runs in a thread."""
        output = _Output()
        try:
            is_last = self._call_application(raw, output, client, server, is_last)
        except (ParseException, NoMoreData, StopIteration) as error:
            output.replace(_refusal_for(error))
            is_last = True
        except Exception:
            self.log.exception("A request could not be answered")
            output.replace(refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The API has failed; its log says how"))
            is_last = True
        answer = output.taken()
        del output
        is_taken = threading.Event()

        def give() -> None:
            is_taken.set()
            connection.answered(answer, is_last=is_last)

        with contextlib.suppress(RuntimeError):
            # The loop is closed when the process was told to end at once.
            self._loop.call_soon_threadsafe(give)
            if len(answer) > _LARGE_ANSWER_BYTES:
                # Threads that are quicker than the loop would pile answers up.
                is_taken.wait(self.cfg.graceful_timeout)

    def _call_application(self, raw: bytes, output: _Output, client: Any, server: Any, is_last: bool) -> bool:
        request = next(RequestParser(self.cfg, [raw], client))
        response, environ = wsgi.create(request, cast(socket.socket, output), client, server, self.cfg)
        # A word to go on was sent by the connection, which has waited for the rest.
        output.replace(b"")
        environ["wsgi.multithread"] = True
        if is_last or self.is_stopping:
            response.force_close()
        body = self.wsgi(environ, cast(Any, response.start_response))
        try:
            for part in body:
                response.write(part)
            response.close()
        finally:
            if hasattr(body, "close"):
                body.close()
        return bool(response.should_close())


def worker_class(max_body_bytes: int) -> type[BufferingWorker]:
    """The worker for an API that takes bodies up to a size."""
    limits = {"max_usual_body_bytes": max_body_bytes, "max_batch_body_bytes": max_body_bytes * BODY_TIMES_USUAL}
    return type("FreezerApiWorker", (BufferingWorker,), limits)


class _Output:
    """Takes an answer as a socket would."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self._parts.append(bytes(data))

    send = sendall

    def replace(self, data: bytes) -> None:
        self._parts = [data]

    def taken(self) -> bytes:
        return b"".join(self._parts)


def _refusal_for(error: Exception) -> bytes:
    if isinstance(error, LimitRequestLine):
        return refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "The address in the request is too long")
    if isinstance(error, LimitRequestHeaders):
        return refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers of the request are too large")
    return refusal(HTTPStatus.BAD_REQUEST, "This is not HTTP as the server understands it")


def _raise_file_limit() -> int:
    """Allow as many open files, that is connections, as the system lets; return the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, _WANTED_FILES) if hard != resource.RLIM_INFINITY else _WANTED_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _WANTED_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
