# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Compression: every chunk becomes a frame of its own, so that several threads can compress and any tool can read.

Frames of zstd and members of gzip may follow each other in one stream: ``zstd -d`` (RFC 8878, section 3) and
``gzip -d`` (RFC 1952, section 2.2) read the whole as one, and so do ``bzip2 -d`` and ``xz -d``. Where Python has no
zstandard, the ``zstd`` program is run for each frame.
"""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO, Callable, cast

from ..repository.compressions import COMPATIBLE, COMPRESSIONS, LEVELS
from ..repository.errors import ArchiveError
from ..storage.base import Buffer
from ..system.errors import HostError
from ..system.filters import FilterReader, filtered
from .decompressors import GZIP_WRAPPER, Undecodable, UnpackedReader, Unpacking, module_for

try:
    import zstandard
except ImportError:  # the zstd program is used then
    zstandard = None  # type: ignore[assignment,unused-ignore]

#: Of a frame of zstd, as RFC 8878 recommends for what comes from elsewhere. A frame of a writer has 1 MiB to refer to.
_MOST_WINDOW_BYTES = 8 << 20
_DECOMPRESS = ("zstd", "--decompress", "--quiet", "--stdout", f"--memory={_MOST_WINDOW_BYTES}")
_READ_BYTES = 1 << 20
#: Of a small frame, which may be larger than what is in it.
_MARGIN_BYTES = 4096
#: Up to this level a thread that compresses takes at most 10 MiB, above it up to 17.
_LIGHT_ZSTD = 9
#: A frame has no more than that to refer to (docs/archive-format.md).
_XZ_DICTIONARY_BYTES = 1 << 20
#: Of a decompressor of xz with such a dictionary, with what it needs besides.
_XZ_MEMORY_BYTES = 2 << 20
#: The bytes of a chunk that parameters are chosen for; smaller ones get smaller tables.
_ZSTD_CHUNK_BYTES = 1 << 20
#: At the usual level the table of short matches has a quarter of zstd's own size, so that the tables stay in the caches of a
#: processor, and matches begin at 6 bytes instead of 5: a sixth less time, for the same size of text and 1.7 % more of programs
#: (docs/benchmarks.md).
_TUNED_LEVEL = LEVELS["zstd"][1]
_TUNED = {"chain_log": 14, "min_match": 6}


class Codec:
    """No compression, and the interface of all codecs."""

    name = "none"
    level = 0
    #: How many threads may compress at a time: their memory belongs to that of a backup.
    most_threads = 4
    #: The errors of a reader for bytes that this codec has not written.
    decode_errors: tuple[type[BaseException], ...] = ()

    def frame(self, chunk: bytes) -> bytes:
        """One chunk as a complete frame, which can be joined to others. Thread-safe."""
        return chunk

    def plain(self, frame: Buffer, size: int) -> bytes:
        """The `size` bytes in a frame, and never more than one beyond that. Raises one of `decode_errors`. Thread-safe."""
        return bytes(frame[: size + 1])

    def reader(self, stored: BinaryIO) -> BinaryIO:
        """The plain stream in a stored one."""
        return stored


class _OfPython(Codec):
    """A compression of Python's standard library: gzip, bzip2 or xz."""

    decode_errors = (Undecodable,)

    def __init__(self, name: str, level: int) -> None:
        self.name, self.level = name, level
        if name == "xz":
            self.most_threads = 3  # 13 MiB each
        self._frame = _FRAMES[name](module_for(name), level)
        self._unpacking = Unpacking(name, _XZ_MEMORY_BYTES)

    def frame(self, chunk: bytes) -> bytes:
        return self._frame(chunk)

    def plain(self, frame: Buffer, size: int) -> bytes:
        return self._unpacking.whole(bytes(frame), size)

    def reader(self, stored: BinaryIO) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(UnpackedReader(self._unpacking, stored), _READ_BYTES))


_Frame = Callable[[bytes], bytes]


