# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The commands in docs/archive-format-1.md are run as they stand there: a backup outlives the software."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import differences
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.details import Details
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import (
    Manifest,
    Parent,
    StoredObject,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import (
    PublicManifest,
    SealedWith,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified import StoredTree
from ansible_collections.freezer.backup.tests.support.version_1 import FirstSet

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/archive-format-1.md"
DECOMPRESS = {"zstd": "| zstd -dc |", "gzip": "| gzip -dc |", "none": "|"}
#: gzip comes with every system; without the zstd program there is nothing to try the document's zstd with.
CODECS = ["gzip", "none"] + (["zstd"] if shutil.which("zstd") else [])

SETTINGS, CHECK_OBJECTS, CHECK_MANIFEST, FULL, CHAIN, LET_IN, LIST = re.findall(
    r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE
)


class Shell:
    """Runs the document's commands over one set, for one backup and one target."""

    def __init__(self, backup_set: Path, backup: str, target: Path, codec: str) -> None:
        self._values = {"set": str(backup_set), "backup": backup, "target": str(target)}
        self._decompress = DECOMPRESS[codec]

    def __call__(self, commands: str) -> str:
        settings = re.sub(r"^(\w+)=.*$", lambda line: f"{line[1]}='{self._values[line[1]]}'", SETTINGS, flags=re.M)
        script = f"set -eu\n{settings}{commands.replace(DECOMPRESS['zstd'], self._decompress)}"
        done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _backup(source: Path, container: Path, codec: str) -> str:
    """Another backup of a folder, up to level 2; returns the name of its folder."""
    some = FirstSet(source.parent, container=str(container), hostname="web1", backup_name="etc")
    result = some.backup(compression=codec, max_level=2, max_segment_size=65536)
    return os.path.basename(result["storages"][0]["folder"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tree with a few of everything, more of it than one segment holds."""
    top = tmp_path / "source"
    (top / "closed").mkdir(parents=True)
    (top / "closed/inside.txt").write_text("inside\n")
    (top / "a 'name' with \"quotes\"\nand a newline").write_text("named\n")
    (top / "random").write_bytes(os.urandom(200_000))
    (top / "linked").hardlink_to(top / "random")
    (top / "dangling").symlink_to("/nowhere/at all")
    (top / "to delete").write_text("soon gone\n")
    os.utime(top / "to delete", ns=(0, -1_500_000_000))
    (top / "closed").chmod(0o500)
    return top


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_documents_commands_restore_a_full_backup(tmp_path: Path, source: Path, codec: str) -> None:
    backup = _backup(source, tmp_path / "container", codec)
    target = tmp_path / "restored"
    Shell(tmp_path / "container/web1_etc", backup, target, codec)(FULL)
    assert differences(str(source), str(target)) == []


def test_the_documents_commands_restore_a_chain(tmp_path: Path, source: Path, codec: str) -> None:
    container = tmp_path / "container"
    _backup(source, container, codec)
    (source / "to delete").unlink()
    (source / "new").mkdir()
    (source / "new/file").write_text("new\n")
    _backup(source, container, codec)
    (source / "closed").chmod(0o700)
    (source / "closed/late").write_text("late\n")
    (source / "closed").chmod(0o500)
    backup = _backup(source, container, codec)
    assert backup.endswith("_2")

    target = tmp_path / "restored"
    commands = CHAIN
    if os.geteuid() != 0:
        before_each = f'    [ ! -e "$target" ] || {LET_IN.strip()}\n    case'
        commands = CHAIN.replace("    case", before_each, 1)
    Shell(container / "web1_etc", backup, target, codec)(commands)
    assert differences(str(source), str(target)) == []


def test_the_documents_commands_let_the_owner_into_every_folder(tmp_path: Path) -> None:
    target = tmp_path / "tree"
    (target / "one/two").mkdir(parents=True)
    (target / "one/two").chmod(0o055)
    (target / "one").chmod(0o500)
    Shell(tmp_path, "none", target, "none")(LET_IN)
    assert (target / "one").stat().st_mode & 0o777 == 0o700
    assert (target / "one/two").stat().st_mode & 0o777 == 0o755


def test_the_documents_commands_prove_objects_and_manifest(tmp_path: Path, source: Path) -> None:
    backup = _backup(source, tmp_path / "container", "gzip")
    folder = tmp_path / "container/web1_etc" / backup
    shell = Shell(folder.parent, backup, tmp_path / "restored", "gzip")
    checked = shell(CHECK_OBJECTS).splitlines()
    stored = sorted(path.name for path in folder.iterdir() if path.name != "manifest.json")
    assert sorted(checked) == [f"{name}: OK" for name in stored]
    said, made = shell(CHECK_MANIFEST).split()
    assert said == made


def test_the_documents_commands_notice_a_flipped_bit(tmp_path: Path, source: Path) -> None:
    backup = _backup(source, tmp_path / "container", "gzip")
    folder = tmp_path / "container/web1_etc" / backup
    shell = Shell(folder.parent, backup, tmp_path / "restored", "gzip")
    data = bytearray((folder / "data.000001").read_bytes())
    data[100] ^= 1
    (folder / "data.000001").write_bytes(data)
    with pytest.raises(AssertionError, match="1 computed checksum did NOT match"):
        shell(CHECK_OBJECTS)
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace('"level": 0', '"level": 1'))
    said, made = shell(CHECK_MANIFEST).split()
    assert said != made


def test_the_documents_commands_list_a_backup(tmp_path: Path, source: Path) -> None:
    backup = _backup(source, tmp_path / "container", "gzip")
    listed = Shell(tmp_path / "container/web1_etc", backup, tmp_path / "restored", "gzip")(LIST).splitlines()
    assert len(listed) == len(list(source.rglob("*"))) + 1
    assert any(line.endswith(r'"./a \'name\' with \"quotes\"\nand a newline"'.replace("\\'", "'")) for line in listed)
    assert any(line.startswith("h") and line.endswith(' link to "./linked"') for line in listed)


def test_the_document_explains_every_field_of_the_manifest() -> None:
    explained = set()
    for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", DOCUMENT.read_text(), re.MULTILINE):
        explained |= set(re.findall(r"`(\w+)`", row))
    written = {"format", "format_version", "self_sha256"}
    for described in (Manifest, Parent, StoredObject):
        written |= {field.name for field in fields(described)}
    assert explained == written


def test_the_document_of_version_2_explains_every_field_of_manifest_and_details() -> None:
    document = DOCUMENT.with_name("archive-format.md").read_text()
    explained = set(re.findall(r"`(\w+)`", document))
    written = {"format", "format_version", "self_sha256"}
    for described in (PublicManifest, StoredTree, SealedWith, Parent, Details):
        written |= {field.name for field in fields(described)}
    assert written - explained == set()


def test_every_row_of_the_threat_model_names_tests_that_there_are() -> None:
    checkout = DOCUMENT.parents[1]
    text = DOCUMENT.with_name("archive-format.md").read_text().partition("### Who can do what")[2]
    rows = [line for line in text.splitlines() if line.startswith("| **")]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r'`(\S*test_\w+\.py)(?: -k (\w+|"[^"]+"))?`', row.split("|")[4])
        assert named, row
        for path, words in named:
            file = checkout / (path if "/" in path else f"tests/unit/agent/{path}")
            there = re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
            expression = Expression.compile(words.strip('"') or "test_")
            chosen = [name for name in there if expression.evaluate(lambda word, name=name: word in name)]
            assert chosen, (path, words)
