# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of freezer-api as an inventory has them: by name, each a password or the options of an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import (
    DEFAULT_PROJECT,
    MOST_PASSWORD_BYTES,
    NODE,
    Account,
    default_client_id,
    is_hash,
)

_KEYS = ("password", "role", "project_id", "client_id")
#: A placeholder for the hash of a password while the other fields of an account are checked.
_SOME_HASH = "$2b$12$" + "." * 53


def password_of(options: Any) -> str:
    """The password, or the hash, of an account; empty if there is none."""
    found = options.get("password", "") if isinstance(options, Mapping) else options
    return "" if found is None else str(found)


def account_of(name: str, options: Any, hashed: str) -> Account:
    """The account of a name with this hash. One that only has a password has no role: it is an administrator."""
    if not isinstance(options, Mapping):
        return Account(name, hashed)
    role = str(options.get("role") or "")
    project_id = str(options.get("project_id") or (DEFAULT_PROJECT if role == "admin" else ""))
    client_id = str(options.get("client_id") or (default_client_id(project_id, name) if role == NODE else ""))
    return Account(name, hashed, role, project_id, client_id)


def faults_of(users: Mapping[str, Any]) -> list[str]:
    """A sentence for every invalid account, without passwords."""
    found = []
    for name, options in users.items():
        fault = _fault(str(name), options)
        if fault:
            found.append(f"The account {str(name)[:100]!r} {fault}.")
    return found


def _fault(name: str, options: Any) -> str | None:
    if isinstance(options, Mapping):
        unknown = sorted(str(key) for key in options if key not in _KEYS)
        if unknown:
            return f"has {unknown[0][:100]!r}, which no account has; it has {', '.join(_KEYS)}"
    secret = password_of(options)
    if not is_hash(secret) and (not 1 <= len(secret.encode()) <= MOST_PASSWORD_BYTES or "\0" in secret):
        return f"needs a password of 1 to {MOST_PASSWORD_BYTES} bytes, none of them zero, or a bcrypt hash"
    return account_of(name, options, _SOME_HASH).fault()
