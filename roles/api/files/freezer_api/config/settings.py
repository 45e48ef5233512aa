# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of the programs: flags override freezer-api.conf, which oslo.config reads."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oslo_config import cfg, types

from ansible_collections.freezer.backup.plugins.module_utils._engine.http.unix_socket import (
    check_path,
    is_unix,
    path_of,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.command_lines import (
    AnsweringParser,
    parse_arguments,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.completion import PrintCompletion
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.meant import did_you_mean
from ansible_collections.freezer.backup.plugins.module_utils._engine.version import VERSION

from .cluster import Cluster, is_cluster, parse_cluster
from .networks import Networks
from .options import AUTH_STRATEGIES, DEFAULT_PORT, LIBRARY_SECTIONS, OPTIONS, UPSTREAM_ONLY, register

#: Read where no --config-file names another.
DEFAULT_CONFIG_FILE = Path("/etc/freezer/freezer-api.conf")


class ConfigError(Exception):
    """The program cannot start as it is configured; the message is a sentence for the operator."""


@dataclass(frozen=True)
class Settings:
    """How to serve, and what."""

    store: Path | Cluster
    auth_strategy: str
    htpasswd: Path | None
    #: An address or a name to listen on, or ``unix:///path``.
    host: str
    port: int
    #: The group whose members may use a Unix socket.
    socket_group: str | None
    #: Further host names of the API.
    allowed_hosts: tuple[str, ...]
    workers: int
    threads: int
    max_body_bytes: int
    graceful_timeout_seconds: int
    max_request_head_bytes: int
    request_timeout_seconds: int
    allowed_networks: Networks
    trusted_proxies: Networks
    access_log: bool
    debug: bool
    log_file: Path | None
    disable_by_file: Path | None
    #: Networks that read /metrics without authentication; None if it is not served.
    metrics_networks: Networks | None
    #: The files that were read; without any, no policy file is read either.
    config_files: tuple[Path, ...]
    #: What has no effect in them.
    warnings: tuple[str, ...]
    #: For the libraries that read sections of their own.
    options: cfg.ConfigOpts = field(compare=False, repr=False)

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket to listen on, None if it is not one."""
        return path_of(self.host) if is_unix(self.host) else None


@dataclass(frozen=True)
class Configuration:
    """The options of the files, and warnings about those that have no effect."""

    options: cfg.ConfigOpts
    files: tuple[Path, ...]
    warnings: tuple[str, ...]


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """The settings from a command line and the files that it may name. Raises ConfigError."""
    flags = parse_arguments(build_parser(), arguments)
    configuration = read_files(flags.config_file, flags.config_dir)
    options = configuration.options
    _override(options, flags)
    get = _getter(options)
    strategy = get("auth_strategy")
    if strategy is None:
        raise ConfigError(f"no authentication strategy is named; say --auth-strategy {' or '.join(AUTH_STRATEGIES)}")
    htpasswd = password_file(options)
    if strategy == "http_basic" and not htpasswd:
        raise ConfigError(
            "http_basic needs a password file; make one with freezer-manage user add and name it with --htpasswd"
        )
    host = get("bind_host").strip("[]")
    reason = check_path(path_of(host)) if is_unix(host) else None
    if reason:
        raise ConfigError(f"{host} cannot be listened on: {reason}")
    if strategy == "noauth" and not flags.force and not _is_loopback(host):
        raise ConfigError(
            f"with noauth every user who reaches {host} can read and delete everything; bind to 127.0.0.1, "
            "use http_basic or keystone, or say --force"
        )
    log_file = get("log_file")
    disabling = get("disable_by_file_path", "healthcheck")
    return Settings(
        store=store_location(options),
        auth_strategy=strategy,
        htpasswd=htpasswd,
        host=host,
        port=get("bind_port"),
        socket_group=get("socket_group"),
        allowed_hosts=tuple(get("allowed_hosts")),
        workers=get("workers"),
        threads=get("threads"),
        max_body_bytes=get("max_request_body_size", "oslo_middleware"),
        graceful_timeout_seconds=get("graceful_timeout_seconds"),
        max_request_head_bytes=get("max_request_head_bytes"),
        request_timeout_seconds=get("request_timeout_seconds"),
        allowed_networks=_networks(get, "allowed_networks"),
        trusted_proxies=_networks(get, "trusted_proxies"),
        access_log=get("access_log"),
        debug=get("debug"),
        log_file=Path(get("log_dir") or "", log_file) if log_file else None,
        disable_by_file=Path(disabling) if disabling else None,
        metrics_networks=_networks(get, "networks", "metrics") if get("enabled", "metrics") else None,
        config_files=configuration.files,
        warnings=(*configuration.warnings, *_warnings(strategy, host)),
        options=options,
    )


def read_files(files: Sequence[str] | None, folders: Sequence[str] | None = None) -> Configuration:
    """The options of configuration files and of folders of such, of the default file if none is named.

    Raises ConfigError if one cannot be read or has an unknown option.
    """
    named = [Path(name) for name in files or ()]
    for folder in folders or ():
        named += sorted(path for path in Path(folder).glob("*.conf") if path.is_file())
    if not files and not folders and DEFAULT_CONFIG_FILE.is_file():
        named = [DEFAULT_CONFIG_FILE]
    warnings: list[str] = []
    for path in named:
        warnings += _check_names(path)
    options = cfg.ConfigOpts()
    register(options)
    try:
        options([], project="freezer", prog="freezer-api", default_config_files=[str(path) for path in named])
    except cfg.Error as error:
        raise ConfigError(f"the configuration cannot be read: {_first_line(error)}") from error
    return Configuration(options, tuple(named), tuple(warnings))


def password_file(options: cfg.ConfigOpts) -> Path | None:
    """The file with the accounts of http_basic, if one is named. Raises ConfigError."""
    name = _getter(options)("http_basic_auth_user_file")
    return Path(name) if name else None


def store_location(options: cfg.ConfigOpts) -> Path | Cluster:
    """Where documents are kept: the file of the SQLite store, or an Elasticsearch. Raises ConfigError."""
    url = _getter(options)("connection", "database")
    if not url:
        raise ConfigError("no store is named; name one, such as --store sqlite:////absolute/path.db")
    return parse_store(url, options)


def parse_store(url: str, options: cfg.ConfigOpts) -> Path | Cluster:
    """The store that a URL names, with what the section [elasticsearch] says about it. Raises ConfigError."""
    if is_cluster(url):
        get = _getter(options)
        names = ("username", "password", "api_key", "ca_file", "timeout_seconds")
        try:
            return parse_cluster(url, **{name: get(name, "elasticsearch") for name in names})
        except ValueError as error:
            raise ConfigError(f"Elasticsearch cannot be the store: {error}") from error
    scheme, separator, path = url.partition("///")
    if scheme != "sqlite:" or not separator or not path or path == ":memory:":
        raise ConfigError(
            "the store must be sqlite:/// and the path of a file, such as sqlite:////absolute/path.db, or "
            "elasticsearch+https://host1,host2/prefix"
        )
    return Path(path).absolute()


def wanted_replicas(options: cfg.ConfigOpts) -> int | None:
    """How many replicas the indices of Elasticsearch should have, None if that is not set. Raises ConfigError."""
    count: int | None = _getter(options)("number_of_replicas", "elasticsearch")
    return count


def override(options: cfg.ConfigOpts, flag: str, value: str | None, name: str, section: str = "DEFAULT") -> None:
    """Let a flag that is given override the files. Raises ConfigError for an invalid value."""
    if value is None:
        return
    try:
        options.set_override(name, value, None if section == "DEFAULT" else section)
    except ValueError as error:
        raise ConfigError(f"{flag} is {value!r}; {_what_it_must_be(section, name) or _first_line(error)}") from error


def build_parser() -> argparse.ArgumentParser:
    """The parser of freezer-api."""
    parser = AnsweringParser(
        prog="freezer-api",
        description="Serve the Freezer REST API: clients, jobs, actions, sessions and backups, v1 and v2.",
    )
    parser.add_argument(
        "--version", action="version", version=f"freezer-api {VERSION}", help="show the version and exit"
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where documents are kept: sqlite:////absolute/path.db or elasticsearch+https://host1,host2/prefix (with "
        "user and password, or an API key, in the section [elasticsearch] of the configuration file)",
    )
    parser.add_argument(
        "--auth-strategy", metavar="NAME", help=f"how callers authenticate: {', '.join(AUTH_STRATEGIES)}"
    )
    parser.add_argument("--htpasswd", metavar="FILE", help="accounts for http_basic (freezer-manage user add)")
    parser.add_argument(
        "--bind",
        metavar="WHERE",
        help=f"where to listen: HOST:PORT (127.0.0.1:{DEFAULT_PORT}; port 0 takes a free one), or unix:///path, a Unix "
        "socket that root, the user of the API and a group (socket_group) may use",
    )
    parser.add_argument("--workers", metavar="N", help="processes (1)")
    parser.add_argument("--threads", metavar="N", help="threads in each process (8)")
    parser.add_argument("--max-body-bytes", metavar="N", help="largest body of a request (1048576)")
    parser.add_argument(
        "--config-file",
        metavar="FILE",
        action="append",
        help=f"freezer-api.conf ({DEFAULT_CONFIG_FILE}, if it is there); flags override it, and a later file "
        "overrides an earlier one",
    )
    parser.add_argument("--config-dir", metavar="FOLDER", action="append", help="a folder with more such files, *.conf")
    parser.add_argument("--force", action="store_true", help="serve noauth on an address that other machines may reach")
    parser.add_argument("--completion", action=PrintCompletion, const=build_parser)
    return parser


def _override(options: cfg.ConfigOpts, flags: argparse.Namespace) -> None:
    strategy = flags.auth_strategy
    if strategy is not None and strategy not in AUTH_STRATEGIES:
        raise ConfigError(f"there is no {strategy}; say --auth-strategy {' or '.join(AUTH_STRATEGIES)}")
    override(options, "--store", flags.store, "connection", "database")
    override(options, "--auth-strategy", strategy, "auth_strategy")
    override(options, "--htpasswd", flags.htpasswd, "http_basic_auth_user_file")
    override(options, "--workers", flags.workers, "workers")
    override(options, "--threads", flags.threads, "threads")
    override(options, "--max-body-bytes", flags.max_body_bytes, "max_request_body_size", "oslo_middleware")
    if flags.bind is not None and is_unix(flags.bind):
        override(options, "--bind", flags.bind, "bind_host")
    elif flags.bind is not None:
        host, colon, port = flags.bind.rpartition(":")
        if not colon or not host:
            raise ConfigError(
                f"--bind is {flags.bind!r}; write an address and a port, such as 127.0.0.1:{DEFAULT_PORT}, or "
                "unix:///run/freezer/api.sock"
            )
        override(options, "--bind", host, "bind_host")
        override(options, "the port of --bind", port, "bind_port")


def _getter(options: cfg.ConfigOpts) -> Callable[..., Any]:
    def get(name: str, section: str = "DEFAULT") -> Any:
        try:
            return options[name] if section == "DEFAULT" else options[section][name]
        except (cfg.Error, ValueError) as error:
            # "Value for option workers from LocationInfo(...) is not valid: ...", where only the end is for people.
            reason = _what_it_must_be(section, name) or _first_line(error).rpartition("is not valid: ")[2]
            raise ConfigError(f"{name} in [{section}] of the configuration file cannot be used: {reason}") from error

    return get


def _what_it_must_be(section: str, name: str) -> str | None:
    """A sentence about the numbers that an option takes; None for one that takes something else."""
    wanted = next(option.type for option in OPTIONS[section] if option.dest == name)
    if not isinstance(wanted, types.Integer):
        return None
    return f"it must be a whole number from {wanted.min} to {wanted.max}"


def _networks(get: Callable[..., Any], name: str, section: str = "DEFAULT") -> Networks:
    try:
        return Networks(get(name, section))
    except ValueError as error:
        raise ConfigError(f"{name} in [{section}] of the configuration file cannot be used: {error}") from error


def _check_names(path: Path) -> list[str]:
    """Warnings about options of a file that have no effect here. Raises ConfigError for unknown ones."""
    sections: dict[str, dict[str, list[str]]] = {}
    try:
        cfg.ConfigParser(str(path), sections).parse()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"the configuration file {path} cannot be read: {reason}") from error
    except cfg.ParseError as error:
        raise ConfigError(f"the configuration file {path} cannot be read: {_first_line(error)}") from error
    ignored: list[str] = []
    for section, values in sections.items():
        for name, given in values.items():
            if _is_ours(path, section, name):
                if len(given) > 1 and section in OPTIONS:
                    raise ConfigError(f"the configuration file {path} has {name} in [{section}] {len(given)} times")
            else:
                ignored.append(f"{name} in [{section}] of {path} has no effect in this freezer-api")
    return ignored


def _is_ours(path: Path, section: str, name: str) -> bool:
    """Whether an option has an effect; False for one that only upstream knows. Raises ConfigError for any other."""
    if section in LIBRARY_SECTIONS or _is_auth_section(section):
        return True
    options = OPTIONS.get(section, ())
    known = [option.dest for option in options]
    known += [old.name for option in options for old in option.deprecated_opts if old.name]
    if name in known:
        return True
    of_upstream: Mapping[str, frozenset[str] | None] = UPSTREAM_ONLY
    if section in of_upstream:
        names = of_upstream[section]
        if names is None or name in names:
            return False
    if section.startswith(("oslo_messaging", "profiler")):
        return False
    hint = did_you_mean(name, known)
    raise ConfigError(
        f"the configuration file {path} has an unknown option {name} in [{section}]{'.' if hint else ''}{hint}"
    )


def _is_auth_section(section: str) -> bool:
    # [keystone_authtoken] may name a separate section for the login, which several services share.
    return section.endswith("_auth") or section in ("service_user", "service_credentials")


def _warnings(strategy: str, host: str) -> list[str]:
    """What is unsafe about a strategy on an address."""
    if strategy != "http_basic" or _is_loopback(host):
        return []
    warning = (
        f"passwords of http_basic cross the network to {host} as they are, since freezer-api has no TLS; bind to "
        "127.0.0.1 and put a server with TLS in front"
    )
    return [warning]


def _is_loopback(host: str) -> bool:
    if is_unix(host):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
