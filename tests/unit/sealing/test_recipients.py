# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Keys of age and of SSH, for whom something is sealed and what opens it: read from files, and refused with a sentence."""

from __future__ import annotations

import base64
import copy
import pickle

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import age, ssh_keys
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import NoKeyFits, UnusableKey
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import (
    ScryptIdentity,
    X25519Identity,
    identities,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.recipients import (
    X25519Recipient,
    recipient,
    recipients,
)

# The keys of the specification.
SECRET = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
PUBLIC = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
# A key with a compressed point, which OpenSSH does not write.
COMPRESSED = "ecdsa-sha2-nistp256 " + base64.b64encode(
    b"\0\0\0\x13ecdsa-sha2-nistp256\0\0\0\x08nistp256\0\0\0\x21\x02" + bytes(32)
).decode("ascii")


def test_the_keys_of_the_specification_belong_together():
    held = X25519Identity(SECRET)
    assert str(held.recipient) == PUBLIC
    assert held.reveal() == SECRET
    assert str(recipient(f" {PUBLIC}\n")) == PUBLIC


def test_a_generated_key_is_read_again():
    held = X25519Identity.generate()
    assert X25519Identity(held.reveal()).recipient.point == held.recipient.point
    assert held.reveal() != X25519Identity.generate().reveal()


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "pem"])
def test_a_key_of_ssh_keygen_opens_what_is_sealed_for_its_public_half(ssh_keys, kind):
    (held,) = identities(ssh_keys[kind].private, "the key")
    stored = age.sealed(b"plain", [recipient(PUBLIC), recipient(ssh_keys[kind].line)])
    assert age.opened(stored, [held]) == b"plain"
    assert age.opened(age.sealed(b"plain", [held.recipient]), [held]) == b"plain"
    (other,) = identities(ssh_keys["other"].private, "the key")
    with pytest.raises(NoKeyFits, match="sealed for keys of age, keys of the kind ssh-"):
        age.opened(stored, [other])


def test_a_key_with_a_passphrase_is_opened_with_it_or_named(ssh_keys):
    locked = ssh_keys["locked"]
    with pytest.raises(UnusableKey, match=r"^/root/key is a key with a passphrase; use one without"):
        identities(locked.private, "/root/key")
    pytest.importorskip("bcrypt")
    with pytest.raises(UnusableKey, match="/root/key cannot be opened: its passphrase is another one"):
        identities(locked.private, "/root/key", b"wrong")
    (held,) = identities(locked.private, "/root/key", b"its own passphrase")
    assert age.opened(age.sealed(b"plain", [recipient(locked.line)]), [held]) == b"plain"
    (held,) = identities(ssh_keys["ed25519"].private, "/root/key", b"a passphrase that it does not need")
    assert str(held.recipient) == " ".join(ssh_keys["ed25519"].line.split()[:2])


def test_a_key_whose_passphrase_would_take_hours_is_refused_at_once(ssh_keys):
    first, *lines, last = ssh_keys["locked"].private.splitlines()
    blob = base64.b64decode(b"".join(lines))
    salt = blob.index(b"\0\0\0\x10", blob.index(b"bcrypt"))
    slow = blob[: salt + 20] + b"\x7f\xff\xff\xff" + blob[salt + 24 :]
    with pytest.raises(UnusableKey, match="cannot be opened: its passphrase is another one, or it is damaged"):
        identities(b"\n".join([first, base64.b64encode(slow), last]), "/root/key", b"its own passphrase")


def test_files_of_keys_have_comments_and_empty_lines():
    data = f"# created: today\n# public key: {PUBLIC}\n\n{SECRET}\n".encode()
    assert [held.recipient.point for held in identities(data, "keys.txt")] == [X25519Recipient(PUBLIC).point]
    found = recipients(f"# ours\n{PUBLIC}\n\n  # theirs\n{PUBLIC}\r\n".encode(), "recipients.txt")
    assert [str(one) for one in found] == [PUBLIC, PUBLIC]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (PUBLIC[:-1] + "x", "its checksum is wrong: it is mistyped or incomplete"),
        (PUBLIC[:-2], "its checksum is wrong"),
        (PUBLIC[:-1] + "J", "mixes lower and upper case"),
        (PUBLIC.upper(), "it is no public key of age"),
        ("age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3", "its checksum is wrong"),
        (
            "age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e",
            "a hardware key of age, which this release",
        ),
        (SECRET, "this is a secret one. Name the public half"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "this is a secret one"),
        ("ssh-dss AAAA", "of the kind ssh-dss is not supported"),
        ("ssh-ed25519 AAA!", "is no base64: it is mistyped or incomplete"),
        ("ssh-ed25519", "of the kind that it has is not supported"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAID", "is damaged, or not one that is supported"),
        (COMPRESSED, "of the kind ecdsa-sha2-nistp256 is damaged, or not one that is supported"),
        ("hello", "of the kind hello is not supported"),
        ("", "is not supported"),
    ],
)
def test_what_is_no_recipient_is_refused_with_a_sentence_that_repeats_no_key(text, sentence):
    with pytest.raises(UnusableKey, match=sentence) as refused:
        recipient(text)
    assert text.partition(" ")[2] == "" or text.partition(" ")[2] not in str(refused.value)
    assert SECRET[:30] not in str(refused.value)


