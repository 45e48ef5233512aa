# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who has written a backup: signatures, whom a reader believes, and what a host remembers of its last manifests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import held_keys
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import UnbelievedBackup
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import with_digest
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import MissingLibrary, UnusableKey
from ansible_collections.freezer.backup.tests.support.key_files import (
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
def one(tmp_path, state) -> Set:
    found = Set(tmp_path, max_level=9)
    (found.source / "file").write_text("content")
    return found


def own_line(state: State, host: str = "host") -> str:
    return f"{host} {(state.folder / 'signing_key.pub').read_text().strip()}"


def rewrite(manifest: Path) -> None:
    """Change a manifest so that it is whole by itself, as who can write to a container can."""
    document = json.loads(manifest.read_bytes())
    heads = {key: document.pop(key) for key in ("format", "format_version")}
    del document["self_sha256"]
    manifest.write_bytes(with_digest(heads, {**document, "outcome": "partial"}))


def change(one: Set, number: int = 0) -> None:
    tick()
    (one.source / f"more {number}").write_text(str(number))


def test_ssh_keygen_checks_what_a_host_signs_by_itself(one, state, tmp_path):
    result = one.backup()
    folder = one.folder_of(result)
    signers = signers_file(tmp_path, own_line(state))
    with (folder / "manifest.json").open("rb") as manifest:
        checked = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "host", "-n", "freezer-backup", "-s",
             str(folder / "manifest.json.sig")],
            stdin=manifest, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert result["signed_by"] in checked.stdout
    assert (result["signed_by_reason"], result["metadata"]["signed_by"]) == (None, result["signed_by"])
    change(one)
    assert one.backup()["signed_by"] == result["signed_by"]
    assert os.stat(state.folder / "signing_key").st_mode & 0o777 == 0o600


def test_a_key_that_ssh_keygen_made_signs_if_it_is_named(one, state, tmp_path):
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    result = one.backup(signing_key=str(path))
    printed = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    assert result["signed_by"] in printed
    assert not (state.folder / "signing_key").exists()


@pytest.mark.parametrize("verb", ["restore", "verify"])
def test_a_backup_by_a_trusted_signer_is_read_and_says_who_it_was(one, state, tmp_path, verb):
    result = one.backup()
    signers = signers_file(tmp_path, "# those who may", own_line(state))
    read = getattr(one, verb)(trusted_signers=signers)
    assert (read["signed_by"], read["signed_by_reason"]) == (result["signed_by"], None)


@pytest.mark.parametrize("verb", ["restore", "verify"])
def test_an_unsigned_and_a_foreign_backup_are_refused_where_signers_are_named(one, state, tmp_path, verb):
    stranger = SigningKey(tmp_path, "stranger")
    one.backup(signing_key="none")
    signers = signers_file(tmp_path, f"host {stranger.public.line}")
    with pytest.raises(
        UnbelievedBackup, match="is not signed, and trusted_signers says that backups have to be. Choose"
    ):
        getattr(one, verb)(trusted_signers=signers)
    change(one)
    result = one.backup()
    with pytest.raises(
        UnbelievedBackup, match="does not allow: its key is not in the list. If the signer is to be"
    ) as no:
        getattr(one, verb)(trusted_signers=signers)
    assert result["signed_by"] in str(no.value)
    for line, why in (
        (own_line(state, "other"), "its key is that of other, not of host"),
        (own_line(state).replace("ssh-ed25519", 'namespaces="git" ssh-ed25519'), "may not sign for freezer-backup"),
        (own_line(state).replace("ssh-ed25519", 'valid-before="20200101" ssh-ed25519'), "no longer valid"),
    ):
        with pytest.raises(UnbelievedBackup, match=why):
            getattr(one, verb)(trusted_signers=signers_file(tmp_path, line))
    assert not list(one.folder.glob("restored-*"))


