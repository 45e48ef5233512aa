# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The five kinds of documents over HTTP: created, shown, listed, changed, replaced, deleted, found, kept apart."""

from __future__ import annotations

import json

import pytest

JOB = {
    "client_id": "db1.example.org",
    "description": "nightly",
    "job_actions": [
        {
            "freezer_action": {
                "action": "backup",
                "path_to_backup": "/etc",
                "backup_name": "etc",
                "storage": "local",
                "container": "/backups",
            },
            "mandatory": True,
        }
    ],
    "job_schedule": {"schedule_interval": "1 days"},
}
#: What a client sends for each kind, the id that it chooses, and a change.
KINDS = {
    "jobs": (JOB, "nightly_etc", {"description": "changed"}),
    "actions": (
        {
            "freezer_action": {
                "action": "backup",
                "path_to_backup": "/etc",
                "backup_name": "etc",
                "storage": "local",
                "container": "/backups",
            }
        },
        "etc",
        {"freezer_action": {"mode": "fs"}},
    ),
    "sessions": ({"schedule": {"schedule_interval": "1 days"}, "description": "s"}, "all_etc", {"hold_off": 5}),
    "clients": ({"client_id": "db1.example.org", "hostname": "db1"}, "db1.example.org", {"description": "changed"}),
    "backups": ({"backup_name": "etc", "container": "c", "hostname": "db1", "level": 0}, "b1", {"level": 1}),
}
EVERY_KIND = pytest.mark.parametrize("plural", KINDS)


def id_key(plural):
    return plural[:-1] + "_id"


def sent(plural):
    document, document_id, change = KINDS[plural]
    return {**document, id_key(plural): document_id}, document_id, change


def sent_part(plural, document):
    wrapper = {"clients": "client", "backups": "backup_metadata"}.get(plural)
    return document[wrapper] if wrapper else document


@EVERY_KIND
def test_a_document_lives_its_life(tenant, plural):
    body, document_id, change = sent(plural)
    created = tenant.post(f"/{plural}", body)
    assert created.status == 201
    assert created.json == {id_key(plural): document_id}
    assert created.headers["location"] == f"{tenant.base}/{plural}/{document_id}"

    shown = tenant.get(f"/{plural}/{document_id}")
    assert shown.status == 200
    assert shown.headers["content-type"] == "application/json"
    assert shown.json["user_id"] == tenant.user_id
    assert shown.json.get("_version") == (1 if tenant.version == 1 else None)
    assert sent_part(plural, shown.json)[id_key(plural)] == document_id

    listed = tenant.get(f"/{plural}/").json[plural]
    assert [sent_part(plural, document)[id_key(plural)] for document in listed] == [document_id]
    assert "_version" not in listed[0]

    changed = tenant.patch(f"/{plural}/{document_id}", change)
    assert changed.status == 200
    after = tenant.get(f"/{plural}/{document_id}")
    assert after.headers["etag"] != shown.headers["etag"]
    if plural == "backups":
        assert changed.json["backup_metadata"]["level"] == 1
    else:
        assert changed.json == {id_key(plural): document_id, "version": 2}
    for key, value in change.items():
        found = sent_part(plural, after.json)[key]
        assert found == ({**body[key], **value} if isinstance(value, dict) else value)

    deleted = tenant.delete(f"/{plural}/{document_id}")
    assert (deleted.status, deleted.text) == (204, "")
    assert tenant.get(f"/{plural}/{document_id}").status == 404
    assert tenant.get(f"/{plural}").json == {plural: []}


@EVERY_KIND
def test_a_change_erases_nothing_that_it_does_not_name(tenant, plural):
    body, document_id, change = sent(plural)
    tenant.post(f"/{plural}", body)
    before = tenant.get(f"/{plural}/{document_id}").json
    assert tenant.patch(f"/{plural}/{document_id}", {}).status == 200
    after = tenant.get(f"/{plural}/{document_id}").json
    before.pop("_version", None), after.pop("_version", None)
    assert after == before
    tenant.patch(f"/{plural}/{document_id}", change)
    changed = sent_part(plural, tenant.get(f"/{plural}/{document_id}").json)
    assert set(changed) >= set(sent_part(plural, before))


@EVERY_KIND
def test_a_taken_id_is_a_conflict(tenant, plural):
    body, document_id, _names = sent(plural)
    tenant.post(f"/{plural}", body)
    again = tenant.post(f"/{plural}", {**body, "description": "again"})
    if plural == "clients" and tenant.version == 2:
        assert again.status == 201
        client = tenant.get(f"/clients/{document_id}").json["client"]
        assert (client["description"], client["hostname"]) == ("again", "db1")
    else:
        assert again.status == 409
        assert document_id in again.json["description"]
        assert "again" not in tenant.get(f"/{plural}/{document_id}").text


