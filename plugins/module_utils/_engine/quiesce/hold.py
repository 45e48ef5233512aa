# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The way in: hold targets still, let them go, and look at what is held.

`held` is for a program that holds something while it does something; `freeze`, `thaw` and `look` are for callers that are
gone in between, such as modules.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..system.errors import HostError
from . import guard
from .base import DEFAULT_DEADLINE_SECONDS, MOST_DEADLINE_SECONDS, Limits, QuiesceError
from .holder import boot_id
from .launch import start
from .state import State
from .targets import DEFAULT_TIMEOUT_SECONDS, drivers_of, plain

#: How far ahead the moment of a hold may be.
MOST_AHEAD_SECONDS = 600.0

#: How much longer than it may take a holder is waited for.
_PATIENCE_SECONDS = 30.0

#: What a record says while a holder or a guard has still to do something.
_UNFINISHED = ("holding", "releasing")

Targets = Sequence[Mapping[str, Any]]


class Hold:
    """A hold of this process. What is None is known when it is over."""

    def __init__(self, report: dict[str, Any]) -> None:
        #: What is promised of a copy that is taken now: ``fs`` or ``app``.
        self.consistency: str = report["consistency"]
        #: Seconds since 1970 from which on everything is held.
        self.held_from: float = report["held_from"]
        #: For each target: ``target`` (what it is called), ``kind``, ``take_seconds``, and what its driver found out, in the
        #: end also PostgreSQL's ``backup_label``.
        self.targets: list[dict[str, Any]] = report["targets"]
        #: From before the first take until after the last release.
        self.held_seconds: float | None = None
        #: ``request``, or why it ended before that: ``deadline``, ``signal``, ``guard``, ``guard lost``.
        self.released_by: str | None = None


@contextlib.contextmanager
def held(
    targets: Targets,
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    folder: str | None = None,
    needed_paths: Sequence[str] = (),
    force: bool = False,
) -> Iterator[Hold]:
    """Hold targets while the body runs. They are released at the end of it, when this process dies, and at the deadline.

    Each target is held in `timeout_seconds` or not at all. Raises QuiesceError before the body if something cannot be
    held, when all has been released again; and after the body if not everything was held to its end, so that what was
    copied meanwhile is worth no more than without a hold. `folder` is for the holder's own files.
    """
    state = State(folder, f"held-{uuid.uuid4().hex[:12]}")
    holder = _Holder(state, _request(state, targets, deadline_seconds, timeout_seconds, needed_paths, force, True))
    try:
        hold = Hold(holder.answer(deadline_seconds + _PATIENCE_SECONDS))
        try:
            yield hold
        finally:
            final = holder.release(timeout_seconds * (1 + len(targets)) + _PATIENCE_SECONDS)
            hold.held_seconds, hold.released_by = final.get("held_seconds"), final.get("released_by")
            hold.targets = final.get("targets", hold.targets)
    finally:
        holder.close(wait_seconds=2)
        _remove_files(state)
    lost = lost_sentence(final)
    if lost:
        raise QuiesceError(lost)


def lost_sentence(final: Mapping[str, Any]) -> str:
    """Why a hold that is over did not last until somebody ended it, or did not end well; empty if all is well."""
    if final.get("released_by") != "request":
        seconds = final.get("held_seconds") or 0.0
        return (
            f"The hold was over after {seconds:.1f} s, before it was released ({final.get('released_by')}), so what was "
            "copied meanwhile is not consistent. Give it a longer deadline_seconds if that is why."
        )
    return " ".join(final.get("problems", []))


def plan(targets: Targets, folder: str | None, name: str, needed_paths: Sequence[str], force: bool) -> list[str]:
    """What `freeze` would hold, in its order, without doing it. Raises QuiesceError where `freeze` would refuse."""
    state = State(folder, name)
    drivers = drivers_of(targets, force=force)
    for driver in drivers:
        driver.check(Limits([_existing(state.folder)], needed_paths))
    return [driver.label for driver in drivers]


