# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Indices on real servers, each test with names of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.client import SearchClient

#: The fixtures of all servers that indices are looked after on.
SERVERS = ("elasticsearch", "elasticsearch_8", "opensearch")


@pytest.fixture
def client(elasticsearch) -> Iterator[SearchClient]:
    """The client of an Elasticsearch 9."""
    made = SearchClient(elasticsearch.urls)
    yield made
    made.close()


@pytest.fixture(params=SERVERS)
def any_client(request) -> Iterator[SearchClient]:
    """The client of each server in turn."""
    made = SearchClient(request.getfixturevalue(request.param).urls)
    yield made
    made.close()


def fill(client: SearchClient, alias: str, documents: dict[str, Any]) -> None:
    """Write documents by their ids."""
    operations = [({"index": {"_id": name}}, document) for name, document in documents.items()]
    results = client.bulk(alias, operations)
    assert {result["status"] for result in results} <= {200, 201}, results
    client.refresh(alias)


def contents(client: SearchClient, name: str) -> dict[str, Any]:
    """All documents behind a name, by their ids."""
    client.refresh(name)
    index = next(iter(client.request("GET", f"/{name}/_settings?flat_settings=true").document.items()))
    shards = int(index[1]["settings"]["index.number_of_shards"])
    found: dict[str, Any] = {}
    for hits in client.documents(index[0], shards):
        for hit in hits:
            assert hit["_id"] not in found, "there twice"
            found[hit["_id"]] = hit["_source"]
    return found
