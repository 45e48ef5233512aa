# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""``freezer-manage db``: the administration of the store."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from ..config.cluster import Cluster
from ..config.settings import store_location, wanted_replicas
from ..console.progress import progress
from ..store.administration import Administration, Choice, Todo
from ..store.errors import StoreError


def sync(flags: argparse.Namespace) -> int:
    """Make the store, or bring it up to date."""
    store, choice = _store(flags), _choice(flags)

    def work() -> Sequence[str]:
        with progress() as tell:
            return store.sync(choice, tell)

    return _carry_out(flags, store.to_sync(choice), work)


def update(flags: argparse.Namespace) -> int:
    """Bring the store up to date. Raises StoreError if there is none."""
    _refuse_a_missing(_store(flags))
    return sync(flags)


def update_settings(flags: argparse.Namespace) -> int:
    """Apply the settings of the configuration to the store. Raises StoreError if there is none."""
    store, choice = _store(flags), _choice(flags)
    _refuse_a_missing(store)
    return _carry_out(flags, store.to_update_settings(choice), lambda: store.update_settings(choice))


def remove(flags: argparse.Namespace) -> int:
    """Remove the store with all documents, after a question. Raises StoreError."""
    store, choice = _store(flags), _choice(flags)
    return _carry_out(flags, store.to_remove(choice), lambda: store.remove(choice))


def prune(flags: argparse.Namespace) -> int:
    """Remove the indices that newer ones have replaced, after a question."""
    store, choice = _store(flags), _choice(flags)
    return _carry_out(flags, store.to_prune(choice), lambda: store.prune(choice))


def roll_back(flags: argparse.Namespace) -> int:
    """Undo an unfinished copy to a new index."""
    store, choice = _store(flags), _choice(flags)
    return _carry_out(flags, store.to_roll_back(choice), lambda: store.roll_back(choice))


def show(flags: argparse.Namespace) -> int:
    """Show the state of the store. Raises StoreError if there is none."""
    store = _store(flags)
    _refuse_a_missing(store)
    print("\n".join(store.show(_choice(flags))))
    return 0


def administration(location: os.PathLike[str] | Cluster, replicas: int | None = None) -> Administration:
    """The administration of the store at a location."""
    # Imported here: each brings along what only it needs.
    if isinstance(location, Cluster):
        from ..store.elastic.administration import ElasticAdministration

        return ElasticAdministration(location, replicas)
    from pathlib import Path

    from ..store.sqlite.administration import SqliteAdministration

    return SqliteAdministration(Path(location))


def agrees(flags: argparse.Namespace, question: str) -> bool:
    """Whether the user agrees, with --yes or at the terminal. Raises StoreError without either."""
    if flags.yes:
        return True
    if not sys.stdin.isatty():
        raise StoreError(f"there is no terminal to ask at: {question} Say --yes to agree")
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _store(flags: argparse.Namespace) -> Administration:
    return administration(store_location(flags.options), wanted_replicas(flags.options))


def _choice(flags: argparse.Namespace) -> Choice:
    return Choice(flags.mapping or None, flags.erase)


def _refuse_a_missing(store: Administration) -> None:
    if not store.exists():
        raise StoreError(f"there is no store at {store.name}; make one with freezer-manage db sync")


def _carry_out(flags: argparse.Namespace, todo: Todo, work: Callable[[], Sequence[str]]) -> int:
    for warning in todo.warnings:
        print(f"freezer-manage: warning: {warning}", file=sys.stderr)
    if not todo.steps:
        print(todo.nothing)
        return 0
    if flags.test_only:
        print("\n".join(todo.steps))
        return os.EX_DATAERR
    if todo.question is not None and not flags.yes:
        if not todo.question.startswith("Remove"):
            print("\n".join(todo.steps))
        if not agrees(flags, todo.question):
            raise StoreError(todo.refusal)
    print("\n".join(work()))
    return 0
