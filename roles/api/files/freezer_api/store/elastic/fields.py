# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The fields that Elasticsearch indexes of a document, for the same search results as from the SQLite store.

``fields`` has a term for every value at every path, with its JSON type: ``job_schedule.status=s:completed``. A search
for any field is a search for one such term, without a mapping of the field. ``path=!`` says that the value at a path is
not null; a search for null looks for documents without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import SECRET_WORDS
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.own_mappings import SHOWN

from ..base import MAX_INTEGER, MIN_INTEGER, Document
from ..query import AnyValueContains, Scalar
from ..values import as_integer, as_object, time_stamp

#: Keys below which a kind has a list of objects, which are searched one by one.
LISTS: Mapping[str, str] = {"job": "job_actions"}
#: The term of a document whose list has elements.
HAS_ELEMENTS = "=[*]"

#: The fields that are requested when a document is read.
READ_FIELDS = ("body", "id", "project_id", "user_id", "version", "order", "transaction", "next", "is_absent")
#: The fields from which all others are derived.
_OWN = ("body", "id", "project_id", "user_id", "version", "order", "write")

#: A term is hashed beyond this; Lucene takes 32766 bytes.
_LONGEST_TERM_BYTES = 1024
#: A text is cut into windows of this many characters, which overlap by the longest piece that is searched for.
_WINDOW = 4096
LONGEST_PIECE = 64

_LONGEST_KEY_BYTES = 512
_LAST_DATE_SECONDS = 253_402_300_799
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_QUOTED = str.maketrans({"\\": "\\\\", ".": "\\.", "=": "\\="})


def document_key(project_id: str, document_id: str) -> str:
    """The ``_id`` of a document, which may have 512 bytes. Ids have no slash in them."""
    key = f"{project_id}/{document_id}"
    if "/" not in project_id and len(key.encode()) <= _LONGEST_KEY_BYTES:
        return key
    return hashlib.sha256(json.dumps([project_id, document_id]).encode()).hexdigest()


def whole_source(kind: str, source: Mapping[str, Any], document: Document | None = None) -> dict[str, Any]:
    """The complete document of Elasticsearch for the fields from which all others are derived."""
    return {
        **{field: source[field] for field in _OWN if field in source},
        "key": document_key(source["project_id"], source["id"]),
        "stored_at": source["order"] // 1_000_000,
        **searchable(kind, json.loads(source["body"]) if document is None else document),
    }


def searchable(kind: str, document: Document) -> dict[str, Any]:
    """The fields of a document for searches and dashboards."""
    values: dict[str, None] = {}
    secret_values: dict[str, None] = {}
    for text, is_secret in _texts(document, False):
        (secret_values if is_secret else values).update(dict.fromkeys(_windows(text)))
    found: dict[str, Any] = {
        "fields": list(dict.fromkeys(_terms(kind, document))),
        "values": list(values),
        "secret_values": list(secret_values),
        "time_stamp": time_stamp(kind, document),
        **_shown(kind, document),
    }
    return {field: value for field, value in found.items() if value not in (None, [])}


def value_term(path: tuple[str, ...], value: Scalar) -> str:
    """The term of a document with a value other than null at a path."""
    return _shortened(f"{_path(path)}={_typed(value)}")


def presence_term(path: tuple[str, ...]) -> str:
    """The term of a document whose value at a path is not null."""
    return _shortened(f"{_path(path)}=!")


def lowered(text: str) -> str:
    """A text with the letters of ASCII in lower case, as SQLite does it."""
    return text.translate(_LOWER)


def contains(document: Document, condition: AnyValueContains) -> bool:
    """Whether a document matches a condition, checked on the document itself."""
    wanted = lowered(condition.text)
    return any(
        wanted in text for text, is_secret in _texts(document, False) if condition.looks_into_secrets or not is_secret
    )


