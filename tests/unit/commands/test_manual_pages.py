# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The manual pages are those of today's options, and what man reads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
PAGES = CHECKOUT / "docs/man"
COMMANDS = ("freezer-agent", "freezer-api", "freezer-manage", "freezer-scheduler")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder with the pages as they are written now."""
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, CHECKOUT / "tools/man.py", folder], check=True, cwd=CHECKOUT)
    return folder


def test_every_command_has_its_page_as_the_options_are_today(written):
    assert sorted(path.name for path in PAGES.iterdir()) == sorted(f"{name}.1" for name in (*COMMANDS, "freezerc"))
    for path in PAGES.iterdir():
        assert path.read_text() == (written / path.name).read_text(), "run .venv/bin/python tools/man.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_what_readers_look_for(name):
    lines = (PAGES / f"{name}.1").read_text().splitlines()
    assert [line for line in lines if line.startswith(".SH")][:4] == [
        ".SH NAME",
        ".SH SYNOPSIS",
        ".SH DESCRIPTION",
        ".SH OPTIONS",
    ]
    known = {'.\\"', ".TH", ".SH", ".SS", ".TP", ".IP", ".RS", ".RE", ".PP", ".BR", ".nf", ".fi"}
    assert {line.split()[0] for line in lines if line.startswith((".", "'"))} <= known
    assert all(lines[place + 1] and lines[place + 2] for place, line in enumerate(lines) if line == ".TP")


@pytest.mark.parametrize("name", COMMANDS)
def test_man_reads_a_page_without_a_complaint(name):
    if shutil.which("groff"):
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", PAGES / f"{name}.1"], capture_output=True, text=True, check=True
        )
        assert not done.stderr
        assert "--version" in re.sub(r".\x08|\x1b\[\d*m", "", done.stdout)
    else:
        assert (PAGES / f"{name}.1").read_text().isascii()
