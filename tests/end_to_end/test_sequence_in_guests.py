# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The playbook backup over ssh, on guests with file systems of their own that really are frozen; and what cuts the way there."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.tests.support.guest_runs import NO_RECORD, WRITES, snapshots_of


def test_guests_are_frozen_at_one_moment_whatever_their_clocks_say_and_held_when_their_ssh_connections_are_cut(run):
    run.pipelining = False
    late = run.guests[1]
    late.run("date -s @$(($(date +%s) + 100)) >/dev/null")

    def cut() -> None:
        run.cannot_be_written()
        for guest in run.guests:
            guest.attempt("for p in $(pgrep -f 'sshd: root'); do kill -9 $p; done", seconds=20)

    try:
        # A guest may need that long to get ready, when this machine is busy.
        succeeded, output = run(cut, freezer_lead_seconds=12)
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
    # By the guests' own clocks, which fall seconds behind where this machine is busy.
    assert 90 < second - first < 110


@pytest.fixture
def thin(run):
    """A thin volume beside the volume `srv`: `/srv/thin`."""
    for guest in run.guests:
        guest.run(
            "lvcreate -qq -y --type thin-pool -L 100M -n pool data; lvcreate -qq -y -W n -V 80M --thinpool pool -n thin data; "
            "mkdir -p /srv/thin; mkfs.ext4 -q -E nodiscard /dev/data/thin; mount /dev/data/thin /srv/thin; "
            "echo first | tee /srv/data/file >/srv/thin/file"
        )
    yield
    for guest in run.guests:
        guest.attempt("umount /run/look /srv/thin; rmdir /srv/thin; rm -f /srv/data/file /srv/data/held")
        guest.clear_volumes()


def test_snapshots_of_lvm_classic_and_thin_are_taken_while_applications_are_held_kept_rotated_and_removed(run, thin):
    def ours(guest):
        return [name for name in snapshots_of(guest) if name not in ("pool", "thin")]

    hold = {"prepare": ["touch", "/srv/data/held"], "finalize": ["rm", "-f", "/srv/data/held"]}
    lvm = {
        "freezer_targets": [{"command": hold}],
        "freezer_lvm_snapshots": [{"path": "/srv/data", "size": "30%FREE"}, {"volume": "data/thin"}],
    }
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
        assert ours(guest) == ["srv-one", "thin-one"]
        assert guest.run("lvs --noheadings -o pool_lv data/thin-one").split() == ["pool"]
        guest.run(
            "test ! -e /srv/data/held; echo second | tee /srv/data/file >/srv/thin/file; sync; mkdir -p /run/look"
        )
        seen = guest.run(
            "mount -o ro,noload /dev/data/srv-one /run/look; cat /run/look/file; ls /run/look; umount /run/look; "
            "lvchange -qq -K -a y data/thin-one; mount -o ro,noload /dev/data/thin-one /run/look; cat /run/look/file; "
            "umount /run/look"
        ).split()
        assert (seen[0], seen[-1]) == ("first", "first")
        assert "held" in seen
    # No more than an order of magnitude: how far they are apart is up to two guests that share a machine.
    (note,) = run.notes("lvm_skew_seconds")
    assert 0 <= note["lvm_skew_seconds"] < 30

    run.killed_when_frozen(**lvm, snapshot_name="two")
    # Refused before anything is held, on either guest for a reason of its own; the record of the killed run stays.
    (run.folder / "events").unlink()
    targets = "{{ [{'path': '/srv/data'}] if inventory_hostname == 'guest1' else [] }}"
    succeeded, output = run(**{**lvm, "freezer_targets": targets}, snapshot_name="two")
    assert not succeeded
    assert "/srv/data is on data/srv, and LVM cannot take a snapshot of a frozen file system" in output
    assert "There is a snapshot srv-two, thin-two already." in output
    for guest in run.guests:
        assert run.logged(guest) == [("finalize", "start"), ("finalize", "done")]
        assert ours(guest) == ["srv-one", "srv-two", "thin-one", "thin-two"]
    succeeded, output = run(playbook="finalize", **lvm, snapshot_name="")
    assert succeeded, output
    for guest in run.guests:
        assert ours(guest) == ["srv-one", "thin-one"]
        guest.run(f"test ! -e /srv/data/held; {NO_RECORD}")

    # One host is enough for what each does for itself.
    lvm["include_instances"] = [run.guests[0].name]
    succeeded, output = run(**lvm, snapshot_name="three", snapshot_rotation=1)
    assert succeeded, output
    assert [ours(guest) for guest in run.guests] == [["srv-three", "thin-three"], ["srv-one", "thin-one"]]
    succeeded, output = run(playbook="remove_backup", **lvm, snapshot_name="three")
    assert succeeded, output
    assert ours(run.guests[0]) == []
