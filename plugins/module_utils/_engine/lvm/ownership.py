# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The owner of a snapshot, as LVM tags, so that leftovers of killed processes are recognized."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence

#: The tag of every snapshot of this software.
MARK = "freezer.backup"

_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_+.-]")
_PREFIX = "freezer."


def tags_for(owner: str, of_set: str = "") -> list[str]:
    """The tags of a new snapshot: its owner (``backup`` or ``module``), backup set, time and process."""
    tags = [MARK, f"{_PREFIX}owner={owner}", f"{_PREFIX}moment={int(time.time())}"]
    if of_set:
        tags.append(set_tag(of_set))
    if owner == "backup":
        tags.append(f"{_PREFIX}process={_identity(os.getpid())}")
    return tags


def set_tag(of_set: str) -> str:
    """The tag of a set; characters of its name that tags cannot have become ``=`` and a code."""
    return f"{_PREFIX}set={_NOT_IN_TAGS.sub(lambda match: f'={ord(match.group()):x}=', of_set)}"[:1000]


def value_of(tags: Sequence[str], name: str) -> str:
    """The value of one of our tags; empty if the tag is missing."""
    prefix = f"{_PREFIX}{name}="
    return next((tag[len(prefix) :] for tag in tags if tag.startswith(prefix)), "")


def is_leftover(tags: Sequence[str]) -> bool:
    """Whether these are the tags of a snapshot of a backup whose process has ended."""
    if MARK not in tags or value_of(tags, "owner") != "backup":
        return False
    process = value_of(tags, "process")
    number = process.split("-")[-2] if process.count("-") >= 2 else ""
    return not number.isdigit() or _identity(int(number)) != process


def _identity(pid: int) -> str:
    """An id that is unique among all processes of this host, also of past boots: boot id, process id, start time."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read()[:8]
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            started = file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""
    return f"{boot}-{pid}-{started}"
