# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: htpasswd
short_description: What a password file of freezer-api should hold
description:
  - Writes a line with a bcrypt hash for every user. A hash carries random salt, so a line of the existing file is kept
    while its hash verifies the password, and the file changes only when a user or a password does.
  - A value that is a bcrypt hash itself is taken as it is.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
requirements:
  - bcrypt (Python library) on the controller, unless all values are hashes
options:
  _input:
    description: The existing file, or an empty text.
    type: str
    required: true
  users:
    description: Names, made of letters, digits, V(_) and V(-), with passwords of at most 72 bytes, or with hashes.
    type: dict
    required: true
  rounds:
    description: The cost of a new hash, as a power of two. A hash with a lower cost is made anew.
    type: int
    default: 12
positional: users
"""

EXAMPLES = r"""
- name: Write the password file
  ansible.builtin.copy:
    content: "{{ existing | freezer.backup.htpasswd(users) }}"
    dest: /etc/freezer/freezer-api.htpasswd
    owner: root
    group: freezer-api
    mode: "0640"
  no_log: true
"""

RETURN = r"""
_value:
  description: The lines of the file, sorted by user.
  type: str
"""

import re
from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

try:
    import bcrypt
except ImportError:
    bcrypt = None

_USER = re.compile(r"[\w-]{1,255}")
_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
#: bcrypt reads no more of a password.
_MOST_BYTES = 72


def htpasswd(existing: str, users: Mapping[str, str], rounds: int = 12) -> str:
    """The password file for these users, with the lines of the existing one where they still hold."""
    lines = (line.partition(":") for line in existing.splitlines())
    hashes = {user.strip(): value.strip() for user, _colon, value in lines}
    return "".join(
        f"{user}:{_hash(user, str(password), hashes.get(user, ''), rounds)}\n"
        for user, password in sorted(users.items())
    )


def _hash(user: str, password: str, existing: str, rounds: int) -> str:
    if not _USER.fullmatch(user):
        raise AnsibleFilterError(f"{user!r} is no name of a user: it is made of letters, digits, _ and -.")
    if _HASH.fullmatch(password):
        return password
    if bcrypt is None:
        raise AnsibleFilterError(
            f"The password of {user} can only be hashed where Ansible has the Python library bcrypt; "
            "install it on the controller, or give hashes instead of passwords (htpasswd -nB)."
        )
    secret = password.encode()
    if not 1 <= len(secret) <= _MOST_BYTES or b"\0" in secret:
        raise AnsibleFilterError(f"The password of {user} must have 1 to {_MOST_BYTES} bytes, none of them zero.")
    if _holds(secret, existing, rounds):
        return existing
    return bcrypt.hashpw(secret, bcrypt.gensalt(rounds)).decode()


def _holds(secret: bytes, existing: str, rounds: int) -> bool:
    found = _HASH.fullmatch(existing)
    try:
        return found is not None and int(found[1]) >= rounds and bcrypt.checkpw(secret, existing.encode())
    except ValueError:
        # It only looks like a hash.
        return False


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"htpasswd": htpasswd}
