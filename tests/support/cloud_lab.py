# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Projects in the OpenStack of tests/labs/openstack: each test or module of tests has its own, with a user in it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .keystone_lab import Keystone, lab_environment, run_lab


@dataclass(frozen=True)
class Project:
    """A project with one member. ``environment`` are the member's OS_* variables, ``auth`` the same for a module."""

    id: str
    name: str
    user_id: str
    auth: dict[str, str]
    environment: dict[str, str]
    #: The id and the secret of an application credential of the member.
    application_credential: dict[str, str]


def start(*pieces: str) -> Keystone:
    """The lab with these pieces, started if they do not run yet. Raises LabUnavailable."""
    run_lab("up", "keystone", *pieces)
    return Keystone(lab_environment())


def new_project(keystone: Keystone) -> Project:
    """A new project and its member. They stay: Keystone on SQLite forgets the roles of a deleted user's credentials
    only partly, and could then make no new ones."""
    token = keystone.token("admin")
    name = f"cloud-{secrets.token_hex(6)}"

    def made(path: str, what: str, **values: Any) -> Any:
        return keystone.ask("POST", path, {what: values}, token)[0][what]

    project_id = made("/projects", "project", name=name, domain_id="default")["id"]
    user_id = made("/users", "user", name=name, domain_id="default", password=keystone.password)["id"]
    roles = {role["name"]: role["id"] for role in keystone.ask("GET", "/roles", None, token)[0]["roles"]}
    keystone.ask("PUT", f"/projects/{project_id}/users/{user_id}/roles/{roles['member']}", None, token)
    auth = {"auth_url": keystone.auth_url, "username": name, "password": keystone.password, "project_id": project_id}
    identity = {"methods": ["password"], "password": {"user": {"id": user_id, "password": keystone.password}}}
    own = keystone.ask(
        "POST", "/auth/tokens", {"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}}
    )[1]["X-Subject-Token"]
    credential = keystone.ask(
        "POST",
        f"/users/{user_id}/application_credentials",
        {"application_credential": {"name": name, "secret": keystone.password, "unrestricted": True}},
        own,
    )[0]["application_credential"]
    environment = {
        "OS_AUTH_TYPE": "password",
        "OS_AUTH_URL": keystone.auth_url,
        "OS_USERNAME": name,
        "OS_PASSWORD": keystone.password,
        "OS_PROJECT_ID": project_id,
        "OS_USER_DOMAIN_ID": "default",
        "OS_REGION_NAME": keystone.region,
        "OS_IDENTITY_API_VERSION": "3",
    }
    return Project(project_id, name, user_id, auth, environment, {"id": credential["id"], "secret": keystone.password})


def without_cloud(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without anybody's OS_* variables."""
    return {name: value for name, value in environment.items() if not name.startswith("OS_")}
