# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A mounted backup in words: when it can be read, and when it is unmounted."""

from __future__ import annotations

from ansible_collections.freezer.backup.plugins.module_utils._engine.system.fuse import unmounting

from .report import Concern, Report, Result
from .wording import counted, duration, moment


def _what(result: Result) -> str:
    return f"{result['backup_name']} of {result['hostname']}"


def mounted(result: Result) -> str:
    """The sentence for a backup that is mounted now."""
    point = result["mount_point"]
    return (
        f"Level {result['level']} of {moment(result['timestamp'])} of {_what(result)} is mounted read-only at {point}. "
        f"Ctrl-C, or {unmounting(point)}, ends it."
    )


def report_on_mount(result: Result) -> Report:
    """The words for a result of the action mount."""
    facts = [
        ("id", result["backup_id"]),
        ("backup", f"level {result['level']} of {moment(result['timestamp'])}"),
        ("has", counted(result["paths_count"], "path")),
    ]
    if result["outcome"] == "planned":
        report = Report(f"Nothing was mounted. {_what(result)} would be, at {result['mount_point']}.", facts=facts)
    else:
        whole = result["outcome"] == "success"
        ending = "." if whole else ", not all of which could be read."
        report = Report(f"Unmounted {_what(result)}{ending}", good=whole, facts=facts)
        report.facts.append(("time", duration(result["duration_seconds"])))
        if not whole:
            report.concerns.append(Concern("Not read", result["not_read_count"], list(result["not_read"])))
    if result["remarks"]:
        report.concerns.append(Concern("Remarks", len(result["remarks"]), list(result["remarks"])))
    return report
