# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup program_archive: what a role takes to a host, and that programs start from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from ansible import constants
from ansible.errors import AnsibleLookupError

from ansible_collections.freezer.backup.plugins.lookup import program_archive

TOP = "ansible_collections/freezer/backup"


def make(role):
    return program_archive.LookupModule().run([role])[0]


def test_a_program_starts_from_its_archive_and_nothing_else(tmp_path):
    made = make("api")
    with tarfile.open(made["path"]) as archive:
        archive.extractall(tmp_path, filter="data")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "from ansible_collections.freezer.backup.roles.api.files.freezer_api import main; "
        "print(main.__file__); sys.exit(main.main(['--help']))"
    )
    # -P and the first place in the path: neither the checkout nor an installed collection helps.
    ran = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(tmp_path))
    assert "freezer-api" in ran.stdout


def test_the_same_files_make_the_same_archive_wherever_and_whenever(tmp_path, monkeypatch):
    first = make("api")
    content = Path(first["path"]).read_bytes()
    copy = tmp_path / "elsewhere"
    for folder in ("plugins", "roles"):
        shutil.copytree(program_archive._COLLECTION / folder, copy / folder)
    (copy / "roles/api/files/freezer_api/__pycache__").mkdir(exist_ok=True)
    (copy / "roles/api/files/freezer_api/__pycache__/x.pyc").write_bytes(b"compiled")
    (copy / "plugins/module_utils/_engine/.cache").mkdir()
    (copy / "plugins/module_utils/_engine/.cache/x").write_bytes(b"somebody's")
    monkeypatch.setattr(program_archive, "_COLLECTION", copy)
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    second = make("api")
    assert second["digest"] == first["digest"]
    assert Path(second["path"]).read_bytes() == content

    (copy / "roles/api/files/freezer_api/main.py").write_text("# another\n")
    assert make("api")["digest"] != first["digest"]


def test_an_archive_holds_the_engine_and_one_role_readable_for_all():
    with tarfile.open(make("agent")["path"]) as archive:
        members = archive.getmembers()
    names = {member.name for member in members}
    assert f"{TOP}/plugins/module_utils/_engine/agent/agent.py" in names
    assert f"{TOP}/roles/agent/files/freezer_agent/main.py" in names
    assert not any("roles/api" in name or "plugins/modules" in name for name in names)
    assert {(member.mode, member.uid, member.isreg()) for member in members} == {(0o644, 0, True)}


@pytest.mark.parametrize("role", ["none", "..", "api/tasks"])
def test_a_role_that_has_no_programs_is_named(role):
    with pytest.raises(AnsibleLookupError, match="has no role"):
        make(role)
