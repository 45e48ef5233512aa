# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The playbook backup over ssh, on guests with file systems of their own that really are frozen; and what cuts the way there."""

from __future__ import annotations

from ansible_collections.freezer.backup.tests.support.guest_runs import NO_RECORD, WRITES, snapshots_of


def test_file_systems_of_all_guests_are_frozen_at_one_moment_whatever_their_clocks_say(run):
    run.pipelining = False
    late = run.guests[1]
    late.run("date -s @$(($(date +%s) + 100)) >/dev/null")
    try:
        # A guest may need that long to get ready, when this machine is busy.
        succeeded, output = run(run.cannot_be_written, freezer_lead_seconds=20)
    finally:
        late.run("date -s @$(($(date +%s) - 100)) >/dev/null")
    assert succeeded, output
    for guest in run.guests:
        guest.run(WRITES)
        assert run.released_by(guest) == "request"
        guest.run(NO_RECORD)
    (note,) = run.notes("skew_seconds")
    assert 0 <= note["skew_seconds"] < 1 + note["clock_error_seconds"]
    first, second = (run.record(guest)["held_from"] for guest in run.guests)
    assert 98 < second - first < 102


def test_a_hold_outlives_the_ssh_connections_that_made_it(run):
    def cut() -> None:
        for guest in run.guests:
            guest.attempt("for p in $(pgrep -f 'sshd: root'); do kill -9 $p; done", seconds=20)

    succeeded, output = run(cut)
    assert succeeded, output
    for guest in run.guests:
        guest.run(WRITES)
        assert run.released_by(guest) == "request"


def test_snapshots_of_lvm_are_taken_while_applications_are_held_kept_rotated_and_removed(run):
    hold = {"prepare": ["touch", "/srv/data/held"], "finalize": ["rm", "-f", "/srv/data/held"]}
    lvm = {
        "freezer_targets": [{"command": hold}],
        "freezer_lvm_snapshots": [{"path": "/srv/data", "size": "30%FREE"}],
    }
    for guest in run.guests:
        guest.run("echo first >/srv/data/file")
    try:
        succeeded, output = run(**lvm)
        assert succeeded, output
        for guest in run.guests:
            assert run.logged(guest) == [
                ("freeze", "start"),
                ("freeze", "done"),
                ("snapshot", "start"),
                ("snapshot", "note"),
                ("snapshot", "done"),
                ("finalize", "start"),
                ("finalize", "done"),
            ]
            assert snapshots_of(guest) == ["srv-one"]
            guest.run("test ! -e /srv/data/held; echo second >/srv/data/file; mkdir -p /run/look")
            seen = guest.run(
                "mount -o ro,noload /dev/data/srv-one /run/look; cat /run/look/file; ls /run/look; umount /run/look"
            )
            assert seen.split()[0] == "first"
            assert "held" in seen.split()
        # No more than an order of magnitude: how far they are apart is up to two guests that share a machine.
        (note,) = run.notes("lvm_skew_seconds")
        assert 0 <= note["lvm_skew_seconds"] < 30

        run.killed_when_frozen(**lvm, snapshot_name="two")
        # Refused before anything is held, on either guest for a reason of its own; the record of the killed run stays.
        (run.folder / "events").unlink()
        targets = "{{ [{'path': '/srv/data'}] if inventory_hostname == 'guest1' else [] }}"
        succeeded, output = run(**{**lvm, "freezer_targets": targets}, snapshot_name="two")
        assert not succeeded
        assert "/srv/data is on data/srv, and its file system is to be frozen around a snapshot of LVM" in output
        assert "There is a snapshot srv-two already." in output
        for guest in run.guests:
            assert run.logged(guest) == [("finalize", "start"), ("finalize", "done")]
            assert snapshots_of(guest) == ["srv-one", "srv-two"]
        succeeded, output = run(playbook="finalize", **lvm, snapshot_name="")
        assert succeeded, output
        for guest in run.guests:
            assert snapshots_of(guest) == ["srv-one"]
            guest.run(f"test ! -e /srv/data/held; {NO_RECORD}")

        succeeded, output = run(**lvm, snapshot_name="three", snapshot_rotation=1)
        assert succeeded, output
        for guest in run.guests:
            assert snapshots_of(guest) == ["srv-three"]
        succeeded, output = run(playbook="remove_backup", **lvm, snapshot_name="three")
        assert succeeded, output
        for guest in run.guests:
            assert snapshots_of(guest) == []
    finally:
        for guest in run.guests:
            guest.attempt("rm -f /srv/data/file /srv/data/held; umount /run/look")
            guest.clear_volumes()
