# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who may do what: every route and every verb, for every role, inside a project and from outside."""

from __future__ import annotations

import base64
import json
import os
import shutil
import time

import bcrypt
import falcon.inspect
import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.context import Context
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.http_basic import HttpBasic
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.policy import Policy, PolicyError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.settings import read_files
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import ForbiddenError, UnavailableError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import ALL_OWNERS
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore

KINDS = ("backups", "clients", "jobs", "actions", "sessions")
MARKER = "only-for-the-web-project"
ID = "one"

READERS = frozenset(("admin", "member", "reader", "service"))
WRITERS = frozenset(("admin", "member"))
WRITERS_OF_BACKUPS = WRITERS | {"service"}
EVERYONE = READERS | {"auditor"}

#: Who may use which route and verb in a project of theirs, as upstream has it. {base} is /v1 or /v2/{project_id}.
ALLOWED = {
    ("/", "GET"): EVERYONE,
    ("/healthcheck", "GET"): EVERYONE,
    ("/openapi.json", "GET"): EVERYONE,
    ("/v1", "GET"): EVERYONE,
    ("/v2", "GET"): EVERYONE,
    **{("{base}/" + kind, "GET"): READERS for kind in KINDS},
    **{("{base}/" + kind + "/{document_id}", "GET"): READERS for kind in KINDS},
    **{
        ("{base}/" + kind + suffix, verb): WRITERS_OF_BACKUPS if kind == "backups" else WRITERS
        for kind in KINDS
        for suffix, verbs in (("", ("POST",)), (":batch", ("POST",)), ("/{document_id}", ("POST", "PATCH", "DELETE")))
        for verb in verbs
    },
    ("{base}/jobs/{document_id}/event", "POST"): WRITERS,
    ("{base}/sessions/{document_id}/action", "POST"): WRITERS,
    ("{base}/sessions/{document_id}/jobs/{job_id}", "PUT"): WRITERS,
    ("{base}/sessions/{document_id}/jobs/{job_id}", "DELETE"): WRITERS,
}


def routes_of(app):
    found = set()
    for route in falcon.inspect.inspect_routes(app):
        template = route.path
        for base in ("/v1/", "/v2/{project_id}/"):
            if template.startswith(base):
                template = "{base}/" + template.removeprefix(base)
        # HEAD is GET without the body, and answered by the same method.
        found |= {(template, one.method) for one in route.methods if not one.internal and one.method != "HEAD"}
    return found


ROUTES = sorted(ALLOWED)


def document_of(kind):
    return {
        "backups": {"backup_id": ID, "backup_name": MARKER, "container": "c", "hostname": "h"},
        "clients": {"client_id": ID, "description": MARKER},
        "jobs": {
            "job_id": ID,
            "client_id": "db1",
            "description": MARKER,
            "job_schedule": {},
            "job_actions": [{"freezer_action": {"action": "backup", "path_to_backup": "/etc", "backup_name": MARKER}}],
        },
        "actions": {
            "action_id": ID,
            "freezer_action": {"action": "backup", "path_to_backup": "/etc", "backup_name": MARKER},
        },
        "sessions": {"session_id": ID, "description": MARKER, "schedule": {}},
    }[kind]


def body_of(template, verb):
    """A body that works where its sender may do this, and would show or change what others must not see or change."""
    kind = next((kind for kind in KINDS if template.startswith("{base}/" + kind)), None)
    if template.endswith("/event"):
        return {"stop": None}
    if template.endswith("/action"):
        return {"end": {"job_id": ID, "result": "fail"}}
    if template.endswith("/jobs/{job_id}") or verb == "DELETE" or kind is None:
        return None
    if template.endswith(":batch"):
        key = document_of(kind).keys() & {"backup_id", "client_id", "job_id", "action_id", "session_id"}
        name = f"{kind[:-1]}_id" if f"{kind[:-1]}_id" in key else next(iter(key))
        return {"items": [{"op": "patch", name: ID, "changes": {"description": "mine now"}}]}
    if verb == "GET":
        return None if template.endswith("{document_id}") else {"match": [{"_all": MARKER}]}
    if verb == "PATCH":
        return {"description": "mine now"} if kind != "actions" else {"freezer_action": {"mode": "fs"}}
    return json.loads(json.dumps(document_of(kind)).replace(MARKER, "mine"))


