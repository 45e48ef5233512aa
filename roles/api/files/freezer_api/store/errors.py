# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in a store."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot do what it was asked; the message is a sentence for the operator and for the client."""

    #: After how many seconds it is worth to ask again.
    retry_after_seconds = 30


class StoreBusyError(StoreError):
    """Others hold the store; the same request can succeed a moment later."""

    retry_after_seconds = 1


class StoreUnreachableError(StoreError):
    """The store does not answer, or a part of it that is needed does not. What was asked may have been done."""

    retry_after_seconds = 5


class StoreSchemaError(StoreError):
    """The store is not as this program needs it; somebody has to bring it up to date."""


class StoreFullError(StoreError):
    """There is no room for the document. Reading goes on."""


class SearchTooLongError(StoreError):
    """A search took more time than the store gives to one."""


class DocumentTooLargeError(StoreError):
    """A document is larger than the store was told to keep."""


class ConflictError(Exception):
    """A change was not made because its document is not as the change expects.

    ``reason`` is ``exists`` (for one that should be new) or ``changed`` (somebody changed or deleted it meanwhile).
    Nothing of the changes it came with was made.
    """

    def __init__(self, kind: str, document_id: str, reason: str) -> None:
        super().__init__(
            f"the {kind} {document_id} {'exists already' if reason == 'exists' else 'was changed meanwhile'}"
        )
        self.kind = kind
        self.document_id = document_id
        self.reason = reason
