# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The kernel's table of mounts, and which of them a path is on."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm import ownership
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import mounts

TABLE = r"""22 1 98:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 254:0 / /srv/data rw shared:5 - ext4 /dev/mapper/data-srv rw
31 30 0:40 / /srv/data/with\040space\134 rw - tmpfs none rw
32 22 254:0 /app /mnt/bound rw shared:5 - ext4 /dev/mapper/data-srv rw
33 22 254:9 / /srv/data rw - xfs /dev/mapper/over rw
"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    path = tmp_path / "mountinfo"
    path.write_text(TABLE)
    monkeypatch.setattr(mounts, "_TABLE", str(path))
    return mounts.read_mounts()


@pytest.mark.parametrize(
    ("path", "device", "root"),
    [
        ("/", "98:0", "/"),
        ("/srv/database", "98:0", "/"),
        ("/mnt/bound/deep", "254:0", "/app"),
        ("/srv/data/with space\\/x", "0:40", "/"),
        # What was mounted last at a place covers what was there.
        ("/srv/data/x", "254:9", "/"),
    ],
)
def test_a_path_is_on_the_deepest_mount_above_it(table, path, device, root):
    found = mounts.mount_of(path, table)
    assert (found.device, found.root) == (device, root)


def test_mounts_below_a_path_are_named_once(table):
    assert mounts.mounted_below("/srv", table) == ["/srv/data", "/srv/data/with space\\"]
    assert mounts.mounted_below("/srv/data", table) == ["/srv/data/with space\\"]


def test_the_mounts_of_this_machine_can_be_read():
    assert any(mount.point == "/" for mount in mounts.read_mounts())


def test_a_snapshot_is_left_over_when_its_process_is_gone_and_not_before():
    tags = ownership.tags_for("backup", "host_name with spaces/ü")
    assert not ownership.is_leftover(tags)
    assert ownership.set_tag("host_name with spaces/ü") in tags
    assert all(
        set(tag) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-/=!:#&") for tag in tags
    )
    process = next(tag for tag in tags if tag.startswith("freezer.process="))
    others = [tag for tag in tags if tag != process]
    boot, _pid, started = process.partition("=")[2].split("-")
    assert ownership.is_leftover([*others, f"freezer.process=00000000-{os.getpid()}-{started}"])
    assert ownership.is_leftover([*others, f"freezer.process={boot}-{os.getpid()}-1"])
    assert ownership.is_leftover([*others, f"freezer.process={boot}-4194305-{started}"])
    assert ownership.is_leftover(others)
    assert not ownership.is_leftover(ownership.tags_for("module"))
    assert not ownership.is_leftover([process])
