# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The account of a node: what it sees and writes of its own client, and that nothing of another one is reached by it."""

from __future__ import annotations

import base64

import bcrypt
import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.http_basic import HttpBasic
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.policy import Policy
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.contract.document import document as contract
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import ALL_OWNERS
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore

KINDS = {
    "backups": "backup_id",
    "clients": "client_id",
    "jobs": "job_id",
    "actions": "action_id",
    "sessions": "session_id",
}
VERBS = ("get", "post", "put", "patch", "delete")
#: The ids of the documents of the client that the node is bound to.
OWN = {"web_db1", "job1", "session1", "backup1"}
#: What only documents of the other client have in them.
MARKER = "belongs-to-db2-alone"
HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
#: Loading the rules takes longer than all the rest.
POLICY = Policy()


def sender(name):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:secret".encode()).decode()}


NODE, MEMBER, BOSS = sender("db1"), sender("alice"), sender("boss")


def documents_of(client, marker, suffix):
    """A document of every kind that is a client's, with ids that end in ``suffix``."""
    what = {"action": "backup", "backup_name": marker, "path_to_backup": "/srv", "storage": "local", "container": "/c"}
    action = {"freezer_action": {**what, "own_password": f"secret-{marker}"}}
    return {
        "clients": {"client_id": client, "description": marker},
        "jobs": {
            "job_id": f"job{suffix}",
            "client_id": client,
            "description": marker,
            "job_schedule": {},
            "job_actions": [action],
        },
        "sessions": {"session_id": f"session{suffix}", "description": marker, "schedule": {}},
        "actions": {"action_id": f"action{suffix}", **action},
        "backups": {
            "backup_id": f"backup{suffix}",
            "backup_name": marker,
            "container": "c",
            "hostname": client,
            "client_id": client,
        },
    }


class World:
    """An application in this process: db1 is a node, and db2 is another one in the same project."""

    def __init__(self, folder):
        accounts = folder / "accounts"
        accounts.write_text(
            f"boss:{HASH}:admin:default\nalice:{HASH}:member:web\nbob:{HASH}:reader:web\n"
            f"db1:{HASH}:node:web:web_db1\ndb2:{HASH}:node:web:db2\n"
        )
        accounts.chmod(0o600)
        self.store = SqliteStore(folder / "api.db")
        self.client = falcon.testing.TestClient(create_app(self.store, HttpBasic(accounts), policy=POLICY))
        # On v1 what is asked for is what the account itself has made: so the other node has made its own, too.
        for client, marker, suffix in (("web_db1", "own", "1"), ("db2", MARKER, "2")):
            for kind, document in documents_of(client, marker, suffix).items():
                maker = sender("db2") if client == "db2" and kind in ("clients", "backups") else MEMBER
                assert self.ask("POST", f"/v2/web/{kind}", maker, document).status_code == 201
            assert self.ask("PUT", f"/v2/web/sessions/session{suffix}/jobs/job{suffix}", MEMBER).status_code == 204

    def ask(self, verb, path, headers, body=None, **more):
        return self.client.simulate_request(verb, path, json=body, headers={**headers, **more})

    def state(self):
        """Every document with its version."""
        return sorted(
            (kind, stored.id, stored.version, stored.owner.project_id, stored.text)
            for kind in ("backup", "client", "job", "action", "session")
            for stored in self.store.search(kind, ALL_OWNERS, limit=1000)
        )

    def of_others(self):
        """What is not web_db1's."""
        return [entry for entry in self.state() if entry[1] not in OWN]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def ids_in(path, of):
    """A path of the contract with the ids of a client's documents in it."""
    return path.format(
        project_id="web",
        backup_id=f"backup{of}",
        client_id={"1": "web_db1", "2": "db2"}[of],
        job_id=f"job{of}",
        action_id=f"action{of}",
        session_id=f"session{of}",
    )