@pytest.mark.parametrize("plural", [plural for plural in KINDS if plural != "clients"])
def test_an_id_that_is_not_chosen_is_a_uuid(tenant, plural):
    document, *_others = KINDS[plural]
    new_id = tenant.post(f"/{plural}", document).json[id_key(plural)]
    assert len(new_id) == 32
    assert int(new_id, 16) >= 0
    assert tenant.get(f"/{plural}/{new_id}").status == 200


@EVERY_KIND
def test_posting_to_an_id_creates_and_replaces(tenant, plural):
    document, document_id, change = KINDS[plural]
    path = f"/{plural}/{document_id}"
    created = tenant.post(path, document)
    assert created.status == 201
    assert created.json == {id_key(plural): document_id, "version": 1}
    tenant.patch(path, {**change, "description": "to be forgotten"})
    replaced = tenant.post(path, document)
    assert replaced.status == 201
    assert replaced.json["version"] == 3
    assert "to be forgotten" not in tenant.get(path).text
    assert len(tenant.get(f"/{plural}").json[plural]) == 1


@EVERY_KIND
def test_the_id_in_the_url_goes_before_the_one_in_the_body(tenant, plural):
    body, document_id, _names = sent(plural)
    other = "other.example.org" if plural == "clients" else "other"
    assert tenant.post(f"/{plural}/{other}", body).json[id_key(plural)] == other
    assert tenant.get(f"/{plural}/{document_id}").status == 404
    assert sent_part(plural, tenant.get(f"/{plural}/{other}").json)[id_key(plural)] == other


@EVERY_KIND
def test_an_id_and_an_owner_cannot_be_changed(tenant, plural):
    body, document_id, _names = sent(plural)
    tenant.post(f"/{plural}", body)
    change = {id_key(plural): "stolen", "user_id": "mallory", "project_id": "elsewhere"}
    assert tenant.patch(f"/{plural}/{document_id}", change).status == 200
    shown = tenant.get(f"/{plural}/{document_id}").json
    assert (shown["user_id"], shown["project_id"]) == (tenant.user_id, tenant.project_id)
    assert sent_part(plural, shown)[id_key(plural)] == document_id
    assert "mallory" not in json.dumps(shown)


@EVERY_KIND
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_id_is_not_found(tenant, plural, method):
    reply = tenant.request(method, f"/{plural}/unknown", {} if method == "PATCH" else None)
    assert reply.status == 404
    assert reply.json["title"] == "Not Found"
    assert "unknown" in reply.json["description"]


@EVERY_KIND
def test_documents_of_others_are_not_there(tenant, plural):
    body, document_id, change = sent(plural)
    tenant.post(f"/{plural}", body)
    stranger = type(tenant)(tenant.process, tenant.version, f"{tenant.user_id}x", f"{tenant.project_id}x")
    path = f"/{plural}/{document_id}"
    assert stranger.get(path).status == 404
    assert stranger.patch(path, change).status == 404
    assert stranger.delete(path).status == 404
    assert stranger.get(f"/{plural}").json == {plural: []}
    search = {"match": [{"_all": document_id}]}
    assert stranger.get(f"/{plural}", search).json == {plural: []}
    assert stranger.post(path, body).status == 201
    assert tenant.get(path).json["user_id"] == tenant.user_id
    assert stranger.get(path).json["user_id"] == stranger.user_id


def test_jobs_and_sessions_of_others_cannot_be_acted_on(tenant):
    tenant.post("/jobs/j", JOB)
    tenant.post("/sessions/s", {"schedule": {}})
    tenant.put("/sessions/s/jobs/j")
    before = tenant.get("/jobs/j").text, tenant.get("/sessions/s").text
    stranger = type(tenant)(tenant.process, tenant.version, f"{tenant.user_id}x", f"{tenant.project_id}x")
    stranger.post("/jobs/own", JOB)
    stranger.post("/sessions/own", {"schedule": {}})
    for reply in (
        stranger.post("/jobs/j/event", {"start": None}),
        stranger.post("/sessions/s/action", {"start": {"job_id": "j", "current_tag": 0}}),
        stranger.put("/sessions/s/jobs/own"),
        stranger.put("/sessions/own/jobs/j"),
        stranger.delete("/sessions/s/jobs/j"),
    ):
        assert reply.status == 404
    assert (tenant.get("/jobs/j").text, tenant.get("/sessions/s").text) == before


