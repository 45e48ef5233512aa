# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Actions and schedules are looked at when they are stored, on every route that stores them."""

from __future__ import annotations

import uuid

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Scope
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore

PLACE = {"backup_name": "etc", "storage": "local", "container": "/c"}
ETC = {"action": "backup", "path_to_backup": "/etc", **PLACE}
TYPO = {**ETC, "path_to_bakup": "/x", "storage": "s3"}
TOLD = [
    "The agent of this release has no storage s3, agents of Freezer do (in {0}.storage).",
    "The option 'path_to_bakup' is not known to this release (in {0}). Did you mean path_to_backup?",
]


def a_job(*actions, **keys):
    return {"client_id": "db1", "job_actions": [{"freezer_action": action} for action in actions], **keys}


def told(place):
    return sorted(sentence.format(place) for sentence in TOLD)


def test_what_no_agent_could_do_is_refused_on_every_route(tenant):
    six = {**ETC, "max_level": "six"}
    sentence = "max_level has to be a whole number, and is 'six' (in {0}.max_level)"
    tenant.post("/jobs/j", a_job(ETC))
    tenant.post("/actions/a", {"freezer_action": ETC})
    in_job, in_action = sentence.format("job_actions.1.freezer_action"), sentence.format("freezer_action")
    for reply, expected in (
        (tenant.post("/jobs", a_job(ETC, six)), in_job),
        (tenant.post("/jobs/j", a_job(ETC, six)), in_job),
        (tenant.patch("/jobs/j", {"job_actions": a_job(ETC, six)["job_actions"]}), in_job),
        (tenant.post("/actions", {"freezer_action": six}), in_action),
        (tenant.post("/actions/a", {"freezer_action": six}), in_action),
        (tenant.patch("/actions/a", {"freezer_action": {"max_level": "six"}}), in_action),
    ):
        assert (reply.status, reply.json) == (400, {"title": "Bad request format", "description": expected})
    items = [{"op": "replace", "job_id": "k", "document": a_job(ETC, six)}, {"op": "delete", "job_id": "j"}]
    first, second = tenant.post("/jobs:batch", {"items": items}).json["items"]
    assert (first["status"], first["description"], second["status"]) == (400, in_job, 204)


def test_what_this_release_does_not_know_is_stored_with_a_warning_in_the_answer(tenant):
    place = "job_actions.0.freezer_action"
    created = tenant.post("/jobs", a_job(TYPO))
    assert (created.status, sorted(created.json["warnings"])) == (201, told(place))
    replaced = tenant.post("/jobs/j", a_job(TYPO))
    assert sorted(replaced.json["warnings"]) == told(place)
    assert tenant.get("/jobs/j").json["job_actions"][0]["freezer_action"] == TYPO
    action = tenant.post("/actions/a", {"freezer_action": TYPO})
    assert sorted(action.json["warnings"]) == told("freezer_action")
    items = [{"op": "replace", "job_id": "k", "document": a_job(TYPO)}]
    (item,) = tenant.post("/jobs:batch", {"items": items}).json["items"]
    assert (item["status"], sorted(item["warnings"])) == (201, told(place))
    # What has not changed was told before.
    assert "warnings" not in tenant.patch("/jobs/j", {"description": "d"}).json
    assert "warnings" not in tenant.post("/jobs/l", a_job(ETC)).json


def test_the_defaults_of_a_job_complete_its_actions_before_they_are_looked_at(tenant):
    defaults = {"path_to_backup": "/etc", "compression": "zstd", **PLACE}
    command = {"action": "exec", "command": "true"}
    reply = tenant.post("/jobs/j", a_job({"action": "backup"}, command, action_defaults=defaults))
    assert (reply.status, reply.json.get("warnings")) == (201, None)
    refused = tenant.post("/jobs/k", a_job({"action": "backup"}, action_defaults={"storage": "local"}))
    assert "path_to_backup is missing" in refused.json["description"]


def test_an_action_that_a_job_names_by_its_id_is_looked_at_in_the_job(tenant):
    tenant.post("/actions/a", {"freezer_action": TYPO})
    reply = tenant.post("/jobs/j", {"client_id": "db1", "job_actions": [{"action_id": "a"}]})
    assert sorted(reply.json["warnings"]) == told("job_actions.0.freezer_action")


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ({"schedule_hour": "99"}, "schedule_hour is '99'; its values go from 0 to 23"),
        ({"schedule_interval": "0 days"}, "schedule_interval is '0 days'"),
        ({"schedule_date": "2026-02-30T00:00:00"}, "which no calendar has"),
        ({"schedule_timezone": "Mars/Olympus"}, "schedule_timezone is 'Mars/Olympus'"),
    ],
)
def test_an_invalid_schedule_is_refused(tenant, schedule, sentence):
    for reply in (
        tenant.post("/jobs", a_job(job_schedule=schedule)),
        tenant.post("/sessions", {"schedule": schedule}),
    ):
        assert reply.status == 400
        assert sentence in reply.json["description"]
        assert reply.json["description"].endswith("schedule)")


def test_a_job_that_was_stored_before_it_was_looked_at_can_still_be_run_and_told_of(start_freezer_api):
    """Its scheduler writes how it goes, and must not be refused for what others have written."""
    api = start_freezer_api()
    project_id = f"p{uuid.uuid4().hex[:12]}"
    path = f"/v2/{project_id}/jobs/j"
    api.post(path, a_job(ETC))
    store = SqliteStore(api.database)
    stored = store.get("job", "j", Scope(project_id=project_id))
    actions = [{**stored.document["job_actions"][0], "freezer_action": {"action": "backup", "mode": "glance"}}]
    schedule = {**stored.document["job_schedule"], "schedule_hour": "99"}
    store.replace(stored, {**stored.document, "job_actions": actions, "job_schedule": schedule})
    assert api.patch(path, {"job_schedule": {"status": "running"}}).status == 200
    assert api.post(f"{path}/event", {"abort": None}).status == 202
    assert api.patch(path, {"job_schedule": {"schedule_minute": "5"}}).status == 400
