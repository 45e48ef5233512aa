# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""`openssl enc -aes-256-cfb`: what we write it reads, what it writes we read, the older ways of an old Freezer included."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import openssl as cfb
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import (
    Damaged,
    MissingLibrary,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import (
    Passphrase,
    read_passphrase,
)

WORDS = b"six words \xc3\xa4 of a test"


@pytest.fixture
def pass_file(tmp_path):
    path = tmp_path / "pass"
    path.write_bytes(WORDS + b"\nand a second line\n")
    path.chmod(0o600)
    return path


def enc(openssl, pass_file, data, *options):
    """What `openssl enc` makes of data; with -d the other way round."""
    argv = [openssl, "enc", "-aes-256-cfb", "-pass", f"file:{pass_file}", *options]
    return subprocess.run(argv, input=data, capture_output=True, check=True).stdout


def sealed(plain, pieces=1000, iterations=1000):
    stored = []
    with cfb.CfbSealer(stored.append, Passphrase(WORDS), iterations) as sealer:
        for begin in range(0, len(plain), pieces):
            sealer.write(memoryview(plain)[begin : begin + pieces])
    assert (sealer.plain_bytes, sealer.stored_bytes) == (len(plain), len(plain) + cfb.HEAD_BYTES)
    return b"".join(stored)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100_003])
@pytest.mark.parametrize("iterations", [10_000, 1000])
def test_openssl_opens_what_we_seal_and_we_what_it_seals(openssl, pass_file, size, iterations):
    plain = os.urandom(size)
    options = ["-pbkdf2"] + ([] if iterations == 10_000 else ["-iter", str(iterations)])
    derivation = cfb.Derivation(iterations)
    assert enc(openssl, pass_file, sealed(plain, iterations=iterations), "-d", *options) == plain
    stored = enc(openssl, pass_file, plain, *options)
    passphrase = read_passphrase(str(pass_file))
    assert b"".join(cfb.open_stream(io.BytesIO(stored), passphrase, derivation)) == plain


@pytest.mark.parametrize("digest", ["md5", "sha256"])
def test_archives_of_an_old_freezer_are_read_whatever_openssl_it_had(openssl, pass_file, digest):
    plain = gzip.compress(b"a tar stream" * 5000)
    stored = enc(openssl, pass_file, plain, "-md", digest)
    passphrase = Passphrase(WORDS)
    derivation = cfb.fitting_derivation(stored[:64], passphrase, lambda start: start.startswith(b"\x1f\x8b\x08"))
    assert derivation == cfb.Derivation(0, digest)
    assert b"".join(cfb.open_stream(io.BytesIO(stored), passphrase, derivation)) == plain
    assert (
        cfb.fitting_derivation(stored[:64], Passphrase(b"x"), lambda start: start.startswith(b"\x1f\x8b\x08")) is None
    )


def test_what_is_written_without_a_number_has_600000_iterations(openssl, pass_file):
    stored = []
    with cfb.CfbSealer(stored.append, Passphrase(WORDS)) as sealer:
        sealer.write(b"plain")
    assert enc(openssl, pass_file, b"".join(stored), "-d", "-pbkdf2", "-iter", "600000") == b"plain"
    assert b"".join(cfb.open_stream(io.BytesIO(b"".join(stored)), Passphrase(WORDS))) == b"plain"


@pytest.mark.parametrize("options", [["-pbkdf2"], ["-pbkdf2", "-iter", "600000"]])
def test_the_derivation_of_newer_objects_is_found_too(openssl, pass_file, options):
    stored = enc(openssl, pass_file, b"BZh91AY", *options)
    derivation = cfb.fitting_derivation(stored, Passphrase(WORDS), lambda start: start.startswith(b"BZh9"))
    assert derivation in (cfb.OPENSSL_DERIVATION, cfb.USUAL_DERIVATION)
    assert b"".join(cfb.open_stream(io.BytesIO(stored), Passphrase(WORDS), derivation)) == b"BZh91AY"


def test_any_range_is_read_from_the_blocks_around_it():
    plain = os.urandom(1000)
    stored = sealed(plain)
    payload = cfb.CfbPayload(stored[: cfb.HEAD_BYTES], Passphrase(WORDS), cfb.Derivation(1000))
    asked = []

    def fetch(first, after):
        asked.append((first, after))
        return stored[first:after]

    edges = [0, 1, 15, 16, 17, 31, 32, 33, 500, 999, 1000]
    for begin in edges:
        for end in (place for place in edges if place >= begin):
            assert payload.read(fetch, begin, end) == plain[begin:end]
            if end > begin:
                first, after = asked[-1]
                assert after == cfb.HEAD_BYTES + end
                assert after - first <= end - begin + 31
    with pytest.raises(Damaged, match="^data.000001 is cut off: 99 of 116 bytes"):
        cfb.CfbPayload(stored, Passphrase(WORDS), cfb.Derivation(1000), what="data.000001").open(stored[:99], 16, 116)


def test_two_seals_of_the_same_have_nothing_in_common():
    one, other = sealed(b"the same bytes"), sealed(b"the same bytes")
    assert one[8:] != other[8:]
    assert one[16:] != other[16:]


@pytest.mark.parametrize("data", [b"", b"Salted__", b"Salted__1234567", b"age-encryption.org/v1\n"])
def test_what_is_not_of_openssl_is_refused(data):
    with pytest.raises(
        Damaged, match="^The segment is not encrypted by openssl with a salt, or its beginning is damaged"
    ):
        cfb.open_stream(io.BytesIO(data), Passphrase(WORDS), what="The segment")
    with pytest.raises(Damaged):
        cfb.CfbPayload(data[:16], Passphrase(WORDS))


@pytest.mark.parametrize("iterations", [0, -1, 10**9])
def test_iterations_that_protect_nothing_or_never_end_are_refused(iterations):
    with pytest.raises(ValueError, match="iterations are 1 to"):
        cfb.CfbSealer(print, Passphrase(WORDS), iterations)


def test_a_host_without_the_library_is_told_its_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(MissingLibrary, match="need the Python library cryptography"):
        cfb.CfbSealer(print, Passphrase(WORDS), 1)
