# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Hold MongoDB with fsyncLock: everything is written to disk, and no write goes on until fsyncUnlock.

This lock stays when its connection ends, so that a recovery has to log in again. The client is PyMongo if Python has it,
else mongosh or mongo on a pipe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import programs
from .base import Limits, QuiesceError
from .sql_client import Server, Session, SqlClient

_SHELLS = ("mongosh", "mongo")


def _pymongo() -> Any:
    """PyMongo, or None if it is not installed. It loads slowly, so it is imported only here."""
    try:
        import pymongo
        import pymongo.errors
    except ImportError:
        return None
    return pymongo


class Refused(QuiesceError):
    """The server has refused a command."""


class MongoDb(Server):
    """A server of MongoDB. `login` has the keys of the target."""

    kind = "mongodb"

    def __init__(self, login: Mapping[str, Any], timeout_seconds: float) -> None:
        host = login.get("login_host") or "localhost"
        super().__init__(f"mongodb {host}:{login.get('login_port') or 27017}", timeout_seconds)
        self._login = login
        self._refused = False

    def check(self, limits: Limits) -> None:
        if _pymongo() is None:
            programs.find(_SHELLS, f"The {self.label} without PyMongo")

    def connect(self) -> None:
        self._session = self._log_in()
        self.facts["server_version"] = self._ask({"buildInfo": 1}).get("version", "")

    def take(self) -> None:
        try:
            self._ask({"fsync": 1, "lock": True})
        except Refused:
            self._refused = True
            raise

    def release(self) -> None:
        self._ask({"fsyncUnlock": 1})

    def recover(self) -> None:
        if self._refused:
            return  # if it is locked, another client has locked it
        session = self._log_in()
        try:
            session.ask({"fsyncUnlock": 1})
        except QuiesceError as problem:
            if "not locked" not in str(problem):
                raise QuiesceError(f"The {self.label} cannot be unlocked: {problem}") from None
        finally:
            session.close()

    def _log_in(self) -> Session:
        library = _pymongo()
        return _Shell(self._login) if library is None else _PyMongo(library, self._login, self.timeout_seconds)


class _PyMongo(Session):
    """The database `admin`, by the library."""

    def __init__(self, library: Any, login: Mapping[str, Any], timeout_seconds: float) -> None:
        options: dict[str, Any] = {
            "host": login.get("login_host") or "localhost",
            "port": int(login.get("login_port") or 27017),
            "directConnection": True,
            "appname": "freezer.backup",
            "serverSelectionTimeoutMS": 10_000,
            "socketTimeoutMS": int(timeout_seconds * 1000),
            "retryReads": False,
        }
        if login.get("login_user"):
            options.update(username=login["login_user"], password=login.get("login_password") or "")
            options["authSource"] = login.get("login_database") or "admin"
        if login.get("tls"):
            options["tls"] = True
            if login.get("ca_file"):
                options["tlsCAFile"] = login["ca_file"]
        self._errors = library.errors
        self._client = library.MongoClient(**options)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._client.admin.command(request))
        except self._errors.PyMongoError as error:
            kind = Refused if isinstance(error, self._errors.OperationFailure) else QuiesceError
            raise kind(" ".join(str(error).split())[:300] + ".") from None

    def close(self) -> None:
        self._client.close()


class _Shell(Session):
    """The same by mongosh or mongo on a pipe, which also carries the password."""

    def __init__(self, login: Mapping[str, Any]) -> None:
        argv = [programs.find(_SHELLS, "MongoDB"), "--quiet", "--norc", "--nodb"]
        address = f"mongodb://{login.get('login_host') or 'localhost'}:{login.get('login_port') or 27017}/"
        address += "?directConnection=true&serverSelectionTimeoutMS=10000"
        if login.get("tls"):
            address += "&tls=true"
            if login.get("ca_file"):
                address += f"&tlsCAFile={login['ca_file']}"
        self._client = SqlClient(programs.start(argv, talk=True), lambda text: f"print('{text}');")
        user = ""
        if login.get("login_user"):
            database = json.dumps(login.get("login_database") or "admin")
            name, password = json.dumps(login["login_user"]), json.dumps(login.get("login_password") or "")
            user = f"connection.getDB({database}).auth({name}, {password});"
        self._evaluate(f"connection = new Mongo({json.dumps(address)}); {user} answer = {{}};")

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._evaluate(f"answer = connection.getDB('admin').runCommand({json.dumps(request)});")

    def kill(self) -> None:
        self._client.kill()

    def close(self) -> None:
        self._client.close()

    def _evaluate(self, script: str) -> dict[str, Any]:
        """Run a script that sets `answer`. Of all lines that the shell prints, the answer is the one with the mark."""
        mark = "freezer-backup-answer "
        wrapped = (
            f"try {{ {script} print({json.dumps(mark)} + JSON.stringify(answer)); }} "
            f"catch (problem) {{ print({json.dumps(mark)} + JSON.stringify({{ok: 0, errmsg: String(problem), code: problem.code}})); }}"
        )
        lines = [line.partition(mark)[2] for line in self._client.ask(wrapped) if mark in line]
        found: dict[str, Any] = json.loads(lines[-1]) if lines else {"ok": 0, "errmsg": "the shell gave no answer"}
        if "ok" in found and not found["ok"]:
            kind = Refused if "code" in found else QuiesceError
            raise kind(f"{found.get('errmsg', 'the server refused')}.")
        return found
