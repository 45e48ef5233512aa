# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One stored backup of format version 2, opened: its details, its streams, its catalogue."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import BinaryIO, cast

from ..repository.backup_set import StoredBackup
from ..repository.details import MOST_DETAILS_BYTES, Details, parse_details
from ..repository.errors import DamagedArchive
from ..repository.public_manifest import PACKED_SUFFIXES, PublicManifest
from ..repository.verified import BackupObjects
from ..storage.base import Storage
from .block_maps import BLOCK_BYTES
from .codec import Codec, codec_for
from .frames import FRAME_BYTES, FrameTable, unpack_frames
from .plan import Catalogue
from .sealed import Opened, Sealing
from .streams import Stream

#: Of the table of frames, as stored: 16 TiB of plain bytes.
_MOST_FRAMES_BYTES = 64 << 20
_READ_BYTES = 1 << 20


class _Sequential(io.RawIOBase):
    """An opened object from its beginning to its end."""

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self._opened, self._position = opened, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        end = min(self._position + len(buffer), self._opened.size)
        block = self._opened.read(self._position, end)
        buffer[: len(block)] = block
        self._position = end
        return len(block)


class OpenBackup:
    """A backup, read from one storage. A context: it closes what it has opened."""

    def __init__(self, storage: Storage, folder: str, manifest: PublicManifest, sealing: Sealing) -> None:
        self.manifest, self.folder = manifest, folder
        self._sealing = sealing
        self._objects = BackupObjects(storage, folder, manifest.objects)

    def __enter__(self) -> OpenBackup:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._objects.__exit__(kind, problem, trace)

    @cached_property
    def details(self) -> Details:
        """The details. Raises DamagedArchive, StorageError, or ArchiveError without the key."""
        where = f"details.json of {self.folder}"
        found = parse_details(self._whole("details.json", MOST_DETAILS_BYTES), self.manifest.backup_id, where)
        if (found.block_bytes, found.block_hash) != (BLOCK_BYTES, "sha256"):
            raise DamagedArchive(f"{where} say that files have other blocks than this release reads; use a newer one.")
        if found.frame_bytes != FRAME_BYTES:
            raise DamagedArchive(
                f"{where} say that frames have {found.frame_bytes} bytes, which this release does not read."
            )
        if PACKED_SUFFIXES[found.codec] != self.manifest.packed_suffix:
            raise DamagedArchive(f"{where} say {found.codec}, and the names of the objects another compression.")
        return found

    @cached_property
    def codec(self) -> Codec:
        """What the objects are compressed with."""
        return codec_for(self.details.codec)

    @cached_property
    def data(self) -> Stream:
        """The tar stream."""
        return self._stream("data")

    @cached_property
    def blocks(self) -> Stream:
        """The stream of blocks of large files."""
        return self._stream("blocks")

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue, as a plan reads it."""
        return Catalogue(self.folder, lambda: self.plain("catalogue"))

    @contextmanager
    def plain(self, stem: str) -> Iterator[BinaryIO]:
        """Another object, such as ``snar``, decompressed. Reading raises DamagedArchive or StorageError."""
        stored = io.BufferedReader(_Sequential(self._open(stem)), _READ_BYTES)
        try:
            # Not every reader has lines.
            yield io.BufferedReader(cast(io.RawIOBase, self.codec.reader(cast(BinaryIO, stored))), _READ_BYTES)
        except self.codec.decode_errors as problem:
            raise DamagedArchive(f"{stem} of {self.folder} does not decompress: {problem}.") from problem

    def stored_bytes(self, stem: str) -> int:
        """The size of such an object before it was sealed."""
        return self._open(stem).size

    def _stream(self, stem: str) -> Stream:
        names = {one: self.manifest.segments(one) for one in ("data", "blocks")}
        sizes = self._frames
        first = len(names["data"]) if stem == "blocks" else 0
        length = self.details.stream_bytes if stem == "data" else self.details.block_stream_bytes
        table = FrameTable(sizes[first : first + len(names[stem])], length)
        return Stream(self._objects, names[stem], table, self.codec, self._sealing)

    @cached_property
    def _frames(self) -> list[Sequence[int]]:
        """Of both streams."""
        segments = sum(len(self.manifest.segments(stem)) for stem in ("data", "blocks"))
        return unpack_frames(self._whole("frames", _MOST_FRAMES_BYTES), segments, self.folder)

    def _whole(self, stem: str, most_bytes: int) -> bytes:
        opened = self._open(stem)
        if opened.size > most_bytes:
            raise DamagedArchive(f"{stem} of {self.folder} is larger than it can be ({most_bytes} bytes).")
        return bytes(opened.read(0, opened.size))

    def _open(self, stem: str) -> Opened:
        name = self.manifest.side(stem)
        if name is None:
            raise DamagedArchive(f"{self.folder} has no {stem}.")
        return self._sealing.open(self._objects.object(name))


def open_backup(storage: Storage, backup: StoredBackup, sealing: Sealing) -> OpenBackup:
    """A backup of version 2, opened. Raises TypeError for one of version 1."""
    if not isinstance(backup.manifest, PublicManifest):
        raise TypeError(f"{backup.folder} is of version 1")
    return OpenBackup(storage, backup.folder, backup.manifest, sealing)


def with_details(storage: Storage, backup: StoredBackup, sealing: Sealing) -> StoredBackup:
    """The same backup, of any version, with its details. Raises DamagedArchive, StorageError, or ArchiveError without the key."""
    if backup.details is not None:
        return backup
    with open_backup(storage, backup, sealing) as opened:
        return replace(backup, details=opened.details)
