# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The password file of HTTP basic authentication: reading its accounts, and changing one of them."""

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

from .folders import folder_fault
from .strategy import AuthError


@dataclass(frozen=True)
class Accounts:
    """The accounts of a file by name, and the state of the file in which they were read."""

    path: Path
    state: tuple[int, ...]
    by_name: Mapping[str, Account]

    @cached_property
    def highest_cost(self) -> int:
        """The highest bcrypt cost of all accounts."""
        return max((account.cost for account in self.by_name.values()), default=COST)

    def warnings(self) -> list[str]:
        """What is unsafe about the file, each as a sentence."""
        found = []
        if self.state[-3] not in _own_users():
            found.append(f"{self.path} belongs to another user; only an API that runs as that user accepts it")
        if self.state[-1] & stat.S_IROTH:
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
    """An account with a hash of its password. Raises AuthError for an invalid one."""
    account = Account(name, hashed(password), role, project_id or DEFAULT_PROJECT, client_id)
    fault = account.fault()
    if fault:
        raise AuthError(f"the account {name!r} {fault}")
    return account


def hashed(password: bytes) -> str:
    """A hash of a password. Raises AuthError for one that is empty, or too long for bcrypt."""
    if not 1 <= len(password) <= MOST_PASSWORD_BYTES or b"\0" in password:
        raise AuthError(f"a password must have 1 to {MOST_PASSWORD_BYTES} bytes, none of them zero")
    return bcrypt.hashpw(password, bcrypt.gensalt(COST)).decode()


def state_of(path: Path) -> tuple[int, ...]:
    """What identifies the state of a file: its identity, size, time and, last, its owner, group and mode."""
    return _state(os.stat(path))


def _state(found: os.stat_result) -> tuple[int, ...]:
    return (
        *(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns),
        *(found.st_uid, found.st_gid, found.st_mode),
    )


def _own_users() -> tuple[int, int]:
    return 0, os.geteuid()


def _target(path: Path) -> Path:
    """The real path of a file, without links."""
    return Path(os.path.realpath(path))


def _owners(is_edited: bool) -> tuple[int, ...] | None:
    """The users that may own file and folder; None for any: root edits the file of the user that the API runs as."""
    return None if is_edited and os.geteuid() == 0 else _own_users()


def _fault(path: Path, found: os.stat_result, owners: tuple[int, ...] | None) -> str:
    """Why another user can change a file of accounts, as a sentence; empty if none can."""
    if found.st_mode & stat.S_IWOTH:
        fault, mend = f"every user of this host can write to the password file {path}, and so", "chmod o-w"
    elif found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid()):
        fault, mend = f"another group can write to the password file {path}, and so", "chmod g-w"
    elif owners is not None and found.st_uid not in owners:
        fault, mend = f"the password file {path} belongs to another user, who can", "chown root"
    else:
        return ""
    return f"{fault} make an administrator; run {mend} {path}, and check its accounts"


def read(path: Path, is_edited: bool = False) -> Accounts:
    """The accounts of a file. Raises AuthError, with the line, for an invalid one.

    Also if another user can change the file: it and its folder must belong to root or the user of this process. With
    ``is_edited`` root reads the files of other users too.
    """
    state, lines = _lines(path, _owners(is_edited))
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


def _lines(path: Path, owners: tuple[int, ...] | None) -> tuple[tuple[int, ...], list[str]]:
    """The state of a file that only its owners can change, and its lines. Raises AuthError."""
    target = _target(path)
    try:
        with open(_open_regular(target), encoding="utf-8") as file:
            # The state first, so that a change during the reading is noticed the next time.
            found = os.fstat(file.fileno())
            fault = _fault(path, found, owners) or folder_fault(target.parent, "the password file", owners)
            if fault:
                raise AuthError(fault)
            return _state(found), file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise AuthError(f"the password file {path} cannot be read: {reason}") from error


def change(path: Path, edit: Callable[[Mapping[str, Account]], Account | str]) -> Account:
    """Change one account of a file, under a lock, completely or not at all.

    ``edit`` gets the accounts and returns one to write, or the name of one to remove; if it raises, nothing is written.
    Returns the account that was written or removed. Raises AuthError, and what ``edit`` raises.
    """
    target = _target(path)
    with _locked(path, target.parent):
        is_there = target.exists()
        accounts: Mapping[str, Account] = read(path, is_edited=True).by_name if is_there else {}
        lines = target.read_text(encoding="utf-8").splitlines() if is_there else []
        edited = edit(accounts)
        name = edited if isinstance(edited, str) else edited.name
        own = [index for index, line in enumerate(lines) if not _is_comment(line) and _name_in(line) == name]
        kept = [line for index, line in enumerate(lines) if index not in own]
        if not isinstance(edited, str):
            kept.insert(own[0] if own else len(kept), edited.line)
        _write(path, target, kept)
        return accounts[edited] if isinstance(edited, str) else edited


def _open_regular(target: Path) -> int:
    """A descriptor to read a regular file. Raises AuthError for a FIFO or a device, OSError."""
    # Opening a device can have effects, so the type is checked before.
    if stat.S_ISREG(os.stat(target).st_mode):
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    raise AuthError(f"the password file {target} is not a regular file; name one, or remove it and make one")


def _name_in(line: str) -> str:
    return line.strip().partition(":")[0]


def _is_comment(line: str) -> bool:
    return not line.strip() or line.startswith("#")


@contextlib.contextmanager
def _locked(path: Path, folder: Path) -> Iterator[None]:
    """Lock a folder for changes of its files. Raises AuthError, also if another user could change them."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise AuthError(f"the password file {path} cannot be written: {folder}: {error.strerror}") from error
    try:
        fault = folder_fault(folder, "the password file", _owners(is_edited=True))
        if fault:
            raise AuthError(fault)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, target: Path, lines: Sequence[str]) -> None:
    """Replace a file; the new one has its owner and group, and at most the mode 0640."""
    temporary = ""
    try:
        mode, owner = 0o600, None
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(target)
            mode, owner = stat.S_IMODE(found.st_mode) & 0o640 | 0o600, (found.st_uid, found.st_gid)
        # In the folder of the real file, also for a link.
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
