# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Trees to measure backups on, made from a seed and the same on every machine.

At scale 1 a tree has 20,000 files of 1 to 64 KiB (log-uniform), spread over 1,000 folders, with some symbolic and hard
links, and seven files of 100 MiB: 1 GiB in all. Contents are of the kinds that servers hold, in fixed shares: running
text of words with Zipf's frequencies, log lines, database pages with free space in them, and noise that stands for
what is compressed or encrypted already. A scale below 1 has fewer small files and smaller big ones.

usage: dataset.py make DIR [--scale 1.0] [--seed 1]      a new tree
       dataset.py mutate DIR [--seed 2]                  1 % of its files edited, added or removed, and up to 1 MiB
                                                         in the middle of a big one overwritten
       dataset.py tiny DIR [--count 200000]              very many files of a few bytes
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

#: Goes up when the same seed gives another tree, so that no cached one is taken for it.
GENERATION = 1

SMALL_FILES = 20_000
SMALL_BYTES = (1 << 10, 64 << 10)
BIG_FILES = ("text", "log", "pages", "noise", "log", "pages", "text")
BIG_BYTES = 100 << 20
FOLDERS, SUBFOLDERS = 40, 25
FILES_PER_SYMBOLIC_LINK, FILES_PER_HARD_LINK = 400, 500
CHANGED_FRACTION = 0.01
EPOCH = 1_700_000_000

_BLOCK_BYTES = 1 << 20
_PAGE_BYTES = 16 << 10
_SYLLABLES = [start + vowel + end for start in "bdfklmnprstvz" for vowel in "aeiou" for end in ("", "n", "r", "s")]


