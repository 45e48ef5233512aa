# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The proof that a recovery kit is enough: with it, a key and what lies in a container, a file of the newest backup is read.

What this machine remembers of containers and sets has no part in it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..action.options import parse_options
from ..archive.frames import FRAME_BYTES
from ..archive.one_file import OneFile
from ..archive.open_backup import open_backup
from ..archive.patterns import literally
from ..archive.plan import Planned, final_state
from ..archive.records import FILE
from ..archive.sealed import Sealing
from ..archive.selection import Selection
from ..errors import FreezerError
from ..repository.backup_set import set_folder
from ..repository.errors import DamagedArchive
from ..repository.set_keys import FOLDER
from ..storage.state_file import remembering_in
from ..system.file_names import shown
from ..system.scratch import scratch_folder
from .choosing import choose
from .media.base import Copy
from .media.catalogues import catalogues
from .media.files import Files

#: The size of a container's object that a kit can have; it is only a number here, the file has a hole.
_MOST_OBJECT_BYTES = 1 << 50
#: So many names of a backup are looked at for a file that can be read.
_MOST_NAMES = 2_000_000


@dataclass(frozen=True)
class Kit:
    """A kit as it was written: the files of its key pairs, by ``<key_id>/<name>``, and its list of signers."""

    key_files: Mapping[str, bytes]
    allowed_signers: bytes


@dataclass(frozen=True)
class Proof:
    """What was read with a kit."""

    backup_id: str
    level: int
    #: The file that was restored; None if the beginning of the backup has none that is whole.
    path: str | None
    content_bytes: int
    signed_by: str | None
    #: Why that is not known, as a part of a sentence.
    signed_by_reason: str | None


def prove(found: Mapping[str, Any], kit: Kit, pass_file: str | None, identity_file: str | None) -> Proof:
    """Read a file of the newest backup of a set, which ``found`` has as `recovery_kit` gathers it.

    The files with a passphrase or a secret key are this machine's. Raises FreezerError if the kit is not enough.
    """
    with scratch_folder() as scratch:
        state, container = (os.path.join(scratch, name) for name in ("state", "container"))
        os.mkdir(state, 0o700)
        os.mkdir(container, 0o700)
        folder = set_folder(found["hostname"], found["backup_name"])
        _lay_out(container, folder, found["objects"])
        for name, stored in kit.key_files.items():
            _put(os.path.join(container, folder, FOLDER, name), stored)
        action = {
            "action": "verify",
            "storage": "local",
            "container": container,
            "hostname": found["hostname"],
            "backup_name": found["backup_name"],
            "backup_id": found["backup"]["backup_id"],
            "encrypt_pass_file": pass_file,
            "identity_file": identity_file,
        }
        signers = os.path.join(scratch, "allowed_signers")
        # What is not signed proves nothing where the host signs: whoever can write to the storage could have put it there.
        if kit.allowed_signers and found.get("signs") is not False:
            _put(signers, kit.allowed_signers)
            action["trusted_signers"] = signers
        with remembering_in(state):
            try:
                return _read(Files(parse_options(action)), scratch)
            except FreezerError as problem:
                # What was read here lies elsewhere.
                where = f"{found['storage']} storage {found['container']}"
                said = str(problem).replace(f"local storage {container}", where)
                said = said.replace(f"The file {signers} (trusted_signers)", "allowed_signers of the kit")
                said = said.replace("trusted_signers says", "allowed_signers of the kit says")
                raise FreezerError(said) from problem


def _read(files: Files, scratch: str) -> Proof:
    copy = choose(files).copies[0]
    author = files.describe_author(copy)
    storage, sealing = copy.backup_set.storage, files.sealing_of_data(copy.backup_set.storage, copy.stored)
    chosen = _small_file(copy, sealing)
    about = (copy.manifest.backup_id, copy.manifest.level)
    if chosen is None:
        size = _first_bytes(copy, sealing)
        return Proof(*about, None, size, author["signed_by"], author["signed_by_reason"])
    selection = Selection([literally(chosen.member.name)])
    target = os.path.join(scratch, "file")
    with OneFile(storage, copy.chain, sealing, selection) as file:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            file.write(descriptor, lambda _content_bytes: None)
        finally:
            os.close(descriptor)
        size = os.stat(target).st_size
        if size != file.size:
            raise DamagedArchive(
                f"{file.name} of {copy.stored.folder} has {size} bytes, and {file.size} were expected."
            )
        return Proof(*about, file.name, size, author["signed_by"], author["signed_by_reason"])


def _small_file(copy: Copy[Any], sealing: Sealing) -> Planned | None:
    """A file of the last state that lies in the first frame of a level whose beginning is there: one with content, if there is any."""
    storage, empty = copy.backup_set.storage, None
    there = [
        number
        for number, level in enumerate(copy.chain)
        if level.manifest.segments("data")[0] in storage.children(level.folder)
    ]
    plan = final_state(catalogues(storage, copy.chain, sealing))
    for one in islice(plan, _MOST_NAMES):
        member = one.member
        if member.kind != FILE or member.map or one.level not in there:
            continue
        if member.end > FRAME_BYTES:
            continue
        if member.size_bytes:
            return one
        empty = empty or one
    return empty


def _first_bytes(copy: Copy[Any], sealing: Sealing) -> int:
    """Read the beginning of the newest level's stream; how many bytes that has."""
    with open_backup(copy.backup_set.storage, copy.stored, sealing) as opened:
        end = min(FRAME_BYTES, opened.data.size)
        with opened.data.read([(0, end)]) as blocks:
            return sum(map(len, blocks))


# ---------------------------------------------------------------- what is laid out


def _lay_out(container: str, folder: str, objects: Mapping[str, Any]) -> None:
    """Put objects where they lay. What a host says of them is not believed: names first."""
    # The marker and the lock of a set are not among them.
    fitting = re.compile(re.escape(folder) + r"/[0-9]{1,15}_[0-9]{1,9}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
    for name, stored in objects.items():
        if not fitting.fullmatch(name):
            raise DamagedArchive(
                f"The host has given an object with the name {shown(name)[:200]}, which is no part of {folder}."
            )
        size = stored.get("bytes")
        if not isinstance(size, int) or not 0 <= size <= _MOST_OBJECT_BYTES:
            raise DamagedArchive(f"The host has given no usable size of {name}.")
        _put(os.path.join(container, name), _content(stored), size)


def _content(stored: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(stored["content"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise DamagedArchive("The host has given an object that is not in base64.") from None


def _put(path: str, stored: bytes, size: int | None = None) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(stored)
        if size is not None:
            file.truncate(max(size, len(stored)))
