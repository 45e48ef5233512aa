# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where snapshots of LVM are mounted."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.mounting import where_mounted
from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.volumes import Volume
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import mounts

TABLE = """22 1 0:31 / /mnt/gone rw - btrfs /dev/mapper/removed-long-ago rw
30 22 254:7 / /mnt/here rw - ext4 /dev/mapper/data-snap rw
"""


def test_a_mount_of_btrfs_whose_device_was_removed_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "mountinfo").write_text(TABLE)
    monkeypatch.setattr(mounts, "_TABLE", str(tmp_path / "mountinfo"))
    volume = Volume(
        "data", "snap", "u", 1, "", "", None, None, "-wi-a-----", (), "/dev/mapper/data-snap", "254:7", False, 1, 1, 1
    )
    assert [mount.point for mount in where_mounted(volume)] == ["/mnt/here"]
