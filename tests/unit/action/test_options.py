# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The keys of an action as options: what is taken, what is refused, and with which words."""

from __future__ import annotations

import os
import re
import socket
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import OptionError, parse_options


def test_two_options_that_ask_for_the_same_in_two_ways_are_refused():
    with pytest.raises(
        OptionError, match=r"^backup_id cannot be combined with restore_from_date; remove one of them\.$"
    ):
        parse_options({"backup_id": "abcd", "restore_from_date": "yesterday"})
    assert parse_options({"backup_id": "abcd", "restore_from_date": ""}).backup_id == "abcd"


@pytest.mark.parametrize(
    ("key", "value", "name", "expected"),
    [
        ("max_level", 3, "max_level", 3),
        ("max_level", "3", "max_level", 3),
        ("max-level", " 3 ", "max_level", 3),
        ("max_backup_level", "0", "max_level", 0),
        ("always_backup_level", 2, "always_level", 2),
        ("restart_always_backup", "7", "restart_always_level", 7.0),
        ("restart_always_level", 0.5, "restart_always_level", 0.5),
        ("src_file", "/x", "path_to_backup", "/x"),
        ("file_to_backup", "/x", "path_to_backup", "/x"),
        ("path_to_backup", "/x", "path_to_backup", "/x"),
        ("path-to-backup", " /x ", "path_to_backup", " /x "),
        ("backup_name", 2026, "backup_name", "2026"),
        ("restore_from_host", "web1", "hostname", "web1"),
        ("engine", "tar", "engine_name", "tar"),
        ("max_segment_size", "33554432", "max_segment_size", 1 << 25),
        ("max_seg_size", 65536, "max_segment_size", 65536),
        ("max_segment_size", "64M", "max_segment_size", 1 << 26),
        ("max_segment_size", "64 MiB", "max_segment_size", 1 << 26),
        ("max_segment_size", "1g", "max_segment_size", 1 << 30),
        ("max_segment_size", "500kb", "max_segment_size", 500 << 10),
        ("no_incremental", "True", "no_incremental", True),
        ("no_incremental", "no", "no_incremental", False),
        ("incremental", "off", "no_incremental", True),
        ("incremental", False, "no_incremental", True),
        ("overwrite", 1, "overwrite", True),
        ("dry_run", "on", "dry_run", True),
        ("exclude", "*.log", "exclude", ["*.log"]),
        ("exclude", ["*.log", "a b"], "exclude", ["*.log", "a b"]),
        ("restore_from_date", "2026-11-22T08:30:00+01:00", "restore_from_date", 1795332600.0),
        ("restore_from_date", "2026-11-22T07:30:00Z", "restore_from_date", 1795332600.0),
        ("restore_from_date", "1795332600", "restore_from_date", 1795332600.0),
        ("restore_from_date", 1795332600.5, "restore_from_date", 1795332600.5),
        ("compression", "gzip", "compression", "gzip"),
        ("compression", "xz", "compression", "xz"),
        ("compression", "compatible", "compression", "gzip"),
        ("compression", "zlib", "compression", "gzip"),
        ("compression", "lzma", "compression", "xz"),
        ("compression_level", "9", "compression_level", 9),
        ("dereference_symlink", "soft", "dereference_symlink", "soft"),
        ("mode", "fs", "mode", "fs"),
        ("min_age", "3600", "min_age", 3600.0),
    ],
)
def test_a_value_in_any_spelling_becomes_the_option(key, value, name, expected):
    assert getattr(parse_options({key: value}), name) == expected


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
def test_a_date_without_a_zone_is_local_time(monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        expected = time.mktime((2026, 11, 22, 8, 30, 0, 0, 0, -1))
        assert parse_options({"restore_from_date": "2026-11-22T08:30:00"}).restore_from_date == expected
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("value", [None, "", False])
@pytest.mark.parametrize("key", ["hostname", "path_to_backup", "container", "encrypt_pass_file", "unheard_of"])
def test_null_empty_text_and_false_mean_that_a_text_is_not_given(key, value):
    assert parse_options({key: value}) == parse_options({})


@pytest.mark.parametrize(
    ("action", "medium", "mode"),
    [
        ({"nova_inst_id": "5"}, "nova", "fs"),
        ({"nova_inst_name": "web", "mode": "nova", "engine": "nova", "backup_media": "nova"}, "nova", "fs"),
        ({"cinder_vol_id": "5", "mode": "mysql", "snapshot": False, "compression": "none"}, "cinder", "mysql"),
        ({"cindernative_vol_id": "5", "max_level": 3, "nova_inst_id": ""}, "cindernative", "fs"),
        ({"path_to_backup": "/etc"}, "fs", "fs"),
    ],
)
def test_the_key_that_names_something_says_what_is_backed_up(action, medium, mode):
    options = parse_options(action)
    assert (options.backup_media, options.mode) == (medium, mode)


def test_keys_that_change_nothing_about_the_backup_are_passed_over():
    action = {"action": "backup", "log_file": "/x", "quiet": "y", "client_id": "c", "job_id": "j"}
    assert parse_options(action) == parse_options({})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"compression": "gzip", "compression_level": 19}, "between 1 and 9 with compression gzip, and is 19."),
        ({"compression": "compatible", "compression_level": 10}, "between 1 and 9 with compression gzip, and is 10."),
        ({"compression": "xz", "compression_level": 0}, "between 1 and 9 with compression xz, and is 0."),
        ({"compression": "zstd", "compression_level": "20"}, "between 1 and 19 with compression zstd, and is 20."),
        ({"compression_level": 0}, "compression_level has to be between 1 and 19, and is 0."),
    ],
)
def test_a_level_that_the_compression_does_not_have_is_refused_at_the_door(given, words):
    with pytest.raises(OptionError, match=words):
        parse_options(given).refuse_for("backup")
    # What is restored says itself how it is compressed.
    parse_options(given).refuse_for("restore")


