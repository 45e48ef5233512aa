# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Random headers and payloads: the room's own errors and no others, and no byte that was not written at that place."""

from __future__ import annotations

import base64
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import (
    age,
    age_header,
    allowed_signers,
    armor,
    bech32,
    chunks,
    ssh_keys,
    ssh_signature,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import SealingError
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import (
    ScryptIdentity,
    X25519Identity,
    identities,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.recipients import recipients
from ansible_collections.freezer.backup.tests.support.soak import SOAK, rounds

pytestmark = pytest.mark.rounds

CHUNK = chunks.PLAIN_BYTES
IDENTITY = X25519Identity.generate()
HELD = [IDENTITY, ScryptIdentity(Passphrase(b"words"), most_work=4)]
PLAIN = b"".join(number.to_bytes(4, "big") for number in range(40_000))
STORED = age.sealed(PLAIN, [IDENTITY.recipient])
HEAD = age.head_bytes(STORED)

quick = settings(
    max_examples=rounds(60), deadline=None, derandomize=not SOAK, suppress_health_check=[HealthCheck.too_slow]
)

edits = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.integers(0, len(STORED) * 8 - 1)),
        st.tuples(st.just("flip"), st.integers(0, HEAD * 8 - 1)),
        st.tuples(st.just("cut"), st.integers(0, len(STORED))),
        st.tuples(st.just("drop"), st.integers(0, len(STORED) - 1)),
        st.tuples(st.just("insert"), st.integers(0, len(STORED)), st.binary(min_size=1, max_size=40)),
    ),
    min_size=1,
    max_size=3,
)


def edited(stored, changes):
    for kind, place, *rest in changes:
        if kind == "flip" and place // 8 < len(stored):
            stored = stored[: place // 8] + bytes([stored[place // 8] ^ 1 << place % 8]) + stored[place // 8 + 1 :]
        elif kind == "cut":
            stored = stored[:place]
        elif kind == "drop":
            stored = stored[:place] + stored[place + 1 :]
        elif kind == "insert":
            stored = stored[:place] + rest[0] + stored[place:]
    return stored


def given_out(stored):
    """What reading gives before it ends or raises, and whether it raised; errors of other classes come through."""
    pieces = []
    try:
        pieces.extend(bytes(piece) for piece in age.open_stream(io.BytesIO(stored), HELD))
    except SealingError:
        return b"".join(pieces), True
    return b"".join(pieces), False


@quick
@given(edits)
def test_an_edited_object_is_refused_and_gives_out_whole_chunks_at_their_place_only(changes):
    stored = edited(STORED, changes)
    plain, refused = given_out(stored)
    assert refused == (stored != STORED)
    assert PLAIN.startswith(plain)
    assert len(plain) % CHUNK == 0 or plain == PLAIN


@quick
@given(edits, st.integers(0, len(PLAIN)), st.integers(0, 200_000))
def test_a_range_of_an_edited_object_is_right_or_refused(changes, begin, length):
    stored = edited(STORED, changes)
    try:
        payload = age.Payload(stored, len(stored), HELD)
        begin = min(begin, payload.plain_bytes)
        end = min(begin + length, payload.plain_bytes)
        plain = payload.read(lambda first, after: stored[first:after], begin, end)
    except SealingError:
        return
    assert plain == PLAIN[begin:end]


@quick
@given(st.binary(max_size=2000), st.booleans())
def test_random_bytes_are_refused(data, begins_well):
    plain, refused = given_out(b"age-encryption.org/v1\n" * begins_well + data)
    assert refused
    assert plain == b""


stanza = st.tuples(
    st.sampled_from(["X25519", "scrypt", "ssh-ed25519", "ssh-rsa", "x"]),
    st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=50), max_size=3),
    st.binary(max_size=200),
)


@quick
@given(st.lists(stanza, min_size=1, max_size=5))
def test_any_well_formed_header_is_parsed_as_it_was_written_and_never_opens_by_chance(parts):
    stanzas = [age_header.Stanza(kind, tuple(arguments), body) for kind, arguments, body in parts]
    header = age_header.written(stanzas, bytes(16))
    assert age_header.length(header + b"more") == len(header)
    plain, refused = given_out(header + bytes(100))
    assert (plain, refused) == (b"", True)
    if not any(one.kind == "scrypt" for one in stanzas):
        parsed = age_header.parsed(header)
        assert list(parsed.stanzas) == stanzas
        assert age_header.authentic(parsed, bytes(16))
        assert not age_header.authentic(parsed, b"1" * 16)


@quick
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20), st.binary(max_size=100))
def test_bech32_gives_back_what_it_was_given(prefix, data):
    prefix = prefix.lower()
    text = bech32.encode(prefix, data)
    assert bech32.decode(text) == (prefix, data)
    assert bech32.decode(text.upper()) == (prefix, data)


@quick
@given(st.data())
def test_a_mistyped_key_is_refused(data):
    text = str(IDENTITY.recipient)
    place = data.draw(st.integers(4, len(text) - 1))
    other = data.draw(st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7lb1ö"))
    if other == text[place]:
        return
    with pytest.raises(ValueError, match="^its? "):
        bech32.decode(text[:place] + other + text[place + 1 :])


@quick
@given(
    st.one_of(st.binary(max_size=500), st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
def test_random_bytes_are_no_key_and_no_signature_and_no_list(data):
    for read in (
        lambda: identities(data, "the file"),
        lambda: recipients(data, "the file"),
        lambda: armor.unarmored(data),
        lambda: ssh_keys.public_key(data.decode("latin-1")),
        lambda: ssh_keys.public_key_of(data),
        lambda: ssh_keys.private_key(b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + data, "the file"),
        lambda: ssh_signature.verified(b"x", data, "it"),
        lambda: ssh_signature.verified(b"x", armor_of(data), "it"),
        lambda: allowed_signers.AllowedSigners.parsed(data, "the file"),
    ):
        with pytest.raises(SealingError):
            read()


def armor_of(data):
    text = base64.b64encode(b"SSHSIG\0\0\0\1" + data)
    return b"-----BEGIN SSH SIGNATURE-----\n" + text + b"\n-----END SSH SIGNATURE-----\n"
