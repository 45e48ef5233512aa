# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is refused where an action is stored, and what is stored with a warning."""

from __future__ import annotations

import jsonschema
import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.check import action_schema, check_action
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.execute import words_of
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_job import with_action_defaults
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import OptionError

PLACE = {"backup_name": "etc", "storage": "local", "container": "/srv/backups"}
ETC = {"action": "backup", "path_to_backup": "/etc", **PLACE}
SCHEMA = jsonschema.Draft202012Validator(action_schema())

IMPOSSIBLE = [
    ({**ETC, "max_level": "six"}, "max_level has to be a whole number, and is 'six' (in freezer_action.max_level)"),
    ({**ETC, "max-level": True}, "max-level has to be a whole number, and is True (in freezer_action.max-level)"),
    ({**ETC, "storage": "s4"}, "storage has to be one of local, swift, and is 's4' (in freezer_action.storage)"),
    ({**ETC, "mode": "glance"}, "mode has to be one of fs,"),
    ({**ETC, "mode": "sqlserver"}, "mode has to be one of fs,"),
    ({**ETC, "compression": "rar"}, "compression has to be one of"),
    ({**ETC, "overwrite": "maybe"}, "overwrite has to be true or false"),
    ({**ETC, "exclude": {"a": 1}}, "exclude has to be a text (in freezer_action.exclude)"),
    ({**ETC, "backup_name": ["a"]}, "backup_name has to be a text"),
    ({**ETC, "storages": "local"}, "storages has to be a list of storages"),
    ({**ETC, "storages": [{"storage": "s4"}]}, "is 's4' (in freezer_action.storages.0.storage)"),
    ({**ETC, "storages": [{"container": {}}]}, "container has to be a text (in freezer_action.storages.0.container)"),
    ({**ETC, "freezer_action": {"action": "exec"}}, "cannot have another one in it (in freezer_action.freezer_action)"),
    ({"action": "backup"}, "path_to_backup is missing: say which folder, file, server or volume to back up (in"),
    ({"action": "backup", "path_to_backup": ""}, "path_to_backup is missing"),
    ({}, "path_to_backup is missing"),
    (
        {"path_to_bakup": "/x"},
        "to back up. 'path_to_bakup' is no option; did you mean path_to_backup? (in freezer_action)",
    ),
    ({"action": "restore", "restore_abs_pth": "/x"}, "'restore_abs_pth' is no option; did you mean restore_abs_path?"),
    ({"action": "restore", **PLACE}, "restore_abs_path is missing"),
    ({"action": "exec"}, "An exec needs either command, a text or a list of words, or script"),
    ({"action": "exec", "script": "relative"}, "script has to be the absolute path of a file"),
    ({"action": "exec", "command": "a 'b"}, "command cannot be split into words"),
    (
        {"action": "fly"},
        "action is 'fly'; it must be one of backup, restore, verify, info, list, find, history, diff, admin, exec (in",
    ),
]


@pytest.mark.parametrize(("action", "sentence"), IMPOSSIBLE, ids=str)
def test_what_no_agent_could_do_is_refused_with_the_place_of_the_value(action, sentence):
    with pytest.raises(DocumentError) as refused:
        check_action(action)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "action", [action for action, _sentence in IMPOSSIBLE if action.get("command") is None], ids=str
)
def test_the_contract_forbids_what_is_refused(action):
    assert not SCHEMA.is_valid({key.replace("-", "_"): value for key, value in action.items()})


UNKNOWN = [
    ({"path_to_bakup": "/x"}, "The option 'path_to_bakup' is not known to this release (in freezer_action). Did you mean path_to_backup?"),
    ({"invented": {"a": [1]}}, "The option 'invented' is not known to this release (in freezer_action)."),
    ({"storage": "s3"}, "The agent of this release has no storage s3, agents of Freezer do (in freezer_action.storage)."),
    ({"storage": "ssh", "ssh_key": "/k"}, "The agent of this release cannot do what ssh_key asks for, agents of Freezer can"),
    ({"engine": "rsyncv2"}, "The agent of this release has no engine rsyncv2"),
    ({"encryption": "age"}, "encrypt_pass_file is not given, so the node has to say it, or the agent refuses this (in"),
    ({"encryption_recipients": "age1x", "encryption": "aes-256-cfb"}, "refuses this: encryption_recipients cannot be combined with encryption aes-256-cfb"),
    ({"encryption_recipients": ["age1x", "AGE-SECRET-KEY-1X"]}, "refuses this: encryption_recipients has no public key in place 2"),
    ({"signing_key": "key"}, "refuses this: signing_key has to be the absolute path"),
    ({"storages": [{"storage": "s3", "container": "c"}]}, "does not have all of these storages"),
    ({"storages": [{"storage": "local"}], "container": ""}, "refuses this: container is missing"),
    ({"src_file": "/other"}, "refuses this: path_to_backup and src_file are one option and ask for different things"),
    ({"nova_inst_id": "5"}, "refuses this: path_to_backup is nothing that nova_inst_id"),
    ({"remove_older_than": 3}, "refuses this: remove_older_than belongs to an action admin of its own"),
    ({"init": True}, "refuses this in a job: init takes a container as it is"),
    ({"mode": "mysql"}, "snapshot is not given, so the node has to say it, or the agent refuses this (in"),
    ({"container": ""}, "container is not given, so the node has to say it, or the agent refuses this (in"),
    ({"backup_name": None}, "backup_name is not given, so the node has to say it, or the agent refuses this (in"),
    ({"action": "list", "backup_name": None}, "backup_name is not given, so the node has to say it, or the agent refuses this (in"),
    ({"action": "find"}, "include is not given, so the node has to say it, or the agent refuses this (in"),
    ({"action": "history"}, "path is not given, so the node has to say it, or the agent refuses this (in"),
    ({"action": "restore", "restore_abs_path": "/x", "path_to_backup": None, "salvage": True, "delete": True},
     "refuses this: salvage cannot be combined with delete"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "sentence"), UNKNOWN, ids=str)