@pytest.mark.parametrize("seconds", [0, "0.0", 86401])
def test_a_deadline_that_nothing_can_be_held_for_is_refused_at_the_door(seconds):
    with pytest.raises(OptionError, match=r"^deadline_seconds has to be above 0 and at most 86400, and is \d+\.$"):
        parse_options({"mode": "mysql", "deadline_seconds": seconds}).refuse_for("backup")
    # A restore holds nothing.
    parse_options({"mode": "mysql", "deadline_seconds": seconds}).refuse_for("restore")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"glance_image_id": "5"}, "'glance_image_id' is not known to this release, so nothing was done"),
        ({"glance-image-id": "5"}, "'glance-image-id' is not known"),
        ({"snapshot": "zfs"}, "snapshot has to be lvm, true or false"),
        ({"sql_server_conf": "/etc/sql"}, "'sql_server_conf' is not known"),
        ({"max_level": "three"}, "max_level has to be a whole number, and is 'three'"),
        ({"max_level": "1_000"}, "max_level has to be a whole number"),
        ({"max_level": -1}, "max_level has to be a number that is not negative"),
        ({"max_level": 1.5}, "max_level has to be a whole number"),
        ({"max_level": True}, "max_level has to be a whole number"),
        ({"max_level": "9" * 5000}, "max_level has to be a whole number"),
        ({"max-backup-level": "x"}, "max-backup-level has to be a whole number"),
        ({"restart_always_level": "soon"}, "restart_always_level has to be a number"),
        ({"restart_always_level": "nan"}, "a number that is not negative"),
        ({"restart_always_level": "inf"}, "a number that is not negative"),
        ({"max_segment_size": "0"}, "a size in bytes such as 67108864 or 64M"),
        ({"max_segment_size": "-5"}, "a size in bytes"),
        ({"max_segment_size": "5T"}, "a size in bytes"),
        (
            {"max_segment_size": 1},
            "at least 64K, such as 64M (a number without K, M or G is a number of bytes), and is 1.",
        ),
        ({"max_segment_size": "64"}, "at least 64K, such as 64M"),
        ({"max_seg_size": "63K"}, "max_seg_size has to be at least 64K"),
        ({"overwrite": "maybe"}, "overwrite has to be true or false, and is 'maybe'"),
        ({"compression": "rar"}, "compression has to be one of zstd, gzip, bzip2, xz, none, compatible, zlib, lzma"),
        ({"mode": "oracle"}, "mode has to be one of fs, mysql"),
        ({"engine_name": "rsyncv2"}, "engine_name has to be one of tar, rsync, nova"),
        ({"storage": "ftp"}, "storage has to be one of"),
        ({"dereference_symlink": "yes"}, "dereference_symlink has to be one of none, soft, hard, all"),
        ({"restore_from_date": "tomorrow"}, "restore_from_date has to be a date such as"),
        ({"restore_from_date": "2026-13-45"}, "restore_from_date has to be a date such as"),
        ({"restore_from_date": "0001-01-01T00:00:00"}, "restore_from_date has to be a date such as"),
        ({"path_to_backup": ["/a", "/b"]}, "path_to_backup has to be a text"),
        ({"path_to_backup": "/a\0b"}, "path_to_backup has to be a text without NUL bytes"),
        ({"exclude": [None]}, "exclude has to be a text"),
        ({"exclude": {"a": 1}}, "exclude has to be a text"),
        ({"storages": "local"}, "storages has to be a list of storages"),
        ({"path_to_backup": "/a", "src_file": "/b"}, "ask for different things; keep one of them"),
        ({"max_level": 1, "max_backup_level": 2}, "ask for different things"),
        ({"nova_inst_id": "5", "cinder_vol_id": "6"}, "cinder_vol_id or cinder_vol_name ask for different things"),
        ({"mode": "nova"}, "nova_inst_id or nova_inst_name is missing"),
        ({"engine": "nova", "cinder_vol_id": "6"}, "nova_inst_id or nova_inst_name is missing"),
        ({"backup_media": "fs", "nova_inst_id": "5"}, "backup_media is fs"),
        ({"restore_as": "web2"}, "restore_as belongs to a server or a volume"),
        ({"nova_inst_id": "5", "path_to_backup": "/etc"}, "path_to_backup is nothing that nova_inst_id"),
        ({"cinder_vol_id": "5", "max_level": 3}, "max_level is nothing that cinder_vol_id"),
        ({"cindernative_vol_id": "5", "always_level": 3}, "always_level is nothing that cindernative_vol_id"),
        ({"nova_inst_id": "5", "snapshot": True}, "snapshot is nothing that nova_inst_id"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_key_and_the_reason(action, words):
    with pytest.raises(OptionError) as refused:
        parse_options(action)
    assert words in str(refused.value)
    assert str(refused.value).endswith(".")


def test_two_spellings_that_agree_are_one():
    assert parse_options({"path_to_backup": "/a", "src_file": "/a"}).path_to_backup == "/a"


SECRET = "hunter2"


@pytest.mark.parametrize(
    "action",
    [
        {"password": SECRET},
        {"os_password": SECRET, "path_to_backup": "/x"},
        {"ssh_password": SECRET},
        {"encrypt_pass_file": SECRET},
        {"storages": {"storage": "ssh", "ssh_password": SECRET}},
        {"storages": ["ssh", SECRET]},
        {"storages": f"ssh_password={SECRET}"},
        {"storages": [{"storage": "local", "container": "/x", "ssh_password": SECRET}]},
        {"storages": [{"storage": "local", "container": "/x", "storages": {"password": SECRET}}]},
    ],
)
def test_no_value_that_may_be_a_secret_is_in_a_message(action):
    with pytest.raises(OptionError) as refused:
        parse_options(action).locations()
    assert SECRET not in str(refused.value)


def test_locations_are_those_of_storages_or_of_the_action_itself():
    both = [{"storage": "local", "container": "/a"}, {"container": "/b"}]
    assert parse_options({"storage": "local", "storages": both}).locations() == [("local", "/a"), ("local", "/b")]
    assert parse_options({"storage": "local", "container": "/a"}).locations() == [("local", "/a")]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({}, "storage is missing"),
        ({"storage": "local"}, "container is missing"),
        ({"container": "/a"}, "storage is missing"),
        ({"storages": [{"storage": "local", "container": "/a"}] * 2}, "are the same place"),
        ({"storages": [{"storage": "local"}]}, "container is missing"),
    ],
)
def test_locations_that_are_not_given_are_refused(action, words):
    with pytest.raises(OptionError, match=words):
        parse_options(action).locations()