def _terms(kind: str, document: Document) -> Iterator[str]:
    yield from _terms_of_object((), document)
    name = LISTS.get(kind)
    elements = document.get(name) if name else None
    if name is None or not isinstance(elements, list) or not elements:
        return
    yield HAS_ELEMENTS
    # Below the list a path means "in one of its elements": it is null if it is in one element.
    present: dict[str, int] = {}
    for element in elements:
        for term in dict.fromkeys(_terms_of_object((name,), as_object(element))):
            if term.endswith("=!"):
                present[term] = present.get(term, 0) + 1
            else:
                yield term
    yield from (term for term, count in present.items() if count == len(elements))


def _terms_of_object(path: tuple[str, ...], value: Mapping[str, Any]) -> Iterator[str]:
    for key, child in value.items():
        below = (*path, key)
        if isinstance(child, Mapping):
            yield presence_term(below)
            yield from _terms_of_object(below, child)
        elif isinstance(child, list):
            if None not in child:
                yield presence_term(below)
            yield from (value_term(below, item) for item in child if isinstance(item, (str, int, float)))
        elif child is not None:
            yield presence_term(below)
            yield value_term(below, child)


def _path(path: tuple[str, ...]) -> str:
    return ".".join(key.translate(_QUOTED) for key in path)


def _typed(value: Scalar) -> str:
    if isinstance(value, bool):
        return f"b:{'true' if value else 'false'}"
    if isinstance(value, str):
        return f"s:{value}"
    number = float(value or 0) if _is_real(value) else value
    return f"n:{int(number) if number is not None and number == int(number) else number!r}"


def _is_real(value: Scalar) -> bool:
    """Whether SQLite stores a number as a floating one: every fraction, and what does not fit in 64 bits."""
    return isinstance(value, float) or (isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER)


def _shortened(term: str) -> str:
    raw = term.encode()
    if len(raw) <= _LONGEST_TERM_BYTES:
        return term
    # The end that tells presence from values stays.
    return f"#{hashlib.sha256(raw).hexdigest()}{'=!' if term.endswith('=!') else ''}"


def _texts(value: Any, is_secret: bool) -> Iterator[tuple[str, bool]]:
    """Every value in a document as a text in lower case, and whether it is below a key with the name of a secret."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _texts(child, is_secret or _is_secret(key))
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child, is_secret)
    elif isinstance(value, bool):
        yield ("1" if value else "0"), is_secret
    elif isinstance(value, str):
        yield lowered(value), is_secret
    elif value is not None:
        yield (_real(float(value)) if _is_real(value) else str(value)), is_secret


def _is_secret(key: str) -> bool:
    lower = lowered(key).replace("-", "_")
    return any(word in lower for word in SECRET_WORDS)


def _real(number: float) -> str:
    """A floating number as SQLite writes it."""
    mantissa, exponent, power = f"{number:.15g}".partition("e")
    return f"{mantissa if '.' in mantissa or not mantissa.lstrip('-').isdigit() else mantissa + '.0'}{exponent}{power}"


def _windows(text: str) -> Iterator[str]:
    yield text[:_WINDOW]
    for start in range(_WINDOW - LONGEST_PIECE, max(len(text) - LONGEST_PIECE, 0), _WINDOW - LONGEST_PIECE):
        yield text[start : start + _WINDOW]


def _shown(kind: str, document: Document) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, (mapping, path) in SHOWN[kind].items():
        value: Any = document
        for key in path:
            value = as_object(value).get(key)
        if mapping["type"] == "nested":
            found[field] = [_shown_entry(mapping, key, entry) for key, entry in as_object(value).items()]
        elif mapping["type"] == "keyword":
            found[field] = value if isinstance(value, str) else None
        elif mapping["type"] == "date":
            seconds = as_integer(value)
            found[field] = seconds if seconds is not None and 0 <= seconds <= _LAST_DATE_SECONDS else None
        else:
            found[field] = as_integer(value)
    return found


def _shown_entry(mapping: Mapping[str, Any], key: str, entry: Any) -> dict[str, Any]:
    named = {"job_id": key, **as_object(entry)}
    return {name: named[name] for name in mapping["properties"] if isinstance(named.get(name), str)}
