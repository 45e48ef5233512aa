# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What several files of tests in guests and on hosts share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support import labs
from ansible_collections.freezer.backup.tests.support.guest_runs import GuestRuns
from ansible_collections.freezer.backup.tests.support.guests import Guest
from ansible_collections.freezer.backup.tests.support.role_runs import copied_collection, do_without, needed


@pytest.fixture
def run(tmp_path: Path, guests: list[Guest]) -> Iterator[GuestRuns]:
    """Runs of playbooks on both guests, in which nothing of the holds and records of a test stays."""
    made = GuestRuns(tmp_path, guests)
    yield made
    for guest in guests:
        guest.attempt("rm -rf /srv/data/late /srv/data/written /run/freezer-backup /var/lib/freezer-backup")


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, str]]:
    """The variables of tests/labs/containers, whose hosts are this module's for now."""
    with needed(labs.hosts()) as variables:
        yield variables


@pytest.fixture(scope="module")
def others() -> dict[str, str]:
    """The variables that lead to collections of others."""
    try:
        return labs.start("collections")
    except labs.LabUnavailable as reason:
        do_without(reason)


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """The collection as it is now."""
    return copied_collection(tmp_path)
