# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups that are encrypted: what a set's key pair is, where its halves are, and what is said when they do not fit."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media import reading_keys
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media.writing_keys import WritingKeys
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import create
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import SealedWith
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import age
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import SealingError, UnusableKey
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import (
    ScryptIdentity,
    X25519Identity,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.key_files import (
    PASSPHRASE,
    AgeKey,
    State,
    pass_file,
    quick_scrypt,
    secret_file,
)
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.version_2 import read_manifest

CONTENT = b"nothing of this is to be seen in a container"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    quick_scrypt(monkeypatch)


@pytest.fixture
def state(tmp_path, monkeypatch) -> State:
    """What this host remembers; no other test has a part of it."""
    return State(tmp_path / "state", monkeypatch)


@pytest.fixture
def sealed(tmp_path, state) -> Set:
    """A set that is encrypted with a passphrase."""
    one = Set(tmp_path, max_level=9)
    (one.source / "a name of its own").write_bytes(CONTENT)
    one.options["encrypt_pass_file"] = pass_file(tmp_path)
    return one


@pytest.fixture
def for_key(tmp_path, state) -> tuple[Set, AgeKey]:
    """A set that is encrypted for a public key, whose secret half the host does not use."""
    one, key = Set(tmp_path, max_level=9), AgeKey(tmp_path, "identity")
    (one.source / "file").write_bytes(CONTENT)
    one.options["encryption_recipients"] = [key.public]
    return one, key


def change(one: Set, number: int = 0) -> None:
    tick()
    (one.source / f"more {number}").write_text(str(number))


def pairs(one: Set) -> list[Path]:
    return sorted((one.set_folder / ".keys").iterdir())


def test_each_level_is_encrypted_for_the_pair_of_its_set_and_restores(sealed):
    for level in range(3):
        change(sealed, level)
        result = sealed.backup()
        assert (result["level"], result["problems"]) == (level, [])
        assert (result["encrypted"], result["encryption"]) == (True, "age")
        assert {result["metadata"][key] for key in ("encrypted", "encryption")} == {True, "age"}
        assert result["metadata"]["key_id"] == result["key_id"] == pairs(sealed)[0].name
        names = {path.name for path in sealed.folder_of(result).iterdir()}
        assert all(name.endswith(".age") for name in names - {"leaves", "manifest.json", "manifest.json.sig"})
    target = sealed.new_target()
    restored = sealed.restore(target)
    assert (restored["encrypted"], restored["key_id"], restored["level"]) == (True, result["key_id"], 2)
    assert differences(sealed.source, target) == []
    proof = sealed.verify(compare_to=str(sealed.source))
    assert (proof["outcome"], proof["encryption"]) == ("success", "age")


def test_of_a_passphrase_each_key_is_derived_once_and_no_two_objects_have_one(tmp_path, state, monkeypatch):
    """Each costs a fifth of a second, because ``openssl enc -d`` has to be able to open each object by itself."""
    derive, derived = hashlib.pbkdf2_hmac, []

    def quickly(digest, secret, salt, _iterations, size):
        derived.append(bytes(salt))
        return derive(digest, secret, salt, 1, size)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", quickly)
    one = Set(tmp_path, max_level=9, encryption="aes-256-cfb", encrypt_pass_file=pass_file(tmp_path))
    change(one)
    folder = one.folder_of(one.backup())
    heads = {path.read_bytes()[:16] for path in folder.glob("*.enc")}
    assert len(heads) == len(list(folder.glob("*.enc")))
    assert {head[8:] for head in heads} < set(derived)
    assert len(derived) == len(heads) + 1, "one for the code in place of a signature"
    for level in range(3):
        change(one, level)
        assert one.backup()["level"] == level + 1
    for work in (one.verify, lambda: one.restore(one.new_target())):
        derived.clear()
        work()
        assert len(derived) == len(set(derived)) <= 24


def test_a_list_reads_of_each_backup_only_what_it_shows(sealed, monkeypatch):
    for level in range(3):
        change(sealed, level)
        sealed.backup()
    sealed.backup(encryption="aes-256-cfb", backup_name="other")
    read: Counter[str] = Counter()
    storage_open = LocalStorage.open

    def watched(storage, name, *rest):
        read[os.path.basename(name)] += 1
        return storage_open(storage, name, *rest)

    monkeypatch.setattr(LocalStorage, "open", watched)
    place = {key: sealed.options[key] for key in ("storage", "container")}
    listed = agent.info({**place, "encrypt_pass_file": sealed.options["encrypt_pass_file"]})["backups"]
    assert {one["path_to_backup"] for one in listed if one["encryption"] == "age"} == {str(sealed.source)}
    assert [one["path_to_backup"] for one in listed if one["encryption"] != "age"] == [None]
    assert read.pop(".freezer-backup") <= 2
    assert read == {"manifest.json": 4, "details.json.age": 3}
    read.clear()
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(sealed.source.parent / "of another host"))
    agent.info({**place, "encrypt_pass_file": sealed.options["encrypt_pass_file"]})
    assert {name: read[name] for name in ("details.json.age", "passphrase.age", "leaves")} == {
        "details.json.age": 3,
        "passphrase.age": 1,
        "leaves": 0,
    }


