# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a reviewer runs: `ansible-test integration`, with the targets of tests/integration/targets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TARGETS = CHECKOUT / "tests/integration/targets"


def test_every_target_passes_and_does_what_it_says():
    wanted = [folder.name for folder in TARGETS.iterdir() if "hidden" not in (folder / "aliases").read_text().split()]
    assert len(wanted) >= 5
    done = subprocess.run(
        [sys.executable, CHECKOUT / "tools/integration.py", *wanted], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("All assertions passed") == len(wanted)
    assert done.stdout.count("failed=0") == len(wanted)
