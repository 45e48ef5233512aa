# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The options of freezer-scheduler.conf, with the names of upstream's file.

``oslo-config-generator --namespace freezer_scheduler`` writes a file with all of them from here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from oslo_config import cfg

DEFAULT_JOBS_DIR = "/etc/freezer/scheduler/conf.d"

# Upstream's release 19 has moved some of these to [scheduler]; both are read.
_MOVED = "scheduler"

DEFAULT_OPTIONS = [
    cfg.StrOpt(
        "client_id",
        help="The id of this client, whose jobs are run here. The default is the project, _ and the host's name.",
    ),
    cfg.FloatOpt(
        "interval",
        default=60,
        min=0.2,
        max=86400,
        help="The seconds between two polls of the API, or, with no_api, of the folder.",
    ),
    cfg.StrOpt(
        "jobs_dir",
        default=DEFAULT_JOBS_DIR,
        help="The folder of job files for no_api: one *.conf, *.json or *.yaml for each job, readable by its owner only.",
    ),
    cfg.BoolOpt("no_api", default=False, help="Run the jobs of jobs_dir, without an API."),
    cfg.BoolOpt("no_daemon", default=False, help="Stay in the foreground."),
    cfg.BoolOpt(
        "disable_exec",
        default=True,
        deprecated_group=_MOVED,
        help="Run no exec actions. If this is false, every user who may write jobs at the API can run any command here.",
    ),
    cfg.IntOpt(
        "concurrent_jobs", default=1, min=1, max=1000, deprecated_group=_MOVED, help="How many jobs run at once."
    ),
    cfg.DictOpt(
        "storage_limits",
        default={},
        sample_default={"swift": "2", "local": "4"},
        help="How many of them may use a kind of storage at once.",
    ),
    cfg.FloatOpt(
        "action_timeout",
        default=86400,
        min=0,
        help="The timeout in seconds of an action that has none of its own, so that one that hangs does not block the "
        "others for ever. 0 for no timeout.",
    ),
    cfg.FloatOpt("progress_interval", default=15, min=0.5, help="The seconds between two reports of a run's progress."),
    cfg.StrOpt(
        "timezone",
        sample_default="Europe/Berlin",
        help="The time zone of schedules that name none. The default is the host's.",
    ),
    cfg.StrOpt(
        "state_dir",
        sample_default="/var/lib/freezer-scheduler",
        help="The folder for the scheduler's state, with a folder for each client: 0700, since jobs may contain "
        "passwords. The default is /var/lib/freezer-scheduler for root, and ~/.local/state/freezer-scheduler for others.",
    ),
    cfg.StrOpt(
        "agent_command",
        help="The command of freezer-agent, with arguments quoted as in a shell. The default is the one beside this program.",
    ),
    cfg.BoolOpt(
        "systemd_scopes",
        default=True,
        help="Run each agent in a systemd scope, if systemd runs and the scheduler is root.",
    ),
    cfg.ListOpt(
        "scope_properties",
        default=[],
        sample_default=["MemoryMax=2G", "CPUWeight=50", "IOWeight=50"],
        help="Limits of these scopes; see systemd.resource-control(5).",
    ),
    cfg.BoolOpt("debug", default=False, help="Log more."),
    cfg.StrOpt("log_file", help="The file to log to, in log_dir if that is set; standard error if there is none."),
    cfg.StrOpt("log_dir", help="The folder of log_file."),
]

