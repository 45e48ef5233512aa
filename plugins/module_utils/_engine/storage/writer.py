# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who has a lock: a line beside it that the next one can name the process by."""

from __future__ import annotations

import os
import re
import socket
import time
from datetime import datetime

MOST_BYTES = 300
#: Others may write to a storage: what does not look like a line of ours is not shown.
_LINE = re.compile(r"([0-9]{1,10}) ([A-Za-z0-9._-]{1,255}) ([0-9]{1,11})")


def writer_line() -> str:
    """This process, its host and the time in seconds since 1970, in ASCII."""
    host = re.sub(r"[^A-Za-z0-9._-]", "_", socket.gethostname())[:200] or "_"
    return f"{os.getpid()} {host} {int(time.time())}"


def described(line: str) -> str:
    """Words in brackets for a line of a writer, with a blank before them; nothing if it is none."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return ""
    pid, host, began = match.groups()
    since = datetime.fromtimestamp(int(began)).astimezone()
    return f" (process {pid} of {host}, since {since:%Y-%m-%dT%H:%M:%S})"
