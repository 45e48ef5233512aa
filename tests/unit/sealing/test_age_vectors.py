# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What we open and what we refuse is what the test vectors of the format of age say (tests/data/age)."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import age, armor
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import Damaged, NoKeyFits
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import (
    ScryptIdentity,
    X25519Identity,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase


def vectors():
    """Name, properties and file of each vector."""
    found = []
    with tarfile.open(Path(__file__).parents[2] / "data/age/testkit.tar.xz") as archive:
        for member in archive:
            if member.isfile():
                text, file = archive.extractfile(member).read().split(b"\n\n", 1)
                pairs = [line.split(": ", 1) for line in text.decode().splitlines()]
                properties = {key: [value for name, value in pairs if name == key] for key, _value in pairs}
                found.append((Path(member.name).name, properties, file))
    return found


VECTORS = vectors()


@pytest.mark.parametrize(("properties", "file"), [one[1:] for one in VECTORS], ids=[one[0] for one in VECTORS])
def test_vector(properties, file):
    file = zlib.decompress(file) if "compressed" in properties else file
    held = [X25519Identity(text) for text in properties.get("identity", [])]
    held += [ScryptIdentity(Passphrase(text.encode())) for text in properties.get("passphrase", [])]
    given = b""
    outcome = "success"
    try:
        if "armored" in properties:
            outcome = "armor failure"
            file = armor.unarmored(file)
        outcome = "header failure"
        opened = age.open_stream(io.BytesIO(file), held)
        outcome = "payload failure"
        for piece in opened:
            given += piece
        outcome = "success"
    except NoKeyFits:
        outcome = "no match"
    except Damaged as error:
        if "changed after it was written" in str(error):
            outcome = "HMAC failure"
    expected = properties["expect"][0]
    # A nonce that is cut off is part of the head for us.
    assert outcome == expected or (outcome, expected) == ("payload failure", "header failure")
    if "payload" in properties:
        assert hashlib.sha256(given).hexdigest() == properties["payload"][0]


def test_there_are_vectors_of_every_outcome():
    outcomes = {properties["expect"][0] for _name, properties, _file in VECTORS}
    assert outcomes == {"success", "no match", "HMAC failure", "header failure", "payload failure", "armor failure"}
    assert len(VECTORS) == 124
