# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Opening the store of the settings."""

from __future__ import annotations

import logging
from pathlib import Path

from ..config.cluster import Cluster
from ..config.settings import Settings
from .base import Store
from .errors import StoreUnreachableError
from .sqlite.store import SqliteStore

LOG = logging.getLogger("freezer_api")


def open_store(settings: Settings) -> Store:
    """The store of the settings. Raises StoreError."""
    return open_store_at(settings.store, settings.max_body_bytes)


def open_store_at(location: Path | Cluster, max_document_bytes: int) -> Store:
    """The store at a location. Raises StoreError."""
    if isinstance(location, Cluster):
        # Imported here: its library takes half a second.
        from .elastic.store import ElasticStore

        store = ElasticStore(location, max_document_bytes=max_document_bytes)
        try:
            store.check_schema()
        except StoreUnreachableError as error:
            # It may start later than this program, which answers 503 until then.
            LOG.warning("%s", error)
        return store
    return SqliteStore(location, max_document_bytes=max_document_bytes)
