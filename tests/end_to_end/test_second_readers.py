# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The second reader in Python and the commands of the page for a shell restore every golden backup: it outlives the software."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support.age_program import at_a_terminal, programs
from ansible_collections.freezer.backup.tests.support.golden_version_2 import (
    HOST,
    PASSPHRASE,
    READ,
    SETS,
    Golden,
    Unpacked,
    comparable,
    expected,
    listed,
)
from ansible_collections.freezer.backup.tests.support.key_files import AgeKey, State
from ansible_collections.freezer.backup.tests.support.random_large_files import MEBIBYTE, RandomLargeFiles
from ansible_collections.freezer.backup.tests.support.sets import Set, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.trees import RandomTree, open_for_removal, remember
from ansible_collections.freezer.backup.tests.support.version_2 import forge

DOCS = Path(__file__).resolve().parents[2] / "docs"
READER = DOCS / "second_reader.py"
PAGE = DOCS / "restore-with-a-shell.md"


@pytest.fixture(scope="module")
def golden(tmp_path_factory) -> Unpacked:
    """No test changes them, but in a copy."""
    return Unpacked(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def reader():
    """The second reader, as a module."""
    described = importlib.util.spec_from_file_location("second_reader", READER)
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def words(golden: Unpacked, one: Golden, level: int, target: Path) -> list[str]:
    """The arguments of the second reader."""
    found = [str(golden.folder_of(one, level)), str(target)]
    if "recipients.age" in one.forms:
        found += ["--identity", golden.key("identity")]
    elif one.encryption != "none" or one.signed_by == "passphrase":
        found += ["--passphrase-file", golden.key("passphrase")]
    if one.signed_by == "key":
        line = Path(golden.key("allowed_signers")).read_text()
        found += ["--signer", line.removeprefix(HOST).strip()]
    return found


def restored(one: Golden, target: Path):
    """What is in a target, and its removal."""
    found = comparable(listed(target))
    if one.is_file:
        del found["."]
    open_for_removal(target)
    return found


def named(value: object) -> str:
    return getattr(value, "name", str(value))


@pytest.mark.parametrize(("one", "level"), READ, ids=named)
def test_the_second_reader_restores_every_golden_level(golden, reader, tmp_path, monkeypatch, one, level):
    monkeypatch.setattr(sys, "argv", ["second_reader", *words(golden, one, level, tmp_path / "restored")])
    reader.main()
    assert restored(one, tmp_path / "restored") == expected(one, level)


def test_the_second_reader_works_without_the_collection(golden, tmp_path):
    """In a Python that finds nothing but its own library and what is installed, where the collection is a link of the checkout."""
    one = SETS[0]
    script = (
        "import runpy, sys; sys.modules['ansible_collections'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    argv = [
        sys.executable,
        "-I",
        "-c",
        f"import sys; del sys.argv[0]; {script.replace('argv[1]', 'argv[0]')}",
        str(READER),
    ]
    done = subprocess.run(
        [*argv, *words(golden, one, 1, tmp_path / "restored")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert restored(one, tmp_path / "restored") == expected(one, 1)


@pytest.mark.parametrize("iterations", ["10000001", "9" * 5000], ids=["more", "many digits"])
def test_the_second_reader_refuses_a_code_of_any_amount_of_work(reader, iterations):
    line = f"hmac-sha256 pbkdf2-sha256 {iterations} {32 * '0'} {64 * '0'}\n"
    with pytest.raises(SystemExit, match="asks for too much work"):
        reader.is_proven(b"{}", line.encode(), b"passphrase", None)


def spoil(path: Path) -> None:
    """Change a byte near the end to another one that can stand there, in a code or signature as well."""
    content = bytearray(path.read_bytes())
    content[-50] = ord("1") if content[-50] != ord("1") else ord("0")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("zstd", "data.000000.zst", "data.000000.zst is damaged"),
        ("age", "catalogue.zst.age", "catalogue.zst.age is damaged"),
        ("zstd", "manifest.json", "the manifest is damaged"),
        ("age", "manifest.json.sig", "something is not what was sealed or signed"),
        ("none", "manifest.json.sig", "the manifest does not fit its code"),
    ],
)
def test_the_second_reader_refuses_what_was_changed(golden, reader, tmp_path, monkeypatch, name, changed, said):
    one = next(one for one in SETS if one.name == name)
    copy = Unpacked(tmp_path)
    spoil(copy.folder_of(one, 0) / changed)
    monkeypatch.setattr(sys, "argv", ["second_reader", *words(copy, one, 0, tmp_path / "restored")])
    with pytest.raises(SystemExit, match=said):
        reader.main()


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("changes", "../changes", "a name that leads elsewhere"),
        ("changes", "/tmp/changes", "a name that leads elsewhere"),
        ("closed/inside", "link/inside", "is below what is no folder"),
        ("closed/inside", "nowhere/inside", "is below what is no folder"),
        ("changes", "other", "another member"),
    ],
)
def test_the_second_reader_writes_nothing_elsewhere(reader, tmp_path, monkeypatch, name, other, said):
    """Whoever can write to the storage makes every hash fit; nobody is named who would be believed."""
    one = next(one for one in SETS if one.name == "gzip")
    copy = Unpacked(tmp_path)

    def change(forgery):
        plain = forgery.side("catalogue")
        assert f"\0{name}\0".encode() in plain
        forgery.set_side("catalogue", plain.replace(f"\0{name}\0".encode(), f"\0{other}\0".encode()))

    forge(copy.folder_of(one, 0), change)
    monkeypatch.setattr(sys, "argv", ["second_reader", *words(copy, one, 0, tmp_path / "restored")])
    with pytest.raises(SystemExit, match=said):
        reader.main()
    assert {path.name for path in tmp_path.iterdir()} - {"restored"} == {"container", "keys"}


