# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The defaults of a job in its actions."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_job import (
    completed,
    with_action_defaults,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError


def test_action_defaults_are_expanded_as_in_the_readme():
    written = {
        "action_defaults": {"log_file": "/tmp/freezer_tmp_log", "container": "my_backup_container"},
        "job_actions": [
            {"freezer_action": {"action": "backup", "backup_name": "user1_backup"}},
            {"freezer_action": {"action": "backup", "log_file": "/home/user3/specific_log_file", "container": None}},
        ],
        "description": "scheduled one shot",
    }
    expanded = with_action_defaults(written)
    assert expanded == {
        "job_actions": [
            {
                "freezer_action": {
                    "action": "backup",
                    "backup_name": "user1_backup",
                    "log_file": "/tmp/freezer_tmp_log",
                    "container": "my_backup_container",
                }
            },
            {
                "freezer_action": {
                    "action": "backup",
                    "log_file": "/home/user3/specific_log_file",
                    "container": "my_backup_container",
                }
            },
        ],
        "description": "scheduled one shot",
    }
    assert "action_defaults" in written


@pytest.mark.parametrize(
    ("verb", "taken"),
    [
        ("backup", {"path_to_backup", "compression", "encrypt_pass_file"}),
        (None, {"path_to_backup", "compression", "encrypt_pass_file"}),
        ("restore", {"overwrite", "encrypt_pass_file"}),
        ("admin", {"keep-last"}),
        ("exec", {"arguments"}),
    ],
)
def test_an_action_gets_of_the_defaults_what_it_takes_by_the_table(verb, taken):
    """The agent refuses the others, and each run would fail for what was meant for the other actions."""
    everywhere = {"log_file": "/l", "dry-run": True}
    some = {"path_to_backup": "/x", "keep-last": 2, "compression": "zstd", "overwrite": True, "arguments": ["a"]}
    # What no release here knows must not get lost where something might be stored otherwise than it says.
    defaults = {**everywhere, **some, "encrypt_pass_file": "/k"}
    own = {"action": verb} if verb else {}
    expanded = with_action_defaults({"action_defaults": defaults, "job_actions": [{"freezer_action": own}]})
    action = expanded["job_actions"][0]["freezer_action"]
    assert action == {**own, **everywhere, **{key: defaults[key] for key in taken}}


def test_the_action_may_itself_be_a_default_and_an_own_option_goes_before_each_spelling_of_it():
    by_default = {
        "action_defaults": {"action": "exec", "keep_last": 2, "script": "/d"},
        "job_actions": [{"freezer_action": {"command": "c", "script": "/s", "arguments": None}}],
    }
    (action,) = with_action_defaults(by_default)["job_actions"]
    assert action["freezer_action"] == {"action": "exec", "command": "c", "script": "/s", "arguments": None}
    spelled = {"action_defaults": {"src_file": "/d"}, "job_actions": [{"freezer_action": {"path_to_backup": "/own"}}]}
    assert with_action_defaults(spelled)["job_actions"] == [{"freezer_action": {"path_to_backup": "/own"}}]


def test_an_action_that_is_only_named_is_for_the_server_to_complete():
    written = {"action_defaults": {"mode": "fs"}, "job_actions": [{"action_id": "a"}, {"freezer_action": {}}]}
    assert with_action_defaults(written, for_server=True) == {
        "action_defaults": {"mode": "fs"},
        "job_actions": [{"action_id": "a"}, {"freezer_action": {"mode": "fs"}}],
    }


def test_a_default_that_cannot_be_combined_with_an_option_of_the_action_is_none_for_it():
    defaults = {"osrc": "/root/openrc", "storage": "swift"}
    assert completed({"cloud": "home"}, defaults) == {"cloud": "home", "storage": "swift"}
    assert completed({"cloud": ""}, defaults) == {"cloud": "", **defaults}


def test_a_job_without_defaults_is_expanded_to_itself():
    assert with_action_defaults({"action_defaults": None, "description": "d"}) == {"description": "d"}
    assert with_action_defaults({"job_actions": []}) == {"job_actions": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {"action_defaults": []},
        {"action_defaults": {}, "job_actions": {}},
        {"action_defaults": {}, "job_actions": ["x"]},
        {"action_defaults": {}, "job_actions": [{"freezer_action": 3}]},
    ],
    ids=str,
)
def test_defaults_that_cannot_be_expanded_are_told_in_a_sentence(wrong):
    with pytest.raises(DocumentError, match="must be"):
        with_action_defaults(wrong)
