# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What others write between the moment in which a request has read the store and the moment in which it writes."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.context import Context, access
from ansible_collections.freezer.backup.roles.api.files.freezer_api.domain.kinds.all import RULES
from ansible_collections.freezer.backup.roles.api.files.freezer_api.domain.service import Service
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore

ALICE = access(Context("alice", "web", frozenset(("member",))), "web")


class InterruptedStore(SqliteStore):
    """A store in which something else is written right before the next write."""

    interruption = None

    def apply(self, changes):
        interruption, self.interruption = self.interruption, None
        if interruption is not None:
            interruption()
        return super().apply(changes)


@pytest.fixture
def service(tmp_path):
    return Service(InterruptedStore(tmp_path / "api.db"))


def job_with(*paths):
    actions = [{"freezer_action": {"action": "backup", "path_to_backup": path}} for path in paths]
    return {"client_id": "db1", "job_actions": actions}


def put_another_in_its_place(service, action_id):
    service.delete(RULES["actions"], ALICE, action_id)
    body = {"action_id": action_id, "freezer_action": {"action": "backup", "path_to_backup": "/another"}}
    service.create(RULES["actions"], ALICE, body)


@pytest.mark.parametrize("verb", ["change", "replace", "delete"])
def test_an_action_that_is_no_longer_the_jobs_is_left_alone(service, verb):
    service.create_or_replace(RULES["jobs"], ALICE, "j", job_with("/etc"))
    action_id = service.get(RULES["jobs"], ALICE, "j").document["job_actions"][0]["action_id"]
    service.store.interruption = lambda: put_another_in_its_place(service, action_id)
    if verb == "change":
        service.change(RULES["jobs"], ALICE, "j", {"job_actions": job_with("/srv")["job_actions"]})
    elif verb == "replace":
        service.create_or_replace(RULES["jobs"], ALICE, "j", job_with("/srv"))
    else:
        service.delete(RULES["jobs"], ALICE, "j")
    left = service.get(RULES["actions"], ALICE, action_id).document
    assert left["freezer_action"]["path_to_backup"] == "/another"
    if verb != "delete":
        (own,) = service.get(RULES["jobs"], ALICE, "j").document["job_actions"]
        assert own["freezer_action"]["path_to_backup"] == "/srv"
        assert own["action_id"] != action_id


def test_a_concurrent_write_to_a_jobs_action_is_seen(service):
    service.create_or_replace(RULES["jobs"], ALICE, "j", job_with("/etc", "/srv"))
    first, _second = service.get(RULES["jobs"], ALICE, "j").document["job_actions"]
    service.store.interruption = lambda: service.change(RULES["actions"], ALICE, first["action_id"], {"max_retries": 7})
    attempts = []
    planner = service._planner.change
    service._planner.change = lambda *arguments: attempts.append(1) or planner(*arguments)
    service.change(RULES["jobs"], ALICE, "j", {"job_actions": job_with("/etc", "/home")["job_actions"]})
    assert len(attempts) == 2 + 1  # the interruption is one of them
