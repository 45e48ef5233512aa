# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The options of freezer-api.conf, with the sections and names of upstream's file.

``oslo-config-generator --namespace freezer_api`` writes a file with all of them from here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from oslo_config import cfg

from .cluster import DEFAULT_TIMEOUT_SECONDS

AUTH_STRATEGIES = ("noauth", "http_basic", "keystone")

DEFAULT_PORT = 9090
MAX_BODY_BYTES = 1_048_576

_LOOPBACK = ["127.0.0.0/8", "::1/128"]

DEFAULT_OPTIONS = [
    cfg.StrOpt(
        "auth_strategy",
        choices=[
            ("noauth", "every caller is trusted; for loopback addresses"),
            ("http_basic", "accounts of a password file, each with a role in a project"),
            ("keystone", "tokens of OpenStack; see [keystone_authtoken]"),
        ],
        help="How callers authenticate. There is no default.",
    ),
    cfg.StrOpt(
        "http_basic_auth_user_file",
        sample_default="/etc/freezer/freezer-api.htpasswd",
        help="The password file of http_basic, which freezer-manage user add writes: a line name:bcrypt-hash:role:project "
        "for each account, with :client at its end for a node. A line name:bcrypt-hash, as htpasswd -B writes it, is an "
        "administrator. It is read again when it changes.",
    ),
    cfg.StrOpt(
        "bind_host",
        default="127.0.0.1",
        help="The address to listen on; 0.0.0.0 or :: are all of them. Or unix:///run/freezer/api.sock, a Unix socket, "
        "which only root, the user of the API and the group of socket_group can open.",
    ),
    cfg.StrOpt(
        "socket_group", help="The group whose members may use the Unix socket, and are administrators in noauth."
    ),
    cfg.ListOpt(
        "allowed_hosts",
        default=[],
        sample_default=["backup.example.org"],
        help="Names that requests may use for the API in noauth, besides localhost, the name of the machine and "
        "bind_host. Requests for another host get 403, as those that a foreign site makes a browser send (DNS rebinding).",
    ),
    cfg.PortOpt("bind_port", default=DEFAULT_PORT, help="The port to listen on; 0 takes a free one."),
    cfg.IntOpt("workers", default=1, min=1, max=64, help="How many processes serve. They share the store."),
    cfg.IntOpt("threads", default=8, min=1, max=256, help="How many threads serve in each process."),
    cfg.IntOpt(
        "graceful_timeout_seconds",
        default=30,
        min=1,
        max=3600,
        help="How long requests that run may take to finish after SIGTERM.",
    ),
    cfg.IntOpt(
        "request_timeout_seconds",
        default=300,
        min=1,
        max=86400,
        help="How long a request may take to arrive, from its first byte to its last, and how long a client may take to "
        "receive the answer. An idle connection is closed after 75 seconds in any case.",
    ),
    cfg.IntOpt(
        "max_request_head_bytes",
        default=16384,
        min=1024,
        max=2**20,
        help="The most that may come before the body of a request: its first line, where a search in the query string "
        "has to fit, and its headers.",
    ),
    cfg.ListOpt(
        "allowed_networks",
        default=[],
        sample_default=["192.0.2.0/24", "2001:db8::/32"],
        help="Networks, or addresses, that requests may come from; others get 403. Empty: from everywhere.",
    ),
    cfg.ListOpt(
        "trusted_proxies",
        default=_LOOPBACK,
        help="Proxies whose Forwarded, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Prefix are "
        "believed. From other addresses these headers are ignored.",
    ),
    cfg.BoolOpt("access_log", default=True, help="Write a line about every request to the log."),
    cfg.BoolOpt("debug", default=False, help="Log more."),
    cfg.StrOpt(
        "log_file",
        deprecated_name="logfile",
        help="The file to log to, in log_dir if that is set; standard error if there is none.",
    ),
    cfg.StrOpt("log_dir", deprecated_name="logdir", help="The folder of log_file."),
]

DATABASE_OPTIONS = [
    cfg.StrOpt(
        "connection",
        secret=True,
        sample_default="sqlite:////var/lib/freezer/api.db",
        help="Where documents are kept: sqlite:/// and the path of a file, so four slashes for an absolute one, or "
        "elasticsearch+https://host1,host2/prefix (elasticsearch+http without TLS), where prefix is what the names of "
        "the indices begin with.",
    ),
]

