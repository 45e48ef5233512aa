# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Sizes, times and names as people read them."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import OPTION_KEYS
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent import wording


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "0.98 KiB"),
        (10240, "10.0 KiB"),
        (1023 * 1024, "1.00 MiB"),
        (430 * 1024**2, "430 MiB"),
        (1024**6 * 5000, "5120000 PiB"),
    ],
)
def test_sizes_have_three_digits(number, text):
    assert wording.size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0273, "27 ms"),
        (1.44, "1.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations_are_short(seconds, text):
    assert wording.duration(seconds) == text


def test_names_cannot_control_a_terminal_or_forge_a_line_of_a_log():
    assert printable("plain é 漢") == "plain é 漢"
    assert printable("a\x1b[2Jb\nc\udcff\u202e") == "a\\x1b[2Jb\\nc\\udcff\\u202e"


def test_a_moment_is_what_restore_from_date_takes():
    assert parse_options({"restore_from_date": wording.moment(1795337766)}).restore_from_date == 1795337766


def test_things_are_counted_in_the_right_number():
    assert (wording.counted(1, "file"), wording.counted(12345, "file")) == ("1 file", "12,345 files")


@pytest.mark.parametrize(
    ("engine", "shell"),
    [
        ("backup_name is missing: a backup", "--backup-name is missing: a backup"),
        ("container is missing: for the", "--container is missing: for the"),
        ("Choose another folder, or set overwrite: files", "Choose another folder, or give --overwrite: files"),
        ("choose one with hostname.", "choose one with --hostname."),
        ("an older one with restore_from_date.", "an older one with --restore-from-date."),
        ("make new backups with compression gzip.", "make new backups with --compression gzip."),
        ("Say so with cloud or with osrc, or set OS_CLOUD", "Say so with --cloud or with --osrc, or set OS_CLOUD"),
        ("The openrc file /x (osrc) cannot", "The openrc file /x (--osrc) cannot"),
        ("chosen, because cloud says who", "chosen, because --cloud says who"),
        ("that the option proxy names", "that the option --proxy names"),
        ("a check (mode 0700) of the storage", "a check (mode 0700) of the storage"),
        ("the container /srv/backup_id/x stays", "the container /srv/backup_id/x stays"),
        ("There is no backup 'backup_id' here", "There is no backup 'backup_id' here"),
    ],
)
def test_options_in_messages_are_named_as_they_are_typed_at_a_shell(engine, shell):
    assert wording.as_typed(engine, OPTION_KEYS) == shell
