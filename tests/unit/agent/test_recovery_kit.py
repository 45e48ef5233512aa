# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery kit: what is gathered on a host, and that it is enough together with a key, or refused by name."""

from __future__ import annotations

import base64
import json
import random
import shutil

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.recovery_kit import recovery_kit
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.recovery_proof import Kit, prove
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.plugin_utils.recovery_kit import PAGE, KitFiles
from ansible_collections.freezer.backup.tests.support.key_files import (
    PASSPHRASE,
    AgeKey,
    SigningKey,
    State,
    pass_file,
    quick_scrypt,
)
from ansible_collections.freezer.backup.tests.support.sets import Set, tick


@pytest.fixture
def state(tmp_path, monkeypatch) -> State:
    quick_scrypt(monkeypatch)
    return State(tmp_path / "state", monkeypatch)


def gathered(one: Set, **more: str) -> dict:
    """What the host gives, as it comes out of JSON."""
    action = {**one.options, "path_to_backup": str(one.source), **more}
    return json.loads(json.dumps(recovery_kit([action])))


@pytest.fixture(scope="module")
def three_levels(tmp_path_factory) -> dict[str, str]:
    """What hosts give of a set that is encrypted with a passphrase, as text; nothing of those hosts is left.

    ``foreign`` is the same set with a newest backup that another key has signed, ``named`` that with the key named.
    """
    folder = tmp_path_factory.mktemp("host")
    with pytest.MonkeyPatch.context() as patch:
        quick_scrypt(patch)
        State(folder / "state", patch)
        one = Set(folder, max_level=9, encrypt_pass_file=pass_file(folder))
        (one.source / "0 large").write_bytes(random.Random(1).randbytes(3 << 20))
        (one.source / "small").write_bytes(b"a small file")
        one.backup()
        for level in (1, 2):
            tick()
            (one.source / f"more {level}").write_text("added later")
            one.backup()
        found = {"own": json.dumps(gathered(one))}
        other = SigningKey(folder, "another").file
        tick()
        one.backup(signing_key=other)
        found["foreign"], found["named"] = json.dumps(gathered(one)), json.dumps(gathered(one, signing_key=other))
        found["container"] = str(one.container)
    shutil.rmtree(folder)
    return found


@pytest.fixture
def found(three_levels, state) -> dict:
    return json.loads(three_levels["own"])


def kit_of(found: dict) -> Kit:
    (one,) = found["sets"]
    files = {
        f"{pair['key_id']}/{name}": base64.b64decode(form)
        for pair in one["keys"]
        for name, form in pair["forms"].items()
    }
    return Kit(files, "".join(f"{line}\n" for line in found["signers"]).encode())


def proof_of(found: dict, **more: str | None):
    return prove(found["sets"][0], kit_of(found), more.get("pass_file"), more.get("identity_file"))


def test_a_kit_and_the_passphrase_read_a_file_of_the_newest_backup_without_what_the_host_remembers(
    found, state, tmp_path
):
    proof = proof_of(found, pass_file=pass_file(tmp_path))
    assert (proof.level, proof.content_bytes) == (2, len("added later"))
    # A file that is written in the moment in which a level begins is in the next one as well.
    assert proof.path in ("more 1", "more 2")
    assert (proof.signed_by or "").startswith("SHA256:")
    assert not state.folder.exists()


def test_nothing_that_opens_is_gathered(found):
    said = json.dumps(found)
    assert PASSPHRASE not in said
    assert "AGE-SECRET-KEY" not in said
    assert all(b"AGE-SECRET-KEY" not in stored for stored in kit_of(found).key_files.values())
    assert {name.rpartition("/")[2] for name in kit_of(found).key_files} == {"passphrase.age"}


def test_the_secret_key_of_a_recipient_reads_it_too_and_no_key_is_an_error(tmp_path, state):
    key = AgeKey(tmp_path, "identity")
    one = Set(tmp_path, encryption_recipients=[key.public])
    (one.source / "[odd] *name?\\").write_text("content")
    one.backup()
    found = gathered(one)
    state.lose()
    proof = proof_of(found, identity_file=key.file)
    assert (proof.path, proof.content_bytes) == ("[odd] *name?\\", len("content"))
    with pytest.raises(FreezerError, match="give a secret key"):
        proof_of(found)
    with pytest.raises(FreezerError, match="cannot be opened with the keys at hand"):
        proof_of(found, identity_file=AgeKey(tmp_path, "another").file)


