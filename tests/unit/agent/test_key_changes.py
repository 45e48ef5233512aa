# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The action key: who can open the backups of a set changes without one of them being written anew."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import files
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import age
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.armor import unarmored
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import SealingError, UnusableKey
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import ScryptIdentity
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.faulty_storage import FaultyStorage
from ansible_collections.freezer.backup.tests.support.key_files import (
    PASSPHRASE,
    AgeKey,
    State,
    pass_file,
    quick_scrypt,
)
from ansible_collections.freezer.backup.tests.support.sets import Set, tick


@pytest.fixture
def one(tmp_path, monkeypatch) -> Set:
    """A set with one backup, encrypted with a passphrase."""
    quick_scrypt(monkeypatch)
    State(tmp_path / "state", monkeypatch)
    found = Set(tmp_path, max_level=9, encrypt_pass_file=pass_file(tmp_path))
    (found.source / "file").write_text("content")
    found.backup()
    return found


@pytest.fixture
def person(tmp_path) -> AgeKey:
    return AgeKey(tmp_path, "person")


def do(one: Set, what: str, **options):
    return agent.key({**one.options, "key": what, **options})


def data_of(one: Set) -> dict[Path, str]:
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest() + str(path.stat().st_mtime_ns)
        for path in one.set_folder.rglob("*")
        if path.is_file() and ".keys" not in path.parts and not path.name.startswith(".")
    }


def test_a_recipient_that_is_added_opens_what_was_there_before(one, person):
    before = data_of(one)
    result = do(one, "add", encryption_recipients=[f" {person.public} "])
    assert (result["changed"], result["outcome"]) == (True, "success")
    (pair,) = result["keys"]
    assert (pair["recipients"], pair["for_passphrase"], pair["backups"]) == ([person.public], True, 1)
    assert data_of(one) == before
    way = {"encrypt_pass_file": None, "identity_file": person.file}
    assert one.restore(**way)["outcome"] == "success"
    again = do(one, "add", encryption_recipients=[person.public])
    assert (again["changed"], again["outcome"]) == (False, "unchanged")
    # One who was added can add others.
    other = AgeKey(one.folder, "other")
    assert do(one, "add", **way, encryption_recipients=[other.public])["keys"][0]["recipients"] == [
        person.public,
        other.public,
    ]
    tick()
    (one.source / "more").write_text("x")
    result = one.backup()
    assert (result["level"], result["problems"]) == (1, [])


def test_a_recipient_that_is_removed_opens_nothing_any_more(one, person):
    do(one, "add", encryption_recipients=[person.public])
    result = do(one, "remove", encryption_recipients=[person.public])
    assert result["keys"][0]["recipients"] == []
    assert "can still open the backups" in result["remarks"][0]
    with pytest.raises(UnusableKey, match="give its passphrase"):
        one.restore(encrypt_pass_file=None, identity_file=person.file)
    assert one.restore()["outcome"] == "success"


def test_who_kept_a_copy_of_the_secret_half_opens_later_backups_too_after_the_key_was_removed(one, person):
    """As the threat model says: another key pair is what keeps them out."""
    do(one, "add", encryption_recipients=[person.public])
    (folder,) = (one.set_folder / ".keys").iterdir()
    kept = (folder / "recipients.age").read_bytes()
    do(one, "remove", encryption_recipients=[person.public])
    tick()
    (one.source / "more").write_text("x")
    one.backup()
    copy = one.folder / "old copy of the container"
    shutil.copytree(one.container, copy)
    (copy / "host_tree" / ".keys" / folder.name / "recipients.age").write_bytes(kept)
    way = {"encrypt_pass_file": None, "identity_file": person.file}
    assert one.restore(**way, container=str(copy), init=True)["level"] == 1
    with pytest.raises(UnusableKey):
        one.restore(**way)


def test_a_new_passphrase_takes_the_place_of_the_one_before(one):
    before = data_of(one)
    new = pass_file(one.folder, "quite another one", "new")
    assert do(one, "add", new_pass_file=new)["changed"]
    assert data_of(one) == before
    with pytest.raises(SealingError):
        one.restore()
    assert one.restore(encrypt_pass_file=new)["outcome"] == "success"
    tick()
    (one.source / "more").write_text("x")
    said = one.backup()["problems"]
    assert ["The passphrase of encrypt_pass_file does not open the key pair" in sentence for sentence in said] == [True]
    (one.source / "even more").write_text("x")
    assert one.backup(encrypt_pass_file=new)["problems"] == []