class World:
    """An application in this process, with one document of every kind in the project web, made by alice."""

    #: Loading the rules takes longer than all the rest.
    defaults = Policy()

    def __init__(self, store, strategy, policy=defaults):
        self.store = store
        self.app = create_app(store, strategy, policy=policy)
        self.client = falcon.testing.TestClient(self.app)

    def fill(self, headers):
        for kind in KINDS:
            reply = self.client.simulate_post(f"/v2/web/{kind}", json=document_of(kind), headers=headers)
            assert reply.status_code == 201, reply.text
        assert self.client.simulate_put("/v2/web/sessions/one/jobs/one", headers=headers).status_code == 204

    def documents(self, project_id="web"):
        return sorted(
            (stored.kind, stored.id, stored.version, stored.text)
            for kind in ("backup", "client", "job", "action", "session")
            for stored in self.store.search(kind, ALL_OWNERS, limit=1000)
            if stored.owner.project_id == project_id
        )

    def ask(self, template, verb, base, headers):
        path = template.format(base=base, document_id=ID, job_id=ID)
        return self.client.simulate_request(verb, path, json=body_of(template, verb), headers=headers)


def token(user, project, role):
    return {"X-Auth-Token": f"{user}:{project}:{role}"}


ALICE = token("alice", "web", "member")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store's file with the documents: to make them anew takes longer than what a test does with them."""
    path = tmp_path_factory.mktemp("filled") / "api.db"
    store = SqliteStore(path)
    World(store, NoAuth()).fill(ALICE)
    store.close()
    return path


@pytest.fixture
def world(filled, tmp_path):
    store = SqliteStore(shutil.copy(filled, tmp_path))
    yield World(store, NoAuth())
    store.close()


def test_the_table_of_this_test_has_every_route_and_verb(world):
    assert routes_of(world.app) == set(ALLOWED)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("template", "verb"), ROUTES)
def test_every_route_and_verb_is_for_the_roles_that_upstream_gives_it(world, template, verb, version):
    base = "/v1" if version == 1 else "/v2/web"
    # The one who may do least comes first: what another one deletes is not there any more.
    for role in ("auditor", "reader", "service", "member", "admin"):
        status = world.ask(template, verb, base, token("alice", "web", role)).status_code
        assert (status == 403) == (role not in ALLOWED[template, verb]), (role, status)
        assert status < 500


@pytest.mark.parametrize("role", ["member", "reader", "auditor"])
@pytest.mark.parametrize(("template", "verb"), [route for route in ROUTES if "{base}" in route[0]])
def test_the_address_of_another_project_is_forbidden(world, template, verb, role):
    before = world.documents()
    reply = world.ask(template, verb, "/v2/web", token("mallory", "other", role))
    assert reply.status_code == 403
    assert MARKER not in reply.text
    assert world.documents() == before


@pytest.mark.parametrize(
    ("base", "sender"),
    [
        ("/v2/other", token("mallory", "other", "member")),
        ("/v2/other", token("mallory", "other", "admin")),
        ("/v2/other", token("alice", "other", "member")),
        ("/v1", token("mallory", "other", "member")),
        ("/v1", token("mallory", "web", "member")),
        # The one who made them, with a token for another project.
        ("/v1", token("alice", "other", "member")),
        ("/v1", token("mallory", "other", "admin")),
    ],
)
@pytest.mark.parametrize(("template", "verb"), [route for route in ROUTES if "{base}" in route[0]])
def test_documents_of_others_are_not_there(world, template, verb, base, sender):
    before = world.documents()
    reply = world.ask(template, verb, base, sender)
    assert MARKER not in reply.text
    left = world.documents()
    # On v1 a user of the same project may have made a document of another id beside them.
    assert [entry for entry in left if entry in before] == before
    names_one = verb in ("GET", "PATCH", "DELETE", "PUT") and "{document_id}" in template
    if names_one or template.endswith(("event", "action")):
        assert reply.status_code == 404
    if template.endswith(":batch"):
        assert [item["status"] for item in reply.json["items"]] == [404]
    if verb == "GET" and "{document_id}" not in template:
        assert next(iter(reply.json.values())) == []


