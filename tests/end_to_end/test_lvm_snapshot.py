# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots of LVM in a guest: every kind of file system and path, and whatever stands in the way of one."""

from __future__ import annotations

import time

import pytest

from ansible_collections.freezer.backup.tests.support.guests import Engine, EngineProblem

_ENSURE = """
from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm import ensure
def answer(function, options, check_mode):
    if function == "without_leftovers":
        return ensure.without_leftovers(60, check_mode)
    return getattr(ensure, function)(ensure.Wanted(**options), check_mode)
"""


class Lvm:
    """The engine's snapshots, called in a guest."""

    def __init__(self, guest):
        self.guest = guest
        self._engine = Engine(guest, _ENSURE)
        self.end = self._engine.end
        self._call = self._engine.call

    def present(self, check_mode=False, **options):
        return self._call("present", {"name": "snap", **options}, check_mode)

    def absent(self, check_mode=False, **options):
        return self._call("absent", {"name": "snap", **options}, check_mode)

    def without_leftovers(self, check_mode=False):
        return self._call("without_leftovers", {}, check_mode)


@pytest.fixture(scope="module")
def prepared(lvm_guest):
    """The group ``odd-group`` for the volumes of single tests, on the guest's second disk."""
    lvm_guest.run("vgcreate -qq -y odd-group /dev/ubdc; mkdir -p /srv/data/app; echo a >/srv/data/app/a")
    made = Lvm(lvm_guest)
    yield made
    made.end()
    lvm_guest.run("vgremove -qq -y odd-group; pvremove -qq -y /dev/ubdc; rm -r /srv/data/app")


@pytest.fixture
def lvm(prepared):
    """The snapshots of a guest, in which nothing may be left by a test."""
    before = prepared.guest.traces()
    yield prepared
    after = prepared.guest.traces()
    if after != before:
        prepared.guest.clear_volumes()
    assert after == before


def make(guest, name, kind, size="200M", options="", arguments="", group="odd-group"):
    """A volume with a file system on /mnt/NAME."""
    guest.run(
        f"lvcreate -qq -y -W n {f'-V {size} --thinpool {options}' if options else f'-L {size}'} -n {name} {group}; "
        f"mkfs.{kind} -q /dev/{group}/{name} >/dev/null; mkdir -p /mnt/{name}; "
        f"mount {arguments} /dev/{group}/{name} /mnt/{name}; echo first >/mnt/{name}/file"
    )


def remove(guest, name, group="odd-group"):
    guest.run(f"umount -R /mnt/{name}; lvremove -qq -y {group}/{name}; rmdir /mnt/{name}")


@pytest.mark.parametrize("kind", ["ext4", "xfs", "ext2"])
def test_a_snapshot_of_every_file_system_is_mounted_beside_its_origin_and_keeps_its_moment(lvm, kind):
    guest = lvm.guest
    make(guest, f"of-{kind}", kind, size="320M")
    try:
        result = lvm.present(path=f"/mnt/of-{kind}", mount_point="/mnt/snap", size="64M")
        assert result["changed"]
        assert result["snapshot"]["path"] == "/mnt/snap"
        guest.run(f"echo second >/mnt/of-{kind}/file; sync")
        assert guest.run("cat /mnt/snap/file") == "first\n"
        assert "ro" in guest.run("findmnt -no OPTIONS /mnt/snap").split(",")
        assert guest.attempt("echo x >/mnt/snap/x").returncode != 0
        again = lvm.present(path=f"/mnt/of-{kind}", mount_point="/mnt/snap", size="64M")
        assert not again["changed"]
        assert again["diff"]["before"] == again["diff"]["after"]
        assert lvm.absent(path=f"/mnt/of-{kind}")["changed"]
        assert not lvm.absent(path=f"/mnt/of-{kind}")["changed"]
    finally:
        remove(guest, f"of-{kind}")


def test_a_thin_volume_gets_a_thin_snapshot_and_a_classic_one_where_a_size_is_given(lvm):
    guest = lvm.guest
    guest.run("lvcreate -qq -y --type thin-pool -L 400M -n the-pool odd-group")
    make(guest, "thin-one", "xfs", size="320M", options="the-pool")
    try:
        free = lvm.guest.run("vgs --noheadings -o vg_free_count odd-group")
        thin = lvm.present(path="/mnt/thin-one", mount_point="/mnt/snap")
        assert thin["snapshot"]["thin"]
        assert lvm.guest.run("vgs --noheadings -o vg_free_count odd-group") == free
        guest.run("echo second >/mnt/thin-one/file; sync")
        assert guest.run("cat /mnt/snap/file") == "first\n"
        classic = lvm.present(path="/mnt/thin-one", name="classic", size="32M")
        assert not classic["snapshot"]["thin"]
        assert classic["snapshot"]["size_bytes"] == 32 << 20
        lvm.absent(path="/mnt/thin-one", name="classic")
        lvm.absent(path="/mnt/thin-one")
    finally:
        remove(guest, "thin-one")
        guest.run("lvremove -qq -y odd-group/the-pool")


