# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The signers that are sealed with the key pair of a set: believed by who opens the pair, and by nobody's word but a holder's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import UnbelievedBackup
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import age, ssh_keys, ssh_signature
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import X25519Identity
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.recipients import X25519Recipient
from ansible_collections.freezer.backup.tests.support.key_files import (
    AgeKey,
    SigningKey,
    State,
    pass_file,
    quick_scrypt,
    signers_file,
)
from ansible_collections.freezer.backup.tests.support.sets import Set, tick


@pytest.fixture
def state(tmp_path, monkeypatch) -> State:
    quick_scrypt(monkeypatch)
    return State(tmp_path / "state", monkeypatch)


@pytest.fixture
def sealed(tmp_path, state) -> Set:
    one = Set(tmp_path, max_level=9, encrypt_pass_file=pass_file(tmp_path))
    (one.source / "file").write_text("content")
    return one


@pytest.fixture
def for_key(tmp_path, state) -> Set:
    """A set for a public key; the host has no key that opens it."""
    one = Set(tmp_path, max_level=9, encryption_recipients=[AgeKey(tmp_path, "identity").public])
    (one.source / "file").write_text("content")
    return one


def elsewhere(one: Set, state: State, monkeypatch) -> None:
    """Go on as another host, which has the passphrase or the secret key and remembers nothing."""
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(state.folder) + " of another host")
    if "encryption_recipients" in one.options:
        del one.options["encryption_recipients"]
        one.options["identity_file"] = str(one.folder / "identity")


def sign_by_another(folder: Path, tmp_path: Path) -> None:
    """Put the signature of a key of one's own in the place of that of a backup, as who can write to a container can."""
    written = Path(SigningKey(tmp_path, "attacker").file).read_bytes()
    key = ssh_keys.private_key(written, "attacker")
    (folder / "manifest.json.sig").write_text(ssh_signature.sign((folder / "manifest.json").read_bytes(), key))


def pair_of(one: Set) -> Path:
    (pair,) = (one.set_folder / ".keys").iterdir()
    return pair


@pytest.mark.parametrize("kind", ["sealed", "for_key"])
def test_who_opens_the_pair_believes_its_host_and_refuses_others_by_name(kind, request, state, tmp_path, monkeypatch):
    one = request.getfixturevalue(kind)
    made = one.backup()
    elsewhere(one, state, monkeypatch)
    assert one.restore()["signed_by"] == one.verify()["signed_by"] == made["signed_by"]
    folder = one.folder_of(made)
    sign_by_another(folder, tmp_path)
    for verb in (one.restore, one.verify):
        with pytest.raises(
            UnbelievedBackup, match=f"host_tree/{folder.name} .* which the sealed list of signers of .* does not allow"
        ):
            verb()
    (folder / "manifest.json.sig").unlink()
    for verb in (one.restore, one.verify):
        with pytest.raises(
            UnbelievedBackup, match=f"host_tree/{folder.name} .* is not signed, and the list of signers"
        ):
            verb()
    # What is to be read all the same, and what a reader names itself.
    assert one.restore(salvage=True)["signed_by"] is None
    sign_by_another(folder, tmp_path)
    named = signers_file(
        tmp_path, f"host {ssh_keys.private_key((tmp_path / 'attacker').read_bytes(), 'x').public.line}"
    )
    assert one.verify(trusted_signers=named)["signed_by"]


@pytest.mark.parametrize("what", ["no secret half", "another secret half", "no list", "another set"])
def test_a_list_of_one_who_does_not_hold_the_secret_half_counts_for_nothing(
    for_key, state, tmp_path, monkeypatch, what
):
    """The public halves are no secrets: anybody can seal something for them."""
    one = for_key
    made = one.backup()
    pair = pair_of(one)
    public = [
        X25519Recipient((pair / "public").read_text().strip()),
        X25519Recipient(one.options["encryption_recipients"][0]),
    ]
    sign_by_another(one.folder_of(made), tmp_path)
    line = f"host {ssh_keys.private_key((tmp_path / 'attacker').read_bytes(), 'x').public.line}"
    if what == "another set":
        other = Set(tmp_path, backup_name="other", encryption_recipients=one.options["encryption_recipients"])
        other.backup()
        forged = (pair_of(other) / "recipients.age").read_bytes()
    else:
        secret = {"no secret half": "", "another secret half": f"{X25519Identity.generate().reveal()}\n"}.get(what, "")
        text = "" if what == "no list" else f"# signer: {line}\n{secret}"
        forged = age.sealed(text.encode(), public)
    (pair / "recipients.age").write_bytes(forged)
    elsewhere(one, state, monkeypatch)
    with pytest.raises(
        FreezerError, match=r"recipients.age of .* has (no secret key in it|the secret half of another key pair)"
    ):
        one.restore()


