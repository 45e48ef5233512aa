# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The documents of freezer-api's README, sent as they stand there.

Only what is no value there has one here: ``int``, ``bool``, ``...`` and choices such as ``fail|success``; missing commas are
set. A job whose example names no client gets one, as the command line of Freezer adds it (``job-create --client``).
"""

from __future__ import annotations

import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support.freezer_readmes import BACKUP_ACTION, RESTORE_ACTION

STRUCTURE = {
    "job": {
        "job_action": BACKUP_ACTION,
        "job_schedule": {
            "time_created": 1234,
            "time_started": 1234,
            "time_ended": 0,
            "status": "stop",
            "event": "",
            "result": "",
        },
        "job_id": "structure",
        "client_id": "blabla",
        "user_id": "blabla",
        "description": "job document structure",
    }
}
RETRIED = {
    "job": {
        "job_actions": [
            {"freezer_action": BACKUP_ACTION, "mandatory": False, "max_retries": 3, "max_retry_interval": 60},
            {"freezer_action": RESTORE_ACTION, "mandatory": False, "max_retries": 3, "max_retry_interval": 60},
        ],
        "job_id": "retried",
        "client_id": "blabla",
    }
}
ONE_SHOT = {
    "job": {
        "job_actions": [
            {
                "freezer_action": {
                    "action": "backup",
                    "mode": "fs",
                    "src_file": "/home/tylerdurden/project_mayhem",
                    "backup_name": "project_mayhem_backup",
                    "container": "my_backup_container",
                },
                "exit_status": "fail|success",
                "max_retries": 3,
                "max_retries_interval": 60,
                "mandatory": True,
            }
        ],
        "job_schedule": {
            "time_created": 1234,
            "time_started": 1234,
            "time_ended": 0,
            "status": "stop",
            "schedule_date": "2015-06-02T16:20:00",
        },
        "job_id": "one_shot",
        "client_id": "blabla",
        "user_id": "blabla",
        "description": "scheduled one shot",
    }
}
DAILY = {
    "job": {
        "job_actions": [{"freezer_action": BACKUP_ACTION}],
        "job_schedule": {
            "time_created": 1234,
            "time_started": 1234,
            "time_ended": 0,
            "status": "stop",
            "event": "start",
            "schedule_interval": "1 days",
            "schedule_start_date": "2015-06-02T16:20:00",
        },
        "job_id": "4822e482fcbb439189a1ad616ac0a72f",
        "client_id": "26b4ea367ac64702868653912e9428cc_freezer.mydomain.myid",
        "user_id": "35a322dfb2b14f40bc53a29a14309021",
        "description": "daily backup",
    }
}
CHOICES = {
    "job": {
        "job_actions": [{"freezer_action": BACKUP_ACTION}],
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
        "job_id": "choices",
        "client_id": "blabla",
        "user_id": "blabla",
        "description": "daily backup",
    }
}
FINISHED = {
    "job": {
        "job_actions": [{"freezer_action": BACKUP_ACTION}],
        "job_schedule": {
            "time_created": 1234,
            "time_started": 1234,
            "time_ended": 4321,
            "status": "stop",
            "event": "",
            "result": "success",
            "schedule_time": "2015-06-02T16:20:00",
        },
        "job_id": "finished",
        "client_id": "blabla",
        "user_id": "blabla",
        "description": "one shot job",
    }
}


def _of_user(number, **further):
    named = "user1_backup" if number == 1 else "user2_backup"
    return {
        "action": "backup",
        "mode": "fs",
        "src_file": f"/home/user{number}/file",
        "backup_name": named,
        **further,
    }


LOG = {"log_file": "/tmp/freezer_tmp_log"}
OWN_LOG = {"log_file": "/home/user3/specific_log_file"}
CONTAINER = {"container": "my_backup_container"}
DEFAULTS = {
    "job": {
        "action_defaults": {**LOG, **CONTAINER},
        "job_actions": [{"freezer_action": action} for action in (_of_user(1), _of_user(2), _of_user(3, **OWN_LOG))],
        "description": "scheduled one shot",
        "client_id": "blabla",
    }
}
EQUIVALENT = [_of_user(1, **LOG, **CONTAINER), _of_user(2, **LOG, **CONTAINER), _of_user(3, **OWN_LOG, **CONTAINER)]
#: From "Backup metadata structure".
METADATA = {
    "container": "my_backup_container",
    "host_name": "freezer.mydomain.myid",
    "backup_name": "project_mayhem_backup",
    "time_stamp": 1433262000,
    "level": 0,
    "max_level": 6,
    "mode": "fs",
    "fs_real_path": "/home/tylerdurden/project_mayhem",
    "vol_snap_path": "",
    "total_broken_links": 0,
    "total_fs_files": 12,
    "total_directories": 3,
    "backup_size_uncompressed": 4,
    "backup_size_compressed": 1,
    "compression_alg": "gzip",
    "encrypted": False,
    "client_os": "linux",
    "broken_links": [],
    "excluded_files": [],
    "cli": "",
    "version": "1.0",
}
BACKUP_ID = "my_backup_container_freezer.mydomain.myid_project_mayhem_backup_1433262000_0"
SESSION = {
    "session_id": "nightly",
    "session_tag": 22,
    "description": "nightly",
    "hold_off": 60,
    "schedule": {"schedule_date": "2015-06-02T16:20:00"},
    "jobs": {
        "job_id_1": {"client_id": "a", "status": "stop", "result": "success", "time_started": 1234, "time_ended": 4321},
        "job_id_2": {"client_id": "b", "status": "stop", "result": "success", "time_started": 1234, "time_ended": 4321},
    },
    "time_start": 1234,
    "time_end": 4321,
    "time_started": 1234,
    "time_ended": 4321,
    "status": "completed",
    "result": "success",
    "user_id": "blabla",
}
CALENDAR = {
    "schedule_year": 2015,
    "schedule_month": 12,
    "schedule_day": 31,
    "schedule_week": 53,
    "schedule_day_of_week": 6,
    "schedule_hour": 23,
    "schedule_minute": 59,
    "schedule_second": 0,
}


@pytest.fixture
def api(tmp_path):
    """The API on v1, which is the README's, and a user who has a name."""
    return falcon.testing.TestClient(
        create_app(SqliteStore(tmp_path / "api.db"), NoAuth()), headers={"X-Auth-Token": "tyler:web:member"}
    )


