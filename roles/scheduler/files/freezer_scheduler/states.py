# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What state a job is in, and what becomes of it: a table, and nothing else. docs/scheduler.md shows the same table.

An input is an event that somebody asks for (``start``, ``stop``, ``abort``, ``remove``), or something that happens: the
job is ``due``, or its run has ``ended``. What is asked for while a job runs, and takes effect at its end, is kept in
``after``.
"""

from __future__ import annotations

from typing import NamedTuple

NEW, SCHEDULED, RUNNING, ABORTING = "", "scheduled", "running", "aborting"
COMPLETED, STOPPED, REMOVED = "completed", "stop", "removed"
STATUSES = (NEW, SCHEDULED, RUNNING, ABORTING, COMPLETED, STOPPED, REMOVED)
ACTIVE = (RUNNING, ABORTING)

START, STOP, ABORT, REMOVE = "start", "stop", "abort", "remove"
EVENTS = (START, STOP, ABORT, REMOVE)
DUE, ENDED, LAST_ENDED = "due", "ended", "last ended"
INPUTS = (*EVENTS, DUE, ENDED, LAST_ENDED)

#: What has to be done about a step: find out when the job is due next, forget about that, start its actions, end them,
#: or forget the job.
ARM, DISARM, RUN, KILL, FORGET, NOTHING = "arm", "disarm", "run", "kill", "forget", "nothing"


class State(NamedTuple):
    """The status of a job as its document has it, and what was asked for in the meantime."""

    status: str = NEW
    after: str = ""


class Step(NamedTuple):
    """The next state, and what has to be done."""

    state: State
    do: str = NOTHING


_IDLE = {
    # (status, input): (next status, what to do)
    (NEW, START): (SCHEDULED, ARM),
    (NEW, STOP): (STOPPED, DISARM),
    (NEW, ABORT): (STOPPED, DISARM),
    (SCHEDULED, START): (SCHEDULED, ARM),
    (SCHEDULED, STOP): (STOPPED, DISARM),
    (SCHEDULED, ABORT): (STOPPED, DISARM),
    (SCHEDULED, DUE): (RUNNING, RUN),
    (STOPPED, START): (SCHEDULED, ARM),
    (COMPLETED, START): (SCHEDULED, ARM),
    (COMPLETED, STOP): (COMPLETED, DISARM),
    (COMPLETED, ABORT): (COMPLETED, DISARM),
}
_AFTER_ITS_RUN = {STOP: (STOPPED, DISARM), REMOVE: (REMOVED, FORGET), START: (SCHEDULED, ARM)}


def step(state: State, what: str) -> Step:
    """The step from a state with an input. An input that means nothing there changes nothing."""
    status, after = state
    if status not in ACTIVE:
        if what == REMOVE:
            return Step(State(REMOVED), FORGET)
        following, do = _IDLE.get((status, what), (status, NOTHING))
        return Step(State(following), do)
    if what in (ENDED, LAST_ENDED):
        if after:
            following, do = _AFTER_ITS_RUN[after]
        elif status == ABORTING or what == LAST_ENDED:
            following, do = COMPLETED, DISARM
        else:
            following, do = SCHEDULED, ARM
        return Step(State(following), do)
    if what == ABORT:
        # What was asked for after an abort still holds: a job that is to be removed is not merely aborted.
        return Step(State(ABORTING, after if after == REMOVE else ""), KILL)
    if what in (STOP, REMOVE):
        return Step(State(status, REMOVE if after == REMOVE else what))
    if what == START:
        # A start takes back a stop; of a job that is being aborted it asks for another run.
        return Step(State(status, START if status == ABORTING else ""))
    return Step(state)
