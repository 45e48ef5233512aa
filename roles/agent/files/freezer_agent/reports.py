# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Results of the engine in words: a title, a few facts, and lists of what somebody should look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import OPTION_KEYS, RETENTION_KEYS

from .report import (
    Concern,
    Report,
    Result,
    add_not_stored,
    as_said,
    failed_storages,
    level_and_why,
    levels_of,
    path_entries,
    place_of,
    which_one,
    whose,
)
from .reports_on_clouds import report_on_cloud
from .wording import as_typed, counted, duration, moment, size

#: So much of an id is shown in a table, and is enough to name a backup by.
_ID_DIGITS = 8

#: The members of a level, in the order in which they are told.
_KINDS = (
    ("files", "file", "files"),
    ("directories", "folder", "folders"),
    ("symbolic_links", "symbolic link", "symbolic links"),
    ("hard_links", "hard link", "hard links"),
    ("fifos", "FIFO", "FIFOs"),
    ("devices", "device", "devices"),
    ("others", "other", "others"),
)
_CHECKED = {
    "segments": "size and hash of every segment",
    "stream": "size and hash of every segment, read through by tar",
    "restore": "size and hash of every segment, restored by tar",
}
#: Of a backup that the agent of OpenStack's Freezer made: it has no hashes.
_CHECKED_OF_FREEZER = {
    "segments": "read to its end",
    "stream": "read to its end",
    "restore": "read to its end, and restored aside",
}


def report_on(action: str, result: Result, compare_to: str | None = None) -> Report:
    """The words for a result of backup, restore, verify (which may have compared with a folder), admin or exec."""
    if "resource_id" in result:
        return report_on_cloud(action, {**result, "compare_to": compare_to})
    describe: dict[str, Callable[[Result], Report]] = {
        "backup": _backup,
        "restore": _restore,
        "verify": _verify,
        "admin": _admin,
        "exec": _exec,
    }
    return describe[action]({**result, "compare_to": compare_to})


def _exec(result: Result) -> Report:
    if result["outcome"] == "planned":
        return Report(f"{result['program']} would be run.")
    good = result["outcome"] == "success"
    title = f"{result['program']} has ended." if good else str(result["message"])
    return Report(title, good=good, facts=[("time", duration(result["duration_seconds"]))])


def _backup(result: Result) -> Report:
    if result["outcome"] == "planned":
        level = f"a backup of level {result['level']}"
        return Report(
            f"Nothing was written. {whose(result)} would get {level}.",
            facts=[("source", result["path_to_backup"]), ("level", level_and_why(result))],
        )
    if result["outcome"] == "unchanged":
        return Report(
            f"No backup of {whose(result)} was made: {as_said(result['reason'])}.",
            facts=[("newest", which_one(result)), ("id", result["backup_id"])],
        )
    whole = result["outcome"] == "success"
    report = Report(f"Backed up {whose(result)}" + ("." if whole else ", but not all of it."), good=whole)
    report.facts = [
        ("id", result["backup_id"]),
        ("source", result["path_to_backup"]),
        ("level", level_and_why(result)),
        ("read", f"{size(result['source_bytes'])} in {_contents(result['counts'])}"),
        *_since_parent(result),
        ("stored", _stored(result)),
        ("time", duration(result["duration_seconds"])),
        ("consistency", _consistency(result)),
        *_sealed(result),
    ]
    if result["source_protected"] is False:
        why = as_said(result["source_protected_reason"])
        report.facts.append(("unprotected", f"links that others put in place of folders could be followed: {why}"))
    for storage in result["storages"]:
        if storage["outcome"] == "success":
            made = ", a new container" if storage.get("made") else ""
            report.facts.append(("in", f"{place_of(storage, storage['folder'])}{made}"))
    add_not_stored(report, result)
    report.add_paths("could not be read", result["unreadable_count"], result["unreadable"])
    remarks = [one for one in result["remarks"] if one.get("kind") != "other_file_system"]
    count = result["remarks_count"] - result["left_out_count"]
    if count:
        title = f"{counted(count, 'remark')} on files that changed or cannot be archived"
        report.concerns.append(Concern(title, count, path_entries(remarks)))
    if result["left_out_count"]:
        title = f"{counted(result['left_out_count'], 'other file system')} left out"
        report.concerns.append(Concern(title, result["left_out_count"], path_entries(result["left_out"])))
    if result["problems"]:
        report.concerns.append(
            Concern("Beside the backup", len(result["problems"]), list(map(as_said, result["problems"])))
        )
    return report


