# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The role scheduler on hosts with systemd, those of tests/labs/containers: the molecule scenario ``scheduler``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support.role_runs import changes, copied_collection, run


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """The collection as it is now."""
    return copied_collection(tmp_path)


def test_a_session_backs_two_hosts_up_and_an_upgrade_ends_no_run(hosts, collection, tmp_path):
    said = run(
        collection,
        "molecule",
        *("test", "--scenario-name", "scheduler", "--no-command-borders"),
        MOLECULE_EPHEMERAL_DIRECTORY=str(tmp_path / "molecule"),
        **hosts,
    )
    # A playbook that is not found counts as a success for molecule.
    assert " missing=0 " in said.rpartition("SCENARIO RECAP")[2], said
    # The second look of check mode is at hosts that are as they should be.
    looks = re.findall(r"\[scheduler > check\] Executing(.*?)\[scheduler > check\] Executed", said, re.DOTALL)
    assert [changes(look) for look in looks][1:] == [[0, 0]], said