def test_a_pool_that_is_nearly_full_is_not_made_fuller(lvm):
    guest = lvm.guest
    # No file system, which would write more by itself, whenever it likes.
    guest.run(
        "lvcreate -qq -y --type thin-pool -L 100M -n the-pool odd-group; "
        "lvcreate -qq -y -W n -V 200M --thinpool the-pool -n thin-one odd-group; "
        "dd if=/dev/zero of=/dev/odd-group/thin-one bs=1M count=97 oflag=direct status=none"
    )
    try:
        with pytest.raises(EngineProblem, match=r"thin pool odd-group/the-pool is 97.*% full"):
            lvm.present(volume="odd-group/thin-one")
    finally:
        guest.run("lvremove -qq -y odd-group/thin-one odd-group/the-pool")


def test_names_with_dashes_are_found_and_named_as_they_are(lvm):
    guest = lvm.guest
    make(guest, "a--b-c", "ext4")
    try:
        result = lvm.present(path="/mnt/a--b-c", name="s-1--2", size="32M")
        assert result["snapshot"]["origin"] == "odd-group/a--b-c"
        assert (result["snapshot"]["group"], result["snapshot"]["name"]) == ("odd-group", "s-1--2")
        guest.run(f"test -b {result['snapshot']['device']}")
        for volume in ("/dev/odd-group/a--b-c", "/dev/mapper/odd--group-a----b--c", "odd-group/a--b-c"):
            assert not lvm.present(volume=volume, name="s-1--2")["changed"]
        lvm.absent(volume="odd-group/a--b-c", name="s-1--2")
    finally:
        remove(guest, "a--b-c")


def test_a_path_below_a_mount_point_a_bind_mount_and_a_link_lead_to_their_place_in_the_snapshot(lvm):
    guest = lvm.guest
    guest.run(
        "mkdir -p /mnt/bound /root/links; mount --bind /srv/data/app /mnt/bound; ln -sfn /mnt/bound /root/links/app"
    )
    try:
        result = lvm.present(path="/root/links/app", mount_point="/mnt/snap", size="32M")
        assert result["snapshot"]["origin"] == "data/srv"
        assert guest.run(f"cat {result['snapshot']['path']}/a") == "a\n"
        for path in ("/srv/data/app", "/mnt/bound/.", "/mnt/../mnt/bound"):
            there = lvm.present(path=path, mount_point="/mnt/snap")
            assert not there["changed"]
            assert there["snapshot"]["path"] == "/mnt/snap/app"
        lvm.absent(path="/mnt/bound")
    finally:
        guest.run("umount /mnt/bound; rmdir /mnt/bound; rm -r /root/links")


def test_btrfs_and_a_subvolume_of_it_are_found_in_a_snapshot_that_is_mounted_beside_its_origin(lvm):
    guest = lvm.guest
    make(guest, "sub", "btrfs", size="320M")
    guest.run(
        "btrfs -q subvolume create /mnt/sub/@home; echo first >/mnt/sub/@home/h; mkdir -p /mnt/sub/inner; "
        "mount -o subvol=@home /dev/odd-group/sub /mnt/sub/inner"
    )
    try:
        result = lvm.present(path="/mnt/sub/inner", mount_point="/mnt/snap", size="64M")
        assert result["snapshot"]["path"] == "/mnt/snap/@home"
        guest.run("echo second | tee /mnt/sub/file >/mnt/sub/@home/h; sync")
        assert guest.run("cat /mnt/snap/@home/h /mnt/snap/file") == "first\nfirst\n"
        assert guest.attempt("echo x >/mnt/snap/x").returncode != 0
        assert not lvm.present(path="/mnt/sub", mount_point="/mnt/snap", size="64M")["changed"]
        lvm.absent(path="/mnt/sub/inner")
    finally:
        remove(guest, "sub")


