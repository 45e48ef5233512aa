# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Checking what a client sends against the schema of its kind."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError, best_match

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind

from .errors import BadRequestError

_MAX_MESSAGE_LENGTH = 300
_ERRORS_LOOKED_AT = 100


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """The keyword ``pattern``, with ``$`` as in ECMA 262: the end, and not also before a last newline."""
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern}")


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


_Validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft4Validator, {"pattern": _pattern}
)


class Checks:
    """The compiled schemas of one kind."""

    def __init__(self, kind: Kind) -> None:
        self._whole = _Validator(kind.schema)
        self._part = _Validator(kind.patch_schema)

    def whole(self, document: Mapping[str, Any]) -> None:
        """Raise BadRequestError unless a document can be created from this."""
        _check(self._whole, document)

    def part(self, changes: Mapping[str, Any]) -> None:
        """Raise BadRequestError unless a document can be changed like this."""
        _check(self._part, changes)


def _check(validator: Any, document: Mapping[str, Any]) -> None:
    if validator.is_valid(document):
        return
    # A body can have half a million errors, and each of them takes its time.
    error = best_match(itertools.islice(validator.iter_errors(document), _ERRORS_LOOKED_AT))
    message = error.message.splitlines()[0]
    if len(message) > _MAX_MESSAGE_LENGTH:
        message = message[:_MAX_MESSAGE_LENGTH] + "..."
    place = ".".join(str(key) for key in error.absolute_path)
    raise BadRequestError(f"{message} (in {place})" if place else message)
