# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is told of a program of LVM that has failed."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.programs import Done


def test_the_reason_is_told_and_not_a_warning_that_came_before_it():
    said = "  WARNING: Sum of all thin volume sizes (160.00 MiB) exceeds the size of thin pool.\n  Not enough space.\n"
    assert Done(5, "", said).first_words == "Not enough space"
    assert Done(5, "", "WARNING: it is late.\n").first_words == "WARNING: it is late"
    assert Done(5, "", "").first_words == "it ended with status 5"
