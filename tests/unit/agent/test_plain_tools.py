# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The archive outlives the software: cat, zstd (or gzip, bzip2, xz), and GNU tar restore it, level by level."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import codec
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.compressions import COMPRESSIONS
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import PACKED_SUFFIXES
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.trees import make_everything, open_for_removal, remember, write

DECOMPRESS = {"zstd": "zstd -d", "gzip": "gzip -d", "bzip2": "bzip2 -d", "xz": "xz -d", "none": "cat"}


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """The folder of programs that a shell finds: where there is no zstd program, one that uses the library."""
    folder = tmp_path_factory.mktemp("bin")
    if shutil.which("zstd") is None:
        write(
            folder / "zstd",
            b"#!/usr/bin/env python3\nimport shutil, sys, zstandard\n"
            b"plain = zstandard.ZstdDecompressor().stream_reader(sys.stdin.buffer, read_across_frames=True)\n"
            b"shutil.copyfileobj(plain, sys.stdout.buffer)\n",
            0o755,
        )
    return folder


def shell(command, tools, folder):
    subprocess.run(
        ["sh", "-euc", command],
        check=True,
        cwd=folder,
        env={"PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"},
    )


@pytest.mark.parametrize("compression", DECOMPRESS)
def test_three_levels_of_everything_restore_with_a_pipe_of_standard_programs(tmp_path, tools, compression):
    some = Set(tmp_path, compression=compression, max_level=5, max_segment_size="100k")
    make_everything(some.source)
    folders, copies = [], []
    tick()
    for level in range(3):
        if level == 1:
            (some.source / "empty folder").rmdir()
            write(some.source / "empty folder", b"now a file")
            (some.source / "times").rename(some.source / "moved")
            write(some.source / "times" / "new", b"1")
        elif level == 2:
            (some.source / "empty folder").unlink()
            (some.source / "moved").rename(some.source / "empty folder")
            (some.source / "linked" / "second").unlink()
        result = some.backup()
        assert result["level"] == level
        folders.append(some.folder_of(result))
        remember(some.source, tmp_path / f"copy {level}")
        copies.append(tmp_path / f"copy {level}")
    target = tmp_path / "by hand"
    target.mkdir()
    for folder, copy in zip(folders, copies, strict=True):
        incremental = "" if folder.name.endswith("_0") else "--incremental"
        shell(
            f"cat '{folder}'/data.* | {DECOMPRESS[compression]} | "
            f"tar -x -p {incremental} --xattrs --xattrs-include='*' --acls -C '{target}'",
            tools,
            tmp_path,
        )
        assert differences(copy, target) == []
    for top in (some.source, target, *copies):
        open_for_removal(top)


def test_what_is_compatible_restores_with_the_oldest_pipe(tmp_path, tools):
    """No option of tar but those of any tar, and gzip, which every system has."""
    some = Set(tmp_path, compression="compatible")
    write(some.source / "folder" / "file", b"one" * 1_000_000)
    result = some.backup()
    assert result["compression"] == "gzip"
    shell(f"mkdir r; cat '{some.folder_of(result)}'/data.* | gzip -d | tar -xf - -C r", tools, tmp_path)
    assert differences(some.source, tmp_path / "r") == []


def test_a_short_pipe_is_enough_for_ordinary_trees(tmp_path, tools):
    some = Set(tmp_path, compression="zstd", max_level=5)
    write(some.source / "folder" / "file", b"one")
    write(some.source / "goes", b"goes")
    tick()
    zero = some.folder_of(some.backup())
    (some.source / "goes").unlink()
    write(some.source / "folder" / "file", b"two")
    one = some.folder_of(some.backup())
    shell(
        f"mkdir r; cat '{zero}'/data.* | zstd -d | tar -x -C r; cat '{one}'/data.* | zstd -d | tar -x -G -C r",
        tools,
        tmp_path,
    )
    assert differences(some.source, tmp_path / "r") == []


