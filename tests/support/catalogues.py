# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A second reader of catalogues, as docs/archive-format-1.md describes them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import unquote

_LINE = re.compile(
    r"^(?P<type>.)(?P<mode>.{9})\S? +(?P<owner>.*?)/(?P<group>.*?) +(?P<size>\d+|\d+,\d+) "
    r"(?P<date>-?\d+-\d\d-\d\d) (?P<time>[\d:.]+) +"
    r'"(?P<name>(?:[^"\\]|\\.)*)"(?: (?:->|link to) "(?P<target>(?:[^"\\]|\\.)*)")?$'
)


@dataclass(frozen=True)
class Line:
    """What a line says of a member. `size` is in bytes, and 0 for a device."""

    type: str
    size: int
    name: str
    target: str | None


def catalogue(folder: Path) -> Iterator[Line]:
    """The lines of a stored backup's catalogue."""
    with gzip.open(folder / "catalogue.gz", "rt", encoding="utf-8", errors="surrogateescape") as plain:
        for line in plain:
            found = _LINE.match(line.rstrip("\n"))
            assert found is not None, line
            target = found["target"]
            size = int(found["size"]) if found["size"].isdigit() else 0
            yield Line(found["type"], size, unquote(found["name"]), None if target is None else unquote(target))
