# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The settings: flags, the file, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.config import ConfigError, Settings, read_settings

FLAGS = ["--store", "sqlite:////var/lib/freezer/api.db", "--auth-strategy", "noauth"]


def test_two_flags_are_enough():
    assert read_settings(FLAGS) == Settings(
        store_path=Path("/var/lib/freezer/api.db"),
        auth_strategy="noauth",
        htpasswd=None,
        host="127.0.0.1",
        port=9090,
        workers=1,
        threads=8,
        max_body_bytes=1_048_576,
    )


def test_three_slashes_name_a_path_below_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = read_settings(["--store", "sqlite:///api.db", "--auth-strategy", "noauth"])
    assert settings.store_path == tmp_path / "api.db"


def test_the_file_is_read_and_flags_go_before_it(tmp_path):
    path = tmp_path / "freezer-api.conf"
    path.write_text(
        "[DEFAULT]\nauth_strategy = http_basic\nhttp_basic_auth_user_file = /etc/freezer/htpasswd\n"
        "bind_host = 192.0.2.1\nbind_port = 80\nworkers = 4\nthreads = 2\nmax_body_bytes = 2048\n"
        "[database]\nconnection = sqlite:////srv/api%20.db\n"
    )
    settings = read_settings(["--config-file", str(path), "--bind", "[::1]:8080", "--workers", "3"])
    assert settings == Settings(
        store_path=Path("/srv/api%20.db"),
        auth_strategy="http_basic",
        htpasswd=Path("/etc/freezer/htpasswd"),
        host="::1",
        port=8080,
        workers=3,
        threads=2,
        max_body_bytes=2048,
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "[::1]", "localhost"])
def test_noauth_may_listen_on_loopback(host):
    assert read_settings([*FLAGS, "--bind", f"{host}:0"]).port == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "example.org"])
def test_noauth_listens_elsewhere_only_when_forced(host):
    with pytest.raises(ConfigError, match="--force"):
        read_settings([*FLAGS, "--bind", f"{host}:9090"])
    assert read_settings([*FLAGS, "--bind", f"{host}:9090", "--force"]).host == host.strip("[]")


def test_http_basic_may_listen_anywhere():
    arguments = ["--store", "sqlite:///a", "--auth-strategy", "http_basic", "--htpasswd", "f", "--bind", "0.0.0.0:1"]
    assert read_settings(arguments).host == "0.0.0.0"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no authentication strategy"),
        (["--auth-strategy", "noauth"], "--store"),
        (["--auth-strategy", "magic"], "there is no magic"),
        ([*FLAGS, "--auth-strategy", "http_basic"], "password file"),
        ([*FLAGS, "--store", "mysql://x"], "sqlite:///"),
        ([*FLAGS, "--store", "sqlite:///:memory:"], "file"),
        ([*FLAGS, "--store", "sqlite:///"], "file"),
        ([*FLAGS, "--bind", "9090"], "127.0.0.1:9090"),
        ([*FLAGS, "--bind", "127.0.0.1:http"], "the port"),
        ([*FLAGS, "--bind", "127.0.0.1:65536"], "65535"),
        ([*FLAGS, "--workers", "0"], "workers"),
        ([*FLAGS, "--threads", "many"], "threads"),
        ([*FLAGS, "--max-body-bytes", "1"], "1024"),
        ([*FLAGS, "--config-file", "/no/such/file"], "No such file"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else None,
)
def test_what_cannot_work_is_told_in_a_sentence(arguments, says):
    with pytest.raises(ConfigError) as caught:
        read_settings(arguments)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[DEFAULT]\nbind_hots = x\n", "unknown option bind_hots in [DEFAULT]"),
        ("[storage]\nconnection = x\n", "[storage]"),
        ("no section\n", "cannot be read"),
        ("[DEFAULT]\nworkers = 1\nworkers = 2\n", "cannot be read"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, content, says):
    path = tmp_path / "freezer-api.conf"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_settings(["--config-file", str(path)])
    assert says in str(caught.value)
