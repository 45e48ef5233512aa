# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole lists of jobs in one call."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

ETC = {"action": "backup", "path_to_backup": "/etc", "backup_name": "etc", "storage": "local", "container": "/backups"}


def job(job_id: str, client_id: str = "db1", **more: Any) -> dict[str, Any]:
    return {"job_id": job_id, "client_id": client_id, "job_actions": [{"freezer_action": ETC}], **more}


def outcomes(result: dict[str, Any]) -> list[str]:
    return [entry["outcome"] for entry in result["results"]]


def stored(api) -> dict[str, dict[str, Any]]:
    return {found["job_id"]: found for found in api.registry.jobs.all()}


def failed(api, **options: Any) -> dict[str, Any]:
    """Run the module, which has to fail with a sentence."""
    result = api.attempt("job_set", **options)
    assert result["failed"]
    assert "\n" not in result["msg"]
    return result


def test_a_list_is_made_once_changed_once_and_then_left_alone(api):
    jobs = [job("a"), job("b", job_schedule={"schedule_interval": "1 days"}), job("c", description="third")]
    made = api.run_as_checked("job_set", jobs=jobs)
    assert made["changed"]
    assert outcomes(made) == ["created"] * 3
    assert [entry["job_id"] for entry in made["results"]] == ["a", "b", "c"]
    assert made["diff"]["before"] == {"a": {}, "b": {}, "c": {}}
    again = api.run_as_checked("job_set", jobs=jobs)
    assert not again["changed"]
    assert outcomes(again) == ["unchanged"] * 3
    assert again["diff"] == {"before": {}, "after": {}}

    jobs[1]["job_schedule"] = {"schedule_hour": "3"}
    jobs[2]["description"] = "last"
    changed = api.run_as_checked("job_set", jobs=jobs)
    assert outcomes(changed) == ["unchanged", "changed", "changed"]
    assert changed["results"][2]["diff"]["before"]["description"] == "third"
    assert stored(api)["b"]["job_schedule"].keys() & {"schedule_interval", "schedule_hour"} == {"schedule_hour"}
    assert not api.run_as_checked("job_set", jobs=jobs)["changed"]


def test_it_stores_what_the_module_job_stores(api):
    options = job("a", description="d", action_defaults={"max_level": 7}, job_schedule={"schedule_hour": "2"})
    api.run("job_set", jobs=[options])
    assert not api.run("job", **options)["changed"]
    api.run("job", **{**options, "description": "other"})
    assert outcomes(api.run("job_set", jobs=[options])) == ["changed"]


def test_documents_as_info_returns_them_change_nothing(api):
    api.run("job_set", jobs=[job(name, description=name) for name in "abc"])
    found = api.run("job_info")["jobs"]
    assert not api.run_as_checked("job_set", jobs=found)["changed"]


def test_the_jobs_of_one_project_can_be_copied_to_another(api):
    api.run("job_set", jobs=[job(name, description=name) for name in "abc"])
    copies = api.run("job_info")["jobs"]
    other = api.project_id + "_copy"
    assert outcomes(api.run("job_set", jobs=copies, project_id=other)) == ["created"] * 3
    assert not api.run("job_set", jobs=copies, project_id=other)["changed"]


def test_without_ids_client_and_description_say_which_jobs_are_meant(api):
    jobs = [{**job("x", client_id=client), "job_id": None, "description": "nightly"} for client in ("db1", "db2")]
    promised = api.check("job_set", jobs=jobs)
    assert [entry["job_id"] for entry in promised["results"]] == [None, None]
    made = api.run("job_set", jobs=jobs)
    assert {entry["job_id"] for entry in made["results"]} == set(stored(api))
    assert promised["diff"] == made["diff"]
    assert set(made["diff"]["after"]) == {"db1 / nightly", "db2 / nightly"}
    assert not api.run_as_checked("job_set", jobs=jobs)["changed"]


