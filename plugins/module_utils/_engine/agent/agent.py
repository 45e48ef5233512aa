# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backup, restore, verify, prune and info as whole pieces of work: the one room that knows all the others.

Modules, freezer-agent and the scheduler call these functions with a freezer_action and get a dictionary back that can
be printed as JSON. Everything that can go wrong is a FreezerError.
"""

from __future__ import annotations

import os
import stat
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from ..action.options import OptionError, Options, parse_options
from ..archive import restore_target
from ..archive.census import Census
from ..archive.codec import codec_for
from ..archive.create import ArchivePlan, create_archive
from ..archive.links import BrokenLinks
from ..archive.scan import expected_size
from ..archive.snar import CannotContinue
from ..archive.tar import Source, below
from ..consistency import databases
from ..consistency import source as still
from ..errors import FreezerError
from ..progress import Progress
from ..repository.backup_set import BackupSet, StoredBackup, contents
from ..repository.errors import ArchiveError, DamagedArchive
from ..repository.levels import LevelPlan
from ..repository.pruning import PrunableSet, PrunePlan, carry_out, fill_plan
from ..repository.retention import RULES_OF_ACTIONS, Rules
from ..repository.segments import FanOut
from ..repository.stored_set import next_timestamp
from ..storage.base import Storage
from ..storage.choose import storage_for
from ..storage.containers import Containers
from ..storage.errors import StorageError
from ..storage.swift import SwiftStorage
from ..system.file_names import shown
from ..system.scratch import leftovers, remove_leftover, size_of
from . import container_list, copies, planning, results
from .conduct import as_asked


@contextmanager
def _told(work: str) -> Iterator[None]:
    """Turn an error of the system that nobody below could explain better into one that a user can read."""
    try:
        yield
    except OSError as problem:
        raise FreezerError(f"The {work} failed: {problem}.") from problem


def _sets(options: Options) -> list[BackupSet]:
    name = options.need("backup_name", "it is what a backup is found by again")
    return [
        BackupSet(storage_for(kind, container, options.access(kind, container)), options.host, name)
        for kind, container in options.places()
    ]


def _source(options: Options, sets: Sequence[BackupSet]) -> tuple[Source, str]:
    """What to read, and the path that the user means. Raises OptionError if there is nothing to read."""
    given = options.need("path_to_backup", "say which folder or file to back up")
    path = still.home_path(options, os.path.abspath(given))
    try:
        found = os.stat(path)
    except OSError as problem:
        raise OptionError(f"path_to_backup {shown(path)} cannot be read: {problem.strerror}.") from None
    if stat.S_ISSOCK(found.st_mode):
        raise OptionError(f"path_to_backup {shown(path)} is a socket, and archives cannot hold one.")
    exclude = [*options.exclude, *databases.left_out(options)]
    if not stat.S_ISDIR(found.st_mode):
        if not os.access(path, os.R_OK):
            raise OptionError(f"path_to_backup {shown(path)} cannot be read by the user with id {os.geteuid()}.")
        folder, name = os.path.split(path)
        return Source(folder, name, options.dereference_symlink, exclude=exclude), path
    if not os.access(path, os.R_OK | os.X_OK):
        raise OptionError(f"path_to_backup {shown(path)} cannot be read by the user with id {os.geteuid()}.")
    own_output = []
    for backup_set in sets:
        if backup_set.storage.kind != "local":
            continue
        container = backup_set.storage.container
        if os.path.realpath(container) == os.path.realpath(path):
            raise OptionError(f"The container {container} is the folder to back up itself; choose another one.")
        inside = below(path, container)
        if inside is not None:
            own_output.append(inside)
    return (
        Source(path, None, options.dereference_symlink, still.one_file_system(options, path), exclude, own_output),
        path,
    )


@_told("backup")
@as_asked("backup")
def backup(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Back up what an action names, to all its storages.

    The result has ``changed``, ``outcome`` (success or partial), ``level`` and ``reason``, ``backup_id``, where it lies,
    sizes in bytes, what could not be read, and ``metadata``, the body of a POST to /backups. With `dry_run` only
    the plan. Raises FreezerError if no storage has the backup.
    """
    progress = progress or Progress()
    options = parse_options(action)
    options.refuse_for("backup")
    if options.of_cloud:
        # Not before it is needed, here and below: those who keep files need none of it.
        from .media import work as cloud_work

        return cloud_work.backup(options, progress, dry_run or options.dry_run)
    sets = _sets(options)
    source, path = _source(options, sets)
    codec = codec_for(options.compression, options.compression_level)
    started = time.time()
    containers = Containers(options.init)
    lost = containers.lost(backup_set.storage for backup_set in sets)
    there = [backup_set for backup_set in sets if backup_set.storage not in lost]
    if options.min_age is not None:
        found = [planning.newest(backup_set) for backup_set in there]
        # A date in the future is a clock that was wrong; it must not put off backups until then.
        young = [one for one in found if one and abs(started - one.manifest.began) < options.min_age]
        if len(young) == len(sets):
            return results.unchanged(options, young[0], sets)
    if dry_run or options.dry_run:
        still.plan_still(options, source, sets[0].folder)
        level, parent = planning.plan_backup(options, there, source, path, started)
        return {**results.described(options, path, level, parent), "changed": True, "outcome": "planned"}

    with ExitStack() as stack:
        fan_out = FanOut([backup_set.storage for backup_set in sets])
        for backup_set in sets:
            try:
                if backup_set.storage in lost:
                    raise lost[backup_set.storage]
                containers.prepare(backup_set.storage)
                stack.enter_context(backup_set.storage.hold(backup_set.folder))
                backup_set.check_owner()
            except StorageError as problem:
                fan_out.failed(backup_set.storage, problem)
        working = [backup_set for backup_set in sets if backup_set.storage in fan_out.working()]
        timestamp, ahead = next_timestamp(working, started)
        level, parent = planning.plan_backup(options, working, source, path, started)
        held = stack.enter_context(still.held_still(options, source, sets[0].folder))
        links = stack.enter_context(BrokenLinks())
        plan = ArchivePlan(
            source=held.source,
            path=path,
            hostname=options.host,
            backup_name=sets[0].backup_name,
            backup_id=uuid.uuid4().hex,
            timestamp=timestamp,
            level=level.level,
            parent=parent,
            parent_storage=working[0].storage,
            set_folder=sets[0].folder,
            codec=codec,
            segment_bytes=options.max_segment_size,
            consistency=held.consistency,
            moment_ns=held.moment_ns,
            confirm=held.confirm,
            left_out=held.left_out,
            links=links,
        )
        try:
            stored, census = _create(plan, fan_out, progress)
        except CannotContinue as obstacle:
            level, parent = LevelPlan(0, None, str(obstacle)), None
            stored, census = _create(replace(plan, level=0, parent=None), fan_out, progress)
        read_from = os.path.normpath(os.path.join(held.source.folder, held.source.single_file or ""))
        seen = results.Seen(
            read_from if held.snapshot else "", *links.found(), all_excluded=census.all_excluded(held.source)
        )
    result = results.described(options, path, level, parent)
    result.update(results.done(options, stored, sets, fan_out, [*ahead, *held.problems], containers, seen))
    result.update(results.counted(stored, census))
    result["reason"] = "; ".join(filter(None, (result["reason"], seen.excluded_said(), results.left_out_said(result))))
    return result


