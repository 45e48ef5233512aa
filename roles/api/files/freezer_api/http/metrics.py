# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""/metrics: the number and duration of requests and of calls of the store, and the number of documents.

With one worker process the metrics are in its memory. With several they are in files, which each process can add up:
prometheus_client does so if ``PROMETHEUS_MULTIPROC_DIR`` names a folder when it is imported, so it is imported late.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import falcon
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ansible_collections.freezer.backup.plugins.module_utils._engine.version import VERSION

from ..store.base import Store
from ..store.errors import StoreError
from .resources.base import Readable

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Metrics:
    """The metrics of one process, and a page with those of all."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "freezer_api_requests",
            "Requests by route, method and status.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "freezer_api_request_duration_seconds",
            "How long requests took, by route and method.",
            ("route", "method"),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._store_calls = Counter(
            "freezer_api_store_calls",
            "Calls of the store by operation and result: ok, conflict or error.",
            ("call", "outcome"),
            registry=self._registry,
        )
        self._store_seconds = Histogram(
            "freezer_api_store_call_duration_seconds",
            "How long calls of the store took, by operation.",
            ("call",),
            registry=self._registry,
            buckets=_SECONDS,
        )

    def ended(self, request: falcon.Request, response: falcon.Response, seconds: float, sent_bytes: int) -> None:
        """Count a request that was answered."""
        route = request.uri_template or "none"
        method = request.method if request.method in _METHODS else "other"
        self._requests.labels(route, method, str(response.status_code)).inc()
        self._request_seconds.labels(route, method).observe(seconds)

    def store_called(self, call: str, outcome: str, seconds: float) -> None:
        """Count a call of the store."""
        self._store_calls.labels(call, outcome).inc()
        self._store_seconds.labels(call).observe(seconds)

    def page(self, store: Store) -> bytes:
        """All metrics in the format of Prometheus."""
        registry = CollectorRegistry()
        if os.environ.get(FOLDER_VARIABLE):
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry = self._registry
        return generate_latest(registry) + _stock(store)


class MetricsPage(Readable):
    """``/metrics``. The caller is authorized before."""

    def __init__(self, metrics: Metrics, store: Store) -> None:
        self._metrics = metrics
        self._store = store

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Show the metrics."""
        response.content_type = CONTENT_TYPE_LATEST
        response.data = self._metrics.page(self._store)


class _Stock:
    """The gauges, which are read when the page is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Any]:
        version = GaugeMetricFamily("freezer_api_info", "The version that runs.", labels=["version"])
        version.add_metric([VERSION], 1)
        yield version
        readable = GaugeMetricFamily("freezer_api_store_up", "Whether the store can be read.")
        try:
            counts = self._store.counts()
        except StoreError:
            readable.add_metric([], 0)
            yield readable
            return
        readable.add_metric([], 1)
        yield readable
        documents = GaugeMetricFamily("freezer_api_documents", "Documents by kind.", labels=["kind"])
        for kind in ("action", "backup", "client", "job", "session"):
            documents.add_metric([kind], counts.get(kind, 0))
        yield documents


def _stock(store: Store) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Stock(store))
    return generate_latest(registry)


def forget_process(process_id: int) -> None:
    """Keep the counters of a worker process that has ended, and remove its gauges."""
    multiprocess.mark_process_dead(process_id)  # type: ignore[no-untyped-call]