def test_what_the_scheduler_wrote_is_kept_whatever_is_changed(api):
    api.run("job_set", jobs=[job("a", job_schedule={"schedule_hour": "2"}), job("b")])
    written = {"status": "running", "current_pid": 12, "result": "success"}
    for name in "ab":
        api.registry.jobs.patch(name, {"job_schedule": written})
    jobs = [job("a", job_schedule={"schedule_minute": "3"}), job("b", description="new")]
    assert outcomes(api.run_as_checked("job_set", jobs=jobs)) == ["changed"] * 2
    for found in stored(api).values():
        assert written.items() <= found["job_schedule"].items()


def test_prune_removes_the_other_jobs_of_the_named_clients_only(api):
    api.run("job_set", jobs=[job("a"), job("b"), job("other", client_id="db2"), job("third", client_id="db3")])
    result = api.run_as_checked("job_set", jobs=[job("a")], prune=True, client_id=["db1", "db3"])
    assert [(entry["job_id"], entry["outcome"]) for entry in result["results"]] == [
        ("a", "unchanged"),
        ("b", "pruned"),
        ("third", "pruned"),
    ]
    assert set(stored(api)) == {"a", "other"}
    assert not api.run_as_checked("job_set", jobs=[job("a")], prune=True, client_id=["db1", "db3"])["changed"]


def test_prune_alone_names_no_client_and_is_refused(api):
    assert "prune is True but all of the following are missing: client_id" in api.sentence(
        "job_set", jobs=[job("a")], prune=True
    )
    assert "prune needs client_id" in api.sentence("job_set", jobs=[job("a")], prune=True, client_id=[])
    assert stored(api) == {}


def test_a_job_to_ignore_is_neither_changed_nor_pruned(api):
    api.run("job_set", jobs=[job("a"), job("by_hand", description="mine"), job("gone")])
    jobs = [job("a"), {"job_id": "by_hand", "description": "yours", "ignore": True}]
    result = api.run_as_checked("job_set", jobs=jobs, prune=True, client_id=["db1"])
    assert outcomes(result) == ["unchanged", "ignored", "pruned"]
    assert stored(api)["by_hand"]["description"] == "mine"
    by_description = [job("a"), {"client_id": "db1", "description": "mine", "ignore": True}]
    assert not api.run_as_checked("job_set", jobs=by_description, prune=True, client_id=["db1"])["changed"]


def test_a_job_that_moves_to_another_client_is_not_pruned(api):
    api.run("job_set", jobs=[job("a"), job("b")])
    result = api.run_as_checked("job_set", jobs=[job("a", client_id="db2")], prune=True, client_id=["db1"])
    assert outcomes(result) == ["changed", "pruned"]
    assert stored(api)["a"]["client_id"] == "db2"


def test_a_job_may_be_wanted_absent(api):
    api.run("job_set", jobs=[job("a"), job("b")])
    jobs = [{"job_id": "a", "state": "absent"}, {"job_id": "nobody", "state": "absent"}, job("b")]
    assert outcomes(api.run_as_checked("job_set", jobs=jobs)) == ["removed", "unchanged", "unchanged"]
    assert set(stored(api)) == {"b"}


def test_a_job_that_is_removed_leaves_its_session_first(api):
    api.run("job_set", jobs=[job("a"), job("b")])
    api.run("session", session_id="shop", schedule={"schedule_hour": "1"}, jobs=["a", "b"])
    result = api.run_as_checked("job_set", jobs=[job("a", job_schedule={})], prune=True, client_id=["db1"])
    assert outcomes(result) == ["unchanged", "pruned"]
    assert any("job a follows the schedule of its session shop" in str(warning) for warning in result["warnings"])
    assert list(api.registry.sessions.get("shop")["jobs"]) == ["a"]


BAD = [
    ({"job_id": "no id"}, "jobs[1] (no id): job_id is 'no id', which is no id"),
    (job("x", job_schedule={"schedule_hour": "25"}), "jobs[1] (x): schedule_hour is '25'"),
    (
        {"job_id": "x"},
        "jobs[1] (x): There is no job x yet, and job_actions and client_id must be given to create it. The client_id beside jobs only says",
    ),
    (
        {"client_id": "db1", "job_actions": []},
        "jobs[1]: Which job is meant? Give job_id, or client_id and description.",
    ),
    (job("a"), "jobs[1] (a): jobs[0] (a) is the same job. Name each job once."),
    (
        {"job_id": "x", "client_id": "db1", "job_actions": [{"freezer_action": {"action": "fly"}}]},
        "jobs[1] (x): action is 'fly'",
    ),
]


