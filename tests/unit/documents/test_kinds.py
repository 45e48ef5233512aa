# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The schemas of the five kinds, the ids they allow, and what can be said about their parts."""

from __future__ import annotations

import jsonschema
import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents import action, kinds, secrets

KINDS = [action.KIND, kinds.BACKUP, kinds.CLIENT, kinds.JOB, kinds.SESSION]

#: From the freezer-api README.
README_JOB = {
    "job_actions": [
        {
            "freezer_action": {
                "action": "backup",
                "mode": "fs",
                "src_file": "/home/tylerdurden/project_mayhem",
                "backup_name": "project_mayhem_backup",
                "container": "my_backup_container",
                "max_backup_level": 5,
                "hostname": False,
            },
            "exit_status": "success",
            "max_retries": 3,
            "max_retries_interval": 60,
            "mandatory": False,
        }
    ],
    "job_schedule": {
        "time_created": 1234,
        "time_started": 1234,
        "time_ended": 0,
        "status": "scheduled",
        "schedule_month": "1-6, 9-12",
        "schedule_day": "mon, wed, fri",
        "schedule_hour": "03",
        "schedule_minute": "25",
    },
    "job_id": "4822e482fcbb439189a1ad616ac0a72f",
    "client_id": "26b4ea367ac64702868653912e9428cc_freezer.mydomain.myid",
    "user_id": "35a322dfb2b14f40bc53a29a14309021",
    "description": "daily backup",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_schema_is_a_schema(kind):
    jsonschema.Draft4Validator.check_schema(kind.schema)
    jsonschema.Draft4Validator.check_schema(kind.patch_schema)
    assert "required" not in kind.patch_schema


def test_the_job_of_the_readme_is_a_job():
    jsonschema.Draft4Validator(kinds.JOB.schema).validate(README_JOB)


@pytest.mark.parametrize(
    "wrong",
    [
        {"foo": 1},
        {"job_actions": {}},
        {"job_schedule": {"foo": 1}},
        {"job_schedule": {"event": "explode"}},
        {"job_schedule": {"schedule_interval": "1 day"}},
        {"job_schedule": {"schedule_date": "2015-06-02"}},
        {"job_schedule": {"schedule_year": "15"}},
        {"job_id": "a b"},
        {"client_id": "-"},
        {"job_actions": [{"freezer_action": {"action": "fly"}}]},
        {"job_actions": [{"max_retries": "3"}]},
        {"description": 3},
    ],
    ids=str,
)
def test_what_is_no_job_is_refused(wrong):
    assert not jsonschema.Draft4Validator(kinds.JOB.schema).is_valid({**README_JOB, **wrong})


@pytest.mark.parametrize("text", ["a", "nightly_etc", "4822e482-fcbb", "x" * 255])
def test_ids_of_letters_digits_underscores_and_dashes_are_ids(text):
    assert kinds.JOB.is_id(text)


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a\n", "a.b", "Ünïcode", "¼", "x" * 256, None, 3])
def test_anything_else_is_no_id(text):
    assert not kinds.JOB.is_id(text)


def test_a_client_id_is_a_host_name_with_or_without_a_project():
    assert kinds.CLIENT.is_id("db1.example.org")
    assert kinds.CLIENT.is_id("26b4ea36_db1.example.org")
    assert not kinds.CLIENT.is_id("db1..example")
    assert not kinds.CLIENT.is_id("db1.example.org\n")


def test_the_id_is_found_wherever_a_kind_keeps_it():
    assert kinds.JOB.id_of({"job_id": "j"}) == "j"
    assert kinds.CLIENT.id_of({"client": {"client_id": "c"}}) == "c"
    assert kinds.BACKUP.id_of({"backup_id": "b", "backup_metadata": {"backup_id": "x"}}) == "b"
    assert kinds.JOB.id_of({}) is None


@pytest.mark.parametrize(
    "key",
    [
        *(
            "ssh_password",
            "ftp-password",
            "secret_key",
            "Passphrase",
            "os_auth_token",
            "api_key",
            "X-API-Key",
            "apiKey",
        ),
        *("passwd", "ftp_pass", "smb-pwd", "passcode", "private-key", "encryption_key"),
        *("credentials", "user_credentials", "Authorization", "pgpass", "PASS", "pass", "passw", "encryptpass"),
        *("bypass_password", "passive_pass"),
    ],
)
def test_these_keys_are_secret(key):
    assert secrets.is_secret(key)


@pytest.mark.parametrize(
    "key",
    [
        "encrypt_pass_file",
        "credentials_file",
        "ftp_passive",
        "bypass",
        "tests_passed",
        "pass-through",
        "public_key",
        "access_key",
        "session_tag",
        "path",
        "path_to_backup",
        "ssh_key",
        "container",
    ],
)
def test_these_keys_are_not(key):
    assert not secrets.is_secret(key)


def test_secrets_are_masked_at_any_depth_and_empty_ones_stay_empty():
    document = {"job_actions": [{"freezer_action": {"ssh_password": "p", "ftp_password": "", "container": "c"}}]}
    masked = secrets.without_secrets(document)
    assert masked == {
        "job_actions": [{"freezer_action": {"ssh_password": secrets.MASK, "ftp_password": "", "container": "c"}}]
    }
    assert document["job_actions"][0]["freezer_action"]["ssh_password"] == "p"
