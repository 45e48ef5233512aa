# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""gzip, bzip2 and xz, unpacked block by block: what is in them may be far larger than they are.

Several streams behind each other are one, as for ``gzip -d``, ``bzip2 -d`` and ``xz -d``.
"""

from __future__ import annotations

import importlib
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Callable, Protocol

from ..repository.errors import ArchiveError
from ..repository.segments import READ_BYTES

GZIP_WRAPPER = 16 + zlib.MAX_WBITS
#: The modules of Python, which some builds of it lack.
_MODULES = {"gzip": "zlib", "bzip2": "bz2", "xz": "lzma"}


class Undecodable(Exception):
    """These bytes are not what the compression writes."""


class Decompressor(Protocol):
    """What zlib, bz2 and lzma have in common. Its errors are Undecodable."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Unzip:
    """gzip with the interface of the other decompressors."""

    def __init__(self) -> None:
        self._one = zlib.decompressobj(GZIP_WRAPPER)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._one.decompress(self._one.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._one.eof

    @property
    def unused_data(self) -> bytes:
        return self._one.unused_data


def module_for(compression: str) -> Any:
    """The module of Python that has this compression. Raises ArchiveError where there is none."""
    name = _MODULES[compression]
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ArchiveError(
            f"The Python of this host has no module {name}, which {compression} needs; use another Python."
        ) from None


class Unpacking:
    """One kind of decompressor. Raises ArchiveError where Python lacks it."""

    def __init__(self, compression: str, most_memory: int) -> None:
        """`most_memory` (bytes) is that of one decompressor of xz, whose streams say how much they need; the others need 4 MiB."""
        module = module_for(compression)
        self._make: Callable[[], Decompressor]
        self._errors: tuple[type[Exception], ...]
        if compression == "gzip":
            self._make, self._errors = _Unzip, (zlib.error,)
        elif compression == "bzip2":
            self._make, self._errors = module.BZ2Decompressor, (OSError, EOFError)
        else:
            self._make = lambda: module.LZMADecompressor(module.FORMAT_XZ, memlimit=most_memory)
            self._errors = (module.LZMAError, EOFError)

    def whole(self, stored: bytes, most_bytes: int) -> bytes:
        """What is in one stream, and no more than so many bytes. Raises Undecodable if there is more, or another stream."""
        one = self._make()
        found = self._of(one, stored, most_bytes + 1)
        if not one.eof or one.unused_data:
            raise Undecodable("it does not end where it should")
        return found

    def blocks(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """What is in the streams that these pieces have, in blocks of 1 MiB at most. Raises Undecodable while it is read."""
        one: Decompressor | None = None
        for piece in pieces:
            while piece or one is not None:
                if one is None:
                    one = self._make()
                block = self._of(one, piece, READ_BYTES)
                piece = b""
                if block:
                    yield block
                if one.eof:
                    piece, one = one.unused_data, None
                elif len(block) < READ_BYTES:
                    break
        if one is not None:
            raise Undecodable("it ends too early")

    def _of(self, one: Decompressor, stored: bytes, most_bytes: int) -> bytes:
        try:
            return one.decompress(stored, most_bytes)
        except self._errors as problem:
            raise Undecodable(str(problem)) from problem


class UnpackedReader(io.RawIOBase):
    """What is in a stored stream. Reading raises Undecodable."""

    def __init__(self, unpacking: Unpacking, stored: BinaryIO) -> None:
        super().__init__()
        self._blocks = unpacking.blocks(iter(lambda: stored.read(READ_BYTES), b""))
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
