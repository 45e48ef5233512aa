# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The settings: flags, the file, and what is said about wrong ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.networks import Networks
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config.settings import (
    ConfigError,
    Settings,
    read_files,
    read_settings,
)

FLAGS = ["--store", "sqlite:////var/lib/freezer/api.db", "--auth-strategy", "noauth"]


def shown(settings, *names):
    return {name: getattr(settings, name) for name in names}


def test_two_flags_are_enough():
    settings = read_settings(FLAGS)
    assert shown(settings, "store", "auth_strategy", "htpasswd", "host", "port", "workers", "threads") == {
        "store": Path("/var/lib/freezer/api.db"),
        "auth_strategy": "noauth",
        "htpasswd": None,
        "host": "127.0.0.1",
        "port": 9090,
        "workers": 1,
        "threads": 8,
    }
    assert settings.max_body_bytes == 1_048_576
    assert not settings.allowed_networks
    assert "127.0.0.1" in settings.trusted_proxies
    assert settings.access_log


def test_three_slashes_name_a_path_below_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = read_settings(["--store", "sqlite:///api.db", "--auth-strategy", "noauth"])
    assert settings.store == tmp_path / "api.db"


@pytest.fixture
def config_file(tmp_path):
    """Writes a configuration file and names it."""

    def write(text, name="freezer-api.conf"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_the_file_is_read_and_flags_go_before_it(config_file):
    path = config_file(
        "[DEFAULT]\nauth_strategy = http_basic\nhttp_basic_auth_user_file = /etc/freezer/htpasswd\n"
        "bind_host = 192.0.2.1\nbind_port = 80\nworkers = 4\nthreads = 2\naccess_log = false\n"
        "allowed_networks = 192.0.2.0/24, 2001:db8::1\ntrusted_proxies =\n"
        "graceful_timeout_seconds = 5\nlog_dir = /var/log/freezer\nlog_file = api.log\n"
        "[database]\nconnection = sqlite:////srv/api%20.db\n"
        "[oslo_middleware]\nmax_request_body_size = 2048\n"
        "[healthcheck]\ndisable_by_file_path = /run/maintenance\n"
        "[metrics]\nenabled = false\n"
    )
    settings = read_settings(["--config-file", path, "--bind", "[::1]:8080", "--workers", "3"])
    assert settings == Settings(
        store=Path("/srv/api%20.db"),
        auth_strategy="http_basic",
        htpasswd=Path("/etc/freezer/htpasswd"),
        host="::1",
        port=8080,
        socket_group=None,
        allowed_hosts=(),
        workers=3,
        threads=2,
        max_body_bytes=2048,
        graceful_timeout_seconds=5,
        max_request_head_bytes=16384,
        request_timeout_seconds=300,
        allowed_networks=Networks(["192.0.2.0/24", "2001:db8::1"]),
        trusted_proxies=Networks([]),
        access_log=False,
        debug=False,
        log_file=Path("/var/log/freezer/api.log"),
        disable_by_file=Path("/run/maintenance"),
        metrics_networks=None,
        config_files=(Path(path),),
        warnings=(),
        options=settings.options,
    )


def test_a_later_file_goes_before_an_earlier_one(config_file, tmp_path):
    first = config_file(
        "[DEFAULT]\nauth_strategy = noauth\nworkers = 2\nthreads = 2\n[database]\nconnection=sqlite:///a\n"
    )
    second = config_file("[DEFAULT]\nworkers = 3\n", "second.conf")
    settings = read_settings(["--config-file", first, "--config-file", second])
    assert (settings.workers, settings.threads) == (3, 2)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/10.conf").write_text("[DEFAULT]\nworkers = 4\n")
    (tmp_path / "conf.d/20.txt").write_text("not read")
    settings = read_settings(["--config-file", first, "--config-dir", str(tmp_path / "conf.d")])
    assert (settings.workers, settings.threads) == (4, 2)


def test_what_only_upstream_knows_is_named_and_has_no_effect(config_file):
    path = config_file(
        "[DEFAULT]\nuse_syslog = true\nenable_v1_api = false\n[paste_deploy]\nconfig_file = freezer-paste.ini\n"
        "[storage]\nbackend = sqlalchemy\n[oslo_middleware]\nenable_proxy_headers_parsing = true\n"
        "[keystone_authtoken]\nauth_url = http://127.0.0.1:1\n[oslo_policy]\npolicy_file = policy.yaml\n"
    )
    warnings = read_files([path]).warnings
    assert [warning.split()[0] for warning in warnings] == [
        "use_syslog",
        "enable_v1_api",
        "config_file",
        "backend",
        "enable_proxy_headers_parsing",
    ]
    assert all(path in warning for warning in warnings)


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
        ("[storge]\nbackend = x\n", "[storge]"),
        ("[database]\nconection = x\n", "Did you mean connection?"),
        ("[DEFAULT]\nauth_strategy=noauth\nworkers = 0\n[database]\nconnection=sqlite:///a", "workers in [DEFAULT]"),
        ("[DEFAULT]\nauth_strategy = magic\n", "noauth, http_basic, keystone"),
        (
            "[DEFAULT]\nauth_strategy=noauth\nallowed_networks = 192.0.2.0/99\n[database]\nconnection=sqlite:///a",
            "is no network",
        ),
        ("no section\n", "cannot be read"),
        ("[DEFAULT]\nworkers = 1\nworkers = 2\n", "workers in [DEFAULT] 2 times"),
    ],
)
def test_a_file_that_says_something_else_is_refused(config_file, content, says):
    with pytest.raises(ConfigError) as caught:
        read_settings(["--config-file", config_file(content)])
    assert says in str(caught.value)


