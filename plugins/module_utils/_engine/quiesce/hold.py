# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of this room: hold targets, release them, and report holds.

`held` is a context for a program that waits until the release; `freeze`, `thaw` and `look` are for callers that end in
between, such as modules.
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
from .base import DEFAULT_DEADLINE_SECONDS, Limits, QuiesceError, deadline_fault
from .holder import boot_id
from .launch import start
from .state import State
from .targets import DEFAULT_TIMEOUT_SECONDS, drivers_of, plain

#: The most seconds from now to the start of a hold.
MOST_AHEAD_SECONDS = 600.0

#: The seconds to wait for a holder beyond its own limits.
_PATIENCE_SECONDS = 30.0

#: The states of a record while a holder or a guard is not finished.
_UNFINISHED = ("holding", "releasing")

Targets = Sequence[Mapping[str, Any]]


class Hold:
    """A hold of this process. Fields that are None are set when it ends."""

    def __init__(self, report: dict[str, Any]) -> None:
        #: The consistency of a copy that is taken now: ``fs`` or ``app``.
        self.consistency: str = report["consistency"]
        #: For each target: ``target`` (its name), ``kind``, ``take_seconds``, and facts of its driver, at the end also
        #: PostgreSQL's ``backup_label``.
        self.targets: list[dict[str, Any]] = report["targets"]
        #: From before the first take until after the last release.
        self.held_seconds: float | None = None


@contextlib.contextmanager
def held(
    targets: Targets, deadline_seconds: float = DEFAULT_DEADLINE_SECONDS, folder: str | None = None
) -> Iterator[Hold]:
    """Hold targets while the body runs. They are released at the end of it, when this process dies, and at the deadline.

    Each target is held within its time, or the hold fails. Raises QuiesceError before the body if a target cannot
    be held, after all others were released; and after the body if a target was released early, so that a copy made
    meanwhile is not consistent. `folder` is for the holder's own files.
    """
    state = State(folder, f"held-{uuid.uuid4().hex[:12]}")
    holder = _Holder(state, _request(state, targets, deadline_seconds, attached=True))
    try:
        hold = Hold(holder.answer(deadline_seconds + _PATIENCE_SECONDS))
        try:
            yield hold
        finally:
            final = holder.release(DEFAULT_TIMEOUT_SECONDS * (1 + len(targets)) + _PATIENCE_SECONDS)
            hold.held_seconds = final.get("held_seconds")
            hold.targets = final.get("targets", hold.targets)
    finally:
        holder.close(wait_seconds=2)
        _remove_files(state)
    lost = lost_sentence(final)
    if lost:
        raise QuiesceError(lost)


def lost_sentence(final: Mapping[str, Any]) -> str:
    """The reason why a hold ended before its release, or with problems; empty if all is well."""
    if final.get("released_by") != "request":
        seconds = final.get("held_seconds") or 0.0
        return (
            f"The hold was over after {seconds:.1f} s, before it was released ({final.get('released_by')}), so what was "
            "copied meanwhile is not consistent. If the deadline ended it, choose a longer deadline_seconds."
        )
    return " ".join(final.get("problems", []))


def plan(targets: Targets, folder: str | None, name: str, needed_paths: Sequence[str], force: bool) -> list[str]:
    """The targets that `freeze` would hold, in its order. Holds nothing. Raises QuiesceError where `freeze` would."""
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
    """Hold targets until `thaw` or the deadline, also after this process has ended; returns the holder's report.

    With `hold_at`, a time in seconds since 1970 on this host's clock, it returns as soon as everything is prepared for that
    time (``ready``). A second call waits until everything is held, or the hold has failed: so several hosts are held at
    the same time. The deadline counts from then on.

    ``changed`` is False if the same targets are held or ready already. Raises QuiesceError if other targets are held under
    that name, or if a target cannot be held; then none is.
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
        raise QuiesceError(there.get("problem") or lost_sentence(there) or "The hold has ended already.")
    if there.get("left"):
        thaw(folder, name)
    holder = _Holder(state, _request(state, targets, deadline_seconds, timeout_seconds, needed_paths, force, hold_at))
    try:
        return {**holder.answer(deadline_seconds + _PATIENCE_SECONDS), "changed": True}
    finally:
        holder.close()


def thaw(folder: str | None = None, name: str = "default", wait_seconds: float = 600.0) -> dict[str, Any]:
    """Release the hold with a name, and clean up the leftovers of a killed holder.

    Returns the report of the hold, or of the last one if it had ended; empty if there was none. ``changed`` says whether
    anything was held until now.
    """
    state = State(folder, name)
    if not state.exists():
        return {"changed": False}
    final = _ask(state, "release", wait_seconds)
    if final is not None:
        return {**final, "changed": True}
    # Nothing is held, or the holder is dying and its guard cleans up, or both are dead.
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
    """The report of the hold with a name (``held``), else of the last hold, else empty.

    ``left`` is True if the holder is dead and `thaw` has to clean up.
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
    """Raise QuiesceError if the report of `look` is of a hold with other targets that has not ended."""
    if (there.get("held") or there.get("ready")) and there["plain"] != plain(targets):
        held_now = ", ".join(target["target"] for target in there["targets"])
        raise QuiesceError(
            f"A hold called {name} exists already, with other targets: {held_now}. Thaw it first, or choose another name."
        )


