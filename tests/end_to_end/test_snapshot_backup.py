# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups of a snapshot in a guest: of one moment, of databases that are written meanwhile, and nothing of it stays."""

from __future__ import annotations

import json
import random
import re
import time

import pytest

from ansible_collections.freezer.backup.tests.support.guest_databases import MariaDb, Postgres
from ansible_collections.freezer.backup.tests.support.guests import Engine, EngineProblem
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

ROUNDS = rounds(2) // 2


_AGENT = """
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
def answer(function, options):
    return getattr(agent, function)(options)
"""


class Backups:
    """Backups of /srv/data in a guest, to a folder on another disk."""

    def __init__(self, guest, engine):
        self.guest = guest
        self._engine = engine
        self.place = {"storage": "local", "container": "/root/backups", "backup_name": "data"}
        self.options = {"path_to_backup": "/srv/data", "snapshot": "lvm", "lvm_snapsize": "64M", "max_level": 3}

    def backup(self, **options):
        return self.guest.agent("backup", {**self.place, **self.options, **options})

    def good(self, **options):
        result = self.backup(**options)
        assert result["outcome"] == "success", result
        assert result["problems"] == []
        return result

    def refused(self, **options):
        """The sentence of a backup that fails."""
        with pytest.raises(EngineProblem) as problem:
            self._engine.call("backup", {**self.place, **self.options, **options})
        return str(problem.value)

    def info(self):
        """What backups there are."""
        return self._engine.call("info", self.place)

    def restore(self, **options):
        """The folder with what a backup restores to."""
        self.guest.run("rm -rf /var/restored")
        result = self._engine.call("restore", {**self.place, "restore_abs_path": "/var/restored", **options})
        assert result["outcome"] == "success", result
        return "/var/restored"


@pytest.fixture(scope="module")
def engine(lvm_guest):
    made = Engine(lvm_guest, _AGENT)
    yield made
    made.end()


@pytest.fixture
def some(lvm_guest, engine):
    """Backups in a guest, in which no test leaves a volume, a mount, a suspended device or a temporary folder."""
    guest = lvm_guest
    guest.run(
        "rm -rf /root/backups /var/lib/freezer-backup /srv/data/*; echo first >/srv/data/file; mkdir /srv/data/app; echo a >/srv/data/app/a"
    )
    before = guest.traces()
    yield Backups(guest, engine)
    after = guest.traces()
    if after != before:
        guest.clear_volumes()
    assert after == before
    guest.run("rm -rf /root/backups /var/lib/freezer-backup /var/restored /root/bin")


def in_the_way(guest, program, script):
    """Have a script run before a program of the system, in every process that looks for programs in /root/bin first."""
    guest.run("mkdir -p /root/bin")
    guest.write(
        f"/root/bin/{program}", f'#!/bin/sh\n{script}\nexec /usr/bin/env PATH=/usr/sbin:/usr/bin {program} "$@"\n'
    )
    guest.run(f"chmod 0755 /root/bin/{program}")


def test_a_snapshot_is_backed_up_under_the_users_path_and_increments_continue_across_snapshots(some):
    guest = some.guest
    first = some.good()
    assert (first["level"], first["consistency"], first["path_to_backup"]) == (0, "fs", "/srv/data")
    assert first["snapshot"]["volume"] == "data/srv"
    assert first["held_seconds"] is None
    assert first["source_protected"] is True, first["source_protected_reason"]
    guest.run(
        "echo second >/srv/data/app/a; mv /srv/data/file /srv/data/moved; mkdir /srv/data/new; echo n >/srv/data/new/n"
    )
    second = some.good()
    assert (second["level"], second["parent_backup_id"]) == (1, first["backup_id"])
    assert second["counts"]["files"] < 4, "an increment that reads everything is none"
    restored = some.restore()
    assert guest.run(f"diff -r --exclude=lost+found /srv/data {restored}") == ""
    details = json.loads(guest.run("cat /root/backups/*_data/*_1/details.json"))
    assert (details["path"], details["real_path"]) == ("/srv/data", "/srv/data")
    assert details["snapshot"]["volume"] == "data/srv"
    # Without a snapshot the same chain goes on: the path is the same.
    guest.run("echo third >/srv/data/app/a")
    third = some.good(snapshot=False)
    assert (third["level"], third["consistency"], third["snapshot"]) == (2, "crash", None)
    assert guest.run(f"cat {some.restore()}/app/a") == "third\n"


