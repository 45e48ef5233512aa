# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups as the agent of OpenStack's Freezer lays them down, with streams that a test makes: of tar, or forged."""

from __future__ import annotations

import gzip
import subprocess
import tarfile
from pathlib import Path

from ansible_collections.freezer.backup.tests.support.upstream_backups import HOST

#: The options of its tar that say what is stored.
TAR = ("tar", "--create", "--warning=none", "--no-check-device", "--one-file-system", "--preserve-permissions")
TAR_ALSO = ("--same-owner", "--seek", "--ignore-failed-read", "--format=gnu")


def member(
    name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", linked: str = "", mode: int = 0o644
) -> bytes:
    """One member in the GNU format."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode, info.mtime = kind, linked, len(content), mode, 86400
    return info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape") + content + bytes(-len(content) % 512)


def folder(name: str, *names: str, mode: int = 0o755) -> bytes:
    """A folder with the list of its names: ``"Yfile", "Dfolder"``."""
    listed = b"".join(one.encode("utf-8", "surrogateescape") + b"\0" for one in names) + b"\0"
    return member(f"{name}/", b"D", listed, mode=mode)


def link(name: str, target: str) -> bytes:
    """A symbolic link."""
    return member(name, tarfile.SYMTYPE, linked=target, mode=0o777)


def archive(*members: bytes) -> bytes:
    """A whole stream."""
    stream = b"".join(members) + bytes(1024)
    return stream + bytes(-len(stream) % 10240)


class Left:
    """Backups of one name that upstream's agent left in a container; levels are a hundred seconds apart."""

    FIRST = 1700000000

    def __init__(self, container: Path, name: str = "tree") -> None:
        self.container, self.name = container, name
        self._level = 0

    def action(self, **options: object) -> dict[str, object]:
        """What finds them."""
        return {
            "storage": "local",
            "container": str(self.container),
            "hostname": HOST,
            "backup_name": self.name,
            **options,
        }

    def path(self, level: int, top: str = "data", time: int | None = None) -> Path:
        """The folder of a level in ``data`` or ``metadata``."""
        time = self.FIRST + 100 * level if time is None else time
        return self.container / top / "tar" / f"{HOST}_{self.name}" / str(self.FIRST) / f"{level}_{time}"

    def put(
        self, stream: bytes, level: int | None = None, time: int | None = None, metadata: str | None = None
    ) -> Path:
        """One more level, compressed with gzip; the path of its data."""
        level = self._level if level is None else level
        self._level = level + 1
        data, about = self.path(level, time=time), self.path(level, "metadata", time)
        data.mkdir(parents=True)
        about.mkdir(parents=True)
        (data / "data").write_bytes(gzip.compress(stream, 1, mtime=0))
        (data / "engine_metadata").write_bytes(b"")
        usual = '{"engine_name": "tar", "compression": "gzip", "encryption": false}'
        (about / "metadata").write_text(usual if metadata is None else metadata)
        return data / "data"

    def dump(self, source: Path, snapshot: Path) -> Path:
        """One more level of a folder, by the tar of this host as upstream's agent calls it."""
        argv = [*TAR, *TAR_ALSO, f"--listed-incremental={snapshot}", "."]
        return self.put(subprocess.run(argv, cwd=source, stdout=subprocess.PIPE, check=True).stdout)
