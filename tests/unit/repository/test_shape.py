# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a document from a storage may cost before it is known to be one."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository import shape
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.details import parse_details
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import parse_public

HOSTILE = {
    "objects": b'{"a": [' + b"{}," * 5000 + b"{}]}",
    "lists": b'{"a": ' + b"[],[" * 3000,
    "texts": b'{"a": [' + b'"ab",' * 5000 + b"1]}",
    "names": b"{" + b",".join(b'"%05d":1' % number for number in range(5000)) + b"}",
    "behind a text with an escape": rb'{"a\\": "\"", "b": [' + b"1," * 5000 + b"1]}",
}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(shape, "MOST_VALUES", 1000)


@pytest.mark.parametrize("stored", HOSTILE.values(), ids=HOSTILE)
def test_a_document_of_too_many_values_is_refused_before_anything_is_made_of_it(few, monkeypatch, stored):
    monkeypatch.setattr(shape.json, "loads", lambda *_arguments, **_more: pytest.fail("it was parsed"))
    with pytest.raises(DamagedArchive, match="has more than 1000 values"):
        parse_public(stored, "it")
    with pytest.raises(DamagedArchive, match="has more than 1000 values"):
        parse_details(stored, 32 * "a", "it")


@pytest.mark.parametrize("name", [",", "[{", '",', "\\", '\\",[{'])
def test_what_stands_in_names_does_not_count(few, name):
    document = {"unreadable": [{"path": 2000 * name, "message": "x"}]}
    assert shape.loads(json.dumps(document).encode()) == document


@pytest.mark.parametrize("stored", [b'"' * 100_000, b'{"a' + b"," * 5000, b"\\" * 100_001 + b"," * 5000])
def test_what_is_no_document_has_an_end(few, stored):
    with pytest.raises(ValueError, match="."):
        shape.loads(stored)


def test_a_small_object_of_many_values_takes_little_memory():
    stored = b'{"a": [' + b"{}," * (4 << 20) + b"{}]}"
    tracemalloc.start()
    try:
        with pytest.raises(DamagedArchive, match="values"):
            parse_public(stored, "it")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(stored), f"{peak >> 20} MiB"