def test_a_forged_form_beside_the_one_that_opens_names_nobody(sealed, state, tmp_path, monkeypatch):
    made = sealed.backup()
    pair = pair_of(sealed)
    sign_by_another(sealed.folder_of(made), tmp_path)
    line = f"host {ssh_keys.private_key((tmp_path / 'attacker').read_bytes(), 'x').public.line}"
    public = X25519Recipient((pair / "public").read_text().strip())
    (pair / "recipients.age").write_bytes(
        age.sealed(f"# signer: {line}\n{X25519Identity.generate().reveal()}\n".encode(), [public])
    )
    elsewhere(sealed, state, monkeypatch)
    with pytest.raises(UnbelievedBackup, match="does not allow"):
        sealed.restore()


def test_a_host_that_has_lost_its_key_is_named_again_with_the_passphrase(sealed, state, tmp_path, monkeypatch):
    sealed.options["encryption_recipients"] = [AgeKey(tmp_path, "identity").public]
    first = sealed.backup()
    before = {path.name: path.read_bytes() for path in pair_of(sealed).iterdir()}
    state.lose()
    tick()
    second = sealed.backup()
    assert second["signed_by"] != first["signed_by"]
    assert second["key_id"] == first["key_id"]
    with monkeypatch.context() as patch:
        elsewhere(sealed, state, patch)
        assert sealed.verify()["signed_by"] == second["signed_by"]
        assert sealed.verify(backup_id=first["backup_id"])["signed_by"] == first["signed_by"]
    # Set back: the host that writes says so, and others refuse what they cannot believe any more.
    for name, stored in before.items():
        (pair_of(sealed) / name).write_bytes(stored)
    tick()
    sealed.options["encrypt_pass_file"] = pass_file(tmp_path)
    (said,) = sealed.backup()["problems"]
    assert "changed since this host wrote there last" in said
    elsewhere(sealed, state, monkeypatch)
    sealed.options["encrypt_pass_file"] = pass_file(tmp_path)
    with pytest.raises(UnbelievedBackup, match="does not allow"):
        sealed.verify()


def test_another_signing_key_is_named_with_the_passphrase_or_said(sealed, state, tmp_path, monkeypatch):
    sealed.backup()
    other = SigningKey(tmp_path, "other").file
    tick()
    made = sealed.backup(signing_key=other)
    assert made["problems"] == []
    elsewhere(sealed, state, monkeypatch)
    assert sealed.verify()["signed_by"] == made["signed_by"]


def test_a_host_that_cannot_open_the_pair_says_that_its_new_key_is_not_named(for_key, state, tmp_path):
    for_key.backup()
    tick()
    (said,) = for_key.backup(signing_key=SigningKey(tmp_path, "other").file)["problems"]
    assert "is not among the signers that are sealed with the key pair" in said


def test_the_signers_of_a_pair_stay_when_its_keys_change_and_are_listed(sealed, state, tmp_path, monkeypatch):
    made = sealed.backup()
    another = AgeKey(tmp_path, "another")
    agent.key({**sealed.options, "action": "key", "key": "add", "encryption_recipients": [another.public]})
    new = pass_file(tmp_path, "another passphrase", "new")
    agent.key({**sealed.options, "action": "key", "key": "add", "new_pass_file": new})
    elsewhere(sealed, state, monkeypatch)
    del sealed.options["encrypt_pass_file"]
    for opened in ({"encrypt_pass_file": new}, {"identity_file": another.file}):
        assert sealed.verify(**opened)["signed_by"] == made["signed_by"]
        (pair,) = agent.key({**sealed.options, **opened, "action": "key", "key": "list"})["keys"]
        assert [line.partition(" ")[0] for line in pair["signers"]] == ["host"]


def test_a_pair_that_names_nobody_is_read_as_before(sealed, state, tmp_path, monkeypatch):
    made = sealed.backup(signing_key="none")
    assert made["signed_by"] == "passphrase"
    (sealed.folder_of(made) / "manifest.json.sig").unlink()
    elsewhere(sealed, state, monkeypatch)
    assert sealed.restore()["signed_by"] is None
    shutil.rmtree(state.folder)
