# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What freezer-scheduler.conf says, and what it may not say."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.config.options import OPTIONS
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.config.paths import settle
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.config.settings import (
    ConfigError,
    client_id_of,
    read_settings,
    remember_client_id,
)

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "docs/freezer-scheduler.conf.sample"

#: As an operator of upstream's release 19 has it.
OF_UPSTREAM = """
[DEFAULT]
client_id = node1
jobs_dir = /etc/freezer/scheduler/conf.d
interval = 30
log_file = /var/log/freezer/scheduler.log
use_syslog = false
[scheduler]
disable_exec = false
concurrent_jobs = 3
[service_auth]
auth_url = https://keystone.example.org/v3
username = freezer
password = secret
project_name = service
user_domain_name = Default
project_domain_name = Default
[coordination]
backend_url = etcd3://192.0.2.1
"""


@pytest.fixture
def settings(tmp_path):
    """The settings of a file."""

    def read(text="", **flags):
        path = tmp_path / "freezer-scheduler.conf"
        path.write_text(text)
        return read_settings([str(path)], **flags)

    return read


def test_the_sample_is_the_one_that_the_options_give(tmp_path):
    subprocess.run([ROOT / "tools/samples", tmp_path], check=True, cwd=ROOT)
    assert (tmp_path / SAMPLE.name).read_text() == SAMPLE.read_text(), "run tools/samples"


def test_every_line_of_the_sample_can_be_used(settings):
    text = re.sub(r"^#(\w+ = (?!<None>).*)$", r"\1", SAMPLE.read_text(), flags=re.MULTILINE)
    found = settings(text)
    assert found.warnings == ()
    assert found.limits.per_storage == {"swift": 2, "local": 4}
    assert found.scope_properties == ["MemoryMax=2G", "CPUWeight=50", "IOWeight=50"]


def test_every_option_says_what_it_is_for():
    for options in OPTIONS.values():
        for option in options:
            assert option.help, option.name
            assert option.help.endswith("."), option.name


def test_an_action_that_hangs_is_ended_after_a_day_unless_the_operator_says_otherwise(settings):
    assert settings("[DEFAULT]\n").limits.timeout_seconds == 86400
    assert settings("[DEFAULT]\naction_timeout = 0\n").limits.timeout_seconds == 0


def test_a_client_id_that_could_name_another_folder_is_refused(settings, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "../x")
    with pytest.raises(ConfigError, match="is no id of a client"):
        client_id_of(settings("[DEFAULT]\nno_api = true\n"))


def test_a_file_of_upstreams_is_understood(settings):
    found = settings(OF_UPSTREAM)
    assert (found.client_id, found.interval_seconds) == ("node1", 30)
    assert (found.limits.allow_exec, found.limits.concurrent_jobs) == (True, 3)
    assert found.api["auth"] == {
        "auth_url": "https://keystone.example.org/v3",
        "username": "freezer",
        "password": "secret",
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    assert [line.partition(" of ")[0] for line in found.warnings] == [
        "use_syslog in [DEFAULT]",
        "backend_url in [coordination]",
    ]


def test_commands_are_off_unless_the_file_allows_them_and_a_flag_turns_them_off_again(settings):
    assert settings().limits.allow_exec is False
    assert settings("[DEFAULT]\ndisable_exec = false\n").limits.allow_exec is True
    assert settings("[DEFAULT]\ndisable_exec = false\n", disable_exec=True).limits.allow_exec is False


def test_the_file_goes_before_the_environment(settings, monkeypatch):
    monkeypatch.setenv("OS_USERNAME", "somebody")
    monkeypatch.setenv("OS_PASSWORD", "else")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:1")
    found = settings("[api]\nurl = http://127.0.0.1:9\nauth_type = http_basic\nusername = node1\npassword = own\n")
    assert (found.api["username"], found.api["password"]) == ("node1", "own")
    assert found.connect().url == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[DEFAULT]\nintervall = 3\n", r"unknown option intervall in \[DEFAULT\]. Did you mean interval\?"),
        ("[api]\nuser = a\n", r"unknown option user in \[api\]"),
        ("[DEFAULT]\nclient_id = a/b\n", "no id of a client"),
        ("[DEFAULT]\ntimezone = Mars/Olympus\n", "timezone is 'Mars/Olympus'"),
        ("[DEFAULT]\nstorage_limits = swift:many\n", "storage_limits has to be"),
        ("[DEFAULT]\nconcurrent_jobs = 0\n", "concurrent_jobs"),
        ("no section\n", "cannot be read"),
    ],
)
def test_what_cannot_be_is_a_sentence(settings, text, words):
    with pytest.raises(ConfigError, match=words):
        settings(text)


def test_the_client_is_the_project_and_the_host_and_is_remembered_for_a_start_without_keystone(settings, tmp_path):
    known = settings("[api]\nurl = http://127.0.0.1:9\nproject_id = p1\n", state_dir=str(tmp_path / "state"))
    client_id = client_id_of(known)
    assert client_id == f"p1_{socket.gethostname()}"
    remember_client_id(known, client_id)
    unknown = settings(
        "[api]\nauth_url = http://127.0.0.1:1\nusername = u\npassword = p\nproject_name = n\n"
        "user_domain_name = d\nproject_domain_name = d\n",
        state_dir=str(tmp_path / "state"),
    )
    assert client_id_of(unknown) == client_id


def test_relative_paths_mean_the_folder_where_the_command_was_typed(tmp_path, monkeypatch):
    """Also when it is read again, in the background, where the process is in another folder."""
    folder = tmp_path / "typed here"
    (folder / "more").mkdir(parents=True)
    (folder / "more/own.conf").write_text(
        "[DEFAULT]\nstate_dir = state\nlog_dir = logs\nlog_file = own.log\nagent_command = bin/agent --quiet\n"
        "[api]\nca_file = ca.pem\nclient_cert = /etc/own.pem\nclient_key = ~/own.key\n"
    )
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir("/")
    found = read_settings([], ["more"], folder, jobs_dir="jobs")
    assert found.state_dir == folder / "state"
    assert found.jobs_dir == folder / "jobs"
    assert found.log_file == folder / "logs/own.log"
    assert found.agent == [str(folder / "bin/agent"), "--quiet"]
    assert {key: found.api[key] for key in ("ca_file", "client_cert", "client_key")} == {
        "ca_file": str(folder / "ca.pem"),
        "client_cert": "/etc/own.pem",
        "client_key": "/home/somebody/own.key",
    }
    environ = {"OS_CACERT": "ca.pem", "OS_CLIENT_CONFIG_FILE": "/etc/clouds.yaml", "OS_CERT": "", "OS_USERNAME": "u"}
    settle(environ, folder)
    assert environ == {
        "OS_CACERT": str(folder / "ca.pem"),
        "OS_CLIENT_CONFIG_FILE": "/etc/clouds.yaml",
        "OS_CERT": "",
        "OS_USERNAME": "u",
    }
    assert read_settings([], ["more"], folder).folder == folder


def test_a_folder_that_was_removed_keeps_no_scheduler_from_being_read(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    # As it was typed there; it is nowhere any more either.
    monkeypatch.setattr("sys.argv", ["bin/freezer-scheduler"])
    try:
        assert read_settings([]).folder == Path("/")
    finally:
        monkeypatch.undo()