def test_a_list_tries_a_passphrase_at_few_pairs_that_it_does_not_open(sealed, state, monkeypatch):
    """Whoever writes to a container can name another pair in each of a thousand backups, and each try takes seconds."""
    genuine = sealed.backup()
    folder, pair = sealed.folder_of(genuine), pairs(sealed)[0]
    manifest = read_manifest(folder)
    for number in range(9):
        key_id = 31 * "0" + str(number)
        shutil.copytree(pair, pair.with_name(key_id))
        of_another = replace(
            manifest,
            timestamp=manifest.timestamp - 1 - number,
            backup_id=key_id,
            sealing=SealedWith("age", key_id),
        )
        shutil.copytree(folder, sealed.set_folder / of_another.folder)
        (sealed.set_folder / of_another.folder / "manifest.json").write_bytes(of_another.to_bytes())
    state.lose()
    tried = []
    opened = reading_keys.open_secret
    monkeypatch.setattr(
        reading_keys, "open_secret", lambda forms, key_id, *more: tried.append(key_id) or opened(forms, key_id, *more)
    )
    found = sealed.info()
    # What opens, and has another secret half in it, is damage.
    assert (len(found["backups"]), len(found["damaged"])) == (6, 4)
    assert [one["source_bytes"] is not None for one in found["backups"]] == [True] + 5 * [False]
    assert len(tried) == 5
    assert tried[0] == pair.name


def test_the_host_keeps_the_public_half_and_the_container_the_secret_one_encrypted(sealed, state):
    sealed.backup()
    (pair,) = pairs(sealed)
    opened = age.opened((pair / "passphrase.age").read_bytes(), [ScryptIdentity(Passphrase(PASSPHRASE.encode()))])
    *comments, half = opened.decode().splitlines()
    container_id = json.loads((sealed.container / ".freezer-backup").read_bytes())["container_id"]
    assert [line.partition("host ")[0] for line in comments] == [f"# set: {container_id}/host_tree", "# signer: "]
    secret = X25519Identity(half)
    assert (pair / "public").read_text() == f"{secret.recipient}\n"
    assert any(str(secret.recipient).encode() in content for content in state.content().values())
    stored = [path.read_bytes() for path in sealed.container.rglob("*") if path.is_file()]
    for content in (*stored, *state.content().values()):
        assert secret.reveal().encode() not in content
        assert PASSPHRASE.encode() not in content
    for content in stored:
        assert CONTENT not in content
        assert b"a name of its own" not in content