def _create(plan: ArchivePlan, fan_out: FanOut, progress: Progress) -> tuple[StoredBackup, Census]:
    since = plan.parent.manifest.time_started if plan.parent is not None else None
    progress.begin("backup", *(expected_size(plan.source, since) if progress.wants_totals else (None, None)))
    try:
        return create_archive(plan, fan_out, progress)
    finally:
        progress.end()


@_told("restore")
@as_asked("restore")
def restore(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Restore the backup that an action means into ``restore_abs_path``.

    The target becomes visible as a whole. A folder that is not empty is refused unless ``overwrite``; even then
    nothing is deleted that the backup does not hold. Raises FreezerError; the target is as before then.
    """
    progress = progress or Progress()
    options = parse_options(action)
    options.refuse_for("restore")
    if options.of_cloud:
        from .media import work as cloud_work

        return cloud_work.restore(options, progress, dry_run or options.dry_run)
    target = os.path.abspath(options.need("restore_abs_path", "say which folder to restore into"))
    restore_target.check_target(target)
    chosen = copies.choose(_sets(options), options)
    chosen.refuse_older(options)
    found = chosen.copies
    storage, chain = found[0]
    newest = chain[-1].manifest
    if not options.overwrite and not restore_target.is_empty(target):
        raise ArchiveError(
            f"{shown(target)} is not empty, so nothing was restored into it. Choose another folder, or set overwrite: "
            "then files of the backup replace those of the same name, and all others stay."
        )
    result: dict[str, Any] = {
        "hostname": newest.hostname,
        "backup_name": newest.backup_name,
        "backup_id": newest.backup_id,
        "level": newest.level,
        "timestamp": newest.began,
        "restore_abs_path": shown(target),
        "chain": results.chain_described(chain),
        "storage": storage.kind,
        "container": storage.container,
    }
    if dry_run or options.dry_run:
        if restore_target.is_empty(target):
            return {**result, "changed": True, "outcome": "planned"}
        placed = copies.would_place(storage, chain, target, progress)
        return {**result, **results.placed(placed), "outcome": "planned"}
    started = time.time()
    remarks = chosen.remarks()
    for storage, chain in found:
        try:
            met, placed = copies.restore_into(storage, chain, target, progress)
        except (DamagedArchive, StorageError) as problem:
            if storage is found[-1][0]:
                raise
            remarks.append(f"{problem} The next storage was taken.")
        else:
            result.update({"storage": storage.kind, "container": storage.container})
            break
    not_restored = met.not_restored + placed.not_restored
    return {
        **result,
        **results.placed(placed),
        "outcome": "partial" if not_restored else "success",
        "not_restored_count": len(not_restored),
        "not_restored": not_restored[: results.LISTED_AT_MOST],
        "remarks": (remarks + met.warnings)[: results.LISTED_AT_MOST],
        "unreadable_count": len(newest.unreadable),
        "unreadable": newest.unreadable[: results.LISTED_AT_MOST],
        "duration_seconds": round(time.time() - started, 3),
    }


@_told("verification")
@as_asked("verify")
def verify(action: Mapping[str, Any], progress: Progress | None = None) -> dict[str, Any]:
    """Prove that a backup and everything it is built on can be read, in every storage of the action.

    Nothing is written but a scratch folder.

    ``check`` is ``segments`` (sizes and hashes), ``stream`` (also decompressed and read by tar) or ``restore`` (also
    restored into a scratch folder and, with ``compare_to``, compared with a folder). Raises DamagedArchive if the proof
    fails, or a storage does not have the backup; differences from ``compare_to`` are a result, not an error.
    """
    progress = progress or Progress()
    options = parse_options(action)
    if options.of_cloud:
        from .media import work as cloud_work

        return cloud_work.verify(options, progress)
    if options.compare_to is not None:
        options = replace(options, check="restore")
    chosen = copies.choose(_sets(options), options)
    chosen.need_everywhere()
    found = chosen.copies
    storage, chain = found[0]
    newest = chain[-1].manifest
    started = time.time()
    result: dict[str, Any] = {
        "changed": False,
        "hostname": newest.hostname,
        "backup_name": newest.backup_name,
        "backup_id": newest.backup_id,
        "level": newest.level,
        "timestamp": newest.began,
        "check": options.check,
        "chain": results.chain_described(chain),
        "storage": storage.kind,
        "container": storage.container,
        "stored_bytes": sum(one.manifest.stored_bytes for one in chain),
        "differences": [],
    }
    result["differences"] = copies.prove(storage, chain, options, progress)
    for storage, chain in found[1:]:
        copies.prove(storage, chain, replace(options, compare_to=None), progress)
    result["outcome"] = "different" if result["differences"] else "success"
    result["differences_count"] = len(result["differences"])
    result["differences"] = result["differences"][: results.LISTED_AT_MOST]
    result["duration_seconds"] = round(time.time() - started, 3)
    return result


@_told("removal of old backups")
@as_asked("admin")
def prune(action: Mapping[str, Any], progress: Progress | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Remove the backups of one name that no rule of an action keeps, and what was left of runs that were killed.

    What is left restores, whatever moment this is interrupted in: a backup that another one continues goes after that
    one, and the newest one never. The result says what went (with `dry_run`: would go), what stays and why, and the
    bytes. Raises FreezerError if no storage could be looked through; one of several that fails makes it ``partial``.
    """
    progress = progress or Progress()
    options = parse_options(action)
    rules = Rules(remove_before=options.remove_before_date, **{key: getattr(options, key) for key in RULES_OF_ACTIONS})
    dry_run = dry_run or options.dry_run
    min_age = options.min_age or 0.0
    now = time.time()
    pruned: list[tuple[PrunableSet, PrunePlan]] = []
    failures: list[tuple[PrunableSet, FreezerError]] = []
    anything = False
    containers = Containers(options.init)
    for backup_set in _prunable(options):
        plan = PrunePlan()
        try:
            if isinstance(backup_set.storage, Storage):
                containers.check(backup_set.storage)
            anything |= _prune_set(backup_set, plan, rules, min_age, now, progress, dry_run)
        except FreezerError as problem:
            failures.append((backup_set, problem))
        pruned.append((backup_set, plan))
    if len(failures) == len(pruned) and not any(plan.removed or plan.half for _set, plan in pruned):
        raise failures[0][1]
    found = [(path, size_of(path)) for path in leftovers(min_age, now)]
    scratch = [(path, size) for path, size in found if dry_run or remove_leftover(path)]
    scratch += still.leftover_snapshots(dry_run)
    if not (anything or failures):
        looked_in = ", ".join(backup_set.storage.container for backup_set, _plan in pruned)
        raise FreezerError(f"There is no backup of {pruned[0][0].folder} in {looked_in}, so nothing was removed there.")
    return {
        **results.pruned(options, pruned, failures, scratch),
        "outcome": "partial" if failures else "planned" if dry_run else "success",
        "duration_seconds": round(time.time() - now, 3),
    }


def _prunable(options: Options) -> Sequence[PrunableSet]:
    if options.of_cloud:
        from .media import work as cloud_work

        return cloud_work.prunable(options)
    return _sets(options)


def _prune_set(
    backup_set: PrunableSet,
    plan: PrunePlan,
    rules: Rules,
    min_age: float,
    now: float,
    progress: Progress,
    dry_run: bool,
) -> bool:
    """Look through a set and remove what no rule keeps; whether there was anything at all.

    The plan is filled with what has become of it, also if that fails.
    """
    if backup_set.is_empty():
        return False
    # Nobody else writes below the folder then, so what has no manifest is nobody's.
    with nullcontext() if dry_run else backup_set.hold():
        fill_plan(plan, backup_set, rules, min_age, now)
        if not dry_run:
            progress.begin("prune", plan.freed_bytes)
            try:
                carry_out(backup_set, plan, progress)
            finally:
                progress.end()
    return True


@_told("list of backups")
def info(action: Mapping[str, Any]) -> dict[str, Any]:
    """The backups of one name (or, without a name, of every name) in the storages of an action, newest first.

    Where an action names neither backups nor a container, the containers that there are.
    """
    options = parse_options(action)
    if container_list.is_wanted(options):
        return {"changed": False, **container_list.listed(options)}
    if options.of_cloud:
        from .media import work as cloud_work

        return {"changed": False, **cloud_work.listed(options)}
    backups: list[dict[str, Any]] = []
    incomplete: list[str] = []
    damaged: list[str] = []
    containers = Containers(options.init)
    for kind, container in options.places():
        storage = storage_for(kind, container, options.access(kind, container))
        containers.check(storage)
        found = contents(storage, lambda folder: _may_mean(options, folder))
        surveys = list(found.orphans.values())
        for (hostname, backup_name), survey in found.sets.items():
            if options.backup_name in (None, backup_name) and options.hostname in (None, hostname):
                surveys.append(survey)
        for survey in surveys:
            backups += [results.listed(storage, one) for one in survey.backups]
            incomplete += survey.incomplete
            damaged += survey.damaged
        if isinstance(storage, SwiftStorage) and options.hostname is None:
            from .media import work as cloud_work

            of_clouds = cloud_work.listed_in(storage, options.backup_name)
            backups += of_clouds["backups"]
            incomplete += of_clouds["incomplete"]
            damaged += of_clouds["damaged"]
    backups.sort(key=lambda one: one["timestamp"], reverse=True)
    chosen = options.chosen()
    more = {"chosen": chosen} if chosen else {}
    return {"changed": False, "backups": backups, "incomplete": incomplete, "damaged": damaged, **more}


def _may_mean(options: Options, folder: str) -> bool:
    """Whether the name of a set's folder fits the names that an action gives."""
    starts = options.hostname is None or folder.startswith(f"{options.hostname}_")
    return starts and (options.backup_name is None or folder.endswith(f"_{options.backup_name}"))
