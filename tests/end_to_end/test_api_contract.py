# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The contract of the API: written down as it is, served as it is written down, and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bcrypt
import falcon.inspect
import jsonschema
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.contract import document
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.tests.support.soak import rounds

pytestmark = pytest.mark.rounds

CHECKOUT = Path(__file__).resolve().parents[2]
WRITTEN = CHECKOUT / "docs" / "openapi.json"
#: How many requests schemathesis thinks of for an operation; `make soak` has more of them, and more phases.
EXAMPLES = rounds(0)
LONGEST_SECONDS = 600 if EXAMPLES else 20

#: Routes for those who look after the server, and no part of the contract.
NO_CONTRACT = {"/metrics"}


def test_the_contract_in_the_documentation_is_that_of_the_program():
    assert WRITTEN.read_text() == document.text(), (
        "write it anew: .venv/bin/python -m ansible_collections.freezer.backup.roles.api.files.freezer_api.http.contract"
        ".document > docs/openapi.json"
    )


def test_the_schemas_in_the_contract_are_schemas():
    for schema in document.document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_everything_that_the_contract_refers_to_is_there():
    contract = document.document()

    def look(part):
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                found = contract
                for name in part["$ref"].removeprefix("#/").split("/"):
                    found = found[name]
            for inner in part.values():
                look(inner)
        elif isinstance(part, list):
            for inner in part:
                look(inner)

    look(contract)


def test_the_contract_has_every_route_and_no_other(tmp_path):
    def shape(path):
        return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))

    routes = {}
    for route in falcon.inspect.inspect_routes(create_app(SqliteStore(tmp_path / "api.db"), NoAuth())):
        if route.path not in NO_CONTRACT:
            methods = {method.method for method in route.methods if not method.internal}
            # It goes without saying: GET without the body.
            routes[shape(route.path)] = methods - {"HEAD"}
    described = {
        shape(path): {method.upper() for method in item if method != "parameters"}
        for path, item in document.document()["paths"].items()
    }
    assert described == routes


def test_the_contract_needs_no_authentication(start_freezer_api, tmp_path):
    users = tmp_path / "htpasswd"
    users.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    api = start_freezer_api("--htpasswd", str(users), auth_strategy="http_basic")
    reply = api.get("/openapi.json")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == json.loads(WRITTEN.read_text())


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_schemathesis_thinks_of_is_answered_as_the_contract_says(start_freezer_api, tmp_path, version):
    api = start_freezer_api()
    phases = "coverage,fuzzing,stateful" if EXAMPLES else "fuzzing,stateful"
    ended = subprocess.run(
        [
            Path(sys.executable).with_name("st"),
            "--no-color",
            "--config-file",
            CHECKOUT / "tests" / "schemathesis.toml",
            "run",
            api.url + "/openapi.json",
            "--include-path-regex",
            f"^/{version}",
            "--phases",
            phases,
            "--max-examples",
            str(EXAMPLES or 1),
            "--max-time",
            str(LONGEST_SECONDS // 2),
            *(() if EXAMPLES else ("--seed", "1")),
            "--generation-database",
            "none",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "ansible_collections.freezer.backup.tests.support.schemathesis_hooks"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " ERROR " not in api.log.read_text()
