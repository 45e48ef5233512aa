# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Kills in the middle of writes, and full disks."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import time

import pytest

from ansible_collections.freezer.backup.tests.support.api_writers import (
    Writer,
    check,
    everything,
    wait_until_acknowledged,
)
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

#: Two hundred and more in `make soak`.
KILLS = 2 * rounds(1)
WRITERS = 4
SMALL_DISK_BYTES = 2_000_000


def test_after_every_kill_acknowledged_writes_are_complete_and_no_other_is_partial(start_freezer_api):
    chance = random.Random(KILLS)
    known = [{} for _number in range(WRITERS)]
    for kill in range(KILLS):
        api = start_freezer_api("--workers", "2")
        for states in known:
            check(api, states) if kill else None
        writers = [Writer(api, f"w{number}", known[number], kill * WRITERS + number) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        # However slow the machine is, there is something to lose.
        wait_until_acknowledged(writers, chance.randint(WRITERS, 20 * WRITERS))
        time.sleep(chance.uniform(0, 0.1))
        for process_id in [api.process.pid, *api.worker_ids()]:
            os.kill(process_id, signal.SIGKILL)
        for writer in writers:
            writer.stopped.set()
            writer.join()
            assert writer.unexpected == []
            assert writer.put_off == 0
        api.process.wait(60)
        with sqlite3.connect(api.database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    api = start_freezer_api()
    for states in known:
        check(api, states)


class SmallDisk:
    """A file system that is full soon, where one may be mounted; else a limit on the size of files, which does the same."""

    def __init__(self, folder):
        self._folder = folder
        folder.mkdir(mode=0o700)
        self.is_mounted = self._mount("-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES},mode=700", "none")

    def _mount(self, *arguments):
        line = ["mount", *arguments, str(self._folder)]
        return subprocess.run(line, check=False, capture_output=True).returncode == 0

    def limit(self):
        """Called in the process, before the program."""
        if not self.is_mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_DISK_BYTES // 2, resource.RLIM_INFINITY))

    def grow(self, process_ids):
        """Make room, while the program runs."""
        if self.is_mounted:
            assert self._mount("-o", f"remount,size={20 * SMALL_DISK_BYTES}")
        else:
            for process_id in process_ids:
                resource.prlimit(process_id, resource.RLIMIT_FSIZE, (20 * SMALL_DISK_BYTES, resource.RLIM_INFINITY))

    def close(self):
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", self._folder], check=True)


@pytest.fixture
def small_disk(tmp_path):
    disk = SmallDisk(tmp_path / "store")
    yield disk
    disk.close()


def test_a_full_disk_is_told_while_reads_go_on_and_room_is_used_when_it_is_there(start_freezer_api, small_disk):
    api = start_freezer_api("--workers", "2", preexec_fn=small_disk.limit)
    written = []
    for number in range(200):
        reply = api.post(f"/v2/web/actions/a{number}", {"freezer_action": {"action": "info", "filler": "x" * 50_000}})
        if reply.status != 201:
            break
        written.append(f"a{number}")
    assert reply.status == 503
    assert reply.json["title"] == "Service Unavailable"
    assert "Traceback" not in reply.text
    assert int(reply.headers["retry-after"]) > 0
    assert len(written) >= 3

    items = [
        {
            "op": "replace",
            "action_id": "more",
            "document": {"freezer_action": {"action": "info", "filler": "x" * 100_000}},
        }
    ]
    assert api.post("/v2/web/actions:batch", {"items": items}).status == 503
    for _number in range(5):
        assert [action["action_id"] for action in everything(api, "actions")] == written
        assert api.get(f"/v2/web/actions/{written[-1]}").status == 200
        assert api.get("/healthcheck").status == 200

    small_disk.grow([api.process.pid, *api.worker_ids()])
    assert api.post("/v2/web/actions:batch", {"items": items}).json["items"][0]["status"] == 201
    assert api.delete(f"/v2/web/actions/{written[0]}").status == 204
    assert [action["action_id"] for action in everything(api, "actions")] == [*written[1:], "more"]
