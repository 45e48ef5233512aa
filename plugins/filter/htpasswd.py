# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: htpasswd
short_description: What a password file of freezer-api should hold
description:
  - Writes a line with a bcrypt hash for every account. A hash carries random salt, so the hash of the existing file is kept
    while it verifies the password, and the file changes only when an account or a password does.
  - A password that is a bcrypt hash itself is taken as it is.
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
    description:
      - Accounts by name, which is made of letters, digits, V(_), V(.) and V(-).
      - The value is a dictionary with C(password) (of at most 72 bytes, or a hash), C(role) (V(admin), V(member), V(reader) or
        V(node)), C(project_id) (for V(admin) it can be missing) and, for a V(node), C(client_id), which without it is the
        project and the name with V(_) between them.
      - A value that is only a password, or a hash, makes an administrator whose line has no role.
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
  vars:
    users:
      admin:
        password: "{{ vaulted_admin_password }}"
        role: admin
      db1:
        password: "{{ vaulted_db1_password }}"
        role: node
        project_id: web
"""

RETURN = r"""
_value:
  description: The lines of the file, sorted by user.
  type: str
"""

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import (
    COST,
    Account,
    is_hash,
    parse_line,
)
from ansible_collections.freezer.backup.plugins.plugin_utils.account_options import (
    account_of,
    faults_of,
    password_of,
)

try:
    import bcrypt
except ImportError:
    bcrypt = None


def htpasswd(existing: str, users: Mapping[str, Any], rounds: int = COST) -> str:
    """The password file for these accounts, with the hashes of the existing one where they still hold."""
    faults = faults_of(users)
    if faults:
        raise AnsibleFilterError(" ".join(faults))
    known = {account.name: account for account in map(parse_line, existing.splitlines()) if account is not None}
    return "".join(
        f"{account_of(name, options, _hash(name, password_of(options), known.get(name), rounds)).line}\n"
        for name, options in sorted(users.items())
    )


def _hash(user: str, password: str, existing: Account | None, rounds: int) -> str:
    if is_hash(password):
        return password
    if bcrypt is None:
        raise AnsibleFilterError(
            f"The password of {user} can only be hashed where Ansible has the Python library bcrypt; "
            "install it on the controller, or give hashes instead of passwords (htpasswd -nB)."
        )
    secret = password.encode()
    if existing is not None and _holds(secret, existing, rounds):
        return existing.hash
    return bcrypt.hashpw(secret, bcrypt.gensalt(rounds)).decode()


def _holds(secret: bytes, existing: Account, rounds: int) -> bool:
    try:
        return existing.cost >= rounds and bcrypt.checkpw(secret, existing.hash.encode())
    except ValueError:
        # It only looks like a hash.
        return False


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"htpasswd": htpasswd}
