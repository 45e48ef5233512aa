# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Measures freezer-api on Elasticsearch, with many documents and with few: wall clock per request, and of the store."""

from __future__ import annotations

import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from api import Server

from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.cluster import parse_cluster
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Create, Owner
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.elastic.store import ElasticStore
from ansible_collections.freezer.backup.tests.support import elasticsearch_lab

FEW_JOBS = 1_000
_OWNER = Owner("bench", "bench")
_BASE = "/v2/bench"
_HOUR = 3600
_FIRST = 1_700_000_000
_REPEATED = 200
#: Milliseconds.
_GOAL = 50.0


def measure(folder: Path, jobs: int, backups: int) -> dict[str, Any]:
    """Everything, with a folder that is empty for what the API writes there."""
    folder.mkdir(parents=True)
    elastic = elasticsearch_lab.start("bench")
    prefixes = {name: f"bench-{name}-{uuid.uuid4().hex[:8]}" for name in ("few", "many")}
    try:
        few = _filled(elastic, prefixes["few"], FEW_JOBS, 0)
        started = time.perf_counter()
        many = _filled(elastic, prefixes["many"], jobs, backups)
        filled_seconds = time.perf_counter() - started
        servers = {"few": Server(folder, few), "many": Server(folder, many)}
        try:
            figures = _figures(servers, jobs, backups)
        finally:
            for server in servers.values():
                server.stop()
        stored = elastic.ask("GET", f"/{prefixes['many']}-*/_stats/store?level=cluster")["_all"]["primaries"]["store"]
        return {
            "jobs": jobs,
            "backups": backups,
            "figures": figures,
            "documents_per_second": (jobs + backups) / filled_seconds,
            "bytes": stored["size_in_bytes"],
        }
    finally:
        for prefix in prefixes.values():
            elasticsearch_lab.delete_indices(prefix)


