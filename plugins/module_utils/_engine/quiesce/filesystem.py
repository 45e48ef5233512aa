# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Freeze and thaw a mounted file system with the kernel's FIFREEZE and FITHAW.

This is for snapshots of a storage or a hypervisor. LVM freezes a mounted file system by itself, and cannot take a
snapshot of one that is frozen already.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import tempfile

from ..system import mounts
from ..system.mounts import Mount
from .base import Driver, Limits, QuiesceError

# _IOWR('X', 119, int) and _IOWR('X', 120, int), the same number on every architecture of Linux.
_FREEZE, _THAW = 0xC0045877, 0xC0045878


def mount_of(path: str) -> Mount:
    """The mount of a path. Raises QuiesceError if the path does not exist."""
    real = os.path.realpath(path)
    if not os.path.exists(real):
        raise QuiesceError(f"There is no {path}, so its file system cannot be frozen.")
    return mounts.mount_of(real, mounts.read_mounts())


def _needed_paths() -> list[str]:
    """Paths that Ansible, the system or this process need; if they were frozen, Ansible would be locked out."""
    return [
        tempfile.gettempdir(),
        "/tmp",
        "/var/tmp",
        "/var/log",
        "/run",
        "/",
        sys.prefix,
        os.path.dirname(os.__file__),
    ]


class FileSystem(Driver):
    """The file system of a path."""

    kind = "path"
    rank = 2
    consistency = "fs"

    def __init__(self, path: str, timeout_seconds: float, force: bool = False) -> None:
        super().__init__(f"file system of {path}", timeout_seconds)
        self._path = path
        self._force = force
        self._descriptor = -1
        self._refused = False

    @property
    def device(self) -> str:
        """The device number, which identifies a file system."""
        return mount_of(self._path).device

    def check(self, limits: Limits) -> None:
        mount = mount_of(self._path)
        self.facts.update(mount_point=mount.point, file_system=mount.kind)
        table = mounts.read_mounts()
        needed = [] if self._force else [*_needed_paths(), *limits.unless_forced]
        for path in needed:
            if mounts.mount_of(os.path.realpath(path), table).device == mount.device:
                raise QuiesceError(
                    f"{mount.point} was not frozen: {path} is on it, and Ansible and system services would block. "
                    "Use force if you are sure."
                )
        for path in limits.always:
            if mounts.mount_of(os.path.realpath(path), table).device == mount.device:
                raise QuiesceError(
                    f"{mount.point} must not be frozen: the holder itself writes to {path}. "
                    "Give it a state folder on another file system."
                )

    def open(self) -> None:
        try:
            self._descriptor = os.open(mount_of(self._path).point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except NotADirectoryError:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise QuiesceError(f"The {self.label} cannot be opened: {error.strerror}.") from None

    def take(self) -> None:
        try:
            fcntl.ioctl(self._descriptor, _FREEZE, 0)
        except OSError as error:
            self._refused = True
            raise QuiesceError(f"The {self.label} cannot be frozen: {_reason(error)}.") from None

    def release(self) -> None:
        if not self._thaw():
            raise QuiesceError(f"The {self.label} was thawed by another process before its release.")

    def recover(self) -> None:
        if self._refused:
            return  # if it is frozen, another process has frozen it
        if self._descriptor < 0:
            self.open()
        self._thaw()

    def _thaw(self) -> bool:
        """Whether it was frozen until now."""
        try:
            fcntl.ioctl(self._descriptor, _THAW, 0)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise QuiesceError(f"The {self.label} cannot be thawed: {_reason(error)}.") from None
            return False
        return True

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _reason(error: OSError) -> str:
    known = {
        errno.EPERM: "only root can do that (CAP_SYS_ADMIN)",
        errno.EBUSY: "another process has frozen it already",
        errno.EOPNOTSUPP: "this kind of file system cannot be frozen",
        errno.ENOTTY: "this kind of file system cannot be frozen",
        errno.EROFS: "it is read-only",
    }
    return known.get(error.errno or 0, os.strerror(error.errno or 0))
