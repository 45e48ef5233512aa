# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which image of a server or a volume is found in a container, and what is said of one that is damaged."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media.image_set import ImageSet
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media.manifest import CloudManifest, Disk
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
    DamagedBackup,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage

RESOURCE = "5e0c1f6e-2c9d-4a5c-8f0e-7f6f1f6f0a11"


class Images:
    """Manifests of images in a folder: which of them is meant is the same question in every storage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.storage = LocalStorage(str(folder))

    def add(self, timestamp: int, name: str = "nightly") -> str:
        """An image, by its id."""
        manifest = CloudManifest(
            medium="cinder",
            backup_id=uuid.uuid4().hex,
            hostname="web1",
            backup_name=name,
            resource_id=RESOURCE,
            resource_name="data",
            timestamp=timestamp,
            time_started=float(timestamp),
            time_ended=timestamp + 5.0,
            consistency="crash",
            hold=None,
            server=None,
            disks=[Disk(str(timestamp), 1 << 20, "0" * 64, "raw", "bare")],
        )
        self.storage.put(f"{RESOURCE}/{timestamp}/manifest.json", manifest.to_bytes())
        return manifest.backup_id

    def damage(self, timestamp: int) -> None:
        """Change one byte of a manifest."""
        path = self.folder / RESOURCE / str(timestamp) / "manifest.json"
        path.write_bytes(path.read_bytes().replace(b"crash", b"crush"))

    def set(self, name: str | None = "nightly") -> ImageSet:
        """All of a name."""
        return ImageSet(self.storage, RESOURCE, name)  # type: ignore[arg-type]


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """A container."""
    return Images(tmp_path)


def test_a_damaged_image_that_is_asked_for_by_its_id_is_damage_and_not_missing(images: Images) -> None:
    older, newer = images.add(1000), images.add(2000)
    images.damage(2000)
    with pytest.raises(DamagedArchive, match="2000/manifest.json"):
        images.set().find(newer)
    with pytest.raises(DamagedArchive, match="2000/manifest.json"):
        images.set().find(newer[:8])
    assert images.set().find(older).manifest.backup_id == older


def test_a_damaged_newest_image_is_not_passed_over_for_an_older_one(images: Images) -> None:
    images.add(1000)
    images.add(2000)
    images.damage(2000)
    with pytest.raises(DamagedBackup, match="Another backup is chosen with backup_id") as raised:
        images.set().find()
    assert raised.value.timestamp == 2000
    assert images.set().find(not_after=1500).manifest.timestamp == 1000


def test_an_image_that_there_is_not_is_said_to_be_missing(images: Images) -> None:
    images.add(1000)
    with pytest.raises(ArchiveError, match=f"There is no backup with the id 'abcdef' of {RESOURCE} named 'nightly'"):
        images.set().find("abcdef")
    with pytest.raises(ArchiveError, match="There is no backup that is old enough"):
        images.set().find(not_after=999)


def test_images_of_another_name_are_neither_found_nor_listed(images: Images) -> None:
    images.add(1000)
    other = images.add(2000, "weekly")
    assert images.set().find().manifest.timestamp == 1000
    assert [one.manifest.backup_id for one in images.set("weekly").survey().backups] == [other]
    assert len(images.set(None).survey().backups) == 2


def test_a_damaged_image_keeps_no_other_one_from_being_pruned(images: Images) -> None:
    images.add(1000)
    images.add(2000)
    images.damage(2000)
    survey = images.set().survey(strict=True)
    assert [len(survey.backups), len(survey.damaged), survey.damaged_folders] == [1, 1, []]
