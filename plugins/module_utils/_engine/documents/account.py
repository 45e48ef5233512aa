# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Accounts of freezer-api: a line of its password file for each.

``name:hash:role:project`` is an account, ``name:hash:node:project:client_id`` one of a node, which is bound to a client.
``name:hash``, as ``htpasswd -B`` writes it, is an administrator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .kind import ID_PATTERN, Kind
from .kinds import CLIENT

#: The role of what runs the jobs of one client.
NODE = "node"
ROLES = ("admin", "member", "reader", NODE)
#: The project of an administrator who names none.
DEFAULT_PROJECT = "default"

#: The cost of every hash that is written: two to the power of it are the rounds of bcrypt.
COST = 12
#: bcrypt reads no more of a password.
MOST_PASSWORD_BYTES = 72

_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_NAME = re.compile(r"[\w.-]{1,255}")
_PROJECT = Kind(name="project", plural="projects", schema={}, id_pattern=ID_PATTERN)


@dataclass(frozen=True)
class Account:
    """One user of the API. ``role`` is None for an administrator whose line says nothing of roles."""

    name: str
    hash: str
    role: str | None = None
    project_id: str = DEFAULT_PROJECT
    client_id: str = ""

    @property
    def line(self) -> str:
        """The account as a line of the file."""
        if self.role is None:
            return f"{self.name}:{self.hash}"
        words = [self.name, self.hash, self.role, self.project_id]
        return ":".join([*words, self.client_id] if self.client_id else words)

    @property
    def cost(self) -> int:
        """The cost of the hash, as a power of two; 0 for what is no hash."""
        match = _HASH.fullmatch(self.hash)
        return int(match[1]) if match else 0

    def fault(self) -> str | None:
        """What is wrong with the account, as the rest of a sentence about it; None if nothing is."""
        if not _NAME.fullmatch(self.name):
            return "has no user name of letters, digits, _, . and -"
        if not is_hash(self.hash):
            return "has no bcrypt hash; write it with freezer-manage user add, or htpasswd -B"
        if self.role is None:
            return None
        if self.role not in ROLES:
            return f"has the role {self.role[:100]!r}; the roles are {', '.join(ROLES)}"
        if not _PROJECT.is_id(self.project_id):
            return f"has the project {self.project_id[:100]!r}; letters, digits, _ and - make one"
        if self.role == NODE and not CLIENT.is_id(self.client_id):
            return f"has the client {self.client_id[:100]!r}; a node needs the id of its client, [project_]host.name"
        if self.role != NODE and self.client_id:
            return f"has a client, which only a {NODE} has"
        return None


def is_hash(text: str) -> bool:
    """Whether a text is a hash of bcrypt."""
    return _HASH.fullmatch(text) is not None


def parse_line(line: str) -> Account | None:
    """The account of a line, whatever its parts are; None for a line with too few parts or too many."""
    name, _colon, rest = line.strip().partition(":")
    value, *more = rest.split(":")
    if not more:
        return Account(name, value)
    if len(more) not in (2, 3):
        return None
    return Account(name, value, more[0], more[1], more[2] if len(more) > 2 else "")


def default_client_id(project_id: str, name: str) -> str:
    """The client of a node whose account names none, as freezer-scheduler names itself on a host of this name."""
    return f"{project_id}_{name}"
