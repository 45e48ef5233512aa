# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The file of users for HTTP basic authentication: a line for each account, and a change of one of them.

``name:hash:role:project`` is an account, ``name:hash:node:project:client_id`` one of a node, which is bound to a client.
``name:hash``, as ``htpasswd -B`` writes it, is an administrator. Lines of other programs and comments stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import bcrypt

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.client import KIND as CLIENT
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import ID_PATTERN, Kind

from ..access import NODE
from .base import AuthError

ROLES = ("admin", "member", "reader", NODE)
#: The project of an administrator who names none.
DEFAULT_PROJECT = "default"

#: The cost of every hash that is written here: two to the power of it are the rounds of bcrypt.
COST = 12
#: bcrypt reads no more of a password.
MOST_PASSWORD_BYTES = 72

_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_NAME = re.compile(r"[\w.-]{1,255}")
_PROJECT = Kind(name="project", plural="projects", schema={}, id_pattern=ID_PATTERN)

_OTHERS_READ, _OTHERS_WRITE = stat.S_IROTH, stat.S_IWOTH


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
        """The cost of the hash, as a power of two."""
        match = _HASH.fullmatch(self.hash)
        return int(match[1]) if match else COST


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
    wrong = _wrong(account)
    if wrong:
        raise AuthError(f"the account {name!r} {wrong}")
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
        account = _parsed(line.strip())
        wrong = account if isinstance(account, str) else _wrong(account)
        if wrong:
            raise AuthError(f"line {number} of the password file {path} {wrong}")
        if isinstance(account, Account):
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


def _parsed(line: str) -> Account | str:
    """The account of a line, or what is wrong with it, after "line 3 of ..."."""
    name, _colon, rest = line.partition(":")
    value, *more = rest.split(":")
    if not more:
        return Account(name, value)
    if len(more) == 1 or len(more) > 3:
        return "must be name:hash:role:project, with :client_id at its end for a node"
    role, project_id, *client = more
    return Account(name, value, role, project_id, client[0] if client else "")


def _wrong(account: Account) -> str | None:
    """What is wrong with an account, after "line 3 of ..."."""
    if not _NAME.fullmatch(account.name):
        return "has no user name of letters, digits, _, . and -"
    if not _HASH.fullmatch(account.hash):
        return "has no bcrypt hash; write it with freezer-manage user add, or htpasswd -B"
    if account.role is None:
        return None
    if account.role not in ROLES:
        return f"has the role {account.role[:100]!r}; the roles are {', '.join(ROLES)}"
    if not _PROJECT.is_id(account.project_id):
        return f"has the project {account.project_id[:100]!r}; letters, digits, _ and - make one"
    if account.role == NODE and not CLIENT.is_id(account.client_id):
        return f"has the client {account.client_id[:100]!r}; a node needs the id of its client, [project_]host.name"
    if account.role != NODE and account.client_id:
        return f"has a client, which only a {NODE} has"
    return None


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
