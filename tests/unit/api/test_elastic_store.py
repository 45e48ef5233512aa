# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The Elasticsearch store: the contract of all stores on Elasticsearch 9 and 8, and what is its own."""

from __future__ import annotations

import uuid

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.cluster import parse_cluster
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.elastic import ElasticStore
from ansible_collections.freezer.backup.tests.support import elasticsearch_lab
from ansible_collections.freezer.backup.tests.support.store_contract import StoreContract


def whole_store(server):
    """The URL of a store that several tests use one after the other, and what takes it away again."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    yield server, prefix, elasticsearch_lab.make_store(server, prefix)
    elasticsearch_lab.delete_indices(prefix)


@pytest.fixture(scope="module")
def place_9(elasticsearch):
    yield from whole_store(elasticsearch)


@pytest.fixture(scope="module")
def place_8(elasticsearch_8):
    yield from whole_store(elasticsearch_8)


def opened(place):
    server, prefix, url = place
    elasticsearch_lab.empty_store(server, prefix)
    store = ElasticStore(parse_cluster(url))
    yield store
    store.close()


@pytest.fixture
def store(place_9):
    yield from opened(place_9)


class TestContract(StoreContract):
    """The Elasticsearch store does what every store has to do."""


class TestContractOnElasticsearch8(StoreContract):
    """It does so with the version before, too."""

    @pytest.fixture
    def store(self, place_8):
        yield from opened(place_8)