@pytest.mark.parametrize(("bad", "sentence"), BAD)
def test_one_job_that_cannot_be_understood_keeps_all_from_being_written(api, bad, sentence):
    message = api.sentence("job_set", jobs=[job("a"), bad, job("c")])
    assert message.startswith("1 of 3 jobs are not as wanted; " + sentence)
    assert stored(api) == {}


@pytest.mark.parametrize(("bad", "sentence"), BAD)
def test_the_others_are_done_when_they_are_asked_for(api, bad, sentence):
    result = failed(api, jobs=[job("a"), bad, job("c")], continue_on_error=True)
    assert sentence in result["msg"]
    assert outcomes(result) == ["created", "failed", "created"]
    assert result["changed"]
    assert sentence.partition(": ")[2] in result["results"][1]["error"]
    assert set(stored(api)) == {"a", "c"}


def test_nothing_is_pruned_when_a_job_has_failed(api):
    api.run("job_set", jobs=[job("a"), job("old")])
    bad = job("a", job_schedule={"schedule_hour": "25"})
    failed(api, jobs=[bad], prune=True, client_id=["db1"], continue_on_error=True)
    assert set(stored(api)) == {"a", "old"}


def test_what_the_api_refuses_is_told_for_the_job_that_it_refuses(api):
    refused = job("b", client_id="no client!")
    result = failed(api, jobs=[job("a"), refused, job("c")])
    assert outcomes(result) == ["created", "failed", "created"]
    assert "jobs[1] (b): The Freezer API rejects to replace job b (status 400): Bad request format" in result["msg"]
    assert outcomes(failed(api, jobs=[job("a"), refused], continue_on_error=True)) == ["unchanged", "failed"]


def test_two_jobs_of_one_description_are_not_guessed_about(api):
    api.run("job_set", jobs=[job("a", description="nightly"), job("b", description="nightly")])
    message = api.sentence("job_set", jobs=[{"client_id": "db1", "description": "nightly", "job_actions": []}])
    assert "2 jobs have this client_id and description: a, b. Say which one with job_id." in message


def test_an_unknown_item_is_named(api):
    assert "jobs.colour" in api.sentence("job_set", jobs=[{**job("a"), "colour": "red"}])


def test_no_secret_comes_back(api):
    secret = [{"freezer_action": {**ETC, "ssh_password": "s3cret-word"}}]
    jobs = [job("a", job_actions=secret), job("b", job_actions=secret, client_id="no client!")]
    results = [
        failed(api, jobs=jobs),
        api.run("job_set", jobs=jobs[:1]),
        api.run("job_set", jobs=[job("a", description="new", job_actions=secret)]),
        api.run("job_set", jobs=[], prune=True, client_id=["db1"]),
    ]
    assert "s3cret-word" not in str(results)


def test_a_thousand_jobs_go_in_few_requests(api, monkeypatch):
    from ansible_collections.freezer.backup.plugins.module_utils._engine.http.connection import Connection

    requests: list[str] = []
    exchange = Connection._exchange

    def counted(self, method, path, *rest):
        requests.append(f"{method} {path.partition('?')[0].rpartition('/')[2]}")
        return exchange(self, method, path, *rest)

    monkeypatch.setattr(Connection, "_exchange", counted)
    jobs = [job(f"nightly-{number}", client_id=f"db{number % 300}", description="d" * 900) for number in range(1100)]
    assert Counter(outcomes(api.run("job_set", jobs=jobs))) == {"created": 1100}
    assert Counter(requests)["POST jobs:batch"] <= 3
    assert len(requests) <= 6
    requests.clear()
    assert not api.run("job_set", jobs=jobs)["changed"]
    assert set(requests) == {"GET jobs"}
    assert len(requests) <= 3
