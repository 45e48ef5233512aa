# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Measures how long a database is held beyond what lvcreate itself takes, in a guest of tests/labs/guests."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from typing import Any

from ansible_collections.freezer.backup.tests.support import labs
from ansible_collections.freezer.backup.tests.support.guest_databases import Database, MariaDb, Postgres
from ansible_collections.freezer.backup.tests.support.guests import Guest

#: What the goal allows between the beginning of the hold and its end, beside lvcreate.
GOAL_MILLISECONDS = 100.0
_KINDS: Sequence[type[Database]] = (MariaDb, Postgres)


def measure(rounds: int) -> dict[str, Any]:
    """The median and the worst of so many backups of each database, which is written to meanwhile; in milliseconds."""
    with labs.guests() as variables:
        guest = Guest("guest1", variables)
        guest.renew()
        guest.install_collection()
        return {kind.name: _of(kind(guest), rounds) for kind in _KINDS}


def _of(database: Database, rounds: int) -> dict[str, Any]:
    guest = database.guest
    database.create()
    database.start(database.folder, "/run/test-db")
    try:
        database.begin_to_write()
        guest.write("/root/login", database.login())
        options = {"path_to_backup": database.folder, "mode": database.mode, f"{database.mode}_conf": "/root/login"}
        options.update(snapshot="lvm", storage="local", container="/root/backups", backup_name=database.name)
        options.update(lvm_snapsize="128M", max_level=rounds)
        held, created, paused = [], [], []
        for number in range(rounds):
            print(f"bench: {database.name}, hold {number + 1} of {rounds} ...", file=sys.stderr, flush=True)
            result = guest.agent("backup", options)
            if result["outcome"] != "success":
                raise RuntimeError(result["message"])
            held.append(result["held_seconds"] * 1000)
            created.append(result["snapshot"]["create_seconds"] * 1000)
            moment, seconds = result["snapshot"]["moment"], result["held_seconds"]
            paused.append(database.longest_pause(moment - seconds, moment + seconds) * 1000)
        database.end_writing()
    finally:
        database.stop(database.folder, "/run/test-db")
        guest.run(f"rm -rf {database.folder} /root/backups /run/test-writer /run/test-db")
    beyond = [one - other for one, other in zip(held, created, strict=True)]
    return {
        "rounds": rounds,
        "held_milliseconds": round(statistics.median(held), 1),
        "lvcreate_milliseconds": round(statistics.median(created), 1),
        "beyond_milliseconds": round(statistics.median(beyond), 1),
        "beyond_worst_milliseconds": round(max(beyond), 1),
        # For how long nothing was committed: what the users of the database notice.
        "paused_milliseconds": round(statistics.median(paused), 1),
        "paused_worst_milliseconds": round(max(paused), 1),
        "goal_milliseconds": GOAL_MILLISECONDS,
    }


def table(measured: dict[str, Any]) -> str:
    """The same for readers."""
    lines = [
        f"{'held, in ms':<14}{'held':>8}{'lvcreate':>10}{'beyond':>8}{'worst':>8}{'goal':>6}{'no commit':>11}{'worst':>8}"
    ]
    for name, of in measured.items():
        lines.append(
            f"{name:<14}{of['held_milliseconds']:>8.0f}{of['lvcreate_milliseconds']:>10.0f}"
            f"{of['beyond_milliseconds']:>8.0f}{of['beyond_worst_milliseconds']:>8.0f}{of['goal_milliseconds']:>6.0f}"
            f"{of['paused_milliseconds']:>11.0f}{of['paused_worst_milliseconds']:>8.0f}"
        )
    return "\n".join(lines)