def freeze(
    targets: Targets,
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    folder: str | None = None,
    name: str = "default",
    needed_paths: Sequence[str] = (),
    force: bool = False,
    hold_at: float | None = None,
) -> dict[str, Any]:
    """Hold targets until `thaw` or the deadline, also when this process is gone; see the holder's report.

    With `hold_at`, a moment in seconds since 1970 on this host's clock, it returns as soon as everything can be held at that
    moment (``ready``). The same call once more waits until it is held, or was not: that is how several hosts are held at
    one moment. The deadline counts from then on.

    ``changed`` is False if the same targets are held already, or are ready to be. Raises QuiesceError if others are held
    under that name, or if something cannot be held; then nothing is.
    """
    state = State(folder, name)
    state.make()
    there = look(folder, name)
    if there.get("held"):
        refuse_others(there, targets, name)
        return {**there, "changed": False}
    if there.get("ready"):
        refuse_others(there, targets, name)
        return {**_wait(state, deadline_seconds + _PATIENCE_SECONDS), "changed": False}
    if hold_at is not None and there.get("hold_at") == hold_at:
        raise QuiesceError(there.get("problem") or lost_sentence(there) or "The hold is over already.")
    if there.get("left"):
        thaw(folder, name)
    request = _request(state, targets, deadline_seconds, timeout_seconds, needed_paths, force, False, hold_at)
    holder = _Holder(state, request)
    try:
        return {**holder.answer(deadline_seconds + _PATIENCE_SECONDS), "changed": True}
    finally:
        holder.close()


def thaw(folder: str | None = None, name: str = "default", wait_seconds: float = 600.0) -> dict[str, Any]:
    """Release what is held under a name, and clean up what a holder that was killed has left.

    Returns the report of the hold, of the last one if it was over; empty if there was none. ``changed`` says whether
    something was held until now.
    """
    state = State(folder, name)
    if not state.exists():
        return {"changed": False}
    final = _ask(state, "release", wait_seconds)
    if final is not None:
        return {**final, "changed": True}
    # Either nothing is held, or the holder is dying and its guard cleans up, or both are dead.
    record = state.read()
    if record.get("state") not in _UNFINISHED:
        return {**record, "changed": False}
    descriptor = state.lock(wait_seconds)
    if descriptor is None:
        raise QuiesceError(f"The hold {name} does not end, see {state.path('log')}.")
    try:
        record = state.read()
        changed = record.get("state") in _UNFINISHED
        if changed:
            record = _clean_up(state, record)
        return {**record, "changed": changed}
    finally:
        os.close(descriptor)


def look(folder: str | None = None, name: str = "default") -> dict[str, Any]:
    """The report of what is held under a name (``held``), or of the last hold, or nothing.

    ``left`` is True if the holder is dead and has left something that `thaw` has to clean up.
    """
    state = State(folder, name)
    if not state.exists():
        return {}
    report = _ask(state, "status", 10)
    if report is not None:
        return report
    record = state.read()
    return {**_public(record), "held": False, "left": record.get("state") in _UNFINISHED}


def refuse_others(there: Mapping[str, Any], targets: Targets, name: str) -> None:
    """Raise QuiesceError if what `look` found is held or about to be, and is something else than these targets."""
    if (there.get("held") or there.get("ready")) and there["plain"] != plain(targets):
        held_now = ", ".join(target["target"] for target in there["targets"])
        raise QuiesceError(
            f"A hold called {name} is there already, with other targets: {held_now}. Thaw it first, or take another name."
        )


def left(folder: str | None = None) -> list[str]:
    """The names of holds that a holder and a guard which were both killed have left."""
    return [name for name, is_left in _unfinished(folder) if is_left]


def alive(folder: str | None = None) -> list[str]:
    """The names of holds that have a holder or a guard which has still to release them."""
    return [name for name, is_left in _unfinished(folder) if not is_left]


def _unfinished(folder: str | None) -> Iterator[tuple[str, bool]]:
    """The names of holds that are not over, and whether holder and guard were both killed."""
    for name in names(folder):
        state = State(folder, name)
        if state.read().get("state") in _UNFINISHED:
            descriptor = state.lock()
            if descriptor is not None:
                os.close(descriptor)
            yield name, descriptor is not None


def names(folder: str | None = None) -> list[str]:
    """The names of all holds that this host has a record of. Raises QuiesceError if the folder is not this user's."""
    return State(folder).names()


def _clean_up(state: State, record: dict[str, Any]) -> dict[str, Any]:
    """Undo what a holder and a guard that were both killed have left, as the record has it."""
    problems: list[str] = []
    if record.get("boot_id") == boot_id():
        targets = record.get("targets_left") or record["targets"]
        drivers = drivers_of(targets, float(record.get("timeout_seconds") or DEFAULT_TIMEOUT_SECONDS), force=True)
        taken = [drivers[index] for index in record.get("taken", [])]
        problems = guard.recover(taken)
        for driver in taken:
            driver.close()
    state.remove_socket()
    if problems:
        raise QuiesceError(" ".join(problems))
    final: dict[str, Any] = {"plain": plain(record["targets"]), "state": "released", "released_by": "cleanup"}
    final.update(targets=[], problems=[], held_from=record.get("held_from"), held_seconds=None)
    state.write(final)
    return final