def test_the_host_is_this_one_unless_another_is_named():
    assert parse_options({}).host == socket.gethostname()
    assert parse_options({"hostname": "web1"}).host == "web1"


def test_the_documented_example_of_an_action_is_understood():
    """The README of the API has one with false for what is not given, and numbers as texts."""
    action = {
        "action": "backup",
        "mode": "fs",
        "src_file": "/home/me/project",
        "backup_name": "project_backup",
        "container": "my_backup_container",
        "storage": "local",
        "max_backup_level": "",
        "always_backup_level": None,
        "restart_always_backup": 0,
        "no_incremental": "",
        "encrypt_pass_file": "",
        "log_file": "/home/me/.freezer/freezer.log",
        "hostname": False,
        "max_cpu_priority": False,
    }
    options = parse_options(action)
    assert options.path_to_backup == "/home/me/project"
    assert options.restart_always_level == 0
    assert os.path.isabs(options.path_to_backup)


@pytest.mark.parametrize(
    ("work", "given", "said"),
    [
        ("restore", {"path": "etc"}, "path is for list, history and diff, and restore would do more than that; leave it out, and name"),
        ("diff", {"include": ["etc"]}, "include is for restore, list and find, and diff would do more than that; leave it out."),
        ("verify", {"include": ["etc"]}, "verify would do more than that"),
        ("admin", {"path": "etc"}, "admin would do more than that"),
        ("restore", {"include": ["a", ""]}, "include has an empty pattern; leave it out, or say what is wanted."),
    ],
    ids=str,
)  # fmt: skip
def test_what_would_narrow_other_work_down_is_refused(work, given, said):
    with pytest.raises(OptionError, match=re.escape(said)):
        parse_options(given).refuse_for(work)
