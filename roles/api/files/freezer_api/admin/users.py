# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""``freezer-manage user``: the accounts of the password file that http_basic knows."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import sys
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import (
    DEFAULT_PROJECT,
    NODE,
    ROLES,
    Account,
    default_client_id,
)

from ..access import accounts
from ..access.strategy import AuthError
from ..config.settings import ConfigError, password_file


def add(flags: argparse.Namespace) -> int:
    """Make an account, which must not be there yet. Raises AuthError, ConfigError."""
    name, path = _name(flags), _path(flags)
    if flags.role is None:
        raise ConfigError(f"{name} has no role; give it one with --role {' or '.join(ROLES)}")
    project_id = flags.project or (DEFAULT_PROJECT if flags.role == "admin" else "")
    if not project_id:
        raise ConfigError(f"the role {flags.role} is for one project; name it with --project")
    client_id = flags.client or (default_client_id(project_id, name) if flags.role == NODE else "")
    if path.exists():
        # Before the password is asked for.
        _refuse_existing(accounts.read(path, is_edited=True).by_name, name, path)
    new = accounts.made(name, _password(flags), flags.role, project_id, client_id)

    def edit(known: Mapping[str, Account]) -> Account:
        _refuse_existing(known, name, path)
        return new

    accounts.change(path, edit)
    print(f"{name} is in {path}: {_described(new)}")
    return 0


def passwd(flags: argparse.Namespace) -> int:
    """Give an account another password. Raises AuthError, ConfigError."""
    name, path = _name(flags), _path(flags)
    _existing(accounts.read(path, is_edited=True).by_name, name, path)
    value = accounts.hashed(_password(flags))
    accounts.change(path, lambda known: dataclasses.replace(_existing(known, name, path), hash=value))
    print(f"{name} has another password in {path}")
    return 0


def remove(flags: argparse.Namespace) -> int:
    """Remove an account. Raises AuthError, ConfigError."""
    name, path = _name(flags), _path(flags)

    def edit(known: Mapping[str, Account]) -> str:
        _existing(known, name, path)
        if len(known) == 1:
            raise AuthError(f"{name} is the only account in {path}, and the API needs one; add another one first")
        return name

    accounts.change(path, edit)
    print(f"{name} is no longer in {path}")
    return 0


def show(flags: argparse.Namespace) -> int:
    """Show the accounts, without their hashes. Raises AuthError, ConfigError."""
    found = accounts.read(_path(flags), is_edited=True)
    rows = [("name", "role", "project", "client")]
    rows += [
        (one.name, one.role or "admin (no role given)", one.project_id, one.client_id or "-")
        for one in sorted(found.by_name.values(), key=lambda account: account.name)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    for warning in found.warnings():
        print(f"freezer-manage: warning: {warning}", file=sys.stderr)
    return 0


def _name(flags: argparse.Namespace) -> str:
    if len(flags.arguments) != 1:
        raise ConfigError(f"name one account: freezer-manage user {flags.command[1]} NAME")
    return str(flags.arguments[0])


def _path(flags: argparse.Namespace) -> Path:
    path = password_file(flags.options)
    if path is None:
        raise ConfigError(
            "no password file is named; name it with --htpasswd, or set http_basic_auth_user_file in the configuration file"
        )
    return path


def _password(flags: argparse.Namespace) -> bytes:
    """A password from standard input or from the terminal, which does not show it. Raises AuthError."""
    if flags.password_stdin:
        return sys.stdin.buffer.readline().rstrip(b"\r\n")
    if not sys.stdin.isatty():
        raise AuthError(
            "there is no terminal to read a password from; write it to standard input and say --password-stdin"
        )
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("The password again: ")
    except EOFError:
        raise AuthError("no password was given; nothing is changed") from None
    if password != again:
        raise AuthError("the two passwords differ; nothing is changed")
    return password.encode()


def _existing(known: Mapping[str, Account], name: str, path: Path) -> Account:
    if name not in known:
        raise AuthError(f"there is no account {name} in {path}; freezer-manage user list shows those that are")
    return known[name]


def _refuse_existing(known: Mapping[str, Account], name: str, path: Path) -> None:
    if name in known:
        raise AuthError(
            f"there is an account {name} in {path} already ({_described(known[name])}); give it another password with "
            "user passwd, or remove it first"
        )


def _described(account: Account) -> str:
    if account.role in (None, "admin"):
        return "admin of all projects"
    in_project = f"{account.role} in the project {account.project_id}"
    return f"{in_project}, for the client {account.client_id}" if account.client_id else in_project
