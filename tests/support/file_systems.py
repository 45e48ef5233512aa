# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""File systems of a test's own, in files: something that may be frozen, filled and blocked."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import time
from pathlib import Path

_FREEZE, _THAW = 0xC0045877, 0xC0045878


class Unavailable(Exception):
    """No file system can be mounted here; the message says why."""


class FileSystem:
    """An ext4 in a file, mounted below `folder`."""

    def __init__(self, folder: Path, name: str, image_folder: Path | None = None, megabytes: int = 16) -> None:
        self.image = (image_folder or folder) / f"{name}.img"
        self.path = folder / name
        self.path.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(megabytes * 1024 * 1024)
        try:
            _run("mkfs.ext4", "-q", "-F", str(self.image))
            _run("mount", "-o", "loop", str(self.image), str(self.path))
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            raise Unavailable(f"no file system can be mounted here: {said.strip()}") from error

    def freeze(self) -> None:
        """Freeze it, as somebody else."""
        self._control(_FREEZE)

    def thaw(self) -> None:
        """Thaw it if it is frozen."""
        try:
            self._control(_THAW)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise

    def is_frozen(self) -> bool:
        """Whether it is frozen now. Looking freezes it for a moment if it is not."""
        try:
            self._control(_FREEZE)
        except OSError as error:
            if error.errno == errno.EBUSY:
                return True
            raise
        # A holder and its guard both thaw at the end: the later one may undo the freeze of this look.
        self.thaw()
        return False

    def thawed_after(self, seconds: float) -> float | None:
        """How long it took to be thawed, None if it is frozen still after that time."""
        began = time.monotonic()
        while self.is_frozen():
            if time.monotonic() - began > seconds:
                return None
            time.sleep(0.05)
        return time.monotonic() - began

    def fill(self) -> None:
        """Write to it until nothing more fits."""
        for size in (65536, 4096, 1):
            descriptor = os.open(self.path / "filling", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                while True:
                    os.write(descriptor, b"0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            finally:
                os.close(descriptor)

    def remove(self) -> None:
        """Thaw and unmount it."""
        self.thaw()
        for _attempt in range(50):
            if subprocess.run(["umount", str(self.path)], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        else:
            _run("umount", "-l", str(self.path))
        self.image.unlink(missing_ok=True)

    def _control(self, request: int) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, request, 0)
        finally:
            os.close(descriptor)


def _run(*argv: str) -> None:
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": path})