@pytest.mark.parametrize("verb", ["restore", "verify"])
def test_a_key_that_has_expired_signs_no_newest_backup_whatever_it_says_of_its_end(
    one, state, tmp_path, monkeypatch, verb
):
    one.backup()
    change(one)
    with monkeypatch.context() as past:
        past.setattr("time.time", lambda: 1_500_000_000.0)  # in 2017
        one.backup()
    signers = signers_file(tmp_path, own_line(state).replace("ssh-ed25519", 'valid-before="20200101" ssh-ed25519'))
    with pytest.raises(UnbelievedBackup, match="no longer valid"):
        getattr(one, verb)(trusted_signers=signers)
    in_time = own_line(state).replace("ssh-ed25519", 'valid-before="20991231" ssh-ed25519')
    assert getattr(one, verb)(trusted_signers=signers_file(tmp_path, in_time))["signed_by"]


def test_a_key_in_time_is_believed_for_a_backup_that_was_named_after_one_of_the_future(one, state, tmp_path):
    (one.set_folder / "7258118400_0").mkdir(parents=True)  # of 2200
    one.backup()
    in_time = own_line(state).replace("ssh-ed25519", 'valid-before="20991231" ssh-ed25519')
    assert one.verify(trusted_signers=signers_file(tmp_path, in_time))["signed_by"]


def test_without_trust_the_result_says_that_nothing_was_checked(one, state):
    one.backup(signing_key="none")
    assert one.verify()["signed_by"] is None
    assert one.verify()["signed_by_reason"] == "it is not signed"
    change(one)
    one.backup()
    state.lose()
    restored = one.restore()
    assert restored["signed_by"] is None
    assert restored["signed_by_reason"].startswith("it is signed by a key that is not known here")


@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sig"])
def test_a_changed_manifest_or_signature_is_refused_by_name(one, state, tmp_path, name):
    """Its own hash is made to fit: that one needs no key."""
    folder = one.folder_of(one.backup())
    signers = signers_file(tmp_path, own_line(state))
    path = folder / name
    if name == "manifest.json":
        rewrite(path)
    else:
        path.write_bytes(path.read_bytes()[:100] + b"A" + path.read_bytes()[101:])
    with pytest.raises(UnbelievedBackup, match="The signature of The manifest of host_tree/.* is not valid"):
        one.restore(trusted_signers=signers)
    with pytest.raises(UnbelievedBackup):
        one.restore()  # the host has a key of its own to compare with


def test_a_proof_finds_a_damaged_signature_of_a_lower_level(one, state):
    first = one.folder_of(one.backup()) / "manifest.json.sig"
    change(one)
    one.backup()
    first.write_bytes(first.read_bytes()[:100])
    with pytest.raises(UnbelievedBackup, match="does not begin and end as signatures of SSH do"):
        one.verify()
    assert one.restore()["outcome"] == "success"


def test_a_passphrase_stands_in_where_no_key_signs(one, state, tmp_path):
    given = {"encrypt_pass_file": pass_file(tmp_path)}
    result = one.backup(signing_key="none", **given)
    assert (result["signed_by"], result["encryption"]) == ("passphrase", "age")
    assert (one.folder_of(result) / "manifest.json.sig").read_text().startswith("hmac-sha256 pbkdf2-sha256 600000 ")
    assert one.restore(**given)["signed_by"] == "passphrase"
    (one.folder_of(result) / "manifest.json.sig").write_text(
        "hmac-sha256 pbkdf2-sha256 600000 " + 32 * "0" + " " + 64 * "0" + "\n"
    )
    with pytest.raises(UnbelievedBackup, match="does not fit its code"):
        one.restore(**given)


@pytest.mark.parametrize("method", ["age", "aes-256-cfb"])
@pytest.mark.parametrize("verb", ["restore", "verify"])
def test_a_passphrase_is_none_of_the_signers_that_are_named(one, state, tmp_path, verb, method):
    """Else they would be named for nothing to who has the passphrase: such a one chooses how a backup is encrypted."""
    given = {"encrypt_pass_file": pass_file(tmp_path)}
    one.backup(signing_key="none", encryption=method, **given)
    signers = signers_file(tmp_path, f"host {SigningKey(tmp_path, 'named').public.line}")
    with pytest.raises(
        UnbelievedBackup, match="is signed with a passphrase, which others may have, and by none of trust"
    ):
        getattr(one, verb)(**given, trusted_signers=signers)
    assert getattr(one, verb)(**given)["signed_by"] == "passphrase"


