# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``openstack``, many times in one process: its start takes seconds. Runs in its own virtual environment.

Reads a command line as a JSON list from every line of standard input; answers in a line with the exit code, and what came on
standard output and standard error.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from openstackclient import shell

for line in sys.stdin:
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            code = shell.main(json.loads(line))
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, said.getvalue(), complained.getvalue()]), flush=True)
