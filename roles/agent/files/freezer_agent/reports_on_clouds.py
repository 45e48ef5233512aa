# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Results about servers and volumes in words."""

from __future__ import annotations

from .report import (
    Concern,
    Report,
    Result,
    add_not_stored,
    as_said,
    level_and_why,
    levels_of,
    place_of,
    which_one,
)
from .wording import duration, size

_CHECKED_IN_CLOUD = {
    "segments": "what there is of it, and its size",
    "stream": "all of its bytes",
    "restore": "restored into the cloud, and read again",
}


def report_on_cloud(action: str, result: Result) -> Report:
    """The words for what was done with a server or a volume."""
    what = f"{'server' if result['backup_media'] == 'nova' else 'volume'} {result['resource_name'] or result['resource_id']}"
    describe = {"backup": _cloud_backup, "restore": _cloud_restore, "verify": _cloud_verify}[action]
    report = describe(result, what)
    if result.get("problems"):
        report.concerns.append(Concern("Beside that", len(result["problems"]), list(map(as_said, result["problems"]))))
    return report


def _cloud_backup(result: Result, what: str) -> Report:
    if result["outcome"] == "planned":
        facts = [("name", result["backup_name"]), ("level", level_and_why(result))]
        return Report(f"Nothing was written. The {what} would be backed up.", facts=facts)
    if result["outcome"] == "unchanged":
        facts = [("newest", which_one(result)), ("id", result["backup_id"])]
        return Report(f"No backup of the {what} was made: {as_said(result['reason'])}.", facts=facts)
    whole = result["outcome"] == "success"
    report = Report(f"Backed up the {what}" + ("." if whole else ", but not everywhere."), good=whole)
    held = result["held_seconds"]
    report.facts = [
        ("id", result["backup_id"]),
        ("name", result["backup_name"]),
        ("level", level_and_why(result)),
        ("stored", size(result["stored_bytes"])),
        ("time", duration(result["duration_seconds"])),
        ("consistency", f"{result['consistency']}{f', held for {held:.3f} s' if held else ''}"),
    ]
    report.facts += [("in", place_of(one, one["folder"])) for one in result["storages"] if one["outcome"] == "success"]
    add_not_stored(report, result)
    return report


def _cloud_restore(result: Result, what: str) -> Report:
    new = result.get("restored_server") or result.get("restored_volume")
    new_id = result.get("restored_server_id") or result.get("restored_volume_id")
    facts = [("id", result["backup_id"]), ("backup", which_one(result)), ("new one", str(new))]
    if new_id:
        facts.append(("its id", new_id))
    title = {
        "planned": f"Nothing was made. The {what} would be restored as {new}.",
        "unchanged": f"The {what} was restored as {new} before.",
    }
    return Report(title.get(result["outcome"], f"Restored the {what} as {new}."), facts=facts)


def _cloud_verify(result: Result, what: str) -> Report:
    same = result["outcome"] == "success"
    title = f"The backup of the {what} can be restored"
    if result["compare_to"]:
        title += f", and {'is the same as' if same else 'differs from'} {result['compare_to']}"
    facts = [
        ("id", result["backup_id"]),
        ("backup", which_one(result)),
        ("levels", levels_of(result)),
        ("stored", size(result["stored_bytes"])),
        ("checked", _CHECKED_IN_CLOUD[result["check"]]),
        ("time", duration(result["duration_seconds"])),
    ]
    report = Report(f"{title}.", good=same, facts=facts)
    if not same:
        report.concerns.append(Concern("Different", result["differences_count"], list(result["differences"])))
    return report
