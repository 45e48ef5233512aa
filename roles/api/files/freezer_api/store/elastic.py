# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The Elasticsearch store: any number of machines with freezer-api on one cluster.

A document is one document of Elasticsearch, in the index of its kind, under its project and its id; its JSON text comes
back byte for byte. Whoever writes it names the state that the write was made from. Lists show everything that was
written before: a search makes its index refresh itself first, so that no write has to wait for that.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.search.own_mappings import (
    PLURALS,
    SCHEMA_VERSION,
    TRANSACTIONS,
    own_indices,
)

from .base import EVERYBODY, Change, Delete, Discard, Document, Owner, Replace, Scope, Store, Stored
from .cluster import Cluster
from .elastic_changes import Effect, ElasticStored, Identity, effects_of, identity_of, is_blind
from .elastic_connection import Connection, Found, Write, found_in
from .elastic_fields import searchable
from .elastic_pages import Pages
from .elastic_search import Question, question
from .elastic_transactions import ABORTED, COMMITTED, Transactions, settled, with_note
from .errors import ConflictError, DocumentTooLargeError, StoreBusyError, StoreSchemaError
from .query import EVERYTHING, FieldMatches, Query

_READ = ("body", "id", "project_id", "user_id", "version", "order", "transaction", "next", "is_absent")
_OWN = ("body", "id", "project_id", "user_id", "version", "order", "write")
_WHOLE = ("*",)
#: Documents in the middle of a change of several.
_UNSETTLED = {"query": {"exists": {"field": "transaction"}}, "size": 1000, "seq_no_primary_term": True}
_LONGEST_KEY_BYTES = 512
_ATTEMPTS = 40
_PAUSE_SECONDS = 0.05
_CLEANING_SECONDS = 3600.0

Group = Sequence[Change]
Result = list[int] | ConflictError | DocumentTooLargeError