def test_what_changes_between_the_snapshot_and_its_reading_is_in_the_next_increment(some):
    guest = some.guest
    some.good()
    # After the snapshot was made and before tar begins.
    in_the_way(guest, "mount", "echo later >/srv/data/app/a; sleep 0.1")
    guest.run("echo before >/srv/data/file")
    middle = guest.agent_with("PATH=/root/bin:$PATH", "backup", {**some.place, **some.options})
    assert middle["outcome"] == "success", middle
    restored = some.restore()
    assert guest.run(f"cat {restored}/file {restored}/app/a") == "before\na\n"
    guest.run("rm /root/bin/mount")
    assert some.good()["level"] == 2
    assert guest.run(f"cat {some.restore()}/app/a") == "later\n"


def test_a_folder_that_becomes_a_link_before_the_snapshot_is_made_is_refused(some):
    """Its owner has root read another folder, of the live file system."""
    guest = some.guest
    guest.run("mkdir -p /srv/data/home/mine; echo mine >/srv/data/home/mine/passwd; chown -R nobody /srv/data/home")
    assert some.good(path_to_backup="/srv/data/home/mine")["source_protected"] is True
    in_the_way(guest, "lvcreate", "cd /srv/data/home; mv mine hidden && ln -s /etc mine; chown -h nobody mine; cd /")
    options = {**some.options, "path_to_backup": "/srv/data/home/mine"}
    result = guest.agent_with("PATH=/root/bin:$PATH", "backup", {**some.place, **options})
    assert result["outcome"] == "failed", result
    assert "/home/mine became a symbolic link while the snapshot was made" in result["message"]
    assert len(some.info()["backups"]) == 1


def test_a_snapshot_that_runs_out_of_space_fails_the_backup(some):
    guest = some.guest
    before = some.good()
    in_the_way(guest, "mount", "dd if=/dev/urandom of=/srv/data/big bs=1M count=24 status=none; sync")
    result = guest.agent_with("PATH=/root/bin:$PATH", "backup", {**some.place, **some.options, "lvm_snapsize": "8M"})
    assert result["outcome"] == "failed"
    assert "ran out of space" in result["message"] or "cannot be mounted" in result["message"], result["message"]
    listed = some.info()
    assert [one["backup_id"] for one in listed["backups"]] == [before["backup_id"]]
    assert listed["incomplete"] == []
    # The same while it is read.
    in_the_way(guest, "tar", "dd if=/dev/urandom of=/srv/data/big2 bs=1M count=24 status=none conv=fsync")
    guest.run("rm /root/bin/mount")
    result = guest.agent_with("PATH=/root/bin:$PATH", "backup", {**some.place, **some.options, "lvm_snapsize": "8M"})
    assert result["outcome"] == "failed"
    assert "ran out of space (8 MiB)" in result["message"], result["message"]
    assert some.good()["level"] == 1


def test_nothing_stays_when_a_step_fails(some):
    guest = some.guest
    in_the_way(guest, "mount", "echo 'mount: no such luck' >&2; exit 32")
    result = guest.agent_with("PATH=/root/bin:$PATH", "backup", {**some.place, **some.options})
    assert "cannot be mounted on" in result["message"]
    assert "no such luck" in result["message"]
    guest.run("rm /root/bin/mount")
    # Made, and then a failure: as when a timeout ends lvcreate.
    in_the_way(guest, "lvcreate", "/usr/sbin/lvcreate \"$@\"; echo 'a late failure' >&2; exit 5")
    result = guest.agent_with("PATH=/root/bin:$PATH", "backup", {**some.place, **some.options})
    assert "could be made: a late failure" in result["message"], result["message"]
    guest.run("rm /root/bin/lvcreate")
    # The disk with the backups is full.
    guest.run(
        "mkdir -p /mnt/small; mount -t tmpfs -o size=1M none /mnt/small; head -c 4M /dev/urandom >/srv/data/random"
    )
    try:
        assert "No space left" in some.refused(container="/mnt/small/backups")
    finally:
        guest.run("umount /mnt/small; rmdir /mnt/small")