def test_what_this_release_does_not_do_is_told_and_not_refused(more, sentence):
    warnings = check_action({**ETC, **more})
    assert any(sentence in warning for warning in warnings), warnings
    # The action is stored, so a warning must not say that nothing was done.
    assert "othing was done" not in "".join(warnings)
    assert SCHEMA.is_valid({**ETC, **more})


REFUSED = [
    {"container": "relative"},
    {"storages": [{"storage": "local", "container": "relative"}]},
    {"storages": [{"storage": "local", "container": "/a"}, {"storage": "local", "container": "/a"}]},
    {"backup_name": "../n"},
    {"backup_name": "n" * 121},
    {"hostname": "a/b"},
    {"nova_inst_id": "5", "path_to_backup": "/etc"},
    {"backup_id": "abcd", "restore_from_date": "2026-11-22"},
    {"osrc": "/root/openrc", "cloud": "home"},
    {"osrc": "openrc"},
    {"restore_abs_path": "new"},
    {"storages": [{"storage": "swift", "container": "c", "osrc": "openrc"}]},
]


@pytest.mark.parametrize("what", ["backup", "restore", "verify", "admin"])
@pytest.mark.parametrize("more", REFUSED, ids=str)
def test_what_the_agent_refuses_is_told_in_its_own_words_where_it_is_stored(what, more, tmp_path):
    source = {"backup": {"path_to_backup": "/etc"}, "restore": {"restore_abs_path": str(tmp_path)}}.get(what, {})
    action = {"action": what, **PLACE, **source, **more}
    work = agent.prune if what == "admin" else getattr(agent, what)
    with pytest.raises(OptionError) as refused:
        work({key: value for key, value in action.items() if key != "action"})
    assert check_action(action) == [
        f"The agent of this release refuses this: {str(refused.value).rstrip('.')} (in freezer_action)."
    ]


@pytest.mark.parametrize(
    "action",
    [
        ETC,
        {**ETC, "max_level": "6", "exclude": ["*.log"], "max_segment_size": "64M", "snapshot": True},
        {**ETC, "action": "verify", "check": "restore"},
        {**ETC, "action": "admin", "remove_older_then": "30"},
        {"action": "restore", "restore_abs_path": "/x", "restore_from_date": "2026-11-22T08:30:00", **PLACE},
        {"action": "info", "storage": "local"},
        {"action": "exec", "command": "true"},
        {"action": "exec", "script": "/bin/true", "arguments": ["a"]},
        {"action": "backup", "nova_inst_id": "5", "mode": "nova", **PLACE},
        # As Freezer's clients send them: null, false and empty texts for what is not given, and the node's own keys.
        {**ETC, "hostname": False, "always_level": False, "remove_older_than": None, "encrypt_pass_file": "", "priority": None},
        # What is for other verbs is passed over: the defaults of a job are in all of its actions.
        {**ETC, "overwrite": True, "command": "true", "script": "/bin/true", "arguments": ["a"], "restore_abs_path": "/x"},
        {**ETC, "log_file": "/var/log/freezer", "quiet": True, "metadata_out": "-", "config": "/etc/x"},
    ],
    ids=str,
)  # fmt: skip
def test_what_the_agent_does_needs_no_remark(action):
    assert check_action(action) == []
    parse_options({key: value for key, value in action.items() if key != "action"}).refuse_for(action["action"])
    assert SCHEMA.is_valid(action)


def test_the_place_of_an_action_in_its_job_is_told():
    with pytest.raises(DocumentError, match=r"\(in job_actions\.3\.freezer_action\.max_level\)$"):
        check_action({**ETC, "max_level": "six"}, "job_actions.3.freezer_action")


def test_the_defaults_of_a_job_are_for_all_of_its_actions():
    """Also for one that runs a command, to which a compression means nothing."""
    defaults = {"compression": "zstd", "encrypt_pass_file": "/k", "always_level": 3, **PLACE, "log_file": "/x"}
    expanded = with_action_defaults(
        {"action_defaults": defaults, "job_actions": [{"freezer_action": {"action": "exec", "command": "echo a"}}]}
    )
    action = expanded["job_actions"][0]["freezer_action"]
    assert words_of(action) == ["echo", "a"]
    check_action(action)
    with pytest.raises(OptionError, match="'comand' is not one of an exec"):
        words_of({**action, "comand": "b"})
