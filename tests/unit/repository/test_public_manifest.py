# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest and the details of format version 2, as they come from a storage that is not trusted."""

from __future__ import annotations

import json

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.details import Details, parse_details
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import Parent, with_digest
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import (
    PublicManifest,
    SealedWith,
    parse_public,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified import StoredTree

PLAIN = ["data.000000.zst", "data.000001.zst", "catalogue.zst", "snar.zst", "frames", "details.json"]


def manifest(names: list[str], **changed: object) -> PublicManifest:
    fields = {
        "backup_id": "a" * 32,
        "hostname": "web1",
        "backup_name": "etc",
        "timestamp": 1_800_000_000,
        "level": 0,
        "parent": None,
        "outcome": "success",
        "time_started": 1_800_000_000.123,
        "time_ended": 1_800_000_009.0,
        "sealing": None,
        "objects": tuple(StoredTree(name, 5, "b" * 64) for name in names),
    }
    return PublicManifest(**{**fields, **changed})  # type: ignore[arg-type]


def sealed(names: list[str], suffix: str) -> list[str]:
    return [f"{name}{suffix}" for name in names]


@pytest.mark.parametrize(
    ("names", "sealing"),
    [
        (PLAIN, None),
        (["catalogue", "snar", "frames", "details.json"], None),
        (sealed(PLAIN, ".age"), SealedWith("age", "c" * 32)),
        (sealed(PLAIN, ".enc"), SealedWith("aes-256-cfb", None)),
        (["data.000000.gz", "blocks.000000.gz", "catalogue.gz", "maps.gz", "snar.gz", "frames", "details.json"], None),
    ],
)
def test_a_manifest_is_read_as_it_was_written(names, sealing):
    written = manifest(names, sealing=sealing)
    assert parse_public(written.to_bytes(), "it") == written


def test_names_of_objects_are_found_by_what_they_are():
    found = manifest(sealed(PLAIN, ".age"), sealing=SealedWith("age", "c" * 32))
    assert found.segments("data") == ["data.000000.zst.age", "data.000001.zst.age"]
    assert found.segments("blocks") == []
    assert found.side("catalogue") == "catalogue.zst.age"
    assert found.side("frames") == "frames.age"
    assert found.side("maps") is None


@pytest.mark.parametrize(
    "names",
    [
        PLAIN[:-1],
        PLAIN[::-1],
        ["data.000001.zst", *PLAIN[2:]],
        [PLAIN[0], PLAIN[0], *PLAIN[2:]],
        ["data.000000.gz", *PLAIN[1:]],
        ["data.000000", *PLAIN[2:]],
        [*PLAIN, "manifest.json"],
        [*PLAIN[:3], "catalogue.zst", *PLAIN[3:]],
        sealed(PLAIN, ".age"),
        [*sealed(PLAIN[:2], ".age"), *PLAIN[2:]],
        ["../x", *PLAIN[2:]],
    ],
)
def test_objects_that_are_not_those_of_the_format_are_refused(names):
    with pytest.raises(DamagedArchive, match="not a manifest of a backup"):
        parse_public(manifest(names).to_bytes(), "it")


@pytest.mark.parametrize(
    "changed",
    [
        {"level": 1},
        {"parent": Parent("1799999999_0", "d" * 32, "e" * 64)},
        {"level": 1, "parent": Parent("1800000000_0", "d" * 32, "e" * 64)},
        {"level": 2, "parent": Parent("1799999999_0", "d" * 32, "e" * 64)},
        {"sealing": SealedWith("aes-256-cfb", "c" * 32)},
        {"hostname": "a/b"},
        {"backup_id": "A" * 32},
        {"timestamp": True},
        {"outcome": "failed"},
    ],
)
def test_fields_that_cannot_be_are_refused(changed):
    with pytest.raises(DamagedArchive):
        parse_public(manifest(PLAIN, **changed).to_bytes(), "it")


@pytest.mark.parametrize("version", [1, 3, "2", None, 2.5])
def test_another_version_is_refused(version):
    document = json.loads(manifest(PLAIN).to_bytes())
    document = {**document, "format_version": version}
    del document["self_sha256"]
    head = {"format": document.pop("format"), "format_version": document.pop("format_version")}
    with pytest.raises(DamagedArchive):
        parse_public(with_digest(head, document), "it")


def test_a_changed_byte_anywhere_is_refused():
    stored = manifest(PLAIN).to_bytes()
    for at in range(len(stored)):
        changed = stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]
        with pytest.raises(DamagedArchive):
            parse_public(changed, "it")


def details() -> Details:
    return Details(
        backup_id="a" * 32,
        path="/etc",
        real_path="/etc",
        single_file=None,
        selection={"exclude": [], "dereference": "none", "one_file_system": False},
        codec="zstd",
        codec_level=3,
        stream_bytes=131072,
        block_stream_bytes=0,
        frame_bytes=1 << 20,
        block_bytes=1 << 20,
        block_hash="sha256",
        source_bytes=5,
        counts={"files": 1},
        tar={"version": "tar (GNU tar) 1.34", "exit_status": 0},
        host={"system": "Linux", "release": "6", "python": "3.11"},
        consistency="crash",
    )


def test_details_are_read_as_they_were_written():
    assert parse_details(details().to_bytes(), "a" * 32, "it") == details()


def test_details_of_another_backup_are_refused():
    with pytest.raises(DamagedArchive, match="of another backup"):
        parse_details(details().to_bytes(), "b" * 32, "it")


@pytest.mark.parametrize("changed", [{"codec": "lz4"}, {"frame_bytes": 0}, {"more": 1}, {"stream_bytes": -1}])
def test_details_that_cannot_be_are_refused(changed):
    document = {**json.loads(details().to_bytes()), **changed}
    with pytest.raises(DamagedArchive, match="no details"):
        parse_details(json.dumps(document).encode(), "a" * 32, "it")
