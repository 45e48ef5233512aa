# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The log file and the places for JSON."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.answers import (
    answer_to_descriptor,
    answer_to_path,
)
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.errors import UsageError
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.log_file import LogFile


@pytest.fixture(autouse=True)
def _open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_new_log_file_is_its_owners_alone(tmp_path):
    LogFile(str(tmp_path / "log")).write("hello")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_log_file_that_is_there_is_appended_to_and_keeps_its_mode(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    log.chmod(0o640)
    LogFile(str(log)).write("one\ntwo", "ERROR")
    before, line = log.read_text().splitlines()
    assert before == "before"
    assert line.endswith(f" {os.getpid()} ERROR one\\ntwo")
    assert log.stat().st_mode & 0o777 == 0o640


def test_a_log_file_that_cannot_be_opened_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"^log_file .*/none/log cannot be written: No such file or directory\.$"):
        LogFile(str(tmp_path / "none" / "log"))


def test_a_log_on_a_full_disk_does_not_end_the_work():
    LogFile("/dev/full").write("hello")


def test_an_answer_replaces_what_its_file_held(tmp_path):
    path = tmp_path / "answer.json"
    path.write_text("x" * 10_000)
    answer = answer_to_path(str(path))
    assert path.read_text() == "", "after a failure nobody must find the answer of another run"
    answer.write({"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_new_answer_is_its_owners_alone(tmp_path):
    answer_to_path(str(tmp_path / "answer.json")).write({})
    assert (tmp_path / "answer.json").stat().st_mode & 0o777 == 0o600


def test_a_device_takes_an_answer_and_stays_a_device():
    answer_to_path("/dev/null").write({"a": 1})
    assert not os.path.isfile("/dev/null")


def test_a_descriptor_takes_an_answer(tmp_path):
    read, write = os.pipe()
    answer_to_descriptor(str(write)).write({"a": "é"})
    assert not os.get_inheritable(write)
    os.close(write)
    with os.fdopen(read) as stream:
        assert json.load(stream) == {"a": "é"}


@pytest.mark.parametrize("value", ["0", "-1", "x", "999", "9" * 40])
def test_what_is_no_descriptor_for_writing_is_refused(value):
    with pytest.raises(
        UsageError, match=r"^result_fd has to be the number of a descriptor that is open for writing\.$"
    ):
        answer_to_descriptor(value)


def test_a_descriptor_for_reading_is_refused():
    read, write = os.pipe()
    try:
        with pytest.raises(UsageError, match="open for writing"):
            answer_to_descriptor(str(read))
    finally:
        os.close(read)
        os.close(write)
