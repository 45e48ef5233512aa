# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Files and folders of this host become archives."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Callable

from ...action.options import SAME_PLACE, OptionError, Options
from ...archive.census import Census
from ...archive.codec import Codec, codec_for
from ...archive.create import ArchivePlan, create_archive
from ...archive.links import BrokenLinks
from ...archive.scan import expected_size
from ...archive.snar import CannotContinue
from ...archive.tar import Source, below
from ...consistency.live import Live
from ...progress import Progress
from ...repository.backup_set import BackupSet, StoredBackup
from ...repository.levels import LevelPlan
from ...repository.names import check_as_written_here
from ...repository.segments import FanOut
from ...repository.stored_set import next_timestamp
from ...sealing.errors import NoKeyFits
from ...storage.base import Storage
from ...storage.containers import Containers
from ...storage.kept_objects import KeptObjects
from ...system.file_names import shown
from .. import results
from . import file_levels
from .copied import Copied, Run
from .held_keys import HeldKeys, left_out_of
from .kept_levels import is_kept, keep_only
from .sealed_sets import described
from .writing_keys import WritingKeys

#: From a kind of storage, a container and the access to a cloud to the storage.
StorageFor = Callable[[str, str, Mapping[str, Any]], Storage]


@dataclass(frozen=True)
class Tree:
    """The source for tar, the path that the user gave, and the codec."""

    source: Source
    path: str
    codec: Codec