ELASTICSEARCH_OPTIONS = [
    cfg.StrOpt("username", help="The user of Elasticsearch."),
    cfg.StrOpt("password", secret=True, help="The password of that user."),
    cfg.StrOpt("api_key", secret=True, help="An API key, in the encoded form, in place of a user and a password."),
    cfg.StrOpt(
        "ca_file",
        sample_default="/etc/freezer/elasticsearch-ca.pem",
        help="A file with the certificates that those of the nodes are checked against; without it the system's.",
    ),
    cfg.IntOpt(
        "timeout_seconds",
        default=DEFAULT_TIMEOUT_SECONDS,
        min=1,
        max=300,
        help="How long one request to Elasticsearch may take before the API answers 503.",
    ),
    cfg.IntOpt(
        "number_of_replicas",
        min=0,
        max=100,
        sample_default=1,
        help="How many copies of each index there are beside the original, for freezer-manage db sync and db "
        "update-settings. It takes one data node more than that. Without it an index keeps what it has, and a new one gets "
        "the default of Elasticsearch, which is 1.",
    ),
]

MIDDLEWARE_OPTIONS = [
    cfg.IntOpt(
        "max_request_body_size",
        default=MAX_BODY_BYTES,
        min=1024,
        max=2**30,
        help="The largest body of a request, and the largest document, in bytes. A batch of documents may have "
        "eight times as many.",
    ),
]

HEALTHCHECK_OPTIONS = [
    cfg.StrOpt(
        "disable_by_file_path",
        help="While this file exists /healthcheck answers 503, and a load balancer sends its requests elsewhere.",
    ),
]

METRICS_OPTIONS = [
    cfg.BoolOpt("enabled", default=True, help="Serve /metrics, in the format of Prometheus."),
    cfg.ListOpt(
        "networks",
        default=_LOOPBACK,
        help="Networks that may read /metrics without authentication. From others the policy metrics:get decides.",
    ),
]

#: The options for the sample that keystonemiddleware reads itself, as far as they are needed.
_KEYSTONE_SAMPLE = [
    cfg.StrOpt("www_authenticate_uri", help="The public address of Keystone: where 401 sends a client."),
    cfg.StrOpt("auth_type", sample_default="password", help="How freezer-api itself logs in, to check tokens."),
    cfg.StrOpt("auth_url", sample_default="https://keystone.example.org/v3", help="The address of Keystone."),
    cfg.StrOpt("username", sample_default="freezer", help="A user with the role service."),
    cfg.StrOpt("password", secret=True, sample_default="secret", help="The password of that user."),
    cfg.StrOpt("project_name", sample_default="service", help="The project in which it has the role."),
    cfg.StrOpt("user_domain_name", sample_default="Default", help="The domain of the user."),
    cfg.StrOpt("project_domain_name", sample_default="Default", help="The domain of the project."),
    cfg.StrOpt("region_name", sample_default="RegionOne", help="The region of Keystone's endpoint."),
    cfg.StrOpt("interface", default="internal", help="The interface of Keystone's endpoint."),
    cfg.StrOpt("cafile", help="A file with the certificates that Keystone's is checked against."),
    cfg.StrOpt(
        "service_type",
        default="backup",
        help="The type of this service in the catalogue, for application credentials with access rules.",
    ),
    cfg.IntOpt(
        "token_cache_time",
        default=300,
        help="For how many seconds a valid token is not checked again.",
    ),
    cfg.ListOpt(
        "memcached_servers",
        help="The cache for tokens that were checked. Without it each process has its own.",
    ),
    cfg.BoolOpt(
        "service_token_roles_required",
        default=True,
        help="Believe a service token only if its user has one of service_token_roles.",
    ),
    cfg.ListOpt("service_token_roles", default=["service"], help="The roles of which a service token needs one."),
]

#: The options that oslo.policy reads itself.
_POLICY_SAMPLE = [
    cfg.StrOpt(
        "policy_file",
        default="policy.yaml",
        help="The rules that differ from the defaults, which freezer-manage policy list shows; a relative path is "
        "looked for beside the configuration file. It is read again when it changes.",
    ),
    cfg.MultiStrOpt(
        "policy_dirs", default=["policy.d"], help="Folders with further files of rules, read in the order of names."
    ),
]

