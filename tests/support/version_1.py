# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups of version 1 of the archive format, as earlier releases wrote them: what is tested is that they are read."""

from __future__ import annotations

import gzip
import io
import json
import os
import platform
import subprocess
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.codec import codec_for
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.snar import settle
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import (
    Manifest,
    Parent,
    StoredObject,
    digest,
    parse_manifest,
    with_digest,
)
from ansible_collections.freezer.backup.tests.support.catalogues import counted
from ansible_collections.freezer.backup.tests.support.sets import Result, Set

_TAR = [
    *("tar", "--create", "--file=-", "--quoting-style=c", "--format=posix", "--blocking-factor=256", "--sparse"),
    *("--xattrs", "--xattrs-include=*", "--acls", "--selinux", "--pax-option=delete=atime,delete=ctime"),
    *("--no-check-device", "--ignore-failed-read", "-vv", "--full-time", "--utc", "--one-file-system"),
]
_FRAME_BYTES = 1 << 20
_SEGMENT_BYTES = 64 << 20


class FirstSet(Set):
    """A set whose backups have version 1. `backup` is the writer of tests, every other verb is that of this release."""

    def backup(self, **options: Any) -> Result:
        """Another backup of the source: of the next level up to ``max_level``, else a full one.

        ``compression``, ``max_segment_size`` (a number of bytes) and ``no_incremental`` are as in an action. Without
        ``knows_length`` it is one of a host that had the program zstd and no library: nothing says how long the stream is.
        """
        wanted = {"max_level": 0, "compression": "zstd", "max_segment_size": _SEGMENT_BYTES, **self.options, **options}
        folder = self.container / f"{wanted['hostname']}_{wanted['backup_name']}"
        folder.mkdir(parents=True, exist_ok=True)
        stored = sorted(folder.glob("*_*/manifest.json"), key=lambda path: int(path.parent.name.split("_")[0]))
        above = _read(stored[-1]) if stored else None
        newest = above.timestamp if above is not None else 0
        if wanted.get("no_incremental") or (above is not None and above.level >= wanted["max_level"]):
            above = None
        level = _Level(
            Path(wanted["path_to_backup"]), folder, max(int(time.time()), newest + 1), above, wanted["compression"]
        )
        manifest = level.write(wanted["max_segment_size"], wanted.get("knows_length", True))
        manifest = replace(manifest, hostname=wanted["hostname"], backup_name=wanted["backup_name"])
        (folder / manifest.folder / "manifest.json").write_bytes(manifest.to_bytes())
        return {
            "backup_id": manifest.backup_id,
            "level": manifest.level,
            "timestamp": manifest.timestamp,
            "outcome": manifest.outcome,
            "parent_backup_id": None if manifest.parent is None else manifest.parent.backup_id,
            "storages": [{"folder": f"{folder.name}/{manifest.folder}"}],
        }

    def backup_of_this_release(self, **options: Any) -> Result:
        """A backup by this release, into the same set."""
        return super().backup(**options)


def read_manifest(folder: Path) -> Manifest:
    """The manifest in the folder of a backup."""
    return _read(folder / "manifest.json")


def _read(path: Path) -> Manifest:
    return parse_manifest(path.read_bytes(), "it")


@dataclass
class _Level:
    """One level: its source, the folder of its set, its name, the level that it continues, and how it is compressed."""

    source: Path
    set_folder: Path
    timestamp: int
    above: Manifest | None
    compression: str

    def write(self, segment_bytes: int, knows_length: bool) -> Manifest:
        """Write all objects but the manifest, which has no names yet."""
        started = time.time()
        number = 0 if self.above is None else self.above.level + 1
        folder = self.set_folder / f"{self.timestamp}_{number}"
        folder.mkdir(mode=0o700)
        snar, index = folder / ".snar", folder / ".index"
        parent = self._continue(snar)
        argv = [*_TAR, f"--index-file={index}", f"--listed-incremental={snar}"]
        argv += ["--check-links"] if parent is not None else []
        argv += [f"--directory={self.source}", "--", "."]
        done = subprocess.run(argv, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C", "TZ": "UTC"})
        assert done.returncode in (0, 1), done.stderr
        codec = codec_for(self.compression)
        plain = done.stdout
        data = b"".join(
            codec.frame(plain[begin : begin + _FRAME_BYTES]) for begin in range(0, len(plain), _FRAME_BYTES)
        )
        segments = [
            _put(folder, f"data.{begin // segment_bytes:06d}", data[begin : begin + segment_bytes])
            for begin in range(0, len(data), segment_bytes)
        ]
        lines = index.read_bytes()
        counts, source_bytes = counted(lines)
        objects = {name: _put(folder, f"{name}.gz", gzip.compress(content)) for name, content in
                   (("catalogue", lines), ("snar", snar.read_bytes()))}  # fmt: skip
        snar.unlink()
        index.unlink()
        version = subprocess.run(["tar", "--version"], capture_output=True, text=True, check=True).stdout
        return Manifest(
            backup_id=uuid.uuid4().hex,
            hostname="",
            backup_name="",
            timestamp=self.timestamp,
            level=number,
            parent=parent,
            path=str(self.source),
            real_path=os.path.realpath(self.source),
            single_file=None,
            selection={"exclude": [], "dereference": "none", "one_file_system": True},
            codec=codec.name,
            codec_level=codec.level,
            segments=segments,
            catalogue=objects["catalogue"],
            snar=objects["snar"],
            stream_bytes=len(plain) if knows_length else None,
            source_bytes=source_bytes,
            counts=counts,
            tar={"version": version.partition("\n")[0], "exit_status": done.returncode},
            host={"system": "Linux", "release": platform.release(), "python": platform.python_version()},
            outcome="success",
            consistency="crash",
            time_started=round(started, 3),
            time_ended=round(time.time(), 3),
        )

    def _continue(self, snar: Path) -> Parent | None:
        """Put the snapshot file of the level above in its place."""
        if self.above is None:
            return None
        folder = self.set_folder / self.above.folder
        before = gzip.decompress((folder / self.above.snar.name).read_bytes())
        with open(snar, "wb") as settled:
            settle(io.BytesIO(before), settled, str(self.source), [], lambda _folder: None)
        sha256 = digest((folder / "manifest.json").read_bytes())
        return Parent(self.above.folder, self.above.backup_id, sha256)


def _put(folder: Path, name: str, content: bytes) -> StoredObject:
    (folder / name).write_bytes(content)
    return StoredObject(name, len(content), digest(content))


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
    folder = some.folder_of(result)
    manifest = read_manifest(folder)
    manifest.segments = [_put(folder, "data.000000", stream if stored is None else stored)]
    manifest.stream_bytes = len(stream)
    manifest.counts = {**dict.fromkeys(manifest.counts, 0), "files": members}
    if parent is not None:
        above = (some.folder_of(parent) / "manifest.json").read_bytes()
        assert manifest.parent is not None
        manifest.parent = Parent(manifest.parent.folder, manifest.parent.backup_id, digest(above))
    (folder / "manifest.json").write_bytes(replace(manifest, **fields).to_bytes())


def forged(stored: bytes, path: tuple[Any, ...], value: Any) -> bytes:
    """A manifest with another value in one place, and with the right SHA-256 of itself."""
    document = json.loads(stored)
    within = document
    for name in path[:-1]:
        within = within[name]
    within[path[-1]] = value
    document.pop("self_sha256", None)
    head = {name: document.pop(name) for name in ("format", "format_version")}
    return with_digest(head, document)
