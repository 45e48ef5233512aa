# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of freezer-api: flags, and a file with the names that upstream's freezer-api.conf has for them."""

from __future__ import annotations

import argparse
import configparser
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .app import MAX_BODY_BYTES

DEFAULT_PORT = 9090
AUTH_STRATEGIES = ("noauth", "http_basic")

#: Section and name in the file, and the flag that goes before it.
_FILE_OPTIONS = {
    ("database", "connection"): "store",
    ("DEFAULT", "auth_strategy"): "auth_strategy",
    ("DEFAULT", "http_basic_auth_user_file"): "htpasswd",
    ("DEFAULT", "bind_host"): "bind_host",
    ("DEFAULT", "bind_port"): "bind_port",
    ("DEFAULT", "workers"): "workers",
    ("DEFAULT", "threads"): "threads",
    ("DEFAULT", "max_body_bytes"): "max_body_bytes",
}


class ConfigError(Exception):
    """The program cannot start as it is configured; the message is a sentence for the operator."""


@dataclass(frozen=True)
class Settings:
    """How to serve, and what."""

    store_path: Path
    auth_strategy: str
    htpasswd: Path | None
    host: str
    port: int
    workers: int
    threads: int
    max_body_bytes: int


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """The settings from a command line and the file that it may name. Raises ConfigError."""
    flags = _parser().parse_args(arguments)
    values = _read_file(Path(flags.config_file)) if flags.config_file else {}
    values.update({name: value for name, value in vars(flags).items() if value is not None})
    if flags.bind is not None:
        values["bind_host"], values["bind_port"] = _split_bind(flags.bind)

    strategy = values.get("auth_strategy")
    if strategy not in AUTH_STRATEGIES:
        raise ConfigError(
            f"{'no authentication strategy is named' if strategy is None else f'there is no {strategy}'}; "
            f"say --auth-strategy {' or '.join(AUTH_STRATEGIES)}"
        )
    htpasswd = values.get("htpasswd")
    if strategy == "http_basic" and not htpasswd:
        raise ConfigError("http_basic needs a password file; make one with htpasswd -B and name it with --htpasswd")
    host = values.get("bind_host", "127.0.0.1").strip("[]")
    if strategy == "noauth" and not flags.force and not _is_loopback(host):
        raise ConfigError(
            f"with noauth everybody who reaches {host} can read and delete everything; bind to 127.0.0.1, "
            "use http_basic, or say --force"
        )
    return Settings(
        store_path=_store_path(values.get("store")),
        auth_strategy=strategy,
        htpasswd=Path(htpasswd) if htpasswd else None,
        host=host,
        port=_number("the port", values.get("bind_port", str(DEFAULT_PORT)), 0, 65535),
        workers=_number("workers", values.get("workers", "1"), 1, 64),
        threads=_number("threads", values.get("threads", "8"), 1, 256),
        max_body_bytes=_number("max_body_bytes", values.get("max_body_bytes", str(MAX_BODY_BYTES)), 1024, 2**30),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freezer-api",
        description="Serve the Freezer REST API: clients, jobs, actions, sessions and backups, v1 and v2.",
    )
    parser.add_argument("--store", metavar="URL", help="where documents are kept: sqlite:////absolute/path.db")
    parser.add_argument("--auth-strategy", metavar="NAME", help=f"who may come in: {', '.join(AUTH_STRATEGIES)}")
    parser.add_argument("--htpasswd", metavar="FILE", help="users and bcrypt hashes for http_basic (htpasswd -B)")
    parser.add_argument(
        "--bind", metavar="HOST:PORT", help=f"where to listen (127.0.0.1:{DEFAULT_PORT}); port 0 takes a free one"
    )
    parser.add_argument("--workers", metavar="N", help="processes (1)")
    parser.add_argument("--threads", metavar="N", help="threads in each process (8)")
    parser.add_argument("--max-body-bytes", metavar="N", help=f"largest body of a request ({MAX_BODY_BYTES})")
    parser.add_argument("--config-file", metavar="FILE", help="freezer-api.conf; flags go before what it says")
    parser.add_argument("--force", action="store_true", help="serve noauth on an address that other machines may reach")
    return parser


def _read_file(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, default_section="no section is the default of others")
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise ConfigError(f"the configuration file {path} cannot be read: {reason}") from error
    values: dict[str, str] = {}
    for section in parser.sections():
        for name, value in parser.items(section):
            if (section, name) not in _FILE_OPTIONS:
                raise ConfigError(f"the configuration file {path} has an unknown option {name} in [{section}]")
            values[_FILE_OPTIONS[section, name]] = value
    return values


def _split_bind(bind: str) -> tuple[str, str]:
    host, colon, port = bind.rpartition(":")
    if not colon or not host:
        raise ConfigError(f"--bind is {bind!r}; write an address and a port, such as 127.0.0.1:{DEFAULT_PORT}")
    return host, port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _store_path(url: str | None) -> Path:
    if not url:
        raise ConfigError("nothing says where documents are kept; say --store sqlite:////absolute/path.db")
    scheme, separator, path = url.partition("///")
    if scheme != "sqlite:" or not separator or not path or path == ":memory:":
        raise ConfigError(f"the store is {url!r}; it must be sqlite:/// and the path of a file")
    return Path(path).absolute()


def _number(what: str, text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and lowest <= int(text) <= highest):
        raise ConfigError(f"{what} is {text!r}; it must be a whole number from {lowest} to {highest}")
    return int(text)
