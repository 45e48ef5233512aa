# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Clients, flat: the API keeps the document of a client below ``client``, and its own keys beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .client import Registry
from .collection import Document
from .ensure import ensure
from .plan import Result


def ensure_client(registry: Registry, wanted: Mapping[str, Any], state: str, check_mode: bool) -> Result:
    """Bring a client to its desired state, or remove it. Its ``hostname`` is its id if it names none."""
    wanted = {**wanted, "client_id": wanted.get("client_id") or wanted.get("hostname")}
    uuid = wanted.get("uuid")
    result = ensure(registry.clients, wanted, state, check_mode, initial={"uuid": uuid} if uuid else None)
    return replace(result, document=flat_client(result.document) if result.document else None)


def flat_client(document: Mapping[str, Any]) -> Document:
    """A client as a set of options."""
    return {**{key: value for key, value in document.items() if key != "client"}, **document.get("client", {})}