def _gzip(zlib: Any, level: int) -> _Frame:
    def frame(chunk: bytes) -> bytes:
        squeeze = zlib.compressobj(level, zlib.DEFLATED, GZIP_WRAPPER)
        return cast(bytes, squeeze.compress(chunk) + squeeze.flush())

    return frame


def _bzip2(bz2: Any, level: int) -> _Frame:
    return lambda chunk: cast(bytes, bz2.compress(chunk, level))


def _xz(lzma: Any, level: int) -> _Frame:
    # The dictionaries of the levels are larger than a frame, and cost up to 90 MiB for each thread.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": level, "dict_size": _XZ_DICTIONARY_BYTES}]
    return lambda chunk: cast(bytes, lzma.compress(chunk, lzma.FORMAT_XZ, filters=filters))


_FRAMES: Mapping[str, Callable[[Any, int], _Frame]] = {"gzip": _gzip, "bzip2": _bzip2, "xz": _xz}


class Zstd(Codec):
    """The zstandard library: frames with a checksum and the content's size."""

    name = "zstd"

    def __init__(self, level: int) -> None:
        self.level = level
        if level > _LIGHT_ZSTD:
            self.most_threads = 2
        self.decode_errors = (zstandard.ZstdError,)
        self._own = threading.local()

    def frame(self, chunk: bytes) -> bytes:
        # A compressor is not thread-safe; one for each thread also reuses its memory.
        compressor = getattr(self._own, "compressor", None)
        if compressor is None:
            compressor = self._own.compressor = self._compressor()
        return cast(bytes, compressor.compress(chunk))

    def _compressor(self) -> zstandard.ZstdCompressor:
        if self.level != _TUNED_LEVEL:
            return zstandard.ZstdCompressor(level=self.level, write_checksum=True)
        parameters = zstandard.ZstdCompressionParameters.from_level(
            self.level, source_size=_ZSTD_CHUNK_BYTES, write_content_size=True, write_checksum=True, **_TUNED
        )
        return zstandard.ZstdCompressor(compression_params=parameters)

    def plain(self, frame: Buffer, size: int) -> bytes:
        # Without a limit of its own the library would believe the size that the frame says.
        if zstandard.frame_content_size(frame) != size:
            raise zstandard.ZstdError("a frame of another size")
        decompressor = getattr(self._own, "decompressor", None)
        if decompressor is None:
            decompressor = self._own.decompressor = zstandard.ZstdDecompressor()
        return cast(bytes, decompressor.decompress(frame, allow_extra_data=False))

    def reader(self, stored: BinaryIO) -> BinaryIO:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW_BYTES)
        plain = decompressor.stream_reader(stored, read_size=1 << 20, read_across_frames=True)
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

    def plain(self, frame: Buffer, size: int) -> bytes:
        return filtered(_DECOMPRESS, bytes(frame), size + 1)

    def reader(self, stored: BinaryIO) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(FilterReader(_DECOMPRESS, stored), _READ_BYTES))


def codec_for(name: str | None = None, level: int | None = None) -> Codec:
    """The codec with this name; without a name zstd if the host has it, else the compatible one.

    `level` is the codec's own; LEVELS has their range and what is usual. Raises ArchiveError if the name or the level is
    unknown, or if the host lacks what the codec needs.
    """
    if name is None:
        name = "zstd" if zstandard is not None or shutil.which("zstd") else COMPATIBLE
    if name not in COMPRESSIONS:
        raise ArchiveError(f"There is no compression {name!r}; use one of {', '.join(COMPRESSIONS)}.")
    if name == "none":
        return Codec()
    best, usual = LEVELS[name]
    if level is None:
        level = usual
    if not 1 <= level <= best:
        raise ArchiveError(f"The compression level {level} of {name} is not between 1 and {best}.")
    if name != "zstd":
        return _OfPython(name, level)
    if zstandard is not None:
        return Zstd(level)
    if shutil.which("zstd"):
        return ZstdProgram(level)
    raise ArchiveError(
        "Neither Python's zstandard library nor the zstd program is on this host; "
        f"install one of them, or make new backups with compression {COMPATIBLE}."
    )
