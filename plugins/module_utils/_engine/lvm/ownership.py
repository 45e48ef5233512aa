# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Whose a snapshot is, written into it as LVM tags, so that what a process that was killed has left is recognised."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence

#: Every snapshot of this software has it.
MARK = "freezer.backup"

_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_+.-]")
_PREFIX = "freezer."


def tags_for(owner: str, of_set: str = "") -> list[str]:
    """The tags of a new snapshot: who made it (``backup`` or ``module``), for which set of backups, when, and in which
    process."""
    tags = [MARK, f"{_PREFIX}owner={owner}", f"{_PREFIX}moment={int(time.time())}"]
    if of_set:
        tags.append(set_tag(of_set))
    if owner == "backup":
        tags.append(f"{_PREFIX}process={_identity(os.getpid())}")
    return tags


def set_tag(of_set: str) -> str:
    """The tag of a set; what tags cannot hold of its name becomes ``=`` and a code."""
    return f"{_PREFIX}set={_NOT_IN_TAGS.sub(lambda match: f'={ord(match.group()):x}=', of_set)}"[:1000]


def value_of(tags: Sequence[str], name: str) -> str:
    """What a tag of ours says, empty if it is not there."""
    prefix = f"{_PREFIX}{name}="
    return next((tag[len(prefix) :] for tag in tags if tag.startswith(prefix)), "")


def is_leftover(tags: Sequence[str]) -> bool:
    """Whether these are the tags of a snapshot that a backup has made whose process is gone."""
    if MARK not in tags or value_of(tags, "owner") != "backup":
        return False
    process = value_of(tags, "process")
    number = process.split("-")[-2] if process.count("-") >= 2 else ""
    return not number.isdigit() or _identity(int(number)) != process


def _identity(pid: int) -> str:
    """What tells a process from every other one of this host, past boots included: boot, number, moment of its start."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read()[:8]
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            started = file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""
    return f"{boot}-{pid}-{started}"
