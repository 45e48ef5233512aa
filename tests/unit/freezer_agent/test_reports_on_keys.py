# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Encrypted backups at a shell: the action key, and the lines of summaries about keys and signatures."""

from __future__ import annotations

import json

import pytest

from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.exit_status import Signals
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main import Run
from ansible_collections.freezer.backup.tests.support.key_files import (
    PASSPHRASE,
    AgeKey,
    State,
    pass_file,
    quick_scrypt,
)


@pytest.fixture
def run(tmp_path, capfd, monkeypatch):
    """The program in this process, with the options that all of its runs have: exit status, and what it says."""
    quick_scrypt(monkeypatch)
    State(tmp_path / "state", monkeypatch)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("content")
    passphrase = pass_file(tmp_path)

    def call(*arguments: str) -> tuple[int, str]:
        place = ["--storage", "local", "-C", str(tmp_path / "container"), "-N", "etc", "--hostname", "web1"]
        status = Run().go([*arguments, *place, "--encrypt-pass-file", passphrase], Signals())
        out, err = capfd.readouterr()
        assert PASSPHRASE not in out + err
        return status, out + err

    return call


def test_a_summary_says_how_a_backup_is_encrypted_and_who_signed_it(run, tmp_path, monkeypatch):
    status, said = run("-F", str(tmp_path / "source"))
    assert status == 0, said
    key_id = next((tmp_path / "container/web1_etc/.keys").iterdir()).name
    assert f"  encrypted   age, key pair {key_id}\n" in said
    assert "  signed by   SHA256:" in said
    status, said = run("--action", "restore", "--restore-abs-path", str(tmp_path / "restored"))
    assert (status, "  signed by   SHA256:" in said) == (0, True)
    # The key pair names its signer; without encryption nothing does.
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "another state"))
    _status, said = run("--action", "verify")
    assert "  signed by   SHA256:" in said
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state"))
    run("-F", str(tmp_path / "source"), "--encryption", "none")
    State(tmp_path / "another state", monkeypatch)
    _status, said = run("--action", "verify")
    assert (
        "  signed by   not checked: it is signed by a key that is not known here, and --trusted-signers names" in said
    )


def test_keys_are_listed_changed_and_exported(run, tmp_path):
    run("-F", str(tmp_path / "source"))
    person = AgeKey(tmp_path, "person")
    status, said = run("--action", "key")
    assert 'web1 namespaces="freezer-backup" ssh-ed25519 ' in said.partition("Signers of ")[2]
    status, said = run("--action", "key", "--key", "add", "--encryption-recipients", person.public)
    assert status == 0
    assert said.startswith("Changed who can open the backups of etc of web1.\n")
    assert "a passphrase and 1 recipient" in said
    assert person.public in said
    status, said = run("--action", "key")
    assert (status, said.splitlines()[0]) == (0, "The key pairs of etc of web1.")
    status, _said = run("--action", "key", "--key", "export", "--metadata-out", str(tmp_path / "keys.json"))
    assert status == 0
    (pair,) = json.loads((tmp_path / "keys.json").read_text())["keys"]
    assert set(pair["forms"]) == {"passphrase.age", "recipients.age"}
    status, said = run("--action", "key", "--key", "remove")
    assert status == 2
    assert "--encryption-recipients is missing" in said
