# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Results of the engine in words: a title, a few facts, and lists of what somebody should look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import OPTION_KEYS, RETENTION_KEYS
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable

from .wording import as_typed, counted, duration, moment, size

Result = Mapping[str, Any]

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

_CHECKED_IN_CLOUD = {
    "segments": "what there is of it, and its size",
    "stream": "all of its bytes",
    "restore": "restored into the cloud, and read again",
}


@dataclass
class Concern:
    """A list that the reader should look at: what it is, how long it is, and its first entries."""

    title: str
    count: int
    entries: Sequence[str]


@dataclass
class Report:
    """What came of a run. ``good`` is whether all of it is as it should be."""

    title: str
    good: bool = True
    facts: list[tuple[str, str]] = field(default_factory=list)
    #: Rows that are shown whole, the first one with the names of the columns.
    table: list[Sequence[str]] = field(default_factory=list)
    concerns: list[Concern] = field(default_factory=list)

    def add_paths(self, what: str, count: int, found: Sequence[Mapping[str, str]]) -> None:
        """Add a concern about paths, if there are any."""
        if count:
            self.concerns.append(Concern(f"{counted(count, 'path')} {what}", count, _entries(found)))

    def log_lines(self) -> list[str]:
        """Everything, in lines that stand for themselves."""
        lines = [self.title, *(f"{label}: {value}" for label, value in self.facts), *self._table_lines()]
        for concern in self.concerns:
            lines += [f"{concern.title}: {entry}" for entry in concern.entries]
        return lines

    def lines(self, entries_at_most: int) -> list[str]:
        """A block of text, the title first."""
        lines = [printable(self.title)]
        lines += [f"  {label:<12}{printable(value)}" for label, value in self.facts]
        lines += [f"  {printable(line)}" for line in self._table_lines()]
        for concern in self.concerns:
            shown = concern.entries[:entries_at_most]
            lines.append(f"  {concern.title}:")
            lines += [f"    {printable(entry)}" for entry in shown]
            if concern.count > len(shown):
                lines.append(f"    and {concern.count - len(shown):,} more")
        return lines

    def _table_lines(self) -> list[str]:
        widths = [max(map(len, column)) for column in zip(*self.table, strict=True)]
        return [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in self.table
        ]


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


def report_on_cloud(action: str, result: Result) -> Report:
    """The words for what was done with a server or a volume."""
    what = f"{'server' if result['backup_media'] == 'nova' else 'volume'} {result['resource_name'] or result['resource_id']}"
    describe = {"backup": _cloud_backup, "restore": _cloud_restore, "verify": _cloud_verify}[action]
    report = describe(result, what)
    if result.get("problems"):
        report.concerns.append(Concern("Beside that", len(result["problems"]), list(map(_said, result["problems"]))))
    return report


def _cloud_backup(result: Result, what: str) -> Report:
    if result["outcome"] == "planned":
        facts = [("name", result["backup_name"]), ("level", _level(result))]
        return Report(f"Nothing was written. The {what} would be backed up.", facts=facts)
    if result["outcome"] == "unchanged":
        facts = [("newest", _which(result)), ("id", result["backup_id"])]
        return Report(f"No backup of the {what} was made: {_said(result['reason'])}.", facts=facts)
    whole = result["outcome"] == "success"
    report = Report(f"Backed up the {what}" + ("." if whole else ", but not everywhere."), good=whole)
    held = result["held_seconds"]
    report.facts = [
        ("id", result["backup_id"]),
        ("name", result["backup_name"]),
        ("level", _level(result)),
        ("stored", size(result["stored_bytes"])),
        ("time", duration(result["duration_seconds"])),
        ("consistency", f"{result['consistency']}{f', held for {held:.3f} s' if held else ''}"),
    ]
    report.facts += [("in", _where(one, one["folder"])) for one in result["storages"] if one["outcome"] == "success"]
    _add_not_stored(report, result)
    return report


def _add_not_stored(report: Report, result: Result) -> None:
    failed = _failed_storages(result)
    if failed:
        report.concerns.append(Concern("Not stored in", len(failed), failed))


def _failed_storages(result: Result) -> list[str]:
    failed = [one for one in result["storages"] if one["outcome"] == "failed"]
    return [f"{one['container']}: {_said(one['message'])}" for one in failed]


def _cloud_restore(result: Result, what: str) -> Report:
    new = result.get("restored_server") or result.get("restored_volume")
    new_id = result.get("restored_server_id") or result.get("restored_volume_id")
    facts = [("id", result["backup_id"]), ("backup", _which(result)), ("new one", str(new))]
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
        ("backup", _which(result)),
        ("levels", _levels(result)),
        ("stored", size(result["stored_bytes"])),
        ("checked", _CHECKED_IN_CLOUD[result["check"]]),
        ("time", duration(result["duration_seconds"])),
    ]
    report = Report(f"{title}.", good=same, facts=facts)
    if not same:
        report.concerns.append(Concern("Different", result["differences_count"], list(result["differences"])))
    return report


