# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Streams as they are stored: frames in segments of a local container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.codec import codec_for
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.compress import Compressor
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.frame_writer import FrameWriter, NewObjects
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.frames import (
    FrameTable,
    pack_frames,
    unpack_frames,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.sealed import Sealing, Unsealed
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.streams import Stream
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.segments import FanOut
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified import BackupObjects
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage


class StoredStream:
    """One stream of a backup in the container `container`."""

    def __init__(
        self,
        container: Path,
        plain: bytes,
        codec: str = "zstd",
        segment_bytes: int = 1 << 21,
        folder: str = "set/1_0",
        sealing: Sealing | None = None,
    ) -> None:
        container.mkdir(exist_ok=True)
        self.storage = LocalStorage(str(container))
        self.codec = codec_for(codec)
        self.sealing = sealing or Unsealed()
        self.folder = folder
        self.path = container / folder
        new = NewObjects(FanOut([self.storage]), folder, self.sealing)
        with FrameWriter(new, "data", ".x", segment_bytes) as writer:
            with Compressor(self.codec, writer.write) as packed:
                packed.write(plain)
                packed.finish()
            writer.finish()
        self.names = [one.name for one in new.objects]
        self.packed_frames = pack_frames(writer.frames)
        new.store_leaves()
        self.objects = new.objects
        self.table = FrameTable(unpack_frames(self.packed_frames, len(self.names), "it"), stream_bytes=len(plain))

    @contextmanager
    def open(self) -> Iterator[Stream]:
        """The stream, to be read."""
        with BackupObjects(self.storage, self.folder, self.objects) as objects:
            yield Stream(objects, self.names, self.table, self.codec, self.sealing)

    def read(self, *ranges: tuple[int, int]) -> bytes:
        """Some parts of it, or all of it."""
        with self.open() as stream, stream.read(ranges or None) as blocks:
            return b"".join(blocks)
