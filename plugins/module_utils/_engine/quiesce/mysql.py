# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Hold MariaDB or MySQL: no commit goes through while its files are copied.

MariaDB has BACKUP STAGE for this, which lets reads and running statements go on; elsewhere it is FLUSH TABLES WITH READ
LOCK. Both end with the session. From a snapshot of LVM the server recovers to the point in time of the hold in both cases.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from . import programs
from .base import Limits, QuiesceError
from .sql_client import Server, SqlClient

_STAGES = ("START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT")


class MySql(Server):
    """A server of MariaDB or MySQL. `login` has the keys of the target."""

    kind = "mysql"

    def __init__(self, login: Mapping[str, Any], timeout_seconds: float) -> None:
        where = login.get("login_unix_socket") or login.get("login_host") or "localhost"
        super().__init__(f"mysql {where}", timeout_seconds)
        self._login = login
        self._stages = False
        #: The statement that tells the position in the log; empty if this user may not ask for it.
        self._position = ""

    def check(self, limits: Limits) -> None:
        programs.find(("mariadb", "mysql"), f"The {self.label}")

    def connect(self) -> None:
        self._log_in()
        version = self._ask("SELECT VERSION();")[0]
        self.facts["server_version"] = version
        numbers, is_mariadb = tuple(map(int, re.findall(r"\d+", version)[:2])), "mariadb" in version.lower()
        lock = self._login.get("lock") or "auto"
        self._stages = lock == "backup_stage" or (lock == "auto" and is_mariadb and numbers >= (10, 4))
        self.facts["lock"] = "backup_stage" if self._stages else "global_read_lock"
        newer = not is_mariadb and numbers >= (8, 2)
        self._position = "SHOW BINARY LOG STATUS;" if newer else "SHOW MASTER STATUS;"
        try:
            self._ask(self._position)
        except QuiesceError:
            # This needs a privilege that the hold itself does not need. The client ends at an error.
            self._position = ""
            self.close()
            self._log_in()

    def take(self) -> None:
        if self._stages:
            for stage in _STAGES:
                self._ask(f"BACKUP STAGE {stage};")
        else:
            self._ask("FLUSH TABLES WITH READ LOCK;")
        if self._position:
            for line in self._ask(self._position):
                name, position = line.split("\t")[:2]
                self.facts.update(binlog_file=name, binlog_position=int(position))

    def release(self) -> None:
        self._ask("BACKUP STAGE END;" if self._stages else "UNLOCK TABLES;")

    def _log_in(self) -> None:
        """Begin a session of the server. The login comes over a pipe that only the client can read."""
        reading, writing = os.pipe()
        try:
            if self._login.get("os_user"):
                os.fchown(reading, programs.user_id(self._login["os_user"]), -1)
            os.write(writing, self._options().encode())
            os.close(writing)
            config_file = self._login.get("config_file")
            argv = [programs.find(("mariadb", "mysql"), f"The {self.label}")]
            argv += (
                [f"--defaults-extra-file=/dev/fd/{reading}"] if not config_file else [f"--defaults-file={config_file}"]
            )
            argv += ["--batch", "--skip-column-names", "--unbuffered", "--skip-reconnect", "--connect-timeout=10"]
            if config_file:
                # Other keys of the login become arguments; a password has to be in the file.
                given = (("login_user", "user"), *_PLAIN)
                argv += [f"--{name}={self._login[key]}" for key, name in given if self._login.get(key)]
            program = programs.start(argv, os_user=self._login.get("os_user"), pass_fds=[reading], talk=True)
        finally:
            os.close(reading)
        self._session = SqlClient(program, lambda text: f"SELECT '{text}';")
        # Wait for a lock no longer than the holder does: all other statements queue behind it.
        self._ask(f"SET SESSION lock_wait_timeout = {max(1, int(self.timeout_seconds))};")

    def _options(self) -> str:
        lines = ["[client]"]
        for key, name in (("login_user", "user"), ("login_password", "password"), *_PLAIN):
            value = self._login.get(key)
            if value:
                quoted = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
                lines.append(f'{name}="{quoted}"')
        return "\n".join(lines) + "\n"


_PLAIN = (("login_unix_socket", "socket"), ("login_host", "host"), ("login_port", "port"))
