# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The administration of the Elasticsearch store: its indices, their versions and their settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import ensure, flow, migration
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.client import SearchClient
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.ensure import Plan, Wanted
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.own_mappings import (
    PLURALS,
    SCHEMA_VERSION,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.state import State
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.connection import Tls

from ...config.cluster import Cluster
from ..administration import Administration, Choice, Progress, Todo, counted
from ..errors import StoreError

#: A change of a mapping can take longer than the API waits for a document.
_LEAST_TIMEOUT_SECONDS = 60


class ElasticAdministration(Administration):
    """The indices of ``cluster``. ``replicas`` is the number that they should have, None for what they have."""

    def __init__(self, cluster: Cluster, replicas: int | None = None) -> None:
        self._cluster = cluster
        self._replicas = replicas
        self.name = str(cluster)

    def exists(self) -> bool:
        with self._client() as client:
            return any(todo.state.index is not None for todo in self._plans(client, Choice()))

    def show(self, choice: Choice) -> list[str]:
        with self._client() as client:
            plans = self._plans(client, choice)
            lines = [
                f"store      {self._cluster}",
                f"servers    {client.data_nodes()} with documents",
                f"documents  {counted(_counts(plans))}",
            ]
            for todo in plans:
                lines += _shown(todo)
                if choice.kinds is not None and todo.state.index is not None:
                    lines += json.dumps(todo.state.index.mapping_without_notes(), indent=2).splitlines()
            return lines

    def to_sync(self, choice: Choice) -> Todo:
        with self._client() as client:
            plans = [todo for todo in self._plans(client, choice) if todo.changes]
            steps = tuple(_step(todo) for todo in plans)
            warnings = self._replica_warnings(client, plans)
            copied = [todo for todo in plans if todo.copy_reasons]
            question = None
            if copied:
                documents = sum(todo.state.documents for todo in copied)
                question = (
                    f"Copy {documents:,} documents of {', '.join(todo.state.name for todo in copied)}? Meanwhile they can "
                    "be read, but not changed."
                )
                if choice.erases:
                    question += " Documents that do not fit the new mapping are lost."
            elif warnings:
                question = "Continue?"
            nothing = f"{self._cluster} is up to date: its indices have version {SCHEMA_VERSION}"
            return Todo(steps, nothing, question, warnings=tuple(warnings))

    def sync(self, choice: Choice, progress: Progress) -> list[str]:
        with self._client() as client:
            may = flow.Permissions(copies=True, loses=choice.erases)
            self._plans(client, choice)
            result = flow.make_present(client, self._wanted(choice), may, progress=progress)
            return [sentence for report in result.indices for sentence in _done(report)]

    def to_update_settings(self, choice: Choice) -> Todo:
        if self._replicas is None:
            return Todo((), "number_of_replicas in [elasticsearch] of the configuration file is not set")
        with self._client() as client:
            plans = [todo for todo in self._settings_plans(client, choice) if todo.setting_differences]
            steps = tuple(f"{todo.state.name}: {_change(one)}" for todo in plans for one in todo.setting_differences)
            warnings = self._replica_warnings(client, plans)
            question = "Continue?" if warnings else None
            nothing = f"all indices of {self._cluster} have {self._replicas} replicas"
            return Todo(steps, nothing, question, warnings=tuple(warnings))

    def update_settings(self, choice: Choice) -> list[str]:
        with self._client() as client:
            done = []
            for todo in self._settings_plans(client, choice):
                if todo.setting_differences:
                    ensure.carry_out(client, todo, may_copy=False)
                    done += [f"{todo.state.name}: {_change(one, was='was')}" for one in todo.setting_differences]
            return done

    def to_remove(self, choice: Choice) -> Todo:
        with self._client() as client:
            plans = [todo for todo in self._plans(client, choice) if ensure.removable(todo.state)]
            names = [name for todo in plans for name in ensure.removable(todo.state)]
            if not names:
                return Todo((), f"there is no store at {self._cluster}")
            what = f"{self._cluster} with {counted(_counts(plans))}"
            return Todo(
                tuple(f"{name} would be removed" for name in names),
                "",
                f"Remove {what}? Nothing brings them back.",
                "nothing was removed",
            )

    def remove(self, choice: Choice) -> list[str]:
        with self._client() as client:
            self._plans(client, choice)
            names = [wanted.name for wanted in self._wanted(choice)]
            result = flow.make_absent(client, names, flow.Permissions(loses=True))
            return [f"{name} was removed" for report in result.indices for name in report["removed"]]

    def to_prune(self, choice: Choice) -> Todo:
        with self._client() as client:
            old = [
                name
                for todo in self._plans(client, choice)
                if todo.state.index is not None
                for name in todo.state.earlier
            ]
            nothing = f"{self._cluster} has no index to prune"
            steps = tuple(f"{name} with {client.count(name):,} documents would be removed" for name in old)
            return Todo(
                steps, nothing, f"Remove {', '.join(old)}, which newer indices have replaced?", "nothing was removed"
            )

    def prune(self, choice: Choice) -> list[str]:
        with self._client() as client:
            states = [todo.state for todo in self._plans(client, choice)]
            return [f"{name} was removed" for state in states for name in ensure.prune(client, state)]

    def to_roll_back(self, choice: Choice) -> Todo:
        with self._client() as client:
            steps = tuple(
                f"{_left(todo.state)} would be undone" for todo in self._plans(client, choice) if _left(todo.state)
            )
            return Todo(steps, f"no copy was left unfinished in {self._cluster}")

    def roll_back(self, choice: Choice) -> list[str]:
        with self._client() as client:
            done = []
            for todo in self._plans(client, choice):
                left = _left(todo.state)
                if left and migration.roll_back(client, todo.state):
                    done.append(f"{left} was undone; {todo.state.name} can be written again")
            return done

    def _wanted(self, choice: Choice) -> list[Wanted]:
        said = {} if self._replicas is None else {"index.number_of_replicas": self._replicas}
        return flow.own_desired_indices(self._cluster.prefix, choice.kinds, said)

    def _plans(self, client: SearchClient, choice: Choice) -> list[Plan]:
        """The plan for each index. Raises StoreError for indices of other programs, and of later versions."""
        plans = [ensure.plan(client, wanted) for wanted in self._wanted(choice)]
        for todo in plans:
            index = todo.state.index
            if index is None:
                continue
            if index.meta.get("managed_by") != "freezer.backup":
                raise StoreError(
                    f"{todo.state.name} in {self._cluster} is an index of another program; name another prefix"
                )
            version = index.meta.get("schema_version")
            if isinstance(version, int) and version > SCHEMA_VERSION:
                raise StoreError(
                    f"{todo.state.name} was made by a later freezer-api: it has version {version}, and this program knows "
                    f"{SCHEMA_VERSION}"
                )
        return plans

    def _settings_plans(self, client: SearchClient, choice: Choice) -> list[Plan]:
        self._plans(client, choice)
        said = {"index.number_of_replicas": self._replicas}
        plans = [ensure.plan(client, Wanted(wanted.name, settings=said)) for wanted in self._wanted(choice)]
        missing = [todo.state.name for todo in plans if todo.state.index is None]
        if missing:
            raise StoreError(f"there is no index {missing[0]}; make the indices with freezer-manage db sync")
        return plans

    def _replica_warnings(self, client: SearchClient, plans: Sequence[Plan]) -> list[str]:
        changed = [
            todo for todo in plans if todo.creates or any("replicas" in one.path for one in todo.setting_differences)
        ]
        if self._replicas is None or not changed:
            return []
        warning = flow.replica_warning(self._replicas, client.data_nodes())
        return [warning] if warning else []

    def _client(self) -> AbstractContextManager[SearchClient]:
        return search_client(self._cluster)


@contextmanager
def search_client(cluster: Cluster) -> Iterator[SearchClient]:
    """A client of a cluster; its errors are raised as StoreError."""
    client = SearchClient(
        cluster.urls,
        cluster.username,
        cluster.password,
        cluster.api_key,
        Tls(ca_file=str(cluster.ca_file) if cluster.ca_file else None),
        max(cluster.timeout_seconds, _LEAST_TIMEOUT_SECONDS),
    )
    try:
        yield client
    except FreezerError as error:
        raise StoreError(str(error).rstrip(".")) from error
    finally:
        client.close()


def _counts(plans: Sequence[Plan]) -> Mapping[str, int]:
    kinds = {plural: kind for kind, plural in PLURALS.items()}
    counts: dict[str, int] = {}
    for todo in plans:
        kind = kinds.get(todo.state.name.rpartition("-")[2])
        if kind is not None:
            counts[kind] = todo.state.documents
    return counts


def _left(state: State) -> str | None:
    """What an earlier run that has not finished has left, None if nothing."""
    if state.unfinished is not None:
        return f"the unfinished copy {state.unfinished.name}"
    if state.index is not None and state.index.replaced_by is not None:
        return f"the rest of the copy {state.index.replaced_by}"
    return None


def _shown(todo: Plan) -> list[str]:
    state = todo.state
    if state.index is None:
        return [f"{state.name}  does not exist; freezer-manage db sync makes it"]
    replicas = state.index.settings.get("index.number_of_replicas")
    version = state.index.meta.get("schema_version")
    is_behind = todo.changes and not _left(state)
    what = "not up to date (run freezer-manage db update)" if is_behind else "up to date"
    lines = [
        f"{state.name}  {state.index.name}, version {version}, {what}; {state.documents:,} documents, {replicas} replicas"
    ]
    left = _left(state)
    if left:
        lines.append(f"    {left}: db sync continues it, db rollback undoes it")
    if state.index.refuses_writes:
        lines.append("    it refuses writes")
    lines += [f"    {name} was replaced; db prune removes it" for name in state.earlier]
    return lines


def _step(todo: Plan) -> str:
    name = todo.state.name
    if todo.creates:
        return f"{name} would be made"
    if todo.copy_reasons:
        return (
            f"{name} would be copied to a new index, {todo.state.documents:,} documents: {'; '.join(todo.copy_reasons)}"
        )
    changes = [one.sentence() for one in todo.differences if one.what != "extra"]
    changes += [_change(one) for one in todo.setting_differences]
    if todo.leftover:
        changes.append(f"the unfinished copy {todo.leftover} would be undone")
    if todo.is_half_finished:
        changes.append("the note of its copy would be removed")
    return f"{name}: {'; '.join(changes)}"


def _change(one: Any, was: str = "would be") -> str:
    return f"{one.path} {was} changed from {one.before} to {one.after}"


def _done(report: Mapping[str, Any]) -> Iterator[str]:
    name, outcome = report["name"], report["outcome"]
    if outcome == "created":
        yield f"{name} was made"
    elif outcome == "copied":
        yield (
            f"{name} was copied to {report['index']}, {report['copied_documents']:,} documents; the old index is kept until "
            "freezer-manage db prune"
        )
        for lost in report["left_out"]:
            yield f"{name}: the document {lost['id']} did not fit and was left out: {lost['reason']}"
    elif outcome == "changed":
        yield f"{name} was brought up to date"
