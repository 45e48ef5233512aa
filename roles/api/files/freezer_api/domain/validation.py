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
from jsonschema.exceptions import ValidationError, best_match, relevance

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import Kind
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import quoted
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.meant import closest

from ..errors import BadRequestError

_MAX_MESSAGE_LENGTH = 300
_ERRORS_LOOKED_AT = 100
_ERRORS_TOLD = 10

_DATE = "a date such as 2026-11-22T08:30:00, with seconds, and with Z or +01:00 behind it or nothing"
#: Descriptions of values whose pattern is hard to read.
_FORMS = {
    "schedule_interval": "continuous, or a number of weeks, days, hours, minutes or seconds, such as 9 minutes",
    "schedule_date": _DATE,
    "schedule_start_date": _DATE,
    "schedule_end_date": _DATE,
}


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """The keyword ``pattern``, with ``$`` as in ECMA 262, which does not match before a last newline."""
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"{quoted(instance)} does not match {pattern}")


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
        """Raise BadRequestError unless the document is valid."""
        _check(self._whole, document)

    def part(self, changes: Mapping[str, Any]) -> None:
        """Raise BadRequestError unless the changes are valid."""
        _check(self._part, changes)


def _check(validator: Any, document: Mapping[str, Any]) -> None:
    if validator.is_valid(document):
        return
    # A body can have half a million errors.
    errors = list(itertools.islice(validator.iter_errors(document), _ERRORS_LOOKED_AT))
    # The most relevant one first: others may only follow from it.
    errors.sort(key=relevance, reverse=True)
    sentences = dict.fromkeys(_sentence(best_match([error])) for error in errors[:_ERRORS_TOLD])
    raise BadRequestError("; ".join(sentences))


def _sentence(error: ValidationError) -> str:
    """The error as a sentence about the document rather than about the schema."""
    key = str(error.absolute_path[-1]) if error.absolute_path else ""
    message = error.message.splitlines()[0]
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = [str(name) for name in schema.get("properties", {})]
        unknown = (str(name) for name in error.instance if name not in known)
        message = "; ".join(_unknown(name, known) for name in itertools.islice(unknown, 3)) or message
    elif error.validator == "pattern" and key in _FORMS:
        message = f"{key} has to be {_FORMS[key]}, and is {quoted(error.instance)}"
    elif error.validator == "enum":
        message = f"{quoted(error.instance)} is not one of {[one for one in schema.get('enum', ()) if one is not None]}"
    if error.instance is None:
        # Its sender writes JSON.
        message = message.replace("None", "null", 1)
    if len(message) > _MAX_MESSAGE_LENGTH:
        message = message[:_MAX_MESSAGE_LENGTH] + "..."
    path = ".".join(str(one) for one in error.absolute_path)
    return f"{message} (in {path})" if path else message


def _unknown(name: str, known: list[str]) -> str:
    close = closest(name, known)
    return f"{quoted(name)} is no key here" + (f", did you mean {close}?" if close else "")
