# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules that only look."""

from __future__ import annotations

import pytest

PLURALS = ["client", "action", "job", "session", "backup"]


@pytest.mark.parametrize("kind", PLURALS)
def test_an_empty_project_is_an_empty_list(api, kind):
    assert api.check(f"{kind}_info")[f"{kind}s"] == []


@pytest.mark.parametrize("kind", PLURALS)
def test_an_unknown_id_is_an_empty_list_and_no_error(api, kind):
    result = api.check(f"{kind}_info", **{f"{kind}_id": "nobody"})
    assert (result["changed"], result[f"{kind}s"]) == (False, [])


@pytest.mark.parametrize("kind", PLURALS)
def test_an_impossible_id_is_a_sentence(api, kind):
    assert f"{kind}_id is 'a/b', which is no id" in api.sentence(f"{kind}_info", **{f"{kind}_id": "a/b"})


@pytest.mark.parametrize("kind", PLURALS)
def test_an_id_and_a_search_exclude_each_other(api, kind):
    assert "mutually exclusive" in api.sentence(f"{kind}_info", **{f"{kind}_id": "a", "search": {}})


@pytest.fixture
def jobs(api):
    for job_id, client_id in (("a", "db1"), ("b", "db1"), ("c", "db2")):
        api.run("job", job_id=job_id, client_id=client_id, description=f"job {job_id}", job_actions=[])
    api.run("job_status", job_id="b", result="fail")


def ids(result):
    return sorted(job["job_id"] for job in result["jobs"])


def test_jobs_of_a_client(api, jobs):
    assert ids(api.check("job_info", client_id="db1")) == ["a", "b"]


def test_a_search_goes_to_the_api(api, jobs):
    assert ids(api.check("job_info", search={"match": [{"result": "fail"}]})) == ["b"]
    assert ids(api.check("job_info", client_id="db1", search={"match_not": [{"result": "fail"}]})) == ["a"]


def test_a_limit_limits(api, jobs):
    assert len(api.check("job_info", limit=2)["jobs"]) == 2
    assert "limit is 0; it must be at least 1" in api.sentence("job_info", limit=0)


def test_clients_are_returned_flat(api):
    api.run("client", hostname="db1.example.org", description="d")
    (client,) = api.check("client_info")["clients"]
    assert client["client_id"] == client["hostname"] == "db1.example.org"
    assert client["project_id"] == api.project_id
    assert client["uuid"]


def test_a_uuid_that_is_given_to_a_new_client_is_kept(api):
    api.run_as_checked("client", client_id="db1", uuid="7d2c1e6cf3a64a3c9f1c8f0f63a0d3a4")
    assert api.run("client_info")["clients"][0]["uuid"] == "7d2c1e6cf3a64a3c9f1c8f0f63a0d3a4"
    assert not api.run_as_checked("client", client_id="db1", uuid="00000000000000000000000000000000")["changed"]


def test_backups_by_place_name_and_time(api):
    for name, host, time_stamp in (("etc", "db1", 1000), ("etc", "db1", 2000), ("home", "db2", 3000)):
        metadata = {"container": "/b", "hostname": host, "backup_name": name, "time_stamp": time_stamp}
        api.run("backup_record", metadata=metadata)

    def times(**options):
        found = api.check("backup_info", **options)["backups"]
        return sorted(backup["backup_metadata"]["time_stamp"] for backup in found)

    assert times() == [1000, 2000, 3000]
    assert times(hostname="db1") == [1000, 2000]
    assert times(backup_name="home") == [3000]
    assert times(container="/other") == []
    assert times(time_after=2000) == [2000, 3000]
    assert times(time_before=2000) == [1000, 2000]
    assert times(hostname="db1", time_after=1001, time_before=2999) == [2000]


def test_a_query_is_answered_in_place_of_the_list(api, jobs):
    result = api.check("job_info", query="sort_by([?client_id=='db1'], &job_id)[].{id: job_id, what: description}")
    assert result["query_result"] == [{"id": "a", "what": "job a"}, {"id": "b", "what": "job b"}]
    assert "jobs" not in result
    assert api.check("job_info", client_id="db2", query="length(@)")["query_result"] == 1
    assert api.check("job_info", job_id="nobody", query="[0].client_id")["query_result"] is None


@pytest.mark.parametrize("kind", PLURALS)
def test_every_list_can_be_queried(api, kind):
    assert api.check(f"{kind}_info", query="length(@)")["query_result"] == 0


def test_a_query_sees_no_secret(api):
    action = {"action": "info", "ssh_password": "s3cret-word"}
    api.run("action", action_id="etc", freezer_action=action)
    assert api.check("action_info", query="[].freezer_action.ssh_password")["query_result"] == ["********"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("[?", "query '[?' cannot be answered: Invalid jmespath expression: Incomplete expression"),
        ("nothing(@)", "query 'nothing(@)' cannot be answered: Unknown function: nothing()"),
        ("sum([].job_id)", "query 'sum([].job_id)' cannot be answered: In function sum(), invalid type"),
    ],
)
def test_a_query_that_makes_no_sense_is_a_sentence(api, jobs, query, sentence):
    assert sentence in api.sentence("job_info", query=query)


def test_a_query_without_jmespath_is_a_sentence(api, monkeypatch):
    from ansible_collections.freezer.backup.plugins.module_utils._module import query

    monkeypatch.setattr(query, "jmespath", None)
    result = api.attempt("job_info", query="[]")
    assert "Failed to import the required Python library (jmespath)" in result["msg"]
    assert "for the option query" in result["msg"]
