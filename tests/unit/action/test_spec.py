# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The table of options: what is made from it, and what stands beside it, says the same."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import MISSING, fields
from typing import get_type_hints

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action import options, spec, values
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.row import ALL_MEDIA
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.verbs import (
    ACTIONS,
    EXEC_KEYS,
    OWN_ACTIONS,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.connection import TIMEOUT_SECONDS
from ansible_collections.freezer.backup.plugins.module_utils._engine.lvm.snapshots import DEFAULT_SIZE
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent import flags
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.contract import document

FIELDS = {field.name: field for field in fields(options.Options)}
#: What Options has for the value that a parser makes.
KINDS = {
    values.text: str,
    values.whole: int,
    values.number: float,
    values.switch: bool,
    values.texts: list,
    values.size: int,
    values.moment: float,
    values.end_of: float,
    values.snapshot: str,
    values.auto_snap: str,
    values.storages: list,
}


def test_each_key_and_each_spelling_stands_in_the_table_once():
    names = [row.name for row in spec.rows()]
    counted = Counter([*names, *(alias for row in spec.rows() for alias in row.aliases)])
    assert not [name for name, times in counted.items() if times > 1]
    assert not spec.UPSTREAM_KEYS & set(counted)
    assert [row.short for row in spec.rows() if row.short and not row.short.startswith("-")] == []


@pytest.mark.parametrize("row", [row for row in spec.rows() if row.parser], ids=lambda row: row.name)
def test_an_option_has_the_default_and_the_type_of_its_row(row):
    field = FIELDS[row.name]
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    assert (tuple(default) if isinstance(default, list) else default) == row.default
    kind = str if row.choices else KINDS[row.parser]
    hint = str(get_type_hints(options.Options)[row.name]) if not isinstance(field.type, str) else field.type
    assert hint.split("[")[0].split(" |")[0] == kind.__name__
    assert ("None" in hint) == (row.default is None)


def test_the_options_are_those_of_the_table():
    assert set(FIELDS) == spec.OPTION_KEYS


@pytest.mark.parametrize("row", list(spec.rows()), ids=lambda row: row.name)
def test_a_row_names_actions_and_media_that_there_are(row):
    assert row.verbs
    assert set(row.verbs) <= {*ACTIONS, *OWN_ACTIONS}
    assert row.media
    assert set(row.media) <= set(ALL_MEDIA)
    assert not row.names or tuple(row.media) == (row.names,)


def test_the_options_of_an_exec_alone_are_those_that_it_runs():
    assert {row.name for row in spec.rows() if tuple(row.verbs) == ("exec",)} == EXEC_KEYS


def test_the_defaults_in_texts_are_those_of_the_engine():
    assert spec.BY_NAME["lvm_snapsize"].otherwise == DEFAULT_SIZE
    assert spec.BY_NAME["timeout"].otherwise == f"{TIMEOUT_SECONDS:.0f}"
    assert flags.about(spec.BY_NAME["deadline_seconds"]).endswith("(default: 60)")
    assert flags.about(spec.BY_NAME["max_segment_size"]).endswith("at least 64K (default: 64M)")


@pytest.mark.parametrize("option", [one for one in spec.rows() if one.text], ids=lambda one: one.name)
def test_a_text_is_sentences_whose_marks_name_options_that_there_are(option):
    for text in (option.text, *option.paragraphs):
        assert text.endswith(".")
        assert text[0].isupper() or text.startswith(("V(", "O(", "M("))
        assert set(re.findall(r"\bO\((\w+)", text)) <= set(spec.BY_NAME)
        assert set(re.findall(r"\bM\(freezer\.backup\.(\w+)\)", text)) <= set(spec.MODULES.values())
        assert not re.search(r"\b[OVCEM]\(|RV\(", flags.as_typed(text))


def test_the_manual_speaks_of_flags_only_and_says_in_one_sentence_what_the_default_is():
    shown = {row.name: [flags.about(row), *map(flags.as_typed, row.paragraphs)] for row in flags.flags()}
    for texts in shown.values():
        assert not any(re.search(r"\b[Tt]he module|\bA module|Ansible", text) for text in texts), texts
    assert shown["cloud"][0].endswith(
        "(default: OS_CLOUD, or OS_AUTH_URL and the variables that belong to it, if --osrc is not given)"
    )
    assert "this and storages" not in " ".join(shown["storage"])
    assert shown["exclude"][0].endswith("(can be given several times)")
    assert "absolute path" not in shown["container"][0]


def _modes(part):
    """Every list of modes in a part of the contract of the API."""
    if isinstance(part, dict):
        for key, inner in part.items():
            if key == "mode" and isinstance(inner, dict) and "enum" in inner:
                yield inner["enum"]
            yield from _modes(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _modes(inner)


def test_the_contract_of_the_api_has_no_mode_that_no_agent_has():
    found = list(_modes(document.document()))
    assert found
    for modes in found:
        assert {mode for mode in modes if mode} == set(spec.BY_NAME["mode"].choices)
