# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A Unix socket to listen on."""

from __future__ import annotations

import contextlib
import os
import socket
import stat

from ansible_collections.freezer.backup.plugins.module_utils._engine.http.unix_socket import check_path

from ..access.folders import folder_fault
from ..access.unix_socket import SocketError, group_id

_BACKLOG = 2048


def listen(path: str, group: str | None) -> socket.socket:
    """A socket at a path that its owner, and the members of a group, can open. Raises SocketError.

    A socket that an earlier server has left there is removed. A folder that is missing is made.
    """
    reason = check_path(path)
    if reason:
        raise SocketError(reason)
    group_number = None if group is None else group_id(group)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        fault = folder_fault(folder, "the socket", (0, os.geteuid()))
        if fault:
            raise SocketError(fault)
        _remove_stale(path)
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        if group_number is not None:
            # The group first: at no moment may others use it.
            os.chown(path, -1, group_number)
            os.chmod(path, 0o660)
        listener.listen(_BACKLOG)
    except (OSError, SocketError) as error:
        listener.close()
        if isinstance(error, SocketError):
            raise
        raise SocketError(error.strerror or str(error)) from error
    return listener


def _remove_stale(path: str) -> None:
    """Remove a socket on which no process listens. Raises SocketError for one that is in use, or for another file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketError("there is a file of this name that is no socket; remove it, or choose another name")
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(5)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise SocketError("another process listens there; stop it, or choose another name")
