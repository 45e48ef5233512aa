# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Lists: parameters that narrow them, pages of any number of documents, and answers that spare the reading."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

ACTION = {"freezer_action": {"action": "backup", "path_to_backup": "/etc", "container": "c1", "mode": "fs"}}
BACKUP = {"backup_name": "n", "container": "c", "hostname": "h"}


def a_job(client_id="db1", **schedule):
    return {"client_id": client_id, "job_actions": [ACTION], "job_schedule": schedule}


def write_many(tenant, count):
    for start in range(0, count, 1000):
        items = [
            {"op": "replace", "action_id": f"a{number:05}", "document": ACTION}
            for number in range(start, min(start + 1000, count))
        ]
        assert tenant.post("/actions:batch", {"items": items}).status == 200


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ("client_id=db1", ["a", "b"]),
        ("client_id=db2", ["c"]),
        ("client_id=DB1", []),
        ("client_id=", []),
        ("client_id=db1&status=running", ["b"]),
        ("client_id=db1&client_id=db2", []),
        ("status=completed", ["c"]),
        ("event=stop", ["a"]),
        ("client_id=db1&search=" + quote('{"match_not": [{"status": "running"}]}'), ["a"]),
        ("client_id=db1&limit=1&offset=1", ["b"]),
    ],
)
def test_a_list_is_narrowed_by_parameters(tenant, parameters, found):
    tenant.post("/jobs/a", a_job(event="stop"))
    tenant.post("/jobs/b", a_job(status="running"))
    tenant.post("/jobs/c", a_job("db2", status="completed"))
    assert tenant.ids(f"/jobs?{parameters}", "job_id") == found


def test_parameters_and_the_search_in_the_body_have_to_match_both(tenant):
    tenant.post("/jobs/a", a_job(status="running"))
    tenant.post("/jobs/b", a_job())
    found = tenant.get("/jobs?client_id=db1", {"match_not": [{"status": "running"}]}).json["jobs"]
    assert [job["job_id"] for job in found] == ["b"]


def test_every_kind_has_parameters(tenant):
    tenant.post("/clients", {"client_id": "db1", "hostname": "db1.example"})
    tenant.post("/actions/a", ACTION)
    tenant.post("/sessions/s", {"schedule": {}})
    for number in range(3):
        tenant.post(f"/backups/b{number}", {**BACKUP, "time_stamp": 100 * number})
    for path, found in (
        ("/clients?hostname=db1.example", 1),
        ("/actions?container=c1&mode=fs&action=backup", 1),
        ("/actions?container=c2", 0),
        ("/sessions?status=active", 1),
        ("/backups?container=c&hostname=h&backup_name=n&status=available", 3),
        ("/backups?time_after=100&time_before=150", 1),
    ):
        plural = path[1:].partition("?")[0]
        assert len(tenant.get(path).json[plural]) == found, path


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/jobs?client=db1", "client_id"),
        ("/jobs?Client_id=db1", "client_id"),
        ("/jobs?hostname=db1", "hostname"),
        ("/jobs?time_after=1", "time_after"),
        ("/backups?time_after=yesterday", "seconds since 1970"),
        ("/backups?time_after=9223372036854775808", "seconds since 1970"),
        ("/jobs?limit=", "limit"),
        ("/jobs?all_projects=", "true or false"),
        ("/jobs?etags=perhaps", "true or false"),
    ],
)
def test_a_parameter_that_is_not_understood_is_not_ignored(tenant, path, says):
    reply = tenant.get(path)
    assert reply.status == 400
    assert says in reply.json["description"]


def test_any_number_of_documents_is_read_in_pages(tenant):
    write_many(tenant, 2345)
    assert tenant.get("/actions?limit=1001").status == 400
    pages = [tenant.ids(f"/actions?limit=1000&offset={offset}", "action_id") for offset in (0, 1000, 2000, 3000)]
    assert [len(page) for page in pages] == [1000, 1000, 345, 0]
    assert [action_id for page in pages for action_id in page] == [f"a{number:05}" for number in range(2345)]


