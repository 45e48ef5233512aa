# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Secrets in documents, which are never shown, logged or returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import DocumentError

MASK = "********"

#: What the name of a key has in it, in small letters and with _ for -, if its value is a secret.
SECRET_WORDS = ("pass", "pwd", "credential", "authorization", "secret", "token", "api_key", "apikey", "private_key",
                "privatekey", "encryption_key")  # fmt: skip
#: Words with one of these in them that say nothing of a secret.
_HARMLESS_WORDS = ("bypass", "compass", "passed", "passes", "passive", "pass_through", "passthrough")


def is_secret(key: str) -> bool:
    """Whether the value of this key of a ``freezer_action`` must not be shown, logged or returned."""
    lowered = key.lower().replace("-", "_")
    if lowered.endswith(("_file", "_path")):
        # encrypt_pass_file is the path of the secret, which is no secret.
        return False
    for harmless in _HARMLESS_WORDS:
        lowered = lowered.replace(harmless, " ")
    return any(word in lowered for word in SECRET_WORDS)


def without_secrets(document: Any) -> Any:
    """A copy of a document, or a part of one, with every secret in it replaced by asterisks."""
    if isinstance(document, Mapping):
        return {
            key: MASK if is_secret(str(key)) and value not in (None, "") else without_secrets(value)
            for key, value in document.items()
        }
    if isinstance(document, (list, tuple)):
        return [without_secrets(element) for element in document]
    return document


def with_stored_secrets(wanted: Any, stored: Any, key: str = "") -> Any:
    """A copy of a document, or a part of one, with the stored secret wherever it has the mask that was shown for it.

    Elements of lists that have an ``action_id`` are found by it, others by their place. Raises DocumentError for a mask
    without a stored secret.
    """
    if isinstance(wanted, Mapping):
        known = stored if isinstance(stored, Mapping) else {}
        return {name: with_stored_secrets(value, known.get(name), str(name)) for name, value in wanted.items()}
    if isinstance(wanted, (list, tuple)):
        elements = stored if isinstance(stored, (list, tuple)) else ()
        return [with_stored_secrets(value, _counterpart(value, n, elements)) for n, value in enumerate(wanted)]
    if wanted == MASK and is_secret(key):
        if stored is None:
            raise DocumentError(
                f"{key} is the mask that stands for a secret, and no such secret is stored. Give {key}."
            )
        return stored
    return wanted


def _counterpart(element: Any, place: int, elements: Sequence[Any]) -> Any:
    action_id = element.get("action_id") if isinstance(element, Mapping) else None
    if action_id is None:
        return elements[place] if place < len(elements) else None
    same = (one for one in elements if isinstance(one, Mapping) and one.get("action_id") == action_id)
    return next(same, None)
