# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Keys and passphrases in files, as options name them."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository import set_keys
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import ssh_keys
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import X25519Identity
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.recipients import ScryptRecipient

#: A passphrase, which no result and no file may have in it.
PASSPHRASE = "correct horse battery staple"


def secret_file(folder: Path, name: str, content: str | bytes) -> str:
    """The path of a file that only its owner may read."""
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
    return str(path)


def pass_file(folder: Path, passphrase: str = PASSPHRASE, name: str = "passphrase") -> str:
    """A file for ``encrypt_pass_file``."""
    return secret_file(folder, name, f"{passphrase}\n")


class AgeKey:
    """A key pair of a person, with its secret half in a file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.identity = X25519Identity.generate()
        self.public = str(self.identity.recipient)
        self.file = secret_file(folder, name, f"# created by a test\n{self.identity.reveal()}\n")


class SigningKey:
    """An SSH key pair that signs, with its private half in a file."""

    def __init__(self, folder: Path, name: str) -> None:
        written = ssh_keys.new_private_key()
        self.file = secret_file(folder, name, written)
        self.public = ssh_keys.private_key(written, name).public


def signers_file(folder: Path, *lines: str, name: str = "allowed_signers") -> str:
    """A file for ``trusted_signers``."""
    return secret_file(folder, name, "".join(f"{line}\n" for line in lines))


def quick_scrypt(patch: pytest.MonkeyPatch) -> None:
    """Seal for passphrases with little work: the usual takes a tenth of a second each time."""
    patch.setattr(set_keys, "ScryptRecipient", functools.partial(ScryptRecipient, work=4))


class State:
    """What this host remembers, in a folder of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        patch.setenv("FREEZER_BACKUP_STATE", str(folder))

    def lose(self, *names: str) -> None:
        """Forget everything, or some files or folders of it."""
        for path in [self.folder / name for name in names] or [self.folder]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def content(self) -> dict[str, bytes]:
        """All files by their paths."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }
