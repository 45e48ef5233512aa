# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The API as a tenant sees it, in both versions and on both stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.freezer.backup.tests.support import api_process, elasticsearch_lab
from ansible_collections.freezer.backup.tests.support.api_process import ApiProcess, Reply


@dataclass
class Tenant:
    """A user who is alone in a project, and one version of the API."""

    process: ApiProcess
    version: int
    user_id: str
    project_id: str

    @property
    def base(self) -> str:
        """Where the routes of this version begin for this tenant."""
        return "/v1" if self.version == 1 else f"/v2/{self.project_id}"

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """A request as this tenant; the path goes on where the version's routes begin."""
        token = {"X-Auth-Token": f"{self.user_id}:{self.project_id}:member"}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.process.request(method, self.base + path, body, {**token, **names})

    def get(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.request("GET", path, body, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.request("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.request("PATCH", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.request("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Reply:
        return self.request("DELETE", path, None, **headers)

    def on(self, version: int) -> Tenant:
        """The same tenant on one version."""
        return Tenant(self.process, version, self.user_id, self.project_id)

    def ids(self, path: str, key: str) -> list[str]:
        """The ids in a list."""
        plural = path.strip("/").split("?")[0]
        return [document[key] for document in self.get(path).json[plural]]


@pytest.fixture(scope="session", params=["sqlite", "elasticsearch"])
def freezer_api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """A freezer-api for the whole session, on one store and then on the other."""
    folder = tmp_path_factory.mktemp("freezer-api")
    if request.param == "sqlite":
        process = api_process.start(folder)
        yield process
        process.stop()
        return
    server = request.getfixturevalue("elasticsearch")
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    process = api_process.start(folder, "--store", elasticsearch_lab.make_store(server, prefix))
    yield process
    process.stop()
    elasticsearch_lab.delete_indices(prefix)


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def tenant(request, freezer_api, project_id):
    """Each test runs on v1 and on v2."""
    return Tenant(freezer_api, request.param, f"user-of-{project_id}", project_id)
