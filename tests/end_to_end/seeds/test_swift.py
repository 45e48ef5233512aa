# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Commands of Freezer's README in the Swift of tests/labs/openstack, with the command that they call."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.trees import write

FREEZERC = Path(sys.executable).parent / "freezerc"


@pytest.fixture
def run(swift_lab, tmp_path):
    """Runs a command with the folder /data below the test's own, in an environment that says who asks."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    own |= cloud_lab.new_project(swift_lab).environment | {"FREEZER_BACKUP_STATE": str(tmp_path / "state")}

    def call(command):
        program, *words = [word for word in shlex.split(command) if word not in ("$", "sudo")]
        assert program == FREEZERC.name
        words = [f"{tmp_path}{word}" if word.startswith("/data/") else word for word in words]
        done = subprocess.run(
            [FREEZERC, *words], env=own, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done

    return call


def test_the_first_backup_of_the_readme_goes_to_swift_and_comes_back(run, tmp_path):
    folder = tmp_path / "data/dir/to/backup"
    write(folder / "file", b"content")
    made = run("""$ sudo freezerc --file-to-backup /data/dir/to/backup
            --container freezer_new-data-backup --backup-name my-backup-name""")
    assert "--storage is not given: swift was chosen, because OS_AUTH_URL says who asks a cloud." in made.stderr
    assert "--container is not given" not in made.stderr
    assert "freezer_new-data-backup" in run("$ sudo freezerc --action info").stdout
    assert "my-backup-name" in run("$ sudo freezerc --action info --container freezer_new-data-backup -l").stdout
    folder.rename(tmp_path / "lost")
    run("""$ sudo freezerc --action restore --restore-abs-path /data/dir/to/backup
           --container freezer_new-data-backup --backup-name my-backup-name
           --storage swift""")
    assert (folder / "file").read_bytes() == b"content"
