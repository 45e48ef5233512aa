# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What list requests ask for."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents import action, kinds
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import BadRequestError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.searching import Page, page, query, resolve
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.query import (
    AnyValueContains,
    FieldMatches,
    Query,
)


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [(None, None, Page(10, 0)), ("0", "0", Page(10, 0)), ("1000", "5", Page(1000, 5))],
)
def test_a_page_is_ten_documents_unless_it_says_otherwise(limit, offset, expected):
    assert page(limit, offset) == expected


@pytest.mark.parametrize("limit", ["-1", "1001", "ten", "", "1.5", "9" * 50, "+5", " 5", "٣"])
def test_a_limit_that_is_no_small_number_is_refused(limit):
    with pytest.raises(BadRequestError, match="from 0 to 1000"):
        page(limit, None)


@pytest.mark.parametrize("offset", ["-1", "x", "99999999999999999999"])
def test_an_offset_that_is_no_number_is_refused(offset):
    with pytest.raises(BadRequestError, match="offset"):
        page(None, offset)


@pytest.mark.parametrize(
    ("kind", "field", "path"),
    [
        (kinds.JOB, "client_id", "client_id"),
        (kinds.JOB, "status", "job_schedule.status"),
        (kinds.JOB, "schedule_interval", "job_schedule.schedule_interval"),
        (kinds.JOB, "mandatory", "job_actions.mandatory"),
        (kinds.JOB, "action_id", "job_actions.action_id"),
        (kinds.JOB, "container", "job_actions.freezer_action.container"),
        (kinds.JOB, "job_schedule.event", "job_schedule.event"),
        (kinds.SESSION, "status", "status"),
        (kinds.SESSION, "schedule_date", "schedule.schedule_date"),
        (kinds.SESSION, "anything", "anything"),
        (action.KIND, "mandatory", "mandatory"),
        (action.KIND, "backup_name", "freezer_action.backup_name"),
        (kinds.CLIENT, "client_id", "client.client_id"),
        (kinds.CLIENT, "user_id", "user_id"),
        (kinds.BACKUP, "backup_id", "backup_id"),
        (kinds.BACKUP, "status", "status"),
        (kinds.BACKUP, "backup_name", "backup_metadata.backup_name"),
        (kinds.BACKUP, "job_id", "backup_metadata.job_id"),
    ],
    ids=str,
)
def test_a_field_is_found_where_its_kind_keeps_it(kind, field, path):
    assert ".".join(resolve(kind, field)) == path


def test_a_search_is_read_from_the_body_and_from_the_query_string():
    expected = Query(
        match=(FieldMatches(("client_id",), "db1"),),
        match_not=(FieldMatches(("job_schedule", "status"), "completed"),),
    )
    body = {"match": [{"client_id": "db1"}], "match_not": [{"status": "completed"}]}
    assert query(kinds.JOB, body, None) == expected
    parameter = '{"match": [{"client_id": "db1"}], "match_not": [{"status": "completed"}]}'
    assert query(kinds.JOB, {}, parameter) == expected
    both = query(kinds.JOB, {"match": body["match"]}, '{"match_not": [{"status": "completed"}]}')
    assert both == expected


def test_of_two_bounds_the_closer_one_counts():
    bounds = {"time_after": 5, "time_before": 20}
    found = query(kinds.BACKUP, bounds, '{"time_after": 10, "time_before": 30}', [("time_before", "15")])
    assert found == Query(time_after=10, time_before=15)


def test_several_pairs_in_one_object_have_to_match_all():
    found = query(kinds.JOB, {"match": [{"client_id": "db1", "description": None}, {"session_tag": 3}]}, None)
    assert [condition.value for condition in found.match] == ["db1", None, 3]


def test_all_is_a_text_or_the_pairs_that_upstream_wants():
    assert query(kinds.JOB, {"match": [{"_all": "night"}]}, None).match == (AnyValueContains("night"),)
    assert query(kinds.JOB, {"match": [{"_all": 5}]}, None).match == (AnyValueContains("5"),)
    assert query(kinds.JOB, {"match": [{"_all": '[{"job_id":"x"}]'}]}, None).match == (FieldMatches(("job_id",), "x"),)


def test_times_are_for_backups():
    assert query(kinds.BACKUP, {"time_after": 5, "time_before": "7"}, None) == Query(time_after=5, time_before=7)
    with pytest.raises(BadRequestError, match="backups"):
        query(kinds.JOB, {"time_after": 5}, None)


@pytest.mark.parametrize(
    "body",
    [
        {"match": {}},
        {"match": "x"},
        {"match": ["x"]},
        {"match": [{"a": {}}]},
        {"match": [{"a": []}]},
        {"match": [{"a b": 1}]},
        {"match": [{'a"b': 1}]},
        {"match": [{"": 1}]},
        {"match": [{"a..b": 1}]},
        {"match": [{"_all": None}]},
        {"match": [{"_all": ""}]},
        {"match": [{"_all": '[{"a"'}]},
        {"match": [{"_all": '[{"a": []}]'}]},
        {"match_not": 5},
        {"time_after": "soon"},
        {"time_before": True},
        {"matches": []},
        {"match": [{"a": 1}] * 101},
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_search_that_says_nothing_is_refused(body):
    with pytest.raises(BadRequestError):
        query(kinds.BACKUP, body, None)
