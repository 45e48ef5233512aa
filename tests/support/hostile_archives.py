# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Archives that GNU tar's writer would not make, in place of those of a chain that it did."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import (
    Parent,
    digest,
    parse_manifest,
)
from ansible_collections.freezer.backup.tests.support.sets import Result, Set


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


def put(
    some: Set,
    result: Result,
    stream: bytes,
    members: int,
    parent: Result | None = None,
    stored: bytes | None = None,
    **fields: Any,
) -> None:
    """Put a stream in the place of the one of a backup (codec none), with a manifest that fits in every regard.

    `stored` is what the stream is stored as, and `fields` are those of the manifest that are to be something else.

    This is what an attacker of the storage, or a tar that was deceived when it wrote, can make.
    """
    path = some.folder_of(result) / "manifest.json"
    manifest = parse_manifest(path.read_bytes(), "it")
    segment = manifest.segments[0]
    data = stream if stored is None else stored
    (path.parent / segment.name).write_bytes(data)
    manifest.segments = [replace(segment, bytes=len(data), sha256=digest(data))]
    manifest.stream_bytes = len(stream)
    manifest.counts = {**dict.fromkeys(manifest.counts, 0), "files": members}
    if parent is not None:
        above = (some.folder_of(parent) / "manifest.json").read_bytes()
        assert manifest.parent is not None
        manifest.parent = Parent(manifest.parent.folder, manifest.parent.backup_id, digest(above))
    manifest = replace(manifest, **fields)
    path.write_bytes(manifest.to_bytes())


def _record(key: str, value: str) -> bytes:
    rest = b" " + key.encode() + b"=" + value.encode("utf-8", "surrogateescape") + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)
