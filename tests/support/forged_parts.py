# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is in a backup that is not sealed, changed at random by who makes every hash right again."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.records import FIELDS
from ansible_collections.freezer.backup.tests.support import hostile_archives
from ansible_collections.freezer.backup.tests.support.mutations import put_odd_value
from ansible_collections.freezer.backup.tests.support.sets import attempt
from ansible_collections.freezer.backup.tests.support.version_2 import Forgery, catalogue_of

#: Where the fields of a tar header begin: name, mode, uid, gid, size, mtime, sum, kind, link, magic, owner, group, devices, prefix.
_FIELDS = (0, 100, 108, 116, 124, 136, 148, 156, 157, 257, 265, 297, 329, 337, 345, 500)
_NAMES = [
    b"../../outside/new",
    b"/etc/passwd",
    b"./link/new",
    b"./",
    b".",
    b"",
    b"./a\0b",
    b"x" * 100,
    b"./first/",
    b"./folder 4",
]
_NUMBERS = [
    b"00000000000",
    b"77777777777",
    b"-0000000001",
    b"\x80" + bytes(10),
    b"\xff" * 11,
    b"",
    b"9",
    b"00000000777\0 ",
    b" 1",
]
_CELLS = [
    b"", b"0", b"-", b"d", b"l", b"h", b"x", b"c", b"b", b"1,3", b"512", b"1024", b"1536", b"9223372036854775807", b"9223372036854775296",
    b"-1.5", b"4755", b"first", b"link", b"link/x", b"..", b"a/../b", b"/", b"large", b"folder 0", b"\xff", b"a" * 70_000,
]  # fmt: skip


def tar_fuzzed(stream: bytes, choose: random.Random) -> tuple[bytes, str]:
    """A tar stream with a header, a member or some bytes changed; sums of headers are right again."""
    heads = [at for at in range(0, len(stream), 512) if stream[at + 257 : at + 262] == b"ustar"]
    at = choose.choice(heads)
    how = choose.choice(["field", "field", "field", "bytes", "members", "member more", "cut", "pax"])
    if how == "field":
        number = choose.randrange(len(_FIELDS) - 1)
        begin, end = _FIELDS[number], _FIELDS[number + 1]
        value = choose.choice(_NAMES if number in (0, 8, 14) else _NUMBERS)
        if number == 7:
            value = choose.choice(
                [
                    b"0",
                    b"1",
                    b"2",
                    b"3",
                    b"4",
                    b"5",
                    b"6",
                    b"7",
                    b"x",
                    b"g",
                    b"S",
                    b"D",
                    b"K",
                    b"L",
                    b"V",
                    b"\xff",
                    b"\0",
                ]
            )
        head = stream[at : at + begin] + value[: end - begin].ljust(end - begin, b"\0") + stream[at + end : at + 512]
        return stream[:at] + _summed(head, choose) + stream[at + 512 :], f"field {number} of a header"
    if how == "bytes":
        place = choose.randrange(len(stream))
        return stream[:place] + choose.randbytes(choose.choice([1, 8, 512])) + stream[place + 1 :], "bytes"
    if how == "members":
        pieces = [stream[one:other] for one, other in pairwise([*heads, len(stream)])]
        choose.shuffle(pieces)
        return b"".join(pieces), "members in another order"
    if how == "member more":
        more = choose.choice(
            [
                hostile_archives.link("./folder 4", "/etc"),
                hostile_archives.member("./link/new", content=b"new"),
                hostile_archives.member("../../outside/new", content=b"new"),
                hostile_archives.member("./first", b"1", linked="/etc/passwd"),
                hostile_archives.folder("./link", "Ynew Rlink Tmoved"),
                hostile_archives.sparse("./sparse", "1 0 1024", b"x" * 512),
                hostile_archives.sparse("./sparse", "99999999999999999999", b"", GNU__sparse__realsize=str(2**62)),
                hostile_archives.member("./x", content=b"x", path="../../outside/new", size="5"),
            ]
        )  # fmt: skip
        return stream[:at] + more + stream[at:], "a member more"
    if how == "cut":
        return stream[:at] + choose.choice([b"", bytes(1024), bytes(1 << 20)]), "an end in the middle"
    place = stream.find(b"mtime=")
    if place < 0:
        return stream + stream, "twice"
    return stream[: place - 3] + choose.choice([b"-1 ", b"99 ", b"0  ", b"\0\0\0"]) + stream[
        place:
    ], "an extended header"


def _summed(head: bytes, choose: random.Random) -> bytes:
    if choose.random() < 0.1:
        return head
    zeros = head[:148] + b" " * 8 + head[156:]
    return head[:148] + b"%06o\0 " % sum(zeros) + head[156:]


def _bytes_changed(plain: bytes, choose: random.Random) -> bytes:
    place = choose.randrange(len(plain) + 1)
    how = choose.randrange(4)
    more = choose.choice([b"\0", b"\xff", b"\xff" * 8, choose.randbytes(5), bytes(4096)])
    if how == 0:
        return plain[:place] + more + plain[place + len(more) :]
    if how == 1:
        return plain[:place]
    if how == 2:
        return plain[:place] + more + plain[place:]
    return plain + plain


def _stream(forgery: Forgery, choose: random.Random) -> str:
    plain = b"".join(forgery.objects[name] for name in forgery.manifest.segments("data"))
    plain, said = tar_fuzzed(plain, choose)
    made, _problem = attempt(catalogue_of, plain)  # type: ignore[arg-type]
    if made is None or choose.random() < 0.3:
        forgery.set_stream(plain, forgery.side("catalogue"))
        return f"{said}, and the catalogue that was there"
    forgery.set_stream(plain)
    return f"{said}, and a catalogue that fits"


def _catalogue(forgery: Forgery, choose: random.Random) -> str:
    plain = forgery.side("catalogue")
    if choose.random() < 0.3:
        forgery.set_side("catalogue", _bytes_changed(plain, choose))
        return "bytes of the catalogue"
    cells = plain.split(b"\0")[:-1]
    said = []
    for _change in range(choose.choice([1, 1, 2])):
        place = choose.randrange(len(cells))
        cells[place] = choose.choice([*_CELLS, choose.choice(cells)])
        said.append(f"field {place % FIELDS + 1} is {cells[place][:20]!r}")
    forgery.set_side("catalogue", b"".join(cell + b"\0" for cell in cells))
    return f"the catalogue: {said}"


def _side(stem: str) -> Callable[[Forgery, random.Random], str]:
    def change(forgery: Forgery, choose: random.Random) -> str:
        name = forgery.manifest.side(stem)
        if name is None:
            return _catalogue(forgery, choose)
        forgery.objects[name] = _bytes_changed(forgery.objects[name], choose)
        return f"bytes of {stem}"

    return change


def _blocks(forgery: Forgery, choose: random.Random) -> str:
    names = [name for stem in ("data", "blocks") for name in forgery.manifest.segments(stem)]
    name = choose.choice(names)
    forgery.objects[name] = _bytes_changed(forgery.objects[name], choose)
    return f"bytes of {name}"


def _details(forgery: Forgery, choose: random.Random) -> str:
    return f"details: {put_odd_value(forgery.details, choose)}"


FORGERIES = [
    _stream,
    _stream,
    _stream,
    _catalogue,
    _catalogue,
    _side("maps"),
    _side("frames"),
    _side("snar"),
    _blocks,
    _details,
]


def forge_something(forgery: Forgery, choose: random.Random) -> str:
    """Change a part of a backup whose objects are neither compressed nor sealed; returns what was changed."""
    return choose.choice(FORGERIES)(forgery, choose)
