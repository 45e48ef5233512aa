# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Compression: every chunk becomes a frame of its own, so that several threads can compress and any tool can read.

Frames of zstd and members of gzip may follow each other in one stream: ``zstd -d`` (RFC 8878, section 3) and
``gzip -d`` (RFC 1952, section 2.2) read the whole as one. Where Python has no zstandard, the ``zstd`` program is
a filter between tar and the segments.
"""

from __future__ import annotations

import gzip
import io
import shutil
import threading
import zlib
from typing import BinaryIO, Protocol, cast

from ..repository.compressions import COMPRESSIONS, LEVELS
from ..repository.errors import ArchiveError
from ..system.errors import HostError
from ..system.filters import FilterReader, filtered

try:
    import zstandard
except ImportError:  # the zstd program is used then
    zstandard = None  # type: ignore[assignment,unused-ignore]

_DECOMPRESS = ("zstd", "--decompress", "--quiet", "--stdout")
_READ_BYTES = 1 << 20
#: Of a small frame, which may be larger than what is in it.
_MARGIN_BYTES = 4096
_GZIP_WRAPPER = 16 + zlib.MAX_WBITS


class Codec:
    """No compression, and the interface of all codecs."""

    name = "none"
    level = 0
    #: The errors of a reader for bytes that this codec has not written.
    decode_errors: tuple[type[BaseException], ...] = ()

    def frame(self, chunk: bytes) -> bytes:
        """One chunk as a complete frame, which can be joined to others. Thread-safe."""
        return chunk

    def plain(self, frame: bytes, size: int) -> bytes:
        """The `size` bytes in a frame, and never more than one beyond that. Raises one of `decode_errors`. Thread-safe."""
        return frame[: size + 1]

    def reader(self, stored: BinaryIO) -> BinaryIO:
        """The plain stream in a stored one."""
        return stored


class _Decompressor(Protocol):
    """What zlib, bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _whole(decompressor: _Decompressor, frame: bytes, size: int) -> bytes:
    """All that is in a frame, which has to be one and nothing else. Raises EOFError."""
    found = decompressor.decompress(frame, size + 1)
    if not decompressor.eof or decompressor.unused_data:
        raise EOFError("a frame that does not end where it should")
    return found


class Gzip(Codec):
    """zlib of the standard library, so that every Python can write and read it."""

    name = "gzip"
    decode_errors = (EOFError, gzip.BadGzipFile, zlib.error)

    def __init__(self, level: int) -> None:
        self.level = level

    def frame(self, chunk: bytes) -> bytes:
        squeeze = zlib.compressobj(self.level, zlib.DEFLATED, _GZIP_WRAPPER)
        return squeeze.compress(chunk) + squeeze.flush()

    def plain(self, frame: bytes, size: int) -> bytes:
        return _whole(zlib.decompressobj(_GZIP_WRAPPER), frame, size)

    def reader(self, stored: BinaryIO) -> BinaryIO:
        return cast(BinaryIO, gzip.GzipFile(fileobj=stored, mode="rb"))


class Zstd(Codec):
    """The zstandard library: frames with a checksum and the content's size."""

    name = "zstd"

    def __init__(self, level: int) -> None:
        self.level = level
        self.decode_errors = (zstandard.ZstdError,)
        self._own = threading.local()

    def frame(self, chunk: bytes) -> bytes:
        # A compressor is not thread-safe; one for each thread also reuses its memory.
        compressor = getattr(self._own, "compressor", None)
        if compressor is None:
            compressor = zstandard.ZstdCompressor(level=self.level, write_checksum=True)
            self._own.compressor = compressor
        return cast(bytes, compressor.compress(chunk))

    def plain(self, frame: bytes, size: int) -> bytes:
        # Without a limit of its own the library would believe the size that the frame says.
        if zstandard.frame_content_size(frame) != size:
            raise zstandard.ZstdError("a frame of another size")
        decompressor = getattr(self._own, "decompressor", None)
        if decompressor is None:
            decompressor = self._own.decompressor = zstandard.ZstdDecompressor()
        return cast(bytes, decompressor.decompress(frame, allow_extra_data=False))

    def reader(self, stored: BinaryIO) -> BinaryIO:
        plain = zstandard.ZstdDecompressor().stream_reader(stored, read_size=1 << 20, read_across_frames=True)
        return cast(BinaryIO, plain)


class ZstdProgram(Codec):
    """The zstd program, run for each frame, for hosts without the library: a third slower."""

    name = "zstd"
    decode_errors = (HostError,)

    def __init__(self, level: int) -> None:
        self.level = level

    def frame(self, chunk: bytes) -> bytes:
        argv = ["zstd", f"-{self.level}", "--quiet", "--stdout", f"--stream-size={len(chunk)}"]
        return filtered(argv, chunk, 2 * len(chunk) + _MARGIN_BYTES)

    def plain(self, frame: bytes, size: int) -> bytes:
        return filtered(_DECOMPRESS, frame, size + 1)

    def reader(self, stored: BinaryIO) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(FilterReader(_DECOMPRESS, stored), _READ_BYTES))


def codec_for(name: str | None = None, level: int | None = None) -> Codec:
    """The codec with this name; without a name zstd if the host has it, else gzip.

    `level` is the codec's own (zstd 1 to 19, gzip 1 to 9; by default 3 and 6). Raises ArchiveError if the
    name or the level is unknown, or if zstd is asked for and neither library nor program is there.
    """
    if name is None:
        name = "zstd" if zstandard is not None or shutil.which("zstd") else "gzip"
    if name not in COMPRESSIONS:
        raise ArchiveError(f"There is no compression {name!r}; use one of {', '.join(COMPRESSIONS)}.")
    if name == "none":
        return Codec()
    best, usual = LEVELS[name]
    if level is None:
        level = usual
    if not 1 <= level <= best:
        raise ArchiveError(f"The compression level {level} of {name} is not between 1 and {best}.")
    if name == "gzip":
        return Gzip(level)
    if zstandard is not None:
        return Zstd(level)
    if shutil.which("zstd"):
        return ZstdProgram(level)
    raise ArchiveError(
        "Neither Python's zstandard library nor the zstd program is on this host; "
        "install one of them, or make new backups with compression gzip."
    )
