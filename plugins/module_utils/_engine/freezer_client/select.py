# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Look documents up: one by its id, or all that fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ..http.errors import BadAddress
from .collection import Collection, Document
from .ensure import find


def select(
    collection: Collection,
    document_id: str | None = None,
    match: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
    time_after: int | None = None,
    time_before: int | None = None,
    limit: int | None = None,
) -> Iterable[Document]:
    """The document with this id, if there is one; or all that fit, at most ``limit``.

    ``match`` are keys and values that have to be equal, ``search`` is the API's own (``match``, ``match_not``).
    ``time_after`` and ``time_before`` bound the ``time_stamp`` of backups, in seconds since 1970, both included.
    """
    if document_id is not None:
        found = find(collection, {collection.kind.id_key: document_id})
        return [found] if found is not None else []
    if limit is not None and limit < 1:
        raise BadAddress(f"limit is {limit}; it must be at least 1.")
    question: Document = {key: list(value) for key, value in (search or {}).items() if value}
    question["match"] = question.get("match", []) + [{key: value} for key, value in (match or {}).items() if value]
    times = {"time_after": time_after, "time_before": time_before}
    question.update({key: value for key, value in times.items() if value is not None})
    # The time is looked at here too: upstream's stores ignore it.
    return islice(_within(collection.all(question), time_after, time_before), limit)


def _within(documents: Iterable[Document], after: int | None, before: int | None) -> Iterator[Document]:
    for document in documents:
        if after is None and before is None:
            yield document
            continue
        time_stamp = document.get("backup_metadata", {}).get("time_stamp")
        if (
            isinstance(time_stamp, int)
            and (after is None or after <= time_stamp)
            and (before is None or time_stamp <= before)
        ):
            yield document
