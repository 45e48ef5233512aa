# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The holder: a process that holds all targets of one request, and releases them in time whatever happens to other processes.

It takes at once, or at a given time after everything is prepared: until then it is ready, and its caller may end. It
releases in reverse order on request, at its deadline, on SIGTERM or SIGINT, when its guard dies, and, if the request says
so, when its caller dies. Until everything is held it also releases when a target cannot be held or is not held in time,
or, unless a time was given, when no caller is connected any more.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import time
from typing import Any

from . import guard as guards
from .base import Driver, Limits, QuiesceError, uptime
from .callers import Callers
from .process import Step, say, stay_in_memory
from .state import State
from .targets import drivers_of, plain

#: The seconds for cancelled steps to end before they are reported as blocked.
_CANCEL_SECONDS = 3.0


def main(owner: socket.socket, request: dict[str, Any]) -> None:
    """Run a holder to its end. It sends its answers as lines of JSON to `owner`."""
    _Holder(owner, request).run()


class _Holder:
    def __init__(self, owner: socket.socket, request: dict[str, Any]) -> None:
        self._owner: socket.socket | None = owner
        self._request = request
        self._state = State(request["folder"], request["name"])
        self._started = uptime()
        #: The time to take, in seconds since 1970; inside this process on the clock of `uptime`.
        self._hold_at: float | None = request["hold_at"]
        wait_seconds = max(0.0, self._hold_at - time.time()) if self._hold_at is not None else 0.0
        self._moment = self._started + wait_seconds
        self._deadline = self._moment + float(request["deadline_seconds"])
        self._selector = selectors.DefaultSelector()
        self._callers: Callers | None = None
        self._ready = False
        self._drivers: list[Driver] = []
        self._steps: dict[int, Step] = {}
        self._taken: list[int] = []
        self._seconds: dict[int, dict[str, float]] = {}
        self._guard: guards.Guard | None = None
        self._ending: str | None = None
        self._held_since = 0.0
        self._record: dict[str, Any] = {}

    # --- the sequence -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            # The previous holder may be about to end.
            if self._state.lock(_CANCEL_SECONDS) is None:
                raise QuiesceError(f"Another hold called {self._state.name} exists.")
            self._prepare()
        except QuiesceError as problem:
            say(f"nothing was held: {problem}")
            if self._record:
                self._finish("failure", str(problem), [], "released")
            else:
                self._answer({"problem": str(problem)})
            return
        problem_text = self._take_all()
        if problem_text is None:
            report = {"held": True, **self._report()}
            if self._callers is not None:
                self._callers.tell_held(report)
            if self._hold_at is None:
                self._answer(report)
            if self._ending is None:
                self._wait(None, self._deadline)
        cause = self._ending or ("failure" if problem_text else "deadline")
        self._release_all(cause, problem_text)

    def _prepare(self) -> None:
        request = self._request
        self._drivers = drivers_of(request["targets"], float(request["timeout_seconds"]), bool(request["force"]))
        limits = Limits([self._state.folder], request["needed_paths"])
        for driver in self._drivers:
            driver.check(limits)
        for driver in self._drivers:
            driver.open()
        self._record = {
            "state": "holding",
            "boot_id": boot_id(),
            "targets": request["targets"],
            "timeout_seconds": request["timeout_seconds"],
            "force": request["force"],
            "deadline_seconds": request["deadline_seconds"],
            "deadline": time.time() + self._deadline - uptime(),
            "taken": [],
        }
        self._state.write(self._record)
        callers = self._callers = Callers(self._state)
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        # Both ends of the pipe for signals exist before the guard, so that it can close them.
        self._guard = guards.start(
            self._drivers,
            self._deadline,
            [descriptor.fileno() for descriptor in (self._owner, callers) if descriptor] + [woken, waker],
            self._report_of_guard,
        )
        for driver in self._drivers:
            driver.report_program = lambda process_id: self._tell_guard(f"p {process_id}")
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(waker)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)
        stay_in_memory()
        self._selector.register(woken, selectors.EVENT_READ, lambda: self._signalled(woken))
        self._selector.register(callers, selectors.EVENT_READ, lambda: self._hear(callers))
        self._selector.register(self._guard.descriptor, selectors.EVENT_READ, self._guard_is_gone)
        if self._owner is not None:
            self._selector.register(self._owner, selectors.EVENT_READ, self._owner_speaks)

    def _take_all(self) -> str | None:
        """Hold all targets. Returns the problem, if any; some may be held then."""
        problem = self._do_all("connect")
        if problem is None and self._hold_at is not None:
            problem = self._wait_for_moment()
        if problem is None:
            problem = self._do_all("take")
        if problem is None:
            self._record["held_from"] = time.time()
            self._write_record()
        return problem

    def _wait_for_moment(self) -> str | None:
        self._ready = True
        self._answer({"held": False, "ready": True, **self._report()})
        late = uptime() - self._moment
        say(f"ready, {f'{late:.3f} s too late' if late > 0 else f'and waiting for {-late:.3f} s'}")
        # This shortens the time of the freeze.
        self._wait(Step("sync", os.sync), self._moment)
        self._wait(None, self._moment)
        return f"The hold ended before its time: {self._ending}." if self._ending else None

    def _do_all(self, what: str) -> str | None:
        """`connect` or `take` of all drivers, one after the other."""
        for index, driver in enumerate(self._drivers):
            if what == "take":
                self._note("taken", index)
            began = uptime()
            step = Step(f"{what} of {driver.label}", getattr(driver, what))
            self._steps[index] = step
            done = self._wait(step, min(self._deadline, began + driver.timeout_seconds))
            took = uptime() - began
            if not done:
                why = self._why_not(driver, took)
                self._ask_guard_for_time()
                driver.cancel()
                self._wait(step, uptime() + _CANCEL_SECONDS, to_the_end=True)
                return why
            self._seconds.setdefault(index, {})[what] = took
            if step.problem:
                say(f"{driver.label}: {what}: {step.problem}")
                return step.problem
            say(f"{driver.label}: {'connected' if what == 'connect' else 'held'} in {took:.3f} s")
            if what == "take" and not self._held_since:
                self._held_since = began
        return None

    def _why_not(self, driver: Driver, took: float) -> str:
        if self._ending:
            return f"The hold ended while the {driver.label} was taken: {self._ending}."
        if uptime() >= self._deadline:
            return f"The deadline has passed while the {driver.label} was taken."
        return f"The {driver.label} was not held in {took:.1f} s, so nothing is held."

    def _release_all(self, cause: str, problem: str | None) -> None:
        say(f"releasing: {cause}")
        problems: list[str] = []
        self._ask_guard_for_time()
        blocked = []
        for index in reversed(list(self._taken)):
            if not self._steps[index].over:
                blocked.append(index)
                continue
            problems += self._release(index)
        for index in blocked:
            problems.append(
                f"The {self._drivers[index].label} is still in a blocking system call; it is released as soon as that ends."
            )
        self._record["held_seconds"] = uptime() - self._held_since if self._held_since else 0.0
        self._finish(cause, problem, problems, "releasing" if blocked else "released")
        for index in blocked:
            while not self._wait(self._steps[index], uptime() + 60, to_the_end=True):
                pass
            self._release(index)
        if blocked:
            self._finish(cause, problem, [], "released")
        for driver in self._drivers:
            driver.close()
        if self._guard is not None:
            self._selector.unregister(self._guard.descriptor)
            self._guard.dismiss()

    def _ask_guard_for_time(self) -> None:
        """Tell the guard how long the release may take, so that it does not kill the holder."""
        allowed = sum(self._drivers[index].timeout_seconds + _CANCEL_SECONDS for index in self._taken) + _CANCEL_SECONDS
        self._tell_guard(f"r {allowed:.0f}")

    def _release(self, index: int) -> list[str]:
        """Release one target, whether its take succeeded or not; sentences about problems."""
        driver = self._drivers[index]
        whole = self._steps[index].problem is None
        # A take that failed may be incomplete.
        work = driver.release if whole else driver.recover
        step = Step(f"release of {driver.label}", work)
        problems = []
        if not self._wait(step, uptime() + driver.timeout_seconds, to_the_end=True):
            driver.cancel()
            if not self._wait(step, uptime() + _CANCEL_SECONDS, to_the_end=True):
                problems.append(f"The {driver.label} could not be released in {driver.timeout_seconds:g} s.")
        if step.over and step.problem:
            problems.append(step.problem)
        if not step.over or step.problem:
            driver.close()  # a session ends, and its locks with it
        say(f"{driver.label}: {' '.join(problems) or 'released'}")
        self._note("released", index)
        return problems

    # --- events ---------------------------------------------------------------------------------------

    def _wait(self, step: Step | None, until: float, to_the_end: bool = False) -> bool:
        """Wait for a step, and serve callers. True if the step has ended.

        Returns earlier at `until`, and, unless `to_the_end`, when there is a reason to release.
        """
        if step is not None:
            self._selector.register(step.wake, selectors.EVENT_READ, lambda: None)
        try:
            while step is None or not step.over:
                left = until - uptime()
                if left <= 0 or (self._ending and not to_the_end):
                    return False
                # A machine that slept wakes up with a deadline that has passed: look at the clock every second.
                for key, _events in self._selector.select(min(left, 1.0)):
                    key.data()
        finally:
            if step is not None:
                self._selector.unregister(step.wake)
                if step.over:
                    step.close()
        return True

    def _end_by(self, cause: str) -> None:
        self._ending = self._ending or cause

    def _signalled(self, woken: int) -> None:
        os.read(woken, 64)
        self._end_by("signal")

    def _guard_is_gone(self) -> None:
        if self._guard is not None:
            self._selector.unregister(self._guard.descriptor)
            self._guard = None
        self._end_by("guard lost")

    def _owner_speaks(self) -> None:
        said = b""
        try:
            said = self._owner.recv(64) if self._owner else b""
        except OSError:
            pass
        if said:
            self._end_by("request")
            return
        self._forget_owner()
        if self._request["attached"] or not ("held_from" in self._record or self._ready):
            self._end_by("owner gone")

    def _forget_owner(self) -> None:
        if self._owner is not None:
            self._selector.unregister(self._owner)
            self._owner.close()
            self._owner = None

    def _hear(self, callers: Callers) -> None:
        if callers.accept(lambda: {"held": "held_from" in self._record, "ready": self._ready, **self._report()}):
            self._end_by("request")

    # --- reports --------------------------------------------------------------------------------------

    def _note(self, what: str, index: int) -> None:
        if what == "taken":
            self._taken.append(index)
        else:
            self._taken.remove(index)
        # Recorded before it is done, and removed from the record after it was undone.
        self._record["taken"] = list(self._taken)
        self._write_record()
        self._tell_guard(f"{'+' if what == 'taken' else '-'}{index}")

    def _tell_guard(self, line: str) -> None:
        if self._guard is not None:
            self._guard.tell(line)

    def _write_record(self) -> None:
        try:
            self._state.write(self._record)
        except QuiesceError as problem:
            say(str(problem))

    def _report(self) -> dict[str, Any]:
        targets = []
        for index, driver in enumerate(self._drivers):
            seconds = self._seconds.get(index, {}).get("take", 0.0)
            targets.append({"target": driver.label, "kind": driver.kind, "take_seconds": seconds, **driver.facts})
        return {
            "plain": plain(self._request["targets"]),
            "targets": targets,
            "consistency": "app" if any(driver.consistency == "app" for driver in self._drivers) else "fs",
            "hold_at": self._hold_at,
            "held_from": self._record.get("held_from"),
            "deadline_seconds": self._request["deadline_seconds"],
            "remaining_seconds": max(0.0, self._deadline - uptime()),
            "held_seconds": self._record.get("held_seconds", uptime() - self._held_since if self._held_since else 0.0),
        }

    def _final(self, cause: str, problem: str | None, problems: list[str], state: str) -> dict[str, Any]:
        final = {
            **self._report(),
            "state": state,
            "released_by": cause,
            "released_at": time.time(),
            "problems": problems,
        }
        final["remaining_seconds"] = 0.0
        if "held_from" not in self._record or problem:
            final["problem"] = " ".join([problem or "", *problems]).strip()
        if state == "releasing":
            final.update(targets_left=self._request["targets"], boot_id=boot_id(), taken=list(self._taken))
        return final

    def _finish(self, cause: str, problem: str | None, problems: list[str], state: str) -> None:
        final = self._final(cause, problem, problems, state)
        try:
            self._state.write({**self._record, **final} if state == "releasing" else final)
        except QuiesceError as error:
            say(str(error))
        self._state.remove("sock")
        public = {key: value for key, value in final.items() if key != "targets_left"}
        if self._callers is not None:
            self._callers.tell_end(public)
        self._answer(public)

    def _answer(self, answer: dict[str, Any]) -> None:
        if self._owner is None:
            return
        try:
            self._owner.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            if "problem" not in answer and "released_by" not in answer:
                self._end_by("owner gone")

    def _report_of_guard(self, problems: list[str]) -> None:
        """Write the final report. Runs in the guard, after the death of the holder."""
        record = self._state.read()
        began = record.get("held_from")
        final = {**self._report(), "held_from": began, "held_seconds": time.time() - began if began else 0.0}
        final.update(state="released", released_by="guard", released_at=time.time(), problems=problems)
        final["remaining_seconds"] = 0.0
        self._state.write(final if not problems else {**record, **final, "state": "holding"})
        self._state.remove("sock")


def boot_id() -> str:
    """The id of this boot: no freeze survives a boot."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
