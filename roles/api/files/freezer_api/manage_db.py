# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""``freezer-manage db``: the store from an operator's side."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Mapping

from .config import store_path
from .store import sqlite_admin
from .store.errors import StoreError
from .store.sqlite_admin import State
from .store.sqlite_schema import VERSION


def sync(flags: argparse.Namespace) -> int:
    """Make the store, or bring it up to date."""
    state = _state(flags)
    if not state.pending:
        print(f"{state.path} is up to date: its tables have version {VERSION}")
        return 0
    return _bring_up_to_date(flags, state)


def update(flags: argparse.Namespace) -> int:
    """Bring the store up to date. Raises StoreError if there is none."""
    _refuse_a_missing(_state(flags))
    return sync(flags)


def remove(flags: argparse.Namespace) -> int:
    """Remove the store with all documents, after a question. Raises StoreError."""
    state = sqlite_admin.look_at(store_path(flags.options))
    if not state.exists:
        print(f"there is no store at {state.path}")
        return 0
    contents = _counted(state.counts)
    if flags.test_only:
        print(f"{state.path} with {contents} would be removed")
        return os.EX_DATAERR
    if not flags.yes and not _agrees(f"Remove {state.path} with {contents}? Nothing brings them back. [y/N] "):
        raise StoreError("nothing was removed")
    sqlite_admin.remove(state.path)
    print(f"{state.path} with {contents} was removed")
    return 0


def show(flags: argparse.Namespace) -> int:
    """Show what the store is like. Raises StoreError if there is none."""
    state = sqlite_admin.look_at(store_path(flags.options))
    _refuse_a_missing(state)
    print(f"store      {state.path}")
    print(f"size       {_size(state.size_bytes)}")
    print(f"documents  {_counted(state.counts)}")
    print(f"tables     {_version(state)}")
    for step in state.applied:
        when = datetime.datetime.fromtimestamp(step.applied_at, datetime.UTC)
        print(f"           {step.version}  {when:%Y-%m-%d %H:%M:%S} UTC  {step.name}")
    return 0


def _state(flags: argparse.Namespace) -> State:
    state = sqlite_admin.look_at(store_path(flags.options))
    if state.is_too_new:
        raise StoreError(
            f"{state.path} was written by a later freezer-api: its tables have version {state.applied[-1].version}, and "
            f"this program knows {VERSION}"
        )
    return state


def _refuse_a_missing(state: State) -> None:
    if not state.exists:
        raise StoreError(f"there is no store at {state.path}; make one with freezer-manage db sync")


def _bring_up_to_date(flags: argparse.Namespace, state: State) -> int:
    steps = ", ".join(state.pending)
    what = "brought up to date" if state.exists else "made"
    if flags.test_only:
        print(f"{state.path} would be {what}, with the steps {steps}")
        return os.EX_DATAERR
    sqlite_admin.bring_up_to_date(state.path)
    print(f"{state.path} was {what}, with the steps {steps}")
    return 0


def _agrees(question: str) -> bool:
    if not sys.stdin.isatty():
        raise StoreError("there is nobody to ask whether to remove the store; say --yes if that is meant")
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _counted(counts: Mapping[str, int]) -> str:
    known = [(kind, counts[kind]) for kind in ("client", "action", "job", "session", "backup") if counts.get(kind)]
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in known) or "no documents"


def _version(state: State) -> str:
    found = state.applied[-1].version if state.applied else 0
    if state.is_too_new:
        return f"version {found}, of a later freezer-api: this one knows {VERSION}"
    if state.pending:
        return f"version {found}, and freezer-manage db update makes it {VERSION}"
    return f"version {found}, up to date"


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
