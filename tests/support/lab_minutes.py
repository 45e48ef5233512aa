# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How long the tests of each lab took, said at the end of a run: CONTRIBUTING.md has the budget."""

from __future__ import annotations

import collections
from collections.abc import Iterable

import pytest

#: Fixtures that start a lab; what is built on them has them among its fixtures too.
_LAB_OF = {
    "age_programs": "age",
    "database": "databases",
    "databases": "databases",
    "elasticsearch": "elasticsearch",
    "elasticsearch_8": "elasticsearch",
    "guests": "guests",
    "hosts": "containers",
    "keystone": "openstack",
    "inside": "machines",
    "libfuse": "fuse",
    "nova_lab": "openstack",
    "opensearch": "elasticsearch",
    "others": "collections",
    "secure_elasticsearch": "elasticsearch",
    "swift_lab": "openstack",
    "three": "elasticsearch",
}
WITHOUT = "no lab"
_PROPERTY = "lab"


def lab_of(item: pytest.Item) -> str:
    """The lab that a test needs, the one that takes longest if there are several."""
    # A fixture may be chosen by a parameter of that name.
    asked = [*getattr(item, "fixturenames", ()), *getattr(getattr(item, "callspec", None), "params", {}).values()]
    found = {_LAB_OF[name] for name in asked if isinstance(name, str) and name in _LAB_OF}
    return next(
        (lab for lab in ("guests", "machines", "containers", "openstack") if lab in found), min(found, default=WITHOUT)
    )


class LabMinutes:
    """A plugin of pytest that adds up what tests took, their fixtures and the start of their lab among it."""

    def __init__(self) -> None:
        self._seconds: collections.Counter[str] = collections.Counter()
        self._tests: collections.Counter[str] = collections.Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test was set up, run or taken down, here or by a worker."""
        lab = next((str(value) for name, value in report.user_properties if name == _PROPERTY), WITHOUT)
        self._seconds[lab] += report.duration
        self._tests[lab] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a line for each lab."""
        if sum(self._tests.values()) < 2:
            return
        terminalreporter.section("minutes of each lab (all workers together)")
        for lab, seconds in self._seconds.most_common():
            terminalreporter.line(f"{seconds / 60:7.1f}  {lab} ({self._tests[lab]} tests)")


def note_labs(items: Iterable[pytest.Item]) -> None:
    """Let the report of each test say which lab it needs."""
    for item in items:
        item.user_properties.append((_PROPERTY, lab_of(item)))