def test_the_passphrase_can_be_removed_and_the_last_way_in_cannot(one, person):
    with pytest.raises(OptionError, match="Nothing would be left that opens"):
        do(one, "remove", encryption_recipients=["passphrase"])
    do(one, "add", encryption_recipients=[person.public])
    assert do(one, "remove", encryption_recipients=["passphrase"])["keys"][0]["for_passphrase"] is False
    way = {"encrypt_pass_file": None, "identity_file": person.file}
    with pytest.raises(OptionError, match="Nothing would be left that opens"):
        do(one, "remove", **way, encryption_recipients=[person.public])
    with pytest.raises(OptionError, match=r"^passphrase is none of those that can open"):
        do(one, "remove", **way, encryption_recipients=["passphrase"])
    assert one.restore(**way)["outcome"] == "success"


def test_a_list_needs_no_key_and_has_the_recipients_with_one(one, person):
    do(one, "add", encryption_recipients=[person.public])
    (pair,) = do(one, "list")["keys"]
    assert pair["recipients"] == [person.public]
    assert pair["of_this_host"] is True
    (pair,) = do(one, "list", encrypt_pass_file=None)["keys"]
    assert (pair["recipients"], pair["for_passphrase"], pair["for_recipients"]) == (None, True, True)
    assert pair["public"].startswith("age1")


def test_an_export_has_the_secret_half_as_it_is_stored_and_in_no_other_way(one):
    result = do(one, "export", encrypt_pass_file=None)
    (pair,) = result["keys"]
    stored = unarmored(pair["forms"]["passphrase.age"].encode())
    secret = age.opened(stored, [ScryptIdentity(Passphrase(PASSPHRASE.encode()))]).decode().splitlines()[-1]
    assert secret.startswith("AGE-SECRET-KEY-1")
    text = json.dumps(result)
    assert secret not in text
    assert PASSPHRASE not in text


