# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of freezer-scheduler: flags override freezer-scheduler.conf, which overrides the environment."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

from oslo_config import cfg

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kinds import CLIENT
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry, connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.environment import (
    with_environment,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.login import complete
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import local_zone
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError, named_zone
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.meant import did_you_mean

from ..core.surroundings import Limits
from .options import API_OPTIONS, AUTH_KEYS, LIKE_API, OPTIONS, UPSTREAM_ONLY, register
from .paths import absolute, current_folder, with_absolute_files

#: Read where no --config-file names another; upstream's own name for it comes second.
DEFAULT_CONFIG_FILES = (Path("/etc/freezer/freezer-scheduler.conf"), Path("/etc/freezer/scheduler.conf"))
_REMEMBERED = "client_id"


class ConfigError(FreezerError):
    """The configuration cannot be used; the message is a sentence for the operator."""


@dataclass(frozen=True)
class Settings:
    """The settings of the scheduler."""

    client_id: str | None
    interval_seconds: float
    jobs_dir: Path
    no_api: bool
    no_daemon: bool
    limits: Limits
    zone: tzinfo
    state_dir: Path
    agent: list[str]
    systemd_scopes: bool
    scope_properties: list[str]
    debug: bool
    log_file: Path | None
    #: The arguments of ``connect`` of the registry, without those of the environment.
    api: Mapping[str, Any]
    warnings: tuple[str, ...]
    #: The folder that relative paths are relative to.
    folder: Path

    def connect(self) -> Registry:
        """The API. Raises RestError."""
        options = with_environment(self.api, os.environ)
        if options.get("cloud") is not None:
            # Paths in a clouds.yaml are relative to the same folder.
            files = with_absolute_files(complete(options), self.folder)
            options.update({key: files.get(key) for key in ("ca_file", "client_cert", "client_key")})
        return connect(**options)


def read_settings(
    files: Sequence[str] = (), folders: Sequence[str] = (), folder: Path | None = None, **flags: Any
) -> Settings:
    """The settings from files and flags; a flag that is None is not given. Raises ConfigError.

    Relative paths are relative to ``folder``, by default the current one.
    """
    here = folder or current_folder()
    named = [absolute(name, here) for name in files]
    for one in folders:
        named += sorted(path for path in absolute(one, here).glob("*.conf") if path.is_file())
    if not files and not folders:
        named = [path for path in DEFAULT_CONFIG_FILES if path.is_file()][:1]
    warnings: list[str] = []
    for path in named:
        warnings += _check_names(path)
    options = cfg.ConfigOpts()
    register(options)
    try:
        options([], project="freezer", prog="freezer-scheduler", default_config_files=[str(path) for path in named])
        for name, value in flags.items():
            if value is not None:
                options.set_override(name, value)
        return _settings(options, tuple(warnings), here)
    except (cfg.Error, ValueError) as error:
        raise ConfigError(f"The configuration cannot be used: {_first_line(error)}.") from error


def _settings(options: cfg.ConfigOpts, warnings: tuple[str, ...], folder: Path) -> Settings:
    try:
        per_storage = {kind: int(number) for kind, number in options.storage_limits.items()}
    except ValueError as error:
        raise ConfigError(
            f"storage_limits has to be kinds of storage and numbers, such as swift:2: {error}."
        ) from error
    try:
        zone = named_zone(options.timezone) if options.timezone else local_zone()
    except ScheduleError as error:
        raise ConfigError(f"{error}.") from error
    if options.client_id is not None and not CLIENT.is_id(options.client_id):
        raise ConfigError(f"client_id is {options.client_id!r}, which is no id of a client: [project_]host.name.")
    return Settings(
        client_id=options.client_id,
        interval_seconds=options.interval,
        jobs_dir=absolute(options.jobs_dir, folder),
        no_api=options.no_api,
        no_daemon=options.no_daemon,
        limits=Limits(
            concurrent_jobs=options.concurrent_jobs,
            per_storage=per_storage,
            allow_exec=not options.disable_exec,
            timeout_seconds=options.action_timeout,
            progress_seconds=options.progress_interval,
        ),
        zone=zone,
        state_dir=absolute(options.state_dir or _default_state_dir(), folder),
        agent=_agent(options.agent_command, folder) if options.agent_command else _agent_beside(folder),
        systemd_scopes=options.systemd_scopes,
        scope_properties=options.scope_properties,
        debug=options.debug,
        log_file=absolute(Path(options.log_dir or "", options.log_file), folder) if options.log_file else None,
        api=with_absolute_files(_api(options), folder),
        warnings=warnings,
        folder=folder,
    )


def _api(options: cfg.ConfigOpts) -> dict[str, Any]:
    """The options of a connection, from [api] or from upstream's [service_auth]."""
    given = {one.dest: options[LIKE_API][one.dest] for one in API_OPTIONS if one.dest != "insecure"}
    given.pop("timeout_seconds")
    given.update({one.dest: options.api[one.dest] for one in API_OPTIONS if options.api[one.dest] is not None})
    insecure = given.pop("insecure", False)
    auth = {key: given.pop(key) for key in AUTH_KEYS if given.get(key) is not None}
    api = {key: value for key, value in given.items() if key not in AUTH_KEYS}
    api["validate_certs"] = False if insecure else None
    if auth and ("auth_url" in auth or api.get("cloud")):
        for key in ("username", "password", "project_id"):
            if api.get(key) is not None and key != "project_id":
                auth[key] = api.pop(key)
        api["auth"] = auth
    return api


def client_id_of(settings: Settings) -> str:
    """The id of this client: as configured, or the project and the host's name. Raises ConfigError, RestError.

    The default is stored for a start without Keystone.
    """
    if settings.client_id:
        return settings.client_id
    host = socket.gethostname()
    remembered = settings.state_dir / _REMEMBERED
    try:
        client_id = host if settings.no_api else f"{settings.connect().project_id}_{host}"
    except FreezerError:
        try:
            client_id = remembered.read_text(encoding="utf-8").strip()
        except OSError:
            client_id = ""
        if not client_id:
            raise
    if not CLIENT.is_id(client_id):
        raise ConfigError(f"{client_id!r} is no id of a client; name one in client_id.")
    return client_id


def remember_client_id(settings: Settings, client_id: str) -> None:
    """Store the id for a start without Keystone."""
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    (settings.state_dir / _REMEMBERED).write_text(f"{client_id}\n", encoding="utf-8")


def _default_state_dir() -> str:
    if os.geteuid() == 0:
        return "/var/lib/freezer-scheduler"
    return os.path.join(os.environ.get("XDG_STATE_HOME") or "~/.local/state", "freezer-scheduler")


def _agent(command: str, folder: Path) -> list[str]:
    """The arguments of a command; its program is searched in PATH unless it is a path."""
    words = shlex.split(command)
    return [str(absolute(word, folder)) if number == 0 and "/" in word else word for number, word in enumerate(words)]


def _agent_beside(folder: Path) -> list[str]:
    """The command of the freezer-agent that was installed together with this program."""
    for program in (absolute(sys.argv[0], folder), Path(sys.executable)):
        agent = program.parent / "freezer-agent"
        if os.access(agent, os.X_OK):
            return [str(agent)]
    return [sys.executable, "-m", "ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main"]


def _check_names(path: Path) -> list[str]:
    """Warnings about options of a file that have no effect here. Raises ConfigError for unknown ones."""
    sections: dict[str, dict[str, list[str]]] = {}
    try:
        cfg.ConfigParser(str(path), sections).parse()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"The configuration file {path} cannot be read: {reason}.") from error
    except cfg.ParseError as error:
        raise ConfigError(f"The configuration file {path} cannot be read: {_first_line(error)}.") from error
    ignored: list[str] = []
    for section, values in sections.items():
        known = [option.dest for option in OPTIONS.get("api" if section == LIKE_API else section, ())]
        moved = (
            [option.dest for option in OPTIONS["DEFAULT"] if option.deprecated_opts] if section == "scheduler" else []
        )
        for name in values:
            if name.replace("-", "_") in (*known, *moved):
                continue
            of_upstream = UPSTREAM_ONLY.get(section, frozenset())
            if of_upstream is not None and name not in of_upstream:
                hint = did_you_mean(name, known)
                raise ConfigError(f"The configuration file {path} has an unknown option {name} in [{section}].{hint}")
            ignored.append(f"{name} in [{section}] of {path} has no effect in this freezer-scheduler.")
    return ignored


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
