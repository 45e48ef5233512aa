# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The Elasticsearch store: any number of machines with freezer-api on one cluster.

A document is one document of Elasticsearch, in the index of its kind, under its project and its id; its JSON text comes
back byte for byte. A write names the state that it was made from. Lists show everything that was written before: a search
refreshes its index first, so that no write has to wait for that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.own_mappings import (
    PLURALS,
    SCHEMA_VERSION,
    TRANSACTIONS,
    own_indices,
)

from ...config.cluster import Cluster
from ..base import ALL_OWNERS, CLIENT_PATHS, Change, Owner, Scope, Store, Stored
from ..errors import ConflictError, DocumentTooLargeError, StoreBusyError, StoreSchemaError
from ..query import EVERYTHING, FieldMatches, Query
from ..values import as_object, as_text
from .bulk import BulkWriter
from .changes import ElasticStored
from .connection import Connection, Found, found_in
from .fields import READ_FIELDS, document_key
from .pages import Pages
from .search import Question, question
from .transactions import Transactions, settled

_WHOLE = ("*",)
#: Documents with a pending change of several documents.
_UNSETTLED = {"query": {"exists": {"field": "transaction"}}, "size": 1000, "seq_no_primary_term": True}
_ATTEMPTS = 40
_CLEANING_SECONDS = 3600.0


