# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Reads a source with tar: members are seen, blocks of large files kept apart, and all of it stored as frames in segments."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, BinaryIO

from ..progress import Progress
from ..repository.public_manifest import PACKED_SUFFIXES
from . import tar
from .codec import Codec
from .compress import CHUNK_BYTES, Compressor
from .frame_writer import FrameWriter, NewObjects
from .known_maps import KnownMaps
from .large_files import LargeFiles
from .links import BrokenLinks
from .member_stream import FoundMember, MemberStream

_F_SETPIPE_SZ = 1031  # linux/fcntl.h; the name is in Python's fcntl from 3.10 on
_PIPE_BYTES = 1 << 20

#: What is done with every member as it is stored, and with the beginning of its map if it has one.
See = Callable[[FoundMember, "int | None"], None]


@dataclass(frozen=True)
class Reading:
    """How a source is read. Sizes are bytes."""

    source: tar.Source
    #: Of the new backup, for messages.
    folder: str
    level: int
    codec: Codec
    segment_bytes: int
    least_block_file: int
    links: BrokenLinks | None


@dataclass(frozen=True)
class Tree:
    """What became of a source: tar's messages and exit status, frames and sizes (bytes) of both streams."""

    messages: tar.TarMessages
    status: int
    frames: Sequence[Sequence[int]]
    stream_bytes: int
    block_frames: Sequence[Sequence[int]]
    block_stream_bytes: int
    any_maps: bool


def store_tree(
    reading: Reading, new: NewObjects, snar: str, see: See, known: KnownMaps, maps: BinaryIO, progress: Progress
) -> Tree:
    """Run tar, and store its output as segments, committed; `maps` gets the plain maps.

    Raises UnsafeArchive for what a restore would refuse, ArchiveError, StorageError, and what `see` raises.
    """
    suffix = PACKED_SUFFIXES[reading.codec.name]
    with ExitStack() as stack:
        data = stack.enter_context(FrameWriter(new, "data", suffix, reading.segment_bytes))
        blocks = stack.enter_context(FrameWriter(new, "blocks", suffix, reading.segment_bytes))
        packed = stack.enter_context(Compressor(reading.codec, data.write))
        packed_blocks = stack.enter_context(Compressor(reading.codec, blocks.write, beside=packed))

        def store(block: memoryview) -> int:
            begin = packed_blocks.size
            packed_blocks.write(block)
            return begin

        large = LargeFiles(reading.level, known.of_file, store, maps, reading.least_block_file)
        if reading.links is not None:
            reading.links.begin(reading.source.folder)
        argv = tar.create_argv(reading.source, snar, increment=reading.level > 0)
        private = reading.source.private
        archiver = stack.enter_context(tar.start(argv, pass_fds=[] if private is None else [private]))
        errors = tar.TarErrors(archiver.stderr, without_links=private is not None)
        members = MemberStream(reading.folder, lambda found: see(*large.see(found)))
        _pass_on(archiver.stdout, members, large, packed, progress)
        errors.join()
        status = archiver.wait() or 0
        if status in (0, 1):
            members.finish()
        packed.finish()
        packed_blocks.finish()
        data.finish()
        blocks.finish()
        return Tree(errors.messages, status, data.frames, packed.size, blocks.frames, packed_blocks.size, large.any)


def _pass_on(pipe: IO[bytes], members: MemberStream, large: LargeFiles, packed: Compressor, progress: Progress) -> None:
    _widen(pipe)
    while True:
        block = pipe.read(CHUNK_BYTES)
        if not block:
            return
        before = members.members
        content_bytes = members.check(block)
        progress.advance(done_bytes=content_bytes, done_files=members.members - before)
        for piece in large.take(block, members.unread_bytes):
            packed.write(piece)


def _widen(pipe: IO[bytes]) -> None:
    try:
        fcntl.fcntl(pipe.fileno(), _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        pass  # the user's pipe quota is used up: only slower
