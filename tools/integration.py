# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `ansible-test integration` on this host, in a copy of the checkout in build/integration.

usage: .venv/bin/python tools/integration.py [targets and other arguments of ansible-test integration]
"""

from __future__ import annotations

import subprocess
import sys

from ansible_test_copy import CHECKOUT, COMMANDS, copied_checkout, environment


def main() -> int:
    done = subprocess.run(
        [COMMANDS / "ansible-test", "integration", "--color", "no", *sys.argv[1:]],
        cwd=copied_checkout("integration"),
        env=environment(CHECKOUT / "build/integration/home"),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