def test_a_host_without_any_secret_half_goes_on_with_its_chain(for_key):
    one, key = for_key
    for level in range(3):
        change(one, level)
        result = one.backup()
        assert (result["level"], result["problems"]) == (level, [])
    (one.source / "more 0").unlink()
    tick()
    result = one.backup()
    assert (result["level"], result["deleted_files"]) == (3, 1)
    with pytest.raises(UnusableKey, match=r"is encrypted; give a secret key \(identity_file\)"):
        one.restore()
    target = one.new_target()
    assert one.restore(target, identity_file=key.file)["outcome"] == "success"
    assert differences(one.source, target) == []


def test_a_host_without_any_secret_half_stores_the_changed_blocks_of_a_large_file(for_key):
    one, key = for_key
    one.options["block_level_size"] = 2 << 20
    large = bytearray(os.urandom(4 << 20))
    (one.source / "large").write_bytes(large)
    one.backup()
    large[:10] = b"0123456789"
    tick()
    (one.source / "large").write_bytes(large)
    result = one.backup()
    assert (result["level"], result["problems"]) == (1, [])
    assert result["stored_bytes"] < 2 << 20
    target = one.new_target()
    one.restore(target, identity_file=key.file)
    assert differences(one.source, target) == []


def test_what_a_host_keeps_of_a_chain_opens_no_file_of_a_backup(for_key, state):
    one, _key = for_key
    one.backup()
    known = json.loads(next((state.folder / "sets").glob("*.json")).read_text())
    (level,) = known["levels"]
    assert len(level["file_keys"]) == 3  # snapshot file, catalogue, details
    data = next(one.set_folder.glob("*_0/data.*")).read_bytes()
    assert not any(share.encode() in data for share in level["file_keys"])


def test_several_recipients_and_a_passphrase_open_each_by_itself(sealed, tmp_path):
    people = [AgeKey(tmp_path, f"person {number}") for number in range(2)]
    sealed.backup(encryption_recipients=[one.public for one in people])
    ways = [{}, *({"encrypt_pass_file": None, "identity_file": one.file} for one in people)]
    for way in ways:
        assert sealed.restore(**way)["outcome"] == "success"
    stranger = AgeKey(tmp_path, "stranger")
    with pytest.raises(SealingError, match="cannot be opened with the keys at hand"):
        sealed.restore(encrypt_pass_file=None, identity_file=stranger.file)


def test_a_file_with_the_secret_half_itself_opens_without_the_forms_of_the_container(sealed, tmp_path):
    sealed.backup()
    (pair,) = pairs(sealed)
    opened = age.opened((pair / "passphrase.age").read_bytes(), [ScryptIdentity(Passphrase(PASSPHRASE.encode()))])
    own = secret_file(tmp_path, "secret half", opened)
    shutil.rmtree(pair)
    assert sealed.restore(encrypt_pass_file=None, identity_file=own)["outcome"] == "success"


def test_another_passphrase_or_none_restores_nothing_and_says_what_to_give(sealed, tmp_path):
    sealed.backup()
    other = pass_file(tmp_path, "another one", "other")
    with pytest.raises(SealingError, match="sealed for a passphrase; give one of those") as refused:
        sealed.restore(encrypt_pass_file=other)
    assert "another one" not in str(refused.value)
    for verb in (sealed.restore, sealed.verify):
        with pytest.raises(UnusableKey, match=r"is encrypted; give its passphrase \(encrypt_pass_file\)"):
            verb(encrypt_pass_file=None)
    assert not (sealed.folder / "restored-1").exists()


def test_a_host_that_has_lost_its_state_finds_the_pair_again_with_the_passphrase(sealed, state):
    sealed.backup()
    (before,) = pairs(sealed)
    state.lose()
    change(sealed)
    result = sealed.backup()
    assert result["key_id"] == before.name
    assert pairs(sealed) == [before]
    assert result["level"] == 0
    assert result["reason"] == "the newest backup was not written by this host, as far as it knows"
    change(sealed, 1)
    assert sealed.backup()["level"] == 1