def test_a_dry_run_changes_nothing(one, person):
    before = {path: path.read_bytes() for path in one.container.rglob("*") if path.is_file()}
    result = do(one, "add", encryption_recipients=[person.public], dry_run=True)
    assert (result["changed"], result["outcome"]) == (True, "planned")
    assert {path: path.read_bytes() for path in one.container.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"key": "add"}, "key add does not say what to add: encryption_recipients or new_pass_file is missing"),
        ({"key": "remove"}, "key remove does not say what to remove: encryption_recipients is missing"),
        ({"key": "add", "encryption_recipients": ["nonsense"]}, "A public key of the kind nonsense is not supported"),
        ({"key": "remove", "encryption_recipients": ["age1x"]}, r"A recipient \(age1...\) cannot be used"),
        ({"key": "add", "encryption_recipients": ["AGE-SECRET-KEY-1QQQ"]}, "but this is a secret one"),
        ({"key": "add", "new_pass_file": "/dev/null/none"}, r"\(new_pass_file\) cannot be read"),
        ({"key": "list", "backup_name": "other"}, "There is no key pair of host_other in local storage"),
        ({"key": "list", "backup_name": None}, "backup_name is missing"),
        ({"key": "turn"}, "key has to be one of list, add, remove, export"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_what_to_give(one, options, sentence):
    with pytest.raises(FreezerError, match=sentence) as refused:
        agent.key({**one.options, **options})
    assert "QQQ" not in str(refused.value)


def test_nothing_is_changed_without_a_key_or_in_a_set_without_pairs(one, person, tmp_path):
    with pytest.raises(UnusableKey, match=r"give its passphrase \(encrypt_pass_file\)"):
        do(one, "add", encrypt_pass_file=None, encryption_recipients=[person.public])
    one.backup(backup_name="plain", encryption="none")
    with pytest.raises(ArchiveError, match="it is made with the first backup that is encrypted with age"):
        do(one, "list", backup_name="plain")


@pytest.mark.parametrize("what", ["garbage", "a foreign pair"])
def test_a_folder_that_another_put_there_does_not_stop_a_change_and_is_named(one, person, what):
    (own,) = (one.set_folder / ".keys").iterdir()
    planted = own.parent / ("0" * 32)
    planted.mkdir()
    (planted / "passphrase.age").write_bytes(
        b"x" if what == "garbage" else (own / "passphrase.age").read_bytes()  # not of this id
    )
    shutil.copy(own / "public", planted / "public")
    assert [pair["of_this_host"] for pair in do(one, "list")["keys"]] == [False, True]
    before = {path.name: path.read_bytes() for path in planted.iterdir()}
    for verb in ("add", "remove"):
        result = do(one, verb, encryption_recipients=[person.public])
        assert (result["changed"], [pair["key_id"] for pair in result["keys"]]) == (True, [own.name])
        assert f"host_tree/.keys/{planted.name} of local storage" in result["remarks"][-1]
        assert "was left as it is: this host does not remember it" in result["remarks"][-1]
        assert {path.name: path.read_bytes() for path in planted.iterdir()} == before
    # One of a backup that is believed is not passed over, also where this host has another pair by now.
    secret = (own / "passphrase.age").read_bytes()
    shutil.rmtree(own)
    tick()
    one.backup()
    own.mkdir()
    (own / "passphrase.age").write_bytes(secret[:-1] + b"x")
    with pytest.raises(DamagedArchive, match=f"passphrase.age of host_tree/.keys/{own.name}"):
        do(one, "add", encryption_recipients=[person.public])


def test_a_form_for_recipients_that_another_made_is_not_taken_over(one, person, tmp_path):
    """Else who can write to the container would be among those whom the next change seals the secret half for."""
    thief = AgeKey(tmp_path, "thief")
    (folder,) = (one.set_folder / ".keys").iterdir()
    public = (folder / "public").read_text().strip()
    from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.recipients import X25519Recipient

    forged = f"# recipient: {thief.public}\n{thief.identity.reveal()}\n".encode()
    (folder / "recipients.age").write_bytes(age.sealed(forged, [X25519Recipient(public), thief.identity.recipient]))
    with pytest.raises(DamagedArchive, match=r"recipients.age of .* is not what was written"):
        do(one, "add", encryption_recipients=[person.public])


def _killed_at(one: Set, commit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill a backup in the moment in which an object would get its name."""
    child = os.fork()
    if child == 0:
        kill = {("commit", commit): lambda _operation: os.kill(os.getpid(), signal.SIGKILL)}
        storage = FaultyStorage(LocalStorage(str(one.container)), kill)
        monkeypatch.setattr(files, "storage_for", lambda _kind, _container, _access: storage)
        try:
            one.backup()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("commit", [1, 2, 3, 4])
def test_a_pair_that_was_being_made_when_a_backup_was_killed_is_no_obstacle_and_who_cannot_open_it_is_named(
    tmp_path, monkeypatch, commit
):
    """The form for the passphrase comes first, then that for recipients, the public half, and a segment."""
    quick_scrypt(monkeypatch)
    State(tmp_path / "state", monkeypatch)
    reader, more = AgeKey(tmp_path, "reader"), AgeKey(tmp_path, "more")
    one = Set(tmp_path, max_level=9, encrypt_pass_file=pass_file(tmp_path), encryption_recipients=[reader.public])
    (one.source / "file").write_text("content")
    _killed_at(one, commit, monkeypatch)
    result = one.backup()
    assert (result["level"], result["outcome"]) == (0, "success")
    # Killed between the two forms: the passphrase opens the pair that is there, and that is told at once.
    assert ["is not sealed for" in said for said in result["problems"]] == ([True] if commit == 2 else [])
    (pair,) = (one.set_folder / ".keys").iterdir()
    assert pair.name == result["key_id"]
    added = do(one, "add", encryption_recipients=[reader.public, more.public])
    assert (added["outcome"], added["changed"]) == ("success", True)
    one.options["encryption_recipients"].append(more.public)
    for key in (reader, more):
        restored = one.restore(encrypt_pass_file=None, identity_file=key.file)
        assert restored["outcome"] == "success"
    assert one.backup()["problems"] == []
