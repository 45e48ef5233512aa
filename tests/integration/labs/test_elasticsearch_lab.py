# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The Elasticsearch that other tests build on."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.tests.support import elasticsearch_lab
from ansible_collections.freezer.backup.tests.support.elasticsearch_lab import ServerError


def versions(server):
    return {node["version"].split(".")[0] for node in server.ask("GET", "/_nodes/http")["nodes"].values()}


def test_an_index_keeps_to_its_mapping_and_its_documents_are_found(elasticsearch, index_prefix):
    assert versions(elasticsearch) == {"9"}
    elasticsearch.ask(
        "PUT",
        f"/{index_prefix}-a",
        {"mappings": {"dynamic": "strict", "properties": {"name": {"type": "keyword"}}}},
    )
    elasticsearch.ask("PUT", f"/{index_prefix}-a/_doc/1?refresh=true", {"name": "x"})
    found = elasticsearch.ask("GET", f"/{index_prefix}-a/_search", {"query": {"term": {"name": "x"}}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["1"]
    with pytest.raises(ServerError, match="strict_dynamic_mapping_exception"):
        elasticsearch.ask("PUT", f"/{index_prefix}-a/_doc/2", {"other": 1})


def test_an_index_that_does_not_exist_is_not_made_by_a_write(elasticsearch, index_prefix):
    with pytest.raises(ServerError, match="index_not_found_exception"):
        elasticsearch.ask("PUT", f"/{index_prefix}-b/_doc/1", {})


def test_what_a_test_leaves_is_deleted(elasticsearch, index_prefix):
    elasticsearch.ask("PUT", f"/{index_prefix}-a")
    elasticsearch_lab.delete_indices(index_prefix)
    assert elasticsearch.indices(index_prefix) == []


def test_the_secure_one_refuses_requests_without_a_password(secure_elasticsearch):
    server = secure_elasticsearch
    assert server.url.startswith("https://")
    assert server.ask("GET", "/_cluster/health")["number_of_nodes"] == 1
    with pytest.raises(ServerError) as caught:
        elasticsearch_lab.Server(server.urls, ca_file=server.ca_file).ask("GET", "/_cluster/health")
    assert caught.value.status == 401
