# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A Unix socket to listen on, and who is at the other end of a connection through it."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import socket
import stat
import struct
from dataclasses import dataclass
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.http.unix_socket import check_path

from .folders import folder_fault

#: Where a WSGI environment has the ``Peer`` of a request that came through a Unix socket.
PEER_KEY = "freezer.peer"

_BACKLOG = 2048
#: Not in Python's socket module: the groups of a peer (Linux 4.13), if they fit in what Python lets be asked for.
_SO_PEERGROUPS = 59
_GROUPS_BYTES = 1024


class SocketError(Exception):
    """A socket cannot be listened on; the message is the reason, for the operator."""


@dataclass(frozen=True)
class Peer:
    """The process that opened a connection, as the kernel knows it: no header can say otherwise."""

    user_id: int
    group_ids: frozenset[int]

    @property
    def name(self) -> str:
        """The name of its user, or the number where this machine has none for it."""
        try:
            return pwd.getpwuid(self.user_id).pw_name
        except KeyError:
            return str(self.user_id)


@dataclass(frozen=True)
class LocalUsers:
    """The users of this machine who may come in without a password: root, the API's own, members of a group."""

    group_id: int | None = None

    def __contains__(self, peer: Peer) -> bool:
        return peer.user_id in (0, os.geteuid()) or self.group_id in peer.group_ids


def peer_of(connection: socket.socket) -> Peer | None:
    """Who is at the other end of a connection; None where it does not come through a Unix socket."""
    if connection.family != socket.AF_UNIX:
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _process_id, user_id, group_id = struct.unpack("3i", credentials)
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        raw = b""
    return Peer(user_id, frozenset((group_id, *struct.unpack(f"{len(raw) // 4}I", raw))))


def peer_in(environ: dict[str, Any]) -> Peer | None:
    """Who has sent a request through a Unix socket; None for one that came another way."""
    peer = environ.get(PEER_KEY)
    return peer if isinstance(peer, Peer) else None


def group_id(name: str) -> int:
    """The number of a group of this machine. Raises SocketError."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise SocketError(f"this machine has no group {name}; make it, or name another in socket_group") from None


def listen(path: str, group: str | None) -> socket.socket:
    """A socket at a path that its owner, and the members of a group, can open. Raises SocketError.

    What a server that is gone has left there is removed. A folder that is missing is made.
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
            # The group first: at no moment may more than these use it.
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
    """Remove a socket on which nobody listens. Raises SocketError for one that is in use, or for another file."""
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
