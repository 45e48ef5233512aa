# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the JSON of requests strictly: all that is read here can be stored, searched and sent back."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import MAX_DEPTH

from ..errors import BadRequestError
from ..store.base import MAX_INTEGER, MIN_INTEGER

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_object(raw: bytes) -> dict[str, Any]:
    """The object in a body; an empty body is an empty object.

    Raises BadRequestError for anything that is not strict JSON in UTF-8 with an object at its top, for numbers that
    do not fit in 64 bits, for halves of surrogate pairs and for nesting deeper than MAX_DEPTH.
    """
    if not raw.strip():
        return {}
    value = _parse(raw)
    if not isinstance(value, dict):
        raise BadRequestError("The body must be a JSON object")
    return value


def _parse(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise BadRequestError("The body is not UTF-8", title="Malformed JSON") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise BadRequestError(f"The body is not JSON: {error}", title="Malformed JSON") from error
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth_exceeds(value, MAX_DEPTH):
        raise _too_deep()
    if _SURROGATE.search(text):
        _refuse_lone_surrogates(value)
    return value


def _integer(digits: str) -> int:
    # Python refuses to read more than 4300 digits; no number that long fits.
    number = int(digits) if len(digits) <= 20 else MAX_INTEGER + 1
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise ValueError(f"the number {digits[:40]} does not fit in 64 bits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    # The same bounds as for integers: readers differ in which of the two 1e30 is.
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise ValueError(f"the number {digits[:40]} does not fit in 64 bits")
    # 5.0 is an integer as JSON schema has it.
    return int(number) if number.is_integer() else number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _turn in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadRequestError("A string contains half of a surrogate pair", title="Malformed JSON") from error


def _too_deep() -> BadRequestError:
    return BadRequestError(f"Objects and lists are nested deeper than {MAX_DEPTH} levels")
