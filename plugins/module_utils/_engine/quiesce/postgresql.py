# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Hold PostgreSQL in its backup mode: pg_backup_start and pg_backup_stop, pg_start_backup before version 15.

Transactions go on; a copy of the files is recovered from the checkpoint at the start with the write-ahead log, for which
`backup_label` has to be put into the copy unless the copy is of a single point in time. The mode ends with the session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import programs
from .base import Limits
from .sql_client import Server, SqlClient

_LABEL = "freezer.backup"


class PostgreSql(Server):
    """A server of PostgreSQL. `login` has the keys of the target."""

    kind = "postgresql"
    #: No client waits for it, so it is released after all others.
    rank = -1

    def __init__(self, login: Mapping[str, Any], timeout_seconds: float) -> None:
        where = login.get("login_unix_socket") or login.get("login_host") or "localhost"
        super().__init__(f"postgresql {where}", timeout_seconds)
        self._login = login
        self._version = 0

    def check(self, limits: Limits) -> None:
        programs.find(("psql",), f"The {self.label}")

    def connect(self) -> None:
        variables = {"PGCONNECT_TIMEOUT": "10", "PGAPPNAME": _LABEL}
        for key, name in _VARIABLES:
            if self._login.get(key):
                variables[name] = str(self._login[key])
        argv = [programs.find(("psql",), f"The {self.label}")]
        argv += ["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        program = programs.start(argv, variables, os_user=self._login.get("os_user"), talk=True)
        self._session = SqlClient(program, lambda text: f"\\echo {text}")
        self._version = int(self._ask("SHOW server_version_num;")[0])
        self.facts["server_version"] = self._ask("SHOW server_version;")[0]
        self._ask(f"SET statement_timeout = {int(self.timeout_seconds * 1000)};")
        # The backup mode, for which the server makes a checkpoint. No client waits for either, so this happens before the
        # hold, which is shorter then.
        start = "pg_backup_start" if self._version >= 150000 else "pg_start_backup"
        more = "" if self._version >= 150000 else ", false"
        self.facts["start_lsn"] = self._ask(f"SELECT {start}('{_LABEL}', true{more});")[0]

    def take(self) -> None:
        # The mode belongs to the session: an answer means that it is on.
        self._ask("SELECT 1;")

    def release(self) -> None:
        # The program that copies the log waits for its archive.
        stop = "pg_backup_stop(false)" if self._version >= 150000 else "pg_stop_backup(false, false)"
        parts = ("lsn", "labelfile", "spcmapfile")
        selected = " || ',' || ".join(f"coalesce(to_json({part}::text)::text, 'null')" for part in parts)
        lines = self._ask(f"SELECT '[' || {selected} || ']' FROM {stop};")
        stop_lsn, label, tablespaces = json.loads("".join(lines))
        self.facts.update(stop_lsn=stop_lsn, backup_label=label, tablespace_map=tablespaces or "")


_VARIABLES = (
    ("login_unix_socket", "PGHOST"),
    ("login_host", "PGHOST"),
    ("login_port", "PGPORT"),
    ("login_user", "PGUSER"),
    ("login_password", "PGPASSWORD"),
    ("login_db", "PGDATABASE"),
)
