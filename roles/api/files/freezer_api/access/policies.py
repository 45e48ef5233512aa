# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The default policy: upstream's rules, and rules of the same kind for what is new.

Loaded late, because importing oslo.policy takes time. See ``policy.Policy``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oslo_policy import policy

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import NODE

_PROJECT = ["project"]

#: Roles that several rules name.
_BASE = (
    ("context_is_admin", "role:admin"),
    ("admin_or_service", "role:admin or role:service"),
    ("project_member", "role:member and project_id:%(project_id)s"),
    ("project_reader", "role:reader and project_id:%(project_id)s"),
    # A node is bound to a client, and reaches only documents of that client.
    ("project_node", f"role:{NODE} and project_id:%(project_id)s"),
    ("admin_or_owner", "rule:context_is_admin or rule:project_member"),
    ("admin_or_owner_or_service", "rule:admin_or_service or rule:project_member"),
    ("admin_or_reader_or_service", "rule:admin_or_owner_or_service or rule:project_reader"),
)

_WRITE = "rule:admin_or_owner"
_READ = "rule:admin_or_reader_or_service"
_ALL = "rule:admin_or_service"
_OR_NODE = " or rule:project_node"
_WRITE_OR_SERVICE = "rule:admin_or_owner_or_service"

_KINDS = ("backups", "clients", "jobs", "actions", "sessions")


def list_rules() -> list[policy.RuleDefault]:
    """All rules, for the enforcer and for oslopolicy-sample-generator."""
    base = [policy.RuleDefault(name, check, scope_types=_PROJECT) for name, check in _BASE]
    own = [rule for plural in _KINDS for rule in _rules_of(plural)]
    return [
        *base,
        *own,
        _rule("clients:create_central", _ALL, "Register a client that is central (is_central).", "POST /clients"),
        _rule("jobs:event:create", _WRITE, "Ask for an event of a job.", "POST /jobs/{job_id}/event"),
        _rule(
            "sessions:action:create", _WRITE + _OR_NODE, "Start or end a round.", "POST /sessions/{session_id}/action"
        ),
        _rule("sessions:job:add", _WRITE, "Put a job into a session.", "PUT /sessions/{session_id}/jobs/{job_id}"),
        _rule(
            "sessions:job:remove", _WRITE, "Take a job out of a session.", "DELETE /sessions/{session_id}/jobs/{job_id}"
        ),
        policy.DocumentedRuleDefault(
            "metrics:get",
            _ALL,
            "Read the metrics from a network that is not in [metrics] networks.",
            [{"path": "/metrics", "method": "GET"}],
            scope_types=_PROJECT,
        ),
    ]


def _rules_of(plural: str) -> Iterator[policy.DocumentedRuleDefault]:
    single = f"/{plural}/{{{plural[:-1]}_id}}"
    # The scheduler of a service records backups in every project.
    write = _WRITE_OR_SERVICE if plural == "backups" else _WRITE
    # The callers that run or write actions need their secrets.
    read, create, update, delete, secrets = _READ, write, write, write, _WRITE_OR_SERVICE
    # The scheduler of a node runs jobs, joins sessions, registers its client and records backups.
    if plural != "actions":
        read += _OR_NODE
    if plural in ("backups", "clients", "jobs"):
        update += _OR_NODE
        secrets += _OR_NODE
    if plural in ("backups", "clients"):
        create += _OR_NODE
    if plural == "backups":
        delete += _OR_NODE
    # Upstream has rules of this name for two kinds; for the others the rule for creating applies.
    replace = write if plural in ("actions", "sessions") else f"rule:{plural}:create"
    yield _rule(f"{plural}:create", create, f"Create {plural}.", f"POST /{plural}")
    yield _rule(f"{plural}:get", read, f"Show {plural}.", f"GET {single}")
    yield _rule(f"{plural}:get_all", read, f"List and search {plural}.", f"GET /{plural}")
    yield _rule(
        f"{plural}:get_all_projects", _ALL, f"List {plural} of all projects.", f"GET /{plural}?all_projects=true"
    )
    yield _rule(
        f"{plural}:get_secrets",
        secrets,
        f"See passwords and the like in {plural}, and search for them.",
        f"GET /{plural}",
        f"GET {single}",
    )
    yield _rule(f"{plural}:replace", replace, f"Create or replace {plural} by id.", f"POST {single}")
    yield _rule(f"{plural}:update", update, f"Change {plural}.", f"PATCH {single}")
    yield _rule(f"{plural}:delete", delete, f"Delete {plural}.", f"DELETE {single}")


def _rule(name: str, check: str, description: str, *operations: str) -> policy.DocumentedRuleDefault:
    described: list[Any] = []
    for operation in operations:
        method, path = operation.split(" ")
        described.append({"method": method, "path": f"/v2/{{project_id}}{path}"})
    return policy.DocumentedRuleDefault(name, check, description, described, scope_types=_PROJECT)
