# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Indices as they should be, on Elasticsearch 9 and 8.19 and on OpenSearch 3."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import ensure
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.ensure import Plan, Wanted
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.errors import (
    CopyNeeded,
    DocumentsDoNotFit,
    NotOurs,
    SearchError,
    WouldLose,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.state import look_at
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import RestError
from ansible_collections.freezer.backup.tests.integration.elasticsearch.conftest import contents, fill

ONE_SHARD = {"number_of_shards": 1, "number_of_replicas": 0}


def strict(**fields: Any) -> dict[str, Any]:
    return {"dynamic": "strict", "properties": fields}


def make(client, name: str, mapping: dict[str, Any], may_copy=True, may_lose=False, **more: Any) -> Plan:
    """Let an index be as it is wanted; the plan for it, which is empty the second time."""
    wanted = Wanted(name, mapping, more.pop("settings", ONE_SHARD), **more)
    todo = ensure.plan(client, wanted)
    if todo.changes:
        ensure.carry_out(client, todo, may_copy, may_lose)
    again = ensure.plan(client, wanted)
    assert not again.changes, (again.differences, again.setting_differences, again.leftover)
    return todo


#: A mapping with every way of saying things that a server says differently.
ODD = {
    "dynamic": "false",
    "date_detection": "false",
    "_meta": {"owner": "anna", "deep": {"n": 1, "list": [1]}},
    "dynamic_templates": [{"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}],
    "properties": {
        "plain": {"type": "keyword"},
        "all_said": {"type": "keyword", "index": "true", "doc_values": True, "store": "false", "norms": False},
        "limited": {"type": "keyword", "ignore_above": "8191", "null_value": "none", "eager_global_ordinals": "true"},
        "hidden": {"type": "keyword", "index": "false", "doc_values": "false"},
        "number": {"type": "long", "coerce": "false", "ignore_malformed": "true", "null_value": "0"},
        "floating": {"type": "double", "null_value": 0.5},
        "day": {"type": "date", "format": "epoch_second||strict_date_optional_time"},
        "any_day": {"type": "date"},
        "yes": {"type": "boolean", "null_value": "false"},
        "address": {"type": "ip"},
        "words": {"type": "text", "analyzer": "simple", "fields": {"raw": {"type": "keyword", "ignore_above": 256}}},
        "no_norms": {"type": "text", "norms": "false", "index_options": "docs", "similarity": "BM25"},
        "a.dotted.name": {"type": "integer"},
        "object": {"type": "object", "properties": {"inner": {"type": "keyword", "copy_to": "plain"}}},
        "closed": {"type": "object", "dynamic": "strict", "properties": {"x": {"type": "long"}}},
        "blob": {"type": "object", "enabled": "false"},
        "several": {"type": "nested", "include_in_parent": "false", "properties": {"x": {"type": "keyword"}}},
        "empty": {"type": "object", "properties": {}},
        "binary": {"type": "binary"},
        "range": {"type": "integer_range"},
        "point": {"type": "geo_point"},
        "with_meta": {"type": "keyword", "meta": {"unit": "ms"}},
    },
}
ODD_SETTINGS = {
    **ONE_SHARD,
    "index": {"refresh_interval": "60s", "max_result_window": 20000},
    "mapping.total_fields.limit": "2000",
    "analysis": {"analyzer": {"mine": {"type": "custom", "tokenizer": "standard"}}},
    "sort": {"field": ["plain"], "order": "asc"},
}


def test_whatever_a_server_makes_of_a_mapping_the_second_run_finds_nothing_to_do(any_client, index_prefix):
    make(any_client, index_prefix, ODD, settings=ODD_SETTINGS)
    state = look_at(any_client, index_prefix)
    # And what it says itself is what is wanted, too.
    make(any_client, index_prefix, dict(state.index.mapping), settings=dict(state.index.settings))


#: A field and what it can become in place.
IN_PLACE = [
    ({"type": "keyword"}, {"type": "keyword", "ignore_above": 100}),
    ({"type": "keyword", "ignore_above": 100}, {"type": "keyword"}),
    ({"type": "keyword"}, {"type": "keyword", "eager_global_ordinals": True, "split_queries_on_whitespace": True}),
    ({"type": "keyword"}, {"type": "keyword", "copy_to": ["other"], "meta": {"unit": "ms"}}),
    ({"type": "long"}, {"type": "long", "coerce": False, "ignore_malformed": True}),
    ({"type": "text"}, {"type": "text", "search_analyzer": "simple", "fielddata": True}),
    ({"type": "text"}, {"type": "text", "norms": False}),
    ({"type": "text"}, {"type": "text", "fields": {"raw": {"type": "keyword"}}}),
    ({"type": "object"}, {"type": "object", "dynamic": "strict"}),
    ({"properties": {"x": {"type": "long"}}}, {"properties": {"x": {"type": "long"}, "y": {"type": "long"}}}),
]
#: A field and what it can become in a new index only.
IN_A_COPY = [
    ({"type": "keyword"}, {"type": "long"}),
    ({"type": "long"}, {"type": "keyword"}),
    ({"type": "keyword"}, {"type": "keyword", "index": False}),
    ({"type": "keyword"}, {"type": "keyword", "doc_values": False}),
    ({"type": "keyword"}, {"type": "keyword", "null_value": "x"}),
    ({"type": "keyword"}, {"properties": {"x": {"type": "keyword"}}}),
    ({"type": "text", "norms": False}, {"type": "text"}),
    ({"type": "text"}, {"type": "text", "analyzer": "simple"}),
    ({"type": "object"}, {"type": "nested"}),
    ({"type": "object"}, {"type": "object", "enabled": False}),
]


def test_a_server_changes_in_place_what_is_said_to_be_changed_in_place(any_client, index_prefix):
    before = {f"f{number}": old for number, (old, _new) in enumerate(IN_PLACE)}
    after = {f"f{number}": new for number, (_old, new) in enumerate(IN_PLACE)}
    other = {"other": {"type": "keyword"}}
    make(any_client, index_prefix, {"properties": {**before, **other}})
    todo = make(any_client, index_prefix, {"dynamic": "strict", "properties": {**after, **other}}, may_copy=False)
    # A field that gets a field is as it was.
    assert {one.path.partition(".")[0] for one in todo.differences} == {*after, "(dynamic)"}


@pytest.mark.parametrize(("before", "after"), IN_A_COPY)
def test_a_server_refuses_in_place_what_is_said_to_need_a_copy(client, index_prefix, before, after):
    make(client, index_prefix, {"properties": {"f": before}})
    todo = ensure.plan(client, Wanted(index_prefix, {"properties": {"f": after}}))
    assert [one.path for one in todo.differences if one.what == "conflict"] == ["f"]
    with pytest.raises(RestError):
        client.put_mapping(todo.state.index.name, {"properties": {"f": after}})
    with pytest.raises(CopyNeeded, match="f would change from .* only with a copy into a new index"):
        ensure.carry_out(client, todo, may_copy=False)


def test_fields_and_settings_are_added_and_documents_stay(any_client, index_prefix):
    make(any_client, index_prefix, strict(a={"type": "keyword"}))
    fill(any_client, index_prefix, {"d": {"a": "x"}})
    todo = make(
        any_client,
        index_prefix,
        strict(a={"type": "keyword", "ignore_above": 10}, b={"type": "long"}),
        may_copy=False,
        settings={"number_of_replicas": 1, "refresh_interval": "1m", "index.max_result_window": 50},
    )
    assert todo.before() == {
        "fields": {"a": "keyword"},
        "settings": {
            "index.number_of_replicas": "0",
            "index.refresh_interval": "1s",
            "index.max_result_window": "10000",
        },
    }
    assert todo.after() == {
        "fields": {"a": "keyword, ignore_above 10", "b": "long"},
        "settings": {"index.number_of_replicas": "1", "index.refresh_interval": "1m", "index.max_result_window": "50"},
    }
    make(any_client, index_prefix, strict(a={"type": "keyword"}), may_copy=False, settings={"refresh_interval": None})
    assert contents(any_client, index_prefix) == {"d": {"a": "x"}}
    assert set(look_at(any_client, index_prefix).index.mapping["properties"]) == {"a", "b"}


def test_a_copy_moves_every_document_with_its_routing_and_all_names(any_client, index_prefix):
    make(
        any_client, index_prefix, strict(n={"type": "keyword"}, s={"type": "nested"}), settings={"number_of_shards": 3}
    )
    old = look_at(any_client, index_prefix).index
    any_client.change_aliases(
        [{"add": {"index": old.name, "alias": f"{index_prefix}-some", "filter": {"term": {"n": "1"}}, "routing": "r"}}]
    )
    documents = {f"d{number}": {"n": str(number % 10), "s": [{}, {}]} for number in range(1300)}
    fill(any_client, index_prefix, documents)
    routed = [({"index": {"_id": "routed", "routing": "x"}}, {"n": "1"})]
    assert any_client.bulk(index_prefix, routed)[0]["status"] == 201
    seen: list[tuple[int, int]] = []
    wanted = Wanted(index_prefix, strict(n={"type": "long"}, s={"type": "nested"}), {"number_of_shards": 2})
    done = ensure.carry_out(
        any_client, ensure.plan(any_client, wanted), True, progress=lambda count, total: seen.append((count, total))
    )
    assert (done.index, done.old, done.copied.documents) == (f"{index_prefix}-v2", f"{index_prefix}-v1", 1301)
    assert seen[-1] == (1301, 1301)
    assert contents(any_client, index_prefix) == {**documents, "routed": {"n": "1"}}
    assert any_client.request("GET", f"/{index_prefix}/_doc/routed?routing=x").document["found"]
    state = look_at(any_client, index_prefix)
    assert (state.earlier, state.unfinished) == ((f"{index_prefix}-v1",), None)
    assert state.index.shards == 2
    assert state.index.aliases[f"{index_prefix}-some"] == old.aliases.get(
        "x",
        {
            "filter": {"term": {"n": "1"}},
            "index_routing": "r",
            "search_routing": "r",
        },
    )
    assert contents(any_client, f"{index_prefix}-v1").keys() == {*documents, "routed"}
    assert any_client.bulk(f"{index_prefix}", [({"index": {"_id": "more"}}, {"n": 1})])[0]["status"] == 201


def test_an_index_without_a_version_gets_one_with_its_first_copy(any_client, index_prefix):
    body = {"mappings": strict(n={"type": "keyword"}), "settings": ONE_SHARD, "aliases": {f"{index_prefix}-too": {}}}
    any_client.request("PUT", f"/{index_prefix}", body)
    fill(any_client, f"{index_prefix}-too", {str(number): {"n": str(number)} for number in range(50)})
    make(any_client, index_prefix, strict(n={"type": "keyword"}, more={"type": "keyword"}), may_copy=False)
    assert not look_at(any_client, index_prefix).is_alias
    make(any_client, index_prefix, strict(n={"type": "long"}))
    state = look_at(any_client, index_prefix)
    assert (state.index.name, state.earlier) == (f"{index_prefix}-v2", (f"{index_prefix}-v1",))
    assert set(state.index.aliases) == {index_prefix, f"{index_prefix}-too"}
    for name in (index_prefix, f"{index_prefix}-too", f"{index_prefix}-v1"):
        assert any_client.count(name) == 50
    make(any_client, index_prefix, strict(n={"type": "double"}))
    assert look_at(any_client, index_prefix).index.name == f"{index_prefix}-v3"


def test_documents_that_do_not_fit_stop_the_copy_and_everything_is_as_it_was(any_client, index_prefix):
    make(any_client, index_prefix, strict(n={"type": "keyword"}))
    fill(any_client, index_prefix, {"good": {"n": "1"}, "bad": {"n": "many"}, "worse": {"n": "none"}})
    before = look_at(any_client, index_prefix)
    with pytest.raises(DocumentsDoNotFit, match="2 documents.* cannot be stored with the new mapping") as caught:
        make(any_client, index_prefix, strict(n={"type": "long"}))
    assert {one["id"] for one in caught.value.values["do_not_fit"]} == {"bad", "worse"}
    after = look_at(any_client, index_prefix)
    assert after.index.mapping_without_notes() == before.index.mapping_without_notes()
    assert (after.index.settings, after.index.migration, after.unfinished) == (before.index.settings, None, None)
    fill(any_client, index_prefix, {"more": {"n": "2"}})
    with pytest.raises(DocumentsDoNotFit):
        make(any_client, index_prefix, strict(n={"type": "long"}))
    make(any_client, index_prefix, strict(n={"type": "long"}), may_lose=True)
    assert contents(any_client, index_prefix) == {"good": {"n": "1"}, "more": {"n": "2"}}


def test_a_removed_field_takes_its_values_only_by_agreement(any_client, index_prefix):
    whole = strict(a={"type": "keyword"}, o={"properties": {"x": {"type": "keyword"}, "y": {"type": "keyword"}}})
    make(any_client, index_prefix, whole)
    fill(
        any_client,
        index_prefix,
        {"d": {"a": "1", "o": [{"x": "1"}, {"x": "2", "y": "3"}]}, "e": {"a": "2", "o.x": "z"}},
    )
    less = strict(a={"type": "keyword"}, o={"properties": {"y": {"type": "keyword"}}})
    assert not make(any_client, index_prefix, less).changes
    with pytest.raises(DocumentsDoNotFit, match="strict"):
        make(any_client, index_prefix, less, removes_fields=True)
    make(any_client, index_prefix, less, removes_fields=True, may_lose=True)
    assert contents(any_client, index_prefix) == {"d": {"a": "1", "o": [{}, {"y": "3"}]}, "e": {"a": "2"}}


def test_an_index_with_documents_is_removed_only_by_agreement(any_client, index_prefix):
    make(any_client, index_prefix, strict(n={"type": "keyword"}))
    assert any_client.bulk(index_prefix, [({"index": {"_id": "d"}}, {"n": "1"})])[0]["status"] == 201
    with pytest.raises(WouldLose, match=f"{index_prefix}-v1 \\(1 documents\\).* set erase"):
        ensure.remove(any_client, look_at(any_client, index_prefix), may_lose=False)
    assert any_client.count(index_prefix) == 1
    make(any_client, index_prefix, strict(n={"type": "long"}))
    ensure.remove(any_client, look_at(any_client, index_prefix), may_lose=True)
    assert look_at(any_client, index_prefix).numbers == frozenset()


def test_an_alias_of_several_indices_is_left_alone(client, index_prefix):
    for letter in "ab":
        client.create(f"{index_prefix}{letter}", {}, ONE_SHARD, [index_prefix])
    with pytest.raises(NotOurs, match="alias of 2 indices"):
        ensure.plan(client, Wanted(index_prefix, {}))


def test_another_programs_index_with_the_name_of_a_version_is_left_alone(client, index_prefix):
    client.create(f"{index_prefix}-v1", strict(a={"type": "keyword"}), ONE_SHARD, [])
    make(client, index_prefix, strict(n={"type": "keyword"}))
    state = look_at(client, index_prefix)
    assert (state.index.name, state.earlier) == (f"{index_prefix}-v2", ())
    assert ensure.prune(client, state) == []
    assert ensure.remove(client, state, may_lose=False) == [f"{index_prefix}-v2"]
    assert client.count(f"{index_prefix}-v1") == 0


def test_two_who_make_the_same_index_at_once_make_one(client, index_prefix):
    wanted = Wanted(index_prefix, strict(n={"type": "keyword"}), ONE_SHARD)
    first, second = ensure.plan(client, wanted), ensure.plan(client, wanted)
    ensure.carry_out(client, first, may_copy=False)
    with pytest.raises((RestError, SearchError)):
        ensure.carry_out(client, second, may_copy=False)
    assert not ensure.plan(client, wanted).changes
