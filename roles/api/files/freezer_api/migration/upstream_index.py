# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The index of an old Freezer as a source of documents."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.client import SearchClient
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.own_mappings import own_indices
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.state import Index, look_at

from ..config.cluster import Cluster
from ..store.elastic.administration import search_client
from ..store.errors import StoreError
from .copying import Item, Rejection, Source
from .upstream import Rejected, convert, kind_of


class UpstreamIndex(Source):
    """The index that has the prefix of a cluster as its name. Raises StoreError if there is none.

    ``project_id`` is for documents without a project.
    """

    def __init__(self, cluster: Cluster, project_id: str | None) -> None:
        self._cluster = cluster
        self._project_id = project_id
        self.name = str(cluster)
        with search_client(cluster) as client:
            self._index = _index(client, cluster)
            client.refresh(self._index.name)

    def total(self) -> int:
        with search_client(self._cluster) as client:
            return client.count(self._index.name)

    def items(self) -> Iterator[Item | Rejection]:
        with search_client(self._cluster) as client:
            for hits in client.documents(self._index.name, self._index.shards):
                for hit in hits:
                    yield self._item(hit["_id"], hit.get("_source"))

    def _item(self, hit_id: str, source: object) -> Item | Rejection:
        try:
            converted = convert(hit_id, source, self._project_id)
        except Rejected as reason:
            return Rejection(kind_of(source) if isinstance(source, dict) else None, hit_id, str(reason))
        return Item(converted.kind, converted.id, converted.owner, converted.document, len(repr(source)))


def is_upstream(cluster: Cluster) -> bool:
    """Whether there is an index with the prefix as its name, and none of this API's. Raises StoreError."""
    with search_client(cluster) as client:
        if any(look_at(client, own.alias(cluster.prefix)).index is not None for own in own_indices()):
            return False
        return look_at(client, cluster.prefix).index is not None


def _index(client: SearchClient, cluster: Cluster) -> Index:
    index = look_at(client, cluster.prefix).index
    if index is None:
        raise StoreError(f"there is no index {cluster.prefix} at {cluster}")
    return index
