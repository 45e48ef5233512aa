# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the values of options can be, as JSON schemas."""

from __future__ import annotations

from typing import Any

from . import values

Schema = dict[str, Any]

_DIGITS = "[0-9]{1,18}"
_NO_NUL = r"^[^\u0000]*$"
_DATE = r"(19[7-9][0-9]|20[0-9][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_ZONE = r"([zZ]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_DAY = rf"{_DATE}(T{_TIME}{_ZONE}?)?"
_AGO = r"now|today|yesterday|[1-9][0-9]{0,4} (second|minute|hour|day|week)s? ago"


def schema_of(parser: values.Parser, more: tuple[str, ...] = ()) -> Schema:
    """What a parser takes, and what counts as not given, as a JSON schema; ``more`` are further words of a choice."""
    if isinstance(parser, values.Choice):
        return {"enum": [*parser.choices, *more, "", None]}
    if parser is values.texts:
        listed = {"type": "array", "items": _schema("string", "number", pattern=_NO_NUL, **_BETWEEN)}
        return {"anyOf": [schema_of(values.text), listed]}
    if parser is values.storages:
        return {"type": ["array", "null", "boolean"], "items": {"type": "object"}, "not": {"enum": [True]}}
    schema = dict(_SCHEMAS[parser])
    if parser in values.FALSE_IS_NOTHING:
        schema = {**schema, "type": [*schema["type"], "boolean"], "not": {"enum": [True]}}
    return {**schema, "type": [*schema["type"], "null"]}


def _schema(*types: str, **further: Any) -> Schema:
    return {"type": list(types), **further}


def _words(words: tuple[str, ...]) -> str:
    """A pattern for any of these in small and capital letters, and for nothing."""
    each = ["".join(f"[{char}{char.upper()}]" if char.isalpha() else char for char in word) for word in words]
    return rf"^( *({'|'.join(each)}) *)?$"


#: Numbers from 65536 and from 64 on.
_BYTES = r"(6553[6-9]|655[4-9][0-9]|65[6-9][0-9]{2}|6[6-9][0-9]{3}|[7-9][0-9]{4}|[1-9][0-9]{5,17}) *"
_KIBIBYTES = "(6[4-9]|[7-9][0-9]|[1-9][0-9]{2,17})"

_BETWEEN = {"minimum": -values.MAX_NUMBER, "maximum": values.MAX_NUMBER}
_SCHEMAS: dict[values.Parser, Schema] = {
    values.text: _schema("string", "number", pattern=_NO_NUL, **_BETWEEN),
    values.whole: _schema("integer", "string", minimum=0, maximum=10**18 - 1, pattern=rf"^( *\+?{_DIGITS} *)?$"),
    values.number: _schema(
        "number", "string", minimum=0, maximum=values.MAX_NUMBER, pattern=rf"^( *\+?{_DIGITS}(\.{_DIGITS})? *)?$"
    ),
    values.switch: _schema("boolean", "integer", "string", minimum=0, maximum=1, pattern=_words(values.YES + values.NO)),
    values.size: _schema(
        "integer", "string", minimum=values.LEAST_SEGMENT_BYTES, maximum=10**18 - 1,
        pattern=rf"^( *({_BYTES}|{_KIBIBYTES} *[kK]|[1-9][0-9]{{0,17}} *[mMgG])([iI]?[bB])? *)?$",
    ),
    **{
        parser: _schema("number", "string", minimum=0, maximum=values.MAX_NUMBER, pattern=rf"^( *({_DIGITS}|{_DAY}|{_AGO}) *)?$")
        for parser in (values.moment, values.end_of)
    },
    values.snapshot: _schema("boolean", "integer", "string", minimum=0, maximum=1, pattern=_words(("lvm", *values.YES, *values.NO))),
    values.auto_snap: _schema("string", "number", "boolean", pattern=_NO_NUL, **_BETWEEN),
}  # fmt: skip
