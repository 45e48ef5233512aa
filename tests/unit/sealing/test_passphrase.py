# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The file of a passphrase: whose it is, who may read it, and what of it counts."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import UnusableKey
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import (
    Passphrase,
    read_passphrase,
)


def file_with(tmp_path, data, mode=0o600):
    path = tmp_path / "pass"
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("data", "passphrase"),
    [
        (b"six words\n", b"six words"),
        (b"six words", b"six words"),
        (b" six words \nand more\n", b" six words "),
        (b"\xff\xe4\n", b"\xff\xe4"),
        (b"x" * 1023 + b"\n", b"x" * 1023),
    ],
)
def test_the_first_line_counts_as_it_is(tmp_path, data, passphrase):
    assert read_passphrase(file_with(tmp_path, data)).reveal() == passphrase


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The passphrase is empty"),
        (b"\nsecret", "The passphrase is empty"),
        (b"secret" * 200, "The passphrase has more than 1023 bytes"),
        (b"secret" * 200 + b"\n", "The passphrase has more than 1023 bytes"),
        (b"secret\r\n", "has a line end or a NUL byte in it"),
        (b"secret\0\n", "has a line end or a NUL byte in it"),
    ],
)
def test_a_line_that_is_no_passphrase_is_refused_and_not_repeated(tmp_path, data, sentence):
    path = file_with(tmp_path, data)
    with pytest.raises(UnusableKey, match=sentence) as refused:
        read_passphrase(path)
    assert str(refused.value).startswith(f"The file {path} (encrypt_pass_file) cannot be used. ")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o610])
def test_a_file_that_others_get_at_is_refused(tmp_path, mode):
    path = file_with(tmp_path, b"secret\n", mode)
    with pytest.raises(UnusableKey, match=f"has the mode {mode:04o}: others than its owner can get at it"):
        read_passphrase(path, "--encrypt-pass-file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused_and_one_of_root_is_not(tmp_path):
    path = file_with(tmp_path, b"secret\n")
    os.chown(path, 65534, 65534)
    with pytest.raises(UnusableKey, match="belongs to the user with the number 65534, who can change it"):
        read_passphrase(path)


def test_a_link_leads_to_the_file_that_is_looked_at(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file_with(tmp_path, b"secret\n"))
    assert read_passphrase(str(link)).reveal() == b"secret"
    (tmp_path / "pass").chmod(0o644)
    with pytest.raises(UnusableKey, match="has the mode 0644"):
        read_passphrase(str(link))


def test_what_is_no_regular_file_is_refused_and_nothing_waits(tmp_path):
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", tmp_path, "/dev/zero"):
        with pytest.raises(UnusableKey, match="is no regular file"):
            read_passphrase(str(path))
    for path, reason in ((tmp_path / "none", "No such file"), ("a\0b", "null byte")):
        with pytest.raises(UnusableKey, match=f"cannot be read: .*{reason}"):
            read_passphrase(str(path))


def test_a_passphrase_equals_itself_only():
    assert Passphrase(b"a") != Passphrase(b"a")
