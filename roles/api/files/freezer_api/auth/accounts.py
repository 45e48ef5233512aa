# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The password file of HTTP basic authentication: its accounts, and a change of one of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import bcrypt

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import (
    COST,
    DEFAULT_PROJECT,
    MOST_PASSWORD_BYTES,
    Account,
    parse_line,
)

from .base import AuthError

_OTHERS_READ, _OTHERS_WRITE = stat.S_IROTH, stat.S_IWOTH


@dataclass(frozen=True)
class Accounts:
    """A file of accounts as it was read: what identifies that state of it, and the accounts by name."""

    path: Path
    state: tuple[int, ...]
    by_name: Mapping[str, Account]

    @cached_property
    def highest_cost(self) -> int:
        """The cost of the hash that takes longest."""
        return max((account.cost for account in self.by_name.values()), default=COST)

    def warnings(self) -> list[str]:
        """What is unsafe about the file, each as a sentence."""
        found = []
        if stat.S_IMODE(self.state[-1]) & _OTHERS_READ:
            found.append(
                f"every user of this host can read the hashes in {self.path}; make it 0640, with the group of the API"
            )
        roleless = sorted(account.name for account in self.by_name.values() if account.role is None)
        if roleless:
            found.append(
                f"{', '.join(roleless)} in {self.path} have no role, and so are administrators of all projects; make "
                "accounts with a role: freezer-manage user add"
            )
        return found


def made(name: str, password: bytes, role: str | None, project_id: str = "", client_id: str = "") -> Account:
    """An account with a hash of its password. Raises AuthError for what cannot be one."""
    account = Account(name, hashed(password), role, project_id or DEFAULT_PROJECT, client_id)
    fault = account.fault()
    if fault:
        raise AuthError(f"the account {name!r} {fault}")
    return account


def hashed(password: bytes) -> str:
    """A hash of a password. Raises AuthError for one that bcrypt would cut off, or that is empty."""
    if not 1 <= len(password) <= MOST_PASSWORD_BYTES or b"\0" in password:
        raise AuthError(f"a password must have 1 to {MOST_PASSWORD_BYTES} bytes, none of them zero")
    return bcrypt.hashpw(password, bcrypt.gensalt(COST)).decode()


def state_of(path: Path) -> tuple[int, ...]:
    """What changes whenever a file does: its identity, size, time and, last, its mode."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode


def read(path: Path) -> Accounts:
    """The accounts of a file. Raises AuthError, with the line, if one cannot be understood."""
    try:
        # The state first: a change while the file is read is seen the next time.
        state = state_of(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise AuthError(f"the password file {path} cannot be read: {reason}") from error
    if stat.S_IMODE(state[-1]) & _OTHERS_WRITE:
        raise AuthError(
            f"every user of this host can write to the password file {path}, and so make an administrator; "
            f"say chmod o-w {path}, and look at what is in it"
        )
    by_name: dict[str, Account] = {}
    for number, line in enumerate(lines, start=1):
        if _is_comment(line):
            continue
        account = parse_line(line)
        if account is None:
            raise AuthError(
                f"line {number} of the password file {path} must be name:hash:role:project, with :client_id at its end "
                "for a node"
            )
        fault = account.fault()
        if fault:
            raise AuthError(f"line {number} of the password file {path} {fault}")
        by_name[account.name] = account
    return Accounts(path, state, by_name)


def change(path: Path, edit: Callable[[Mapping[str, Account]], Account | str]) -> Account:
    """Change one account of a file, whole or not at all, while no other such change is made.

    ``edit`` gets the accounts and returns one to write, or the name of one to remove; what it raises is raised, and
    nothing is written. Returns the account that was written or removed. Raises AuthError.
    """
    with _locked(path):
        is_there = path.exists()
        accounts: Mapping[str, Account] = read(path).by_name if is_there else {}
        lines = path.read_text(encoding="utf-8").splitlines() if is_there else []
        edited = edit(accounts)
        name = edited if isinstance(edited, str) else edited.name
        own = [index for index, line in enumerate(lines) if not _is_comment(line) and _name_in(line) == name]
        kept = [line for index, line in enumerate(lines) if index not in own]
        if not isinstance(edited, str):
            kept.insert(own[0] if own else len(kept), edited.line)
        _write(path, kept)
        return accounts[edited] if isinstance(edited, str) else edited


def _name_in(line: str) -> str:
    return line.strip().partition(":")[0]


def _is_comment(line: str) -> bool:
    return not line.strip() or line.startswith("#")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Be the only one that changes files in the folder of a file."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise AuthError(f"the password file {path} cannot be written: {path.parent}: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, lines: Sequence[str]) -> None:
    """Put a file in place of another one, with its owner and group, and at most 0640."""
    temporary = ""
    try:
        mode, owner = 0o600, None
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(path)
            mode, owner = stat.S_IMODE(found.st_mode) & 0o640 | 0o600, (found.st_uid, found.st_gid)
        # Beside what a link leads to.
        target = path.resolve()
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(descriptor, "w", encoding="utf-8") as file:
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise AuthError(f"the password file {path} cannot be written: {error.strerror}") from error
