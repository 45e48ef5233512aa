# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Many documents written in one request, each with an answer of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

ACTION = {
    "freezer_action": {
        "action": "backup",
        "path_to_backup": "/etc",
        "backup_name": "etc",
        "storage": "local",
        "container": "/backups",
    }
}


def a_job(client_id="db1", **keys):
    return {"client_id": client_id, "job_actions": [ACTION], **keys}


def send(tenant, items, plural="jobs"):
    reply = tenant.post(f"/{plural}:batch", {"items": items})
    assert reply.status == 200, reply.text
    answers = reply.json["items"]
    assert len(answers) == len(items)
    return answers


def test_every_item_is_done_and_answered_in_order(tenant):
    tenant.post("/jobs/old", a_job())
    tenant.post("/jobs/changed", a_job())
    tenant.post("/jobs/gone", a_job())
    answers = send(
        tenant,
        [
            {"op": "replace", "job_id": "new", "document": a_job("db2")},
            {"op": "replace", "job_id": "old", "document": a_job("db3")},
            {"op": "patch", "job_id": "changed", "changes": {"description": "x"}},
            {"op": "delete", "job_id": "gone"},
        ],
    )
    assert answers == [
        {"job_id": "new", "status": 201, "version": 1},
        {"job_id": "old", "status": 200, "version": 2},
        {"job_id": "changed", "status": 200, "version": 2},
        {"job_id": "gone", "status": 204},
    ]
    assert tenant.ids("/jobs", "job_id") == ["old", "changed", "new"]
    assert tenant.get("/jobs/old").json["client_id"] == "db3"
    assert tenant.get("/jobs/changed").json["description"] == "x"


def test_what_cannot_be_done_says_so_and_keeps_nothing_else_from_being_done(tenant):
    tenant.post("/jobs/kept", a_job())
    answers = send(
        tenant,
        [
            {"op": "replace", "job_id": "a", "document": a_job()},
            {"op": "replace", "job_id": "bad", "document": {"client_id": "db1"}},
            {"op": "replace", "job_id": "bad", "document": a_job(odd=1)},
            {"op": "patch", "job_id": "nowhere", "changes": {}},
            {"op": "delete", "job_id": "nowhere"},
            {"op": "patch", "job_id": "kept", "changes": {"client_id": 5}},
            {"op": "replace", "job_id": "kept", "document": a_job(), "if_match": '"0-0"'},
            {"op": "replace", "job_id": "no such/id", "document": a_job()},
            {"op": "replace", "job_id": "large", "document": a_job(description="x" * 1_100_000)},
            {"op": "replace", "job_id": "z", "document": a_job()},
        ],
    )
    assert [answer["status"] for answer in answers] == [201, 400, 400, 404, 404, 400, 412, 400, 413, 201]
    for answer in answers:
        assert (answer["status"] >= 400) == ("title" in answer) == ("description" in answer)
        assert ("version" in answer) == (answer["status"] == 201)
    assert tenant.ids("/jobs", "job_id") == ["kept", "a", "z"]


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        "delete",
        {},
        {"op": "delete"},
        {"op": "delete", "job_id": None},
        {"op": "delete", "job_id": ["a"]},
        {"op": ["delete"], "job_id": "a"},
        {"op": "create", "job_id": "a", "document": {}},
        {"op": "replace", "job_id": "a"},
        {"op": "replace", "job_id": "a", "document": None},
        {"op": "replace", "job_id": "a", "document": {}},
        {"op": "replace", "job_id": "a", "changes": {}},
        {"op": "patch", "job_id": "a", "changes": []},
        {"op": "delete", "job_id": "a", "if_match": 1},
        {"op": "delete", "job_id": "a", "If-Match": "x"},
        {"op": "delete", "action_id": "a"},
    ],
    ids=str,
)
def test_an_item_that_is_not_understood_is_refused_alone(tenant, item):
    refused, done = send(tenant, [item, {"op": "replace", "job_id": "b", "document": a_job()}])
    assert refused["status"] == 400
    assert refused["description"]
    assert done["status"] == 201


@pytest.mark.parametrize(
    "body", [{}, {"items": None}, {"items": {}}, {"jobs": []}, {"items": [], "prune": True}, {"items": [{}] * 1001}]
)
def test_a_body_that_is_not_understood_is_refused_whole(tenant, body):
    reply = tenant.post("/jobs:batch", body)
    assert reply.status == 400
    assert tenant.ids("/jobs", "job_id") == []


def test_no_items_are_no_work(tenant):
    assert send(tenant, []) == []


