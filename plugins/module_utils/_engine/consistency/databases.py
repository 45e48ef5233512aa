# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The database of a backup mode: its login, and whether all of its files are in one snapshot."""

from __future__ import annotations

import configparser
import os
from typing import Any

from ..action.options import OptionError, Options
from ..system.file_names import shown
from ..system.mounts import is_below

#: The keys of upstream's configuration files, and those of a target for `quiesce`.
_LOGIN = {
    "host": "login_host",
    "port": "login_port",
    "user": "login_user",
    "password": "login_password",
    "socket": "login_unix_socket",
}
_MORE = {
    "mysql": {},
    "postgresql": {"database": "login_db", "dbname": "login_db", "os_user": "os_user"},
    "mongodb": {"database": "login_database"},
}
#: Files of a running server, as patterns of tar: a copy with them would not start beside that server.
_OF_A_RUNNING_SERVER = {"postgresql": ["postmaster.pid", "postmaster.opts"], "mongodb": ["mongod.lock"]}
#: How many levels below the path a data folder of PostgreSQL is searched for.
_LOOK_DEPTH = 4


def left_out(options: Options) -> list[str]:
    """Patterns for tar of the files that a backup in the mode of an action leaves out."""
    return _OF_A_RUNNING_SERVER.get(options.mode, [])


def targets(options: Options) -> list[dict[str, Any]]:
    """The targets to quiesce for the mode of an action, in the form that `quiesce` takes; none for files.

    Raises OptionError if the file with the login cannot be read.
    """
    if options.mode == "fs":
        return []
    named = getattr(options, f"{options.mode}_conf")
    login = _login(options.mode, named) if named else {}
    if options.mode == "postgresql" and not login.get("login_host") and os.geteuid() == 0:
        # On its own host PostgreSQL can trust the name of the system user.
        login.setdefault("os_user", "postgres")
    return [{options.mode: login}]


def _login(mode: str, path: str) -> dict[str, Any]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True, default_section="")
    try:
        with open(path, encoding="utf-8") as file:
            # The oldest configuration files have no section.
            parser.read_string(f"[default]\n{file.read()}", source=path)
    except OSError as problem:
        raise OptionError(f"{mode}_conf {shown(path)} cannot be read: {problem.strerror}.") from None
    except (configparser.Error, UnicodeDecodeError):
        # The message of the parser would repeat lines of a file that has a password.
        raise OptionError(f"{mode}_conf {shown(path)} is not an ini file with lines such as user = backup.") from None
    keys = {**_LOGIN, **_MORE[mode]}
    login: dict[str, Any] = {}
    for section in ("client", mode, "default"):
        if not parser.has_section(section):
            continue
        for name, value in parser.items(section):
            if name in keys and value:
                login[keys[name]] = value.strip().strip("'\"")
    if "login_port" in login:
        if not login["login_port"].isdigit():
            raise OptionError(f"The port in {mode}_conf {shown(path)} is not a number.")
        login["login_port"] = int(login["login_port"])
    return login


def check_is_in_one_place(mode: str, path: str) -> None:
    """Raise OptionError if files of the database below a path (without links) lie outside of it.

    They would be of another point in time than the snapshot, and not in the backup.
    """
    if mode != "postgresql":
        return
    for folder, folders, files in os.walk(path):
        depth = folder[len(path) :].count("/")
        if "PG_VERSION" in files and "pg_wal" in folders + files:
            spaces = os.path.join(folder, "pg_tblspc")
            links = [os.path.join(folder, "pg_wal")]
            links += [os.path.join(spaces, name) for name in (os.listdir(spaces) if os.path.isdir(spaces) else [])]
            for link in links:
                if not is_below(os.path.realpath(link), path):
                    raise OptionError(
                        f"{shown(link)} leads to {shown(os.path.realpath(link))}, outside of {shown(path)}, so one "
                        "snapshot cannot hold the whole database. Name a folder that holds both, on one volume."
                    )
            folders.clear()
        if depth >= _LOOK_DEPTH:
            folders.clear()