def test_what_cannot_be_held_still_is_refused_before_anything_is_done(some):
    guest = some.guest
    assert "not a logical volume" in some.refused(path_to_backup="/etc")
    assert "in the volume group data, not in other" in some.refused(lvm_volgroup="other")
    assert "There is no logical volume data/none" in some.refused(lvm_srcvol="data/none")
    assert "may lead out of the snapshot" in some.refused(dereference_symlink="soft")
    assert "is a number with a unit" in some.refused(lvm_snapsize="big")
    assert "set snapshot." in some.refused(mode="mysql", snapshot=False)
    assert "mysql_conf /none cannot be read" in some.refused(mode="mysql", mysql_conf="/none")
    assert "cannot be held" in some.refused(mode="mysql")
    guest.run("lvcreate -qq -y -L 8M -n taken data")
    try:
        assert "There is a volume data/taken already" in some.refused(lvm_snapname="taken")
    finally:
        guest.run("lvremove -qq -y data/taken")
    guest.run("mkdir -p /srv/data/pg /root/wal; touch /srv/data/pg/PG_VERSION; ln -s /root/wal /srv/data/pg/pg_wal")
    assert "outside of /srv/data, so one snapshot cannot hold" in some.refused(mode="postgresql")
    assert (
        guest.attempt("test -e /root/backups").returncode != 0
        or guest.run("find /root/backups -type f ! -name '.*'") == ""
    )


def test_other_file_systems_below_the_path_are_listed_as_left_out(some):
    guest = some.guest
    guest.run("mkdir /srv/data/other; mount -t tmpfs none /srv/data/other; echo o >/srv/data/other/o")
    try:
        result = some.good()
        assert [one["path"] for one in result["remarks"] if one["kind"] == "other_file_system"] == ["./other"]
        assert "is another file system, which a snapshot does not hold" in some.refused(one_file_system=False)
    finally:
        guest.run("umount /srv/data/other")
    assert guest.run(f"ls {some.restore()}/other") == ""


def test_one_file_and_the_form_of_older_documents(some):
    guest = some.guest
    result = some.good(path_to_backup="/srv/data/app/a", backup_name="file")
    assert result["path_to_backup"] == "/srv/data/app/a"
    assert result["metadata"]["vol_snap_path"].endswith("/app/a")
    assert guest.run(f"cat {some.restore(backup_name='file')}/a") == "a\n"
    older = {"path_to_backup": "/var/lib/snapshot-backup/app", "lvm_srcvol": "/dev/data/srv", "lvm_volgroup": "data"}
    older.update(lvm_dirmount="/var/lib/snapshot-backup", lvm_snapname="freezer_backup_snap", snapshot=None)
    result = some.good(**older, backup_name="older")
    assert (result["path_to_backup"], result["consistency"]) == ("/srv/data/app", "fs")
    # A document does not choose where root mounts; the path follows the mount.
    assert re.fullmatch(r"/run/freezer-backup/snapshots/document-\w+/app", result["metadata"]["vol_snap_path"])
    assert guest.run(f"cat {some.restore(backup_name='older')}/a") == "a\n"
    guest.run("test ! -e /var/lib/snapshot-backup")


def test_the_module_backs_up_a_snapshot_and_plans_one_in_check_mode(some):
    guest = some.guest
    options = {**some.place, **some.options}
    planned, refused, made = guest.modules(
        ("backup", options, "check"),
        ("backup", {**options, "lvm_snapsize": "100%VG", "path_to_backup": "/etc"}, "check"),
        ("backup", options),
    )
    assert planned["changed"], planned
    assert "not a logical volume" in refused["msg"]
    assert (made["outcome"], made["consistency"], made["level"]) == ("success", "fs", 0), made
    assert len(some.info()["backups"]) == 1, "check mode has made one"


