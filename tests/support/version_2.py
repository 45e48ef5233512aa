# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Stored backups of version 2 that are changed by an attacker of the storage, who makes every hash right again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.catalogue_writer import (
    CatalogueWriter,
    HeaderFacts,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.codec import codec_for
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.frames import FRAME_BYTES, pack_frames
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.member_stream import (
    FoundMember,
    MemberStream,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.records import Member, encode, order_key
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import Parent, digest
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import (
    PublicManifest,
    parse_public,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.trees import TreeHash
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified import LEAVES_NAME, StoredTree
from ansible_collections.freezer.backup.tests.support.tar_chains import record


def read_manifest(folder: Path) -> PublicManifest:
    """The manifest in the folder of a backup."""
    return parse_public((folder / "manifest.json").read_bytes(), "it")


class Forgery:
    """A stored backup, not sealed, whose objects and fields may be changed; `store` writes them with hashes that fit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self.objects = {one.name: (folder / one.name).read_bytes() for one in self.manifest.objects}
        self.details: dict[str, Any] = json.loads(self.objects["details.json"])
        self._codec = codec_for(self.details["codec"])

    def side(self, stem: str) -> bytes:
        """Another object, such as ``catalogue``, decompressed."""
        stored = io.BufferedReader(io.BytesIO(self.objects[self._name(stem)]))
        return self._codec.reader(stored).read()

    def packed(self, plain: bytes) -> bytes:
        """A frame."""
        return self._codec.frame(plain)

    def set_side(self, stem: str, plain: bytes) -> None:
        """Change such an object."""
        self.objects[self._name(stem)] = self._codec.frame(plain)

    def set_stream(self, plain: bytes, catalogue: bytes | None = None) -> None:
        """Change the tar stream, and the catalogue: if none is given, to the one that a writer makes of the stream."""
        frames = [self._codec.frame(plain[at : at + FRAME_BYTES]) for at in range(0, len(plain), FRAME_BYTES)]
        self.set_frames(frames, len(plain))
        if catalogue is None:
            catalogue, self.details["counts"] = catalogue_of(plain)
        self.set_side("catalogue", catalogue)

    def set_frames(self, frames: Sequence[bytes], stream_bytes: int) -> None:
        """Change the tar stream to these frames in one segment."""
        rest = {name: content for name, content in self.objects.items() if not name.startswith("data.")}
        self.objects = {f"data.000000{self.manifest.packed_suffix}": b"".join(frames), **rest}
        self.objects["frames"] = pack_frames([[len(one) for one in frames]])
        self.details["stream_bytes"] = stream_bytes

    def store(self, parent: Path | None = None, **fields: Any) -> PublicManifest:
        """Write it, with `fields` of the manifest that are something else, and `parent` as the level that it continues."""
        self.objects["details.json"] = json.dumps(self.details, indent=1).encode() + b"\n"
        entries, leaves = [], b""
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in self.objects.items():
            tree = TreeHash()
            tree.update(content)
            entries.append(StoredTree(name, len(content), tree.hexdigest()))
            leaves += tree.leaves()
            (self.folder / name).write_bytes(content)
        (self.folder / LEAVES_NAME).write_bytes(leaves)
        if parent is not None:
            fields["parent"] = parent_at(parent)
        manifest = replace(self.manifest, objects=tuple(entries), **fields)
        (self.folder / "manifest.json").write_bytes(manifest.to_bytes())
        return manifest

    def _name(self, stem: str) -> str:
        name = self.manifest.side(stem)
        assert name is not None
        return name


def parent_at(folder: Path) -> Parent:
    """What a manifest says of the backup in a folder that it continues."""
    stored = (folder / "manifest.json").read_bytes()
    manifest = parse_public(stored, "it")
    return Parent(manifest.folder, manifest.backup_id, digest(stored))


def forge(folder: Path, change: Callable[[Forgery], None], **fields: Any) -> None:
    """Change a stored backup."""
    forgery = Forgery(folder)
    change(forgery)
    forgery.store(**fields)


def catalogue_of(stream: bytes) -> tuple[bytes, dict[str, int]]:
    """The catalogue that a writer makes of a stream, and how many members of each kind there are."""
    with TemporaryDirectory() as scratch, CatalogueWriter("it", scratch) as writer:
        members = MemberStream("it", writer.add)
        members.check(stream)
        members.finish()
        return b"".join(writer.records()), writer.counts


def claims(members: Sequence[bytes], said: Iterable[Member], in_order: bool = True) -> bytes:
    """A catalogue that an attacker made up: what is said of each member of a stream, in the order of the stream.

    What `record` says by itself becomes what the header says. A member of no bytes is none: what is said of it is stored as it is.
    The order is that of a catalogue if `in_order`.
    """
    records, begin = [], 0
    for member, one in zip(members, said, strict=True):
        place = {"offset": b"%d" % begin, "length": b"%d" % len(member)}
        records.append(one._replace(**_header_facts(member, one), **place) if member else one)
        begin += len(member)
    if in_order:
        records.sort(key=lambda one: order_key(one.name))
    return b"".join(map(encode, records))


def _header_facts(member: bytes, said: Member) -> dict[str, bytes]:
    """What a catalogue says because of the header of a member; nothing if a reader refuses that."""
    found: list[FoundMember] = []
    try:
        MemberStream("it", found.append).check(member)
    except DamagedArchive:
        return {}
    facts = zip(Member._fields[1:8], HeaderFacts().of(found[0]).split(b"\0"), strict=False) if found else ()
    return {name: value for name, value in facts if getattr(said, name) == getattr(record(""), name)}