def test_a_host_without_the_library_signs_nothing_and_says_why(one, state, monkeypatch):
    def missing(*_arguments: object) -> None:
        raise MissingLibrary("Encryption and signatures need the Python library cryptography (3.4 or later).")

    monkeypatch.setattr(held_keys, "own_signing_key", missing)
    result = one.backup()
    assert (result["outcome"], result["signed_by"]) == ("success", None)
    assert "need the Python library cryptography" in result["signed_by_reason"]
    change(one)
    assert one.backup()["level"] == 1
    assert not list(one.container.rglob("manifest.json.sig"))


def test_a_signing_key_that_cannot_sign_is_refused(one, state, tmp_path):
    path = tmp_path / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(path)], check=True)
    with pytest.raises(UnusableKey, match="is a key of the kind ssh-rsa, and backups are signed with ssh-ed25519"):
        one.backup(signing_key=str(path))
    os.chmod(f"{path}.pub", 0o600)
    with pytest.raises(UnusableKey, match=r"\(signing_key\) has no private key of SSH in it"):
        one.backup(signing_key=f"{path}.pub")
    good = SigningKey(tmp_path, "good").file
    os.chmod(good, 0o644)
    with pytest.raises(UnusableKey, match="has the mode 0644"):
        one.backup(signing_key=good)
    with pytest.raises(OptionError, match="signing_key has to be the absolute path"):
        one.backup(signing_key="good")
    assert not list(one.container.rglob("manifest.json"))


def test_a_list_of_signers_that_others_can_write_is_refused(one, state, tmp_path):
    one.backup()
    signers = signers_file(tmp_path, own_line(state))
    os.chmod(signers, 0o646)
    with pytest.raises(UnusableKey, match=r"has the mode 0646: others than its owner can change it"):
        one.restore(trusted_signers=signers)
    os.chmod(signers, 0o644)
    assert one.restore(trusted_signers=signers)["outcome"] == "success"


def replace_by(one: Set, folder: Path, thief: Set) -> None:
    """Put what another one has written in the place of a backup, as who can write to a container can."""
    theirs = thief.folder_of(thief.backup())
    shutil.rmtree(folder)
    shutil.copytree(theirs, one.set_folder / theirs.name)


@pytest.fixture
def thief(tmp_path, state, monkeypatch) -> Set:
    """Another host, which writes a set of the same names."""
    (tmp_path / "thief").mkdir()
    found = Set(tmp_path / "thief")
    (found.source / "file").write_text("forged")
    own = found.backup

    def backup(**options):
        with pytest.MonkeyPatch.context() as patch:
            State(tmp_path / "state of the thief", patch)
            return own(**options)

    monkeypatch.setattr(found, "backup", backup)
    return found


def test_a_level_that_another_wrote_is_said_and_not_continued(one, state, thief):
    folder = one.folder_of(one.backup())
    replace_by(one, folder, thief)
    change(one)
    result = one.backup()
    assert result["level"] == 0
    assert result["reason"] == "the newest backup was not written by this host, as far as it knows"
    assert f"host_tree/{folder.name} of local storage" in result["problems"][0]
    change(one, 1)
    assert one.backup()["level"] == 1


@pytest.mark.parametrize("method", ["age", "aes-256-cfb"])
def test_a_level_that_another_wrote_with_the_passphrase_of_this_host_is_not_continued(
    one, state, tmp_path, monkeypatch, method
):
    """It would be signed with the key of this host. A host that signs with the passphrase itself has its memory to go by."""
    one.options.update(encrypt_pass_file=pass_file(tmp_path), encryption=method)
    one.backup()
    put = put_by_another(one, state, monkeypatch, signing_key="none", no_incremental=True)
    assert put["signed_by"] == "passphrase"
    if method == "age":  # of the same pair, as only a holder of the passphrase can make it
        assert len(list((one.set_folder / ".keys").iterdir())) == 1
    change(one)
    result = one.backup()
    assert result["level"] == 0
    assert result["reason"] == "the newest backup was not written by this host, as far as it knows"
    change(one, 1)
    assert one.backup()["level"] == 1


def test_a_replaced_manifest_is_named(one, state):
    folder = one.folder_of(one.backup())
    rewrite(folder / "manifest.json")
    change(one)
    result = one.backup()
    assert f"host_tree/{folder.name} of local storage" in result["problems"][0]
    assert result["problems"][0].endswith("is not what this host has written: its manifest was replaced.")
    assert result["level"] == 0


