# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Many writes at once, against a real API; a scripted one only for what a real one does not do when it is asked to."""

from __future__ import annotations

import pytest
from support.faulty_server import FaultyServer, answer

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import JOB
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client import batch
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.batch import carry_out_all
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.plan import Result, removal, storage
from ansible_collections.freezer.backup.plugins.module_utils._engine.http import errors


@pytest.fixture
def jobs(freezer_api, project_id):
    return connect(freezer_api.url, project_id=project_id).jobs


def wanted(job_id, **more):
    return {"job_id": job_id, "client_id": "db1", "job_actions": [], "job_schedule": {}, **more}


def plans(collection, *documents):
    return [storage(JOB, document, collection.get(document["job_id"])) for document in documents]


def test_plans_of_every_sort_are_carried_out_together(jobs):
    first = [wanted("patched"), wanted("replaced", job_schedule={"schedule_hour": "1"}), wanted("deleted")]
    carry_out_all(jobs, plans(jobs, *first), continue_on_error=False)
    several = plans(jobs, wanted("new"), wanted("patched", description="d"), wanted("replaced"))
    several.append(removal(JOB, jobs.get("deleted")))
    outcomes = carry_out_all(jobs, several, continue_on_error=False)
    assert [outcome.changed for outcome in outcomes] == [True] * 4
    found = {job["job_id"]: job for job in jobs.all()}
    assert set(found) == {"new", "patched", "replaced"}
    assert found["patched"]["description"] == "d"
    assert "schedule_hour" not in found["replaced"]["job_schedule"]


def test_what_a_scheduler_writes_while_many_jobs_are_replaced_is_not_lost(jobs, monkeypatch):
    names = ("a", "b", "c")
    with_hour = [wanted(name, job_schedule={"schedule_hour": "1"}) for name in names]
    carry_out_all(jobs, plans(jobs, *with_hour), continue_on_error=False)
    several = plans(jobs, *(wanted(name, job_schedule={"schedule_minute": "1"}) for name in names))
    read, reads = jobs.read, []

    def read_slowly(document_id):
        found = read(document_id)
        reads.append(document_id)
        if reads.count("b") < 3 and document_id == "b":  # behind the reads on which two replacements build
            jobs.patch("b", {"job_schedule": {"status": "running", "current_pid": len(reads)}})
        return found

    monkeypatch.setattr(jobs, "read", read_slowly)
    outcomes = carry_out_all(jobs, several, continue_on_error=False)
    assert [outcome.changed for outcome in outcomes] == [True] * 3
    assert reads == ["a", "b", "c", "b", "b"]
    schedule = read("b")[0]["job_schedule"]
    assert (schedule["status"], schedule["schedule_minute"]) == ("running", "1")
    assert "schedule_hour" not in schedule


def test_a_state_that_was_listed_with_its_tag_is_read_again_only_when_it_has_changed(jobs, monkeypatch):
    with_hour = [wanted(name, job_schedule={"schedule_hour": "1"}) for name in ("a", "b")]
    carry_out_all(jobs, plans(jobs, *with_hour), continue_on_error=False)
    listed = {job["job_id"]: (job, tag) for job, tag in jobs.all_tagged()}
    several = [storage(JOB, wanted(name), job) for name, (job, _tag) in listed.items()]
    jobs.patch("b", {"job_schedule": {"status": "running"}})
    read, reads = jobs.read, []
    monkeypatch.setattr(jobs, "read", lambda document_id: reads.append(document_id) or read(document_id))
    tags = {name: tag for name, (_job, tag) in listed.items()}
    outcomes = carry_out_all(jobs, several, continue_on_error=False, tags=tags)
    assert [outcome.changed for outcome in outcomes] == [True, True]
    assert reads == ["b"]
    assert read("b")[0]["job_schedule"]["status"] == "running"
    assert all("schedule_hour" not in job["job_schedule"] for job in jobs.all())


def test_a_job_that_never_rests_is_a_conflict_and_the_others_are_done(jobs, monkeypatch):
    carry_out_all(jobs, plans(jobs, wanted("a", job_schedule={"schedule_hour": "1"})), continue_on_error=False)
    several = plans(jobs, wanted("a"), wanted("b"))
    read = jobs.read

    def read_slowly(document_id):
        found = read(document_id)
        jobs.patch("a", {"job_schedule": {"current_pid": found[0]["job_schedule"].get("current_pid", 0) + 1}})
        return found

    monkeypatch.setattr(jobs, "read", read_slowly)
    refused, done = carry_out_all(jobs, several, continue_on_error=False)
    assert isinstance(refused, errors.Conflict)
    assert isinstance(done, Result)


def test_a_job_that_vanishes_meanwhile_is_told_and_its_removal_is_no_error(jobs):
    carry_out_all(jobs, plans(jobs, wanted("a"), wanted("b")), continue_on_error=False)
    several = [*plans(jobs, wanted("a", description="new")), removal(JOB, jobs.get("b"))]
    jobs.delete("a")
    jobs.delete("b")
    vanished, gone = carry_out_all(jobs, several, continue_on_error=True)
    assert isinstance(vanished, errors.NotFound)
    assert isinstance(gone, Result)
    assert not gone.changed


def test_no_request_is_larger_than_servers_take(jobs, monkeypatch):
    monkeypatch.setattr(batch, "BATCH_BYTES", 2000)
    sizes = []
    send = jobs.batch

    def watched(operations):
        sizes.append(len(operations))
        return send(operations)

    monkeypatch.setattr(jobs, "batch", watched)
    several = plans(jobs, *(wanted(f"j{number}", description="d" * 400) for number in range(10)))
    carry_out_all(jobs, several, continue_on_error=False)
    assert sizes == [3, 3, 3, 1]
    assert len(list(jobs.all())) == 10


STORED = {"job_id": "a", "client_id": "db1", "job_actions": [], "job_schedule": {}}


@pytest.mark.parametrize("status", [404, 405, 413])
def test_a_server_without_such_a_route_is_asked_one_by_one(status):
    script = [answer(status), answer(201, {}), answer(200, {**STORED, "job_id": "a"}, {"ETag": '"1"'})]
    script += [answer(201, {}), answer(200, {**STORED, "job_id": "b"}, {"ETag": '"1"'})]
    with FaultyServer(script) as server:
        collection = connect(server.url).jobs
        several = [storage(JOB, wanted(name), None) for name in "ab"]
        outcomes = carry_out_all(collection, several, continue_on_error=False)
    assert [outcome.changed for outcome in outcomes] == [True, True]
    assert [f"{request.method} {request.path.rpartition('/')[2]}" for request in server.requests] == [
        "POST jobs:batch",
        "POST a",
        "GET a",
        "POST b",
        "GET b",
    ]


def test_what_a_lost_server_leaves_undone_is_told_for_each(monkeypatch):
    monkeypatch.setattr(batch, "BATCH_ITEMS", 1)
    failure = answer(500, {"title": "Internal Server Error", "description": "its log has the error"})
    with FaultyServer([answer(200, {"items": [{"status": 201}]}), failure]) as server:
        collection = connect(server.url).jobs
        several = [storage(JOB, wanted(name), None) for name in "abc"]
        done, failed, untried = carry_out_all(collection, several, continue_on_error=False)
    assert isinstance(done, Result)
    assert isinstance(failed, errors.ServerError)
    assert untried is None


def test_an_answer_that_fits_nothing_is_recognised():
    with FaultyServer([answer(200, {"items": []})]) as server:
        with pytest.raises(errors.WrongService, match="without an answer for each item"):
            connect(server.url).jobs.batch([{"op": "delete", "job_id": "a"}])