def bodies(path, verb, plural):
    """Bodies that would show or change documents of the other client, for one who may do so."""
    document = documents_of("db2", "taken over", "2").get(plural)
    key = KINDS.get(plural)
    if path.endswith("/event"):
        return [{"start": None}, {"stop": None}, {"abort": None}]
    if path.endswith("/action"):
        parameters = {"job_id": "job2", "current_tag": 0}
        return [{"start": parameters}, {"end": {**parameters, "result": "fail"}}]
    if path.endswith(":batch"):
        payloads = {"replace": {"document": document}, "patch": {"changes": {"job_schedule": {"status": "running"}}}}
        items = [{"op": op, key: document[key], **payloads.get(op, {})} for op in ("patch", "replace", "delete")]
        return [{"items": items}, *({"items": [item]} for item in items)]
    if verb == "get":
        searches = [{"_all": MARKER}, {"client_id": "db2"}, {key: document[key]} if document else {"_all": "db2"}]
        return [None, *({"match": [search]} for search in searches), {"match_not": [{"_all": "nothing"}]}]
    if verb == "patch":
        return [{"job_schedule": {"status": "completed"}}, {"description": "mine"}, {"client_id": "web_db1"}]
    return [document] if verb == "post" else [None]


def routes():
    """Every path and verb of the contract, with the kind of documents that it is about."""
    for path, verbs in contract()["paths"].items():
        plural = next((kind for kind in KINDS if f"/{kind}" in path.split("{project_id}")[-1]), None)
        yield from ((path, verb, plural) for verb in VERBS if verb in verbs)


def test_the_contract_has_the_routes_that_this_test_walks():
    walked = list(routes())
    assert len(walked) > 50
    assert {plural for _path, _verb, plural in walked} == {None, *KINDS}


@pytest.mark.parametrize(("path", "verb", "plural"), [one for one in routes() if one[2]], ids=str)
def test_no_route_shows_or_changes_anything_of_another_client(world, path, verb, plural):
    before = world.of_others()
    for body in bodies(path, verb, plural):
        for query in ("", "?all_projects=true", "?limit=1000&etags=true") if verb == "get" else ("",):
            reply = world.ask(verb.upper(), ids_in(path, "2") + query, NODE, body)
            assert MARKER not in reply.text
            if reply.status_code < 300:
                # Nothing of it is there: an empty list, or a batch of which each item was refused.
                found = reply.json[plural] if verb == "get" else []
                assert {one.get("client", one)[KINDS[plural]] for one in found} <= OWN
                for item in reply.json.get("items", ()):
                    assert item["status"] in (403, 404, 409)
            else:
                assert reply.status_code in (403, 404, 409, 400)
    assert world.of_others() == before


def test_another_clients_documents_are_answered_as_if_they_were_not_there(world):
    for plural, key in KINDS.items():
        if plural == "actions":
            continue
        there = world.ask("GET", f"/v2/web/{plural}/{documents_of('db2', '', '2')[plural][key]}", NODE)
        missing = world.ask("GET", f"/v2/web/{plural}/missing", NODE)
        assert (there.status_code, missing.status_code) == (404, 404)


def test_lists_and_counts_of_a_node_say_nothing_of_others(world):
    tags = {}
    for plural in ("backups", "clients", "jobs", "sessions"):
        reply = world.ask("GET", f"/v2/web/{plural}?limit=1", NODE)
        assert len(reply.json[plural]) == 1
        assert world.ask("GET", f"/v2/web/{plural}?limit=1&offset=1", NODE).json[plural] == []
        tags[plural] = reply.headers["ETag"]
    for plural, document in documents_of("db2", MARKER, "3").items():
        assert world.ask("POST", f"/v2/web/{plural}/{document[KINDS[plural]]}", MEMBER, document).status_code == 201
    for plural, tag in tags.items():
        # As long as nothing of its own has changed, a node does not even learn that something has.
        assert world.ask("GET", f"/v2/web/{plural}?limit=1", NODE, **{"If-None-Match": tag}).status_code == 304


