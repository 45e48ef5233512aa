# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for all modules that keep documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ETC = {"action": "backup", "path_to_backup": "/etc", "backup_name": "etc", "storage": "local", "container": "/backups"}
HOME = {**ETC, "path_to_backup": "/home", "backup_name": "home"}

# module, its options, and other options for the same document
LIVES: list[Any] = [
    pytest.param(
        "client",
        {"client_id": "db1.example.org", "hostname": "db1.example.org", "description": "old"},
        {"client_id": "db1.example.org", "description": "new", "supported_storages": ["local"]},
        id="client",
    ),
    pytest.param(
        "action",
        {"action_id": "etc", "freezer_action": ETC, "max_retries": 2},
        {"action_id": "etc", "freezer_action": {**ETC, "max_level": 3}, "mandatory": True},
        id="action",
    ),
    pytest.param(
        "job",
        {
            "job_id": "nightly",
            "client_id": "db1",
            "description": "old",
            "job_actions": [{"freezer_action": ETC}, {"freezer_action": HOME, "max_retries": 1}],
            "job_schedule": {"schedule_interval": "1 days"},
        },
        {
            "job_id": "nightly",
            "description": "new",
            "job_actions": [{"freezer_action": {**ETC, "max_level": 3}, "mandatory": True}],
            "job_schedule": {"schedule_interval": "2 days"},
        },
        id="job",
    ),
    pytest.param(
        "session",
        {"session_id": "shop", "description": "old", "schedule": {"schedule_interval": "1 days"}, "hold_off": 10},
        {"session_id": "shop", "description": "new", "schedule": {"schedule_interval": "2 days"}},
        id="session",
    ),
]


@pytest.mark.parametrize(("module", "options", "others"), LIVES)
def test_a_document_is_made_once_changed_once_and_removed_once(api, module, options, others):
    made = api.run_as_checked(module, **options)
    assert made["changed"]
    assert made["diff"]["before"] == {}
    assert not api.run_as_checked(module, **options)["changed"]

    changed = api.run_as_checked(module, **others)
    assert changed["changed"]
    assert changed["diff"]["before"] != changed["diff"]["after"]
    assert not api.run_as_checked(module, **others)["changed"]

    removed = api.run_as_checked(module, **{f"{module}_id": options[f"{module}_id"], "state": "absent"})
    assert removed["changed"]
    assert removed[module] is None
    assert removed["diff"]["after"] == {}
    again = api.run_as_checked(module, **{f"{module}_id": options[f"{module}_id"], "state": "absent"})
    assert not again["changed"]


@pytest.mark.parametrize(("module", "options", "others"), LIVES)
def test_what_check_mode_returns_is_what_will_be_stored(api, module, options, others):
    for wanted in (options, others):
        promised = api.check(module, **wanted)[module]
        stored = api.run(module, **wanted)[module]
        for key in wanted.keys() - {"job_actions", "schedule", "job_schedule"}:
            assert promised[key] == stored[key]
        assert promised.keys() <= stored.keys()


@pytest.mark.parametrize(("module", "options", "others"), LIVES)
def test_a_document_as_info_returns_it_changes_nothing_when_it_is_handed_back(api, module, options, others):
    api.run(module, **options)
    plural = module + "s"
    (document,) = api.run(f"{module}_info", **{f"{module}_id": options[f"{module}_id"]})[plural]
    result = api.run_as_checked(module, **document)
    assert not result["changed"], result["diff"]


@pytest.mark.parametrize(("module", "options", "others"), LIVES)
def test_version_1_of_the_api_knows_the_same_documents(api, module, options, others):
    first = {**options, "api_version": 1, f"{module}_id": f"{options[module + '_id']}-{api.project_id[-8:]}"}
    assert api.run_as_checked(module, **first)["changed"]
    (document,) = api.run(f"{module}_info", api_version=1, **{f"{module}_id": first[f"{module}_id"]})[module + "s"]
    assert not api.run_as_checked(module, **{**document, "api_version": 1})["changed"]
    gone = {"api_version": 1, f"{module}_id": first[f"{module}_id"], "state": "absent"}
    assert api.run_as_checked(module, **gone)["changed"]


@pytest.mark.parametrize("module", ["action", "session"])
def test_without_an_id_the_description_says_which_one_is_meant(api, module):
    part = {"freezer_action": ETC} if module == "action" else {"schedule": {"schedule_interval": "1 days"}}
    made = api.run_as_checked(module, description="the one", **part)
    again = api.run_as_checked(module, description="the one", **part)
    assert made["changed"]
    assert not again["changed"]
    assert made[f"{module}_id"] == again[f"{module}_id"]
    assert api.run(module, description="the one", state="absent")["changed"]
    assert api.run(f"{module}_info")[f"{module}s"] == []