def test_no_free_extents_are_a_refusal_with_the_numbers(lvm):
    guest = lvm.guest
    guest.run("lvcreate -qq -y -W n -l 100%FREE -n filler data")
    try:
        with pytest.raises(
            EngineProblem, match=r"needs 8 extents of 4 MiB, 32 MiB, and the volume group data has 0 free ones"
        ):
            lvm.present(path="/srv/data", size="32M")
        with pytest.raises(EngineProblem, match="has 0 free ones"):
            lvm.present(path="/srv/data", size="32M", check_mode=True)
    finally:
        guest.run("lvremove -qq -y data/filler")


def test_a_path_that_is_on_no_logical_volume_is_refused(lvm):
    with pytest.raises(EngineProblem, match="is on /dev/root .*which is not a logical volume"):
        lvm.present(path="/etc")
    with pytest.raises(EngineProblem, match="There is no /srv/nowhere"):
        lvm.present(path="/srv/nowhere")
    with pytest.raises(EngineProblem, match="There is no logical volume data/none"):
        lvm.present(volume="data/none")


def test_a_frozen_file_system_gives_a_sentence_and_no_half_snapshot(lvm):
    guest = lvm.guest
    lvm.present(path="/srv/data", name="another", size="32M")
    # Thawed when it is told to, and after a minute in any case.
    process = guest.start("fsfreeze -f /srv/data; echo frozen; read -t 60 go; fsfreeze -u /srv/data")
    assert process.stdout.readline() == "frozen\n"
    try:
        with pytest.raises(EngineProblem, match="Its file system is frozen; thaw it first"):
            lvm.present(volume="data/srv", size="32M", timeout_seconds=5)
    finally:
        process.communicate("go\n")
    lvm.absent(volume="data/srv")
    assert guest.run("lvs --noheadings -o lv_name data").split() == ["another", "srv"]
    guest.run("echo goes >/srv/data/on; rm /srv/data/on")
    lvm.absent(path="/srv/data", name="another")


def test_what_a_crash_left_under_the_same_name_is_made_anew_and_what_is_not_ours_is_left_alone(lvm):
    guest = lvm.guest
    # As lvcreate leaves it when it dies between its two steps.
    guest.run("lvcreate -qq -y -L 32M -n snap --addtag freezer.backup --addtag freezer.owner=module data")
    assert lvm.present(path="/srv/data", size="32M")["changed"]
    assert not lvm.present(path="/srv/data", size="32M")["changed"]
    lvm.absent(path="/srv/data")
    guest.run("lvcreate -qq -y -L 32M -n snap data")
    try:
        with pytest.raises(EngineProblem, match="is not a usable snapshot of data/srv"):
            lvm.present(path="/srv/data", size="32M")
        with pytest.raises(EngineProblem, match="is not a snapshot, so it was not removed"):
            lvm.absent(path="/srv/data")
    finally:
        guest.run("lvremove -qq -y data/snap")


def test_a_snapshot_that_has_run_out_of_space_is_made_anew(lvm):
    guest = lvm.guest
    lvm.present(path="/srv/data", size="4M")
    guest.run("dd if=/dev/urandom of=/srv/data/big bs=1M count=20 status=none; sync; rm /srv/data/big")
    assert lvm.present(path="/srv/data", size="32M", check_mode=True)["changed"]
    assert lvm.present(path="/srv/data", size="32M")["snapshot"]["size_bytes"] == 32 << 20
    lvm.absent(path="/srv/data")


def test_a_lock_of_lvm_is_waited_for_but_not_for_ever(lvm):
    guest = lvm.guest
    hold = "flock /run/lock/lvm/V_data bash -c 'echo held; read -t %s go'"
    process = guest.start(hold % 2)
    assert process.stdout.readline() == "held\n"
    assert lvm.present(path="/srv/data", size="32M")["changed"]
    process.wait()
    process = guest.start(hold % 60)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(EngineProblem, match="lock"):
        lvm.present(path="/srv/data", name="second", size="32M", timeout_seconds=4)
    assert process.poll() is None, "it was waited for until the lock was free"
    process.communicate("go\n")
    lvm.absent(path="/srv/data")


def test_who_reads_in_a_snapshot_is_waited_for_and_then_named_as_the_reason(lvm):
    guest = lvm.guest
    lvm.present(path="/srv/data", size="32M", mount_point="/mnt/snap")
    process = guest.start("cd /mnt/snap; echo there; read -t 60 go")
    assert process.stdout.readline() == "there\n"
    with pytest.raises(EngineProblem, match="could not be removed: .*busy"):
        lvm.absent(path="/srv/data", timeout_seconds=5)
    process.communicate("go\n")
    process = guest.start("cd /mnt/snap; echo there; sleep 2")
    assert process.stdout.readline() == "there\n"
    assert lvm.absent(path="/srv/data")["changed"]
    process.wait()