API_OPTIONS = [
    cfg.StrOpt(
        "url",
        sample_default="http://backup.example.org:9090",
        help="The URL of the Freezer API; unix:///run/freezer/api.sock is a Unix socket of this machine. The default is "
        "OS_BACKUP_URL of the environment, or the endpoint in Keystone's catalogue.",
    ),
    cfg.StrOpt("cloud", help="The name of a cloud in a clouds.yaml."),
    cfg.StrOpt("auth_type", help="How to log in: none, http_basic, password, v3applicationcredential, token, ..."),
    cfg.StrOpt("auth_url", help="The address of Keystone."),
    cfg.StrOpt("username", help="The user."),
    cfg.StrOpt("password", secret=True, help="The password of the user."),
    cfg.StrOpt("token", secret=True, help="A token in place of a user."),
    cfg.StrOpt("application_credential_id", help="The id of an application credential."),
    cfg.StrOpt("application_credential_secret", secret=True, help="Its secret."),
    cfg.StrOpt("user_domain_name", help="The domain of the user."),
    cfg.StrOpt("user_domain_id", help="The id of the domain of the user."),
    cfg.StrOpt("project_id", help="The id of the project of the jobs."),
    cfg.StrOpt("project_name", help="The name of the project in Keystone."),
    cfg.StrOpt("project_domain_name", help="The domain of the project."),
    cfg.StrOpt("project_domain_id", help="The id of the domain of the project."),
    cfg.StrOpt("region_name", help="The region of the API's endpoint."),
    cfg.StrOpt("interface", help="The interface of the API's endpoint: public, internal or admin."),
    cfg.StrOpt("ca_file", help="A file with the certificates that the API's is checked against."),
    cfg.BoolOpt("insecure", default=False, help="Do not check the API's certificate."),
    cfg.StrOpt("client_cert", help="A client certificate."),
    cfg.StrOpt("client_key", help="The key of that certificate."),
    cfg.IntOpt("api_version", help="The version of the API: 1 or 2."),
    cfg.FloatOpt(
        "timeout_seconds",
        default=30,
        min=1,
        help="The seconds without an answer after which a request to the API fails.",
    ),
]

#: Options of [api] that are keys of ``auth``.
AUTH_KEYS = (
    *("auth_url", "application_credential_id", "application_credential_secret", "user_domain_name", "user_domain_id"),
    *("project_name", "project_domain_name", "project_domain_id"),
)

OPTIONS: Mapping[str, Sequence[cfg.Opt]] = {"DEFAULT": DEFAULT_OPTIONS, "api": API_OPTIONS}

#: Upstream's section with the same options as [api].
LIKE_API = "service_auth"

#: Options of upstream's freezer-scheduler.conf that have no effect here: all of a section (None), or some of it.
UPSTREAM_ONLY: dict[str, frozenset[str] | None] = {
    "DEFAULT": frozenset(
        (
            *("supported_actions", "supported_modes", "supported_storages", "supported_engines", "is_centralized"),
            *(
                "centralized_scheduler",
                "os_identity_api_version",
                "os_endpoint_type",
                "opt_group",
                "daemon",
                "insecure",
            ),
            *("log_config_append", "log_date_format", "watch_log_file", "use_syslog", "use_journal", "use_json"),
            *("syslog_log_facility", "use_stderr", "use_eventlog", "log_rotate_interval", "log_rotation_type"),
            *("log_rotate_interval_type", "max_logfile_count", "max_logfile_size_mb", "instance_format"),
            *("logging_context_format_string", "logging_default_format_string", "logging_debug_format_suffix"),
            *("logging_exception_prefix", "logging_user_identity_format", "default_log_levels", "publish_errors"),
            *("instance_uuid_format", "rate_limit_interval", "rate_limit_burst", "rate_limit_except_level"),
            *("log_color", "fatal_deprecations"),
        )
    ),
    "scheduler": None,
    "coordination": None,
    "service_auth": None,
    "capabilities": None,
}


def register(config: cfg.ConfigOpts) -> None:
    """Register the options in a configuration."""
    for section, options in OPTIONS.items():
        config.register_opts(options, group=None if section == "DEFAULT" else section)
    config.register_opts([one for one in API_OPTIONS if one.dest not in ("insecure",)], group=LIKE_API)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The options for oslo-config-generator."""
    return [(section, list(copy.deepcopy(options))) for section, options in OPTIONS.items()]