def test_pairs_that_no_backup_names_do_not_keep_a_host_that_has_lost_its_state_from_its_own(sealed, state):
    first = sealed.backup()
    pair = pairs(sealed)[0]
    for number in range(6):
        shutil.copytree(pair, pair.with_name(31 * "0" + str(number)))
    state.lose()
    change(sealed)
    assert sealed.backup()["key_id"] == first["key_id"] == pair.name


def test_a_host_that_has_lost_its_state_and_has_no_passphrase_makes_a_new_pair_and_a_full_backup(for_key, state):
    one, key = for_key
    first = one.backup()
    state.lose()
    change(one)
    result = one.backup()
    assert (result["level"], result["reason"]) == (0, "this host does not know the key pair of the earlier backups")
    assert result["key_id"] != first["key_id"]
    assert len(pairs(one)) == 2
    for backup in (first, result):
        assert one.restore(backup_id=backup["backup_id"], identity_file=key.file)["outcome"] == "success"


def test_a_public_half_that_only_the_container_names_is_never_believed(for_key, tmp_path):
    one, key = for_key
    one.backup()
    (pair,) = pairs(one)
    ours = (pair / "public").read_text()
    thief = AgeKey(tmp_path, "thief")
    (pair / "public").write_text(f"{thief.public}\n")
    change(one)
    result = one.backup()
    (said,) = result["problems"]
    assert "which was not believed" in said
    assert thief.public[:20] in said
    assert (pair / "public").read_text() == ours
    assert result["level"] == 1
    stored = next(one.folder_of(result).glob("data.*")).read_bytes()
    with pytest.raises(SealingError):
        age.opened(stored, [thief.identity])
    assert one.restore(identity_file=key.file)["outcome"] == "success"


def test_a_pair_that_another_put_into_the_container_is_not_the_set_s(for_key, tmp_path):
    """Nor is it where this host still knows nothing of the set."""
    one, _key = for_key
    thief = AgeKey(tmp_path, "thief")
    other = Set(tmp_path / "elsewhere") if (tmp_path / "elsewhere").mkdir() is None else None
    (other.source / "x").write_text("x")
    other.backup(encryption_recipients=[thief.public])
    one.set_folder.mkdir(parents=True)
    shutil.copytree(other.set_folder / ".keys", one.set_folder / ".keys")
    result = one.backup(init=True)
    assert result["key_id"] not in {path.name for path in (other.set_folder / ".keys").iterdir()}


@pytest.mark.parametrize("knows", ["the set", "nothing of the set"])
def test_nothing_is_encrypted_for_a_pair_of_another_set_or_a_former_one_that_the_passphrase_opens(sealed, state, knows):
    """Another set may be shared with an auditor, and a pair of before with one who was removed since."""
    sealed.backup(backup_name="shared")
    shared = sealed.container / "host_shared" / ".keys"
    sealed.backup()
    (own,) = pairs(sealed)
    own.rename(sealed.folder / "own")
    shutil.copytree(shared, sealed.set_folder / ".keys", dirs_exist_ok=True)
    if knows != "the set":
        state.lose()
    change(sealed)
    result = sealed.backup()
    assert (result["level"], result["outcome"]) == (0, "success")
    assert result["key_id"] not in {own.name, *(path.name for path in shared.iterdir())}
    # The pair of before is put back, and the one in use taken away.
    (sealed.folder / "own").rename(own)
    shutil.rmtree(sealed.set_folder / ".keys" / result["key_id"])
    change(sealed, 1)
    again = sealed.backup()
    assert again["key_id"] not in {own.name, result["key_id"]}
    # With two that were made for this set nobody can tell which one still counts.
    state.lose()
    change(sealed, 2)
    last = sealed.backup()
    assert last["key_id"] not in {own.name, again["key_id"]}
    assert sealed.restore()["backup_id"] == last["backup_id"]


