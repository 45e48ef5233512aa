# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Files of some MiB that change at random, block by block, and need little room when they are compressed."""

from __future__ import annotations

import os
import random
from pathlib import Path

MEBIBYTE = 1 << 20


class RandomLargeFiles:
    """Files in a folder of their own, made anew."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._random = folder, random.Random(f"large {seed}")
        folder.mkdir()
        for number in range(4):
            self._make(folder / f"new {number}")

    def mutate(self) -> None:
        """Change some of them, unless something else is in the place of the folder or of a file now."""
        if self._folder.is_symlink() or not self._folder.is_dir():
            return
        changes = (self._write, self._shorten, self._lengthen, self._replace, self._rename, self._link, self._swap)
        for path in sorted(self._folder.iterdir()):
            if path.is_file() and not path.is_symlink() and self._random.random() < 0.8:
                self._random.choice(changes)(path)
        self._make(self._folder / f"new {self._random.randrange(9)}")

    def _block(self) -> bytes:
        words = b"%d\n" % self._random.randrange(10**9)
        return (words * (MEBIBYTE // len(words) + 1))[:MEBIBYTE]

    def _make(self, path: Path) -> None:
        size = self._random.choice([MEBIBYTE, MEBIBYTE + 5, 2 * MEBIBYTE - 1, 3 * MEBIBYTE, 3 * MEBIBYTE + 100])
        if not path.is_dir() and (path.is_file() or not os.path.lexists(path)):
            path.write_bytes(
                b"".join(self._random.choice([self._block(), bytes(MEBIBYTE)]) for _number in range(4))[:size]
            )

    def _write(self, path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(self._random.randrange(path.stat().st_size or 1))
            file.write(self._random.choice([b"x" * 100, bytes(MEBIBYTE), self._block()]))

    def _shorten(self, path: Path) -> None:
        os.truncate(path, self._random.randrange(path.stat().st_size + 1))

    def _lengthen(self, path: Path) -> None:
        os.truncate(path, path.stat().st_size + self._random.choice([5, MEBIBYTE, 2 * MEBIBYTE]))

    def _replace(self, path: Path) -> None:
        path.unlink()
        with path.open("wb") as file:
            file.seek(self._random.randrange(2 * MEBIBYTE))
            file.write(b"in a sparse file")
            file.truncate(3 * MEBIBYTE)

    def _rename(self, path: Path) -> None:
        other = path.with_name(f"renamed {self._random.randrange(3)}")
        if not other.is_dir():
            path.rename(other)

    def _link(self, path: Path) -> None:
        other = path.with_name(f"linked {self._random.randrange(4)}")
        if not os.path.lexists(other):
            os.link(path, other)

    def _swap(self, path: Path) -> None:
        other = self._random.choice(sorted(self._folder.iterdir()))
        aside = path.with_name("aside")
        path.rename(aside)
        if other != path:
            other.rename(path)
        aside.rename(other)