def _exec(result: Result) -> Report:
    if result["outcome"] == "planned":
        return Report(f"{result['program']} would be run.")
    good = result["outcome"] == "success"
    title = f"{result['program']} has ended." if good else str(result["message"])
    return Report(title, good=good, facts=[("time", duration(result["duration_seconds"]))])


def _who(result: Result) -> str:
    return f"{result['backup_name']} of {result['hostname']}"


def _which(result: Result) -> str:
    return f"level {result['level']} of {moment(result['timestamp'])}"


def _level(result: Result) -> str:
    return f"{result['level']} ({_said(result['reason'])})"


def _said(sentence: str) -> str:
    """A sentence of the engine as a reader at a shell needs it."""
    return as_typed(sentence, OPTION_KEYS)


def _where(storage: Result, folder: str) -> str:
    place = f"{storage['container']}/{folder}"
    return place if storage["storage"] == "local" else f"{storage['storage']} {place}"


def _levels(result: Result) -> str:
    return ", ".join(str(one["level"]) for one in result["chain"])


def _entries(found: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"{one['path']}: {one['message']}" if one.get("path") else one["message"] for one in found]


def _backup(result: Result) -> Report:
    if result["outcome"] == "planned":
        level = f"a backup of level {result['level']}"
        return Report(
            f"Nothing was written. {_who(result)} would get {level}.",
            facts=[("source", result["path_to_backup"]), ("level", _level(result))],
        )
    if result["outcome"] == "unchanged":
        return Report(
            f"No backup of {_who(result)} was made: {_said(result['reason'])}.",
            facts=[("newest", _which(result)), ("id", result["backup_id"])],
        )
    whole = result["outcome"] == "success"
    report = Report(f"Backed up {_who(result)}" + ("." if whole else ", but not all of it."), good=whole)
    report.facts = [
        ("id", result["backup_id"]),
        ("source", result["path_to_backup"]),
        ("level", _level(result)),
        ("read", f"{size(result['source_bytes'])} in {_contents(result['counts'])}"),
        *_since_parent(result),
        ("stored", _stored(result)),
        ("time", duration(result["duration_seconds"])),
        ("consistency", _consistency(result)),
        *_sealed(result),
    ]
    if result["source_protected"] is False:
        why = _said(result["source_protected_reason"])
        report.facts.append(("unprotected", f"links that others put in place of folders could be followed: {why}"))
    for storage in result["storages"]:
        if storage["outcome"] == "success":
            made = ", a new container" if storage.get("made") else ""
            report.facts.append(("in", f"{_where(storage, storage['folder'])}{made}"))
    _add_not_stored(report, result)
    report.add_paths("could not be read", result["unreadable_count"], result["unreadable"])
    remarks = [one for one in result["remarks"] if one.get("kind") != "other_file_system"]
    count = result["remarks_count"] - result["left_out_count"]
    if count:
        title = f"{counted(count, 'remark')} on files that changed or cannot be archived"
        report.concerns.append(Concern(title, count, _entries(remarks)))
    if result["left_out_count"]:
        title = f"{counted(result['left_out_count'], 'other file system')} left out"
        report.concerns.append(Concern(title, result["left_out_count"], _entries(result["left_out"])))
    if result["problems"]:
        report.concerns.append(
            Concern("Beside the backup", len(result["problems"]), list(map(_said, result["problems"])))
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
        ("backup", _which(result)),
        ("from", _where(result, _folder(result))),
        ("to", result["restore_abs_path"]),
    ]
    if result["outcome"] == "planned":
        what = "would be restored" if result["changed"] else "stands there already"
        report = Report(f"Nothing was written. {_who(result)} {what}.", facts=facts)
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
    report = Report(f"Restored {_who(result)}{ending}", good=ending == ".", facts=facts)
    report.facts += [
        ("levels", _levels(result)),
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
    report = Report(f"{verb} {result['path']} of {_who(result)}, {size(result['restored_bytes'])}.")
    report.facts = [("id", result["backup_id"]), ("backup", _which(result))]
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
    title = f"{_who(result)} can be restored"
    if result["compare_to"]:
        title += f", and {'is the same as' if same else 'differs from'} {result['compare_to']}"
    report = Report(f"{title}.", good=same)
    check = "restore" if result["compare_to"] else result["check"]
    report.facts = [
        ("id", result["backup_id"]),
        ("backup", _which(result)),
        ("levels", _levels(result)),
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
        report = Report(f"Nothing was removed. {backups} of {_who(result)} would be removed.")
    elif result["changed"]:
        report = Report(f"Removed {backups} of {_who(result)}.")
    else:
        report = Report(f"No backup of {_who(result)} was to be removed.")
    failed = _failed_storages(result)
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
        where = [_where(one, one["folder"])] if len(places) > 1 else []
        told = (moment(one["timestamp"]), str(one["level"]), size(one["stored_bytes"]), one["backup_id"][:_ID_DIGITS])
        table.append((what, *told, *where, why))
    return table


def _as_option(reason: str) -> str:
    """A reason that begins with the name of an option, with its name as it is typed."""
    name, blank, rest = reason.partition(" ")
    return f"--{name.replace('_', '-')}{blank}{rest}" if name in RETENTION_KEYS else reason
