# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The user at the other end of a Unix socket."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from typing import Any

#: Where a WSGI environment has the ``Peer`` of a request that came through a Unix socket.
PEER_KEY = "freezer.peer"

#: Not in Python's socket module: the groups of a peer (Linux 4.13), as far as they fit in the largest buffer.
_SO_PEERGROUPS = 59
_GROUPS_BYTES = 1024


class SocketError(Exception):
    """A socket cannot be listened on; the message is the reason, for the operator."""


@dataclass(frozen=True)
class Peer:
    """The user and the groups of the process that opened a connection, from the kernel."""

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
    """The users of this machine who need no password: root, the user of the API, members of a group."""

    group_id: int | None = None

    def __contains__(self, peer: Peer) -> bool:
        return peer.user_id in (0, os.geteuid()) or self.group_id in peer.group_ids


def peer_of(connection: socket.socket) -> Peer | None:
    """The user at the other end of a connection; None if it is no Unix socket."""
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
    """The user who has sent a request through a Unix socket; None if it came another way."""
    peer = environ.get(PEER_KEY)
    return peer if isinstance(peer, Peer) else None


def group_id(name: str) -> int:
    """The number of a group of this machine. Raises SocketError."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise SocketError(f"this machine has no group {name}; make it, or name another in socket_group") from None