def _sealed(result: Result) -> list[tuple[str, str]]:
    """How a backup is encrypted, and who has signed it."""
    facts = []
    if result.get("encrypted"):
        pair = f", key pair {result['key_id']}" if result["key_id"] else ""
        facts.append(("encrypted", f"{result['encryption']}{pair}"))
    if "signed_by" in result:
        reason = as_typed(str(result["signed_by_reason"]), OPTION_KEYS)
        facts.append(("signed by", result["signed_by"] or f"not checked: {reason}"))
    return facts


def _since_parent(result: Result) -> list[tuple[str, str]]:
    """Of an increment what is gone since its parent, and how much is protected by all levels together."""
    if not result["level"]:
        return []
    gone, all_of_it = (
        {"files": result[f"{what}_files"], "directories": result[f"{what}_folders"]}
        for what in ("deleted", "protected")
    )
    deleted = _contents(gone) if any(gone.values()) else "nothing"
    return [
        ("deleted", f"{deleted} since level {result['level'] - 1}"),
        ("protected", f"{_contents(all_of_it)} in all"),
    ]


def _consistency(result: Result) -> str:
    taken, held = result["snapshot"], result["held_seconds"]
    if taken is None:
        return str(result["consistency"])
    return f"{result['consistency']}: a snapshot of {taken['volume']}" + (f", held for {held:.3f} s" if held else "")


def _contents(counts: Mapping[str, int]) -> str:
    parts = [counted(counts[key], one, many) for key, one, many in _KINDS if counts.get(key)]
    return ", ".join(parts) or "no files"


def _stored(result: Result) -> str:
    text = size(result["stored_bytes"])
    if result["stored_bytes"] >= result["source_bytes"]:
        return f"{text} ({result['compression']})"
    return f"{text} ({result['stored_bytes'] / result['source_bytes']:.0%} of it, {result['compression']})"


def _restore(result: Result) -> Report:
    if "path" in result:
        return _restored_file(result)
    facts = [
        ("id", result["backup_id"]),
        ("backup", which_one(result)),
        ("from", place_of(result, _folder(result))),
        ("to", result["restore_abs_path"]),
    ]
    if result["outcome"] == "planned":
        what = "would be restored" if result["changed"] else "stands there already"
        report = Report(f"Nothing was written. {whose(result)} {what}.", facts=facts)
        report.facts += _selected(result)
        # Into an empty folder nothing but new files can come.
        report.facts.append(
            ("would write", _written(result) if "counts" in result else "all of it, and replace nothing")
        )
        _add_replaced(report, result, "Would be replaced")
        return report
    ending = "."
    if result["outcome"] == "partial":
        ending = ", but not all of it."
    elif result["unreadable_count"]:
        ending = " from a backup that has gaps."
    report = Report(f"Restored {whose(result)}{ending}", good=ending == ".", facts=facts)
    report.facts += [
        ("levels", levels_of(result)),
        *_selected(result),
        ("wrote", _written(result)),
        *_sealed(result),
    ]
    _add_replaced(report, result, "Replaced")
    report.facts.append(("time", duration(result["duration_seconds"])))
    report.add_paths("could not be restored whole", result["not_restored_count"], result["not_restored"])
    report.add_paths("could not be read when the backup was made", result["unreadable_count"], result["unreadable"])
    if result["remarks"]:
        report.concerns.append(Concern("Remarks", len(result["remarks"]), list(result["remarks"])))
    return report


def _restored_file(result: Result) -> Report:
    verb = "Nothing was written. Would write" if result["outcome"] == "planned" else "Wrote"
    report = Report(f"{verb} {result['path']} of {whose(result)}, {size(result['restored_bytes'])}.")
    report.facts = [("id", result["backup_id"]), ("backup", which_one(result))]
    if result["remarks"]:
        report.concerns.append(Concern("Remarks", len(result["remarks"]), list(result["remarks"])))
    return report


def _selected(result: Result) -> list[tuple[str, str]]:
    """How much of the backup a restore of a part is about."""
    return [("selected", counted(result["selected"], "path"))] if "selected" in result else []


def _folder(result: Result) -> str:
    """The folder of the set below the container."""
    name = f"{result['hostname']}_{result['backup_name']}"
    return f"data/tar/{name}" if "format" in result else name


def _written(result: Result) -> str:
    return f"{size(result['restored_bytes'])} in {_contents(result['counts'])}" if result["counts"] else "nothing"


