# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A restore of one file to a pipe."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.restore import restore
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.restore_file import restore_file
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.tests.support.sets import Set, tick
from ansible_collections.freezer.backup.tests.support.trees import write

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A set with two levels, in which a file changed, one has links, and one is sparse."""
    some = Set(tmp_path_factory.mktemp("saved"), max_level=5)
    write(some.source / "etc" / "hosts", b"before")
    write(some.source / "home" / "etc" / "hosts", b"another")
    write(some.source / "large", os.urandom(3 * MEBIBYTE + 5))
    os.link(some.source / "large", some.source / "linked")
    os.symlink("large", some.source / "symbolic")
    with open(some.source / "sparse", "wb") as file:
        file.seek(2 * MEBIBYTE)
        file.write(b"behind a hole")
        file.truncate(4 * MEBIBYTE)
    write(some.source / "empty", b"")
    tick()
    some.backup()
    write(some.source / "etc" / "hosts", b"after")
    some.backup()
    return some


def content(some, tmp_path, **options):
    """What is written, and the result."""
    action = {key: value for key, value in some.options.items() if key != "path_to_backup"}
    with open(tmp_path / "written", "wb+") as file:
        result = restore_file({**action, **options}, file.fileno())
        file.seek(0)
        return file.read(), result


@pytest.mark.parametrize("name", ["./etc/hosts", "large", "linked", "sparse", "empty"])
def test_the_bytes_of_a_file_are_written_as_they_were(saved, tmp_path, name):
    written, result = content(saved, tmp_path, include=[name])
    assert written == (saved.source / name).read_bytes()
    assert result["restored_bytes"] == len(written)
    assert (result["outcome"], result["path"]) == ("success", name.removeprefix("./"))


def test_a_pipe_gets_the_same(saved):
    action = {key: value for key, value in saved.options.items() if key != "path_to_backup"}
    reading, writing = os.pipe()
    try:
        restore_file({**action, "include": "./etc/hosts"}, writing)
        assert os.read(reading, 100) == b"after"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_path_of_the_host_and_an_older_backup_are_found(saved, tmp_path):
    assert content(saved, tmp_path, include=[f"{saved.source}/etc/hosts"])[0] == b"after"
    older = saved.info()["backups"][-1]["backup_id"]
    assert content(saved, tmp_path, include=["./etc/hosts"], backup_id=older)[0] == b"before"


def test_what_is_not_exactly_one_file_is_refused_and_nothing_is_written(saved, tmp_path):
    for include, said in (
        (["etc/hosts"], "selects more than one file in .*, etc/hosts and home/etc/hosts among them"),
        (["./home/etc"], "selects more than one file"),
        (["symbolic"], "symbolic is a link or a special file"),
        (["typo"], "selects nothing"),
    ):
        with pytest.raises(ArchiveError, match=said):
            content(saved, tmp_path, include=include)
        assert (tmp_path / "written").read_bytes() == b""
    with pytest.raises(OptionError, match="include is missing"):
        content(saved, tmp_path)


def test_a_dry_run_writes_nothing(saved, tmp_path):
    written, result = content(saved, tmp_path, include=["large"], dry_run=True)
    assert (written, result["outcome"], result["restored_bytes"]) == (b"", "planned", 3 * MEBIBYTE + 5)


def test_modules_and_jobs_cannot_write_to_standard_output(saved):
    action = {key: value for key, value in saved.options.items() if key != "path_to_backup"}
    with pytest.raises(OptionError, match="restore_abs_path has to be an absolute path, and is '-'"):
        restore({**action, "restore_abs_path": "-", "include": "large"})


def test_a_file_that_was_stored_by_its_blocks_is_put_together(tmp_path):
    some = Set(tmp_path, max_level=5, block_level_size=2 * MEBIBYTE)
    write(some.source / "image", os.urandom(4 * MEBIBYTE))
    tick()
    some.backup()
    with open(some.source / "image", "r+b") as file:
        file.seek(2 * MEBIBYTE)
        file.write(os.urandom(MEBIBYTE))
    second = some.backup()
    assert list(some.folder_of(second).glob("blocks.*"))
    assert content(some, tmp_path, include=["image"])[0] == (some.source / "image").read_bytes()


def test_damage_is_an_error_before_the_damaged_bytes_are_written(tmp_path):
    some = Set(tmp_path, compression="none")
    write(some.source / "file", os.urandom(3 * MEBIBYTE))
    folder = some.folder_of(some.backup())
    data = next(folder.glob("data.000000*"))
    stored = bytearray(data.read_bytes())
    stored[2 * MEBIBYTE + 100] ^= 1
    data.write_bytes(stored)
    with pytest.raises(FreezerError):
        content(some, tmp_path, include=["file"])
    written = (tmp_path / "written").read_bytes()
    assert written == (some.source / "file").read_bytes()[: len(written)]
    assert len(written) < 2 * MEBIBYTE