def test_on_v1_who_may_act_in_every_project_reaches_documents_of_hers_in_all(world):
    for role, status in (("reader", 404), ("member", 404), ("service", 200), ("admin", 200)):
        headers = token("alice", "other", role)
        reply = world.client.simulate_get("/v1/jobs/one", headers=headers)
        assert reply.status_code == status
        listed = world.client.simulate_get("/v1/jobs", headers=headers)
        assert (MARKER in reply.text, MARKER in listed.text) == (status == 200, status == 200)


def test_on_v1_each_item_of_a_batch_reaches_as_far_as_its_own_rule(tmp_path, policy_with):
    world = World(SqliteStore(tmp_path / "api.db"), NoAuth(), policy_with('"jobs:delete": "role:member"\n'))
    world.fill(ALICE)
    items = [{"op": "patch", "job_id": ID, "changes": {"description": "mine now"}}, {"op": "delete", "job_id": ID}]
    headers = token("alice", "other", "member")
    reply = world.client.simulate_post("/v1/jobs:batch", json={"items": items}, headers=headers)
    assert [item["status"] for item in reply.json["items"]] == [404, 204]
    assert [kind for kind, *_rest in world.documents()] == ["action", "backup", "client", "session"]


def test_on_v1_a_job_joins_only_sessions_of_its_own_project(world):
    admin = token("alice", "other", "admin")
    far = {"session_id": "far", "schedule": {}}
    assert world.client.simulate_post("/v1/sessions", json=far, headers=admin).status_code == 201
    before = world.documents()
    assert world.client.simulate_put("/v1/sessions/far/jobs/one", headers=admin).status_code == 404
    assert world.documents() == before


