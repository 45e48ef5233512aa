# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What upstream's agent left is found by its names, whatever else lies there, and each level with what it builds on."""

from __future__ import annotations

import os
import shutil

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import (
    ArchiveError,
    DamagedArchive,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.upstream import UpstreamSet
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.local import LocalStorage
from ansible_collections.freezer.backup.tests.support.trees import write
from ansible_collections.freezer.backup.tests.support.upstream_archives import Left, archive, folder, member
from ansible_collections.freezer.backup.tests.support.upstream_backups import HOST

SOME = archive(folder(".", "Yfile"), member("./file", content=b"x"))


@pytest.fixture
def left(tmp_path) -> Left:
    """A level 0 and two levels on it."""
    some = Left(tmp_path / "container")
    for _level in range(3):
        some.put(SOME)
    return some


def found(left: Left, **options: object) -> dict[str, list]:
    return agent.info({"storage": "local", "container": str(left.container), **options})


def levels(listing) -> list[int]:
    return [one["level"] for one in listing["backups"]]


def chain(left: Left, level: int) -> list[tuple[int, int]]:
    """Level and time of what the newest backup of a level builds on, and its own."""
    one = UpstreamSet(LocalStorage(str(left.container)), HOST, left.name)
    newest = next(backup for backup in one.newest_first() if backup.manifest.level == level)
    return [(link.manifest.level, link.manifest.timestamp - left.FIRST) for link in one.chain(newest)]


def test_a_level_builds_on_the_newest_one_of_the_level_below_that_is_older(left):
    left.put(SOME, level=1, time=left.FIRST + 150)
    left.put(SOME, level=1, time=left.FIRST + 250)
    assert chain(left, 2) == [(0, 0), (1, 150), (2, 200)]
    assert chain(left, 1) == [(0, 0), (1, 250)]


def test_a_level_that_began_by_its_name_before_the_only_one_below_builds_on_that(left):
    """Names are local times, and clocks are put back in autumn."""
    left.put(SOME, level=3, time=left.FIRST - 3000)
    assert chain(left, 3) == [(0, 0), (1, 100), (2, 200), (3, -3000)]


def test_a_level_below_that_is_gone_or_not_whole_breaks_the_chain(left):
    shutil.rmtree(left.path(1, "metadata"))
    with pytest.raises(DamagedArchive, match="continues a level 1 that is not there"):
        agent.verify(left.action())
    assert found(left)["incomplete"] == [str(left.path(1).relative_to(left.container))]
    left.path(1, "metadata").mkdir()
    with pytest.raises(DamagedArchive, match="continues a level 1 that is not whole"):
        agent.verify(left.action())
    assert levels(found(left)) == [2, 0]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("", "it is not JSON"),
        ("[]", "is no JSON object"),
        ('{"compression": "gzip"}', "lacks engine_name"),
        ('{"engine_name": "rsync", "compression": "gzip", "encryption": false}', "engine_name has to be one of tar"),
        ('{"engine_name": "tar", "compression": "rar"}', "compression has to be one of gzip, bzip2, xz"),
        ('{"engine_name": "tar", "encryption": "no"}', "encryption has to be true or false"),
        ('{"engine_name": "tar", "else": 1}', "has the field 'else'"),
        ('{"engine_name": "tar"}' + " " * 70000, "is larger than such an object can be"),
    ],
)
def test_metadata_that_are_none_are_damage_and_no_older_backup_comes_in_their_place(left, metadata, words):
    (left.path(2, "metadata") / "metadata").write_text(metadata)
    listing = found(left)
    assert levels(listing) == [1, 0]
    assert len(listing["damaged"]) == 1
    assert words in listing["damaged"][0]
    with pytest.raises(DamagedArchive, match="Another backup is chosen with backup_id"):
        agent.verify(left.action())
    agent.verify(left.action(restore_from_date=str(left.FIRST + 100)))


def test_metadata_of_early_releases_say_less(left):
    left.put(SOME, metadata='{"engine_name": "tar"}')
    assert agent.verify(left.action())["level"] == 3


def test_a_backup_without_its_stream_is_damaged(left):
    (left.path(2) / "data").unlink()
    assert "is missing" in found(left)["damaged"][0]
    with pytest.raises(DamagedArchive, match="is missing"):
        agent.verify(left.action())
    (left.path(2) / "data").mkdir()
    assert "is a folder and not a regular file" in found(left)["damaged"][0]


def test_what_upstream_would_not_have_named_so_is_passed_over(left):
    top = left.path(0, "metadata").parent
    for name in ("0", "1_", "_1", "x_1", "1_2_3", "01_5", "1_05", "-1_5", "1_999999999999999999", "9999999999_5"):
        write(top / name / "metadata", b"{}")
    write(top.parent / "99999999999999999999" / "0_99999999999999999999" / "metadata", b"{}")
    write(left.container / "metadata" / "tar" / "a file", b"x")
    write(left.container / "metadata" / "tar" / "nounderscore" / "1" / "0_1" / "metadata", b"{}")
    listing = found(left)
    assert levels(listing) == [2, 1, 0]
    assert len(listing["damaged"]) == 1
    assert "99999999999999999999" in listing["damaged"][0]
    assert agent.verify(left.action())["level"] == 2


def test_a_name_with_a_slash_and_other_engines_are_told(left):
    write(
        left.container / "metadata" / "tar" / f"{HOST}_with" / "slash" / "1700000000" / "0_1700000000" / "metadata",
        b"{}",
    )
    write(left.container / "metadata" / "rsync" / f"{HOST}_tree" / "1700000000" / "0_1700000000" / "metadata", b"{}")
    told = found(left)["damaged"]
    assert any(f"metadata/tar/{HOST}_with/slash" in one and "is no folder of upstream's agent" in one for one in told)
    assert any("metadata/rsync in " in one and "another engine" in one for one in told)


def test_odd_names_are_listed_and_found(tmp_path):
    container = tmp_path / "container"
    names = [
        "with blank",
        "a_b_c",
        "\u00fc",
        "'\"$(x)",
        "-x",
        "back\\slash",
        "x" * 115,
        "line\nbreak",
        "no utf-8 \udcff",
    ]
    for name in names:
        Left(container, name).put(SOME)
    listing = agent.info({"storage": "local", "container": str(container)})
    assert sorted(one["backup_name"] for one in listing["backups"]) == sorted({*names[:-2], "no utf-8 \\xff"})
    assert len(listing["damaged"]) == 1
    assert "line" in listing["damaged"][0]
    for name in names[:-2]:
        one = Left(container, name)
        assert agent.verify(one.action())["backup_name"] == name
        assert len(agent.info(one.action())["backups"]) == 1
    two = agent.info({"storage": "local", "container": str(container), "hostname": f"{HOST}_a"})["backups"]
    assert [(one["hostname"], one["backup_name"]) for one in two] == [(f"{HOST}_a", "b_c")]


def test_links_in_place_of_folders_are_not_followed(left, tmp_path):
    moved = tmp_path / "moved"
    os.rename(left.path(2), moved)
    os.symlink(moved, left.path(2))
    with pytest.raises(DamagedArchive, match="is a symbolic link and not a folder"):
        agent.verify(left.action())
    assert "is a symbolic link" in found(left)["damaged"][0]


def test_a_name_of_which_nothing_is_there_is_said_to_have_no_backup(left):
    with pytest.raises(ArchiveError, match="There is no backup of 'other' of host 'web1'"):
        agent.verify(left.action(backup_name="other"))
    with pytest.raises(ArchiveError, match="There is no backup with the id"):
        agent.verify(left.action(backup_id="ffffffff"))