def unfinished(folder: str | None = None) -> dict[str, bool]:
    """The names of the holds that have not ended, each with whether its holder and guard were both killed.

    `thaw` has to clean up after these. Raises QuiesceError if the folder is not this user's.
    """
    found = {}
    for name in State(folder).names():
        state = State(folder, name)
        if state.read().get("state") in _UNFINISHED:
            descriptor = state.lock()
            if descriptor is not None:
                os.close(descriptor)
            found[name] = descriptor is not None
    return found


def _clean_up(state: State, record: dict[str, Any]) -> dict[str, Any]:
    """Undo the takes in the record of a holder and a guard that were both killed."""
    problems: list[str] = []
    if record.get("boot_id") == boot_id():
        targets = record.get("targets_left") or record["targets"]
        drivers = drivers_of(targets, float(record.get("timeout_seconds") or DEFAULT_TIMEOUT_SECONDS), force=True)
        taken = [drivers[index] for index in record.get("taken", [])]
        problems = guard.recover(taken)
        for driver in taken:
            driver.close()
    state.remove("sock")
    if problems:
        raise QuiesceError(" ".join(problems))
    final: dict[str, Any] = {"plain": plain(record["targets"]), "state": "released", "released_by": "cleanup"}
    final.update(targets=[], problems=[], held_from=record.get("held_from"), held_seconds=None)
    state.write(final)
    return final


class _Holder:
    """A holder that this process has started."""

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
        """The next answer of the holder. Raises QuiesceError if it reports a problem."""
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
        """Release, and return the final report, also if the holder was killed."""
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
        """Close the connection. A holder that serves only this process then releases, and ends within that time."""
        self._socket.close()
        self._process.wait(wait_seconds)
        self._process.leave()


def _request(
    state: State,
    targets: Targets,
    deadline_seconds: float,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    needed_paths: Sequence[str] = (),
    force: bool = False,
    hold_at: float | None = None,
    attached: bool = False,
) -> dict[str, Any]:
    fault = deadline_fault(deadline_seconds)
    if fault:
        raise QuiesceError(fault)
    if not 0 < timeout_seconds <= 86400:
        raise QuiesceError(f"timeout_seconds has to be above 0 and at most 86400, and is {timeout_seconds:g}.")
    if hold_at is not None and hold_at - time.time() > MOST_AHEAD_SECONDS:
        raise QuiesceError(
            f"hold_at is {hold_at - time.time():.0f} s ahead of this host's clock, and {MOST_AHEAD_SECONDS:g} are the most: "
            "it is a time of the host's own clock."
        )
    drivers_of(targets)  # refuses bad targets before the holder is started
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
    """The report of a hold that was ready, as soon as it is held. Raises QuiesceError if it fails."""
    report = _ask(state, "wait", wait_seconds)
    if report is None:
        raise QuiesceError(f"The holder of {state.name} has died or does not answer, see {state.path('log')}.")
    if not report.get("held"):
        raise QuiesceError(report.get("problem") or lost_sentence(report))
    return report


def _ask(state: State, word: str, wait_seconds: float) -> dict[str, Any] | None:
    """The answer of a holder to a request, see `callers`. None if there is no holder, or no answer in time."""
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
    """A record without passwords and other keys that only a cleanup needs."""
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
        return  # a holder in a blocking system call needs its record
    os.close(descriptor)
    state.remove("json", "sock", "lock", "log", "json.partial")
