# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How many extents a snapshot gets, and the refusal with the numbers where there are not that many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.errors import SnapshotError
from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.snapshots import check_size, extents_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.volumes import Volume

MIB = 1024**2
#: 100 extents, in a group of 1000 of which 300 are free.
ORIGIN = Volume(
    group="vg",
    name="data",
    uuid="u",
    bytes=400 * MIB,
    origin="",
    pool="",
    data_percent=None,
    metadata_percent=None,
    attributes="-wi-ao----",
    tags=(),
    device="/dev/mapper/vg-data",
    number="254:0",
    is_invalid=False,
    extent_bytes=4 * MIB,
    group_extents=1000,
    free_extents=300,
)


@pytest.mark.parametrize(
    ("size", "extents"),
    [
        ("40M", 10),
        ("41M", 11),
        ("0.5m", 1),
        ("40 MiB", 10),
        ("0.1G", 26),
        ("20%ORIGIN", 20),
        ("20%", 20),
        ("20.5%", 21),
        ("10%FREE", 30),
        ("0.5%free", 1),
        ("5%VG", 50),
        # No more than 4 KiB blocks of a volume of this size can ever need.
        ("1T", 102),
        ("100%FREE", 102),
        ("100%ORIGIN", 100),
    ],
)
def test_a_size_is_rounded_up_to_extents_and_never_more_than_its_origin_can_need(size, extents):
    assert extents_of(size, ORIGIN) == extents


@pytest.mark.parametrize("size", ["0M", "101%", "0%", "12", "1Q", "-5M", "20%ORIGINAL", "", "M", "1e3M", "many"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(SnapshotError, match="is a number with a unit"):
        check_size(size)


def test_a_refusal_has_the_numbers():
    with pytest.raises(
        SnapshotError, match=r"vg/data with 1G needs 102 extents of 4 MiB, 408 MiB, .* vg has 7 free ones, 28 MiB\."
    ):
        extents_of("1G", replace(ORIGIN, free_extents=7))
