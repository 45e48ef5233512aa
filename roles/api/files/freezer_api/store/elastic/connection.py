# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Requests to Elasticsearch, their answers and errors.

A write leaves a token of its own in the document. If its answer is lost, because a node dies after the write, the write
is repeated; if it is refused then, the token in the document tells whether it was made the first time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import elastic_transport
import elasticsearch

from ...config.cluster import Cluster
from ..errors import StoreBusyError, StoreError, StoreFullError, StoreSchemaError, StoreUnreachableError

T = TypeVar("T")

#: The limit of one bulk request; Elasticsearch allows 100 MiB.
_BULK_BYTES = 16 * 2**20
_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
#: Statuses after which a retry can succeed.
_PASSING = (429, 502, 503, 504)

# It logs every request, and every failed one as a warning; the API logs errors itself.
logging.getLogger("elastic_transport").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Found:
    """A document as an index has it; ``seq_no`` and ``primary_term`` are its state."""

    index: str
    key: str
    seq_no: int
    primary_term: int
    source: Mapping[str, Any]


@dataclass(frozen=True)
class Write:
    """One document to be written, or with ``source`` None to be deleted.

    ``expected`` is the state that it must be in; without it, it must not exist. ``index`` is an alias for one that must
    not exist, else the index in which it was found: its state says nothing about any other.
    """

    index: str
    key: str
    source: Mapping[str, Any] | None
    expected: Found | None = None


@dataclass(frozen=True)
class Written:
    """The result of a write: whether it was made, and then its index and the new state."""

    is_made: bool
    index: str = ""
    seq_no: int = -1
    primary_term: int = -1