def test_a_password_in_the_address_of_the_store_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        read_settings(["--auth-strategy", "noauth", "--store", "mysql://freezer:very-secret@db/freezer"])
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "inside", "outside"),
    [
        (["192.0.2.0/24"], ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"], ["192.0.3.0", "::1", "", "unix", "1"]),
        (["192.0.2.7"], ["192.0.2.7"], ["192.0.2.8", "192.0.2.7.1"]),
        (["192.0.2.9/24"], ["192.0.2.1"], ["192.0.1.255"]),
        (["2001:db8::/32", "::1"], ["2001:db8:ffff::1", "0:0:0:0:0:0:0:1"], ["2001:db9::", "127.0.0.1"]),
        (["fe80::/10"], ["fe80::1%eth0", "fe80::1"], ["%eth0"]),
        ([], [], ["127.0.0.1"]),
    ],
)
def test_an_address_is_in_a_set_of_networks_or_not(texts, inside, outside):
    networks = Networks(texts)
    assert [address for address in inside if address not in networks] == []
    assert [address for address in outside if address in networks] == []


@pytest.mark.parametrize("text", ["", "192.0.2.0/33", "192.0.2", "192.0.2.0/24/1", "example.org", "::1/129", "0x7f.1"])
def test_what_is_no_network_is_told(text):
    with pytest.raises(ValueError, match="is no network"):
        Networks([text])


def store_of(url, section=""):
    """The store of a configuration that names it so."""
    return f"[DEFAULT]\nauth_strategy = noauth\n[database]\nconnection = {url}\n[elasticsearch]\n{section}"


def test_a_cluster_is_named_by_its_hosts_and_a_prefix(config_file):
    settings = read_settings(
        ["--config-file", config_file(store_of("elasticsearch+https://fr%40nz:p%3Ass@es1,es2:9201,[::1]/frz"))]
    )
    cluster = settings.store
    assert cluster.urls == ("https://es1:9200", "https://es2:9201", "https://[::1]:9200")
    assert (cluster.prefix, cluster.username, cluster.password) == ("frz", "fr@nz", "p:ss")
    assert str(cluster) == "elasticsearch+https://es1:9200,es2:9201,[::1]:9200/frz"
    assert "p:ss" not in repr(settings)


def test_the_user_of_a_cluster_can_be_named_apart(config_file, monkeypatch):
    path = config_file(store_of("elasticsearch+http://es1", "username = freezer\npassword = s3cret\n"))
    cluster = read_settings(["--config-file", path]).store
    assert (cluster.urls, cluster.prefix) == (("http://es1:9200",), "freezer")
    assert (cluster.username, cluster.password, cluster.api_key) == ("freezer", "s3cret", None)
    monkeypatch.setenv("OS_ELASTICSEARCH__API_KEY", "from-the-environment")
    path = config_file(store_of("elasticsearch+http://es1"))
    assert read_settings(["--config-file", path]).store.api_key == "from-the-environment"


@pytest.mark.parametrize(
    ("url", "section", "reason"),
    [
        ("elasticsearch+http://es1/Freezer", "", "'Freezer' cannot be the beginning of the name of an index"),
        ("elasticsearch+http:///freezer", "", "the hosts are not"),
        ("elasticsearch+http://es1:99999", "", "the hosts are not"),
        ("elasticsearch+http://es1,,es2", "", "the hosts are not"),
        ("elasticsearch+http://u:secret@es 1", "", "the hosts are not"),
        ("elasticsearch+http://u@es1", "", "a user without a password"),
        ("elasticsearch+http://u:secret@es1", "api_key = k", "api_key cannot be combined with username"),
        ("elasticsearch+http://es1", "ca_file = /ca.pem", "has no meaning without TLS"),
        ("elasticsearch+https://es1", "ca_file = /no/such/ca.pem", "No such file or directory"),
        ("elasticsearch+https://es1", "timeout_seconds = 0", "from 1 to 300"),
        ("elasticsearch://es1", "", "the store must be sqlite:///"),
    ],
)
def test_what_cannot_be_a_cluster_is_told_without_its_secrets(config_file, url, section, reason):
    with pytest.raises(ConfigError, match=re.escape(reason)) as caught:
        read_settings(["--config-file", config_file(store_of(url, section))])
    assert "secret" not in str(caught.value)


def test_options_of_upstreams_elasticsearch_have_no_effect(config_file):
    path = config_file(store_of("sqlite:////srv/api.db", "hosts = http://old:9200\nuse_ssl = false\n"))
    assert len(read_settings(["--config-file", path]).warnings) == 2


#: What the files of freezer-api 1 and 7 have set, or show.
OLD = """\
[DEFAULT]
verbose = false
logfile = freezer-api.log
logdir = /var/log/freezer
use_syslogd = false
enable_v2_api = true
[keystone_authtoken]
auth_protocol = http
auth_host = keystone_host
admin_user = freezer
[storage]
db=elasticsearch
hosts='http://elasticsearch_host:9200'
number_of_replicas=2
[database]
idle_timeout = 3600
[paste_deploy]
config_file = freezer-paste.ini
"""


def test_a_file_of_an_old_freezer_api_starts_with_a_warning_for_what_has_no_effect(tmp_path):
    path = tmp_path / "freezer-api.conf"
    path.write_text(OLD)
    settings = read_settings(
        ["--store", f"sqlite:///{tmp_path}/api.db", "--auth-strategy", "noauth", "--config-file", str(path)]
    )
    assert settings.log_file == Path("/var/log/freezer/freezer-api.log")
    without_effect = {warning.split()[0] for warning in settings.warnings}
    assert without_effect == {
        *(
            "verbose",
            "use_syslogd",
            "enable_v2_api",
            "db",
            "hosts",
            "number_of_replicas",
            "idle_timeout",
            "config_file",
        ),
    }
