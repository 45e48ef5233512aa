# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of backups: written once, found again, never changed."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture
def metadata():
    return {
        "backup_id": uuid.uuid4().hex,
        "container": "/backups",
        "hostname": "db1",
        "backup_name": "etc",
        "time_stamp": 1000,
        "level": 0,
        "outcome": "success",
    }


def test_a_backup_is_recorded_once_and_removed_once(api, metadata):
    made = api.run_as_checked("backup_record", metadata=metadata)
    assert made["changed"]
    assert made["backup_id"] == metadata["backup_id"]
    assert made["backup"]["backup_metadata"] == metadata
    assert not api.run_as_checked("backup_record", metadata=metadata)["changed"]

    gone = {"backup_id": metadata["backup_id"], "state": "absent"}
    assert api.run_as_checked("backup_record", **gone)["changed"]
    assert not api.run_as_checked("backup_record", **gone)["changed"]


def test_a_record_as_info_returns_it_can_be_handed_back(api, metadata):
    api.run("backup_record", metadata=metadata)
    (record,) = api.run("backup_info", backup_id=metadata["backup_id"])["backups"]
    assert not api.run_as_checked("backup_record", **record)["changed"]


def test_without_an_id_place_name_and_time_say_which_one_is_meant(api, metadata):
    del metadata["backup_id"]
    made = api.run_as_checked("backup_record", metadata=metadata)
    again = api.run_as_checked("backup_record", metadata=metadata)
    other = api.run_as_checked("backup_record", metadata={**metadata, "time_stamp": 2000})
    assert (made["changed"], again["changed"], other["changed"]) == (True, False, True)
    assert made["backup_id"] == again["backup_id"] != other["backup_id"]


def test_a_record_is_not_changed_afterwards(api, metadata):
    api.run("backup_record", metadata=metadata)
    message = api.sentence("backup_record", metadata={**metadata, "outcome": "partial", "level": 1})
    assert message.startswith(f"Backup {metadata['backup_id']} is recorded already, with another level, outcome.")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "one of the following is required: backup_id, metadata"),
        ({"backup_id": "x"}, "state is present but all of the following are missing: metadata"),
        ({"metadata": {"backup_name": "etc"}}, "Which backup is meant? Give backup_id, or container and hostname"),
        ({"backup_id": "x", "metadata": {"backup_id": "y"}}, "backup_id is 'x', but the metadata says 'y'."),
        ({"backup_id": "x", "metadata": {"level": 0}}, "There is no backup x yet, and backup_name must be given"),
    ],
)
def test_bad_input_is_one_sentence_in_check_mode_too(api, options, sentence):
    assert sentence in api.sentence("backup_record", **options)
