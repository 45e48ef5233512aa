# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of roles: an empty one, such as a survey of AWX sends, is the same as none."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.freezer.backup.plugins.lookup.role_settings import LookupModule

ROLES = Path(__file__).resolve().parents[3] / "roles"
NAMES = ("agent", "api", "hooks", "scheduler")
LOADER = DataLoader()


def _specs(role: str) -> dict[str, Any]:
    return LOADER.load_from_file(str(ROLES / role / "meta/argument_specs.yml"))["argument_specs"]


def _defaults(role: str) -> dict[str, Any]:
    return LOADER.load_from_file(str(ROLES / role / "defaults/main.yml"), trusted_as_template=True)


def _options(role: str) -> dict[str, Any]:
    return {name: option for spec in _specs(role).values() for name, option in spec["options"].items()}


def _settings(role: str, **given: Any) -> dict[str, Any]:
    variables = {**_defaults(role), **given}
    return LookupModule(loader=LOADER, templar=Templar(loader=LOADER, variables=variables)).run([role], variables)[0]


@functools.cache
def _unset(role: str) -> dict[str, Any]:
    return _settings(role)


EVERY = [(role, name) for role in NAMES for name in _options(role)]


@pytest.mark.parametrize(("role", "name"), EVERY)
def test_an_empty_variable_of_a_role_means_its_default(role, name):
    for empty in ("", None):
        assert _settings(role, **{name: empty}) == _unset(role)
    # Ansible itself checks it before the role begins.
    for spec in _specs(role).values():
        if name in spec["options"]:
            checked = ArgumentSpecValidator(spec["options"]).validate({name: ""}, validate_role_argument_spec=True)
            assert [error for error in checked.error_messages if name in error] == []


@pytest.mark.parametrize("role", NAMES)
def test_the_description_of_a_variable_says_its_type_where_raw_does_not(role):
    kinds = ((bool, "A boolean."), (int, "An integer."), (float, "A number."), (dict, "A dictionary."))
    for spec in _specs(role).values():
        for name, option in spec["options"].items():
            if option["type"] != "raw":
                continue
            said = option["description"] if isinstance(option["description"], str) else option["description"][-1]
            words = [word for kind, word in kinds if isinstance(option.get("default"), kind)][:1]
            assert said.strip().endswith(tuple(words or ("A number.", "A dictionary."))), name


@pytest.mark.parametrize("role", NAMES)
def test_all_variables_of_a_role_may_be_empty_at_once(role):
    for empty in ("", None, trust_as_template("{{ '' }}")):
        assert _settings(role, **dict.fromkeys(_options(role), empty)) == _unset(role)


@pytest.mark.parametrize("role", NAMES)
def test_a_role_has_one_default_for_each_variable_in_two_places(role):
    stated = {name: option["default"] for name, option in _options(role).items() if "default" in option}
    effective = _unset(role)
    prefix = f"{role}_" if role in ("agent", "hooks") else f"freezer_{role}_"
    assert set(_defaults(role)) == set(_options(role))
    assert {name: effective[name.removeprefix(prefix)] for name in stated} == stated


@pytest.mark.parametrize("role", NAMES)
def test_the_files_of_a_role_read_its_variables_where_the_empty_ones_have_their_defaults(role):
    """A variable that a task reads by its own name would still be empty."""
    direct = re.compile(rf"(?<![\w.])(?:{'|'.join(_options(role))})(?![\w:])")
    found = []
    for path in sorted((ROLES / role).rglob("*")):
        folder = path.relative_to(ROLES / role).parts[0]
        if path.suffix not in (".yml", ".j2") or folder not in ("tasks", "templates", "vars", "handlers"):
            continue
        text = path.read_text(encoding="utf-8")
        conditions = re.findall(r"^ *(?:when|that|until|failed_when|changed_when): (?![>\"]).*$", text, re.MULTILINE)
        for code in [*re.findall(r"\{[{%].*?[%}]\}", text, re.DOTALL), *conditions]:
            found += [(path.name, name) for name in direct.findall(re.sub(r"'[^']*'", "''", code))]
    assert found == []


def test_a_text_of_a_survey_becomes_what_the_role_expects():
    settings = _settings(
        "api",
        freezer_api_bind_port="8080",
        freezer_api_nginx="false",
        freezer_api_policy='{"clients:get_all": "!"}',
        freezer_api_allowed_hosts="a.example.org,b.example.org",
        freezer_api_data_dir="",
    )
    assert (settings["bind_port"], settings["nginx"]) == (8080, False)
    assert settings["policy"] == {"clients:get_all": "!"}
    assert settings["allowed_hosts"] == ["a.example.org", "b.example.org"]
    assert settings["store"] == "sqlite:////var/lib/freezer-api/api.db"
    assert _settings("scheduler", freezer_scheduler_interval_seconds=2)["interval_seconds"] == 2


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"freezer_api_bind_port": "many"}, "freezer_api_bind_port"),
        ({"freezer_api_state": "gone"}, "value of freezer_api_state must be one of: present, absent, got: gone."),
        ({"freezer_api_users": "admin"}, "freezer_api_users"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(variables, sentence):
    with pytest.raises(AnsibleLookupError, match=re.escape(sentence)):
        _settings("api", **variables)
