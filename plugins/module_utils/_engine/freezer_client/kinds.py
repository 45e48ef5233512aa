# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The desired state of clients and of records of backups, with what is special to each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..documents.comparison import drift
from ..documents.errors import DocumentError
from ..http.errors import Conflict
from .client import Registry
from .collection import Document
from .ensure import ensure, find, remove, store
from .plan import Result

# What together identifies a backup, as freezer-api's README defines it; the level follows from the time.
UNIQUE_BY = ("container", "hostname", "backup_name", "time_stamp")


def ensure_client(registry: Registry, wanted: Mapping[str, Any], state: str, check_mode: bool) -> Result:
    """Bring a client to its desired state, or remove it. Its ``hostname`` is its id if it names none."""
    wanted = {**wanted, "client_id": wanted.get("client_id") or wanted.get("hostname")}
    uuid = wanted.get("uuid")
    result = ensure(registry.clients, wanted, state, check_mode, initial={"uuid": uuid} if uuid else None)
    return replace(result, document=flat_client(result.document) if result.document else None)


def flat_client(document: Mapping[str, Any]) -> Document:
    """A client as a set of options: the API keeps its document below ``client``, and its own keys beside it."""
    return {**{key: value for key, value in document.items() if key != "client"}, **document.get("client", {})}


def ensure_backup_record(
    registry: Registry,
    metadata: Mapping[str, Any],
    backup_id: str | None,
    state: str,
    check_mode: bool,
) -> Result:
    """Record a backup, unless it is recorded already, or delete the record (the archive stays where it is).

    Records say what happened; so they are written and deleted, and never changed.

    Raises ``Conflict`` when the record exists with other contents.
    """
    own_id = metadata.get("backup_id")
    if backup_id and own_id and backup_id != own_id:
        raise DocumentError(f"backup_id is {backup_id!r}, but the metadata says {own_id!r}.")
    wanted = {**metadata, "backup_id": backup_id or own_id}
    existing = find(registry.backups, wanted, UNIQUE_BY)
    if state == "absent":
        return remove(registry.backups, existing, check_mode)
    if existing is not None:
        differing = sorted(drift(registry.backups.kind, wanted, existing))
        if differing:
            raise Conflict(
                f"Backup {registry.backups.kind.id_of(existing)} is recorded already, with another "
                f"{', '.join(differing)}. A record is not changed afterwards; delete it first if it is wrong."
            )
    return store(registry.backups, wanted, existing, check_mode)