class _Holder:
    """A holder that was started from here."""

    def __init__(self, state: State, request: dict[str, Any]) -> None:
        state.make()
        log = state.open_log()
        try:
            self._process, self._socket = start(request, log)
        except OSError as error:
            raise QuiesceError(f"No holder can be started: {error.strerror}.") from None
        except HostError as error:
            raise QuiesceError(f"No holder can be started: {error}") from None
        finally:
            os.close(log)
        self._state = state

    def answer(self, wait_seconds: float) -> dict[str, Any]:
        """The next that it says. Raises QuiesceError if that is a problem."""
        self._socket.settimeout(wait_seconds)
        try:
            answer = _read_line(self._socket)
        except OSError:
            answer = {"problem": f"The holder does not answer in {wait_seconds:g} s."}
        if answer is None:
            answer = {"problem": f"The holder has died, see {self._state.path('log')}."}
        if "problem" in answer:
            raise QuiesceError(answer["problem"])
        return answer

    def release(self, wait_seconds: float) -> dict[str, Any]:
        """Let go, and return the final report, also if the holder was killed."""
        self._socket.settimeout(wait_seconds)
        try:
            self._socket.sendall(b"release\n")
        except OSError:
            pass
        try:
            final = _read_line(self._socket)
        except OSError:
            final = None
        return final if final is not None else thaw(self._state.folder, self._state.name)

    def close(self, wait_seconds: float = 0) -> None:
        """Leave it alone. A holder that serves this process only lets go then, and ends in that time."""
        self._socket.close()
        self._process.wait(wait_seconds)
        self._process.leave()


def _request(
    state: State,
    targets: Targets,
    deadline_seconds: float,
    timeout_seconds: float,
    needed_paths: Sequence[str],
    force: bool,
    attached: bool,
    hold_at: float | None = None,
) -> dict[str, Any]:
    if not 0 < deadline_seconds <= MOST_DEADLINE_SECONDS:
        raise QuiesceError(
            f"deadline_seconds has to be above 0 and at most {MOST_DEADLINE_SECONDS:.0f}, and is {deadline_seconds:g}."
        )
    if not 0 < timeout_seconds <= 86400:
        raise QuiesceError(f"timeout_seconds has to be above 0 and at most 86400, and is {timeout_seconds:g}.")
    if hold_at is not None and hold_at - time.time() > MOST_AHEAD_SECONDS:
        raise QuiesceError(
            f"hold_at is {hold_at - time.time():.0f} s ahead of this host's clock, and {MOST_AHEAD_SECONDS:g} are the most: "
            "it is a moment on the host's own clock."
        )
    drivers_of(targets)  # what cannot be understood is said before anything is started
    return {
        "folder": state.folder,
        "name": state.name,
        "targets": [dict(target) for target in targets],
        "deadline_seconds": deadline_seconds,
        "timeout_seconds": timeout_seconds,
        "needed_paths": list(needed_paths),
        "force": force,
        "attached": attached,
        "hold_at": hold_at,
    }


def _wait(state: State, wait_seconds: float) -> dict[str, Any]:
    """The report of a hold that is ready, when it is there. Raises QuiesceError if it does not come."""
    report = _ask(state, "wait", wait_seconds)
    if report is None:
        raise QuiesceError(f"The holder of {state.name} has died or does not answer, see {state.path('log')}.")
    if not report.get("held"):
        raise QuiesceError(report.get("problem") or lost_sentence(report))
    return report


def _ask(state: State, word: str, wait_seconds: float) -> dict[str, Any] | None:
    """What a holder answers to a word, see `callers`. None if there is none, or none in that time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        try:
            with state.address() as address:
                caller.connect(address)
            caller.settimeout(wait_seconds)
            caller.sendall(f"{word}\n".encode())
            return _read_line(caller)
        except OSError:
            return None


def _read_line(connection: socket.socket) -> dict[str, Any] | None:
    """A line of JSON, None if the other end closes."""
    text = b""
    while not text.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            return None
        text += part
    answer: dict[str, Any] = json.loads(text.splitlines()[0])
    return answer


def _public(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record without what only cleaning up needs, passwords among it."""
    private = ("boot_id", "targets_left", "timeout_seconds", "force", "taken")
    public = {key: value for key, value in record.items() if key not in private}
    if record.get("state") in _UNFINISHED:
        public["targets"] = plain(record.get("targets", []))
    return public


def _existing(path: str) -> str:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _remove_files(state: State) -> None:
    descriptor = state.lock()
    if descriptor is None:
        return  # a holder that the system still blocks needs its record
    os.close(descriptor)
    state.remove("json", "sock", "lock", "log", "json.partial")
