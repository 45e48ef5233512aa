# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The code that stands in for a signature: what a person gets with `openssl` is the same, and anything else is not believed."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import openssl as cfb
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import NotBelieved
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase_code import (
    check,
    code_line,
    is_code_line,
)

WORDS = Passphrase(b"six words \xc3\xa4 of a test")
MESSAGE = b'{"format": "freezer-backup"}\n'


def test_a_code_is_what_openssl_derives_and_makes(openssl):
    """So a person can check it: `openssl kdf`, then `openssl dgst`."""
    name, derivation, iterations, salt, code = code_line(MESSAGE, WORDS).split()
    assert (name, derivation, iterations) == ("hmac-sha256", "pbkdf2-sha256", "600000")
    options = {"digest": "SHA256", "hexpass": WORDS.reveal().hex(), "hexsalt": salt, "iter": iterations}
    argv = [openssl, "kdf", "-keylen", "32", "-binary"]
    argv += [word for option, value in options.items() for word in ("-kdfopt", f"{option}:{value}")]
    key = subprocess.run([*argv, "PBKDF2"], capture_output=True, check=True).stdout
    argv = [openssl, "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-r"]
    made = subprocess.run(argv, input=b"freezer-backup manifest\n" + MESSAGE, capture_output=True, check=True).stdout
    assert made.decode().split()[0] == code


def test_a_code_is_believed_for_its_message_purpose_and_passphrase_only():
    line = code_line(MESSAGE, WORDS, 1000).encode()
    assert is_code_line(line)
    check(MESSAGE, line, WORDS, "The manifest")
    for message, purpose, words in (
        (MESSAGE + b" ", "manifest", WORDS),
        (MESSAGE, "record", WORDS),
        (MESSAGE, "manifest", Passphrase(b"six words")),
    ):
        with pytest.raises(
            NotBelieved, match="^The manifest does not fit its code: it was changed .*, or written with another"
        ):
            check(message, line, words, "The manifest", purpose)


def test_no_character_of_a_line_can_be_changed():
    line = code_line(MESSAGE, WORDS, 1000).encode()
    for place in range(len(line)):
        for other in (line[place] ^ 1, line[place] ^ 0x20):
            with pytest.raises(NotBelieved):
                check(MESSAGE, line[:place] + bytes([other]) + line[place + 1 :], WORDS, "it")
    for other in (b"", line[:-1], line + b"\n", b" " + line, line.replace(b" 1000 ", b" 99999999 ")):
        with pytest.raises(NotBelieved, match="^The code of it is not well formed, or asks for too much work"):
            check(MESSAGE, other, WORDS, "it")


def test_two_codes_of_the_same_have_salts_of_their_own_and_no_key_that_encrypts():
    one, other = (code_line(MESSAGE, WORDS, 1000).split() for _time in range(2))
    assert one[3] != other[3]
    assert one[4] != other[4]
    assert len(bytes.fromhex(one[3])) != cfb.SALT_BYTES


@pytest.mark.parametrize("iterations", [0, -1, 10**8])
def test_iterations_that_protect_nothing_or_never_end_are_refused(iterations):
    with pytest.raises(ValueError, match="iterations are 1 to"):
        code_line(MESSAGE, WORDS, iterations)


def test_a_signature_of_a_key_is_no_code():
    assert not is_code_line(b"-----BEGIN SSH SIGNATURE-----\n")
    with pytest.raises(NotBelieved):
        check(MESSAGE, b"-----BEGIN SSH SIGNATURE-----\n", WORDS, "it")
