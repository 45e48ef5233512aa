# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The guests that other tests build on: what is in them, that they are reached, and that they become as new."""

from __future__ import annotations

import time

import pytest

from ansible_collections.freezer.backup.tests.support import labs


def test_a_guest_has_a_mounted_volume_and_free_extents_beside_it(guest):
    assert guest.run("findmnt -no SOURCE,FSTYPE /srv/data").split() == ["/dev/mapper/data-srv", "ext4"]
    assert float(guest.run("vgs --noheadings --units m --nosuffix -o vg_free data")) > 500
    assert guest.run("systemctl is-system-running").strip() == "running"


def test_starting_what_runs_changes_nothing(guest):
    booted = guest.run("cat /proc/sys/kernel/random/boot_id")
    labs.lab("guests", "up")
    assert guest.run("cat /proc/sys/kernel/random/boot_id") == booted


def test_a_renewed_guest_is_as_after_its_first_boot_and_reached_again(guest):
    guest.run("echo gone >/srv/data/file; echo gone >/root/file; lvcreate -qq -y -L 8M -n more data")
    guest.renew()
    assert guest.run("ls -A /srv/data /root/file 2>/dev/null || :").split() == ["/srv/data:", "lost+found"]
    assert guest.run("lvs --noheadings -o lv_name data").split() == ["srv"]


# What a run does then is in test_sequence_faults_in_guests.py, for which the lab has to do this.
@pytest.mark.soak
def test_a_guest_without_its_cable_runs_on_and_is_reached_again_also_if_it_has_something_to_say(guest):
    guest.run("nohup sh -c 'sleep 2; touch /run/went-on' >/dev/null 2>&1 &")
    guest.run("nohup ping -q -i 0.2 -w 30 10.213.43.1 >/dev/null 2>&1 &")
    labs.lab("guests", "unplug", guest.name)
    try:
        assert guest.attempt("true", seconds=60).returncode != 0
        time.sleep(3)
    finally:
        labs.lab("guests", "plug", guest.name)
    assert guest.attempt("test -e /run/went-on", seconds=30).returncode == 0
