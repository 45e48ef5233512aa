# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What tar says, and the names that it and we use for files."""

from __future__ import annotations

import os
import random
import subprocess

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tar import (
    Source,
    TarMessages,
    below,
    create_argv,
    extract_members_argv,
    unquote,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import names_behind, shown
from ansible_collections.freezer.backup.tests.support.trees import NASTY_NAMES


@pytest.mark.parametrize(
    ("line", "kind", "entry"),
    [
        ('tar: "./a": Cannot open: Permission denied', "unreadable", ("./a", "Cannot open: Permission denied")),
        (
            'tar: "./a": Warning: Cannot open: Permission denied',
            "unreadable",
            ("./a", "Cannot open: Permission denied"),
        ),
        ('tar: "./a": Cannot stat: Permission denied', "unreadable", ("./a", "Cannot stat: Permission denied")),
        ('tar: "./a": Read error at byte 0, while reading 512 bytes: Input/output error', "unreadable", ("./a", None)),
        ('tar: "./a": Warning: Read error at byte 0, while reading 1 byte: x', "unreadable", ("./a", None)),
        ('tar: "./a": file changed as we read it', "warnings", ("./a", "changed")),
        ('tar: "./a": File shrank by 100 bytes; padding with zeros', "warnings", ("./a", "shrank")),
        ('tar: "./a": File removed before we read it', "warnings", ("./a", "vanished")),
        ('tar: "./a": Warning: Cannot stat: No such file or directory', "warnings", ("./a", "vanished")),
        ('tar: "./a": Warning: Cannot open: No such file or directory', "warnings", ("./a", "vanished")),
        ('tar: "./a": socket ignored', "warnings", ("./a", "socket")),
        ('tar: "./a": file is on a different filesystem; not dumped', "warnings", ("./a", "other_file_system")),
        ('tar: "./a": Cannot mknod: Operation not permitted', "not_restored", ("./a", None)),
        ('tar: "./a": Cannot change ownership to uid 5, gid 5: Operation not permitted', "not_restored", ("./a", None)),
        ("tar: \"./a\": Directory has been renamed from './b'", "moved", "./a"),
        ("tar: Missing links to './it\\'s a \\n \\303\\244'.", "missing_links", "./it's a \n \u00e4"),
        ('tar: "./a\\:\\nb": Cannot open: Permission denied', "unreadable", ("./a:\nb", None)),
        ('tar: "./\\377": Cannot open: Permission denied', "unreadable", ("./\\xff", None)),
        ('tar: "./Directory is new": Cannot open: Permission denied', "unreadable", ("./Directory is new", None)),
        ('tar: "./Removing leading": socket ignored', "warnings", ("./Removing leading", "socket")),
        ('tar: "./a": something new', "unknown", "./a: something new"),
        ("tar: something new", "unknown", "something new"),
        ("no line of tar", "unknown", "no line of tar"),
        ('tar: "./a": Directory is new', None, None),
        ('tar: "./a": Directory has been renamed', None, None),
        ("tar: Exiting with failure status due to previous errors", None, None),
    ],
)
def test_every_line_is_sorted_by_what_it_means(line, kind, entry):
    messages = TarMessages()
    messages.add_line(line)
    found = {name: value for name, value in vars(messages).items() if value}
    if kind is None:
        assert found == {}
        return
    assert list(found) == [kind]
    one = found[kind][0]
    if isinstance(entry, tuple):
        assert one["path"] == entry[0]
        assert entry[1] is None or entry[1] in (one.get("kind"), one["message"])
    else:
        assert one == entry


@pytest.mark.parametrize("name", NASTY_NAMES)
def test_names_are_read_back_from_what_tar_prints(tmp_path, name):
    folder = os.fsencode(tmp_path) + b"/top"
    os.mkdir(folder)
    with open(os.path.join(folder, name), "wb"):
        pass
    command = ["tar", "-cf", "/dev/null", "-v", "--quoting-style=c", "-C", folder, "."]
    printed = subprocess.run(command, check=True, capture_output=True).stdout
    line = printed.decode("utf-8", "surrogateescape").split("\n")[1]
    assert os.fsencode(unquote(line[1:-1])) == b"./" + name


def test_any_name_can_be_found_behind_what_is_shown_of_it():
    chosen = random.Random(1)
    for _count in range(2000):
        alphabet = chosen.choice([bytes(range(1, 256)), b"\\x4f1ab", b"\xc3\xa4\xff\\x", b"abc \n"])
        name = bytes(chosen.choice(alphabet) for _number in range(chosen.randint(1, 8)))
        text = shown(os.fsdecode(name))
        assert name in names_behind(text)
        text.encode("utf-8")


@pytest.mark.parametrize(
    ("path", "expected"),
    [("x/y", "./y"), ("x", None), ("", None), ("xy/z", None), ("x/../x/y/z", "./y/z"), ("link/y", "./y")],
)
def test_a_path_below_a_folder_is_named_as_tar_names_it(tmp_path, path, expected):
    (tmp_path / "x" / "y").mkdir(parents=True)
    os.symlink("x", tmp_path / "link")
    assert below(str(tmp_path / "x"), str(tmp_path / path)) == expected
    assert below(str(tmp_path / "link"), str(tmp_path / path)) == expected


def test_everything_is_below_the_root():
    assert below("/", "/etc/x y") == "./etc/x y"


def test_nothing_that_a_user_names_is_taken_for_an_option():
    source = Source("-folder", "-file", exclude=["--checkpoint-action=exec=sh", "-x"], own_output=["./-out"])
    argv = create_argv(source, "/snar")
    assert argv[-2:] == ["--", "./-file"]
    assert "--directory=-folder" in argv
    assert "--exclude=--checkpoint-action=exec=sh" in argv
    assert not [argument for argument in argv[1:-1] if not argument.startswith("-")]


def test_members_are_written_into_the_folder_that_is_named():
    """tar takes a folder for the names that come after it on its command line, and for no others."""
    argv = extract_members_argv("/folder", 5)
    assert argv.index("--directory=/folder") < argv.index("--files-from=/dev/fd/5")
    argv = create_argv(Source("/folder"), "/snar")
    assert argv.index("--directory=/folder") < argv.index("--")