def test_a_kit_without_the_secret_half_is_not_enough(found, three_levels, tmp_path):
    found["sets"][0]["keys"] = []
    with pytest.raises(
        FreezerError, match=r"secret half .* is gone from host_tree/.keys/\w+ of local storage"
    ) as problem:
        proof_of(found, pass_file=pass_file(tmp_path))
    assert three_levels["container"] in str(problem.value)


def test_a_backup_that_another_has_put_there_is_refused_by_name(three_levels, state, tmp_path):
    with pytest.raises(
        FreezerError, match=r"host_tree/\d+_\d of local .*, which allowed_signers of the kit does not allow"
    ):
        proof_of(json.loads(three_levels["foreign"]), pass_file=pass_file(tmp_path))
    assert proof_of(json.loads(three_levels["named"]), pass_file=pass_file(tmp_path)).level == 3


def test_a_newest_backup_whose_signature_is_gone_proves_nothing_where_the_host_signs(found, tmp_path):
    for path in [path for path in found["sets"][0]["objects"] if path.endswith("/manifest.json.sig")]:
        del found["sets"][0]["objects"][path]
    with pytest.raises(FreezerError, match=r"is not signed, and allowed_signers of the kit says .* have to be"):
        proof_of(found, pass_file=pass_file(tmp_path))


def test_a_foreign_unsigned_backup_proves_nothing_where_the_host_signs(found, state, tmp_path):
    """One that is newer than the host's own, as somebody who can write to the storage puts it there."""
    other = Set(tmp_path, signing_key="none")
    other.backup()
    foreign = gathered(other)["sets"][0]
    for key in ("backup", "objects"):
        found["sets"][0][key] = foreign[key]
    with pytest.raises(FreezerError, match="is not signed, and allowed_signers of the kit says"):
        proof_of(found, pass_file=pass_file(tmp_path))


def test_a_set_that_is_not_to_be_signed_is_proven_although_the_host_has_a_key(tmp_path, state):
    Set(tmp_path, backup_name="signed").backup()
    one = Set(tmp_path, signing_key="none")
    one.backup()
    found = gathered(one)
    assert found["signers"]
    proof = proof_of(found)
    assert (proof.signed_by, proof.signed_by_reason) == (None, "it is not signed")
    assert "--trusted-signers" not in KitFiles("web1", found).content[PAGE].decode()
    assert "--trusted-signers" in KitFiles("web1", gathered(Set(tmp_path))).content[PAGE].decode()


@pytest.mark.parametrize("name", ["catalogue.zst.age", "details.json.age", "data.000000.zst.age", "frames.age"])
def test_what_was_changed_in_the_container_fails_the_proof(found, tmp_path, name):
    # In every level: which of them has the file that is read depends on the clock.
    for path, stored in found["sets"][0]["objects"].items():
        if path.endswith(f"/{name}"):
            content = bytearray(base64.b64decode(stored["content"]))
            content[len(content) // 2] ^= 1
            stored["content"] = base64.b64encode(content).decode()
    with pytest.raises(FreezerError, match="is not what was written"):
        proof_of(found, pass_file=pass_file(tmp_path))


@pytest.mark.parametrize(
    "name", ["../host_tree/1_0/data", "host_tree/../x", "host_tree/.keys/0/public", "/etc/cron.d/x", "other/1_0/data"]
)
def test_a_host_cannot_have_the_controller_write_elsewhere(found, tmp_path, name):
    found["sets"][0]["objects"][name] = {"bytes": 1, "content": "AA=="}
    with pytest.raises(FreezerError, match="no part of host_tree"):
        proof_of(found, pass_file=pass_file(tmp_path))


def test_a_set_that_is_not_encrypted_is_proven_without_a_key(tmp_path, state):
    one = Set(tmp_path)
    one.backup()
    found = gathered(one)
    proof = proof_of(found)
    assert (proof.path, proof.content_bytes > 0) == (None, True)
    assert found["sets"][0]["keys"] == []


def test_a_set_without_a_backup_is_a_problem_of_its_own(tmp_path, state):
    one = Set(tmp_path)
    found = recovery_kit(
        [{**one.options, "action": "backup"}, {"nova_inst_id": "1", "storage": "swift", "container": "c"}]
    )
    (alone,) = found["sets"]
    assert "no backup is stored there" in alone["problem"]
    with pytest.raises(FreezerError):
        recovery_kit([{**one.options, "no such option": 1}])
