# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The keys that the options of an action name, read when they are needed first. Nothing of them is in a message or a result."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Callable

from ...action.options import OptionError, Options
from ...archive.patterns import matcher
from ...archive.tar import Source, below
from ...repository.signatures import KeySigner, ManifestSigner, PassphraseSigner
from ...sealing import ssh_keys
from ...sealing.errors import MissingLibrary, SealingError, UnusableKey
from ...sealing.identities import Identity, identities
from ...sealing.passphrase import Passphrase, read_passphrase
from ...sealing.recipients import Recipient, recipient
from ...sealing.secret_file import read_file
from ...sealing.ssh_keys import PrivateKey, PublicKey
from ...storage.errors import StorageError
from ...storage.kept_objects import FOLDER as COPIES
from ...storage.state_file import default_state_folder, locked, write_whole
from ...system.file_names import shown
from .known_sets import FOLDER

SIGNING_KEY = "signing_key"
#: What the state folder has that no backup has: the key that signs, keys of objects, and copies of objects of backups.
_LEFT_OUT = (SIGNING_KEY, FOLDER, COPIES)


class HeldKeys:
    """The keys of one action. Everything here raises UnusableKey or MissingLibrary where a key cannot be used."""

    def __init__(self, options: Options) -> None:
        self._options = options

    @cached_property
    def passphrase(self) -> Passphrase | None:
        """That of ``encrypt_pass_file``."""
        path = self._options.encrypt_pass_file
        return read_passphrase(path) if path else None

    @cached_property
    def identities(self) -> Sequence[Identity]:
        """The secret keys of ``identity_file``."""
        path = self._options.identity_file
        if not path:
            return []
        stored = read_file(path, "identity_file", "a secret key into the first lines", ssh_keys.FILE_LIMIT)
        return identities(stored, f"The file {shown(path)} (identity_file)")

    @cached_property
    def recipients(self) -> Sequence[Recipient]:
        """Those of ``encryption_recipients``, each once."""
        return list({str(one): one for one in map(recipient, self._options.encryption_recipients)}.values())

    def pass_file(self) -> list[int] | None:
        """What tells the file of the passphrase from a changed one; None without one."""
        path = self._options.encrypt_pass_file
        if not path:
            return None
        try:
            found = os.stat(path)
        except OSError:
            return None
        return [found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size]

    def signer(self, makes: bool) -> tuple[ManifestSigner | None, str | None]:
        """What signs new backups, or why nothing does, as a part of a sentence; `makes` the key of the host if it is missing."""
        options, reason = self._options, None
        if options.sealed_with == "aes-256-cfb" and self.passphrase is not None:
            return PassphraseSigner(self.passphrase), None
        if options.signing_key == "none":
            reason = "signing_key is none"
        elif options.signing_key:
            return KeySigner(named_signing_key(options.signing_key)), None
        else:
            try:
                return KeySigner(own_signing_key(makes)), None
            except (SealingError, StorageError) as problem:
                reason = str(problem).rstrip(".")
        if self.passphrase is not None:
            return PassphraseSigner(self.passphrase), None
        return None, reason

    def refuse_inside(self, source: Source) -> None:
        """Raise OptionError for a key that would be in the backup, unless ``allow_keys_in_source``."""
        options = self._options
        excluded = matcher([os.fsencode(pattern) for pattern in source.exclude])
        for name in ("encrypt_pass_file", "signing_key"):
            path = getattr(options, name)
            if options.allow_keys_in_source or path in (None, "", "none"):
                continue
            inside = below(source.folder, path)
            linked = ""
            if inside is None or excluded(os.fsencode(inside[2:])):
                inside = _another_link(source, path, excluded)
                linked = f" (as {shown(inside)}, a hard link)" if inside is not None else ""
            if inside is not None and source.single_file in (None, inside[2:]):
                raise OptionError(
                    f"{name} {shown(path)} lies in what is backed up{linked}, so nothing was done: a key is lost with what it opens, and "
                    "lies open in a backup that is not encrypted. Put it elsewhere, leave it out (exclude), or set "
                    "allow_keys_in_source."
                )


def _another_link(source: Source, path: str, excluded: Callable[[bytes], bool]) -> str | None:
    """The name, as tar has it, of a link to a key in what is backed up. It is looked for only if the key has several links."""
    try:
        key = os.stat(path)
    except OSError:
        return None
    if key.st_nlink < 2:
        return None
    own_output = set(source.own_output)
    pending = ["."]
    while pending:
        above = pending.pop()
        try:
            with os.scandir(os.path.join(source.folder, above)) as entries:
                for entry in entries:
                    name = f"{above}/{entry.name}"
                    if name in own_output or excluded(os.fsencode(name[2:])):
                        continue
                    if source.single_file not in (None, entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(name)
                    elif entry.inode() == key.st_ino and os.path.samestat(entry.stat(follow_symlinks=False), key):
                        return name
        except OSError:
            continue  # what cannot be listed is not backed up either, and is told then
    return None


def left_out_of(folder: str) -> list[str]:
    """The names, as tar has them, of secrets and copies in the state folder, if they are below a folder which is backed up."""
    state = default_state_folder()
    found = (below(folder, os.path.join(state, name)) for name in _LEFT_OUT)
    return [name for name in found if name is not None]


def named_signing_key(path: str) -> PrivateKey:
    """That of ``signing_key``. Raises UnusableKey or MissingLibrary."""
    return _signing(_read_signing(path), f"The file {shown(path)} (signing_key)")


def own_signing_key(makes: bool) -> PrivateKey:
    """The key of the state folder; a missing one is made, or if not so another one that is forgotten again.

    Raises UnusableKey, MissingLibrary, StorageError.
    """
    path = os.path.join(default_state_folder(), SIGNING_KEY)
    if not makes and not os.path.lexists(path):
        return ssh_keys.private_key(ssh_keys.new_private_key(), path)
    try:
        with locked(path):
            if not os.path.lexists(path):
                made = ssh_keys.new_private_key()
                public = ssh_keys.private_key(made, path).public
                # For people, who put it into a list of signers.
                write_whole(f"{path}.pub", f"{public.line}\n".encode("ascii"))
                write_whole(path, made)
    except OSError as problem:
        raise StorageError(f"{path} cannot be made: {problem.strerror or problem}.") from problem
    return _read_own(path)


def own_public_key() -> PublicKey | None:
    """The public half of the key of the state folder; None if there is none, or it cannot be used."""
    try:
        return _read_own(os.path.join(default_state_folder(), SIGNING_KEY)).public
    except (UnusableKey, MissingLibrary):
        return None


def _read_own(path: str) -> PrivateKey:
    return _signing(_read_signing(path), path)


def _read_signing(path: str) -> bytes:
    return read_file(path, "signing_key", "a private key of SSH into the first lines", ssh_keys.FILE_LIMIT)


def _signing(stored: bytes, what: str) -> PrivateKey:
    key = ssh_keys.private_key(stored, what)
    if key.public.kind != ssh_keys.ED25519:
        raise UnusableKey(
            f"{what} is a key of the kind {key.public.kind}, and backups are signed with ssh-ed25519 keys only; make one with "
            "ssh-keygen -t ed25519."
        )
    return key