#: The options by section, as freezer-api reads them.
OPTIONS: Mapping[str, Sequence[cfg.Opt]] = {
    "DEFAULT": DEFAULT_OPTIONS,
    "database": DATABASE_OPTIONS,
    "elasticsearch": ELASTICSEARCH_OPTIONS,
    "healthcheck": HEALTHCHECK_OPTIONS,
    "metrics": METRICS_OPTIONS,
    "oslo_middleware": MIDDLEWARE_OPTIONS,
}

#: Sections that libraries read, and check, themselves.
LIBRARY_SECTIONS = ("keystone_authtoken", "oslo_policy")

#: Options of upstream's freezer-api.conf that have no effect here: all of a section (None), or some of it.
UPSTREAM_ONLY: dict[str, frozenset[str] | None] = {
    "DEFAULT": frozenset(
        (
            *("log_config_append", "log_date_format", "watch_log_file", "use_syslog", "use_journal", "use_json"),
            *("syslog_log_facility", "use_stderr", "use_eventlog", "log_rotate_interval", "log_rotation_type"),
            *("log_rotate_interval_type", "max_logfile_count", "max_logfile_size_mb", "instance_format"),
            *("logging_context_format_string", "logging_default_format_string", "logging_debug_format_suffix"),
            *("logging_exception_prefix", "logging_user_identity_format", "default_log_levels", "publish_errors"),
            *("instance_uuid_format", "rate_limit_interval", "rate_limit_burst", "rate_limit_except_level"),
            *("log_color", "fatal_deprecations", "enable_v1_api", "enable_v2_api", "transport_url"),
            # Of older releases.
            *("verbose", "use_syslogd", "use_syslog_rfc_format", "log_format", "log_config", "db_backend"),
            *("sql_connection", "sql_idle_timeout", "sql_min_pool_size", "sql_max_pool_size", "sql_max_retries"),
            *("sql_retry_interval", "sql_max_overflow", "sql_connection_debug", "sql_connection_trace"),
        )
    ),
    "database": frozenset(
        (
            *("backend", "slave_connection", "sqlite_synchronous", "mysql_sql_mode", "mysql_wsrep_sync_wait"),
            *("connection_recycle_time", "max_pool_size", "max_retries", "retry_interval", "max_overflow"),
            *("connection_debug", "connection_trace", "pool_timeout", "use_db_reconnect", "db_retry_interval"),
            *("db_inc_retry_interval", "db_max_retry_interval", "db_max_retries", "connection_parameters"),
            *("min_pool_size", "mysql_enable_ndb", "idle_timeout", "sql_connection", "sql_idle_timeout"),
            *("sql_min_pool_size", "sql_max_pool_size", "sql_max_retries", "reconnect_interval"),
            *("sqlalchemy_max_overflow", "sqlalchemy_pool_timeout"),
        )
    ),
    "healthcheck": frozenset(
        (
            *("path", "detailed", "backends", "disable_by_file_paths", "allowed_source_ranges", "enable_by_file_paths"),
            "ignore_proxied_requests",
        )
    ),
    "oslo_middleware": frozenset(("enable_proxy_headers_parsing", "secure_proxy_ssl_header")),
    "centralized_scheduler": None,
    "cors": None,
    # The earlier store of upstream.
    "elasticsearch": frozenset(
        (
            *("hosts", "endpoint", "http_auth", "index", "timeout", "retries", "use_ssl", "verify_certs", "ca_certs"),
            *("select_mapping", "erase"),
        )
    ),
    "DATABASE": None,
    "oslo_reports": None,
    "paste_deploy": None,
    "sql": None,
    "sqlalchemy": None,
    "storage": None,
}


def register(config: cfg.ConfigOpts) -> None:
    """Register the options in a configuration."""
    for section, options in OPTIONS.items():
        config.register_opts(options, group=None if section == "DEFAULT" else section)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The options for oslo-config-generator."""
    listed: dict[str, Sequence[cfg.Opt]] = {
        **OPTIONS,
        "keystone_authtoken": _KEYSTONE_SAMPLE,
        "oslo_policy": _POLICY_SAMPLE,
    }
    return [(section, list(copy.deepcopy(options))) for section, options in listed.items()]