def test_a_form_for_recipients_does_not_say_for_which_set_a_pair_was_made(sealed, state, tmp_path):
    """Who can open it has the secret half, and can write another one."""
    reader = AgeKey(tmp_path, "reader")
    sealed.backup(backup_name="shared", encryption_recipients=[reader.public])
    sealed.backup()
    (own,), (shared,) = pairs(sealed), (sealed.container / "host_shared" / ".keys").iterdir()
    half = age.opened((shared / "recipients.age").read_bytes(), [reader.identity])
    container_id = json.loads((sealed.container / ".freezer-backup").read_bytes())["container_id"]
    forged = f"# set: {container_id}/host_tree\n".encode() + half
    (shared / "recipients.age").write_bytes(
        age.sealed(forged, [X25519Identity(half.decode().split()[-1]).recipient, reader.identity.recipient])
    )
    shutil.rmtree(own)
    shutil.copytree(shared, own.parent / shared.name)
    state.lose()
    change(sealed)
    assert sealed.backup()["key_id"] != shared.name


def test_a_secret_half_that_is_gone_is_said_and_a_new_pair_made(for_key):
    one, _key = for_key
    first = one.backup()
    shutil.rmtree(pairs(one)[0])
    change(one)
    result = one.backup()
    assert result["level"] == 0
    assert result["reason"] == "the secret half of the key pair of the earlier backups is gone"
    assert result["key_id"] != first["key_id"]
    assert "cannot be opened any more; put a copy of it back" in result["problems"][0]


def test_a_form_that_was_destroyed_is_said_until_it_is_put_back(sealed):
    sealed.backup()
    path = pairs(sealed)[0] / "passphrase.age"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    for number in range(3):
        change(sealed, number)
        (said,) = sealed.backup()["problems"]
        assert said.startswith("passphrase.age of host_tree/.keys/")
        assert "changed since this host wrote there last" in said
        assert "This is said again until this host has opened what is there now" in said
    with pytest.raises(FreezerError, match="Use another copy"):
        sealed.restore()
    path.write_bytes(whole)
    change(sealed, 3)
    assert sealed.backup()["problems"] == []
    assert sealed.restore()["outcome"] == "success"


def test_a_form_that_another_host_changed_is_said_until_this_one_has_opened_it(for_key, tmp_path, monkeypatch):
    one, key = for_key
    one.backup()
    late = AgeKey(tmp_path, "late")
    opened = {"identity_file": key.file, "encryption_recipients": [late.public]}
    with monkeypatch.context() as patch:
        State(tmp_path / "state of another host", patch)
        assert agent.key({**one.options, **opened, "key": "add"})["changed"] is True
    for number in range(2):
        change(one, number)
        (said,) = one.backup()["problems"]
        assert said.startswith("recipients.age of host_tree/.keys/")
    assert agent.key({**one.options, **opened, "key": "add"})["changed"] is False
    change(one, 2)
    assert one.backup()["problems"] == []


def test_a_destroyed_form_is_not_what_another_storage_gets(for_key, tmp_path):
    one, key = for_key
    places = [{"storage": "local", "container": str(tmp_path / name)} for name in ("a", "b", "c")]
    usual = {name: value for name, value in one.options.items() if name not in ("storage", "container")}
    first = agent.backup({**usual, "storages": places[:2]})
    name = f"host_tree/.keys/{first['key_id']}/recipients.age"
    whole = (tmp_path / "a" / name).read_bytes()
    (tmp_path / "a" / name).write_bytes(b"longer than anything that opens" * 100)
    change(one)
    agent.backup({**usual, "storages": places})
    assert (tmp_path / "c" / name).read_bytes() == whole
    assert one.restore(container=str(tmp_path / "c"), identity_file=key.file)["outcome"] == "success"