EVERY_ROUTE = [
    *((method, f"/{plural}") for plural in KINDS for method in ("GET", "POST")),
    *((method, f"/{plural}/x") for plural in KINDS for method in ("GET", "POST", "PATCH", "DELETE")),
    ("POST", "/jobs/x/event"),
    ("POST", "/sessions/x/action"),
    ("PUT", "/sessions/x/jobs/x"),
    ("DELETE", "/sessions/x/jobs/x"),
]


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
def test_the_project_of_others_is_forbidden_on_v2(freezer_api, project_id, method, path):
    body = {"start": None} if path.endswith("event") else {"start": {"job_id": "x", "current_tag": 0}}
    reply = freezer_api.request(method, f"/v2/{project_id}{path}", body, {"X-Auth-Token": "u:other:member"})
    assert reply.status == 403
    assert reply.json["title"] == "Access Forbidden"


@EVERY_KIND
def test_a_reader_reads_and_writes_nothing(tenant, plural):
    body, document_id, change = sent(plural)
    tenant.post(f"/{plural}", body)
    token = f"{tenant.user_id}:{tenant.project_id}:reader"
    path = f"/{plural}/{document_id}"
    assert tenant.get(path, X_Auth_Token=token).status == 200
    assert tenant.get(f"/{plural}", X_Auth_Token=token).status == 200
    for method, where in (("POST", f"/{plural}"), ("POST", path), ("PATCH", path), ("DELETE", path)):
        assert tenant.request(method, where, change, X_Auth_Token=token).status == 403


@EVERY_KIND
def test_an_empty_body_is_told_what_is_missing(tenant, plural):
    reply = tenant.post(f"/{plural}")
    assert reply.status == 400
    missing = "'job_actions' is a required property; 'client_id' is a required property"
    expected = missing if plural == "jobs" else "Missing request body"
    assert reply.json == {"title": "Bad request format", "description": expected}


@EVERY_KIND
def test_changes_can_depend_on_the_state_that_was_seen(tenant, plural):
    body, document_id, change = sent(plural)
    path = f"/{plural}/{document_id}"
    tenant.post(f"/{plural}", body)
    seen = tenant.get(path).headers["etag"]
    assert tenant.patch(path, change, If_Match=seen).status == 200
    for method in ("PATCH", "POST", "DELETE"):
        reply = tenant.request(method, path, KINDS[plural][0], If_Match=seen)
        assert reply.status == 412
        assert reply.json["title"] == "Precondition Failed"
    assert (
        tenant.post("/actions/none", {"freezer_action": {"action": "info", "storage": "local"}}, If_Match="*").status
        == 412
    )
    assert tenant.delete(path, If_Match=f'"other", {tenant.get(path).headers["etag"]}').status == 204


def test_pages_are_stable_and_bounded(tenant):
    names = [f"a{number:02}" for number in range(23)]
    for name in names:
        tenant.post(f"/actions/{name}", {"freezer_action": {"action": "info", "storage": "local"}})
    assert tenant.ids("/actions", "action_id") == names[:10]
    assert tenant.ids("/actions?limit=0", "action_id") == names[:10]
    assert tenant.ids("/actions?limit=15&offset=10", "action_id") == names[10:]
    assert tenant.ids("/actions?limit=1000&offset=22", "action_id") == names[22:]
    assert tenant.ids("/actions?offset=100", "action_id") == []
    for wrong in ("limit=-1", "limit=1001", "limit=x", "offset=-1", "offset=1e3", "limit=1&limit=x"):
        reply = tenant.get(f"/actions?{wrong}")
        assert (reply.status, reply.json["title"]) == (400, "Invalid parameter")


def test_an_administrator_sees_all_projects_and_a_member_does_not(tenant):
    tenant.post("/actions/mine", {"freezer_action": {"action": "info", "container": tenant.project_id}})
    search = f'/actions?all_projects=true&search={{"match":[{{"container":"{tenant.project_id}"}}]}}'
    assert tenant.get(search.replace('"', "%22")).status == 403
    root = type(tenant)(tenant.process, tenant.version, "root", "ops")
    reply = root.get(search.replace('"', "%22"), X_Auth_Token="root:ops:admin")
    assert [action["action_id"] for action in reply.json["actions"]] == ["mine"]
    assert root.get("/actions?all_projects=perhaps", X_Auth_Token="root:ops:admin").status == 400


def test_documents_are_shared_by_both_versions(tenant):
    tenant.post("/actions/one", {"freezer_action": {"action": "info", "container": "c"}})
    for version in (1, 2):
        shown = tenant.on(version).get("/actions/one").json
        assert shown["freezer_action"] == {"action": "info", "container": "c"}
        assert ("_version" in shown) == (version == 1)


