# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Copy the documents of one index to another through this process, because a server may lack the module of ``_reindex``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from .client import SearchClient
from .errors import DocumentsDoNotFit, SearchError
from .state import Index

#: Gets the number of copied documents, and of all documents.
Progress = Callable[[int, int], None]

#: The most documents that do not fit before the copy stops.
NAMED_AT_MOST = 20

_CREATED, _THERE_ALREADY = 201, 409


@dataclass
class Copied:
    """The result of a copy. ``left_out`` has the ids of documents that did not fit, each with the reason."""

    documents: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)


def copy_documents(
    client: SearchClient,
    source: Index,
    alias: str,
    total: int,
    removed: Iterable[str] = (),
    leaves_out: bool = False,
    progress: Progress | None = None,
) -> Copied:
    """Copy every missing document to the index of an alias; an earlier copy may have been interrupted at any point.

    ``removed`` are paths of removed fields. With ``leaves_out`` they are removed from documents too, and a document that
    still cannot be stored is left out; without it DocumentsDoNotFit is raised, which names some of them.
    """
    copied = Copied()
    paths = [path.split(".") for path in removed] if leaves_out else []
    done = 0
    for hits in client.documents(source.name, source.shards):
        operations = [_operation(source, hit, paths) for hit in hits]
        for hit, result in zip(hits, client.bulk(alias, operations)):
            if result["status"] in (_CREATED, _THERE_ALREADY):
                copied.documents += 1
            elif result["status"] == 400:  # about this document: a full or blocked server says 403 or 429
                copied.left_out.append((hit["_id"], _reason(result)))
            else:
                raise SearchError(f"The document {hit['_id']} cannot be written to {alias}: {_reason(result)}.")
        if copied.left_out and not leaves_out and len(copied.left_out) >= NAMED_AT_MOST:
            break
        done += len(hits)
        if progress is not None:
            progress(done, total)
    if copied.left_out and not leaves_out:
        raise _do_not_fit(source.name, copied)
    return copied


def _operation(source: Index, hit: Mapping[str, Any], paths: list[list[str]]) -> tuple[dict[str, Any], Any]:
    document = hit.get("_source")
    if document is None:
        raise SearchError(f"{source.name} keeps no _source, so its documents cannot be copied.")
    for path in paths:
        _remove(document, path)
    create = {"_id": hit["_id"]}
    if "_routing" in hit:
        create["routing"] = hit["_routing"]
    return {"create": create}, document


def _remove(document: Any, path: list[str]) -> None:
    if isinstance(document, list):
        for element in document:
            _remove(element, path)
    elif isinstance(document, dict):
        # A name may have its dots in one key.
        for length in range(1, len(path) + 1):
            key = ".".join(path[:length])
            if key in document:
                if length == len(path):
                    del document[key]
                else:
                    _remove(document[key], path[length:])


def _reason(result: Mapping[str, Any]) -> str:
    error = result.get("error") or {}
    cause = error.get("caused_by") or {}
    parts = [str(part) for part in (error.get("reason"), cause.get("reason")) if part]
    return ": ".join(parts).rstrip(".") or f"status {result['status']}"


def _do_not_fit(index: str, copied: Copied) -> DocumentsDoNotFit:
    first_id, reason = copied.left_out[0]
    count = len(copied.left_out)
    some = "At least one document" if count == 1 else f"At least {count} documents"
    return DocumentsDoNotFit(
        f"{some} of {index} cannot be stored with the new mapping, the first is {first_id}: {reason}. Everything is as "
        "it was. Change them, or the mapping, or accept their loss with erase.",
        values={"do_not_fit": [{"id": name, "reason": why} for name, why in copied.left_out]},
    )