def test_users_of_a_password_file_may_do_everything_everywhere(tmp_path):
    path = tmp_path / "htpasswd"
    path.write_text(f"root:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    known = {"Authorization": "Basic " + base64.b64encode(b"root:secret").decode()}
    world = World(SqliteStore(tmp_path / "api.db"), HttpBasic(path))
    world.fill(known)
    for template, verb in ROUTES:
        for base in ("/v2/web", "/v2/other", "/v1"):
            is_open = "{base}" not in template
            assert (world.ask(template, verb, base, {}).status_code == 401) != is_open
            assert world.ask(template, verb, base, known).status_code not in (401, 403)


def test_all_projects_are_for_administrators_and_services(world):
    for kind in KINDS:
        for role in EVERYONE:
            path = f"/v2/other/{kind}?all_projects=true"
            reply = world.client.simulate_get(path, headers=token("mallory", "other", role))
            assert (reply.status_code == 200) == (role in ("admin", "service")), role
            assert (MARKER in reply.text) == (reply.status_code == 200)


def test_a_central_client_is_for_administrators_and_services(world):
    central = {"client_id": "central", "is_central": True}
    for role, status in (("member", 403), ("admin", 201)):
        headers = token("carol", "web", role)
        assert world.client.simulate_post("/v2/web/clients", json=central, headers=headers).status_code == status
        path = "/v2/web/clients/central"
        assert world.client.simulate_post(path, json=central, headers=headers).status_code == status
        patched = world.client.simulate_patch(path, json={"is_central": True}, headers=headers).status_code
        assert patched == (403 if status == 403 else 200)
        items = {"items": [{"op": "replace", "client_id": "central", "document": central}]}
        reply = world.client.simulate_post("/v2/web/clients:batch", json=items, headers=headers)
        assert reply.json["items"][0]["status"] == (403 if status == 403 else 200)
    usual = {"client_id": "usual", "is_central": False}
    assert world.client.simulate_post("/v2/web/clients", json=usual, headers=ALICE).status_code == 201


MEMBER = Context("alice", "web", frozenset(["member"]))
READER = Context("bob", "web", frozenset(["reader"]))


@pytest.fixture
def policy_with(tmp_path):
    """A policy with a policy.yaml beside its configuration: ``policy_with("jobs:delete: role:admin")``."""

    def make(text=None, config="", **files):
        (tmp_path / "freezer-api.conf").write_text(f"[DEFAULT]\n{config}")
        if text is not None:
            (tmp_path / "policy.yaml").write_text(text)
        for name, content in files.items():
            (tmp_path / "policy.d").mkdir(exist_ok=True)
            (tmp_path / f"policy.d/{name}.yaml").write_text(content)
        return Policy(read_files([str(tmp_path / "freezer-api.conf")]).options)

    return make


def test_policy_yaml_goes_before_the_defaults(policy_with):
    policy = policy_with('"jobs:delete": "role:admin"\n"jobs:create": "rule:admin_or_owner or role:auditor"\n')
    policy.check()
    assert not policy.allows(MEMBER, "jobs:delete", "web")
    assert policy.allows(MEMBER, "jobs:update", "web")
    auditor = Context("eve", "web", frozenset(["auditor"]))
    assert policy.allows(auditor, "jobs:create", "elsewhere")
    # To replace is to create: without the right to create the other route is refused too.
    assert policy.allows(auditor, "jobs:replace", "elsewhere")
    assert not policy.allows(READER, "jobs:replace", "web")


def test_files_in_policy_d_go_before_policy_yaml(policy_with):
    policy = policy_with('"jobs:delete": "role:admin"\n', ten='"jobs:delete": "role:reader"\n')
    assert policy.allows(READER, "jobs:delete", "web")
    assert not policy.allows(MEMBER, "jobs:delete", "web")


def wait_for(decision, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if decision():
            return
        time.sleep(0.05)
    raise AssertionError("the policy did not change")


def test_a_changed_policy_counts_without_a_restart(policy_with, tmp_path):
    policy = policy_with('"jobs:delete": "role:admin"\n')
    assert not policy.allows(MEMBER, "jobs:delete", "web")
    path = tmp_path / "policy.yaml"
    path.write_text('"jobs:delete": "role:member"\n')
    os.utime(path, (time.time() + 5, time.time() + 5))
    wait_for(lambda: policy.allows(MEMBER, "jobs:delete", "web"))


def test_while_the_policy_cannot_be_read_all_requests_are_refused(policy_with, tmp_path):
    policy = policy_with('"jobs:delete": "role:admin"\n')
    assert policy.allows(MEMBER, "jobs:get", "web")
    path = tmp_path / "policy.yaml"
    path.write_text('"jobs:delete": "role:admin\n')
    os.utime(path, (time.time() + 5, time.time() + 5))

    def is_refused():
        try:
            policy.allows(MEMBER, "jobs:get", "web")
        except UnavailableError:
            return True
        return False

    wait_for(is_refused)
    assert is_refused()
    path.write_text('"jobs:delete": "role:admin"\n')
    os.utime(path, (time.time() + 9, time.time() + 9))
    wait_for(lambda: not is_refused())


@pytest.mark.parametrize(
    ("text", "config", "says"),
    [
        ('"jobs:delete": "role:admin\n', "", "cannot be read"),
        ("[1, 2]\n", "", "cannot be read"),
        ('"jobs:delete": "rule:nobody_has_this"\n', "", "do not exist"),
        ('"a": "rule:b"\n"b": "rule:a"\n', "", "refer to each other in a circle"),
        (
            None,
            "[oslo_policy]\npolicy_file = elsewhere.yaml\n",
            r"elsewhere.yaml, which \[oslo_policy\] names, does not exist",
        ),
    ],
)
def test_a_policy_that_cannot_be_used_is_told_at_the_start(policy_with, text, config, says):
    with pytest.raises(PolicyError, match=says):
        policy_with(text, config).check()


def test_without_a_policy_file_the_defaults_count(policy_with):
    policy = policy_with()
    policy.check()
    assert policy.allows(MEMBER, "jobs:create", "web")
    assert all(rule.default is None for rule in policy.rules())


def test_who_is_refused_is_told_why(policy_with):
    policy = policy_with()
    with pytest.raises(ForbiddenError, match=r"policy jobs:create does not allow this to your roles \(reader\)"):
        policy.authorize(READER, "jobs:create", "web")
    with pytest.raises(ForbiddenError, match="not in the project ops"):
        policy.authorize(MEMBER, "jobs:create", "ops")


def test_decisions_are_remembered_for_a_moment_only(policy_with, monkeypatch):
    monkeypatch.setattr(f"{Policy.__module__}._REMEMBER_MOST", 50)
    policy = policy_with()
    for number in range(200):
        assert policy.allows(MEMBER, "jobs:get", "web")
        assert not policy.allows(MEMBER, "jobs:get", f"p{number}")
        assert len(policy._known) <= 52