class CopiedFiles(Copied[BackupSet, Tree]):
    """Files of this host. `storage_for` makes the storages, `consistency` reads the source."""

    def __init__(self, options: Options, storage_for: StorageFor, consistency: Live) -> None:
        super().__init__(options, Containers(options.init))
        self._storage_for = storage_for
        self._consistency = consistency
        self._held = HeldKeys(options)

    def source(self) -> Tree:
        """Raises OptionError if ``path_to_backup`` cannot be read, or its backup could not be told from another one."""
        name, folders = self._name(), [container for kind, container in self.options.locations() if kind == "local"]
        if len(set(map(os.path.realpath, folders))) != len(folders):
            raise OptionError(SAME_PLACE)
        if folders:
            check_as_written_here("hostname", self.options.host)
            check_as_written_here("backup_name", name)
        source, path = self._read()
        self._held.refuse_inside(source)
        return Tree(source, path, codec_for(self.options.compression, self.options.compression_level))

    def _name(self) -> str:
        return self.options.need("backup_name", "a backup is found by its name")

    def _read(self) -> tuple[Source, str]:
        options = self.options
        containers = [container for kind, container in options.locations() if kind == "local"]
        path = self._consistency.home_path(options, os.path.abspath(options.need("path_to_backup", _WHAT)))
        try:
            found = os.stat(path)
        except OSError as problem:
            raise OptionError(f"path_to_backup {shown(path)} cannot be read: {problem.strerror}.") from None
        if stat.S_ISSOCK(found.st_mode):
            raise OptionError(f"path_to_backup {shown(path)} is a socket, and an archive cannot contain one.")
        exclude = [*options.exclude, *self._consistency.excluded(options)]
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
        own_output += left_out_of(path)
        one_file_system = self._consistency.one_file_system(options, path)
        return Source(path, None, options.dereference_symlink, one_file_system, exclude, own_output), path

    def sets(self, source: Tree | None = None, any_name: bool = False) -> list[BackupSet]:
        """Those for a backup of a `source` keep on this host what the next level needs. Raises OptionError without ``backup_name``."""
        del any_name
        name, options = self._name(), self.options
        storages = [
            self._storage_for(kind, container, options.access(kind, container))
            for kind, container in options.locations()
        ]
        if source is not None:
            storages = [KeptObjects(one, is_kept) for one in storages]
        return [BackupSet(one, options.host, name) for one in storages]

    def newest(self, one: BackupSet) -> StoredBackup | None:
        """The newest backup that could be continued."""
        return file_levels.newest(one)

    def plan(self, source: Tree, sets: Sequence[BackupSet], now: float) -> dict[str, Any]:
        """With the level and the reason for it."""
        self._consistency.check(self.options, source.source, sets[0].folder)
        keys = WritingKeys(self.options, self._held, self.containers, sets, plans=True)
        level, parent = file_levels.plan_backup(self.options, sets, source.source, source.path, keys, now)
        return results.described(self.options, source.path, level, parent)

    def store(self, run: Run[BackupSet], source: Tree) -> dict[str, Any]:
        """Archive a consistent source."""
        options, sets = self.options, run.working
        timestamp, ahead = next_timestamp(sets, run.started)
        keys = WritingKeys(options, self._held, run.containers, sets, plans=False)
        keys.look_back()
        level, parent = file_levels.plan_backup(options, sets, source.source, source.path, keys, run.started)
        with ExitStack() as stack:
            held = stack.enter_context(self._consistency.read(options, source.source, sets[0].folder))
            links = stack.enter_context(BrokenLinks())
            plan = ArchivePlan(
                source=held.source,
                path=source.path,
                hostname=options.host,
                backup_name=sets[0].backup_name,
                backup_id=uuid.uuid4().hex,
                timestamp=timestamp,
                level=level.level,
                sealing=keys.sealing,
                sign=keys.sign,
                chain=[] if parent is None else sets[0].chain(parent),
                storage=sets[0].storage,
                set_folder=sets[0].folder,
                codec=source.codec,
                segment_bytes=options.max_segment_size,
                least_block_file=options.block_level_size,
                consistency=held.consistency,
                moment_ns=held.moment_ns,
                confirm=held.confirm,
                left_out=held.left_out,
                links=links,
            )
            keys.store(run.fan_out)
            try:
                stored, census = _create(plan, run.fan_out, run.progress)
            except (CannotContinue, NoKeyFits) as obstacle:
                if parent is None:
                    raise
                level, parent = LevelPlan(0, None, str(obstacle)), None
                stored, census = _create(replace(plan, level=0, chain=[]), run.fan_out, run.progress)
            keys.remember(run.fan_out, stored)
            keep_only(sets, [*(plan.chain if stored.manifest.level else []), stored])
            read_from = os.path.normpath(os.path.join(held.source.folder, held.source.single_file or ""))
            seen = results.Seen(
                read_from if held.snapshot else "",
                *links.found(),
                all_excluded=census.all_excluded(held.source),
                protected=held.protection.whole,
                unprotected_reason=held.protection.reason,
            )
        result = results.described(options, source.path, level, parent)
        problems = [*ahead, *held.problems, *keys.problems]
        sealed = {**described(stored), **keys.signed_by()}
        result.update(results.done(options, stored, run.sets, run.fan_out, problems, run.containers, seen, sealed))
        result.update(results.counted(stored, census))
        said = (result["reason"], seen.excluded_said(), results.left_out_said(result))
        return {**result, "reason": "; ".join(filter(None, said))}

    def asks_cloud(self) -> bool:
        """Whether a storage is in Swift."""
        return any(kind == "swift" for kind, _container in self.options.locations())

    def sync(self) -> list[str]:
        """All file systems of this host."""
        os.sync()
        return []

    def describe(self, stored: StoredBackup) -> dict[str, Any]:
        """Host, name, id, level and time."""
        return results.identity(stored.manifest)

    def place(self, one: BackupSet, manifest: Any) -> dict[str, Any]:
        """In the folder of its set."""
        return results.place(one, manifest)


_WHAT = "say which folder or file to back up"


def _create(plan: ArchivePlan, fan_out: FanOut, progress: Progress) -> tuple[StoredBackup, Census]:
    since = plan.parent.manifest.time_started if plan.parent is not None else None
    progress.begin("backup", *(expected_size(plan.source, since) if progress.wants_totals else (None, None)))
    try:
        return create_archive(plan, fan_out, progress)
    finally:
        progress.end()