class ElasticStore(Store):
    """Documents in the indices of a cluster that ``freezer-manage db sync`` has made.

    Raises StoreSchemaError if they do not exist or have another version than this program needs. A cluster that does not
    answer is an error of the first request only.
    """

    def __init__(self, cluster: Cluster, *, max_document_bytes: int = 1_048_576) -> None:
        self.cluster = cluster
        self._connection = Connection(cluster)
        self._aliases = {kind: f"{cluster.prefix}-{plural}" for kind, plural in PLURALS.items()}
        self._transactions = Transactions(self._connection, f"{cluster.prefix}-{TRANSACTIONS}")
        self._pages = Pages(self._search_settled)
        self._writer = BulkWriter(self._connection, self._transactions, self._aliases, self._settle, max_document_bytes)
        self._is_known_good = False
        self._cleaned_at = time.monotonic()

    def get(self, kind: str, document_id: str, scope: Scope) -> Stored | None:
        project_id = scope.project_id or scope.home_project_id
        if project_id is not None:
            found = self._current(kind, document_key(project_id, document_id))
            if found is not None and scope.user_id in (None, found.owner.user_id) and self._is_of_client(found, scope):
                return found
            if scope.project_id is not None:
                return None
        only = Query(
            match=(FieldMatches(("client", "client_id") if kind == "client" else (f"{kind}_id",), document_id),)
        )
        return next(iter(self.search(kind, scope, only, 1)), None)

    def search(
        self, kind: str, scope: Scope, query: Query = EVERYTHING, limit: int = 10, offset: int = 0
    ) -> list[Stored]:
        return list(self.stream(kind, scope, query, limit, offset))

    def stream(
        self, kind: str, scope: Scope, query: Query = EVERYTHING, limit: int = 10, offset: int = 0
    ) -> Iterator[Stored]:
        asked = self._question(kind, scope, query)
        if asked.is_exact:
            for found in self._pages.page(self._aliases[kind], asked.query, limit, offset):
                yield _stored(kind, found)
        else:
            yield from islice(self._met(kind, asked), offset, offset + limit)

    def every(self, kind: str) -> Iterator[Stored]:
        for found in self._pages.every(self._aliases[kind], question(kind, ALL_OWNERS, EVERYTHING).query):
            yield _stored(kind, found)

    def state(self, kind: str, scope: Scope) -> str:
        query = self._question(kind, scope, EVERYTHING).query
        # The last write, and the number of documents: a deletion changes the number.
        last = {
            "query": query,
            "size": 1,
            "sort": [{"_seq_no": "desc"}],
            "track_total_hits": False,
            "_source": ["order", "version"],
        }
        count = {"query": query, "size": 0, "track_total_hits": True}
        alias = self._aliases[kind]
        answers = self._checked().search([(alias, last), (alias, count)])
        hits = answers[0]["hits"]["hits"]
        total = answers[1]["hits"]["total"]["value"]
        if not hits:
            return f"{total}"
        source = hits[0]["_source"]
        if scope.client_id is not None:
            # The sequence number counts writes of other clients too.
            return f"{total}-{source['order']}-{source['version']}"
        return f"{total}-{hits[0]['sort'][0]}-{source['order']}-{source['version']}"

    def apply(self, changes: Sequence[Change]) -> list[int]:
        result = self.apply_each([changes])[0]
        if isinstance(result, Exception):
            raise result
        return result

    def apply_each(self, groups: Sequence[Sequence[Change]]) -> list[list[int] | ConflictError | DocumentTooLargeError]:
        self._checked()
        return self._writer.apply(groups)

    def counts(self) -> Mapping[str, int]:
        body = {"query": question("job", Scope(), EVERYTHING).query, "size": 0, "track_total_hits": True}
        answers = self._checked().search([(alias, body) for alias in self._aliases.values()])
        totals = {kind: answer["hits"]["total"]["value"] for kind, answer in zip(self._aliases, answers, strict=True)}
        return {kind: total for kind, total in totals.items() if total}

    def check(self) -> None:
        self._checked().search([(alias, {"size": 0, "track_total_hits": False}) for alias in self._aliases.values()])

    def check_schema(self) -> None:
        """Check the versions of the indices. Raises StoreSchemaError, StoreUnreachableError."""
        mappings = self._connection.mappings(f"{self.cluster.prefix}-*")
        for index in own_indices():
            alias = index.alias(self.cluster.prefix)
            if alias not in mappings:
                raise StoreSchemaError(
                    f"{self.cluster} has no index {alias}; make the indices with freezer-manage db sync"
                )
            meta = mappings[alias].get("_meta", {})
            version = meta.get("schema_version")
            if meta.get("managed_by") != "freezer.backup" or not isinstance(version, int):
                raise StoreSchemaError(f"{alias} in {self.cluster} is an index of another program; name another prefix")
            if version < SCHEMA_VERSION:
                raise StoreSchemaError(
                    f"{alias} has the schema version {version}, and this program needs {SCHEMA_VERSION}; bring it up to "
                    "date with freezer-manage db update"
                )
            if version > SCHEMA_VERSION:
                raise StoreSchemaError(
                    f"{alias} has the schema version {version}, of a later freezer-api; this program knows {SCHEMA_VERSION}"
                )
        self._is_known_good = True

    def close(self) -> None:
        self._connection.close()

    def _checked(self) -> Connection:
        """The connection, after a check of the indices."""
        if not self._is_known_good:
            self.check_schema()
        if time.monotonic() - self._cleaned_at > _CLEANING_SECONDS:
            self._cleaned_at = time.monotonic()
            for alias in self._aliases.values():
                self._search_settled(alias, {"size": 0})
            self._transactions.forget_old()
        return self._connection

    # Reading

    def _question(self, kind: str, scope: Scope, query: Query) -> Question:
        """The question for a query; the sessions of a client are those of its jobs."""
        if kind != "session" or scope.client_id is None:
            return question(kind, scope, query)
        jobs = self._pages.every(self._aliases["job"], question("job", scope, EVERYTHING).query)
        named = {as_text(_stored("job", found).document.get("session_id")) for found in jobs}
        return question(kind, scope, query, only_ids=sorted(name for name in named if name))

    def _is_of_client(self, found: Stored, scope: Scope) -> bool:
        """Whether a document belongs to the client of a scope, or the scope has none."""
        if scope.client_id is None:
            return True
        if found.kind == "session":
            in_it = Query(match=(FieldMatches(("session_id",), found.id),))
            return bool(self.search("job", scope, in_it, 1))
        value: Any = found.document
        for key in CLIENT_PATHS.get(found.kind, ("",)):
            value = as_object(value).get(key)
        return bool(value == scope.client_id)

    def _current(self, kind: str, key: str) -> ElasticStored | None:
        """The current state of a document."""
        for _attempt in range(_ATTEMPTS):
            found = self._checked().get([(self._aliases[kind], key)], READ_FIELDS)[0]
            if found is None or not self._settle(found):
                return None if found is None or "is_absent" in found.source else _stored(kind, found)
        raise StoreBusyError("too many callers change this document at once; try again")

    def _met(self, kind: str, asked: Question) -> Iterator[Stored]:
        for found in self._pages.every(self._aliases[kind], asked.query):
            stored = _stored(kind, found)
            if asked.is_met_by(stored.document):
                yield stored

    def _search_settled(self, alias: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a search, after all decided changes are written."""
        for _attempt in range(_ATTEMPTS):
            answer, unsettled = self._checked().search([(alias, body), (alias, _UNSETTLED)])
            # All of them: any() would stop at the first.
            is_settled = [self._settle(found_in(hit)) for hit in unsettled["hits"]["hits"]]
            if not any(is_settled):
                return answer
        raise StoreBusyError("too many callers change documents at once; try again")

    def _settle(self, found: Found) -> bool:
        """Write the decision about a document with a note; whether there was one."""
        transaction = found.source.get("transaction")
        if transaction is None:
            return False
        outcome = self._transactions.outcome(transaction, found.source["next"]["since_ms"])
        if outcome is None:
            return False
        # All fields are needed, because the document is written again as a whole.
        whole = self._connection.get([(found.index, found.key)], _WHOLE)[0]
        if whole is not None and whole.source.get("transaction") == transaction:
            self._connection.write([settled(whole, outcome)])
        return True


def _stored(kind: str, found: Found) -> ElasticStored:
    source = found.source
    return ElasticStored(
        kind,
        source["id"],
        Owner(source["user_id"], source["project_id"]),
        source["version"],
        f"{source['order']}-{source['version']}",
        source["body"],
        found=found,
        is_locked="transaction" in source,
    )