def test_a_node_sees_its_own_on_both_versions_with_the_secrets_that_its_jobs_need(world):
    for base in ("/v1", "/v2/web"):
        job = world.ask("GET", f"{base}/jobs/job1", NODE).json
        assert job["job_actions"][0]["freezer_action"]["own_password"] == "secret-own"
        assert [one["job_id"] for one in world.ask("GET", f"{base}/jobs", NODE).json["jobs"]] == ["job1"]
        assert list(world.ask("GET", f"{base}/sessions/session1", NODE).json["jobs"]) == ["job1"]
        assert world.ask("GET", f"{base}/clients/web_db1", NODE).json["client"]["client_id"] == "web_db1"
        assert [one["backup_id"] for one in world.ask("GET", f"{base}/backups", NODE).json["backups"]] == ["backup1"]


def test_a_node_does_what_its_scheduler_does(world):
    run = {
        "job_schedule": {"status": "running", "time_started": 5, "event": "", "reason": "", "progress": {"action": 0}}
    }
    assert world.ask("PATCH", "/v2/web/jobs/job1", NODE, run).status_code == 200
    several = [{"op": "patch", "job_id": "job1", "changes": {"session_tag": 1, "job_schedule": {"result": "success"}}}]
    reply = world.ask("POST", "/v2/web/jobs:batch", NODE, {"items": several})
    assert [item["status"] for item in reply.json["items"]] == [200]
    for action in ({"start": {"job_id": "job1", "current_tag": 0}}, {"end": {"job_id": "job1", "result": "success"}}):
        assert world.ask("POST", "/v2/web/sessions/session1/action", NODE, action).status_code == 202
    assert world.ask("GET", "/v2/web/sessions/session1", MEMBER).json["result"] == "success"
    about = {"client_id": "web_db1", "hostname": "db1", "supported_actions": ["backup"]}
    assert world.ask("POST", "/v2/web/clients", NODE, about).status_code == 201
    assert world.ask("PATCH", "/v2/web/clients/web_db1", NODE, {"description": "new"}).status_code == 200
    record = {"backup_id": "new", "backup_name": "b", "container": "c", "hostname": "db1", "some_token": "t"}
    assert world.ask("POST", "/v2/web/backups", NODE, record).status_code == 201
    # Its client is written into what it sends, so that it finds it again, as it was sent.
    stored = world.ask("GET", "/v2/web/backups/new", NODE).json["backup_metadata"]
    assert stored == {**record, "client_id": "web_db1"}
    assert world.ask("PATCH", "/v2/web/backups/new", NODE, {"status": "deleting"}).status_code == 200
    gone = [{"op": "delete", "backup_id": "new"}]
    reply = world.ask("POST", "/v2/web/backups:batch", NODE, {"items": gone})
    assert [item["status"] for item in reply.json["items"]] == [204]


