# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A folder through a private mount: read-only, for this process and the programs that it starts, and no link in it is followed.

A detached mount (open_tree(2), mount_setattr(2), Linux 5.14) has no mount point. It is reached through its descriptor, and the
kernel removes it with the last one, however the process ends. Device and inode numbers are those of the folder. What is
mounted below the folder is in it too; what is mounted there later is not, and what is unmounted there leaves it as well
where mounts are shared, as systemd has them.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys

from . import trust
from .errors import HostError
from .file_names import shown
from .undo import on_failure

_OPEN_TREE, _MOUNT_SETATTR = 428, 442
#: Architectures on which system calls have other numbers.
_OTHER_NUMBERS = ("alpha", "ia64", "mips")
_OPEN_TREE_CLONE, _AT_EMPTY_PATH, _AT_RECURSIVE = 0x1, 0x1000, 0x8000
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_PROGRAMS, _NO_LINKS = 0x1, 0x2, 0x4, 0x8, 0x200000
_MS_SLAVE = 1 << 19
#: struct mount_attr: what is set, what is cleared, the propagation, and a user namespace.
_ATTRIBUTES = struct.pack("=4Q", _READ_ONLY | _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS | _NO_LINKS, 0, _MS_SLAVE, 0)
_MOST_LINKS = 40


def open_folder(path: str) -> tuple[int, str | None]:
    """A descriptor of a folder at an absolute path, and the first link on the way that another user can exchange, if any.

    Every name is looked up in the folder that was opened before, so that the answer holds for this descriptor. The caller closes
    it. Raises OSError.
    """
    exchangeable: str | None = None
    links = 0
    here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    waiting = path.split("/")[::-1]
    with on_failure(lambda: os.close(here)):
        while waiting:
            name = waiting.pop()
            if name in ("", "."):
                continue
            try:
                # Not in one step with links: without O_DIRECTORY nothing is mounted on demand.
                below = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            except OSError as problem:
                links += 1
                if problem.errno not in (errno.ENOTDIR, errno.ELOOP) or links > _MOST_LINKS:
                    raise
                target, exchanges = _read_link(here, name)
                exchangeable = exchangeable or exchanges
                waiting += target.split("/")[::-1]
                below = os.open("/" if target.startswith("/") else ".", os.O_PATH | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = below
    return here, exchangeable


def _read_link(folder: int, name: str) -> tuple[str, str | None]:
    """The target of a link in an open folder, and the link if another user can exchange it. Raises OSError if it is none."""
    link = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        found = os.fstat(link)
        if not stat.S_ISLNK(found.st_mode):
            raise NotADirectoryError(f"{shown(name)} is not a folder")
        opened = f"/proc/self/fd/{folder}"
        above = os.readlink(opened)
        changes = trust.others_may_replace(above, os.fstat(folder), found, name, opened)
        return os.readlink("", dir_fd=link), shown(os.path.join(above, name)) if changes else None
    finally:
        os.close(link)


def open_private_mount(folder: int) -> int:
    """A descriptor of a private mount of an open folder, for the caller to close. Raises HostError where there can be none."""
    if not sys.platform.startswith("linux") or os.uname().machine.startswith(_OTHER_NUMBERS):
        raise HostError(f"this release has no private mounts on {sys.platform} {os.uname().machine}")
    try:
        tree = _call(_OPEN_TREE, folder, b"", _OPEN_TREE_CLONE | _AT_EMPTY_PATH | _AT_RECURSIVE | os.O_CLOEXEC)
        with on_failure(lambda: os.close(tree)):
            _call(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, _ATTRIBUTES, len(_ATTRIBUTES))
    except (OSError, ImportError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise HostError(
            f"no private mount can be made ({why}); that needs Linux 5.14 and the capability CAP_SYS_ADMIN"
        ) from None
    return tree


def _call(number: int, *arguments: int | bytes) -> int:
    import ctypes  # some small Pythons have none

    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    # A variadic function: as a Python number an argument would be passed as an int.
    plain = [ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_long(one) for one in arguments]
    done = int(syscall(ctypes.c_long(number), *plain))
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return done
