# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""playbooks/recovery_kit.yml: kits of this machine, what is said of those that are not enough, and a restore by the page alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.ansible_command import handed_on_by, run_ansible
from support.key_files import PASSPHRASE, pass_file, quick_scrypt

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent


class Kept:
    """Encrypted backups of one folder of two levels, a passphrase file of the controller, and where kits go."""

    def __init__(self, folder: Path) -> None:
        self.data, self.container, self.kits = folder / "data", folder / "container", folder / "kits"
        self.data.mkdir()
        (self.data / "file").write_text("as it was")
        self.pass_file = pass_file(folder)

    def back_up(self, name: str) -> None:
        agent.backup({**self.action(name), "encrypt_pass_file": self.pass_file, "max_level": 5})

    def action(self, name: str) -> dict[str, Any]:
        place = {"storage": "local", "container": str(self.container), "hostname": "web1"}
        return {"action": "backup", "backup_name": name, "path_to_backup": str(self.data), **place}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    quick_scrypt(monkeypatch)
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state"))
    return Kept(tmp_path)


def keep(kept: Kept, *arguments: str, **variables: Any) -> tuple[bool, str]:
    extra = json.dumps({"freezer_kit_folder": str(kept.kits), "freezer_kit_pass_file": kept.pass_file, **variables})
    ran = run_ansible("ansible-playbook", "freezer.backup.recovery_kit", "-e", extra, *arguments)
    return ran.returncode == 0, ran.stdout + ran.stderr


def test_the_page_of_a_kit_restores_what_host_and_container_have_lost_the_keys_of(kept, tmp_path, monkeypatch):
    kept.back_up("etc")
    (kept.data / "more").write_text("added later")
    kept.back_up("etc")
    proven, said = keep(kept, freezer_backups=[kept.action("etc")])
    assert proven, said
    assert "changed=1 " in said
    assert "level 1" in said
    assert "was restored, signed by SHA256:" in said
    kit = kept.kits / "localhost"
    for path in [kit, *kit.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
        if path.is_file():
            content = path.read_bytes()
            assert PASSPHRASE.encode() not in content
            assert b"AGE-SECRET-KEY" not in content
    assert {path.name for path in kit.rglob("*") if path.is_file()} == {
        "kit.txt", "allowed_signers", "public", "passphrase.age",
    }  # fmt: skip
    # The host and its keys are gone; what there is are the page, the passphrase and the objects.
    shutil.rmtree(tmp_path / "state")
    shutil.rmtree(kept.container / "web1_etc" / ".keys")
    page = (kit / "kit.txt").read_text()
    assert len(page.splitlines()) <= 66
    assert max(map(len, page.splitlines())) <= 150
    commands = [_command(page, "if the container has lost the secret half:"), _command(page, "restore:")]
    target = tmp_path / "restored"
    for command in commands:
        command = command.replace("PASSPHRASE_FILE", kept.pass_file).replace("/tmp/restored", str(target))
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        ran = subprocess.run(
            ["sh", "-c", command], cwd=kit, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, (command, ran.stderr)
    assert {path.name: path.read_text() for path in target.iterdir()} == {"file": "as it was", "more": "added later"}


def _command(page: str, title: str) -> str:
    lines = page.partition(f"{title}\n")[2]
    found = re.match(r"(?:.*\\\n)*.*\n", lines)
    assert found, page
    return found[0]


def test_a_kit_that_is_not_enough_is_named_and_check_mode_writes_nothing(kept, tmp_path):
    for name in ("good", "broken"):
        kept.back_up(name)
    (details,) = kept.container.glob("*_broken/*/details*")
    details.write_bytes(b"\0" + details.read_bytes()[1:])
    hosts = {
        "db1": {"freezer_backups": [kept.action("good"), kept.action("broken"), kept.action("never made")]},
        "db2": {"freezer_backups": [kept.action("good")], "freezer_kit_pass_file": ""},
        "db3": {"freezer_backups": [kept.action("good")], "freezer_kit_pass_file": kept.pass_file},
        "web1": {},
    }
    inventory = tmp_path / "inventory"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    # Variables of hosts, which extra variables would hide.
    extra = json.dumps({"freezer_kit_folder": str(kept.kits)})
    ran = run_ansible("ansible-playbook", "-i", str(inventory), "freezer.backup.recovery_kit", "--check", "-e", extra)
    said = ran.stdout + ran.stderr
    assert ran.returncode != 0
    assert not kept.kits.exists()
    handed_on = handed_on_by(said)
    assert [one["host"] for one in handed_on["freezer_kits"]] == ["db3"]
    missed = [(one["host"], one["backup_name"]) for one in handed_on["freezer_kits_not_proven"]]
    assert sorted(missed) == [("db1", "broken"), ("db1", "good"), ("db1", "never made"), ("db2", "good")]
    assert "There is no backup" in said
    assert "is encrypted; give its passphrase (pass_file)" in said
