# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Archives that GNU tar's writer would not make."""

from __future__ import annotations

import tarfile


def member(
    name: str,
    kind: bytes = tarfile.REGTYPE,
    content: bytes = b"",
    linked: str = "",
    mode: int = 0o644,
    **records: str,
) -> bytes:
    """One member as GNU tar writes it in the POSIX format; ``records`` go into its extended header."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, linked, len(content), mode
    extended = b""
    if records:
        # With GNU tar's order and escapes it makes no difference to a reader.
        body = b"".join(_record(key.replace("__", "."), value) for key, value in records.items())
        head = tarfile.TarInfo("./PaxHeaders/x")
        head.type, head.size = tarfile.XHDTYPE, len(body)
        extended = head.tobuf(tarfile.USTAR_FORMAT) + _padded(body)
    return extended + info.tobuf(tarfile.USTAR_FORMAT, errors="surrogateescape") + _padded(content)


def folder(name: str, dumpdir: str | None = None) -> bytes:
    """A folder, with the list of what it held: ``"Yfile Dfolder"``, and NULs in place of blanks."""
    records = {} if dumpdir is None else {"GNU__dumpdir": "".join(f"{one}\0" for one in dumpdir.split()) + "\0"}
    return member(f"{name}/", tarfile.DIRTYPE, mode=0o755, **records)


def link(name: str, target: str) -> bytes:
    """A symbolic link."""
    return member(name, tarfile.SYMTYPE, linked=target, mode=0o777)


def sparse(name: str, lines: str, data: bytes = b"", **records: str) -> bytes:
    """A sparse file: the lines of its map, blanks in place of line breaks, and the data; ``records`` are added, or replace others."""
    holes = {"major": "1", "minor": "0", "name": name, "realsize": "1024"}
    numbers = "".join(f"{line}\n" for line in lines.split())
    return member(
        "./GNUSparseFile.0/x",
        content=_padded(numbers.encode()) + data,
        **{**{f"GNU__sparse__{key}": value for key, value in holes.items()}, **records},
    )


def with_sum(one: bytes, tail: bytes = b"\0 ") -> bytes:
    """A member with the right sum in its first header, and what is to stand behind it."""
    header = bytearray(one[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o" % sum(header) + tail
    return bytes(header) + one[512:]


def archive(*members: bytes) -> bytes:
    """A whole stream of these members."""
    stream = b"".join(members) + bytes(1024)
    return stream + bytes(-len(stream) % 131072)


def _record(key: str, value: str) -> bytes:
    rest = b" " + key.encode() + b"=" + value.encode("utf-8", "surrogateescape") + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)
