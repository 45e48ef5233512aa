# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of an index compared."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import settings

TOLD = {"index.number_of_shards": "1", "index.number_of_replicas": "1", "index.refresh_interval": "60s"}
DEFAULTS = {"index.max_result_window": "10000", "index.blocks.write": "false", "index.codec": "default"}


def found(wanted):
    return {one.path: one.what for one in settings.differences(wanted, TOLD, DEFAULTS)}


@pytest.mark.parametrize(
    "wanted",
    [
        {"number_of_replicas": 1},
        {"index": {"number_of_replicas": "1", "number_of_shards": 1}},
        {"index.refresh_interval": "1m"},
        {"refresh_interval": "60000ms"},
        {"max_result_window": 10000},
        {"blocks": {"write": False}},
        {"codec": None},
        {"index.max_result_window": None},
    ],
)
def test_the_same_in_other_words_is_no_difference(wanted):
    assert found(wanted) == {}


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        ({"number_of_replicas": 0}, {"index.number_of_replicas": "changed"}),
        ({"refresh_interval": None}, {"index.refresh_interval": "changed"}),
        ({"refresh_interval": "1s"}, {"index.refresh_interval": "changed"}),
        ({"number_of_shards": 2}, {"index.number_of_shards": "conflict"}),
        ({"codec": "best_compression"}, {"index.codec": "conflict"}),
        ({"analysis": {"analyzer": {"a": {"type": "simple"}}}}, {"index.analysis.analyzer.a.type": "conflict"}),
    ],
)
def test_a_setting_is_changed_in_place_or_takes_a_new_index(wanted, what):
    assert found(wanted) == what


def test_a_copy_takes_over_settings_but_nothing_that_belongs_to_the_old_index():
    told = {
        **TOLD,
        "index.uuid": "x",
        "index.blocks.write": "true",
        "index.version.created": "9",
        "index.creation_date": "1",
    }
    assert settings.inherited(told) == TOLD
