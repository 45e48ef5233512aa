# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What we seal the program `age` opens (tests/labs/age), and what it seals we open: each kind of key, and in part."""

from __future__ import annotations

import io
import os
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import age, armor
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import (
    ScryptIdentity,
    X25519Identity,
    identities,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.recipients import (
    ScryptRecipient,
    recipient,
)
from ansible_collections.freezer.backup.tests.support.age_program import at_a_terminal, programs

PLAIN = os.urandom(3 * 65_536 + 17)
SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, len(PLAIN)]


@pytest.fixture(scope="module")
def age_programs():
    return programs()


@pytest.fixture(params=["age", "ssh-ed25519", "ssh-rsa"])
def key(request, age_programs, tmp_path):
    """A file with a secret key as its program makes it, and the line of its public half."""
    path = tmp_path / "key"
    if request.param == "age":
        subprocess.run([age_programs.keygen, "-o", path], check=True, capture_output=True)
        line = subprocess.run([age_programs.keygen, "-y", path], check=True, capture_output=True, text=True).stdout
    else:
        kind = request.param.removeprefix("ssh-")
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
        line = path.with_suffix(".pub").read_text()
    return path, line.strip()


def said(argv, data):
    return subprocess.run(argv, input=data, capture_output=True, check=True).stdout


def test_age_opens_what_we_seal(age_programs, key):
    path, line = key
    for size in SIZES:
        stored = age.sealed(PLAIN[:size], [X25519Identity.generate().recipient, recipient(line)])
        assert said([age_programs.age, "-d", "-i", path], stored) == PLAIN[:size]
        assert said([age_programs.age, "-d", "-i", path], armor.armored(stored).encode()) == PLAIN[:size]


def test_we_open_what_age_seals(age_programs, key):
    path, line = key
    held = identities(path.read_bytes(), str(path))
    for size in SIZES:
        stored = said([age_programs.age, "-r", str(X25519Identity.generate().recipient), "-r", line], PLAIN[:size])
        assert b"".join(age.open_stream(io.BytesIO(stored), held)) == PLAIN[:size]
        payload = age.Payload(stored[: age.head_bytes(stored)], len(stored), held)
        assert payload.plain_bytes == size
        middle = size // 2
        assert payload.read(lambda first, after, stored=stored: stored[first:after], middle, size) == PLAIN[middle:size]
    stored = said([age_programs.age, "-a", "-r", line], PLAIN)
    assert age.opened(armor.unarmored(stored), held) == PLAIN


def test_age_refuses_what_we_refuse(age_programs, key):
    path, line = key
    stored = age.sealed(PLAIN, [recipient(line)])
    for changed in (
        stored[:-1],
        stored[: age.head_bytes(stored) + 65_552],
        stored.replace(b"age-", b"agE-", 1),
        stored + b"x",
    ):
        done = subprocess.run([age_programs.age, "-d", "-i", path], input=changed, capture_output=True, check=False)
        assert done.returncode != 0


def test_a_key_of_ours_is_one_of_age(age_programs, tmp_path):
    held = X25519Identity.generate()
    path = tmp_path / "key"
    path.write_text(f"# a comment\n{held.reveal()}\n")
    shown = subprocess.run([age_programs.keygen, "-y", path], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == str(held.recipient)


def test_a_passphrase_opens_in_both_directions(age_programs, tmp_path):
    words = Passphrase(b"six words of a test")
    (tmp_path / "ours.age").write_bytes(age.sealed(b"secret half", [ScryptRecipient(words, work=10)]))
    argv = [age_programs.age, "-d", "-o", tmp_path / "ours", tmp_path / "ours.age"]
    assert at_a_terminal(argv, words.reveal() + b"\n").returncode == 0
    assert (tmp_path / "ours").read_bytes() == b"secret half"
    argv = [age_programs.age, "-p", "-o", tmp_path / "theirs.age", tmp_path / "ours"]
    assert at_a_terminal(argv, (words.reveal() + b"\n") * 2).returncode == 0
    assert age.opened((tmp_path / "theirs.age").read_bytes(), [ScryptIdentity(words)]) == b"secret half"