@pytest.mark.parametrize(
    "changes",
    [
        {"job_actions": [{"freezer_action": {"action": "exec", "command": "true"}}]},
        {"client_id": "db2"},
        {"description": "mine"},
        {"session_id": "session2"},
        {"job_schedule": {"schedule_interval": "continuous"}},
        {"job_schedule": {"status": "running"}, "action_defaults": {"storage": "local"}},
        {"user_id": "db1"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_a_job_is_a_node_does_not_change(world, changes):
    before = world.state()
    reply = world.ask("PATCH", "/v2/web/jobs/job1", NODE, changes)
    assert reply.status_code == 403
    assert "only the state of their runs" in reply.json["description"]
    items = [{"op": "patch", "job_id": "job1", "changes": changes}]
    reply = world.ask("POST", "/v2/web/jobs:batch", NODE, {"items": items})
    assert [item["status"] for item in reply.json["items"]] == [403]
    assert world.state() == before


def test_a_node_neither_makes_nor_removes_what_others_make_for_it(world):
    before = world.state()
    own = documents_of("web_db1", "own", "1")
    for verb, path, body in (
        ("POST", "/jobs", {**own["jobs"], "job_id": "job9"}),
        ("POST", "/jobs/job1", own["jobs"]),
        ("DELETE", "/jobs/job1", None),
        ("POST", "/jobs/job1/event", {"start": None}),
        ("POST", "/sessions/session1", own["sessions"]),
        ("PATCH", "/sessions/session1", {"hold_off": 0}),
        ("DELETE", "/sessions/session1", None),
        ("DELETE", "/sessions/session1/jobs/job1", None),
        ("PUT", "/sessions/session1/jobs/job1", None),
        ("DELETE", "/clients/web_db1", None),
        ("PATCH", "/clients/web_db1", {"is_central": True}),
        ("GET", "/actions", None),
        ("GET", "/actions/action1", None),
    ):
        assert world.ask(verb, f"/v2/web{path}", NODE, body).status_code == 403, (verb, path)
    assert world.ask("GET", "/v2/other/jobs", NODE).status_code == 403
    assert world.ask("GET", "/metrics", NODE).status_code in (403, 404)
    assert world.state() == before


def test_a_node_records_no_backup_as_another_client(world):
    before = world.state()
    record = {"backup_id": "new", "backup_name": "b", "container": "c", "hostname": "db2", "client_id": "db2"}
    assert world.ask("POST", "/v2/web/backups", NODE, record).status_code == 403
    assert world.ask("POST", "/v2/web/backups/new", NODE, record).status_code == 403
    for changes in ({"client_id": "db2"}, {"backup_metadata": {"client_id": "db2"}}):
        assert world.ask("PATCH", "/v2/web/backups/backup1", NODE, changes).status_code == 403
    # An id that another one has is taken, and stays as it is.
    mine = {**record, "hostname": "db1", "client_id": "web_db1"}
    assert world.ask("POST", "/v2/web/backups/backup2", NODE, mine).status_code == 409
    assert world.ask("POST", "/v2/web/backups", NODE, {**mine, "backup_id": "backup2"}).status_code == 409
    assert world.state() == before


def test_a_node_speaks_in_its_session_for_its_own_jobs_only(world):
    assert world.ask("PUT", "/v2/web/sessions/session1/jobs/job2", MEMBER).status_code == 204
    before = world.state()
    for action in ({"start": {"job_id": "job2", "current_tag": 0}}, {"end": {"job_id": "job2", "result": "fail"}}):
        assert world.ask("POST", "/v2/web/sessions/session1/action", NODE, action).status_code == 404
    assert world.state() == before


def test_a_job_that_goes_to_another_client_takes_its_session_along(world):
    assert world.ask("PATCH", "/v2/web/jobs/job1", MEMBER, {"client_id": "db2"}).status_code == 200
    for path in ("jobs/job1", "sessions/session1"):
        assert world.ask("GET", f"/v2/web/{path}", NODE).status_code == 404


def test_members_and_readers_have_their_project_and_administrators_all(world):
    new = {"client_id": "new"}
    allowed = {"boss": (201, 201), "alice": (201, 403), "bob": (403, 403)}
    for name, (own, foreign) in allowed.items():
        for project, status in (("web", own), ("other", foreign)):
            assert world.ask("POST", f"/v2/{project}/clients/{name}", sender(name), new).status_code == status
    assert (
        world.ask("GET", "/v2/web/jobs/job1", sender("bob")).json["job_actions"][0]["freezer_action"]["own_password"]
        == "********"
    )


@pytest.mark.parametrize(("roles", "status"), [("node", 403), ("node|member", 200)])
def test_the_role_of_a_node_without_a_client_is_no_role(tmp_path, roles, status):
    app = create_app(SqliteStore(tmp_path / "api.db"), NoAuth(), policy=POLICY)
    reply = falcon.testing.TestClient(app).simulate_get("/v2/web/jobs", headers={"X-Auth-Token": f"eve:web:{roles}"})
    assert reply.status_code == status
