# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Passwords inside documents: who sees them, who finds them, and what becomes of them when a mask is written back."""

from __future__ import annotations

import copy
import json

import falcon.testing
import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import MASK, with_stored_secrets
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.policy import Policy
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.settings import read_files
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore

SECRET = "hunter2-is-not-known"
SECRETS = {
    "ssh_password": SECRET,
    "ftp-password": SECRET,
    "secret_key": SECRET,
    "Encrypt_Passphrase": SECRET,
    "auth": {"token": {"value": SECRET, "more": [SECRET]}},
}
PLAIN = {
    "action": "backup",
    "path_to_backup": "/etc",
    "backup_name": "web",
    "encrypt_pass_file": "/etc/key-file",
    "access_key": "AKIA",
}
ACTION = {"freezer_action": {**PLAIN, **SECRETS}}
BASES = ("/v1", "/v2/web")


class People:
    """The application as one of the roles of the project web sees it."""

    def __init__(self, app):
        self._client = falcon.testing.TestClient(app)

    def ask(self, role, verb, path, body=None, **headers):
        headers = {"X-Auth-Token": f"alice:web:{role}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self._client.simulate_request(verb, path, json=body, headers=headers)


@pytest.fixture
def people(tmp_path):
    return People(create_app(SqliteStore(tmp_path / "api.db"), NoAuth()))


@pytest.fixture
def job(people):
    """A job with secrets in it; the test works on a copy."""
    body = {"job_id": "j", "client_id": "db1", "job_schedule": {}, "job_actions": [ACTION, {"freezer_action": PLAIN}]}
    assert people.ask("member", "POST", "/v2/web/jobs", body).status_code == 201
    return people.ask("member", "GET", "/v2/web/jobs/j").json


def shown_action(document):
    return document["job_actions"][0]["freezer_action"]


@pytest.mark.parametrize("base", BASES)
def test_who_runs_or_writes_actions_sees_their_secrets_and_a_reader_sees_asterisks(people, job, base):
    for role in ("member", "service", "admin"):
        assert shown_action(people.ask(role, "GET", f"{base}/jobs/j").json) == ACTION["freezer_action"]
        assert shown_action(people.ask(role, "GET", f"{base}/jobs").json["jobs"][0]) == ACTION["freezer_action"]
    for path in (
        "jobs/j",
        "jobs",
        "actions",
        f"actions/{job['job_actions'][0]['action_id']}",
        "jobs?all_projects=false",
    ):
        reply = people.ask("reader", "GET", f"{base}/{path}")
        assert reply.status_code == 200
        assert SECRET not in reply.text
        assert "AKIA" in reply.text
    masked = shown_action(people.ask("reader", "GET", f"{base}/jobs/j").json)
    assert masked == {
        **PLAIN,
        "ssh_password": MASK,
        "ftp-password": MASK,
        "secret_key": MASK,
        "Encrypt_Passphrase": MASK,
        "auth": {"token": MASK},
    }


def test_a_document_without_secrets_looks_the_same_to_all(people):
    people.ask("member", "POST", "/v2/web/actions", {"action_id": "a", "freezer_action": PLAIN, "description": "Ünï"})
    texts = {people.ask(role, "GET", "/v2/web/actions/a").text for role in ("reader", "member")}
    assert len(texts) == 1


def test_a_masked_document_of_v1_has_its_version(people, job):
    assert people.ask("reader", "GET", "/v1/jobs/j").json["_version"] == 1


@pytest.mark.parametrize("kind", ["clients", "sessions", "backups"])
def test_secrets_in_other_documents_are_masked_too(people, kind):
    body = {
        "clients": {"client_id": "c", "password": SECRET},
        "sessions": {"session_id": "c", "schedule": {}, "password": SECRET},
        "backups": {"backup_id": "c", "backup_name": "b", "container": "c", "hostname": "h", "password": SECRET},
    }[kind]
    assert people.ask("member", "POST", f"/v2/web/{kind}", body).status_code == 201
    assert SECRET in people.ask("member", "GET", f"/v2/web/{kind}/c").text
    assert SECRET not in people.ask("reader", "GET", f"/v2/web/{kind}/c").text


@pytest.mark.parametrize("base", BASES)
def test_a_reader_cannot_find_out_a_secret_by_searching_for_it(people, job, base):
    def found(role, search):
        reply = people.ask(role, "GET", f"{base}/jobs", search)
        return len(reply.json["jobs"]) if reply.status_code == 200 else reply.status_code

    for text in (SECRET, SECRET[:5], SECRET.upper()):
        assert found("member", {"match": [{"_all": text}]}) == 1
        assert found("reader", {"match": [{"_all": text}]}) == 0
        assert found("reader", {"match_not": [{"_all": text}]}) == 1
    assert found("reader", {"match": [{"_all": "AKIA"}]}) == 1
    for field in ("ssh_password", "ftp-password", "job_actions.freezer_action.secret_key", "auth.token.value"):
        for condition in ({"match": [{field: SECRET}]}, {"match_not": [{field: SECRET}]}, {"match": [{field: "x"}]}):
            assert found("reader", condition) == 403
    assert found("member", {"match": [{"ssh_password": SECRET}]}) == 1
    pairs = json.dumps([{"ssh_password": SECRET}])
    assert found("reader", {"match": [{"_all": pairs}]}) == 403
    quoted = people.ask("reader", "GET", f'{base}/jobs?search={{"match":[{{"secret_key":"{SECRET}"}}]}}')
    assert quoted.status_code == 403


def test_a_mask_that_is_written_back_keeps_the_secret(people, job):
    masked = people.ask("reader", "GET", "/v2/web/jobs/j").json
    masked["description"] = "new"
    del masked["user_id"], masked["project_id"]
    assert people.ask("member", "POST", "/v2/web/jobs/j", masked).status_code == 201
    replaced = people.ask("member", "GET", "/v2/web/jobs/j").json
    assert shown_action(replaced) == ACTION["freezer_action"]
    assert replaced["description"] == "new"
    changes = {"job_actions": masked["job_actions"]}
    assert people.ask("member", "PATCH", "/v2/web/jobs/j", changes).status_code == 200
    assert shown_action(people.ask("member", "GET", "/v2/web/jobs/j").json) == ACTION["freezer_action"]
    action_id = job["job_actions"][0]["action_id"]
    action = people.ask("member", "GET", f"/v2/web/actions/{action_id}").json
    assert action["freezer_action"] == ACTION["freezer_action"]
    changes = {"freezer_action": {"ssh_password": MASK, "mode": "fs"}}
    assert people.ask("member", "PATCH", f"/v2/web/actions/{action_id}", changes).status_code == 200
    action = people.ask("member", "GET", f"/v2/web/actions/{action_id}").json
    assert action["freezer_action"] == {**ACTION["freezer_action"], "mode": "fs"}


def test_secrets_stay_with_their_action_when_the_actions_change_places(people):
    actions = [{"freezer_action": {**PLAIN, "ssh_password": f"password-{n}"}} for n in range(3)]
    body = {"job_id": "j", "client_id": "db1", "job_schedule": {}, "job_actions": actions}
    people.ask("member", "POST", "/v2/web/jobs", body)
    masked = people.ask("reader", "GET", "/v2/web/jobs/j").json["job_actions"]
    changes = {"job_actions": [masked[2], masked[0]]}
    assert people.ask("member", "PATCH", "/v2/web/jobs/j", changes).status_code == 200
    kept = people.ask("member", "GET", "/v2/web/jobs/j").json["job_actions"]
    assert [element["freezer_action"]["ssh_password"] for element in kept] == ["password-2", "password-0"]


def test_a_secret_can_be_changed_and_taken_away(people, job):
    changed = copy.deepcopy(job["job_actions"])
    changed[0]["freezer_action"]["ssh_password"] = "another"
    del changed[0]["freezer_action"]["secret_key"]
    people.ask("member", "PATCH", "/v2/web/jobs/j", {"job_actions": changed})
    action = shown_action(people.ask("member", "GET", "/v2/web/jobs/j").json)
    assert action["ssh_password"] == "another"
    assert "secret_key" not in action


def test_a_mask_for_nothing_is_refused(people, job):
    body = {
        "client_id": "db1",
        "job_schedule": {},
        "job_actions": [{"freezer_action": {**PLAIN, "ssh_password": MASK}}],
    }
    for verb, path in (("POST", "/v2/web/jobs"), ("POST", "/v2/web/jobs/new"), ("POST", "/v1/jobs")):
        reply = people.ask("member", verb, path, body)
        assert reply.status_code == 400
        assert "ssh_password is the mask" in reply.json["description"]
    items = {"items": [{"op": "replace", "job_id": "new", "document": body}]}
    assert people.ask("member", "POST", "/v2/web/jobs:batch", items).json["items"][0]["status"] == 400
    # Asterisks that are no secret are what they are.
    plain = {"action_id": "a", "freezer_action": {**PLAIN, "backup_name": MASK}}
    assert people.ask("member", "POST", "/v2/web/actions", plain).status_code == 201


def test_the_policy_says_who_sees_secrets(tmp_path):
    (tmp_path / "freezer-api.conf").write_text("[DEFAULT]\n")
    (tmp_path / "policy.yaml").write_text('"jobs:get_secrets": "role:service"\n')
    policy = Policy(read_files([str(tmp_path / "freezer-api.conf")]).options)
    people = People(create_app(SqliteStore(tmp_path / "api.db"), NoAuth(), policy=policy))
    body = {"job_id": "j", "client_id": "db1", "job_schedule": {}, "job_actions": [ACTION]}
    people.ask("member", "POST", "/v2/web/jobs", body)
    masked = people.ask("member", "GET", "/v2/web/jobs/j")
    assert SECRET not in masked.text
    # Who may write and not see hands the mask back without doing harm.
    assert (
        people.ask("member", "PATCH", "/v2/web/jobs/j", {"job_actions": masked.json["job_actions"]}).status_code == 200
    )
    assert SECRET in people.ask("service", "GET", "/v2/web/jobs/j").text
    assert SECRET in people.ask("member", "GET", "/v2/web/actions").text
    assert SECRET in people.ask("service", "GET", "/v2/other/jobs?all_projects=true").text
    assert SECRET not in people.ask("admin", "GET", "/v2/other/jobs?all_projects=true").text


def test_stored_secrets_are_found_by_the_id_of_their_action_or_by_place():
    stored = {"list": [{"action_id": "a", "password": "1"}, {"action_id": "b", "password": {"deep": "2"}}]}
    wanted = {"list": [{"action_id": "b", "password": MASK}, {"password": MASK, "name": MASK}, "text"]}
    assert with_stored_secrets(wanted, stored) == {
        "list": [{"action_id": "b", "password": {"deep": "2"}}, {"password": {"deep": "2"}, "name": MASK}, "text"]
    }
    with pytest.raises(DocumentError, match="password is the mask"):
        with_stored_secrets({"list": [{"action_id": "c", "password": MASK}]}, stored)
    with pytest.raises(DocumentError, match="password is the mask"):
        with_stored_secrets({"password": MASK}, {"password": None})


@pytest.mark.parametrize("base", BASES)
def test_what_a_reader_sees_has_an_etag_of_its_own_where_it_is_something_else(people, job, base):
    own = people.ask("member", "GET", f"{base}/jobs/j").headers["ETag"]
    masked = people.ask("reader", "GET", f"{base}/jobs/j").headers["ETag"]
    assert own != masked
    assert people.ask("reader", "GET", f"{base}/jobs/j", If_None_Match=masked).status_code == 304
    # A proxy that has kept what a member saw is not told that a reader may see it.
    assert people.ask("reader", "GET", f"{base}/jobs/j", If_None_Match=own).status_code == 200
    assert people.ask("member", "GET", f"{base}/jobs/j", If_None_Match=masked).status_code == 200
    assert people.ask("member", "GET", f"{base}/jobs?etags=true").json["etags"] == [own]
    assert people.ask("reader", "GET", f"{base}/jobs?etags=true").json["etags"] == [masked]

    plain = {"client_id": "db1", "job_actions": [{"freezer_action": PLAIN}]}
    assert people.ask("member", "POST", f"{base}/jobs/plain", plain).status_code == 201
    etags = [people.ask(role, "GET", f"{base}/jobs/plain").headers["ETag"] for role in ("member", "reader")]
    assert etags[0] == etags[1]


@pytest.mark.parametrize("base", BASES)
def test_the_etag_of_a_masked_document_names_its_state_in_if_match(people, job, base):
    masked = people.ask("reader", "GET", f"{base}/jobs/j").headers["ETag"]
    change = {"description": "new"}
    assert people.ask("member", "PATCH", f"{base}/jobs/j", change, If_Match=masked).status_code == 200
    assert people.ask("member", "PATCH", f"{base}/jobs/j", change, If_Match=masked).status_code == 412
    now = people.ask("reader", "GET", f"{base}/jobs/j").headers["ETag"]
    items = [{"op": "patch", "job_id": "j", "changes": change, "if_match": now}]
    assert people.ask("member", "POST", f"{base}/jobs:batch", {"items": items}).json["items"][0]["status"] == 200
    assert people.ask("member", "DELETE", f"{base}/jobs/j", If_Match=now).status_code == 412