def test_leftovers_of_dead_backups_are_removed_and_nothing_else(lvm):
    guest = lvm.guest
    tags = "--addtag freezer.backup --addtag freezer.set=h_n --addtag freezer.owner"
    guest.run(
        f"lvcreate -qq -y -s -L 16M -n dead {tags}=backup --addtag freezer.process=00000000-7-7 data/srv; "
        "umask 077; mkdir -p /run/freezer-backup/snapshots/data.dead; mount -o ro,noload /dev/data/dead /run/freezer-backup/snapshots/data.dead; "
        f"lvcreate -qq -y -s -L 16M -n kept {tags}=module data/srv; "
        "boot=$(cut -c-8 /proc/sys/kernel/random/boot_id); "
        f"lvcreate -qq -y -s -L 16M -n runs {tags}=backup --addtag freezer.process=$boot-1-$(cut -d' ' -f22 /proc/1/stat) data/srv"
    )
    assert lvm.without_leftovers(check_mode=True)["removed"] == ["data/dead"]
    assert lvm.without_leftovers()["changed"]
    assert not lvm.without_leftovers()["changed"]
    assert guest.run("lvs --noheadings -o lv_name data").split() == ["kept", "runs", "srv"]
    guest.run("lvremove -qq -y data/kept; lvremove -qq -y data/runs")


def test_the_module_is_idempotent_and_check_mode_shows_the_same_diff(lvm):
    guest = lvm.guest
    wanted = {"path": "/srv/data/app", "name": "from-ansible", "size": "32M", "mount_point": "/mnt/snap"}
    gone = {"state": "absent", "volume": "data/srv", "name": "from-ansible"}
    leftovers = {"state": "absent", "leftovers": True}
    checked, made, again, refused = guest.modules(
        ("lvm_snapshot", wanted, "check"),
        ("lvm_snapshot", wanted),
        ("lvm_snapshot", wanted, "check"),
        ("lvm_snapshot", {"path": "/etc", "name": "x"}),
    )
    assert checked["changed"]
    assert made["changed"]
    assert checked["diff"] == made["diff"]
    assert made["diff"]["before"] != made["diff"]["after"]
    assert made["snapshot"]["path"] == "/mnt/snap/app"
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert "not a logical volume" in refused["msg"]
    again, checked, removed, nothing, no_leftovers = guest.modules(
        ("lvm_snapshot", wanted),
        ("lvm_snapshot", gone, "check"),
        ("lvm_snapshot", gone),
        ("lvm_snapshot", gone),
        ("lvm_snapshot", leftovers),
    )
    assert not again["changed"], "check mode has removed it"
    assert checked["changed"]
    assert removed["changed"]
    assert checked["diff"] == removed["diff"]
    assert removed["diff"]["before"] != removed["diff"]["after"]
    assert not nothing["changed"]
    assert not no_leftovers["changed"]
    assert guest.run("lvs --noheadings -o lv_name data").split() == ["srv"]


def test_the_module_keeps_the_newest_of_a_set_and_refuses_a_volume_that_is_frozen_around_it(lvm):
    guest = lvm.guest
    wanted = {"path": "/srv/data", "size": "16M", "prefix_volume": True}
    lvm.present(**wanted, name="other")
    for name in ("a", "b", "c"):
        made = lvm.present(**wanted, name=name, set_name="daily")
        assert made["snapshot"]["name"] == f"srv-{name}"
        # Volumes know the second in which they were made.
        time.sleep(1.1 if name != "c" else 0)
    keep = {"state": "absent", "volume": "data/srv", "set_name": "daily", "keep": 1}
    checked, done, again, refused = guest.modules(
        ("lvm_snapshot", keep, "check"),
        ("lvm_snapshot", keep),
        ("lvm_snapshot", keep),
        ("lvm_snapshot", {**keep, "state": "present"}),
    )
    assert checked["removed"] == done["removed"] == ["data/srv-b", "data/srv-a"]
    assert checked["diff"] == done["diff"]
    assert not again["changed"]
    assert guest.run("lvs --noheadings -o lv_name data").split() == ["srv", "srv-c", "srv-other"]
    assert "keep is for state=absent" in refused["msg"]
    with pytest.raises(
        EngineProblem, match="/srv/data/app is on data/srv, and LVM cannot take a snapshot of a frozen file system"
    ):
        lvm.present(**wanted, name="d", held_paths=["/etc", "/srv/data/app"], check_mode=True)
    for name in ("c", "other"):
        lvm.absent(path="/srv/data", name=name, prefix_volume=True)
