# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What state a job is in, and what becomes of it: a table, and nothing else. docs/scheduler.md shows the same table.

An input is an event that is asked for (``start``, ``stop``, ``abort``, ``remove``), or something that happens: a job is
``found``, or gets another schedule (``rescheduled``), or is ``due``, or its run has ``begun`` or ``ended``. What is asked
for while a job runs, and takes effect at its end, is kept in ``after``.
"""

from __future__ import annotations

from typing import NamedTuple

NEW, SCHEDULED, RUNNING, ABORTING = "", "scheduled", "running", "aborting"
COMPLETED, STOPPED, REMOVED = "completed", "stop", "removed"
#: A run is due and nothing of it has started yet: it waits for its place, for its session, or for another try to start.
QUEUED = "queued"
STATUSES = (NEW, SCHEDULED, QUEUED, RUNNING, ABORTING, COMPLETED, STOPPED, REMOVED)
ACTIVE = (RUNNING, ABORTING)
#: A job that is in one of these is not run until it is started.
IDLE = (COMPLETED, STOPPED, REMOVED)

START, STOP, ABORT, REMOVE = "start", "stop", "abort", "remove"
EVENTS = (START, STOP, ABORT, REMOVE)
FOUND, RESCHEDULED, DUE, BEGUN, ENDED, LAST_ENDED = "found", "rescheduled", "due", "begun", "ended", "last ended"

#: What has to be done about a step: find out when the job is due next by its schedule, make it due now as well, forget
#: when it is due, start its actions, end them, or forget the job.
ARM, ARM_NOW, DISARM, RUN, KILL, FORGET, NOTHING = "arm", "arm now", "disarm", "run", "kill", "forget", "nothing"


class State(NamedTuple):
    """The status of a job as its document has it, and what was asked for in the meantime."""

    status: str = NEW
    after: str = ""

    @property
    def told(self) -> str:
        """The status as an API has it, which knows no queue."""
        return SCHEDULED if self.status == QUEUED else self.status


def in_words(status: str | None) -> str:
    """A status as a sentence has it that says how a job is."""
    return {"": "new", STOPPED: "stopped"}.get(status or "", status or "")


class Step(NamedTuple):
    """The next state, and what has to be done."""

    state: State
    do: str = NOTHING


_NOT_ACTIVE = {
    # (status, input): (next status, what to do)
    (NEW, FOUND): (SCHEDULED, ARM),
    (NEW, START): (SCHEDULED, ARM_NOW),
    (NEW, STOP): (STOPPED, DISARM),
    (NEW, ABORT): (STOPPED, DISARM),
    (SCHEDULED, RESCHEDULED): (SCHEDULED, ARM),
    (SCHEDULED, START): (SCHEDULED, ARM_NOW),
    (SCHEDULED, STOP): (STOPPED, DISARM),
    (SCHEDULED, DUE): (QUEUED, RUN),
    (QUEUED, STOP): (STOPPED, DISARM),
    (QUEUED, ABORT): (ABORTING, KILL),
    (QUEUED, BEGUN): (RUNNING, NOTHING),
    (QUEUED, ENDED): (SCHEDULED, ARM),
    (QUEUED, LAST_ENDED): (COMPLETED, DISARM),
    (STOPPED, START): (SCHEDULED, ARM),
    (COMPLETED, START): (SCHEDULED, ARM_NOW),
    # Only what a person stopped stays out of its schedule whatever that is.
    (COMPLETED, RESCHEDULED): (SCHEDULED, ARM),
    (REMOVED, START): (SCHEDULED, ARM_NOW),
}
_AFTER_ITS_RUN = {STOP: (STOPPED, DISARM), REMOVE: (REMOVED, FORGET), START: (SCHEDULED, ARM_NOW)}


def step(state: State, what: str) -> Step:
    """The step from a state with an input. An input that means nothing there changes nothing."""
    status, after = state
    if status not in ACTIVE:
        if what == REMOVE:
            return Step(State(REMOVED), FORGET)
        following, do = _NOT_ACTIVE.get((status, what), (status, NOTHING))
        return Step(State(following), do)
    if what in (ENDED, LAST_ENDED):
        if after:
            following, do = _AFTER_ITS_RUN[after]
        else:
            following, do = (COMPLETED, DISARM) if what == LAST_ENDED else (SCHEDULED, ARM)
        return Step(State(following), do)
    if what == ABORT:
        # What is to become of the job after this run still holds; another run of it, that was asked for, is not wanted.
        return Step(State(ABORTING, "" if after == START else after), KILL)
    if what in (STOP, REMOVE):
        return Step(State(status, REMOVE if after == REMOVE else what))
    if what == START:
        # A start takes back a stop; of a job that is being aborted it asks for another run.
        return Step(State(status, START if status == ABORTING else ""))
    return Step(state)