def _add_replaced(report: Report, result: Result, title: str) -> None:
    """Say how what was restored compares with what was there, if anything was."""
    # The folder that was restored into takes the attributes of the backup's, which is nothing to warn of.
    paths = [path for path in result.get("replaced_paths", ()) if path != "."]
    count = result.get("replaced", 0) - (len(result.get("replaced_paths", ())) - len(paths))
    if count:
        report.facts.append(("replaced", counted(count, "path")))
        report.concerns.append(Concern(title, count, paths))
    if result.get("removed"):
        would = "Would be removed" if result["outcome"] == "planned" else "Removed"
        report.facts.append((would.lower().split()[-1], counted(result["removed"], "path")))
        report.concerns.append(Concern(would, result["removed"], list(result["removed_paths"])))
    if "undo_folder" in result:
        report.facts.append(("kept in", result["undo_folder"]))
    if result.get("equal"):
        report.facts.append(("as it was", counted(result["equal"], "path")))


def _verify(result: Result) -> Report:
    same = result["outcome"] == "success"
    title = f"{whose(result)} can be restored"
    if result["compare_to"]:
        title += f", and {'is the same as' if same else 'differs from'} {result['compare_to']}"
    report = Report(f"{title}.", good=same)
    check = "restore" if result["compare_to"] else result["check"]
    report.facts = [
        ("id", result["backup_id"]),
        ("backup", which_one(result)),
        ("levels", levels_of(result)),
        ("stored", size(result["stored_bytes"])),
        ("checked", (_CHECKED_OF_FREEZER if "format" in result else _CHECKED)[check]),
        *_sealed(result),
        ("time", duration(result["duration_seconds"])),
    ]
    if not same:
        count = result["differences_count"]
        report.concerns.append(Concern(counted(count, "difference"), count, result["differences"]))
    if result.get("remarks"):
        report.concerns.append(Concern("Remarks", len(result["remarks"]), list(result["remarks"])))
    return report


def _admin(result: Result) -> Report:
    backups = _backups(result["removed"])
    if result["outcome"] == "planned":
        report = Report(f"Nothing was removed. {backups} of {whose(result)} would be removed.")
    elif result["changed"]:
        report = Report(f"Removed {backups} of {whose(result)}.")
    else:
        report = Report(f"No backup of {whose(result)} was to be removed.")
    failed = failed_storages(result)
    report.good = not failed and not result["damaged"]
    report.facts = [
        ("kept", _backups(result["kept"])),
        ("space", f"{size(result['freed_bytes'])} {'to be freed' if result['outcome'] == 'planned' else 'freed'}"),
        ("time", duration(result["duration_seconds"])),
    ]
    report.table = _decisions(result)
    left = [f"{one['path']} ({size(one['bytes'])})" for one in result["leftovers"]]
    for title, entries in (
        ("Left by runs that were killed", left),
        ("Left alone, with all that it may be built on", list(result["damaged"])),
        ("Not looked through to the end", failed),
    ):
        if entries:
            report.concerns.append(Concern(title, len(entries), entries))
    return report


def _backups(decided: Sequence[Result]) -> str:
    """How many backups, and how many copies of them if they lie in several storages."""
    backups = len({one["backup_id"] for one in decided})
    copies = f" ({len(decided):,} copies)" if len(decided) > backups else ""
    return counted(backups, "backup") + copies


def _decisions(result: Result) -> list[Sequence[str]]:
    """A row for each backup, newest first: whether it is kept, and why."""
    places = {(one["storage"], one["container"]) for one in result["storages"]}
    keep, remove = ("keep", "would go") if result["outcome"] == "planned" else ("kept", "removed")
    rows = [(one, keep, ", ".join(_as_option(reason) for reason in one["reasons"])) for one in result["kept"]] + [
        (one, remove, "") for one in result["removed"]
    ]
    if not rows:
        return []
    rows.sort(key=lambda row: row[0]["timestamp"], reverse=True)
    table: list[Sequence[str]] = [
        ("", "time", "level", "stored", "id", *(["in"] if len(places) > 1 else []), "because of")
    ]
    for one, what, why in rows:
        where = [place_of(one, one["folder"])] if len(places) > 1 else []
        told = (moment(one["timestamp"]), str(one["level"]), size(one["stored_bytes"]), one["backup_id"][:_ID_DIGITS])
        table.append((what, *told, *where, why))
    return table


def _as_option(reason: str) -> str:
    """A reason that begins with the name of an option, with its name as it is typed."""
    name, blank, rest = reason.partition(" ")
    return f"--{name.replace('_', '-')}{blank}{rest}" if name in RETENTION_KEYS else reason