def test_a_passphrase_or_recipients_that_do_not_open_the_pair_are_said(sealed, tmp_path):
    sealed.backup()
    change(sealed)
    late = AgeKey(tmp_path, "late")
    other = pass_file(tmp_path, "another one", "other")
    result = sealed.backup(encrypt_pass_file=other, encryption_recipients=[late.public])
    recipients, passphrase = result["problems"]
    assert "their owners cannot open the backup; freezer-agent with action key" in recipients
    assert "the passphrase of encrypt_pass_file does not open the key pair" in passphrase.replace("The", "the", 1)
    assert (result["level"], result["outcome"]) == (1, "success")
    assert sealed.restore()["outcome"] == "success"


def test_a_second_storage_gets_the_secret_half_from_the_first_one(for_key, tmp_path):
    one, key = for_key
    one.backup()
    second = tmp_path / "second"
    places = [{"storage": "local", "container": str(place)} for place in (one.container, second)]
    both = {key: value for key, value in one.options.items() if key not in ("storage", "container")}
    result = agent.backup({**both, "storages": places})
    assert result["problems"] == []
    folder = f"host_tree/.keys/{result['key_id']}/recipients.age"
    assert (second / folder).read_bytes() == (one.container / folder).read_bytes()
    assert one.restore(container=str(second), identity_file=key.file)["outcome"] == "success"


def test_a_dry_run_makes_neither_keys_nor_state(sealed, state):
    plan = sealed.backup(dry_run=True)
    assert plan["outcome"] == "planned"
    assert not sealed.container.exists()
    assert not state.folder.exists() or "signing_key" not in state.content()
    sealed.backup()
    before = state.content()
    change(sealed)
    assert sealed.backup(dry_run=True)["level"] == 1
    assert state.content() == before


def test_a_state_that_cannot_be_written_is_a_problem_beside_the_backup(sealed, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "file" / "state"))
    result = sealed.backup()
    assert result["outcome"] == "success"
    assert any("was not remembered" in problem for problem in result["problems"])
    assert (result["signed_by"], result["signed_by_reason"]) == ("passphrase", None)
    assert sealed.restore()["outcome"] == "success"


@pytest.mark.parametrize("option", ["encrypt_pass_file", "signing_key"])
def test_a_key_in_what_is_backed_up_is_refused_unless_it_is_left_out_or_allowed(sealed, option):
    inside = Path(sealed.options["encrypt_pass_file"])
    if option == "signing_key":
        from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import ssh_keys

        path = secret_file(sealed.source, "key", ssh_keys.new_private_key())
    else:
        path = shutil.copy2(inside, sealed.source / "key")
    given = {option: str(path)}
    with pytest.raises(OptionError, match=f"^{option} .* lies in what is backed up, so nothing was done"):
        sealed.backup(**given)
    with pytest.raises(OptionError, match="lies in what is backed up"):
        sealed.backup(**given, path_to_backup=str(path))
    link = sealed.folder / "link"
    link.symlink_to(path)
    if option == "encrypt_pass_file":
        with pytest.raises(OptionError, match="lies in what is backed up"):
            sealed.backup(**{option: str(link)})
    assert not sealed.container.exists()
    assert sealed.backup(**given, exclude=["./key"])["outcome"] == "success"
    assert sealed.backup(**given, allow_keys_in_source=True)["outcome"] == "success"


def test_a_key_of_which_a_hard_link_lies_in_what_is_backed_up_is_refused_too(sealed):
    key = sealed.options["encrypt_pass_file"]
    (sealed.source / "deep").mkdir()
    os.link(key, sealed.source / "deep" / "linked")
    with pytest.raises(OptionError, match=r"lies in what is backed up \(as \./deep/linked, a hard link\), so nothing"):
        sealed.backup()
    with pytest.raises(OptionError, match=r"\(as \./linked, a hard link\)"):
        sealed.backup(path_to_backup=str(sealed.source / "deep" / "linked"))
    assert not sealed.container.exists()
    (sealed.source / "deep" / "other").write_text("content")
    assert sealed.backup(path_to_backup=str(sealed.source / "deep" / "other"))["outcome"] == "success"
    assert sealed.backup(exclude=["linked"], backup_name="rest")["outcome"] == "success"