def _vocabulary(size: int = 20_000) -> tuple[list[str], list[float]]:
    """Words, the frequent ones first and short, and their cumulated frequencies."""
    rng = random.Random(0)
    words = ["".join(rng.choices(_SYLLABLES, k=1 + rank.bit_length() // 5)) for rank in range(size)]
    return words, list(itertools.accumulate(1 / (rank + 2.7) for rank in range(size)))


WORDS, _FREQUENCIES = _vocabulary()


def text(rng: random.Random, size: int) -> bytes:
    """Sentences of a dozen words, one a line."""
    lines: list[str] = []
    length = 0
    while length < size:
        words = rng.choices(WORDS, cum_weights=_FREQUENCIES, k=12)
        line = " ".join(words)
        lines.append(line)
        length += len(line) + 2
    return ".\n".join([*lines, ""]).encode()[:size]


def log(rng: random.Random, size: int) -> bytes:
    """Lines of a service: rising time, host, severity, request id, two words, figures."""
    lines: list[str] = []
    length, now = 0, float(EPOCH)
    while length < size:
        now += rng.random()
        severity = rng.choice(("INFO", "INFO", "INFO", "DEBUG", "WARN"))
        line = (
            f"{now:.3f} node{rng.randrange(40):02d} {severity} [req-{rng.getrandbits(32):08x}] {WORDS[rng.getrandbits(8)]} "
            f"{WORDS[rng.getrandbits(11)]} took {rng.getrandbits(11)} ms, status {rng.choice((200, 200, 201, 404))}\n"
        )
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[:size]


def pages(rng: random.Random, size: int) -> bytes:
    """Database pages of 16 KiB: a header, rows of keys, numbers, a padded name and a hash, then free space."""
    found: list[bytes] = []
    for number in range(math.ceil(size / _PAGE_BYTES)):
        rows = [struct.pack(">IIQ", rng.getrandbits(32), number, rng.getrandbits(40))]
        for _row in range(rng.randint(100, 280)):
            key = struct.pack(">QIH", rng.getrandbits(33), rng.getrandbits(17), rng.getrandbits(5))
            rows.append(key + WORDS[rng.getrandbits(12)].encode().ljust(24) + rng.randbytes(12))
        found.append(b"".join(rows)[:_PAGE_BYTES].ljust(_PAGE_BYTES, b"\0"))
    return b"".join(found)[:size]


def noise(rng: random.Random, size: int) -> bytes:
    """Bytes that no codec makes smaller."""
    return rng.randbytes(size)


CONTENTS: dict[str, Callable[[random.Random, int], bytes]] = {"text": text, "log": log, "pages": pages, "noise": noise}


def _rng(seed: int, number: int) -> random.Random:
    """The randomness of one file: its own, so that files can be made in any order by any process."""
    return random.Random(seed << 32 | number)


def _size(rng: random.Random) -> int:
    low, high = SMALL_BYTES
    return int(low * (high / low) ** rng.random())


def _make_small(top: Path, seed: int, number: int) -> None:
    rng = _rng(seed, number)
    kind = rng.choices(("text", "log", "pages", "noise"), (60, 20, 7, 13))[0]
    folder = top / "small" / f"{number % FOLDERS:02d}" / f"{number // FOLDERS % SUBFOLDERS:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:05d}.{kind}"
    path.write_bytes(CONTENTS[kind](rng, _size(rng)))
    if number % FILES_PER_SYMBOLIC_LINK == 0:
        path.with_suffix(".link").symlink_to(path.name)
    if number % FILES_PER_HARD_LINK == 1:
        path.with_suffix(".hard").hardlink_to(path)


def _make_big(top: Path, seed: int, number: int, size: int) -> None:
    kind = BIG_FILES[number]
    rng = _rng(seed, 1 << 31 | number)
    path = top / "big" / f"{number}.{kind}"
    with path.open("wb") as target:
        for start in range(0, size, _BLOCK_BYTES):
            target.write(CONTENTS[kind](rng, min(_BLOCK_BYTES, size - start)))


def _set_times(top: Path) -> None:
    """Give everything a time of its own in whole seconds, which is what every format of tar can keep."""
    for number, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        os.utime(path, (EPOCH + number, EPOCH + number), follow_symlinks=False)
    os.utime(top, (EPOCH, EPOCH))


def make(top: Path, scale: float = 1.0, seed: int = 1) -> None:
    """Make the tree `top`, which must not exist yet, with as many processes as there are cores."""
    (top / "big").mkdir(parents=True)
    (top / "small").mkdir()
    count = max(1, round(SMALL_FILES * scale))
    big_bytes = max(4096, round(BIG_BYTES * scale))
    with multiprocessing.get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
        big = pool.starmap_async(_make_big, [(top, seed, number, big_bytes) for number in range(len(BIG_FILES))], 1)
        small = pool.starmap_async(_make_small, [(top, seed, number) for number in range(count)], 200)
        big.get()
        small.get()
    _set_times(top)


def mutate(top: Path, seed: int = 2) -> dict[str, int]:
    """Edit, add and remove 1 % of the small files (of ten: eight, one, one; at least one each) and overwrite up to
    1 MiB inside a big one. Returns how many of each."""
    rng = _rng(seed, 0)
    files = sorted(path for path in (top / "small").rglob("*") if path.suffix[1:] in CONTENTS)
    chosen = rng.sample(files, max(3, round(len(files) * CHANGED_FRACTION)))
    done = {"edited": 0, "added": 0, "removed": 0, "overwritten_bytes": 0}
    for number, path in enumerate(chosen):
        if number % 10 == 1:
            path.with_suffix(".new").write_bytes(text(rng, _size(rng)))
            done["added"] += 1
        elif number % 10 == 2:
            path.unlink()
            done["removed"] += 1
        else:
            with path.open("ab") as target:
                target.write(text(rng, 2000))
            done["edited"] += 1
    big = top / "big" / f"1.{BIG_FILES[1]}"
    size = big.stat().st_size
    done["overwritten_bytes"] = min(_BLOCK_BYTES, size // 4)
    with big.open("r+b") as target:
        target.seek(size // 3)
        target.write(log(rng, done["overwritten_bytes"]))
    return done


def make_tiny(top: Path, count: int = 200_000, seed: int = 3) -> None:
    """Make a tree of `count` files of 16 to 200 bytes, fifty in each folder."""
    rng = _rng(seed, 0)
    for first in range(0, count, 50):
        folder = top / f"{first // 1000:03d}" / f"{first // 50 % 20:02d}"
        folder.mkdir(parents=True)
        for number in range(first, min(first + 50, count)):
            (folder / f"{number:06d}.conf").write_bytes(rng.randbytes(rng.randint(16, 200)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "mutate", "tiny"))
    parser.add_argument("dir", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    seed = {} if given.seed is None else {"seed": given.seed}
    if given.what == "make":
        make(given.dir, given.scale, **seed)
    elif given.what == "mutate":
        print(mutate(given.dir, **seed))
    else:
        make_tiny(given.dir, given.count, **seed)


if __name__ == "__main__":
    main()
