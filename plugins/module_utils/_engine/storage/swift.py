# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A container of Swift as storage.

An object is uploaded in pieces of at most PIECE_BYTES to ``<container>_segments``, side by side, and appears under its
name with the manifest of a static large object, which Swift accepts only if it has every piece with the ETag and the
size that the manifest says. An object that fits into one piece is one upload. When the manifest of a backup is written, its
segments are joined to one more such object, ``data``, so that ``swift download`` gives the whole stream.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import secrets
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Callable, cast
from urllib.parse import quote

from ..http.repeating import Answer
from ..openstack.connection import Cloud
from ..system.undo import on_failure
from .base import Buffer, ObjectWriter, RangeReader, Storage, too_large
from .errors import ObjectMissing, SetBusy, StorageError
from .swift_ranges import SwiftRanges
from .swift_requests import Refused, SwiftRequests, path_of
from .writer import described, writer_line

PIECE_BYTES = 16 << 20
#: So many pieces are in flight at once: with the one that fills, 64 MiB of memory.
UPLOADS = 3
_READ_BYTES = 16 << 20
_MEMORY_BYTES = 8 << 20
#: A hold that is not renewed ends by itself, and with it what a killed run left.
_HOLD_SECONDS = 120.0
LOCK_NAME = ".lock"
STREAM_NAME = "data"
#: Not those that are sealed: joined they are nothing that a program opens.
_SEGMENT = re.compile(r"data\.[0-9]{6,}(\.(zst|gz|bz2|xz))?")
_MANIFEST_NAME = "manifest.json"