def _filled(elastic: elasticsearch_lab.Server, prefix: str, jobs: int, backups: int) -> str:
    url = elasticsearch_lab.make_store(elastic, prefix)
    store = ElasticStore(parse_cluster(url))
    for kind, documents in (("job", _jobs(jobs)), ("backup", _backups(backups, max(jobs // 10, 1)))):
        group: list[list[Create]] = []
        for number, document in enumerate(documents):
            group.append([Create(kind, document[f"{kind}_id"], _OWNER, document)])
            if len(group) == 1000:
                store.apply_each(group)
                group = []
                if number % 50_000 == 49_999:
                    print(f"bench: {number + 1} {kind}s ...", file=sys.stderr, flush=True)
        store.apply_each(group)
    store.close()
    # What ran for a while is merged, too.
    elastic.ask("POST", f"/{prefix}-*/_forcemerge?max_num_segments=5", timeout_seconds=900)
    return url


def _jobs(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        action = {
            "action": "backup",
            "mode": "fs",
            "storage": "local",
            "container": "/srv/backups",
            "path_to_backup": "/etc",
        }
        yield {
            "job_id": f"j{number}",
            "client_id": f"node{number // 10}",
            "description": f"job {number} of those that are measured",
            "job_schedule": {"schedule_interval": "5 minutes", "status": "scheduled" if number % 3 else "completed"},
            "job_actions": [{"action_id": f"a{number}", "freezer_action": {**action, "backup_name": f"etc{number}"}}],
            "user_id": _OWNER.user_id,
            "project_id": _OWNER.project_id,
        }


def _backups(count: int, clients: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        host = f"node{number % clients}"
        yield {
            "backup_id": f"b{number}",
            "user_id": _OWNER.user_id,
            "project_id": _OWNER.project_id,
            "status": "available",
            "backup_metadata": {
                "backup_name": f"etc-{host}",
                "container": "/srv/backups",
                "hostname": host,
                "client_id": host,
                "curr_backup_level": number // clients % 7,
                "time_stamp": _FIRST + number // clients * _HOUR,
                "backup_size_compressed": 1_000_003 * number % 2**31,
                "backup_size_uncompressed": 3_000_017 * number % 2**32,
                "mode": "fs",
                "action": "backup",
                "compression": "zstd",
                "path_to_backup": "/etc",
                "client_os": "linux",
            },
        }


def _figures(servers: dict[str, Server], jobs: int, backups: int) -> list[dict[str, Any]]:
    clients = max(jobs // 10, 1)

    def poll(server: Server, count: int) -> Callable[[int], object]:
        def request(number: int) -> object:
            client = f"node{number * 7919 % (count // 10)}"
            body = {"match": [{"client_id": client}], "match_not": [{"status": "completed"}]}
            return server.ask("GET", f"{_BASE}/jobs", body)

        return request

    def unchanged(server: Server) -> Callable[[int], object]:
        path = f"{_BASE}/jobs?client_id=node7"
        seen = server.ask("GET", path)[0].headers["etag"]
        return lambda _number: server.ask("GET", path, If_None_Match=seen)

    def patch(server: Server) -> Callable[[int], object]:
        return lambda number: server.ask("PATCH", f"{_BASE}/jobs/j{number}", {"description": f"{number}"})

    def in_time(number: int) -> object:
        host = f"node{number * 7919 % clients}"
        each = max(backups // clients, 1)
        after = _FIRST + number % each * _HOUR // 2
        return servers["many"].ask(
            "GET", f"{_BASE}/backups?hostname={host}&time_after={after}&time_before={after + 20 * _HOUR}&limit=100"
        )

    asked: list[tuple[str, Callable[[int], object], float | None]] = [
        (f"backups of a client in a range of time, of {backups:,}", in_time, _GOAL),
        (f"poll of a scheduler, {FEW_JOBS:,} jobs", poll(servers["few"], FEW_JOBS), None),
        (f"poll of a scheduler, {jobs:,} jobs", poll(servers["many"], jobs), None),
        (f"poll, unchanged (304), {FEW_JOBS:,} jobs", unchanged(servers["few"]), None),
        (f"poll, unchanged (304), {jobs:,} jobs", unchanged(servers["many"]), None),
        ("get a job", lambda number: servers["many"].ask("GET", f"{_BASE}/jobs/j{number * 7919 % jobs}"), None),
        # Both sizes are written to: what reads next, waits until that can be found.
        (f"PATCH a job, {FEW_JOBS:,} jobs", patch(servers["few"]), None),
        (f"PATCH a job, {jobs:,} jobs", patch(servers["many"]), None),
        (
            "record a backup",
            lambda number: servers["many"].ask(
                "POST", f"{_BASE}/backups", {"backup_name": "etc", "container": "c", "hostname": f"n{number}"}
            ),
            None,
        ),
    ]
    # Both sizes take turns, so that whatever else the machine does meets both.
    walls: list[list[float]] = [[] for _one in asked]
    for number in range(_REPEATED + 20):
        for position, (_title, request, _goal) in enumerate(asked):
            started = time.perf_counter()
            request(number)
            if number >= 20:
                walls[position].append(1000 * (time.perf_counter() - started))
    return [
        {
            "title": title,
            "count": len(taken),
            "median_milliseconds": statistics.median(taken),
            "p95_milliseconds": statistics.quantiles(taken, n=20)[-1],
            "goal_milliseconds": goal,
        }
        for (title, _request, goal), taken in zip(asked, walls, strict=True)
    ]


def table(measured: dict[str, Any]) -> str:
    """What was measured, for a terminal."""
    lines = [
        f"freezer-api on Elasticsearch, {measured['jobs']:,} jobs, {measured['backups']:,} backups; milliseconds per request",
        f"{'':<56}{'median':>9}{'p95':>9}{'goal':>8}",
    ]
    for one in measured["figures"]:
        goal = "-" if one["goal_milliseconds"] is None else f"< {one['goal_milliseconds']:g}"
        lines.append(f"{one['title']:<56}{one['median_milliseconds']:>9.2f}{one['p95_milliseconds']:>9.2f}{goal:>8}")
    lines.append(
        f"filled with {measured['documents_per_second']:,.0f} documents a second; {measured['bytes'] / 2**20:,.0f} MiB on disk"
    )
    return "\n".join(lines)
