# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""``freezer-manage db copy``: all documents of one store in another."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..config.cluster import Cluster
from ..config.settings import ConfigError, parse_store, store_location, wanted_replicas
from ..console.progress import progress
from ..migration.copying import Copy, Outcome, Rejection, Source, StoreSource
from ..store.administration import Choice, counted
from ..store.base import Store
from ..store.errors import StoreError
from .database import administration

#: A document of one store is never too large for the other.
_MAX_DOCUMENT_BYTES = 2**30
_SHOWN_AT_MOST = 20


def copy(flags: argparse.Namespace) -> int:
    """Copy everything. Raises ConfigError, StoreError."""
    if not flags.source:
        raise ConfigError("name the store to copy with --from")
    source_at = parse_store(flags.source, flags.options)
    target_at = parse_store(flags.target, flags.options) if flags.target else store_location(flags.options)
    if source_at == target_at:
        raise ConfigError(f"{source_at} cannot be copied to itself")
    with _source(source_at, flags) as source:
        todo = _prepare(target_at, flags)
        if todo:
            print(todo)
            return os.EX_DATAERR
        with _opened(target_at) as target, progress() as tell:
            work = Copy(source, target, str(target_at), overwrites=flags.overwrite, progress=tell)
            outcome = work.run(test_only=flags.test_only)
    return _told(flags, source.name, str(target_at), outcome)


@contextmanager
def _source(location: Path | Cluster, flags: argparse.Namespace) -> Iterator[Source]:
    if isinstance(location, Cluster) and flags.from_format != "freezer.backup":
        # Imported here: it brings along the rules of all kinds, and their library.
        from ..migration.upstream_index import UpstreamIndex, is_upstream

        if flags.from_format == "upstream" or is_upstream(location):
            yield UpstreamIndex(location, flags.project_id)
            return
    elif flags.from_format == "upstream":
        raise ConfigError("--from-format upstream needs an Elasticsearch in --from: elasticsearch+http://host/index")
    store = administration(location)
    if not store.exists():
        raise StoreError(f"there is no store at {store.name}")
    if not isinstance(location, Cluster) and store.to_sync(Choice()).steps:
        raise StoreError(f"{store.name} is not up to date; run freezer-manage db update --store sqlite:///{location}")
    with _opened(location) as opened:
        yield StoreSource(opened, store.name)


def _prepare(location: Path | Cluster, flags: argparse.Namespace) -> str | None:
    """Prepare the store to copy to; with --test-only change nothing, and return a sentence about what is missing."""
    store = administration(location)
    is_new = not store.exists()
    if is_new:
        store = administration(location, wanted_replicas(flags.options))
    todo = store.to_sync(Choice())
    if not todo.steps:
        return None
    if todo.question is not None and not is_new:
        raise StoreError(f"{store.name} is not up to date; bring it up to date with freezer-manage db update first")
    if flags.test_only:
        return f"{store.name} would be {'made' if is_new else 'brought up to date'}, and get all documents"
    for warning in todo.warnings:
        print(f"freezer-manage: warning: {warning}", file=sys.stderr)
    store.sync(Choice(), lambda what, done, total: None)
    return None


@contextmanager
def _opened(location: Path | Cluster) -> Iterator[Store]:
    # Imported here: it brings along the whole application, which no other command needs.
    from ..store.opening import open_store_at

    store = open_store_at(location, _MAX_DOCUMENT_BYTES)
    try:
        yield store
    finally:
        store.close()


def _told(flags: argparse.Namespace, source: str, target: str, outcome: Outcome) -> int:
    compared = outcome.compared
    print(f"{source} has {counted(compared.by_kind)}")
    if flags.test_only:
        print(f"{compared.missing:,} would be copied to {target}, {compared.same:,} are there already")
        if compared.differing:
            print(f"{compared.differing:,} differ there, {', '.join(compared.named)} among them")
    else:
        print(f"{outcome.written:,} were copied to {target}, {compared.same:,} were there already")
        print(f"{outcome.verified:,} are the same in both, by number and content")
    if compared.extra:
        print(f"{compared.extra:,} others are in {target} only")
    _report(flags.report, outcome.rejected)
    if outcome.rejected or (flags.test_only and (compared.missing or compared.differing)):
        return os.EX_DATAERR
    return 0


def _report(path: str | None, rejected: Sequence[Rejection]) -> None:
    """Report the documents that were rejected, and why: a line of JSON for each in a file, or to standard error."""
    if path is not None:
        lines = [json.dumps({"kind": one.kind, "id": one.id, "reason": one.reason}) for one in rejected]
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))
        except OSError as error:
            raise StoreError(f"the report {path} cannot be written: {error.strerror}") from error
    if not rejected:
        return
    shown = rejected if path is None else rejected[:_SHOWN_AT_MOST]
    for one in shown:
        print(f"freezer-manage: rejected: {one.kind or 'document'} {one.id}: {one.reason}", file=sys.stderr)
    if len(shown) < len(rejected):
        print(f"freezer-manage: and {len(rejected) - len(shown):,} more, see {path}", file=sys.stderr)
    print(f"{len(rejected):,} were rejected")