def test_the_key_that_signs_and_keys_of_objects_are_left_out_of_a_backup_of_the_state(sealed, state):
    sealed.backup()
    sealed.backup(path_to_backup=str(sealed.folder), encryption="none", backup_name="all", exclude=["passphrase"])
    target = sealed.new_target()
    sealed.restore(target, backup_name="all", encrypt_pass_file=None)
    names = {path.name for path in (target / "state").rglob("*")}
    assert "known_containers.json" in names
    assert not names & {"signing_key", "sets"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"encryption": "age"}, "encrypt_pass_file is missing, and encryption_recipients too"),
        ({"encryption": "aes-256-cfb"}, "encrypt_pass_file is missing: encryption aes-256-cfb needs a passphrase"),
        ({"encryption": "aes-256-cfb", "encryption_recipients": ["age1x"]}, "cannot be combined with encryption aes"),
        ({"encryption_recipients": ["AGE-SECRET-KEY-1QQQ"]}, "has no public key in place 1"),
        ({"encryption_recipients": ["age1nonsense"]}, "A recipient (age1...) cannot be used"),
        ({"encrypt_pass_file": "/dev/null/none"}, "(encrypt_pass_file) cannot be read"),
        ({"encryption": "rot13"}, "encryption has to be one of age, aes-256-cfb, none"),
    ],
)
def test_what_cannot_be_encrypted_is_refused_and_never_written_in_the_clear(one_set, state, options, sentence):
    (one_set.source / "file").write_text("x")
    with pytest.raises((OptionError, SealingError)) as refused:
        one_set.backup(**options)
    assert sentence in str(refused.value)
    assert "QQQ" not in str(refused.value)
    assert not list(one_set.container.rglob("manifest.json"))


def test_a_pass_file_that_others_can_read_is_refused(sealed, tmp_path):
    os.chmod(sealed.options["encrypt_pass_file"], 0o640)
    with pytest.raises(UnusableKey, match="has the mode 0640"):
        sealed.backup()


def test_encryption_none_leaves_a_backup_in_the_clear_and_starts_anew(sealed):
    sealed.backup()
    result = sealed.backup(encryption="none")
    assert (result["encrypted"], result["encryption"], result["key_id"]) == (False, "none", None)
    assert (result["level"], result["reason"]) == (0, "the earlier backups are encrypted, and this one is not")
    assert result["problems"] == []


def test_a_backup_that_is_not_encrypted_beside_those_that_are_is_told(sealed):
    sealed.backup(max_level=3)
    result = sealed.backup(max_level=3, encrypt_pass_file=None, encryption_recipients=[])
    assert (result["level"], result["encrypted"]) == (0, False)
    assert "This backup is not encrypted, and the earlier ones are" in result["problems"][0]


