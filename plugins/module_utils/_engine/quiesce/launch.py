# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Start a holder as a process of its own, which gets only the sources that it needs.

A module's files are gone when it ends, and a file system that is frozen may be the one with the code. So the sources go
over a pipe to a new Python, which compiles all of them before it holds anything.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from types import ModuleType
from typing import Any

from .. import errors
from ..system import errors as system_errors
from ..system import mounts, undo
from ..system import process as system_process
from . import (
    base,
    callers,
    command,
    filesystem,
    guard,
    holder,
    mongodb,
    mysql,
    postgresql,
    process,
    programs,
    sql_client,
    state,
    targets,
)

_ROOM = (
    base, process, programs, sql_client, filesystem, command, mysql, postgresql, mongodb, targets, state, callers,
    guard, holder,
)  # fmt: skip
#: The modules of `system` that this room imports.
_SYSTEM = (system_errors, system_process, mounts, undo)

#: The environment of a holder: variables for clients of databases, and the mark of the run that requested the hold.
_KEPT = (system_process.RUN_MARK, "PG", "MYSQL", "MARIADB", "MONGO", "SSL_CERT_")

# Runs in the new Python: modules come from a dictionary of sources, then the holder takes over.
_BEGINNING = r"""
import importlib.abc, importlib.util, json, socket, struct, sys
owner = socket.socket(fileno=0)
def read(length):
    text = b""
    while len(text) < length:
        part = owner.recv(length - len(text))
        if not part:
            sys.exit(1)
        text += part
    return text
message = json.loads(read(struct.unpack(">I", read(4))[0]))
sources = message["sources"]
class Sources(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, name, path=None, target=None):
        if name in sources:
            return importlib.util.spec_from_loader(name, self, is_package=not sources[name])
    def get_source(self, name):
        return sources[name]
    def is_package(self, name):
        return not sources[name]
sys.meta_path.insert(0, Sources())
from freezer_backup.quiesce.holder import main
main(owner, message["request"])
"""


def _source(module: ModuleType) -> str:
    loader = module.__spec__.loader if module.__spec__ else None
    text: str = loader.get_source(module.__name__)  # type: ignore[union-attr]
    return text


def start(request: dict[str, Any], log: int) -> tuple[system_process.Program, socket.socket]:
    """Start a holder; it answers in lines of JSON on the socket. `log` is the descriptor that it writes its log to."""
    sources = {"freezer_backup": "", "freezer_backup.errors": _source(errors)}
    for room, modules in (("system", _SYSTEM), ("quiesce", _ROOM)):
        sources[f"freezer_backup.{room}"] = ""
        for module in modules:
            sources[f"freezer_backup.{room}.{module.__name__.rpartition('.')[2]}"] = _source(module)
    ours, theirs = socket.socketpair()
    with theirs:
        holder_process = system_process.Program(
            [sys.executable, "-I", "-c", _BEGINNING, "freezer-backup-holder", request["name"]],
            stdin=theirs.fileno(),
            stdout=system_process.DISCARD,
            stderr=log,
            env=system_process.environment(keep=_KEPT),
            own_session=True,
        )
    text = json.dumps({"sources": sources, "request": request}).encode()
    ours.sendall(struct.pack(">I", len(text)) + text)
    return holder_process, ours