def test_a_backup_killed_at_any_moment_leaves_nothing_after_the_next_one(some):
    guest = some.guest
    guest.run("for i in $(seq 20); do head -c 1M /dev/urandom >/srv/data/app/$i; done")
    began = time.monotonic()
    last = some.good()["backup_id"]
    duration = time.monotonic() - began
    guest.write("/root/options.json", json.dumps({**some.place, **some.options, "no_incremental": True}))
    for number in range(max(ROUNDS, 2)):
        moment = random.Random(f"lvm {number}").uniform(0.2, 1) * duration
        guest.run(
            "freezer-agent --stdin --quiet </root/options.json >/dev/null 2>&1 & "
            f"pid=$!; sleep {moment:.3f}; kill -9 $pid 2>/dev/null || :; wait $pid || :"
        )
        listed = some.info()
        assert listed["damaged"] == []
        assert last in {one["backup_id"] for one in listed["backups"]}
        if number % 2:
            guest.module("lvm_snapshot", {"state": "absent", "leftovers": True})
        else:
            last = some.good()["backup_id"]
        assert guest.run("lvs --noheadings -o lv_name data").split() == ["srv"]
        assert guest.run("ls /run/freezer-backup/snapshots").split() == []
        guest.run("rm -rf /tmp/freezer-*")  # kill -9 leaves it, as docs/reliability.md says


def test_prune_removes_snapshots_that_killed_backups_have_left_and_no_others(some):
    guest = some.guest
    some.good()
    tags = "--addtag freezer.backup --addtag freezer.set=h_n --addtag freezer.owner"
    guest.run(
        f"lvcreate -qq -y -s -L 16M -n dead {tags}=backup --addtag freezer.process=00000000-7-7 data/srv; "
        "umask 077; mkdir -p /run/freezer-backup/snapshots/data.dead; "
        "mount -o ro,noload /dev/data/dead /run/freezer-backup/snapshots/data.dead; "
        f"lvcreate -qq -y -s -L 16M -n kept {tags}=module data/srv"
    )
    try:
        planned, pruned, again = guest.modules(
            ("prune", some.place, "check"), ("prune", some.place), ("prune", some.place)
        )
        assert planned["changed"], planned
        assert pruned["changed"], "check mode has removed it"
        assert not again["changed"]
        assert guest.run("lvs --noheadings -o lv_name data").split() == ["kept", "srv"]
        assert len(some.info()["backups"]) == 1
    finally:
        guest.run("lvremove -qq -y data/kept")


def test_a_backup_that_is_told_to_end_removes_its_snapshot_itself(some):
    guest = some.guest
    in_the_way(guest, "tar", 'case "$*" in *--create*) sleep 3 ;; esac')
    guest.write("/root/options.json", json.dumps({**some.place, **some.options}))
    said = guest.run(
        "PATH=/root/bin:$PATH freezer-agent --stdin --quiet </root/options.json 2>&1 & pid=$!; "
        "for i in $(seq 100); do findmnt -rn -o TARGET | grep -q freezer-backup/snapshots && break; sleep 0.1; done; "
        "kill -TERM $pid; wait $pid || echo status $?; lvs --noheadings -o lv_name data"
    )
    assert said.split()[-3:] == ["status", "143", "srv"], said


@pytest.fixture
def database(request, some):
    """A database that is written to all the time."""
    server = request.param(some.guest)
    server.create()
    server.start(server.folder, "/run/test-db")
    server.begin_to_write()
    yield server
    server.end_writing()
    server.stop(server.folder, "/run/test-db")
    server.guest.run("rm -rf /run/test-writer /run/test-db /run/restored-db /root/login /var/restored")


@pytest.mark.parametrize("database", [MariaDb, Postgres], indirect=True, ids=["mariadb", "postgresql"])
def test_a_database_that_is_written_restores_with_every_transaction_before_the_hold_and_none_torn(some, database):
    guest = some.guest
    guest.write("/root/login", database.login())
    options = {"path_to_backup": database.folder, "mode": database.mode, f"{database.mode}_conf": "/root/login"}
    options.update(backup_name=database.name, lvm_snapsize="128M")
    # An increment of one of them is enough: how it comes about is the same.
    for number in range(max(ROUNDS, 2 if database.name == "postgresql" else 1)):
        result = some.good(**options)
        assert (result["level"], result["consistency"]) == (number % 4, "app")
        assert result["held_seconds"] > 0
        found = database.transactions_of(some.restore(backup_name=database.name))
        assert found["torn"] == []
        assert found["numbers"] == list(range(1, len(found["numbers"]) + 1))
        acknowledged = database.acknowledged_before(result["snapshot"]["moment"])
        assert acknowledged
        assert set(acknowledged) <= set(found["numbers"])
        if number % 4 == 3:
            # However long it is done: what is written fits the volume, and its copies the disk.
            database.end_writing()
            guest.run("rm -rf /root/backups /var/lib/freezer-backup")
            database.begin_to_write()