class Shell:
    """Runs the commands of the page as they stand there, but for the values of the first lines."""

    def __init__(self, folder: Path) -> None:
        self._script = folder / "restore.sh"
        taken = re.search(r"^```text\n(sed .*) >restore.sh\n```$", PAGE.read_text(), re.MULTILINE)
        assert taken is not None
        self._commands = subprocess.run(
            ["bash", "-c", taken[1]], cwd=DOCS, capture_output=True, text=True, check=True
        ).stdout
        self._env = {**os.environ, "PATH": f"{Path(programs().age).parent}:{os.environ['PATH']}"}

    def golden(self, golden: Unpacked, one: Golden, level: int, target: Path) -> subprocess.CompletedProcess[bytes]:
        """Restore a golden backup."""
        keys = {"identity": "identity"} if "recipients.age" in one.forms else {}
        keys |= {"passphrase": {"passphrase_file": "passphrase"}, "key": {"allowed_signers": "allowed_signers"}}.get(
            one.signed_by, {}
        )
        typed = f"{PASSPHRASE}\n".encode() if one.forms == ("passphrase.age",) else None
        given = {setting: golden.key(name) for setting, name in keys.items()}
        return self(golden.folder_of(one, level), target, typed, host=HOST, **given)

    def __call__(
        self, backup: Path, target: Path, typed: bytes | None = None, **given: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Restore the backup in a folder; `typed` is what its user types, and `given` are the other values."""
        values = dict.fromkeys(("identity", "passphrase_file", "allowed_signers", "host"), "")
        values |= {
            "set": str(backup.parent),
            "backup": backup.name,
            "target": str(target),
            "scratch": f"{target}.scratch",
        }
        values |= given
        setting = re.compile(r"^(\w+)=[^ ]* +# .*$", re.MULTILINE)
        assert sorted(setting.findall(self._commands)) == sorted(values)
        self._script.write_text(setting.sub(lambda line: f"{line[1]}='{values[line[1]]}'", self._commands))
        argv = ["bash", str(self._script)]
        if typed is not None:
            return at_a_terminal(argv, typed, self._env)
        return subprocess.run(argv, capture_output=True, check=False, env=self._env)


@pytest.mark.parametrize("one", SETS, ids=named)
def test_the_commands_of_the_page_restore_every_golden_chain(golden, tmp_path, one):
    target = tmp_path / "restored"
    done = Shell(tmp_path).golden(golden, one, one.levels - 1, target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert restored(one, target) == expected(one, one.levels - 1)
    assert not (tmp_path / "restored.scratch").exists()


@pytest.mark.parametrize("name", ["zstd", "none"])
@pytest.mark.parametrize("changed", ["*_1/manifest.json.sig", "*_1/data.000000*", "*_0/manifest.json"])
def test_the_commands_of_the_page_restore_nothing_of_what_was_changed(tmp_path, name, changed):
    one = next(one for one in SETS if one.name == name)
    copy = Unpacked(tmp_path)
    spoil(next(copy.folder_of(one, 1).parent.glob(changed)))
    done = Shell(tmp_path).golden(copy, one, 1, tmp_path / "restored")
    assert done.returncode != 0
    assert not list(tmp_path.glob("restored*"))


def test_shellcheck_has_nothing_to_say_of_the_page(golden, tmp_path):
    Shell(tmp_path).golden(golden, SETS[0], 0, tmp_path / "restored")
    shellcheck = Path(sys.executable).with_name("shellcheck")
    # The page reads fields of a catalogue that it does not use.
    argv = [shellcheck, "--shell=bash", "--exclude=SC2034", tmp_path / "restore.sh"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.rounds
@pytest.mark.parametrize("seed", range(5, 5 + rounds(2)))
def test_both_restore_five_levels_of_trees_and_large_files_that_change_at_random(tmp_path, monkeypatch, reader, seed):
    State(tmp_path / "state", monkeypatch)
    codec, key, opens = ("zstd", "gzip", "none")[seed % 3], AgeKey(tmp_path, "identity"), {}
    some = Set(tmp_path, max_level=9, block_level_size=MEBIBYTE, compression=codec)
    if seed % 2:
        some.options["encryption_recipients"] = [key.public]
        opens = {"identity": key.file}
    some.source.rmdir()
    tree = RandomTree(some.source, tmp_path / "outside", seed)
    large = RandomLargeFiles(some.source / "large files", seed)
    for level in range(5):
        if level:
            tick()
            tree.mutate()
            large.mutate()
        backup, copy, target = some.folder_of(some.backup()), tmp_path / f"copy {level}", tmp_path / f"restored {level}"
        remember(some.source, copy)
        given = [f"--{name}={value}" for name, value in opens.items()]
        monkeypatch.setattr(sys, "argv", ["second_reader", str(backup), str(target), *given])
        reader.main()
        assert differences(copy, target) == [], tree.log
    done = Shell(tmp_path)(backup, tmp_path / "by the page", **opens)
    assert done.returncode == 0, done.stderr
    assert differences(copy, tmp_path / "by the page") == [], tree.log
