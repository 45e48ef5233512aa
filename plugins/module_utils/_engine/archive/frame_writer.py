# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the objects of a backup: frames into segments, other objects whole; all sealed, hashed, and durable."""

from __future__ import annotations

import shutil
import tempfile
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import IO

from ..repository.errors import ArchiveError
from ..repository.segments import COMMITS_IN_FLIGHT, MOST_SEGMENTS, FannedObject, FanOut
from ..repository.trees import TreeHash
from ..repository.verified import LEAVES_NAME, MOST_SEGMENT_BYTES, StoredTree
from ..storage.base import Buffer
from .sealed import Seal, Sealing

_LEAVES_IN_MEMORY = 1 << 20


class _Sealed:
    """One object while it is written to all storages."""

    def __init__(self, fan_out: FanOut, folder: str, name: str, sealing: Sealing) -> None:
        self.hash = TreeHash()
        self._object = FannedObject(fan_out, folder, name, self.hash)
        self._seal: Seal = sealing.seal(self._object.write, name)
        #: Before it is sealed.
        self.plain_bytes = 0

    def write(self, data: Buffer) -> None:
        self._seal.write(data)
        self.plain_bytes += len(data)

    def commit(self) -> StoredTree:
        self._seal.finish()
        done = self._object.commit()
        return StoredTree(done.name, done.bytes, done.sha256)

    def discard(self) -> None:
        self._object.discard()


class NewObjects:
    """The objects of one new backup, in the order in which the manifest has them."""

    def __init__(self, fan_out: FanOut, folder: str, sealing: Sealing, scratch: str | None = None) -> None:
        """`scratch` is a folder for hashes that take much memory; without one they are in the temporary folder of the host."""
        self.fan_out, self.folder, self.sealing = fan_out, folder, sealing
        self.objects: list[StoredTree] = []
        self._scratch = scratch
        self._leaves = self.leaves_file()

    def leaves_file(self) -> tempfile.SpooledTemporaryFile[bytes]:
        """An empty file for leaves, of which a backup of a TiB has 32 MiB."""
        return tempfile.SpooledTemporaryFile(_LEAVES_IN_MEMORY, dir=self._scratch)

    def add(self, entry: StoredTree, leaves: bytes) -> None:
        """Put the next object in its place."""
        self.objects.append(entry)
        self._leaves.write(leaves)

    def add_all(self, entries: Iterable[StoredTree], leaves: IO[bytes]) -> None:
        """Put the next objects in their places, with the leaves of all of them."""
        self.objects += entries
        leaves.seek(0)
        shutil.copyfileobj(leaves, self._leaves)

    def store(self, name: str, blocks: Iterable[Buffer]) -> StoredTree:
        """Write one object, whose name gets the suffix of the sealing. Raises StorageError if no storage is left."""
        with self.begin(name) as new:
            for block in blocks:
                new.write(block)
        return self.objects[-1]

    @contextmanager
    def begin(self, name: str) -> Iterator[_Sealed]:
        """One object, committed and added when the context ends without an error."""
        new = _Sealed(self.fan_out, self.folder, f"{name}{self.sealing.suffix}", self.sealing)
        try:
            yield new
            self.add(new.commit(), new.hash.leaves())
        finally:
            new.discard()

    def store_leaves(self) -> None:
        """Write ``leaves``, once all objects are there. Raises StorageError if no storage is left."""
        with self._leaves, FannedObject(self.fan_out, self.folder, LEAVES_NAME) as target:
            self._leaves.seek(0)
            for block in iter(lambda: self._leaves.read(_LEAVES_IN_MEMORY), b""):
                target.write(block)
            target.commit()


class FrameWriter:
    """Puts the frames of one stream into segments named ``<stem>.000000<suffix>`` and so on.

    A full segment is made durable by a thread of its own while the next one fills. A context: when it is left, the thread has
    ended and the segment that is being written is forgotten.
    """

    def __init__(self, new: NewObjects, stem: str, suffix: str, segment_bytes: int) -> None:
        self._new, self._stem, self._suffix = new, stem, suffix
        self._segment_bytes = min(segment_bytes, MOST_SEGMENT_BYTES)
        self._current: _Sealed | None = None
        self._commits: deque[Future[tuple[StoredTree, bytes]]] = deque()
        self._done: list[StoredTree] = []
        self._leaves = new.leaves_file()
        self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        #: The compressed size of each frame of each segment.
        self.frames: list[array[int]] = []

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._committer.shutdown(wait=True)
        self._leaves.close()
        if self._current is not None:
            self._current.discard()
            self._current = None

    def write(self, frame: bytes) -> None:
        """Add a frame. Raises StorageError when no storage is left."""
        if self._current is not None and self._current.plain_bytes + len(frame) > self._segment_bytes:
            self._commit_current()
        if self._current is None:
            if len(self.frames) == MOST_SEGMENTS:
                raise ArchiveError(
                    f"A backup has at most {MOST_SEGMENTS} segments, and this one needs more of {self._segment_bytes} bytes each: "
                    "choose a larger max_segment_size."
                )
            name = f"{self._stem}.{len(self.frames):06d}{self._suffix}{self._new.sealing.suffix}"
            self._current = _Sealed(self._new.fan_out, self._new.folder, name, self._new.sealing)
            self.frames.append(array("I"))
        self._current.write(frame)
        self.frames[-1].append(len(frame))

    def _commit_current(self) -> None:
        if self._current is None:
            return
        full, self._current = self._current, None
        self._commits.append(self._committer.submit(_committed, full))
        if len(self._commits) > COMMITS_IN_FLIGHT:
            self._take_commit()

    def _take_commit(self) -> None:
        entry, leaves = self._commits.popleft().result()
        self._done.append(entry)
        self._leaves.write(leaves)

    def finish(self) -> None:
        """Commit the rest, wait until everything is durable, and add the segments. Raises StorageError."""
        self._commit_current()
        while self._commits:
            self._take_commit()
        self._new.add_all(self._done, self._leaves)


def _committed(full: _Sealed) -> tuple[StoredTree, bytes]:
    try:
        return full.commit(), full.hash.leaves()
    finally:
        full.discard()