class ElasticStore(Store):
    """Documents in the indices of a cluster that ``freezer-manage db sync`` has made.

    Raises StoreSchemaError if they are not there or not as this program needs them. A cluster that does not answer is no
    error until it is asked something.
    """

    def __init__(self, cluster: Cluster, *, max_document_bytes: int = 1_048_576) -> None:
        self.cluster = cluster
        self._max_document_bytes = max_document_bytes
        self._connection = Connection(cluster)
        self._aliases = {kind: f"{cluster.prefix}-{plural}" for kind, plural in PLURALS.items()}
        self._transactions = Transactions(self._connection, f"{cluster.prefix}-{TRANSACTIONS}")
        self._pages = Pages(self._search_settled)
        self._clock = _Clock()
        self._is_known_good = False
        self._cleaned_at = time.monotonic()

    def get(self, kind: str, document_id: str, scope: Scope) -> Stored | None:
        project_id = scope.project_id or scope.home_project_id
        if project_id is not None:
            found = self._current(kind, _key(project_id, document_id))
            if found is not None and scope.user_id in (None, found.owner.user_id):
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
        asked = question(kind, scope, query)
        if asked.is_exact:
            return [_stored(kind, found) for found in self._pages.page(self._aliases[kind], asked.query, limit, offset)]
        return list(islice(self._met(kind, asked), offset, offset + limit))

    def every(self, kind: str) -> Iterator[Stored]:
        for found in self._pages.every(self._aliases[kind], question(kind, EVERYBODY, EVERYTHING).query):
            yield _stored(kind, found)

    def state(self, kind: str, scope: Scope) -> str:
        query = question(kind, scope, EVERYTHING).query
        # The last write of all that is there, and how many there are: what was deleted is missing from their number.
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
        return f"{total}-{hits[0]['sort'][0]}-{source['order']}-{source['version']}"

    def apply(self, changes: Sequence[Change]) -> list[int]:
        result = self.apply_each([changes])[0]
        if isinstance(result, Exception):
            raise result
        return result

    def apply_each(self, groups: Sequence[Sequence[Change]]) -> list[list[int] | ConflictError | DocumentTooLargeError]:
        self._checked()
        results: dict[int, Result] = {}
        waiting = dict(enumerate(groups))
        while waiting:
            wave = _apart(waiting)
            results.update(self._apply_wave({number: waiting.pop(number) for number in wave}))
        return [results[number] for number in range(len(groups))]

    def counts(self) -> Mapping[str, int]:
        body = {"query": question("job", Scope(), EVERYTHING).query, "size": 0, "track_total_hits": True}
        answers = self._checked().search([(alias, body) for alias in self._aliases.values()])
        totals = {kind: answer["hits"]["total"]["value"] for kind, answer in zip(self._aliases, answers, strict=True)}
        return {kind: total for kind, total in totals.items() if total}

    def check(self) -> None:
        self._checked().search([(alias, {"size": 0, "track_total_hits": False}) for alias in self._aliases.values()])

    def check_schema(self) -> None:
        """Return if the indices are as this program needs them. Raises StoreSchemaError, StoreUnreachableError."""
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
        """The connection, once it is known that the indices are what they should be."""
        if not self._is_known_good:
            self.check_schema()
        if time.monotonic() - self._cleaned_at > _CLEANING_SECONDS:
            self._cleaned_at = time.monotonic()
            for alias in self._aliases.values():
                self._search_settled(alias, {"size": 0})
            self._transactions.forget_old()
        return self._connection

    # Reading

    def _current(self, kind: str, key: str) -> ElasticStored | None:
        """A document as it is at this moment."""
        for _attempt in range(_ATTEMPTS):
            found = self._checked().get([(self._aliases[kind], key)], _READ)[0]
            if found is None or not self._settle(found):
                return None if found is None or "is_absent" in found.source else _stored(kind, found)
        raise StoreBusyError("too many others change this document; try again")

    def _met(self, kind: str, asked: Question) -> Iterator[Stored]:
        for found in self._pages.every(self._aliases[kind], asked.query):
            stored = _stored(kind, found)
            if asked.is_met_by(stored.document):
                yield stored

    def _search_settled(self, alias: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a search that misses nothing that was decided: what is not written yet is written first."""
        for _attempt in range(_ATTEMPTS):
            answer, unsettled = self._checked().search([(alias, body), (alias, _UNSETTLED)])
            # Each of them, not only the first.
            is_settled = [self._settle(found_in(hit)) for hit in unsettled["hits"]["hits"]]
            if not any(is_settled):
                return answer
        raise StoreBusyError("too many others change documents; try again")

    def _settle(self, found: Found) -> bool:
        """Write what was decided about a document with a note; whether something was decided."""
        transaction = found.source.get("transaction")
        if transaction is None:
            return False
        outcome = self._transactions.outcome(transaction, found.source["next"]["since_ms"])
        if outcome is None:
            return False
        # All of it is written again: a part would lose the rest.
        whole = self._connection.get([(found.index, found.key)], _WHOLE)[0]
        if whole is not None and whole.source.get("transaction") == transaction:
            self._connection.write([settled(whole, outcome)])
        return True

    # Writing

    def _apply_wave(self, groups: Mapping[int, Group]) -> dict[int, Result]:
        """Make groups of changes of which no two concern one document."""
        results: dict[int, Result] = {}
        now = self._states([change for group in groups.values() for change in group if is_blind(change)])
        effects: dict[int, list[Effect]] = {}
        for number, group in groups.items():
            try:
                effects[number], results[number] = effects_of(group, now, self._source)
            except (ConflictError, DocumentTooLargeError) as refusal:
                results[number] = refusal
        refusals = self._make(effects)
        results.update(refusals)
        # Where there was only a place for a document that then did not come, an id is free all the same.
        again = {
            number: groups[number] for number, refusal in refusals.items() if self._is_free(refusal, effects[number])
        }
        return {**results, **self._apply_wave(again)} if again else results

    def _is_free(self, refusal: ConflictError, effects: Sequence[Effect]) -> bool:
        """Whether there is no document after all where one should not have been."""
        if refusal.reason != "exists":
            return False
        kind, project_id, document_id = next(
            effect.identity for effect in effects if effect.identity[::2] == (refusal.kind, refusal.document_id)
        )
        return self._states([Discard(kind, document_id, project_id)]) == {(kind, project_id, document_id): None}

    def _states(self, changes: Sequence[Change]) -> dict[Identity, Found | None]:
        """The documents that changes are about, as they are now, none of them in the middle of another change."""
        identities = list(dict.fromkeys(identity_of(change) for change in changes))
        states: dict[Identity, Found | None] = {}
        for _attempt in range(_ATTEMPTS):
            wanted = [identity for identity in identities if identity not in states]
            if not wanted:
                return states
            keys = [(self._aliases[kind], _key(project_id, name)) for kind, project_id, name in wanted]
            for identity, found in zip(wanted, self._connection.get(keys, _READ), strict=True):
                if found is None or "transaction" not in found.source:
                    states[identity] = found
                else:
                    self._settle(found)
            if len(states) < len(identities):
                time.sleep(_PAUSE_SECONDS)
        raise StoreBusyError("too many others change these documents; try again")

    def _make(self, effects: Mapping[int, list[Effect]]) -> dict[int, ConflictError]:
        """Write what groups come to; the groups that were refused."""
        refusals: dict[int, ConflictError] = {}
        transactions = {number: uuid.uuid4().hex for number, group in effects.items() if len(group) > 1}
        writes: list[tuple[int, Effect, Write]] = []
        for number, group in effects.items():
            for effect in group:
                writes.append((number, effect, self._first_write(effect, transactions.get(number))))
        written = self._connection.write([write for _number, _effect, write in writes])
        prepared: dict[int, list[Found]] = {number: [] for number in transactions}
        for (number, effect, write), item in zip(writes, written, strict=True):
            if not item.is_made:
                refusals.setdefault(number, _refusal(effect))
            elif number in transactions:
                prepared[number].append(
                    Found(item.index, write.key, item.seq_no, item.primary_term, write.source or {})
                )
        if transactions:
            self._finish(transactions, prepared, effects, refusals)
        return refusals

    def _finish(
        self,
        transactions: Mapping[int, str],
        prepared: Mapping[int, list[Found]],
        effects: Mapping[int, list[Effect]],
        refusals: dict[int, ConflictError],
    ) -> None:
        """Decide the changes of several documents that are prepared, and write their documents as decided."""
        ready = [number for number in transactions if number not in refusals]
        records = self._transactions.commit([transactions[number] for number in ready]) if ready else []
        for number, record in zip(ready, records, strict=True):
            if record is None:
                refusals[number] = _refusal(effects[number][0], "changed")
        self._connection.write(
            [
                settled(found, ABORTED if number in refusals else COMMITTED)
                for number, documents in prepared.items()
                for found in documents
            ]
        )
        self._transactions.forget([record for record in records if record is not None])

    def _first_write(self, effect: Effect, transaction: str | None) -> Write:
        kind, project_id, document_id = effect.identity
        key = _key(project_id, document_id)
        index = effect.before.index if effect.before is not None else self._aliases[kind]
        source = effect.source
        if transaction is not None:
            if effect.before is not None:
                now = _completed(kind, effect.before.source)
            else:
                now = {"id": document_id, "project_id": project_id, "key": key, "is_absent": True}
            source = with_note(now, transaction, effect.source)
        return Write(index, key, source, effect.before)

    def _source(self, change: Change, version: int, earlier: Mapping[str, Any] | None) -> dict[str, Any]:
        """The document of Elasticsearch for the new state of a document. Raises DocumentTooLargeError."""
        if isinstance(change, (Delete, Discard)):
            raise TypeError("what is removed has no new state")
        text = json.dumps(change.document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
        if size > self._max_document_bytes:
            raise DocumentTooLargeError(
                f"the document would have {size} bytes; at most {self._max_document_bytes} are kept"
            )
        kind, project_id, document_id = identity_of(change)
        owner = change.stored.owner if isinstance(change, Replace) else change.owner
        own = {
            "id": document_id,
            "project_id": project_id,
            "user_id": owner.user_id if earlier is None else earlier["user_id"],
            "version": version,
            "order": self._clock.next() if earlier is None else earlier["order"],
            "write": uuid.uuid4().hex,
            "body": text,
        }
        return _completed(kind, own, change.document)


class _Clock:
    """Nanoseconds since 1970, never twice the same and never an earlier one."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        with self._lock:
            self._last = max(time.time_ns(), self._last + 1)
            return self._last


def _key(project_id: str, document_id: str) -> str:
    """The ``_id`` of a document, which may have 512 bytes. Ids have no slash in them."""
    key = f"{project_id}/{document_id}"
    if "/" not in project_id and len(key.encode()) <= _LONGEST_KEY_BYTES:
        return key
    return hashlib.sha256(json.dumps([project_id, document_id]).encode()).hexdigest()


def _completed(kind: str, source: Mapping[str, Any], document: Document | None = None) -> dict[str, Any]:
    """The whole document of Elasticsearch for the fields that everything else follows from."""
    return {
        **{field: source[field] for field in _OWN if field in source},
        "key": _key(source["project_id"], source["id"]),
        "stored_at": source["order"] // 1_000_000,
        **searchable(kind, json.loads(source["body"]) if document is None else document),
    }


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


def _refusal(effect: Effect, reason: str | None = None) -> ConflictError:
    kind, _project_id, document_id = effect.identity
    exists = effect.is_creation and effect.before is None
    return ConflictError(kind, document_id, reason or ("exists" if exists else "changed"))


def _apart(groups: Mapping[int, Group]) -> list[int]:
    """The first groups of which no two are about one document; of two that are, the first comes first."""
    chosen: list[int] = []
    taken: set[Identity] = set()
    for number, group in groups.items():
        identities = {identity_of(change) for change in group}
        if taken.isdisjoint(identities):
            chosen.append(number)
        taken |= identities
    return chosen
