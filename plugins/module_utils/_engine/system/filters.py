# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Programs as filters: bytes go in on one side and come out on the other."""

from __future__ import annotations

import fcntl
import io
import os
import threading
from collections.abc import Sequence
from typing import IO, BinaryIO

from . import process
from .errors import HostError

_READ_BYTES = 1 << 20


def filtered(argv: Sequence[str], data: bytes, most_bytes: int) -> bytes:
    """What a program makes of some bytes. Raises HostError if it fails, or has more than `most_bytes` to write."""
    given, made = os.memfd_create("given"), os.memfd_create("made", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        # A few bytes can be made into more than there is memory: beyond this size the kernel takes nothing.
        os.ftruncate(made, most_bytes)
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
        with open(given, "wb", closefd=False) as sink:
            sink.write(data)
        os.lseek(given, 0, os.SEEK_SET)
        with process.Program(argv, stdin=given, stdout=made) as program:
            if program.wait() != 0:
                raise HostError(f"{argv[0]} failed: {program.said()}.")
        # The place in the file is that of the program as well.
        return os.pread(made, os.lseek(made, 0, os.SEEK_CUR), 0)
    finally:
        os.close(given)
        os.close(made)


class _Feeder(threading.Thread):
    """Writes a stream to a program while another thread reads the output of that program."""

    def __init__(self, stream: BinaryIO, sink: IO[bytes]) -> None:
        super().__init__(name="feeder", daemon=True)
        self.failure: BaseException | None = None
        self._stream, self._sink = stream, sink
        self.start()

    def run(self) -> None:
        try:
            for block in iter(lambda: self._stream.read(_READ_BYTES), b""):
                self._sink.write(block)
            self._sink.close()
        except BrokenPipeError:
            pass  # the program has ended: its exit status gives the reason
        except BaseException as problem:  # noqa: BLE001 - handed to the thread that reads
            self.failure = problem
            try:
                self._sink.close()
            except BrokenPipeError:
                pass


class FilterReader(io.RawIOBase):
    """What a program makes of a stream. Reading raises HostError if it fails, and what reading the stream raised."""

    def __init__(self, argv: Sequence[str], stream: BinaryIO) -> None:
        super().__init__()
        self._program = process.Program(argv, stdin=process.PIPE, stdout=process.PIPE)
        self._feeder = _Feeder(stream, self._program.stdin)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        block = self._program.stdout.read(len(buffer))
        buffer[: len(block)] = block
        if not block:
            self._feeder.join()
            if self._feeder.failure is not None:
                raise self._feeder.failure
            if self._program.wait() != 0:
                raise HostError(f"{self._program.name} failed: {self._program.said()}.")
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._program.end()
            self._feeder.join()
        super().close()
