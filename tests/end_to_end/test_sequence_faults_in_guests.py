# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The playbook backup on guests to which something happens in the middle: a cable, LVM, a full disk."""

from __future__ import annotations

import time

import pytest

from ansible_collections.freezer.backup.tests.support import labs
from ansible_collections.freezer.backup.tests.support.guest_runs import NO_RECORD, WRITES, snapshots_of


@pytest.fixture
def volumes(run):
    """Beside the volume `srv` another one, and a thin one: `/srv/other` and `/srv/thin`."""
    for guest in run.guests:
        guest.run(
            "lvcreate -qq -y -W n -L 64M -n other data; lvcreate -qq -y --type thin-pool -L 100M -n pool data; "
            "lvcreate -qq -y -W n -V 80M --thinpool pool -n thin data; mkdir -p /srv/other /srv/thin; "
            "for name in other thin; do mkfs.ext4 -q -E nodiscard /dev/data/$name; mount /dev/data/$name /srv/$name; "
            "echo first >/srv/$name/file; done"
        )
    yield {"freezer_lvm_snapshots": [{"path": "/srv/other", "size": "16M"}, {"volume": "data/thin"}]}
    for guest in run.guests:
        guest.attempt("umount /srv/other /srv/thin; rmdir /srv/other /srv/thin")
        guest.clear_volumes()


_OURS = ["other", "pool", "thin"]


def test_a_guest_whose_cable_is_pulled_while_it_is_frozen_thaws_by_itself_and_finalize_leaves_nothing(run, volumes):
    cut, other = run.guests
    deadline_seconds = 45

    def unplug():
        labs.lab("guests", "unplug", cut.name)

    try:
        succeeded, output = run(unplug, **volumes, freezer_deadline_seconds=deadline_seconds)
        assert not succeeded
        assert f"{cut.name}: finalize: the host cannot be reached, and releases at its own deadline." in output
        # The others are let go at once, and have nothing of a backup that is not one.
        assert run.released_by(other) == "request"
        other.run(WRITES)
        assert sorted(snapshots_of(other)) == _OURS
        other.run(NO_RECORD)
    finally:
        labs.lab("guests", "plug", cut.name)
    until = time.monotonic() + deadline_seconds
    while cut.attempt("test -e /run/freezer-backup/sequence.sock").returncode == 0:
        assert time.monotonic() < until
        time.sleep(0.5)
    record = run.record(cut)
    assert record["released_by"] == "deadline"
    assert record["held_seconds"] < deadline_seconds + 3
    cut.run(WRITES)
    assert {"other-one", "thin-one"} < set(snapshots_of(cut))
    succeeded, output = run(playbook="finalize", **volumes, snapshot_name="")
    assert succeeded, output
    assert sorted(snapshots_of(cut)) == _OURS
    cut.run(NO_RECORD)


def test_lvm_that_fails_on_one_guest_in_the_middle_leaves_no_snapshot_on_any(run, volumes):
    broken, other = run.guests
    # It makes the snapshot, and fails then: of the second volume only, when the first has one.
    late = '#!/bin/sh\n/usr/sbin/lvcreate "$@"\ncase "$*" in *thin*) echo "broken on purpose" >&2; exit 5 ;; esac\n'
    broken.write("/usr/local/bin/lvcreate", late)
    broken.run("chmod 0755 /usr/local/bin/lvcreate")
    try:
        succeeded, output = run(**volumes)
    finally:
        broken.run("rm /usr/local/bin/lvcreate")
    assert not succeeded
    assert f"{broken.name}: snapshot: " in output
    assert "broken on purpose" in output
    assert ("snapshot", "failed") in run.logged(broken)
    assert ("snapshot", "done") in run.logged(other)
    for guest in run.guests:
        guest.run(WRITES)
        assert run.released_by(guest) == "request"
        assert sorted(snapshots_of(guest)) == _OURS
        guest.run(NO_RECORD)


def test_a_disk_that_is_full_on_one_guest_makes_no_backup_and_one_with_space_is_copied_and_brought_back(run):
    full = run.guests[0]
    sync = {"role": "freezer.backup.hooks", "tasks_from": "directory_sync"}
    copies = {
        "freezer_targets": [{"command": {"prepare": ["touch", "/run/held"], "finalize": ["rm", "-f", "/run/held"]}}],
        "freezer_hooks": {"snapshot": [sync], "apply": [sync], "delete": [sync]},
        "hooks_directories": ["/srv/data/copied"],
        "hooks_directory_store": "/mnt/store",
    }
    for guest in run.guests:
        size = "1M" if guest is full else "16M"
        guest.run(
            f"mkdir -p /mnt/store /srv/data/copied; mount -t tmpfs -o size={size} none /mnt/store; "
            "head -c 3M /dev/urandom >/srv/data/copied/random; echo first >/srv/data/copied/file"
        )
    try:
        succeeded, output = run(**copies)
        assert not succeeded
        assert f"{full.name}: snapshot: " in output
        assert "No space left on device" in output
        for guest in run.guests:
            assert guest.run("find /mnt/store -type f; ls /run/held 2>/dev/null || :") == ""
            guest.run(NO_RECORD)
        # The record of the run has no place: nothing is held on any host.
        (run.folder / "events").unlink()
        full.run("head -c 1M /dev/zero >/mnt/store/filler 2>/dev/null || :")
        record_folder = f"{{{{ '/mnt/store' if inventory_hostname == '{full.name}' else '/var/lib/freezer-backup' }}}}"
        succeeded, output = run(**copies, freezer_record_folder=record_folder)
        assert not succeeded
        assert f"{full.name}: record: " in output
        for guest in run.guests:
            assert ("freeze", "start") not in run.logged(guest)
        full.run("rm -f /mnt/store/*; mount -o remount,size=16M /mnt/store")

        # That it works is shown on one of them.
        copies["include_instances"] = [full.name]
        succeeded, output = run(**copies)
        assert succeeded, output
        full.run("echo second >/srv/data/copied/file; echo more >/srv/data/copied/more")
        succeeded, output = run(playbook="restore", **copies)
        assert succeeded, output
        assert full.run("cat /srv/data/copied/file; ls /srv/data/copied") == "first\nfile\nrandom\n"
        succeeded, output = run(playbook="remove_backup", **copies)
        assert succeeded, output
        assert full.run("ls /mnt/store") == ""
    finally:
        for guest in run.guests:
            guest.attempt("umount /mnt/store; rmdir /mnt/store; rm -rf /srv/data/copied /run/held")
