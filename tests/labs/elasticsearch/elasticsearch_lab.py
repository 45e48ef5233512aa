# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verbs of the lab: which clusters there are, and what can be done to them and to their nodes."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster import Cluster, LabError, Shape

_LOCK_SECONDS = 900
_VARIABLE = "FREEZER_TEST_ELASTICSEARCH_URL"

ELASTICSEARCH_9 = "elasticsearch-9.5.0"
ELASTICSEARCH_8 = "elasticsearch-8.19.21"
OPENSEARCH_3 = "opensearch-3.6.0"

SHAPES = (
    Shape("single", ELASTICSEARCH_9, _VARIABLE, heap_mib=512),
    Shape("eight", ELASTICSEARCH_8, "FREEZER_TEST_ELASTICSEARCH_8_URL", heap_mib=384),
    Shape("three", ELASTICSEARCH_9, "FREEZER_TEST_ELASTICSEARCH_THREE_URLS", heap_mib=320, nodes=3),
    Shape("secure", ELASTICSEARCH_9, "FREEZER_TEST_ELASTICSEARCH_SECURE", heap_mib=320, is_secure=True),
    Shape("bench", ELASTICSEARCH_9, "FREEZER_TEST_ELASTICSEARCH_BENCH_URL", heap_mib=1024, is_for_speed=True),
    Shape("opensearch", OPENSEARCH_3, "FREEZER_TEST_OPENSEARCH_URL", heap_mib=384),
)


def state_folder() -> Path:
    """Where the lab keeps what it has downloaded: outside the checkout."""
    cache = os.environ.get("FREEZER_LAB_CACHE")
    if not cache:
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "freezer-backup-labs")
    return Path(cache) / "elasticsearch"


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    clusters = {shape.name: Cluster(shape, state_folder()) for shape in SHAPES}
    verb, names = (arguments[0] if arguments else ""), list(arguments[1:])
    try:
        if verb in ("kill", "lock-disk", "unlock-disk") and len(names) == 2 and names[0] in clusters:
            node = clusters[names[0]].node(names[1])
            {"kill": node.kill, "lock-disk": node.lock_disk, "unlock-disk": node.unlock_disk}[verb]()
            return 0
        if verb not in ("up", "down", "status", "env") or any(name not in clusters for name in names):
            print(
                f"usage: lab up | down | status | env  [{'] ['.join(clusters)}]\n"
                "       lab kill | lock-disk | unlock-disk  PIECE NODE",
                file=sys.stderr,
            )
            return 2
        return _run(verb, clusters, names)
    except LabError as error:
        print(f"lab elasticsearch: {error}", file=sys.stderr)
        return 1


def _run(verb: str, clusters: dict[str, Cluster], names: list[str]) -> int:
    if verb == "status":
        lines = [(name, clusters[name].status()) for name in names or clusters]
        for name, line in lines:
            print(f"{name}: {line or 'down'}")
        # Without a name the question is whether the default piece is there.
        return 0 if all(line for name, line in lines if names or name == "single") else 1
    if verb == "env":
        for name in names or clusters:
            if names or clusters[name].status():
                print(f"export {clusters[name].shape.variable}='{clusters[name].address()}'")
        return 0
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        _take(lock.fileno())
        for name in names or (["single"] if verb == "up" else clusters):
            clusters[name].up() if verb == "up" else clusters[name].down()
    return 0


def _take(descriptor: int) -> None:
    def give_up(*_unused: object) -> None:
        raise LabError(f"another run of this lab has held its lock for {_LOCK_SECONDS} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_LOCK_SECONDS)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
