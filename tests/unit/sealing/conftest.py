# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Keys that the tests of this room share, and the programs that have to understand what we write."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import X25519Identity
from ansible_collections.freezer.backup.tests.support.labs import LabUnavailable
from ansible_collections.freezer.backup.tests.support.role_runs import do_without


class SshKey(NamedTuple):
    """A key pair of ssh-keygen."""

    path: Path
    private: bytes
    line: str


@pytest.fixture(scope="session")
def identity():
    """A secret key of age."""
    return X25519Identity.generate()


@pytest.fixture(scope="session")
def ssh_keygen():
    return needed("ssh-keygen")


@pytest.fixture(scope="session")
def openssl():
    return needed("openssl")


def needed(program):
    """The path of a program; without it the test is skipped on a laptop, and fails in CI."""
    path = shutil.which(program)
    if path is None:
        do_without(LabUnavailable(f"there is no {program} on this host"))
    return path


@pytest.fixture(scope="session")
def ssh_keys(ssh_keygen, tmp_path_factory):
    """Key pairs by kind, as ssh-keygen makes them: ed25519, other (a second one), rsa, ecdsa, pem, locked."""
    folder = tmp_path_factory.mktemp("ssh")
    kinds = {
        "ed25519": ["-t", "ed25519"],
        "other": ["-t", "ed25519"],
        "rsa": ["-t", "rsa", "-b", "2048"],
        "ecdsa": ["-t", "ecdsa", "-b", "256"],
        "ecdsa521": ["-t", "ecdsa", "-b", "521"],
        "pem": ["-t", "rsa", "-b", "2048", "-m", "PEM"],
        "locked": ["-t", "ed25519", "-N", "its own passphrase"],
    }
    made = {}
    for kind, options in kinds.items():
        path = folder / kind
        options = options if "-N" in options else [*options, "-N", ""]
        subprocess.run([ssh_keygen, "-q", *options, "-C", f"{kind} of a test", "-f", path], check=True)
        made[kind] = SshKey(path, path.read_bytes(), path.with_suffix(".pub").read_text().strip())
    return made