def made(api, plural, document):
    """The document as it is stored."""
    created = api.simulate_post(f"/v1/{plural}", json=document)
    assert created.status_code == 201, created.text
    document_id = created.json[f"{plural[:-1]}_id"]
    return api.simulate_get(f"/v1/{plural}/{document_id}").json


@pytest.mark.parametrize("document", [STRUCTURE, ONE_SHOT, DAILY, CHOICES, FINISHED])
def test_a_job_below_the_word_job_is_stored_as_a_job(api, document):
    stored = made(api, "jobs", document)
    sent = document["job"]
    assert {key: stored[key] for key in ("job_id", "client_id", "description")} == {
        key: sent[key] for key in ("job_id", "client_id", "description")
    }
    assert stored["user_id"] == "tyler"
    wanted = sent["job_actions"][0]["freezer_action"] if "job_actions" in sent else sent["job_action"]
    assert [action["freezer_action"] for action in stored["job_actions"]] == [wanted]
    # When it was made is the server's to say, as in Freezer's API.
    times = {key: value for key, value in sent["job_schedule"].items() if key not in ("schedule_time", "time_created")}
    assert times.items() <= stored["job_schedule"].items()


def test_schedule_time_is_the_date_of_a_schedule(api):
    schedule = made(api, "jobs", FINISHED)["job_schedule"]
    assert schedule["schedule_date"] == "2015-06-02T16:20:00"
    assert "schedule_time" not in schedule


def test_both_names_of_the_interval_of_retries_are_one(api):
    assert [action["max_retries_interval"] for action in made(api, "jobs", RETRIED)["job_actions"]] == [60, 60]
    actions = made(api, "jobs", ONE_SHOT)["job_actions"]
    assert [action["max_retries_interval"] for action in actions] == [60]


def test_defaults_of_actions_are_equivalent_to_what_the_readme_says(api):
    stored = made(api, "jobs", DEFAULTS)
    assert [action["freezer_action"] for action in stored["job_actions"]] == EQUIVALENT
    assert "action_defaults" not in stored


def test_numbers_in_the_fields_of_a_calendar_are_stored_as_text(api):
    as_text = {key: str(value) for key, value in CALENDAR.items()}
    job = {**DAILY["job"], "job_schedule": CALENDAR}
    assert as_text.items() <= made(api, "jobs", job)["job_schedule"].items()
    session = made(api, "sessions", {"session_id": "s", "schedule": CALENDAR})
    assert session["schedule"] == as_text
    changed = api.simulate_patch(f"/v1/jobs/{job['job_id']}", json={"job_schedule": {"schedule_hour": 4}})
    assert changed.status_code == 200
    assert api.simulate_get(f"/v1/jobs/{job['job_id']}").json["job_schedule"]["schedule_hour"] == "4"


