# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""From what somebody says to the indices that are meant: one of their own, or those of freezer-api."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import settings
from .ensure import Wanted
from .own_mappings import PLURALS, own_indices

KINDS = tuple(sorted(PLURALS))


def wishes(params: Mapping[str, Any]) -> list[Wanted]:
    """The indices of the options of a module: ``index`` with ``mapping``, or ``prefix`` with ``kinds``."""
    said = dict(settings.flat(params.get("settings") or {}))
    if params.get("number_of_replicas") is not None:
        said["index.number_of_replicas"] = params["number_of_replicas"]
    if params.get("index"):
        removes = bool(params.get("remove_fields"))
        return [Wanted(params["index"], params.get("mapping") or {}, said, removes)]
    return own_wishes(params["prefix"], params.get("kinds"), said)


def own_wishes(prefix: str, kinds: Sequence[str] | None = None, said: Mapping[str, Any] | None = None) -> list[Wanted]:
    """The indices of freezer-api whose names begin with ``prefix``, with more settings than their own."""
    plurals = None if kinds is None else {PLURALS[kind] for kind in kinds}
    return [
        Wanted(own.alias(prefix), own.mapping, {**settings.flat(own.settings), **(said or {})})
        for own in own_indices()
        if plurals is None or own.plural in plurals
    ]


def names(params: Mapping[str, Any]) -> list[str]:
    """The names of the indices of the options of a module."""
    return [wanted.name for wanted in wishes(params)]
