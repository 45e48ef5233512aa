# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Reading JSON from strangers."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import MAX_DEPTH
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import BadRequestError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.json_body import parse_object


def nested(levels):
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("raw", [b"", b"  \n", b"{}", b"\xef\xbb\xbf{}"])
def test_nothing_is_an_empty_object(raw):
    assert parse_object(raw) == {}


def test_what_is_json_is_read():
    raw = '{"a": [1, -9223372036854775808, 1.5, true, null, "\\ud83d\\ude00\\u0000 ü"]}'.encode()
    assert parse_object(raw) == {"a": [1, -(2**63), 1.5, True, None, "\U0001f600\x00 ü"]}
    assert parse_object(nested(MAX_DEPTH)) != {}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{bad", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"null", "object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "64 bits"),
        (b'{"a": 9223372036854775808}', "64 bits"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "64 bits"),
        (b'{"a": "\xff"}', "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'{"a": "\x00"}', "not JSON"),
        (nested(MAX_DEPTH + 1), "levels"),
        (nested(200_000), "levels"),
        (b'{"a":' + b"[" * 100_000, "levels|not JSON"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_what_is_not_is_refused_with_a_sentence(raw, says):
    with pytest.raises(BadRequestError) as caught:
        parse_object(raw)
    assert any(word in caught.value.description for word in says.split("|"))


def test_many_objects_beside_each_other_are_not_deep():
    raw = b'{"a": [' + b",".join([b"{}"] * 1000) + b"]}"
    assert len(parse_object(raw)["a"]) == 1000
