# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The servers of tests/labs/elasticsearch, as tests ask them: over plain HTTP, without a client library."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.own_mappings import own_indices

from . import labs

_VARIABLES = {
    "single": "FREEZER_TEST_ELASTICSEARCH_URL",
    "eight": "FREEZER_TEST_ELASTICSEARCH_8_URL",
    "three": "FREEZER_TEST_ELASTICSEARCH_THREE_URLS",
    "secure": "FREEZER_TEST_ELASTICSEARCH_SECURE",
    "bench": "FREEZER_TEST_ELASTICSEARCH_BENCH_URL",
    "opensearch": "FREEZER_TEST_OPENSEARCH_URL",
}

#: Those that this process has asked for, where what tests leave is deleted.
_STARTED: dict[str, Server] = {}


class ServerError(Exception):
    """A server refused what a test asked; ``status`` and ``body`` are its answer."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Server:
    """A cluster; ``urls`` are those of its nodes. ``user``, ``password`` and ``ca_file`` are those of a secure one."""

    urls: tuple[str, ...]
    user: str | None = None
    password: str | None = None
    ca_file: Path | None = None

    @property
    def url(self) -> str:
        """The URL of the first node."""
        return self.urls[0]

    def store_url(self, prefix: str) -> str:
        """How freezer-api names a store in this cluster."""
        scheme, _separator, _rest = self.url.partition("://")
        return f"elasticsearch+{scheme}://{','.join(url.partition('://')[2] for url in self.urls)}/{prefix}"

    def ask(self, method: str, path: str, body: Any = None, timeout_seconds: float = 60) -> Any:
        """The JSON of the answer of the first node that answers at all. Raises ServerError."""
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.ca_file is not None:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca_file))))
        opener = urllib.request.build_opener(*handlers)
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        problem: Exception | None = None
        for url in self.urls:
            request = urllib.request.Request(f"{url}{path}", data, method=method)
            request.add_header("Content-Type", "application/x-ndjson" if "_bulk" in path else "application/json")
            if self.user is not None:
                token = b64encode(f"{self.user}:{self.password}".encode()).decode()
                request.add_header("Authorization", f"Basic {token}")
            try:
                with opener.open(request, timeout=timeout_seconds) as response:
                    text = response.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                text = error.read()
                raise ServerError(error.code, json.loads(text) if text[:1] == b"{" else text.decode()) from error
            except OSError as error:
                problem = error
        raise AssertionError(f"no node answers {method} {path}: {problem}")

    def indices(self, prefix: str) -> list[str]:
        """The names of all indices that begin so."""
        found = self.ask("GET", f"/_cat/indices/{prefix}*?h=index&format=json&expand_wildcards=all")
        return sorted(row["index"] for row in found)


def start(piece: str = "single") -> Server:
    """A piece of the lab, started if it does not run. Raises LabUnavailable."""
    if piece not in _STARTED:
        address = labs.start("elasticsearch", piece)[_VARIABLES[piece]]
        if piece == "secure":
            facts = json.loads(Path(address).read_text())
            server = Server((facts["url"],), facts["user"], facts["password"], Path(facts["ca_file"]))
        else:
            server = Server(tuple(address.split(",")))
        _STARTED[piece] = server
    return _STARTED[piece]


@contextlib.contextmanager
def alone(piece: str) -> Iterator[Server]:
    """A piece that nobody else's tests break meanwhile; afterwards all of it runs again. Raises LabUnavailable."""
    folder = Path(tempfile.gettempdir()) / f"freezer-lab-{piece}-{os.getuid()}.lock"
    with folder.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = start(piece)
        try:
            yield server
        finally:
            for number in range(len(server.urls)):
                labs.lab("elasticsearch", "unlock-disk", piece, f"n{number + 1}")
            labs.lab("elasticsearch", "up", piece)


def delete_indices(prefix: str) -> None:
    """Delete what a test has left in the servers of this process."""
    for server in _STARTED.values():
        names = server.indices(prefix)
        if names:
            server.ask("DELETE", f"/{','.join(names)}")


def make_store(server: Server, prefix: str, replicas: int = 0) -> str:
    """The indices of a store of freezer-api, empty; its URL."""
    for index in own_indices():
        make_index(server, prefix, index.plural, replicas)
    return server.store_url(prefix)


def make_index(server: Server, prefix: str, plural: str, replicas: int = 0) -> None:
    """One index of a store of freezer-api, empty."""
    index = next(index for index in own_indices() if index.plural == plural)
    aliases = {index.alias(prefix): {"is_write_index": True}}
    settings = {**index.settings, "number_of_replicas": replicas}
    body = {"mappings": index.mapping, "settings": settings, "aliases": aliases}
    server.ask("PUT", f"/{index.alias(prefix)}-v1", body)


def empty_store(server: Server, prefix: str) -> None:
    """Remove all documents of a store."""
    pattern = f"{prefix}-*"
    assert server.ask("POST", f"/{pattern}/_refresh")["_shards"]["failed"] == 0
    # Without this, a busy server leaves indices out and says so in small print.
    path = f"/{pattern}/_search?allow_partial_search_results=false"
    while found := server.ask("GET", path, {"size": 1000, "_source": False})["hits"]["hits"]:
        lines = [json.dumps({"delete": {"_index": hit["_index"], "_id": hit["_id"]}}) for hit in found]
        server.ask("POST", "/_bulk?refresh=true", ("\n".join(lines) + "\n").encode())
