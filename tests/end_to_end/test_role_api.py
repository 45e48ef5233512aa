# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The role api on hosts with systemd, those of tests/labs/containers: the molecule scenario ``api``, and an API with Keystone and
Elasticsearch."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator

from ansible_collections.freezer.backup.tests.support import elasticsearch_lab, labs
from ansible_collections.freezer.backup.tests.support.role_runs import (
    COMMANDS,
    changes,
    play_scenario,
    run,
)


def test_the_api_is_deployed_found_unchanged_upgraded_and_removed(hosts, collection, tmp_path):
    looks = play_scenario("api", collection, tmp_path, **hosts)
    # The second look of check mode is at hosts that are as they should be.
    assert looks[1:] == [[0, 0]]


DEPLOY = """
- name: Deploy the API behind Keystone
  hosts: host1
  gather_facts: false
  roles:
    - role: freezer.backup.api
"""


def test_the_api_is_made_known_to_keystone_and_keeps_its_documents_in_elasticsearch(
    hosts, others, keystone, secure_elasticsearch, index_prefix, collection, tmp_path
):
    labs.lab("containers", "renew", "host1")
    host = "10.213.42.11"
    region = f"role-{uuid.uuid4().hex[:8]}"
    admin = keystone.token("admin")
    keystone.ask("PUT", f"/regions/{region}", {"region": {}}, admin)
    wanted = {
        "freezer_api_bind_host": "0.0.0.0",
        "freezer_api_auth_strategy": "keystone",
        "freezer_api_keystone_auth_url": keystone.auth_url,
        "freezer_api_keystone_user": region,
        "freezer_api_keystone_password": "a secret of its own",
        "freezer_api_keystone_domain": "Default",
        "freezer_api_keystone_region": region,
        "freezer_api_keystone_register": True,
        # Keystone itself is in another region than the service.
        "freezer_api_config": {"keystone_authtoken": {"region_name": keystone.region}},
        "freezer_api_keystone_endpoints": {"public": f"http://{host}:9090", "internal": f"http://{host}:9090"},
        "freezer_api_store": secure_elasticsearch.store_url(index_prefix),
        "freezer_api_elasticsearch_username": secure_elasticsearch.user,
        "freezer_api_elasticsearch_password": secure_elasticsearch.password,
        "freezer_api_elasticsearch_ca": str(secure_elasticsearch.ca_file),
    }
    playbook, extra = tmp_path / "deploy.yml", tmp_path / "variables.json"
    playbook.write_text(DEPLOY)
    extra.write_text(json.dumps(wanted))
    own = tmp_path / "own.yml"
    own.write_text(
        "all:\n  hosts:\n    localhost:\n      ansible_connection: local\n"
        f"      ansible_python_interpreter: {others['FREEZER_TEST_OPENSTACK_PYTHON']}\n"
    )

    def play(*arguments: str) -> str:
        inventories = ("-i", hosts["FREEZER_TEST_INVENTORY"], "-i", str(own))
        said = run(
            collection,
            "ansible-playbook",
            *(str(playbook), *inventories, "-e", f"@{extra}", "--diff", *arguments),
            **{
                **keystone.environment,
                "ANSIBLE_COLLECTIONS_PATH": f"{collection.parents[2]}:{others['FREEZER_TEST_COLLECTIONS']}",
            },
        )
        assert str(secure_elasticsearch.password) not in said
        assert "a secret of its own" not in said
        assert "correct horse" not in said
        return said

    ports = {urllib.parse.urlsplit(url).port for url in (keystone.auth_url, secure_elasticsearch.url)}
    with _reachable_from(hosts, "host1", ports):
        play("--check")
        assert secure_elasticsearch.indices(index_prefix) == []
        assert _endpoints(keystone, region) == set()

        play()
        member = keystone.user("alpha-member")
        clients = f"http://{host}:9090/v2/{member.project_id}/clients"
        assert _status(clients, keystone.token("alpha-member")) == 200
        assert _status(clients, keystone.token("beta-member")) == 403
        assert _status(clients, None) == 401
        assert _endpoints(keystone, region) == {f"http://{host}:9090"}
        body = json.dumps({"client_id": "db1", "hostname": "db1"}).encode()
        assert _status(clients, keystone.token("alpha-member"), body) == 201
        assert _clients(secure_elasticsearch, index_prefix) == {"db1"}

        assert changes(play()) == [0]
        assert changes(play("--check")) == [0]

        # Accounts of the API's own in place of Keystone's users.
        accounts = {"freezer_api_auth_strategy": "http_basic", "freezer_api_users": {"operator": "correct horse"}}
        play("-e", json.dumps(accounts))
        login = base64.b64encode(b"operator:correct horse").decode()
        clients = f"http://{host}:9090/v1/clients"
        body = json.dumps({"client_id": "db2", "hostname": "db2"}).encode()
        assert _status(clients, None, body, Authorization=f"Basic {login}") == 201
        assert _status(clients, keystone.token("alpha-member")) == 401

        play("-e", "freezer_api_state=absent")
        assert _endpoints(keystone, region) == set()
    # The documents are not the role's to remove.
    assert _clients(secure_elasticsearch, index_prefix) == {"db1", "db2"}
    keystone.ask("DELETE", f"/regions/{region}", None, admin)


@contextlib.contextmanager
def _reachable_from(hosts: dict[str, str], host: str, ports: set[int | None]) -> Iterator[None]:
    """Let a host of the lab reach ports of this machine's loopback as if they were its own."""
    listed = json.loads(
        subprocess.run(
            [COMMANDS / "ansible-inventory", "-i", hosts["FREEZER_TEST_INVENTORY"], "--host", host],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    line = ["ssh", "-N", "-i", listed["ansible_ssh_private_key_file"], "-o", "ExitOnForwardFailure=yes"]
    line += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ControlPath=none"]
    for port in ports:
        line += ["-R", f"127.0.0.1:{port}:127.0.0.1:{port}"]
    line += [f"root@{listed['ansible_host']}"]
    tunnel = subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        tunnel.terminate()
        tunnel.wait(10)


def _status(url: str, token: str | None, body: bytes | None = None, **headers: str) -> int:
    request = urllib.request.Request(url, body, {**({"X-Auth-Token": token} if token else {}), **headers})
    request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def _endpoints(keystone, region: str) -> set[str]:
    """The URLs in a region of the catalogue."""
    found, _headers = keystone.ask("GET", f"/endpoints?region_id={region}", None, keystone.token("admin"))
    return {endpoint["url"] for endpoint in found["endpoints"]}


def _clients(server: elasticsearch_lab.Server, prefix: str) -> set[str]:
    """The clients among the documents in Elasticsearch."""
    # What was written a moment ago is found by a search after a refresh.
    server.ask("POST", f"/{prefix}-clients/_refresh")
    found = server.ask("GET", f"/{prefix}-clients/_search")["hits"]["hits"]
    return {hit["_source"]["id"] for hit in found}
