# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Mappings compared: what is no difference, and what each difference takes. Servers are asked in test_indices.py."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import fields

KEYWORD = {"type": "keyword"}


def mapping(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**more, "properties": properties}


def found(wanted: dict[str, Any], existing: dict[str, Any]) -> dict[str, str]:
    return {one.path: one.what for one in fields.differences(wanted, existing)}


@pytest.mark.parametrize(
    ("wanted", "existing"),
    [
        ({"a": {"type": "keyword", "index": "false"}}, {"a": {"type": "keyword", "index": False}}),
        ({"a": {"type": "keyword", "ignore_above": "256"}}, {"a": {"type": "keyword", "ignore_above": 256}}),
        ({"a": {"type": "object", "properties": {"b": KEYWORD}}}, {"a": {"properties": {"b": KEYWORD}}}),
        ({"a.b.c": KEYWORD}, {"a": {"properties": {"b": {"properties": {"c": KEYWORD}}}}}),
        ({"a": {"properties": {"b.c": KEYWORD}}}, {"a": {"properties": {"b": {"properties": {"c": KEYWORD}}}}}),
        ({"a.b": KEYWORD, "a": {"properties": {"c": KEYWORD}}}, {"a": {"properties": {"b": KEYWORD, "c": KEYWORD}}}),
        ({"a": {"type": "keyword", "doc_values": True, "store": False, "norms": False}}, {"a": KEYWORD}),
        ({"a": {"type": "date", "format": "strict_date_optional_time||epoch_millis"}}, {"a": {"type": "date"}}),
        (
            {"a": {"type": "keyword", "copy_to": "b"}, "b": KEYWORD},
            {"a": {"type": "keyword", "copy_to": ["b"]}, "b": KEYWORD},
        ),
        ({"a": {"type": "object", "properties": {}}}, {"a": {"type": "object"}}),
        (
            {"a": {"type": "scaled_float", "scaling_factor": 100}},
            {"a": {"type": "scaled_float", "scaling_factor": 100.0}},
        ),
        ({"a": {"type": "text", "fields": {"raw": KEYWORD}}}, {"a": {"type": "text", "fields": {"raw": KEYWORD}}}),
        ({"a": {"type": "keyword", "null_value": None, "meta": {}}}, {"a": KEYWORD}),
    ],
)
def test_what_a_server_writes_in_another_way_is_no_difference(wanted, existing):
    assert found(mapping(wanted), mapping(existing)) == {}
    assert found(mapping(existing), mapping(wanted)) == {}


@pytest.mark.parametrize(
    ("wanted", "existing"),
    [
        ({"dynamic": "true"}, {}),
        ({"dynamic": False}, {"dynamic": "false"}),
        ({"_meta": {"a": 1}}, {"_meta": {"a": 1, "somebody": "else"}}),
        ({}, {"_meta": {"a": 1}, "dynamic": "strict", "date_detection": False}),
        ({"_source": {"enabled": True}}, {}),
    ],
)
def test_what_is_said_of_a_whole_mapping_counts_only_where_it_is_asked_for(wanted, existing):
    assert found(wanted, existing) == {}


@pytest.mark.parametrize(
    ("after", "before", "what"),
    [
        ({"type": "keyword", "ignore_above": 256}, KEYWORD, "changed"),
        (KEYWORD, {"type": "keyword", "ignore_above": 256}, "changed"),
        ({"type": "text", "norms": False}, {"type": "text"}, "changed"),
        ({"type": "text"}, {"type": "text", "norms": False}, "conflict"),
        ({"type": "long"}, KEYWORD, "conflict"),
        ({"type": "keyword", "index": False}, KEYWORD, "conflict"),
        ({"type": "nested"}, {"type": "object"}, "conflict"),
        ({"properties": {}, "dynamic": "strict"}, {"type": "object"}, "changed"),
        ({"type": "object", "enabled": False}, {"type": "object"}, "conflict"),
        ({"type": "date", "format": "epoch_second"}, {"type": "date"}, "conflict"),
        ({"type": "long", "ignore_malformed": True, "null_value": 0}, {"type": "long"}, "conflict"),
    ],
)
def test_a_field_that_differs_is_changed_in_place_or_takes_a_new_index(after, before, what):
    assert found(mapping({"a": after}), mapping({"a": before})) == {"a": what}


def test_an_object_that_says_nothing_about_new_fields_leaves_that_as_it_is():
    assert found(mapping({"a": {"properties": {}}}), mapping({"a": {"type": "object", "dynamic": "false"}})) == {}


def test_fields_are_added_and_those_that_are_not_wanted_are_named():
    wanted = mapping({"a": {"type": "text", "fields": {"raw": KEYWORD}}, "b.c": KEYWORD})
    existing = mapping({"a": {"type": "text", "fields": {"old": KEYWORD}}, "d": {"properties": {"e": KEYWORD}}})
    assert found(wanted, existing) == {
        "a.raw": "added",
        "b": "added",
        "b.c": "added",
        "a.old": "extra",
        "d": "extra",
        "d.e": "extra",
    }


def test_a_whole_mapping_differs_in_place_or_not():
    wanted = {"dynamic": "strict", "_meta": {"v": 2}, "_routing": {"required": True}, "dynamic_templates": [{"x": {}}]}
    assert found(wanted, {"dynamic": "true", "_meta": {"v": 1}}) == {
        "(dynamic)": "changed",
        "(_meta)": "changed",
        "(_routing)": "conflict",
        "(dynamic_templates)": "added",
    }


def test_differences_can_be_read():
    wanted = mapping({"a": {"type": "keyword", "ignore_above": 9}, "b": {"type": "long"}, "c": {"type": "nested"}})
    existing = mapping({"a": KEYWORD, "b": KEYWORD, "z": KEYWORD})
    assert [one.sentence() for one in fields.differences(wanted, existing)] == [
        "a would change from keyword to keyword, ignore_above 9, in place",
        "b would change from keyword to long, only with a copy into a new index",
        "c would be added as nested",
        "z is an extra field",
    ]


def test_a_copy_keeps_what_is_not_named():
    wanted = mapping({"a": {"type": "long"}, "o": {"properties": {"x": KEYWORD}}}, _meta={"v": 2})
    existing = mapping(
        {"a": KEYWORD, "o": {"properties": {"x": KEYWORD, "y": KEYWORD}}, "gone": KEYWORD, "kept": KEYWORD},
        dynamic="strict",
        _meta={"owner": "anna", "v": 1},
    )
    assert fields.completed(wanted, existing, {"o.y": KEYWORD, "kept": KEYWORD}) == {
        "dynamic": "strict",
        "_meta": {"owner": "anna", "v": 2},
        "properties": {"a": {"type": "long"}, "o": {"properties": {"x": KEYWORD, "y": KEYWORD}}, "kept": KEYWORD},
    }


def test_only_fields_that_documents_cannot_bring_back_can_be_removed():
    wanted = mapping(
        {"o": {"dynamic": "true", "properties": {"x": KEYWORD}}, "p": {"properties": {}}}, dynamic="strict"
    )
    extra = {"o.y": KEYWORD, "p.z": KEYWORD, "top": KEYWORD}
    assert set(fields.removable(wanted, extra)) == {"p.z", "top"}
    assert fields.removable(mapping({}), extra) == {}
