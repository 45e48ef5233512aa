# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What commands print for shells completes their words there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = Path(sys.executable).parent


def completed(command, script, *words):
    """What bash makes of the last word of a command line."""
    bash = shutil.which("bash")
    assert bash is not None
    function = f"_shtab_{command.replace('-', '_')}"
    lines = f'{script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n{function}\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run([bash, "-c", lines, "bash", command, *words], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("command", "cases"),
    [
        (
            "freezer-agent",
            [
                (("--restore-a",), ["--restore-as", "--restore-abs-path"]),
                (("--action", "re"), ["restore"]),
                (("--compression", "z"), ["zstd", "zlib"]),
                (("--config", "/etc/passw"), ["/etc/passwd"]),
            ],
        ),
        ("freezer-api", [(("--auth",), ["--auth-strategy"])]),
        ("freezer-manage", [(("db", "roll"), ["rollback"]), (("db", "sync", "--test"), ["--test-only"])]),
        (
            "freezer-scheduler",
            [
                (("job-ab",), ["job-abort"]),
                (("job-upl",), ["job-upload"]),
                (("job-create", "--file", "/etc/passw"), ["/etc/passwd"]),
            ],
        ),
    ],
)
def test_bash_completes_the_words_of_each_command(command, cases):
    asked = ["completion", "bash"] if command == "freezer-scheduler" else ["--completion", "bash"]
    script = subprocess.run([COMMANDS / command, *asked], capture_output=True, text=True, check=True).stdout
    for words, wanted in cases:
        found = completed(command, script, *words)
        assert set(wanted) == {word for word in found if word in wanted or not word.startswith("/etc/passwd")}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_scripts_too(shell):
    done = subprocess.run(
        [COMMANDS / "freezer-agent", "--completion", shell], capture_output=True, text=True, check=True
    )
    assert "--restore-abs-path" in done.stdout