def test_openssl_opens_what_aes_256_cfb_has_and_the_code_is_checked(sealed, tmp_path):
    result = sealed.backup(encryption="aes-256-cfb", compression="none")
    assert (result["encryption"], result["key_id"], result["signed_by"]) == ("aes-256-cfb", None, "passphrase")
    folder = sealed.folder_of(result)
    plain = subprocess.run(
        ["openssl", "enc", "-d", "-aes-256-cfb", "-pbkdf2", "-md", "sha256", "-iter", "600000", "-in",
         str(folder / "data.000000.enc"), "-pass", f"file:{sealed.options['encrypt_pass_file']}"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert CONTENT in plain
    assert sealed.restore()["signed_by"] == "passphrase"
    (folder / "manifest.json.sig").unlink()
    with pytest.raises(FreezerError, match="has no code of its passphrase"):
        sealed.restore()


def test_a_list_without_a_key_has_what_is_public_and_null_for_the_rest(sealed, state, tmp_path):
    result = sealed.backup()
    sealed.backup(encryption="none", backup_name="plain", encrypt_pass_file=None)
    state.lose()
    without = {"storage": "local", "container": str(sealed.container), "init": True}
    for action in (without, {**without, "encrypt_pass_file": pass_file(tmp_path, "wrong", "wrong")}):
        listing = agent.info(action)
        assert listing["damaged"] == []
        lines = {line["backup_name"]: line for line in listing["backups"]}
        line = lines["tree"]
        assert (line["encrypted"], line["encryption"], line["key_id"]) == (True, "age", result["key_id"])
        assert (line["path_to_backup"], line["source_bytes"]) == (None, None)
        assert (line["compression"], line["stored_bytes"]) == (result["compression"], result["stored_bytes"])
        assert (lines["plain"]["encrypted"], lines["plain"]["path_to_backup"]) == (False, str(sealed.source))
    opened = agent.info({**without, "encrypt_pass_file": sealed.options["encrypt_pass_file"]})
    assert {line["path_to_backup"] for line in opened["backups"]} == {str(sealed.source)}


def test_a_list_names_damaged_details_and_goes_on(sealed):
    result = sealed.backup()
    path = sealed.folder_of(result) / "details.json.age"
    path.write_bytes(b"x" * len(path.read_bytes()))
    listing = sealed.info()
    assert listing["backups"] == []
    assert "details.json.age" in listing["damaged"][0]


def test_no_secret_is_in_a_result_or_in_the_arguments_and_the_environment_of_a_program(sealed, monkeypatch):
    (sealed.source / "large").write_bytes(os.urandom(24 << 20))
    seen: set[bytes] = set()
    ended = threading.Event()

    def look() -> None:
        ours = str(os.getpid())
        while not ended.is_set():
            for process in Path("/proc").iterdir():
                try:
                    if process.name.isdigit() and (process / "stat").read_text().rpartition(")")[2].split()[1] == ours:
                        seen.update({(process / "cmdline").read_bytes(), (process / "environ").read_bytes()})
                except OSError:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        results = [sealed.backup(), sealed.info(), sealed.verify(), sealed.restore()]
    finally:
        ended.set()
        watcher.join()
    assert any(words.startswith((b"tar\0", b"/")) and b"--create" in words for words in seen)
    (pair,) = pairs(sealed)
    secret = age.opened((pair / "passphrase.age").read_bytes(), [ScryptIdentity(Passphrase(PASSPHRASE.encode()))])
    for text in (*seen, *(json.dumps(result).encode() for result in results)):
        assert PASSPHRASE.encode() not in text
        assert secret.strip() not in text


def test_the_pair_is_in_the_container_before_anything_is_encrypted_for_it(sealed, monkeypatch):
    def killed(*_arguments: object) -> None:
        assert [path.name for path in pairs(sealed)[0].iterdir() if path.name != "public"] == ["passphrase.age"]
        raise KeyboardInterrupt

    monkeypatch.setattr(create, "store_tree", killed)
    with pytest.raises(KeyboardInterrupt):
        sealed.backup()
    monkeypatch.undo()


def test_a_level_that_its_host_did_not_remember_is_read_with_the_passphrase_in_the_chain_of_one_that_it_did(
    sealed, state, monkeypatch
):
    """A backup that was killed when its manifest was stored, and before the host had noted its keys."""
    with monkeypatch.context() as patch:
        patch.setattr(WritingKeys, "remember", lambda *_arguments: None)
        assert sealed.backup()["level"] == 0
    change(sealed)
    assert sealed.backup()["level"] == 1
    target = sealed.new_target()
    restored = sealed.restore(target)
    assert (restored["level"], restored["outcome"]) == (1, "success")
    assert differences(sealed.source, target) == []
    assert sealed.verify(check="restore")["outcome"] == "success"
    assert [one["level"] for one in sealed.info()["backups"]] == [1, 0]
    change(sealed, 1)
    assert sealed.backup()["level"] == 2
    # Without the passphrase it is said what is needed.
    with pytest.raises(UnusableKey, match=r"is encrypted; give its passphrase \(encrypt_pass_file\)"):
        sealed.restore(encrypt_pass_file=None)