def test_a_container_that_was_set_back_is_named(one, state):
    one.backup()
    change(one)
    newest = one.folder_of(one.backup())
    shutil.rmtree(newest)
    restored = one.restore()
    assert restored["remarks"][0].startswith(f"host_tree/{newest.name} of local storage")
    assert "the container was set back to an earlier state" in restored["remarks"][0]
    assert "set back" in one.verify()["remarks"][0]
    change(one, 1)
    result = one.backup()
    assert "set back" in result["problems"][0]
    assert result["level"] == 1  # level 0 is one that this host remembers
    assert one.restore()["remarks"] == []


def test_what_retention_has_removed_is_not_missed(one, state):
    first = one.backup()
    one.backup(no_incremental=True)
    shutil.rmtree(one.folder_of(first))
    assert one.restore()["remarks"] == []
    change(one)
    assert one.backup()["problems"] == []


def test_of_two_copies_the_one_that_is_signed_is_restored(one, state, tmp_path):
    places = [{"storage": "local", "container": str(tmp_path / name)} for name in ("first", "second")]
    both = {key: value for key, value in one.options.items() if key not in ("storage", "container")}
    result = agent.backup({**both, "storages": places})
    os.unlink(tmp_path / "first" / result["storages"][0]["folder"] / "manifest.json.sig")
    signers = signers_file(tmp_path, own_line(state))
    target = one.new_target()
    action = {"backup_name": "tree", "hostname": "host", "storages": places, "trusted_signers": signers}
    restored = agent.restore({**action, "restore_abs_path": str(target)})
    assert restored["container"] == str(tmp_path / "second")
    assert "is not signed" in restored["remarks"][0]
    with pytest.raises(FreezerError, match="is not signed"):
        agent.verify(action)


def on_record(*results: dict) -> list[str]:
    """The option recorded_manifests, from the records of backups."""
    return [f"{one['metadata']['backup_id']}:{one['metadata']['manifest_sha256']}" for one in results]


def put_by_another(one: Set, state: State, monkeypatch, **options) -> dict:
    """A newer backup of the same name, by one who can write to the container and has none of the keys of this host."""
    tick()
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(state.folder) + "-of-another")
    made = one.backup(**options)
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(state.folder))
    return made


def test_a_manifest_that_is_not_the_one_on_record_is_refused_whoever_signed_it(one, state):
    first = one.backup()
    assert one.restore(recorded_manifests=on_record(first))["is_recorded"] is True
    assert one.verify(recorded_manifests=on_record(first))["is_recorded"] is True
    assert "is_recorded" not in one.verify()
    other = [f"{first['backup_id']}:{'0' * 64}"]
    for verb in (one.restore, one.verify):
        with pytest.raises(
            UnbelievedBackup, match=rf"{first['storages'][0]['folder']} of local .* is not the one that is on record"
        ):
            verb(recorded_manifests=other)


@pytest.mark.parametrize("signing_key", [None, "none"])
def test_a_backup_on_no_record_is_refused_unless_its_signer_is_believed(one, state, tmp_path, monkeypatch, signing_key):
    first = one.backup()
    records = on_record(first)
    put = put_by_another(one, state, monkeypatch, signing_key=signing_key)
    with pytest.raises(
        UnbelievedBackup, match=rf"{put['storages'][0]['folder']} of local .* is on no record of the API"
    ):
        one.restore(recorded_manifests=records)
    with pytest.raises(UnbelievedBackup, match="is on no record"):
        one.restore(recorded_manifests=records, salvage=True)
    older = one.restore(recorded_manifests=records, backup_id=first["backup_id"])
    assert (older["backup_id"], older["is_recorded"]) == (first["backup_id"], True)
    change(one, 7)
    own = one.backup()
    assert own["level"] == 0
    result = one.restore(recorded_manifests=records)
    assert (result["backup_id"], result["is_recorded"]) == (own["backup_id"], False)


@pytest.mark.parametrize("text", ["x", "0" * 32, f"{'0' * 32}:{'0' * 63}", f"{'g' * 32}:{'0' * 64}"])
def test_a_record_that_is_none_is_an_error_of_the_option(one, text):
    one.backup()
    with pytest.raises(OptionError, match="recorded_manifests has"):
        one.restore(recorded_manifests=[text])
