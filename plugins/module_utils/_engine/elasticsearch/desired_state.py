# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The desired indices of the options of a module: one given index, or those of freezer-api."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import settings
from .ensure import Wanted
from .own_mappings import PLURALS, own_indices

KINDS = tuple(sorted(PLURALS))


def desired_indices(params: Mapping[str, Any]) -> list[Wanted]:
    """The desired indices of the options of a module: ``index`` with ``mapping``, or ``prefix`` with ``kinds``."""
    said = dict(settings.flat(params.get("settings") or {}))
    if params.get("number_of_replicas") is not None:
        said["index.number_of_replicas"] = params["number_of_replicas"]
    if params.get("index"):
        removes = bool(params.get("remove_fields"))
        return [Wanted(params["index"], params.get("mapping") or {}, said, removes)]
    return own_desired_indices(params["prefix"], params.get("kinds"), said)


def own_desired_indices(
    prefix: str, kinds: Sequence[str] | None = None, said: Mapping[str, Any] | None = None
) -> list[Wanted]:
    """The indices of freezer-api whose names begin with ``prefix``, with more settings than their own."""
    plurals = None if kinds is None else {PLURALS[kind] for kind in kinds}
    return [
        Wanted(own.alias(prefix), own.mapping, {**settings.flat(own.settings), **(said or {})})
        for own in own_indices()
        if plurals is None or own.plural in plurals
    ]


def names(params: Mapping[str, Any]) -> list[str]:
    """The names of the indices of the options of a module."""
    return [wanted.name for wanted in desired_indices(params)]