def test_on_v1_an_id_is_taken_once_in_a_project(tenant):
    v1 = tenant.on(1)
    elsewhere = f"{tenant.user_id}:{tenant.project_id}x:member"
    colleague = f"{tenant.user_id}x:{tenant.project_id}:member"
    body = {"action_id": "same", "freezer_action": {"action": "info"}}
    assert v1.post("/actions", body).status == 201
    assert v1.post("/actions", body, X_Auth_Token=elsewhere).status == 201
    assert v1.get("/actions/same", X_Auth_Token=elsewhere).json["project_id"] == tenant.project_id + "x"
    assert v1.get("/actions/same", X_Auth_Token=colleague).status == 404
    assert v1.post("/actions", body, X_Auth_Token=colleague).status == 409
    assert v1.post("/actions/same", body, X_Auth_Token=colleague).status == 409
    assert v1.get("/actions/same").json["user_id"] == tenant.user_id


def test_search_in_the_body_and_in_the_query_string_find_the_same(tenant):
    for name, container in (("a", "red"), ("b", "blue"), ("c", "red")):
        tenant.post(f"/actions/{name}", {"freezer_action": {"action": "info", "container": container}})
    search = {"match": [{"container": "red"}], "match_not": [{"action_id": "c"}]}
    in_body = tenant.get("/actions", search).json
    quoted = '{"match":[{"container":"red"}],"match_not":[{"action_id":"c"}]}'.replace('"', "%22")
    assert tenant.get(f"/actions?search={quoted}").json == in_body
    assert [action["action_id"] for action in in_body["actions"]] == ["a"]
    assert tenant.get(f"/actions?search={quoted}", {"match": [{"action_id": "c"}]}).json == {"actions": []}


def test_backups_are_found_by_name_and_time(tenant):
    for number in range(4):
        body = {"backup_name": f"etc{number % 2}", "container": "c", "hostname": "h", "time_stamp": 100 * number}
        tenant.post(f"/backups/b{number}", body)

    def found(**search):
        return [backup["backup_id"] for backup in tenant.get("/backups", search).json["backups"]]

    assert found(match=[{"backup_name": "etc1"}]) == ["b1", "b3"]
    assert found(time_after=100, time_before=200) == ["b1", "b2"]
    assert found(match=[{"backup_name": "etc1"}], time_after=200) == ["b3"]
    assert found(match=[{"_all": "ETC0"}]) == ["b0", "b2"]


def test_a_backup_is_wrapped_and_what_was_sent_stays_as_it_was(tenant):
    metadata = {
        "backup_name": "etc",
        "container": "c",
        "hostname": "h",
        "time_stamp": 5,
        "user_id": "whatever",
        "broken_links": ["a", "b"],
        "nested": {"deep": [1, None, True]},
    }
    backup_id = tenant.post("/backups", metadata).json["backup_id"]
    shown = tenant.get(f"/backups/{backup_id}").json
    shown.pop("_version", None)
    assert shown == {
        "backup_id": backup_id,
        "user_id": tenant.user_id,
        "user_name": tenant.user_id,
        "project_id": tenant.project_id,
        "status": "available",
        "backup_metadata": metadata,
    }


@pytest.mark.parametrize("missing", ["container", "hostname", "backup_name"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_backup_says_where_it_lies(tenant, missing, value):
    body = {"backup_name": "etc", "container": "c", "hostname": "h", missing: value}
    if value is None:
        del body[missing]
    reply = tenant.post("/backups", body)
    assert reply.status == 400
    expected = 400 if missing == "backup_name" else 201
    assert tenant.post("/backups", {**body, "status": "creating"}).status == expected


def test_a_backup_may_call_its_host_as_the_readme_does(tenant):
    assert tenant.post("/backups", {"backup_name": "n", "container": "c", "host_name": "h"}).status == 201


def test_the_status_of_a_backup_changes_with_it(tenant):
    tenant.post("/backups/b", {"backup_name": "n", "status": "creating"})
    assert tenant.get("/backups/b").json["status"] == "creating"
    changed = tenant.patch("/backups/b", {"status": "available", "container": "c"}).json
    assert (changed["status"], changed["backup_metadata"]["container"]) == ("available", "c")
    changed = tenant.patch("/backups/b", {"backup_metadata": {"level": 3}}).json
    assert (changed["status"], changed["backup_metadata"]["level"]) == ("available", 3)
    assert tenant.patch("/backups/b", {"status": "lost"}).status == 400


def test_a_replaced_client_keeps_its_uuid(tenant):
    tenant.post("/clients", {"client_id": "db1"})
    uuid = tenant.get("/clients/db1").json["client"]["uuid"]
    tenant.post("/clients/db1", {"description": "replaced"})
    client = tenant.get("/clients/db1").json["client"]
    assert client == {"client_id": "db1", "uuid": uuid, "description": "replaced"}
