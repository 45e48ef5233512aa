# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules keep the documents of upstream's own freezer-api 19, behind the Keystone of the lab.

It has neither tags of states nor a route for many writes, its PATCH empties what it does not name, and it drops keys.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

import pytest
from support import keystone_lab
from support.modules import run_module
from support.refusing_proxy import RefusingProxy

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry, connect

ETC = {"action": "backup", "path_to_backup": "/etc", "backup_name": "etc", "storage": "local", "container": "/backups"}
HOME = {**ETC, "path_to_backup": "/home", "backup_name": "home"}
WRITTEN = {"status": "completed", "result": "success", "time_started": 11, "time_ended": 12, "current_pid": 13}


class Upstream:
    """A member of a project, with a client that no other test has."""

    def __init__(self, url: str, region: str, user: keystone_lab.KeystoneUser, auth_url: str) -> None:
        self.url = url
        self.auth = {
            "auth_url": auth_url,
            "username": user.name,
            "password": user.password,
            "user_domain_id": user.domain_id,
            "project_id": user.project_id,
        }
        self.options = {"auth": self.auth, "region_name": region}
        self.name = uuid.uuid4().hex[:12]
        self.client_id = f"{self.name}.example.org"

    @property
    def registry(self) -> Registry:
        return connect(**self.options)

    def attempt(self, module: str, **options: Any) -> dict[str, Any]:
        return run_module(module, {**self.options, **options})

    def run(self, module: str, **options: Any) -> dict[str, Any]:
        result = self.attempt(module, **options)
        assert not result["failed"], result["msg"]
        return result

    def run_as_checked(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module, after a look that check mode writes nothing and promises whether there will be a change."""
        with RefusingProxy(self.url) as proxy:
            promised = run_module(module, {**self.options, **options, "url": proxy.url}, check_mode=True)
            assert not promised["failed"], promised["msg"]
            assert proxy.refused == []
        result = self.run(module, **options)
        assert promised["changed"] == result["changed"]
        return result

    def job(self) -> dict[str, Any]:
        found = self.registry.jobs.get(self.name)
        assert found is not None
        return found


@pytest.fixture(scope="session")
def upstream_facts(keystone) -> dict[str, str]:
    try:
        keystone_lab.run_lab("up", "upstream-freezer")
        return keystone_lab.lab_environment()
    except keystone_lab.LabUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture
def as_user(keystone, upstream_facts):
    """Makes somebody of the lab a user of upstream's API."""
    url, region = (upstream_facts[f"FREEZER_TEST_UPSTREAM_{name}"] for name in ("URL", "REGION"))
    return lambda name: Upstream(url, region, keystone.user(name), keystone.auth_url)


@pytest.fixture
def upstream(as_user):
    """A member of the project beta, whose client is registered."""
    member = as_user("beta-member")
    member.run("client", client_id=member.client_id, hostname=member.client_id)
    yield member
    member.run("job_set", jobs=[], prune=True, client_id=[member.client_id])
    member.run("client", client_id=member.client_id, state="absent")


@pytest.fixture
def job(upstream) -> dict[str, Any]:
    """Options of a job that has run once."""
    options = {
        "job_id": upstream.name,
        "client_id": upstream.client_id,
        "description": "old",
        "job_actions": [{"freezer_action": ETC}, {"freezer_action": HOME, "max_retries": 1}],
        "job_schedule": {"schedule_interval": "1 days"},
    }
    assert upstream.run_as_checked("job", **options)["changed"]
    assert upstream.run_as_checked("job_status", job_id=upstream.name, **WRITTEN)["changed"]
    return options


def lives(upstream: Upstream) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """By module, its options and other options for the same document."""
    name = upstream.name
    return {
        "client": (
            {"client_id": f"other-{name}", "hostname": "other", "description": "old"},
            {"client_id": f"other-{name}", "description": "new", "supported_storages": ["local", "ssh"]},
        ),
        "action": (
            {"action_id": name, "freezer_action": {**ETC, "max_level": 1}, "max_retries": 2},
            {"action_id": name, "freezer_action": {**HOME, "compression": "gzip"}, "max_retries_interval": 9},
        ),
        "job": (
            {
                "job_id": name,
                "client_id": upstream.client_id,
                "description": "old",
                "job_actions": [{"freezer_action": ETC}, {"freezer_action": HOME, "max_retries": 1}],
                "job_schedule": {"schedule_interval": "1 days"},
            },
            {
                "job_id": name,
                "description": "new",
                "job_actions": [{"freezer_action": {**ETC, "max_level": 3}}],
                "job_schedule": {"schedule_hour": "2"},
            },
        ),
        "session": (
            {"session_id": name, "description": "old", "schedule": {"schedule_interval": "1 days"}, "hold_off": 10},
            {"session_id": name, "description": "new", "schedule": {"schedule_hour": "2"}},
        ),
    }


@pytest.mark.parametrize("module", ["client", "action", "job", "session"])
def test_a_document_is_made_once_changed_once_and_removed_once(upstream, module):
    options, others = lives(upstream)[module]
    id_key, plural = f"{module}_id", f"{module}s"
    for wanted in (options, others):
        assert upstream.run_as_checked(module, **wanted)["changed"]
        assert not upstream.run_as_checked(module, **wanted)["changed"]
    (document,) = upstream.run(f"{module}_info", **{id_key: options[id_key]})[plural]
    assert document["description" if module != "action" else id_key] == others.get("description", upstream.name)
    again = upstream.run_as_checked(module, **document)
    assert not again["changed"], again["diff"]
    assert options[id_key] in {found[id_key] for found in upstream.run(f"{module}_info")[plural]}

    gone = {id_key: options[id_key], "state": "absent"}
    assert upstream.run_as_checked(module, **gone)["changed"]
    assert not upstream.run_as_checked(module, **gone)["changed"]
    assert upstream.run(f"{module}_info", **{id_key: options[id_key]})[plural] == []


def test_a_backup_is_recorded_once_and_forgotten_once(upstream):
    metadata = {"container": "/b", "hostname": upstream.client_id, "backup_name": "etc", "time_stamp": 12, "level": 0}
    made = upstream.run_as_checked("backup_record", metadata=metadata)
    assert made["changed"]
    assert not upstream.run_as_checked("backup_record", metadata=metadata)["changed"]
    found = upstream.run("backup_info", hostname=upstream.client_id, time_after=12)["backups"]
    assert [backup["backup_id"] for backup in found] == [made["backup_id"]]
    assert upstream.run("backup_info", hostname=upstream.client_id, time_after=13)["backups"] == []
    changed = upstream.attempt("backup_record", metadata={**metadata, "level": 1})
    assert "recorded already, with another level" in changed["msg"]
    assert upstream.run_as_checked("backup_record", metadata=metadata, state="absent")["changed"]
    assert not upstream.run_as_checked("backup_record", metadata=metadata, state="absent")["changed"]


def test_what_is_not_named_is_not_lost(upstream, job):
    before = upstream.job()
    assert upstream.run("job", job_id=upstream.name, description="new")["changed"]
    assert upstream.job() == {**before, "description": "new"}


def test_what_the_scheduler_wrote_stays_when_the_schedule_changes(upstream, job):
    upstream.run("job", **{**job, "job_schedule": {"schedule_hour": "2"}})
    assert upstream.job()["job_schedule"] == {**WRITTEN, "schedule_hour": "2"}


def test_the_status_of_a_run_leaves_the_schedule_alone(upstream, job):
    own = {"reason": "", "progress": {"phase": "playbook"}}
    assert upstream.run("job_status", job_id=upstream.name, status="running", session_tag=4, **own)["changed"]
    found = upstream.job()
    assert found["job_schedule"] == {**WRITTEN, "status": "running", "schedule_interval": "1 days"}
    assert found["session_tag"] == 4


def test_actions_that_stay_keep_their_ids_and_others_get_new_ones(upstream, job):
    before = [element["action_id"] for element in upstream.job()["job_actions"]]
    changed = {"freezer_action": {**HOME, "max_level": 2}, "max_retries": 1}
    upstream.run("job", **{**job, "job_actions": [job["job_actions"][0], changed]})
    after = upstream.job()["job_actions"]
    assert after[0]["action_id"] == before[0]
    assert after[1]["action_id"] not in before
    assert after[1]["freezer_action"]["max_level"] == 2


def test_a_document_with_ids_and_another_action_is_taken(upstream, job):
    (document,) = upstream.run("job_info", job_id=upstream.name)["jobs"]
    document["job_actions"][0]["freezer_action"]["max_level"] = 5
    assert upstream.run("job", **document)["changed"]
    assert not upstream.run("job", **document)["changed"]
    assert upstream.job()["job_actions"][0]["freezer_action"]["max_level"] == 5


def test_a_key_that_an_action_does_not_name_any_more_goes_away(upstream):
    upstream.run("action", action_id=upstream.name, freezer_action={**ETC, "max_level": 1})
    fewer = {key: value for key, value in ETC.items() if key != "container"}
    assert upstream.run("action", action_id=upstream.name, freezer_action=fewer)["changed"]
    assert not upstream.run("action", action_id=upstream.name, freezer_action=fewer)["changed"]
    (found,) = upstream.run("action_info", action_id=upstream.name)["actions"]
    assert found["freezer_action"]["container"] is None
    upstream.run("action", action_id=upstream.name, state="absent")


def test_what_upstream_does_not_keep_is_no_change_but_a_warning(upstream, job):
    mandatory = {**job, "job_actions": [{**job["job_actions"][0], "mandatory": True}, job["job_actions"][1]]}
    before = upstream.job()
    result = upstream.run("job", **mandatory)
    assert not result["changed"]
    assert f"does not keep job_actions.0.mandatory of job {upstream.name} as given" in str(result["warnings"])
    assert upstream.job() == before


def test_an_event_is_asked_for_once(upstream, job):
    assert upstream.run_as_checked("job_event", job_id=upstream.name, event="start")["changed"]
    assert not upstream.run_as_checked("job_event", job_id=upstream.name, event="start")["changed"]
    assert upstream.job()["job_schedule"]["event"] == "start"


def test_a_session_holds_jobs_and_starts_them(upstream, job):
    session = {"session_id": upstream.name, "schedule": {"schedule_interval": "5 hours"}}
    assert upstream.run_as_checked("session", **session, jobs=[upstream.name])["changed"]
    assert not upstream.run_as_checked("session", **session, jobs=[upstream.name])["changed"]
    found = upstream.job()
    assert (found["session_id"], found["job_schedule"]["schedule_interval"]) == (upstream.name, "5 hours")
    upstream.run("job", job_id=upstream.name, description="still in it")
    assert upstream.job()["session_id"] == upstream.name

    options = {"session_id": upstream.name, "job_id": upstream.name}
    assert upstream.run("session_action", **options, action="start")["result"] == "success"
    assert upstream.run("session_action", **options, action="end", current_tag=1, result="success")["changed"]
    assert upstream.run("session", session_id=upstream.name, jobs=[])["changed"]
    assert upstream.run("session", session_id=upstream.name, state="absent")["changed"]


def test_a_set_of_jobs_is_kept_one_by_one(upstream, job):
    others = [
        {**job, "job_id": None, "description": "by description"},
        {**job, "job_id": f"{upstream.name}-second", "job_schedule": {}},
    ]
    scope = {"prune": True, "client_id": [upstream.client_id]}
    made = upstream.run_as_checked("job_set", jobs=[job, *others], **scope)
    assert [entry["outcome"] for entry in made["results"]] == ["unchanged", "created", "created"]
    assert not upstream.run_as_checked("job_set", jobs=[job, *others], **scope)["changed"]
    others[1]["description"] = "new"
    changed = upstream.run_as_checked("job_set", jobs=others, **scope)
    assert [entry["outcome"] for entry in changed["results"]] == ["unchanged", "changed", "pruned"]
    assert upstream.registry.jobs.get(upstream.name) is None


def test_what_upstream_refuses_is_a_sentence(upstream, job):
    unknown = upstream.attempt("job", **{**job, "job_id": "x", "client_id": "nobody"})
    assert "(status 422)" in unknown["msg"]
    assert "Client not found with ID nobody" in unknown["msg"]
    jobs = [{**job, "job_id": "x", "client_id": "nobody"}, {**job, "description": "new"}]
    result = upstream.attempt("job_set", jobs=jobs)
    assert [entry["outcome"] for entry in result["results"]] == ["failed", "skipped"]
    result = upstream.attempt("job_set", jobs=jobs, continue_on_error=True)
    assert [entry["outcome"] for entry in result["results"]] == ["failed", "changed"]
    missing = upstream.attempt("job_event", job_id="nobody", event="start")
    assert missing["msg"].startswith("There is no job nobody")


def test_jobs_of_other_projects_are_left_alone_even_for_an_administrator(upstream, job, as_user):
    admin = as_user("alpha-admin")
    assert upstream.name not in {found["job_id"] for found in admin.run("job_info")["jobs"]}
    assert admin.run("job_info", job_id=upstream.name)["jobs"] == []
    assert not admin.run("job_set", jobs=[], prune=True, client_id=[upstream.client_id])["changed"]
    assert upstream.job()["job_id"] == upstream.name


def test_who_may_not_write_is_told_so(as_user):
    reader = as_user("beta-reader")
    assert reader.run("job_info")["changed"] is False
    result = reader.attempt("client", client_id=reader.client_id)
    assert "The Freezer API does not permit POST" in result["msg"]
    assert result["status"] == 403


def test_a_revoked_token_is_renewed_in_the_middle_of_work(upstream, keystone):
    registry = upstream.registry
    registry.jobs.list()
    token = registry._connection._auth.headers()["X-Auth-Token"]
    keystone.revoke(token)
    assert registry.clients.get(upstream.client_id) is not None
    assert registry._connection._auth.headers()["X-Auth-Token"] != token
