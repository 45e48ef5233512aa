# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the role api writes for some variables: the configuration, the unit and the site of nginx."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.settings import read_settings
from ansible_collections.freezer.backup.tests.support.ansible_command import run_ansible

ROLE = Path(__file__).resolve().parents[3] / "roles/api"
FILES = ("freezer-api.conf", "freezer-api.service", "nginx.conf", "Dockerfile", "manage_container.sh")
SOCKET = {"freezer_api_socket": "/run/freezer/api.sock", "freezer_api_socket_group": "backup"}
_OPTIONS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"][
    "options"
]
CASES: dict[str, dict[str, Any]] = {
    "unset": {},
    "empty": dict.fromkeys(_OPTIONS, ""),
    "texts": {
        "freezer_api_bind_port": "8080",
        "freezer_api_nginx": "true",
        "freezer_api_nginx_backend_port": "8081",
        "freezer_api_nginx_connections_per_address": "7",
    },
    "socket": {**SOCKET, "freezer_api_auth_strategy": "noauth", "freezer_api_bind_port": 80},
    "socket without a group": {"freezer_api_socket": "/run/freezer/deep/api.sock"},
    "socket behind nginx": {**SOCKET, "freezer_api_nginx": True, "freezer_api_bind_host": "192.0.2.1"},
    "names": {"freezer_api_allowed_hosts": ["backup.example.org", "b"]},
}
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars_files: [{role}/defaults/main.yml, {role}/vars/main.yml]
  vars:
    ansible_managed: by the test
    freezer_api_chosen: {{}}
    freezer_api_config_now: {{stat: {{}}}}
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ lookup('ansible.builtin.template', '{role}/templates/' ~ item.1 ~ '.j2', template_vars=cases[item.0]) }}}}"
        dest: "{folder}/{{{{ item.0 }}}}.{{{{ item.1 }}}}"
        mode: "0600"
      loop: "{{{{ cases | product(files) }}}}"
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The text of a file, for a case and a name: Ansible itself makes all of them at once."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "play.yml").write_text(PLAYBOOK.format(role=ROLE, folder=folder))
    (folder / "variables.json").write_text(json.dumps({"cases": CASES, "files": FILES}))
    ran = run_ansible("ansible-playbook", "-e", f"@{folder}/variables.json", str(folder / "play.yml"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return lambda case, name: (folder / f"{case}.{name}").read_text(encoding="utf-8")


@pytest.fixture
def options(written):
    """The section DEFAULT of the configuration, for a case."""

    def read(case: str) -> dict[str, str]:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(written(case, "freezer-api.conf"))
        return dict(parser["DEFAULT"])

    return read


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_the_same_for_empty_variables(written, name):
    assert written("empty", name) == written("unset", name)


def test_a_text_is_as_good_as_a_number(written, options):
    assert options("texts")["bind_port"] == "8081"
    assert "listen 127.0.0.1:8080;" in written("texts", "nginx.conf")


def test_the_api_serves_at_a_unix_socket_in_a_folder_of_the_service(written, options):
    assert options("socket")["bind_host"] == "unix:///run/freezer/api.sock"
    assert options("socket")["socket_group"] == "backup"
    assert "bind_port" not in options("socket")
    unit = written("socket", "freezer-api.service").splitlines()
    assert {"RuntimeDirectory=freezer", "RuntimeDirectoryMode=0755", "SupplementaryGroups=backup"} < set(unit)
    # The service may give the socket to the group, and can do nothing else that it could not do before.
    assert unit.index("SystemCallFilter=@chown") > unit.index("SystemCallFilter=~@privileged @resources")
    assert "CapabilityBoundingSet=" in unit


def test_a_socket_without_a_group_is_for_root_and_the_service_alone(written, options):
    assert "socket_group" not in options("socket without a group")
    unit = written("socket without a group", "freezer-api.service")
    assert "RuntimeDirectory=freezer/deep\n" in unit
    assert "SupplementaryGroups" not in unit
    assert "@chown" not in unit


def test_nginx_passes_on_to_the_socket(written, options):
    site = written("socket behind nginx", "nginx.conf")
    assert "listen 192.0.2.1:9090;" in site
    assert "proxy_pass http://unix:/run/freezer/api.sock:;" in site
    assert options("socket behind nginx")["bind_host"] == "unix:///run/freezer/api.sock"
    assert "proxy_pass http://127.0.0.1:8081;" in written("texts", "nginx.conf")


def test_nginx_keeps_slow_clients_away_from_the_program(written):
    site = written("texts", "nginx.conf")
    lines = {line.strip() for line in site.splitlines()}
    assert {"client_header_timeout 30s;", "client_body_timeout 30s;", "send_timeout 30s;"} < lines
    assert {"proxy_request_buffering on;", "proxy_buffering on;"} < lines
    assert {"limit_conn_zone $binary_remote_addr zone=freezer_api:1m;", "limit_conn freezer_api 7;"} < lines
    assert "limit_conn freezer_api 100;" in written("socket behind nginx", "nginx.conf")


def test_without_a_socket_nothing_of_one_is_written(written, options):
    assert not {"allowed_hosts", "socket_group"} & set(options("unset"))
    assert options("unset")["bind_host"] == "127.0.0.1"
    assert "RuntimeDirectory" not in written("unset", "freezer-api.service")


def test_the_api_takes_what_was_written(written, tmp_path):
    settings = {}
    for case in ("socket", "names"):
        path = tmp_path / f"{case}.conf"
        path.write_text(written(case, "freezer-api.conf"))
        settings[case] = read_settings(["--config-file", str(path)])
    assert settings["socket"].socket_path == "/run/freezer/api.sock"
    assert settings["socket"].socket_group == "backup"
    assert settings["names"].allowed_hosts == ("backup.example.org", "b")
