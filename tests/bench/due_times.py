# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""When so many jobs are due next: `due_times.py ours|peer COUNT` prints how many times it found, and their sum.

Both sides read the same schedules with calendar fields, in a time zone with daylight saving time. The days are far from a
change of the clock, where APScheduler alone comes to the same moments.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import measure
from contest import Contest, Side

JOBS = 10_000
#: Of each job so many times are found out.
TIMES = 3
ZONE = ZoneInfo("Europe/Berlin")
SINCE = datetime(2026, 6, 1, 12, tzinfo=ZONE)


class Differ(Exception):
    """The two sides have not found the same moments."""


def contest(scale: float) -> Contest:
    """From the schedules of 10,000 jobs, or fewer at a smaller scale, to the moments."""
    count = max(1, round(JOBS * min(1.0, scale)))
    line = [sys.executable, str(Path(__file__).resolve())]
    ours, peer = Side([*line, "ours", str(count)]), Side([*line, "peer", str(count)])

    def check() -> None:
        found = [measure.run(side.argv, side.environment).output for side in (ours, peer)]
        if found[0] != found[1]:
            raise Differ(f"due times: {found[0]!r} and {found[1]!r}")

    return Contest("due_times", f"due times of {count} jobs", "APScheduler's triggers alone", ours, peer, check=check)


def _schedules(count: int) -> Iterator[dict[str, str]]:
    """As different as schedules are: nightly, several times a day, weekly, monthly, every so many minutes."""
    for number in range(count):
        minute, hour = str(number % 60), str(number // 60 % 24)
        kinds = (
            {"hour": hour, "minute": minute},
            {"hour": "6,12,18", "minute": minute},
            {"day_of_week": "mon-fri", "hour": hour, "minute": minute},
            {"day": "last", "hour": hour, "minute": minute},
            {"minute": f"*/{number % 29 + 1}"},
        )
        yield kinds[number % len(kinds)]


def _ours(count: int) -> Iterator[float]:
    from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import DueTimes

    for fields in _schedules(count):
        times = DueTimes({"schedule_" + name: text for name, text in fields.items()}, ZONE)
        due: float | None = SINCE.timestamp()
        for _turn in range(TIMES):
            due = times.after(due) if due is not None else None
            if due is not None:
                yield due


def _peer(count: int) -> Iterator[float]:
    from apscheduler.triggers.cron import CronTrigger

    for fields in _schedules(count):
        trigger = CronTrigger(timezone=ZONE, **fields)
        due = SINCE
        for _turn in range(TIMES):
            due = trigger.get_next_fire_time(None, due + timedelta(microseconds=1))
            yield due.timestamp()


def main() -> None:
    """Find the moments, and say how many there are."""
    found = list({"ours": _ours, "peer": _peer}[sys.argv[1]](int(sys.argv[2])))
    print(len(found), sum(found))


if __name__ == "__main__":
    main()
