# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A second reader of catalogues of version 1, as docs/archive-format-1.md describes them."""

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


_KINDS = {
    "-": "files",
    "d": "directories",
    "l": "symbolic_links",
    "h": "hard_links",
    "p": "fifos",
    "b": "devices",
    "c": "devices",
}


@dataclass(frozen=True)
class Line:
    """What a line says of a member. `size` is in bytes, and 0 for a device."""

    type: str
    size: int
    name: str
    target: str | None


def catalogue(folder: Path) -> Iterator[Line]:
    """The lines of a stored backup's catalogue."""
    return lines_of(gzip.decompress((folder / "catalogue.gz").read_bytes()))


def lines_of(plain: bytes) -> Iterator[Line]:
    """The lines of a plain catalogue."""
    for line in plain.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        found = _LINE.match(line)
        assert found is not None, line
        target = found["target"]
        size = int(found["size"]) if found["size"].isdigit() else 0
        yield Line(found["type"], size, unquote(found["name"]), None if target is None else unquote(target))


def counted(plain: bytes) -> tuple[dict[str, int], int]:
    """The members of each kind, as a manifest has them, and the bytes of all files."""
    counts = dict.fromkeys([*_KINDS.values(), "others"], 0)
    size = 0
    for line in lines_of(plain):
        counts[_KINDS[line.type]] += 1
        size += line.size if line.type == "-" else 0
    return counts, size