def test_a_list_can_bring_the_etags_of_its_documents(tenant):
    for name in ("a", "b"):
        tenant.post(f"/actions/{name}", ACTION)
    listed = tenant.get("/actions?etags=true").json
    assert listed["etags"] == [tenant.get(f"/actions/{name}").headers["etag"] for name in ("a", "b")]
    assert tenant.patch("/actions/b", {}, If_Match=listed["etags"][1]).status == 200
    assert tenant.patch("/actions/b", {}, If_Match=listed["etags"][1]).status == 412
    assert list(tenant.get("/actions").json) == ["actions"]


@pytest.mark.parametrize("path", ["/actions", "/actions/a", "/actions?container=c1&limit=1000"])
def test_what_a_client_has_seen_is_not_sent_again(tenant, path):
    tenant.post("/actions/a", ACTION)
    seen = tenant.get(path)
    again = tenant.get(path, If_None_Match=seen.headers["etag"])
    assert (again.status, again.text) == (304, "")
    assert again.headers["etag"] == seen.headers["etag"]
    assert tenant.get(path, If_None_Match='"other", ' + seen.headers["etag"]).status == 304
    assert tenant.get(path, If_None_Match="*").status == 304
    assert tenant.get(path, If_None_Match='"other"').status == 200

    tenant.patch("/actions/a", {"description": "new"})
    changed = tenant.get(path, If_None_Match=seen.headers["etag"])
    assert changed.status == 200
    assert changed.text != seen.text
    assert changed.headers["etag"] != seen.headers["etag"]


@pytest.mark.parametrize(
    "write",
    [
        lambda tenant: tenant.post("/jobs/b", a_job()),
        lambda tenant: tenant.post("/jobs/a", a_job("db2")),
        lambda tenant: tenant.post("/jobs/a/event", {"start": None}),
        lambda tenant: tenant.delete("/jobs/a"),
        lambda tenant: tenant.post("/jobs:batch", {"items": [{"op": "delete", "job_id": "a"}]}),
        lambda tenant: tenant.put("/sessions/s/jobs/a"),
    ],
)
def test_every_write_changes_the_state_of_a_list(tenant, write):
    tenant.post("/sessions/s", {"schedule": {}})
    tenant.post("/jobs/a", a_job())
    seen = tenant.get("/jobs").headers["etag"]
    assert tenant.get("/jobs", If_None_Match=seen).status == 304
    assert write(tenant).status < 300
    assert tenant.get("/jobs", If_None_Match=seen).status == 200


def test_other_questions_and_other_askers_have_other_states(tenant, freezer_api):
    tenant.post("/actions/a", ACTION)
    tags = [
        tenant.get("/actions").headers["etag"],
        tenant.get("/actions?limit=5").headers["etag"],
        tenant.get("/actions?etags=1").headers["etag"],
        tenant.get("/actions", {"match": [{"container": "c2"}]}).headers["etag"],
        tenant.get("/actions?search=" + quote(json.dumps({"match_not": [{"container": "c2"}]}))).headers["etag"],
        tenant.get("/actions", X_Auth_Token=f"{tenant.user_id}:{tenant.project_id}:reader").headers["etag"],
    ]
    assert len(set(tags)) == len(tags)
    if tenant.version == 1:
        other = tenant.get("/actions", X_Auth_Token="other:other")
        assert other.headers["etag"] not in tags
        assert other.json == {"actions": []}
        assert tenant.get("/actions", X_Auth_Token="other:other", If_None_Match=tags[0]).status == 200


def test_an_answer_is_not_kept_for_others(tenant):
    tenant.post("/actions/a", ACTION)
    for path in ("/actions", "/actions/a"):
        headers = tenant.get(path).headers
        assert headers["cache-control"] == "private, no-cache"
        assert headers["vary"] == "X-Auth-Token, Authorization"