class Connection:
    """The requests of one process to a cluster; for any number of threads. All raise StoreError."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        given: dict[str, Any] = {}
        if cluster.username is not None and cluster.password is not None:
            given["basic_auth"] = (cluster.username, cluster.password)
        if cluster.api_key is not None:
            given["api_key"] = cluster.api_key
        if cluster.ca_file is not None:
            given["ca_certs"] = str(cluster.ca_file)
        self._client = elasticsearch.Elasticsearch(
            list(cluster.urls),
            request_timeout=cluster.timeout_seconds,
            # Writes are repeated below, where the token tells whether they were made.
            max_retries=0,
            # A node that comes back is used again soon.
            dead_node_backoff_factor=0.5,
            max_dead_node_backoff=5,
            **given,
        )
        self._reading = self._client.options(max_retries=len(cluster.urls) + 1)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, wanted: Sequence[tuple[str, str]], source: Sequence[str]) -> list[Found | None]:
        """Documents by index and key as they are now, with some of their fields."""
        documents = [{"_index": index, "_id": key} for index, key in wanted]
        answer = self._read(lambda client: client.mget(docs=documents, source_includes=list(source)))
        return [self._found(item) for item in answer["docs"]]

    def search(self, searches: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
        """The answers to several searches, each an index and a body, after a refresh of the indices."""
        indices = sorted({index for index, _body in searches})
        self._read(lambda client: _whole(client.indices.refresh(index=indices)))
        # The same copy for all of them: one can be ahead of another.
        lines = [line for index, body in searches for line in ({"index": index, "preference": "freezer-api"}, body)]

        def ask(client: elasticsearch.Elasticsearch) -> Any:
            answered = client.msearch(searches=lines)
            for answer in answered["responses"]:
                if "error" in answer:
                    raise self._error(answer["status"], answer["error"])
                _whole(answer)
            return answered

        answers: list[Mapping[str, Any]] = self._read(ask)["responses"]
        return answers

    def mappings(self, aliases: str) -> Mapping[str, Any]:
        """The mappings of the indices behind aliases that match a pattern, by alias."""
        answer = self._read(lambda client: client.indices.get(index=aliases))
        return {alias: index["mappings"] for index in answer.values() for alias in index["aliases"]}

    def write(self, writes: Sequence[Write]) -> list[Written]:
        """Make those of the writes that can be made. Raises StoreError if the result of any is unknown."""
        results: list[Written] = []
        for chunk in _chunks(writes):
            results += self._write_chunk(chunk)
        return results

    def _write_chunk(self, writes: Sequence[Write]) -> list[Written]:
        results: dict[int, Written] = {}
        refused: list[int] = []
        waiting = list(range(len(writes)))
        give_up_at = time.monotonic() + self.cluster.timeout_seconds
        attempt = 0
        while waiting:
            problem: StoreError | None = None
            try:
                items = self._bulk([writes[number] for number in waiting])
            except StoreUnreachableError as error:
                items, problem = [], error
            again = waiting if problem else []
            for number, item in zip(waiting, items, strict=not problem):
                status = item["status"]
                if status < 300:
                    results[number] = Written(True, item["_index"], item["_seq_no"], item["_primary_term"])
                elif status == 409 or (status == 404 and writes[number].expected is not None):
                    refused.append(number)
                else:
                    problem = self._error(status, item["error"])
                    if not _passes(status, problem):
                        raise problem
                    again.append(number)
            waiting = again
            if problem is not None and waiting:
                if time.monotonic() > give_up_at:
                    raise problem
                time.sleep(_PAUSES_SECONDS[min(attempt, len(_PAUSES_SECONDS) - 1)])
                attempt += 1
        results.update(self._already_made(writes, refused))
        return [results[number] for number in range(len(writes))]

    def _bulk(self, writes: Sequence[Write]) -> list[Mapping[str, Any]]:
        lines: list[Mapping[str, Any]] = []
        for write in writes:
            target: dict[str, Any] = {"_index": write.index, "_id": write.key}
            if write.expected is None:
                lines += [{"create": {**target, "require_alias": True}}, write.source or {}]
                continue
            target |= {"if_seq_no": write.expected.seq_no, "if_primary_term": write.expected.primary_term}
            lines += [{"delete": target}] if write.source is None else [{"index": target}, write.source]
        timeout = f"{self.cluster.timeout_seconds}s"
        # Longer than the timeout after which a node reports an unassigned shard.
        client = self._client.options(request_timeout=self.cluster.timeout_seconds + 5)
        answer = self._ask(lambda: client.bulk(operations=lines, timeout=timeout))
        return [next(iter(item.values())) for item in answer["items"]]

    def _already_made(self, writes: Sequence[Write], refused: Sequence[int]) -> dict[int, Written]:
        """The results of writes that were refused: a lost answer may mean that they were made before."""
        if not refused:
            return {}
        found = self.get([(writes[number].index, writes[number].key) for number in refused], ["write"])
        results = {}
        for number, now in zip(refused, found, strict=True):
            source = writes[number].source
            if source is None:
                results[number] = Written(now is None)
            elif now is not None and "write" in source and now.source.get("write") == source["write"]:
                results[number] = Written(True, now.index, now.seq_no, now.primary_term)
            else:
                results[number] = Written(False)
        return results

    def _read(self, ask: Callable[[elasticsearch.Elasticsearch], T]) -> Any:
        give_up_at = time.monotonic() + self.cluster.timeout_seconds
        attempt = 0
        while True:
            try:
                return self._ask(lambda: ask(self._reading))
            except (StoreUnreachableError, StoreBusyError):
                # A node may be being replaced, which takes a short time.
                if time.monotonic() > give_up_at:
                    raise
            time.sleep(_PAUSES_SECONDS[min(attempt, len(_PAUSES_SECONDS) - 1)])
            attempt += 1

    def _ask(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask().body
        except elasticsearch.UnsupportedProductError as error:
            raise StoreSchemaError(f"what answers at {self.cluster} is no Elasticsearch 8 or 9") from error
        except elasticsearch.ApiError as error:
            body = error.body if isinstance(error.body, Mapping) else {}
            raise self._error(error.meta.status, body.get("error", body)) from error
        except elastic_transport.TlsError as error:
            raise StoreUnreachableError(
                f"{self.cluster} has a certificate that is not trusted: {_reason(error)}"
            ) from error
        except elastic_transport.ConnectionTimeout as error:
            seconds = self.cluster.timeout_seconds
            raise StoreUnreachableError(f"{self.cluster} has not answered in {seconds} seconds") from error
        except elastic_transport.TransportError as error:
            raise StoreUnreachableError(f"{self.cluster} does not answer: {_reason(error)}") from error

    def _found(self, item: Mapping[str, Any]) -> Found | None:
        if "error" in item:
            raise self._error(404 if "not_found" in str(item["error"].get("type")) else 503, item["error"])
        if not item.get("found"):
            return None
        return found_in(item)

    def _error(self, status: int, error: Any) -> StoreError:
        """The StoreError for an error of Elasticsearch."""
        kind, reason = _told(error)
        if kind == "index_not_found_exception" or "require_alias" in reason:
            return StoreSchemaError(
                f"{self.cluster} has no indices of freezer-api, or not all; make them with freezer-manage db sync"
            )
        if kind == "cluster_block_exception":
            if status == 429 or "flood" in reason or "read-only" in reason:
                return StoreFullError(
                    "the disk of a node of Elasticsearch is too full, or the index was made read-only; documents can be "
                    "read but not written"
                )
            if "no master" in reason or "not recovered" in reason:
                return StoreUnreachableError("Elasticsearch has no master now; try again")
            return StoreBusyError("documents cannot be written while their index is migrated; try again")
        if status == 429:
            return StoreBusyError("Elasticsearch is overloaded; try again")
        if status in (401, 403):
            return StoreError(f"Elasticsearch refuses the credentials of freezer-api, or does not allow this: {reason}")
        if status in _PASSING or kind in ("master_not_discovered_exception", "no_shard_available_action_exception"):
            return StoreUnreachableError(f"a part of Elasticsearch does not answer now: {reason}")
        return StoreError(f"Elasticsearch refuses a request: {status} {kind} {reason}")


def found_in(hit: Mapping[str, Any]) -> Found:
    """The document in a hit of a search, or in the answer to a get."""
    return Found(hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], hit.get("_source", {}))


def _whole(answer: Any) -> Any:
    """An answer of all shards. Raises StoreUnreachableError if one has failed."""
    shards = answer["_shards"]
    if shards["failed"] or not shards["successful"]:
        raise StoreUnreachableError("a part of Elasticsearch does not answer now; try again")
    return answer


def _passes(status: int, problem: StoreError) -> bool:
    return status in _PASSING and not isinstance(problem, (StoreFullError, StoreSchemaError))


def _told(error: Any) -> tuple[str, str]:
    """The type of an error, and its most specific reason."""
    if not isinstance(error, Mapping):
        return "", str(error)[:500]
    causes = error.get("root_cause") or [error]
    cause = causes[0] if causes[0].get("reason") else error
    kind = str(cause.get("type") or error.get("type") or "")
    return kind, str(cause.get("reason") or error.get("reason") or kind)[:500]


def _reason(error: Exception) -> str:
    return str(getattr(error, "message", error))[:300]


def _chunks(writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
    start = size = 0
    for number, write in enumerate(writes):
        length = 3 * len((write.source or {}).get("body", "")) + 1000
        if size and size + length > _BULK_BYTES:
            yield writes[start:number]
            start, size = number, 0
        size += length
    if writes:
        yield writes[start:]
