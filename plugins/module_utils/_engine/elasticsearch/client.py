# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A small client of Elasticsearch 8 and 9 and of OpenSearch, with the requests for the management of indices.

Plain HTTP and JSON, so that it needs no library, no version of one that fits the server, and no module of the server
that a minimal one lacks (``_reindex``, scripts, ``GET /``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ..http.auth import ApiKey, AuthMethod, HttpBasic, NoAuth
from ..http.connection import Connection, Tls
from ..http.errors import BadAddress, NotFound, Unreachable, Untrusted
from ..http.repeating import RETRIED_STATUSES, RETRIES, TIMEOUT_SECONDS, Answer, back_off_seconds

SERVICE = "Elasticsearch"
#: The size of a page of documents in bytes, approximately.
PAGE_BYTES = 4 * 1024 * 1024
MAX_PAGE_DOCUMENTS = 1000
#: How often documents that the server rejects as busy (429) are sent again.
BULK_ATTEMPTS = 8

_TOO_BUSY = 429


class SearchClient:
    """Elasticsearch at one of ``urls``: the first one that answers; if it fails, the next one.

    Not for use by several threads at once. Every method raises a ``RestError``.
    """

    def __init__(
        self,
        urls: Sequence[str],
        username: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        tls: Tls | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        if not urls:
            raise BadAddress("No address of Elasticsearch is given.")
        auth = _auth_method(username, password, api_key)
        # With several servers the next one is the better second attempt.
        self._connections = [
            Connection(
                url,
                auth,
                tls,
                timeout_seconds,
                retries if len(urls) == 1 else min(retries, 1),
                service=SERVICE,
                retried_statuses=(*RETRIED_STATUSES, _TOO_BUSY),
            )
            for url in urls
        ]

    @property
    def url(self) -> str:
        """The address of the current server."""
        return self._connections[0].url

    def request(
        self,
        method: str,
        path: str,
        document: Any = None,
        repeatable: bool = True,
        lines: Sequence[Any] | None = None,
    ) -> Answer:
        """One request; if it is ``repeatable``, it is sent to one server after the other until one answers."""
        for left in range(len(self._connections) - 1, -1, -1):
            try:
                return self._connections[0].request(method, path, document, repeatable, lines=lines)
            except Untrusted:
                raise
            except Unreachable:
                if not left or not repeatable:
                    raise
                self._connections.append(self._connections.pop(0))
        raise AssertionError("the last server answers or raises")

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def found(self, path: str) -> Any:
        """The answer to a GET, or None if the path does not exist."""
        try:
            return self.request("GET", path).document
        except NotFound:
            return None

    def data_nodes(self) -> int:
        """The number of data nodes."""
        return int(self.request("GET", "/_cluster/health").document["number_of_data_nodes"])

    def create(
        self, index: str, mapping: Mapping[str, Any], settings: Mapping[str, Any], aliases: Sequence[str]
    ) -> None:
        """Make an index together with its aliases."""
        document = {"mappings": mapping, "settings": settings, "aliases": {name: {} for name in aliases}}
        # Sent twice it would be refused the second time.
        self.request("PUT", f"/{_quoted(index)}", document, repeatable=False)

    def delete(self, index: str) -> None:
        """Delete an existing index; never by an alias or a pattern."""
        self.request("DELETE", f"/{_quoted(index)}", repeatable=False)

    def put_mapping(self, index: str, mapping: Mapping[str, Any]) -> None:
        """Merge a mapping into that of an index."""
        self.request("PUT", f"/{_quoted(index)}/_mapping", mapping)

    def put_settings(self, index: str, settings: Mapping[str, Any]) -> None:
        """Change settings of an index; a value of None is the default."""
        self.request("PUT", f"/{_quoted(index)}/_settings", dict(settings))

    def refresh(self, index: str) -> None:
        """Make all writes visible to searches."""
        self.request("POST", f"/{_quoted(index)}/_refresh")

    def count(self, index: str) -> int:
        """The number of documents that searches find."""
        return int(self.request("GET", f"/{_quoted(index)}/_count").document["count"])

    def last_changes(self, index: str) -> dict[str, int]:
        """The sequence number of the last change in each shard; equal numbers mean that nothing was written."""
        shards = self.request("GET", f"/{_quoted(index)}/_stats?level=shards").document["indices"][index]["shards"]
        return {number: max(int(copy["seq_no"]["max_seq_no"]) for copy in copies) for number, copies in shards.items()}

    def change_aliases(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """Change several aliases in one atomic step."""
        self.request("POST", "/_aliases", {"actions": list(actions)}, repeatable=False)

    def documents(self, index: str, shards: int) -> Iterator[list[dict[str, Any]]]:
        """All documents of an index as pages of hits, each with ``_id``, ``_source`` and perhaps ``_routing``.

        Reads each shard in the order of changes, so that every request can be repeated and nothing stays open on the
        server. Documents that are written meanwhile may be missing, and changed ones may be returned twice.
        """
        for shard in range(shards):
            after: list[Any] | None = None
            size = 20
            while True:
                body = {
                    "size": size,
                    "sort": [{"_seq_no": "asc"}],
                    "query": {"match_all": {}},
                    "track_total_hits": False,
                    **({"search_after": after} if after is not None else {}),
                }
                path = f"/{_quoted(index)}/_search?preference=_shards:{shard}&allow_partial_search_results=false"
                hits: list[dict[str, Any]] = self.request("POST", path, body).document["hits"]["hits"]
                if not hits:
                    break
                yield hits
                after = hits[-1]["sort"]
                if len(hits) < size:
                    break
                size = _next_size(hits)

    def bulk(self, alias: str, operations: Sequence[tuple[Mapping[str, Any], Any]]) -> list[dict[str, Any]]:
        """Write many documents, and return the result of each.

        ``alias`` has to be an alias: the server would make a deleted index again. Documents that a busy server rejects are
        sent again.
        """
        results: list[dict[str, Any]] = [{}] * len(operations)
        pending = list(range(len(operations)))
        for attempt in range(BULK_ATTEMPTS):
            lines = [line for number in pending for line in operations[number]]
            path = f"/{_quoted(alias)}/_bulk?require_alias=true"
            items = self.request("POST", path, lines=lines).document["items"]
            for number, item in zip(pending, items):
                (results[number],) = item.values()
            pending = [number for number in pending if results[number]["status"] == _TOO_BUSY]
            if not pending:
                break
            time.sleep(back_off_seconds(attempt))
        return results


def _auth_method(username: str | None, password: str | None, api_key: str | None) -> AuthMethod:
    if api_key:
        if username or password:
            raise BadAddress("Give either an API key, or a user and a password.")
        return ApiKey(api_key)
    if username or password:
        if not (username and password):
            raise BadAddress("A user and a password belong together; one of the two is missing.")
        return HttpBasic(username, password)
    return NoAuth()


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _next_size(hits: Sequence[Mapping[str, Any]]) -> int:
    """The number of documents of the next page, estimated from the sizes in the last one."""
    sampled = hits[:: max(1, len(hits) // 20)]
    mean_bytes = max(1, sum(len(repr(hit)) for hit in sampled) // len(sampled))
    return max(1, min(MAX_PAGE_DOCUMENTS, PAGE_BYTES // mean_bytes))