def test_writes_of_one_id_are_made_in_their_order(tenant):
    answers = send(
        tenant,
        [
            {"op": "patch", "job_id": "a", "changes": {}},
            {"op": "replace", "job_id": "a", "document": a_job()},
            {"op": "patch", "job_id": "a", "changes": {"description": "first"}},
            {"op": "patch", "job_id": "a", "changes": {"description": "second"}},
            {"op": "replace", "job_id": "b", "document": a_job()},
            {"op": "delete", "job_id": "a"},
            {"op": "delete", "job_id": "a"},
            {"op": "replace", "job_id": "a", "document": a_job(description="third")},
        ],
    )
    assert [answer["status"] for answer in answers] == [404, 201, 200, 200, 201, 204, 404, 201]
    assert tenant.get("/jobs/a").json["description"] == "third"


def test_a_state_can_be_named_from_which_a_write_was_made(tenant):
    tenant.post("/jobs/a", a_job())
    seen = tenant.get("/jobs/a").headers["etag"]
    item = {"op": "patch", "job_id": "a", "changes": {"description": "x"}, "if_match": seen}
    assert [answer["status"] for answer in send(tenant, [item, item])] == [200, 412]


def test_jobs_bring_the_documents_of_their_actions(tenant):
    shared = {"action_id": "shared", **ACTION}
    items = [
        {"op": "replace", "job_id": f"j{number}", "document": {"client_id": "db1", "job_actions": [ACTION, shared]}}
        for number in range(3)
    ]
    assert {answer["status"] for answer in send(tenant, items)} == {201}
    actions = tenant.get("/actions").json["actions"]
    assert len(actions) == 4
    assert {action.get("job_id") for action in actions} == {None, "j0", "j1", "j2"}
    send(tenant, [{"op": "delete", "job_id": f"j{number}"} for number in range(3)])
    assert tenant.ids("/actions", "action_id") == ["shared"]


@pytest.mark.parametrize(
    ("plural", "id_key", "document"),
    [
        ("actions", "action_id", ACTION),
        ("sessions", "session_id", {"schedule": {}}),
        ("clients", "client_id", {"hostname": "db1"}),
        ("backups", "backup_id", {"backup_name": "n", "container": "c", "hostname": "h"}),
    ],
)
def test_all_kinds_of_documents_can_be_sent(tenant, plural, id_key, document):
    items = [
        {"op": "replace", id_key: "one", "document": document},
        {"op": "replace", id_key: "two", "document": document},
        {"op": "delete", id_key: "one"},
    ]
    assert [answer["status"] for answer in send(tenant, items, plural)] == [201, 201, 204]
    assert tenant.get(f"/{plural}/one").status == 404
    assert tenant.get(f"/{plural}/two").status == 200


def test_others_see_and_lose_nothing(tenant, freezer_api):
    tenant.post("/jobs/mine", a_job())
    other = {"X-Auth-Token": "other:other-project:member"}
    base = "/v1" if tenant.version == 1 else "/v2/other-project"
    items = [{"op": "delete", "job_id": "mine"}, {"op": "patch", "job_id": "mine", "changes": {}}]
    reply = freezer_api.request("POST", f"{base}/jobs:batch", {"items": items}, other)
    assert [answer["status"] for answer in reply.json["items"]] == [404, 404]
    assert freezer_api.request("POST", tenant.base + "/jobs:batch", {"items": items}, other).status in (200, 403)
    assert tenant.get("/jobs/mine").json["client_id"] == "db1"


def test_a_reader_cannot_send_one(tenant):
    token = f"{tenant.user_id}:{tenant.project_id}:reader"
    assert tenant.post("/jobs:batch", {"items": []}, X_Auth_Token=token).status == 403


def test_a_thousand_jobs_fit_and_are_there_afterwards(tenant):
    items = [
        {"op": "replace", "job_id": f"j{number:04}", "document": a_job(description="x" * 1500)}
        for number in range(1000)
    ]
    assert {answer["status"] for answer in send(tenant, items)} == {201}
    assert tenant.ids("/jobs?limit=1000", "job_id") == [f"j{number:04}" for number in range(1000)]
    assert {answer["version"] for answer in send(tenant, items)} == {2}


def test_batches_that_race_lose_no_write(tenant):
    tenant.post("/sessions/s", {"schedule": {}})
    count, rounds = 8, 5

    def write(number):
        for turn in range(rounds):
            items = [
                {"op": "patch", "session_id": "s", "changes": {f"from_{number}": turn}},
                {"op": "patch", "session_id": "s", "changes": {f"also_{number}": turn}},
            ]
            assert {answer["status"] for answer in send(tenant, items, "sessions")} == {200}

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(write, range(count)))
    session = tenant.get("/sessions/s").json
    assert {session[f"{word}_{number}"] for number in range(count) for word in ("from", "also")} == {rounds - 1}
    if tenant.version == 1:
        assert session["_version"] == 1 + count * rounds * 2