@pytest.mark.parametrize("event", ["start", "stop", "abort", "remove"])
def test_every_event_of_the_readme_can_be_asked_for(api, event):
    made(api, "jobs", CHOICES)
    answer = api.simulate_post("/v1/jobs/choices/event", json={event: None})
    assert (answer.status_code, answer.json) == (202, {"result": "success"})
    assert api.simulate_get("/v1/jobs/choices").json["job_schedule"]["event"] == event


def test_the_metadata_of_a_backup_are_wrapped_with_the_id_and_the_user_of_the_readme(api):
    stored = made(api, "backups", {**METADATA, "backup_id": BACKUP_ID})
    assert (stored["backup_id"], stored["user_id"], stored["user_name"]) == (BACKUP_ID, "tyler", "tyler")
    assert METADATA.items() <= stored["backup_metadata"].items()
    api.simulate_post(f"/v1/backups/{BACKUP_ID}", json=METADATA)
    assert api.simulate_get(f"/v1/backups/{BACKUP_ID}").json["user_name"] == "tyler"
    assert api.simulate_delete(f"/v1/backups/{BACKUP_ID}").status_code == 204


@pytest.mark.parametrize("backup_id", ["..", ".hidden", "a/b", "a b", ""])
def test_an_id_that_could_be_a_path_is_none_of_a_backup(api, backup_id):
    assert api.simulate_post("/v1/backups", json={**METADATA, "backup_id": backup_id}).status_code == 400


def test_an_action_is_stored_by_itself(api):
    action = {"freezer_action": BACKUP_ACTION, "mandatory": True, "max_retries": 3, "max_retries_interval": 60}
    assert made(api, "actions", {**action, "action_id": "one"})["freezer_action"] == BACKUP_ACTION


@pytest.mark.parametrize(
    "jobs", [SESSION["jobs"], [SESSION["jobs"]], [{one: it} for one, it in SESSION["jobs"].items()]]
)
def test_the_jobs_of_a_session_are_an_object_or_a_list_of_such(api, jobs):
    stored = made(api, "sessions", {**SESSION, "jobs": jobs})
    assert stored["jobs"] == SESSION["jobs"]
    assert (stored["session_tag"], stored["time_started"], stored["time_ended"]) == (22, 1234, 4321)


def test_a_session_is_started_and_ended_as_the_readme_says(api):
    made(api, "sessions", {**SESSION, "hold_off": 0})
    action = "/v1/sessions/nightly/action"
    start = api.simulate_post(action, json={"start": {"job_id": "job_id_1", "current_tag": 22}})
    assert (start.status_code, start.json) == (202, {"result": "success", "session_tag": 23})
    running = api.simulate_get("/v1/sessions/nightly").json
    assert running["time_started"] == running["time_start"] > 1234
    assert running["time_ended"] == -1
    for job_id in ("job_id_1", "job_id_2"):
        end = api.simulate_post(action, json={"end": {"job_id": job_id, "current_tag": 23, "result": "success"}})
        assert (end.status_code, end.json) == (202, {"result": "success", "session_tag": 23})
    ended = api.simulate_get("/v1/sessions/nightly").json
    assert ended["time_ended"] == ended["time_end"] >= running["time_started"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({**STRUCTURE["job"], "job_actions": []}, "job_action is the old name of job_actions"),
        ({"job": STRUCTURE["job"], "client_id": "a"}, "job"),
        ({"job": "structure"}, "job"),
        (
            {
                **DAILY["job"],
                "job_schedule": {"schedule_time": "2015-06-02T16:20:00", "schedule_date": "2016-06-02T16:20:00"},
            },
            "schedule_time is the old name of schedule_date",
        ),
        ({**STRUCTURE["job"], "job_action": "backup"}, "backup"),
        ({**DAILY["job"], "job_schedule": {"schedule_hour": -1}}, "schedule_hour"),
        ({**DAILY["job"], "job_schedule": {"schedule_hour": True}}, "schedule_hour"),
    ],
)
def test_what_contradicts_itself_is_refused(api, document, said):
    answer = api.simulate_post("/v1/jobs", json=document)
    assert answer.status_code == 400
    assert said in answer.json["description"]


def test_old_forms_are_understood_in_a_batch_and_at_an_id(api):
    item = {"op": "replace", "job_id": "structure", "document": STRUCTURE}
    answer = api.simulate_post("/v1/jobs:batch", json={"items": [item]})
    assert answer.json["items"][0]["status"] == 201
    assert api.simulate_post("/v1/jobs/structure", json=FINISHED).status_code == 201
    assert "schedule_date" in api.simulate_get("/v1/jobs/structure").json["job_schedule"]