class _SwiftWriter(ObjectWriter):
    def __init__(self, storage: SwiftStorage, name: str) -> None:
        self._storage = storage
        self._name = name
        # A name of its own, so that pieces of an object that is replaced stay those of its readers.
        self._prefix = f"{name}/{secrets.token_hex(4)}"
        self._filling = bytearray()
        self._running: list[Future[tuple[str, str, int]]] = []
        self._ended = False
        self._headers: dict[str, str] = {}

    def describe(self, facts: Mapping[str, str]) -> None:
        # What a header holds is bounded, and is no text in every language.
        self._headers = {f"X-Object-Meta-{key}": quote(value, safe=" :/,")[:256] for key, value in facts.items()}

    def write(self, data: Buffer) -> None:
        rest = memoryview(data)
        while rest:
            taken = rest[: self._storage.piece_bytes - len(self._filling)]
            self._filling += taken
            rest = rest[len(taken) :]
            if len(self._filling) == self._storage.piece_bytes:
                self._send()

    def _send(self) -> None:
        piece, self._filling = self._filling, bytearray()
        name = f"{self._prefix}-{len(self._running):08d}"
        self._running.append(self._storage.upload_later(name, piece))
        for done in self._running:
            if done.done():
                done.result()  # a piece that failed ends the object at once and not with its last byte

    def commit(self) -> None:
        self._storage.check_held(self._name)
        if not self._running:
            self._storage.put_whole(self._name, self._filling, self._headers)
        else:
            if self._filling:
                self._send()
            container = self._storage.segments_container
            entries = []
            for done in self._running:
                name, etag, size = done.result()
                entries.append({"path": path_of(container, name), "etag": etag, "size_bytes": size})
            self._storage.put_manifest(self._name, entries, self._headers)
        self._ended = True

    def discard(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._filling = bytearray()
        for one in self._running:
            one.cancel()
        for one in self._running:
            if one.cancelled() or one.exception() is not None:
                continue
            try:
                self._storage.remove_piece(one.result()[0])
            except StorageError:
                pass  # it goes with the folder, or prune finds it


class SwiftStorage(Storage):
    """`container` is the name of a container; it and ``<container>_segments`` are made with the first object."""

    kind = "swift"

    def __init__(self, container: str, connect: Callable[[], Cloud], piece_bytes: int = PIECE_BYTES) -> None:
        if not container or "/" in container or "\0" in container or len(container.encode("utf-8", "replace")) > 247:
            raise StorageError(
                f"The container of a Swift storage is a name of 1 to 247 bytes without a slash, and {container!r} is not one."
            )
        self.container = container
        self.segments_container = f"{container}_segments"
        self.piece_bytes = piece_bytes
        self._swift = SwiftRequests(connect, container)
        self._uploads = ThreadPoolExecutor(max_workers=UPLOADS, thread_name_prefix="swift")
        # Memory is bounded by what is in flight: a writer that is faster than the network waits here.
        self._slots = threading.BoundedSemaphore(UPLOADS)
        #: The pieces of each segment that this run has written, by folder: what ``data`` is joined from.
        self._segments: dict[str, dict[str, dict[str, Any]]] = {}
        self._lost_locks: dict[str, str] = {}

    # ------------------------------------------------------------------ what archives see

    def identity(self) -> str:
        return f"swift:{self._swift.url()}/{quote(self.container, safe='')}"

    def make(self, parents: bool, dry_run: bool = False) -> bool:
        if dry_run:
            return False
        try:
            self._swift.ask("Looking for the container", "HEAD", self.container)
        except ObjectMissing:
            self._swift.ensure_container(self.container)
            return True
        return False

    def put_new(self, name: str, data: Buffer) -> None:
        _check(name, self)
        try:
            self._swift.put(self.container, name, data, {"If-None-Match": "*"})
        except Refused as problem:
            if problem.status != 412:
                raise

    def children(self, folder: str) -> list[str]:
        if folder:
            _check(folder, self)
        prefix = f"{folder}/" if folder else ""
        found: set[str] = set()
        entries = self._swift.listed(self.container, prefix, "/")
        if folder.count("/") == 0:
            # A run that was killed may have left pieces and nothing else: prune looks for its folder.
            pieces = self._swift.listed(self.segments_container, prefix, "/", may_miss=True)
            entries = itertools.chain(entries, pieces)
        for entry in entries:
            name = entry.name[len(prefix) :].rstrip("/")
            if name and not name.startswith("."):
                found.add(name)
        # The joined stream is for people; archives read segments.
        if STREAM_NAME in found and any(_SEGMENT.fullmatch(name) for name in found):
            found.discard(STREAM_NAME)
        return sorted(found)

    def create(self, name: str) -> ObjectWriter:
        _check(name, self)
        self._swift.ensure_container(self.container)
        return _SwiftWriter(self, name)

    def open(self, name: str, most_bytes: int | None = None) -> BinaryIO:
        _check(name, self)
        first = self._read(name, 0, None)
        if first is None:
            return io.BytesIO()
        if most_bytes is not None and first[1] > most_bytes:
            raise too_large(f"{name} of {self.describe()}", most_bytes)
        whole: BinaryIO = io.BytesIO()
        if first[1] > _MEMORY_BYTES:
            whole = cast(BinaryIO, tempfile.TemporaryFile("w+b"))  # noqa: SIM115
        with on_failure(whole.close):
            try:
                self._fetch(name, first, whole)
                whole.seek(0)
                return whole
            except OSError as problem:
                raise StorageError(
                    f"Reading {name} of {self.describe()} failed: {problem.strerror or problem}."
                ) from problem

    def ranges(self, name: str) -> RangeReader:
        """A committed object, for parts of it. Nothing is asked before it is read, and nothing but what is read."""
        _check(name, self)
        return SwiftRanges(partial(self._read, name))

    def blocks(self, name: str) -> Iterator[bytes]:
        """A committed object, however large, block by block. Raises ObjectMissing or StorageError."""
        _check(name, self)
        for answer in self._answers(name, self._read(name, 0, None)):
            yield answer.document

    def _answers(self, name: str, found: tuple[Answer, int] | None) -> Iterator[Answer]:
        """The answers that have an object, from its first one on; `found` is what `_read` gave."""
        position = 0
        while found is not None:
            answer, total = found
            position += len(answer.document)
            if position > total:
                raise StorageError(f"{name} of {self.describe()} came with more than the {total} bytes that it has.")
            yield answer
            if position >= total:
                return
            found = self._read(name, position, answer.headers.get("etag"))
            if found is None or not found[0].document:
                raise StorageError(f"{name} of {self.describe()} ended after {position} of {total} bytes.")

    def sizes(self, name: str) -> tuple[int, int]:
        """What an object says that its size is, and what its pieces have together, which is less if one is missing."""
        _check(name, self)
        answer = self._swift.ask("Reading", "HEAD", self.container, name)
        size = int(answer.headers.get("content-length") or 0)
        if "x-static-large-object" not in answer.headers:
            return size, size
        pieces = self._swift.listed(self.segments_container, f"{name}/", may_miss=True)
        # Pieces of another object below this name are not its own.
        own = [one for one in pieces if "/" not in one.name[len(name) + 1 :] and not one.is_manifest]
        return size, sum(one.size for one in own)

    def _fetch(self, name: str, first: tuple[Answer, int], whole: BinaryIO) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        etag = first[0].headers.get("etag", "").strip('"')
        for answer in self._answers(name, first):
            digest.update(answer.document)
            whole.write(answer.document)
        # The ETag of a large object is no hash of its bytes; Swift has checked those of its pieces.
        if "x-static-large-object" not in answer.headers and digest.hexdigest() != etag:
            raise StorageError(f"{name} of {self.describe()} did not arrive as it is stored: its ETag differs.")

    def delete_folder(self, folder: str) -> None:
        _check(folder, self)
        names = [entry.name for entry in self._swift.listed(self.container, f"{folder}/", may_miss=True)]
        # Without its manifest it is no backup any more, whatever happens next.
        names.sort(key=lambda name: (not name.endswith(f"/{_MANIFEST_NAME}"), name.endswith(f"/{LOCK_NAME}"), name))
        self._swift.delete(self.container, names)
        pieces = self._swift.listed(self.segments_container, f"{folder}/", may_miss=True)
        self._swift.delete(self.segments_container, [piece.name for piece in pieces])
        for known in [known for known in self._segments if f"{known}/".startswith(f"{folder}/")]:
            del self._segments[known]

    def delete(self, name: str) -> None:
        _check(name, self)
        self._swift.delete(self.container, [name])
        pieces = self._swift.listed(self.segments_container, f"{name}/", may_miss=True)
        self._swift.delete(self.segments_container, [piece.name for piece in pieces])

    def size_of(self, folder: str) -> int:
        _check(folder, self)
        return sum(
            entry.size
            for container in (self.container, self.segments_container)
            for entry in self._swift.listed(container, f"{folder}/", may_miss=True)
            if not entry.is_manifest
        )

    @contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        """A lock object that Swift itself lets expire, and that is renewed as long as the context lasts.

        Swift answers from several servers: two runs that begin in the same moment, while some of these are down, could
        both get it. Each of them writes into a folder of its own.
        """
        _check(folder, self)
        self._swift.ensure_container(self.container)
        lock = f"{folder}/{LOCK_NAME}"
        owner = secrets.token_hex(8)
        headers = {
            "X-Delete-After": str(int(_HOLD_SECONDS)),
            "X-Object-Meta-Owner": owner,
            "X-Object-Meta-Writer": writer_line(),
        }
        try:
            self._swift.ask("Locking", "PUT", self.container, lock, data=b"", headers={**headers, "If-None-Match": "*"})
        except Refused as problem:
            # A repeated request may have met its own first one.
            found = self._metadata(lock) if problem.status == 412 else {}
            if found.get("x-object-meta-owner") != owner:
                if problem.status == 412:
                    writer = described(found.get("x-object-meta-writer", ""))
                    raise SetBusy(
                        f"Another run is writing to {folder} of {self.describe()}{writer}; start this one when that has ended. "
                        f"If it was killed, its lock is gone {_HOLD_SECONDS:.0f} seconds later."
                    ) from None
                raise
        released = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(folder, lock, owner, headers, released), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            released.set()
            keeper.join()
            self._lost_locks.pop(folder, None)
            try:
                if self._owner(lock) == owner:
                    self._swift.ask("Unlocking", "DELETE", self.container, lock)
            except StorageError:
                pass  # it expires

    # ------------------------------------------------------------------ for the writers

    def upload_later(self, name: str, piece: bytearray) -> Future[tuple[str, str, int]]:
        """Upload one piece by another thread; the result is its name, its ETag and its size."""
        self._swift.ensure_container(self.segments_container)
        self._slots.acquire()
        with on_failure(self._slots.release):
            running = self._uploads.submit(self._upload, name, piece)
        running.add_done_callback(lambda _done: self._slots.release())
        return running

    def _upload(self, name: str, piece: bytearray) -> tuple[str, str, int]:
        etag = self._swift.put(self.segments_container, name, piece)
        return name, etag, len(piece)

    def put_whole(self, name: str, data: Buffer, headers: Mapping[str, str] | None = None) -> None:
        """One upload under the object's own name."""
        folder, _slash, last = name.rpartition("/")
        if last == _MANIFEST_NAME:
            self._join(folder)
        etag = self._swift.put(self.container, name, data, headers)
        self._written(folder, last, {"etag": etag, "size_bytes": len(data)})

    def put_manifest(self, name: str, entries: list[dict[str, Any]], headers: Mapping[str, str] | None = None) -> None:
        """Let a large object appear, made of pieces that are there."""
        folder, _slash, last = name.rpartition("/")
        if last == _MANIFEST_NAME:
            self._join(folder)
        self._swift.put_large(name, entries, headers)
        self._written(folder, last, {"size_bytes": sum(int(entry["size_bytes"]) for entry in entries)})

    def remove_piece(self, name: str) -> None:
        """Delete a piece that no object is made of."""
        try:
            self._swift.ask("Removing", "DELETE", self.segments_container, name)
        except ObjectMissing:
            pass

    def check_held(self, name: str) -> None:
        """Raise StorageError if another run has taken over the lock of this one."""
        for folder, why in list(self._lost_locks.items()):
            if name.startswith(f"{folder}/"):
                raise StorageError(why)

    # ------------------------------------------------------------------ inside

    def _written(self, folder: str, last: str, what: dict[str, Any]) -> None:
        if _SEGMENT.fullmatch(last):
            self._segments.setdefault(folder, {})[last] = what

    def _join(self, folder: str) -> None:
        """Make the whole stream of a backup one object, if this run has written its segments."""
        segments = self._segments.pop(folder, {})
        entries = [
            {"path": path_of(self.container, f"{folder}/{name}"), **segments[name]}
            for name in sorted(segments, key=lambda name: (len(name), name))
            if segments[name]["size_bytes"]
        ]
        if entries:
            self._swift.put_large(f"{folder}/{STREAM_NAME}", entries)

    def _read(self, name: str, start: int, only_if: str | None, size: int = _READ_BYTES) -> tuple[Answer, int] | None:
        """A block of so many bytes from `start` on, and the size of the whole; None for an object without bytes there."""
        headers = {"Range": f"bytes={start}-{start + size - 1}"}
        if only_if:
            headers["If-Match"] = only_if
        try:
            answer = self._swift.ask("Reading", "GET", self.container, name, headers=headers)
        except Refused as problem:
            if problem.status == 416:
                return None
            if problem.status == 412:
                raise StorageError(f"{name} of {self.describe()} was replaced while it was read.") from problem
            raise
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        return answer, int(total) if total.isdigit() else len(answer.document)

    def _metadata(self, lock: str) -> Mapping[str, str]:
        """The headers of a lock, of none if there is none."""
        try:
            return self._swift.ask("Reading", "HEAD", self.container, lock).headers
        except ObjectMissing:
            return {}

    def _owner(self, lock: str) -> str | None:
        return self._metadata(lock).get("x-object-meta-owner")

    def _keep(self, folder: str, lock: str, owner: str, headers: Mapping[str, str], released: threading.Event) -> None:
        """Renew a lock until it is released; say so if it was lost."""
        while not released.wait(_HOLD_SECONDS / 4):
            try:
                found = self._owner(lock)
                if found != owner:
                    self._lost_locks[folder] = f"The lock of {folder} in {self.describe()} was lost to another run."
                    return
                self._swift.ask("Renewing the lock", "POST", self.container, lock, headers=headers)
            except StorageError:
                continue  # the next turn comes before the lock ends


def _check(name: str, storage: Storage) -> None:
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise StorageError(f"{name!r} is not the name of an object in {storage.describe()}.")
