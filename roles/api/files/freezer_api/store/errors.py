# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The errors of stores."""

from __future__ import annotations


class StoreError(Exception):
    """The store has failed; the message is a sentence for the operator and for the client."""

    #: After how many seconds a retry can succeed.
    retry_after_seconds = 30


class StoreBusyError(StoreError):
    """Others have locked the store; a retry can succeed soon."""

    retry_after_seconds = 1


class StoreUnreachableError(StoreError):
    """The store, or a part of it that is needed, does not answer. A write may have been made."""

    retry_after_seconds = 5


class StoreSchemaError(StoreError):
    """The store is not in the version that this program needs; an operator has to bring it up to date."""


class StoreFullError(StoreError):
    """The disk is full. Documents can still be read."""


class SearchTooLongError(StoreError):
    """A search took longer than the store allows."""


class DocumentTooLargeError(StoreError):
    """A document is over the limit."""


class ConflictError(Exception):
    """A change was not made because its document is in another state than the change names.

    ``reason`` is ``exists`` (for one that should be new) or ``changed`` (also if it was deleted). None of the changes of
    its group was made.
    """

    def __init__(self, kind: str, document_id: str, reason: str) -> None:
        super().__init__(
            f"the {kind} {document_id} {'exists already' if reason == 'exists' else 'was changed meanwhile'}"
        )
        self.kind = kind
        self.document_id = document_id
        self.reason = reason