def test_a_list_says_which_line_is_wrong():
    with pytest.raises(UnusableKey, match=r"^recipients.txt, line 3: A recipient .* mistyped"):
        recipients(f"{PUBLIC}\n\n{PUBLIC}q\n".encode(), "recipients.txt")
    with pytest.raises(UnusableKey, match=r"^recipients.txt names no recipient"):
        recipients(b"# none\n", "recipients.txt")
    with pytest.raises(UnusableKey, match=r"^recipients.txt is no list of recipients: it has more than"):
        recipients(b"#" * (1 << 21), "recipients.txt")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (f"# x\n{SECRET[:-1]}Y\n".encode(), "^keys.txt, line 2: A secret key .* its checksum is wrong"),
        (SECRET.lower().encode(), "^keys.txt, line 1: this is no secret key of age that this release can use"),
        (
            b"AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR",
            "line 1: this is no secret key",
        ),
        (PUBLIC.encode(), "line 1: this is no secret key"),
        (b"", "^keys.txt has no secret key in it"),
        (b"\xff" * 70_000, "has more than 65536 bytes"),
        (
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "^keys.txt is damaged, or of a kind",
        ),
        (b"-----BEGIN CERTIFICATE-----\n", "^keys.txt has no private key of SSH in it"),
    ],
)
def test_what_is_no_secret_key_is_refused_with_a_sentence_that_repeats_none_of_it(data, sentence):
    with pytest.raises(UnusableKey, match=sentence) as refused:
        identities(data, "keys.txt")
    assert "GFPYYSJZ" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_key_that_cannot_be_sealed_for_is_named(ssh_keys):
    with pytest.raises(UnusableKey, match="for a key of the kind ecdsa-sha2-nistp256; use age1"):
        recipient(ssh_keys["ecdsa"].line)
    with pytest.raises(UnusableKey, match="the key has a key of the kind ecdsa-sha2-nistp256"):
        identities(ssh_keys["ecdsa"].private, "the key")


def test_a_key_that_protects_nothing_is_refused():
    for point in (bytes(32), bytes([1]) + bytes(31)):
        weak = X25519Recipient(PUBLIC)
        weak.point = point
        with pytest.raises(UnusableKey, match="its public key is one that protects nothing"):
            age.sealed(b"x", [weak])


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (2, "is no key: it is mistyped or damaged"),  # no point of the curve
        (2**255 - 1, "is no key: it is mistyped or damaged"),  # not written in the one way
        (0, "its public key is one that protects nothing"),  # points of low order
        (1, "its public key is one that protects nothing"),
        (2**255 - 20, "its public key is one that protects nothing"),
    ],
)
def test_a_key_of_ssh_that_is_no_point_or_a_weak_one_is_refused(y, sentence):
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + y.to_bytes(32, "little")
    line = f"ssh-ed25519 {base64.b64encode(blob).decode()}"
    with pytest.raises(UnusableKey, match=sentence):
        age.sealed(b"x", [recipient(line)])


def test_a_key_of_rsa_that_is_even_is_refused():
    number = bytes([0, 0x80]) + bytes(255)
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-rsa", b"\1\0\1", number))
    with pytest.raises(UnusableKey, match="ssh-rsa .* damaged"):
        age.sealed(b"x", [recipient(f"ssh-rsa {base64.b64encode(blob).decode()}")])


def test_nothing_shows_a_secret(ssh_keys):
    words = Passphrase(b"six words of a test")
    key = ssh_keys_of(ssh_keys)
    shown = [
        words,
        [words],
        X25519Identity(SECRET),
        ScryptIdentity(words),
        key,
        *identities(ssh_keys["rsa"].private, "x"),
    ]
    text = f"{shown!r} {shown} {shown[0]!s}"
    for secret in ("six words", "GFPYYSJZ", "PRIVATE", str(ssh_keys["ed25519"].private.splitlines()[2])):
        assert secret not in text
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copied(words)


def ssh_keys_of(made):
    return ssh_keys.private_key(made["ed25519"].private, "the key")