@pytest.mark.parametrize(
    ("module", "options", "sentence"),
    [
        ("client", {}, "one of the following is required: client_id, hostname"),
        ("client", {"client_id": "no such host!"}, "client_id is 'no such host!', which is no id"),
        ("action", {"freezer_action": ETC}, "Which action is meant? Give action_id, or description"),
        ("action", {"action_id": "a b", "freezer_action": ETC}, "action_id is 'a b', which is no id"),
        ("action", {"action_id": "etc"}, "There is no action etc yet, and freezer_action must be given to create it."),
        (
            "action",
            {"action_id": "etc", "freezer_action": {"action": "fly"}},
            "action is 'fly'; it must be one of backup, restore, verify, info, list, find, history, diff, admin, exec (in freezer_action.action).",
        ),
        (
            "job",
            {"client_id": "db1", "job_actions": []},
            "Which job is meant? Give job_id, or client_id and description",
        ),
        (
            "job",
            {"job_id": "j", "client_id": "db1"},
            "There is no job j yet, and job_actions must be given to create it.",
        ),
        ("job", {"job_id": "j", "job_schedule": {"schedule_interval": "often"}}, "schedule_interval is 'often'"),
        ("job", {"job_id": "j", "job_schedule": {"schedule_hour": "25"}}, "schedule_hour is '25'"),
        ("job", {"job_id": "j", "job_schedule": {"schedule_date": "tomorrow"}}, "schedule_date is 'tomorrow'"),
        ("job", {"job_id": "j", "action_defaults": {}}, "'action_defaults': job_actions"),
        ("session", {"session_id": "s"}, "There is no session s yet, and schedule must be given to create it."),
        ("session", {"session_id": "s", "schedule": {"schedule_minute": "61"}}, "schedule_minute is '61'"),
        ("session", {"session_id": "s", "schedule": {}, "jobs": "all"}, "it must be a list of job ids"),
        ("session", {"session_id": "s", "schedule": {}, "jobs": ["nobody"]}, "There is no job nobody"),
    ],
)
def test_bad_input_is_one_sentence_in_check_mode_too(api, module, options, sentence):
    assert sentence in api.sentence(module, **options)


def test_no_module_of_the_registry_returns_a_secret(api):
    secret = {**ETC, "storage": "ssh", "ssh_password": "s3cret-word"}
    actions = [{"freezer_action": secret}]
    backup = {"container": "c", "hostname": "h", "backup_name": "b", "time_stamp": 1, "ssh_password": "s3cret-word"}
    calls = [
        ("client", {"client_id": "db1"}),
        ("action", {"action_id": "etc", "freezer_action": secret}),
        ("job", {"job_id": "j", "client_id": "db1", "job_actions": actions}),
        ("job_set", {"jobs": [{"job_id": "k", "client_id": "db1", "job_actions": actions}]}),
        ("job_status", {"job_id": "j", "status": "running"}),
        ("job_event", {"job_id": "j", "event": "stop"}),
        ("session", {"session_id": "s", "schedule": {}, "jobs": ["j"]}),
        ("session_action", {"session_id": "s", "action": "start", "job_id": "j", "current_tag": 0}),
        ("backup_record", {"backup_metadata": backup}),
        *((f"{kind}_info", {}) for kind in ("client", "action", "job", "session", "backup")),
        ("job", {"job_id": "j", "state": "absent"}),
    ]
    folder = Path(__file__).parents[3] / "plugins" / "modules"
    of_registry = {path.stem for path in folder.glob("*.py") if "RegistryModule(" in path.read_text()}
    assert {module for module, _options in calls} == of_registry
    results = [(module, api.run(module, **options)) for module, options in calls]
    results.append(("job", api.attempt("job", job_id="a b", job_actions=actions)))
    assert [module for module, result in results if "s3cret-word" in str(result)] == []
    (status,) = [result for module, result in results if module == "job_status"]
    assert status["job"]["job_actions"][0]["freezer_action"]["ssh_password"] == "********"


def test_the_mask_of_a_secret_means_the_secret_that_is_stored(api):
    secret = {**ETC, "ssh_password": "s3cret-word"}
    api.run("action", action_id="etc", freezer_action=secret)
    (shown,) = api.run("action_info", action_id="etc")["actions"]
    assert shown["freezer_action"]["ssh_password"] == "********"

    assert not api.run("action", action_id="etc", freezer_action=shown["freezer_action"])["changed"]
    assert api.run("action", action_id="etc", freezer_action={**shown["freezer_action"], "max_level": 1})["changed"]
    stored = api.registry.actions.get("etc")
    assert stored is not None
    assert stored["freezer_action"] == {**secret, "max_level": 1}

    message = api.sentence("action", action_id="other", freezer_action=shown["freezer_action"])
    assert "ssh_password is the mask that stands for a secret" in message
