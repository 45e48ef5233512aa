# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Signatures: what we sign `ssh-keygen` verifies, what it signs we verify, and what either refuses the other does."""

from __future__ import annotations

import base64
import calendar
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import ssh_keys as keys
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import ssh_signature
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.allowed_signers import (
    AllowedSigners,
    matches,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import NotBelieved, UnusableKey

MESSAGE = b'{"format": "freezer-backup"}\n'
NOW = 1_795_000_000.0


@pytest.fixture
def signing_key(ssh_keys):
    return keys.private_key(ssh_keys["ed25519"].private, "the key")


def signed_by_ssh_keygen(ssh_keygen, key, message=MESSAGE, namespace="freezer-backup", *options):
    argv = [ssh_keygen, "-Y", "sign", "-q", "-n", namespace, "-f", key.path, *options]
    return subprocess.run(argv, input=message, capture_output=True, check=True).stdout


def verified_by_ssh_keygen(ssh_keygen, tmp_path, allowed, signature, message=MESSAGE, name="web1"):
    """Whether `ssh-keygen -Y verify` believes a signature."""
    (tmp_path / "allowed").write_text(allowed)
    (tmp_path / "signature").write_bytes(signature)
    argv = [ssh_keygen, "-Y", "verify", "-n", "freezer-backup", "-I", name, "-f", tmp_path / "allowed"]
    done = subprocess.run([*argv, "-s", tmp_path / "signature"], input=message, capture_output=True, check=False)
    return done.returncode == 0


def test_ssh_keygen_verifies_what_we_sign_and_makes_the_same(ssh_keygen, ssh_keys, signing_key, tmp_path):
    text = ssh_signature.sign(MESSAGE, signing_key).encode()
    assert text == signed_by_ssh_keygen(ssh_keygen, ssh_keys["ed25519"])
    allowed = f"web1 {ssh_keys['ed25519'].line}\n"
    assert verified_by_ssh_keygen(ssh_keygen, tmp_path, allowed, text)
    assert not verified_by_ssh_keygen(ssh_keygen, tmp_path, allowed, text, MESSAGE + b" ")


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "pem", "ecdsa", "ecdsa521"])
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_what_ssh_keygen_signs_is_verified(ssh_keygen, ssh_keys, kind, hash_name):
    for message in (MESSAGE, b"", bytes(100_000)):
        signature = signed_by_ssh_keygen(
            ssh_keygen, ssh_keys[kind], message, "freezer-backup", "-O", f"hashalg={hash_name}"
        )
        assert ssh_signature.verified(message, signature, "it").line == " ".join(ssh_keys[kind].line.split()[:2])
        with pytest.raises(
            NotBelieved, match="^The signature of the manifest is not valid: the key that it names did not sign"
        ):
            ssh_signature.verified(message + b"x", signature, "the manifest")


def test_a_signature_for_another_purpose_is_none(ssh_keygen, ssh_keys, signing_key):
    with pytest.raises(NotBelieved, match="it was made for another purpose than freezer-backup"):
        ssh_signature.verified(MESSAGE, signed_by_ssh_keygen(ssh_keygen, ssh_keys["ed25519"], MESSAGE, "git"), "it")
    with pytest.raises(NotBelieved, match="another purpose"):
        ssh_signature.verified(MESSAGE, ssh_signature.sign(MESSAGE, signing_key, "file").encode(), "it")


def test_only_ed25519_keys_sign(ssh_keys):
    with pytest.raises(
        UnusableKey, match="Keys of the kind ssh-rsa do not sign here; make one with ssh-keygen -t ed25519"
    ):
        ssh_signature.sign(MESSAGE, keys.private_key(ssh_keys["rsa"].private, "the key"))


def test_no_single_bit_of_a_signature_can_be_changed(signing_key):
    text = ssh_signature.sign(MESSAGE, signing_key).splitlines()
    blob = base64.b64decode("".join(text[1:-1]))
    for place in range(len(blob)):
        changed = blob[:place] + bytes([blob[place] ^ 1 << place % 8]) + blob[place + 1 :]
        armored = "\n".join([text[0], base64.b64encode(changed).decode(), text[-1]]).encode()
        with pytest.raises(NotBelieved):
            ssh_signature.verified(MESSAGE, armored, "it")


