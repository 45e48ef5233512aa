# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The registry against a real API."""

from __future__ import annotations

import time

import pytest
from support.faulty_server import FaultyServer, answer

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client import collection
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.ensure import ensure
from ansible_collections.freezer.backup.plugins.module_utils._engine.http import errors


@pytest.fixture(params=[1, 2])
def registry(request, freezer_api, project_id):
    """Version 1 scopes documents by user, and the API knows one user here; so ids are the test's own."""
    registry = connect(freezer_api.url, project_id=project_id, api_version=request.param)
    yield registry
    registry.close()


def test_a_document_can_be_made_read_changed_replaced_and_deleted(registry, project_id):
    action_id = project_id
    registry.actions.replace(action_id, {"freezer_action": {"action": "info"}})
    registry.actions.patch(action_id, {"freezer_action": {"mode": "fs"}})
    assert registry.actions.get(action_id)["freezer_action"] == {"action": "info", "mode": "fs"}
    registry.actions.replace(action_id, {"freezer_action": {"action": "admin"}})
    assert registry.actions.get(action_id)["freezer_action"] == {"action": "admin"}
    assert registry.actions.delete(action_id)
    assert registry.actions.get(action_id) is None
    assert not registry.actions.delete(action_id)


def test_a_new_document_gets_an_id(registry):
    action_id = registry.actions.create({"freezer_action": {"action": "info"}})
    assert registry.actions.get(action_id)["action_id"] == action_id


def test_all_goes_through_every_page(registry, project_id, monkeypatch):
    monkeypatch.setattr(collection, "PAGE", 10)
    monkeypatch.setattr(collection, "SMALLEST_CUT_PAGE", 5)
    ids = {f"{project_id}_{number}" for number in range(33)}
    for action_id in ids:
        registry.actions.replace(action_id, {"freezer_action": {"action": "info", "backup_name": project_id}})
    found = [action["action_id"] for action in registry.actions.all({"match": [{"backup_name": project_id}]})]
    assert len(found) == 33
    assert set(found) == ids


def test_a_server_that_cuts_pages_short_is_asked_until_nothing_comes(monkeypatch):
    monkeypatch.setattr(collection, "SMALLEST_CUT_PAGE", 2)
    pages = [[{"job_id": "a"}, {"job_id": "b"}], [{"job_id": "b"}, {"job_id": "c"}], []]
    with FaultyServer([answer(200, {"jobs": page}) for page in pages]) as server:
        assert [job["job_id"] for job in connect(server.url).jobs.all()] == ["a", "b", "c"]
    assert [request.path.partition("?")[2] for request in server.requests] == [
        f"limit=1000&offset={offset}" for offset in (0, 2, 4)
    ]


def test_what_the_api_rejects_is_told_in_its_own_words(registry):
    with pytest.raises(errors.Rejected, match=r"'freezer_action' is a required property") as caught:
        registry.actions.create({"description": "x"})
    assert caught.value.status == 400


def test_the_same_client_twice_is_not_lost(registry, project_id):
    client_id = project_id.replace("_", "-")
    first = ensure(registry.clients, {"client_id": client_id, "description": "one"})
    second = ensure(registry.clients, {"client_id": client_id, "description": "two"})
    assert (first.changed, second.changed) == (True, True)
    assert registry.clients.get(client_id)["client"]["description"] == "two"


def test_an_event_is_new_once(registry, project_id):
    registry.jobs.replace(project_id, {"client_id": "db1", "job_actions": [], "job_schedule": {}})
    assert registry.job_event(project_id, "start")
    assert not registry.job_event(project_id, "start")
    with pytest.raises(errors.NotFound):
        registry.job_event("nobody", "start")


@pytest.mark.parametrize(
    ("end", "version", "project"),
    [("", 2, "default"), ("/", 2, "default"), ("/v1", 1, "default"), ("/v2/", 2, "default"), ("/v2/p1", 2, "p1")],
)
def test_an_address_may_carry_version_and_project(freezer_api, end, version, project):
    registry = connect(freezer_api.url + end)
    assert (registry.url, registry.api_version, registry.project_id) == (freezer_api.url, version, project)
    assert registry.jobs.get("nobody") is None


def test_an_address_below_a_path_keeps_the_path():
    with FaultyServer([answer(200, {"jobs": []})]) as server:
        assert connect(server.url + "/backup/v2/p1").jobs.list() == []
    assert server.requests[0].path == "/backup/v2/p1/jobs?limit=10&offset=0"


@pytest.mark.parametrize(
    ("end", "options", "sentence"),
    [
        ("/v1", {"api_version": 2}, "address of version 1 of the API, api_version is 2"),
        ("/v2/p1", {"project_id": "p2"}, "names another project than project_id p2"),
        ("", {"api_version": 3}, "api_version is 3, Freezer has 1 and 2"),
        ("", {"timeout_seconds": 0}, "timeout_seconds has to be more than 0"),
    ],
)
def test_options_that_contradict_each_other_are_refused(end, options, sentence):
    with pytest.raises(errors.BadAddress, match=sentence):
        connect("http://127.0.0.1:9" + end, **options)


@pytest.mark.parametrize("document", [[], {"titles": []}, None])
def test_something_else_than_a_freezer_api_is_recognised(document):
    with FaultyServer([answer(200, document)] * 3) as server:
        registry = connect(server.url)
        with pytest.raises(errors.WrongService, match="without a list of jobs"):
            registry.jobs.list()
        with pytest.raises(errors.WrongService, match="without a job_id"):
            registry.jobs.create({})
        with pytest.raises(errors.WrongService, match="without a session_tag"):
            registry.session_action("s", "start", "j", 0)


def test_what_a_scheduler_writes_while_a_job_is_replaced_is_not_lost(freezer_api, project_id, monkeypatch):
    registry = connect(freezer_api.url, project_id=project_id)
    scheduler = connect(freezer_api.url, project_id=project_id)
    job = {
        "job_id": "j",
        "client_id": "db1",
        "job_actions": [],
        "job_schedule": {"schedule_date": "2030-01-01T00:00:00"},
    }
    ensure(registry.jobs, job)
    read, reads = registry.jobs.read, []

    def read_slowly(document_id):
        answer = read(document_id)
        reads.append(document_id)
        if len(reads) in (2, 3):  # behind the read on which the replacement builds, and the next one
            scheduler.jobs.patch("j", {"job_schedule": {"status": "running", "current_pid": len(reads)}})
        return answer

    monkeypatch.setattr(registry.jobs, "read", read_slowly)
    ensure(registry.jobs, {**job, "job_schedule": {"schedule_interval": "1 days"}})
    schedule = scheduler.jobs.get("j")["job_schedule"]
    assert schedule.pop("time_created")
    assert schedule == {
        "schedule_interval": "1 days",
        "status": "running",
        "current_pid": 3,
        "time_started": -1,
        "time_ended": -1,
    }


def test_a_document_that_never_rests_is_a_conflict(freezer_api, project_id, monkeypatch):
    registry = connect(freezer_api.url, project_id=project_id)
    scheduler = connect(freezer_api.url, project_id=project_id)
    action = {"action_id": "a", "freezer_action": {"action": "info", "max_level": 1}}
    ensure(registry.actions, action)
    read = registry.actions.read

    def read_slowly(document_id):
        answer = read(document_id)
        scheduler.actions.patch("a", {"description": str(time.monotonic())})
        return answer

    monkeypatch.setattr(registry.actions, "read", read_slowly)
    with pytest.raises(errors.Conflict, match="changes too quickly"):
        ensure(registry.actions, {"action_id": "a", "freezer_action": {"action": "info"}})