@pytest.mark.usefixtures("tiny_segments")
def test_the_hashes_of_the_manifest_are_those_that_split_and_openssl_make(tmp_path, tools):
    some = Set(tmp_path, max_segment_size="1k")
    write(some.source / "file", b"content" * 400_000)
    folder = some.folder_of(some.backup(compression="none"))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    names = [one["name"] for one in manifest["objects"]]
    assert names == ["data.000000", "data.000001", "data.000002", "catalogue", "snar", "frames", "details.json"]
    leaf = "split -b 1M --filter='openssl dgst -sha256 -binary'"
    shell(
        f"for name in {' '.join(names)}; do {leaf} $name; done | cmp - leaves\n"
        f"for name in {' '.join(names)}; do {leaf} $name | openssl dgst -sha256 -r; done > '{tmp_path}/trees'",
        tools,
        folder,
    )
    made = [line.split()[0] for line in (tmp_path / "trees").read_text().splitlines()]
    assert made == [one["tree"] for one in manifest["objects"]]
    assert [(folder / name).stat().st_size for name in names] == [one["bytes"] for one in manifest["objects"]]
    stored = (folder / "manifest.json").read_bytes()
    zeroed = re.sub(rb'("self_sha256": ")[0-9a-f]{64}', rb"\g<1>" + b"0" * 64, stored)
    assert hashlib.sha256(zeroed).hexdigest() == manifest["self_sha256"]


@pytest.mark.parametrize(("compression", "suffix"), PACKED_SUFFIXES.items())
def test_snapshot_file_and_catalogue_are_what_tar_and_xargs_read(tmp_path, tools, compression, suffix):
    some = Set(tmp_path, max_level=3, compression=compression)
    write(some.source / "a b" / "file\nnamed 'so'", b"content", 0o640)
    write(some.source / "gone")
    tick()
    some.backup()
    (some.source / "gone").unlink()
    folder = some.folder_of(some.backup())
    decompress = DECOMPRESS[compression]
    record = "%s %s %s:%s %s:%s %s %s @%s+%s %s[%s] -> %s\\036"
    shell(
        f"{decompress} < '{folder}/catalogue{suffix}' | xargs -0 -n 13 printf '{record}' > catalogue\n"
        f"{decompress} < '{folder}/snar{suffix}' > snar",
        tools,
        tmp_path,
    )
    records = (tmp_path / "catalogue").read_text().split("\x1e")[:-1]
    assert [re.sub(r".*?\[(.*)\].*", r"\1", one, flags=re.DOTALL) for one in records] == ["", "a b", "gone"]
    assert [one[:6] for one in records] == ["d 0755", "d 0755", "x  : :"[:6]]
    tick()
    shell(f"tar -cf 1.tar -g snar -C '{some.source}' . && tar -tf 1.tar > listed", tools, tmp_path)
    assert (tmp_path / "listed").read_text().split("\n") == ["./", "./a b/", ""]


@pytest.mark.parametrize("writer", ["library", "program"])
@pytest.mark.parametrize("reader", ["library", "program"])
def test_archives_of_the_zstd_library_and_of_the_zstd_program_are_the_same_kind(
    tmp_path, tools, monkeypatch, writer, reader
):
    monkeypatch.setenv("PATH", f"{tools}:/usr/local/bin:/usr/bin:/bin")
    if shutil.which("zstd", path="/usr/local/bin:/usr/bin:/bin") is None and writer == "program":
        writer = "library"  # the stand-in can only read

    def use(which):
        monkeypatch.setattr(codec, "zstandard", None if which == "program" else library)

    library = codec.zstandard
    some = Set(tmp_path, compression="zstd", max_level=3, max_segment_size="64k")
    make_everything(some.source)
    try:
        use(writer)
        some.backup()
        write(some.source / "new", b"new" * 100_000)
        some.backup()
        use(reader)
        assert some.verify(check="stream")["outcome"] == "success"
        target = some.new_target()
        some.restore(target)
        assert differences(some.source, target) == []
    finally:
        open_for_removal(tmp_path)


def test_without_library_and_program_gzip_is_taken_and_zstd_is_refused_in_a_sentence(tmp_path, monkeypatch):
    some = Set(tmp_path)
    write(some.source / "file", b"content")
    some.backup(compression="zstd", backup_name="made elsewhere")
    (tmp_path / "bin").mkdir()
    for name in ("tar", "rm", "cp"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(codec, "zstandard", None)
    assert some.backup()["compression"] == "gzip"
    assert some.verify()["outcome"] == "success"
    for work, options in ((some.backup, {}), (some.restore, {"backup_name": "made elsewhere"})):
        with pytest.raises(
            ArchiveError, match="Neither Python's zstandard library nor the zstd program is on this host"
        ):
            work(compression="zstd", **options)


def test_levels_of_different_compression_make_one_chain(tmp_path):
    some = Set(tmp_path, max_level=5)
    for number, compression in enumerate(COMPRESSIONS):
        write(some.source / f"file {number}", b"x" * 1000 * number)
        assert some.backup(compression=compression)["level"] == number
    target = some.new_target()
    some.restore(target)
    assert differences(some.source, target) == []