@pytest.mark.parametrize(
    ("signature", "sentence"),
    [
        (b"", "does not begin and end as signatures of SSH do"),
        (b"x" * 20_000, "it has more than 16384 bytes"),
        (b"-----BEGIN SSH SIGNATURE-----\n!\n-----END SSH SIGNATURE-----\n", "it is no base64"),
        (b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n", "it is incomplete"),
        (b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAg==\n-----END SSH SIGNATURE-----\n", "of another version"),
        (
            b"-----BEGIN SSH SIGNATURE-----\nAAAAAAAAAAAAAA==\n-----END SSH SIGNATURE-----\n",
            "it is no signature of SSH",
        ),
    ],
)
def test_what_is_no_signature_is_refused(signature, sentence):
    with pytest.raises(NotBelieved, match=sentence):
        ssh_signature.verified(MESSAGE, signature, "it")


def test_a_signature_of_a_kind_that_is_weak_is_refused(ssh_keys):
    """ssh-rsa with SHA-1, which OpenSSH refuses too."""
    key = keys.private_key(ssh_keys["rsa"].private, "the key")

    def string(data):
        return len(data).to_bytes(4, "big") + data

    inner = string(b"ssh-rsa") + string(bytes(256))
    blob = b"SSHSIG\0\0\0\1" + b"".join(map(string, (key.public.blob, b"freezer-backup", b"", b"sha512", inner)))
    armored = b"-----BEGIN SSH SIGNATURE-----\n" + base64.b64encode(blob) + b"\n-----END SSH SIGNATURE-----\n"
    with pytest.raises(NotBelieved, match="it was not made as a key of the kind ssh-rsa has to"):
        ssh_signature.verified(MESSAGE, armored, "it")


@pytest.mark.parametrize(
    ("options", "principals", "believed"),
    [
        ("", "web1", True),
        ("", "*", True),
        ("", "db*,web?", True),
        ("", "web2", False),
        ("", "*,!web1", False),
        ('namespaces="freezer-backup"', "web1", True),
        ('namespaces="file,freezer-*"', "web1", True),
        ('NameSpaces="file"', "web1", False),
        ('valid-after="20200101Z",valid-before="20990101Z"', "web1", True),
        ('valid-after="20990101"', "web1", False),
        ('valid-before="202001011200Z"', "web1", False),
        ('namespaces="freezer-backup",valid-after="20200101000000"', "web1", True),
    ],
)
def test_a_list_of_signers_says_the_same_to_us_and_to_ssh_keygen(
    ssh_keygen, ssh_keys, signing_key, tmp_path, options, principals, believed
):
    text = ssh_signature.sign(MESSAGE, signing_key).encode()
    allowed = f"# who may\n\nother {ssh_keys['other'].line}\n{principals} {options} {ssh_keys['ed25519'].line}\n"
    assert verified_by_ssh_keygen(ssh_keygen, tmp_path, allowed, text) == believed
    signers = AllowedSigners.parsed(allowed.encode(), "/etc/freezer/allowed_signers")
    if believed:
        signer = signers.verify(MESSAGE, text, "The manifest", NOW, principal="web1")
        assert signer.principals == principals
        again = "\n".join(one.line for one in signers.signers)
        assert AllowedSigners.parsed(again.encode(), "again").signers[1].why_not("freezer-backup", NOW) is None
        assert verified_by_ssh_keygen(ssh_keygen, tmp_path, again, text)
    else:
        with pytest.raises(
            NotBelieved, match=r"^The manifest is signed with the key SHA256:.*, which /etc/freezer/allowed_signers"
        ):
            signers.verify(MESSAGE, text, "The manifest", NOW, principal="web1")


def test_a_signer_who_is_not_in_the_list_is_named_by_the_fingerprint_that_ssh_keygen_shows(
    ssh_keygen, ssh_keys, signing_key
):
    signers = AllowedSigners.parsed(f"* {ssh_keys['other'].line}".encode(), "the list")
    shown = subprocess.run(
        [ssh_keygen, "-l", "-f", ssh_keys["ed25519"].path], capture_output=True, text=True, check=True
    ).stdout
    with pytest.raises(NotBelieved) as refused:
        signers.verify(MESSAGE, ssh_signature.sign(MESSAGE, signing_key).encode(), "The manifest", NOW)
    assert shown.split()[1] in str(refused.value)
    assert "its key is not in the list" in str(refused.value)


def test_times_of_a_list_are_included(ssh_keys, signing_key):
    line = f'web1 valid-after="202601010000Z",valid-before="20260201Z" {ssh_keys["ed25519"].line}'
    (signer,) = AllowedSigners.parsed(line.encode(), "the list").signers
    first, last = calendar.timegm((2026, 1, 1, 0, 0, 0)), calendar.timegm((2026, 2, 1, 0, 0, 0))
    assert [signer.why_not("x", time) is None for time in (first - 1, first, last, last + 1)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("web1 cert-authority KEY", "certificates are not supported; list the keys themselves"),
        ('web1 namespaces="a",cert-authority KEY', "certificates are not supported"),
        ('web1 namespaces="a",namespaces="b" KEY', "the option namespaces has to be there once"),
        ("web1 namespaces KEY", "the option namespaces has to be there once"),
        ("web1 no-touch-required KEY", "it has an option that is not known"),
        ('web1 namespaces="a", KEY', "it has an option that is not known"),
        ('web1 valid-after="yesterday" KEY', "valid-after is no time such as"),
        ('web1 valid-before="20261301" KEY', "valid-before is no time such as"),
        ('web1 valid-after="20260102",valid-before="20260101" KEY', "valid-before is not later than valid-after"),
        ("web1", "it is not a name, options and a public key"),
        ('web1 namespaces="a"', "it has no public key"),
        ("web1 sk-ssh-ed25519@openssh.com AAAA", "is not supported"),
        ("web1 ssh-ed25519 AAAA", "is damaged|is not supported"),
        ("KEY", "is not supported|it has no public key|not known"),
    ],
)
def test_a_line_that_cannot_be_honoured_is_refused_with_its_number(ssh_keys, line, sentence):
    data = f"# comment\n{line.replace('KEY', ssh_keys['ed25519'].line)}\n".encode()
    with pytest.raises(UnusableKey, match=f"^/etc/signers, line 2: .*({sentence})"):
        AllowedSigners.parsed(data, "/etc/signers")


def test_an_empty_list_is_refused():
    with pytest.raises(UnusableKey, match="names no signer; put lines such as"):
        AllowedSigners.parsed(b"# nothing yet\n", "/etc/signers")


@pytest.mark.parametrize(
    ("name", "patterns", "fits"),
    [
        ("a", "a", True),
        ("a", "b,a", True),
        ("ab", "a", False),
        ("ab", "a?", True),
        ("ab", "*b", True),
        ("abcabd", "*ab?", True),
        ("abc", "a*c*", True),
        ("", "", True),
        ("a", "", False),
        ("a", "*,!a", False),
        ("a", "!b", False),
        ("a" * 60, "*a*a*a*a*a*a*a*a*a*a*b", False),
    ],
)
def test_patterns(name, patterns, fits):
    assert matches(name, patterns) == fits
