# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The medium fs: files and folders of this host as archives."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ...action.options import OptionError, Options
from ...archive import restore_target
from ...archive.census import Census
from ...archive.codec import Codec, codec_for
from ...archive.create import ArchivePlan, create_archive
from ...archive.links import BrokenLinks
from ...archive.scan import expected_size
from ...archive.snar import CannotContinue
from ...archive.tar import Source, below
from ...consistency import databases
from ...consistency import source as consistent
from ...progress import Progress
from ...repository.backup_set import BackupSet, StoredBackup, contents
from ...repository.errors import ArchiveError
from ...repository.levels import LevelPlan
from ...repository.segments import FanOut
from ...repository.stored_set import next_timestamp
from ...storage.choose import storage_for
from ...storage.containers import Containers
from ...system.file_names import shown
from .. import results
from . import file_copies, file_levels
from .base import Copy, Medium, Run


@dataclass(frozen=True)
class Tree:
    """The source for tar, the path that the user gave, and the codec."""

    source: Source
    path: str
    codec: Codec


class Files(Medium[BackupSet, Tree]):
    """The medium ``fs``."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, Containers(options.init))

    def source(self) -> Tree:
        """Raises OptionError if ``path_to_backup`` cannot be read."""
        self._name()
        source, path = self._read()
        return Tree(source, path, codec_for(self.options.compression, self.options.compression_level))

    def _name(self) -> str:
        return self.options.need("backup_name", "a backup is found by its name")

    def _read(self) -> tuple[Source, str]:
        options = self.options
        containers = [container for kind, container in options.places() if kind == "local"]
        path = consistent.home_path(options, os.path.abspath(options.need("path_to_backup", _WHAT)))
        try:
            found = os.stat(path)
        except OSError as problem:
            raise OptionError(f"path_to_backup {shown(path)} cannot be read: {problem.strerror}.") from None
        if stat.S_ISSOCK(found.st_mode):
            raise OptionError(f"path_to_backup {shown(path)} is a socket, and an archive cannot contain one.")
        exclude = [*options.exclude, *databases.left_out(options)]
        is_folder = stat.S_ISDIR(found.st_mode)
        if not os.access(path, os.R_OK | os.X_OK if is_folder else os.R_OK):
            raise OptionError(f"path_to_backup {shown(path)} cannot be read by the user with id {os.geteuid()}.")
        if not is_folder:
            folder, name = os.path.split(path)
            return Source(folder, name, options.dereference_symlink, exclude=exclude), path
        own_output = []
        for container in containers:
            if os.path.realpath(container) == os.path.realpath(path):
                raise OptionError(f"The container {container} is the folder to back up itself; choose another one.")
            inside = below(path, container)
            if inside is not None:
                own_output.append(inside)
        one_file_system = consistent.one_file_system(options, path)
        return Source(path, None, options.dereference_symlink, one_file_system, exclude, own_output), path

    def sets(self, source: Tree | None = None, any_name: bool = False) -> list[BackupSet]:
        """Raises OptionError without ``backup_name``."""
        del source, any_name
        name, options = self._name(), self.options
        return [
            BackupSet(storage_for(kind, container, options.access(kind, container)), options.host, name)
            for kind, container in options.places()
        ]

    def newest(self, one: BackupSet) -> StoredBackup | None:
        """The newest backup that could be continued."""
        return file_levels.newest(one)

    def plan(self, source: Tree, sets: Sequence[BackupSet], now: float) -> dict[str, Any]:
        """With the level and the reason for it."""
        consistent.plan_snapshot(self.options, source.source, sets[0].folder)
        level, parent = file_levels.plan_backup(self.options, sets, source.source, source.path, now)
        return results.described(self.options, source.path, level, parent)

    def store(self, run: Run[BackupSet], source: Tree) -> dict[str, Any]:
        """Archive a consistent source."""
        options, sets = self.options, run.working
        timestamp, ahead = next_timestamp(sets, run.started)
        level, parent = file_levels.plan_backup(options, sets, source.source, source.path, run.started)
        with ExitStack() as stack:
            held = stack.enter_context(consistent.consistent_source(options, source.source, sets[0].folder))
            links = stack.enter_context(BrokenLinks())
            plan = ArchivePlan(
                source=held.source,
                path=source.path,
                hostname=options.host,
                backup_name=sets[0].backup_name,
                backup_id=uuid.uuid4().hex,
                timestamp=timestamp,
                level=level.level,
                parent=parent,
                parent_storage=sets[0].storage,
                set_folder=sets[0].folder,
                codec=source.codec,
                segment_bytes=options.max_segment_size,
                consistency=held.consistency,
                moment_ns=held.moment_ns,
                confirm=held.confirm,
                left_out=held.left_out,
                links=links,
            )
            try:
                stored, census = _create(plan, run.fan_out, run.progress)
            except CannotContinue as obstacle:
                level, parent = LevelPlan(0, None, str(obstacle)), None
                stored, census = _create(replace(plan, level=0, parent=None), run.fan_out, run.progress)
            read_from = os.path.normpath(os.path.join(held.source.folder, held.source.single_file or ""))
            seen = results.Seen(
                read_from if held.snapshot else "", *links.found(), all_excluded=census.all_excluded(held.source)
            )
        result = results.described(options, source.path, level, parent)
        problems = [*ahead, *held.problems]
        result.update(results.done(options, stored, run.sets, run.fan_out, problems, run.containers, seen))
        result.update(results.counted(stored, census))
        said = (result["reason"], seen.excluded_said(), results.left_out_said(result))
        return {**result, "reason": "; ".join(filter(None, said))}

    def asks_cloud(self) -> bool:
        """Whether a storage is in Swift."""
        return any(kind == "swift" for kind, _container in self.options.places())

    def sync(self) -> list[str]:
        """All file systems of this host."""
        os.sync()
        return []

    def lists_containers(self) -> bool:
        """Whether neither a name, a host nor a container is given."""
        options = self.options
        containers = (options.container, *(one.get("container") for one in options.storages))
        return not any((options.backup_name, options.hostname, *containers))

    def check_target(self) -> None:
        """Raises OptionError or ArchiveError."""
        restore_target.check_target(self._target())

    def _target(self) -> str:
        return os.path.abspath(self.options.need("restore_abs_path", "say which folder to restore into"))

    def restore(self, copy: Copy[BackupSet], progress: Progress, dry_run: bool) -> dict[str, Any]:
        """The target becomes visible as a whole. Raises ArchiveError for one that is not empty, unless ``overwrite``."""
        target, storage = self._target(), copy.backup_set.storage
        is_empty = restore_target.is_empty(target)
        if not (self.options.overwrite or is_empty):
            raise ArchiveError(
                f"{shown(target)} is not empty, so nothing was restored into it. Choose another folder, or set overwrite: "
                "files of the backup then replace files of the same name, and other files stay."
            )
        about = {"restore_abs_path": shown(target)}
        if dry_run and is_empty:
            return {**about, "changed": True, "outcome": "planned"}
        if dry_run:
            would = file_copies.would_place(storage, copy.chain, target, progress)
            return {**about, **results.placed(would), "outcome": "planned"}
        met, placed = file_copies.restore_into(storage, copy.chain, target, progress)
        not_restored = met.not_restored + placed.not_restored
        unreadable = copy.manifest.unreadable
        return {
            **about,
            **results.placed(placed),
            "outcome": "partial" if not_restored else "success",
            "not_restored_count": len(not_restored),
            "not_restored": not_restored[: results.LISTED_AT_MOST],
            "remarks": met.warnings,
            "unreadable_count": len(unreadable),
            "unreadable": unreadable[: results.LISTED_AT_MOST],
        }

    def prove(self, copy: Copy[BackupSet], check: str, compare_to: str | None, progress: Progress) -> list[str]:
        """Check sizes and hashes, or read the chain through tar, or restore it into a scratch folder."""
        return file_copies.prove(copy.backup_set.storage, copy.chain, check, compare_to, progress)

    def prove_twin(self, copy: Copy[BackupSet], check: str, progress: Progress) -> None:
        """As `prove` does, without a comparison."""
        self.prove(copy, check, None, progress)

    def describe(self, stored: StoredBackup) -> dict[str, Any]:
        """Host, name, id, level and time."""
        return results.identity(stored.manifest)

    def describe_proof(self, copy: Copy[BackupSet]) -> dict[str, Any]:
        """The size of the chain."""
        return {"stored_bytes": sum(one.manifest.stored_bytes for one in copy.chain)}

    def place(self, one: BackupSet, manifest: Any) -> dict[str, Any]:
        """In the folder of its set."""
        return results.place(one, manifest)

    def list(self) -> dict[str, list[Any]]:
        """The backups of one name, or without a name of every name."""
        options = self.options
        backups: list[dict[str, Any]] = []
        incomplete: list[str] = []
        damaged: list[str] = []
        for kind, container in options.places():
            storage = storage_for(kind, container, options.access(kind, container))
            self.containers.check(storage)
            found = contents(storage, self._may_be_meant)
            surveys = list(found.orphans.values())
            for (hostname, backup_name), survey in found.sets.items():
                if options.backup_name in (None, backup_name) and options.hostname in (None, hostname):
                    surveys.append(survey)
            for survey in surveys:
                backups += [results.listed(storage, one) for one in survey.backups]
                incomplete += survey.incomplete
                damaged += survey.damaged
        return {"backups": backups, "incomplete": incomplete, "damaged": damaged}

    def _may_be_meant(self, folder: str) -> bool:
        """Whether the name of a set's folder matches the host and the name of the action."""
        host, name = self.options.hostname, self.options.backup_name
        return (host is None or folder.startswith(f"{host}_")) and (name is None or folder.endswith(f"_{name}"))


_WHAT = "say which folder or file to back up"


def _create(plan: ArchivePlan, fan_out: FanOut, progress: Progress) -> tuple[StoredBackup, Census]:
    since = plan.parent.manifest.time_started if plan.parent is not None else None
    progress.begin("backup", *(expected_size(plan.source, since) if progress.wants_totals else (None, None)))
    try:
        return create_archive(plan, fan_out, progress)
    finally:
        progress.end()
