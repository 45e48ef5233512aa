# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of backup, restore, verify and prune: what they declare and document, by the table of options."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.doc_fragments._action import ModuleDocFragment
from ansible_collections.freezer.backup.plugins.filter.action_for import action_for
from ansible_collections.freezer.backup.plugins.module_utils._engine.action import options, spec
from ansible_collections.freezer.backup.plugins.module_utils._module.action_specs import action_spec, foreign_options

CHECKOUT = Path(__file__).resolve().parents[3]


def documented_by(verb):
    """The options that the fragments of a module have."""
    parts = [ModuleDocFragment.DOCUMENTATION, getattr(ModuleDocFragment, spec.MODULES[verb].upper())]
    found = [yaml.safe_load(part)["options"] for part in parts]
    assert not set(found[0]) & set(found[1])
    return {name: option for part in found for name, option in part.items()}


def declared_by(option):
    """What documentation says of an option, in the form of an argument spec."""
    found = {key: value for key, value in option.items() if key not in ("description", "suboptions", "version_added")}
    if "suboptions" in option:
        found["options"] = {name: declared_by(inner) for name, inner in option["suboptions"].items()}
    return found


@pytest.mark.parametrize("verb", spec.MODULES)
def test_a_module_documents_what_it_declares(verb):
    # Whether an option is a secret is not documented.
    declared = {
        name: {key: option[key] for key in option if key != "no_log"} for name, option in action_spec(verb).items()
    }
    assert {name: declared_by(option) for name, option in documented_by(verb).items()} == declared


@pytest.mark.parametrize("verb", spec.MODULES)
def test_a_module_takes_what_its_verb_takes_in_every_spelling_and_nothing_else(verb):
    declared = action_spec(verb)
    verbs = {other for other, module in spec.MODULES.items() if module == spec.MODULES[verb]}
    rows = {row.name: row for row in spec.rows() if verbs & set(row.verbs) and row.parser}
    assert set(declared) == {*rows, "action", "log_file"}
    assert {name: tuple(option.get("aliases", ())) for name, option in declared.items() if name in rows} == {
        name: tuple(row.aliases) for name, row in rows.items()
    }


@pytest.mark.parametrize("verb", spec.MODULES)
def test_defaults_of_a_module_mean_the_same_as_nothing(verb):
    defaults = {name: option["default"] for name, option in action_spec(verb).items() if "default" in option}
    assert len(defaults) > 3
    assert options.parse_options(defaults) == options.parse_options({})
    # Also where a server or a volume is meant.
    for medium, keys in spec.CLOUD_MEDIA.items():
        named = {keys[0]: "some", "storage": "swift"}
        assert options.parse_options({**defaults, **named}) == options.parse_options(named), medium


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        (
            "verify",
            {"keep_last": 1},
            "freezer.backup.verify does not take keep_last, which is for freezer.backup.prune;",
        ),
        (
            "backup",
            {"remove_older_then": 1},
            "backup does not take remove_older_then, which is for freezer.backup.prune;",
        ),
        (
            "prune",
            {"backup_id": "a"},
            "backup_id, which is for freezer.backup.restore, freezer.backup.verify and freezer.backup.backup_contents_info; leave it out.",
        ),
        (
            "backup",
            {"action": "restore"},
            "action is restore, and freezer.backup.backup was called; use freezer.backup.restore.",
        ),
        (
            "verify",
            {"action": "exec"},
            "action is exec, and freezer.backup.verify was called; no module of this collection",
        ),
        ("backup", {"command": "true"}, "freezer.backup.backup does not take command, which is for an action exec"),
        (
            "restore",
            {"path_to_backup": "/etc"},
            "path_to_backup says what a backup reads, and a restore has no use for it; leave it out",
        ),
    ],
)
def test_what_is_for_another_module_is_refused_with_its_name(verb, given, said):
    verb = {"prune": "admin"}.get(verb, verb)
    sentence = str(*foreign_options(verb, given).values())
    assert said in sentence
    assert sentence.endswith("Nothing was done.")


def test_what_is_empty_or_no_module_knows_is_not_refused_as_another_modules():
    given = {
        "keep_last": None,
        "path_to_backup": "",
        "exclude": False,
        "no_such": 1,
        "action": "nope",
        "check": "stream",
    }
    assert foreign_options("verify", given) == {"keep_last": "", "path_to_backup": "", "exclude": ""}
    assert foreign_options("admin", {"action": "admin", "min_age": 5, "_ansible_check_mode": True}) == {}


def test_of_an_action_document_the_module_for_a_verb_gets_what_it_takes():
    action = {
        "action": "backup",
        "backup-name": "etc",
        "src_file": "/etc",
        "compression": "zstd",
        "container": "/srv",
        "hostname": "",
        "keep_last": 3,
        "client_id": "db1",
        "no_such": 1,
    }
    assert action_for(action, "verify") == {"backup_name": "etc", "container": "/srv", "no_such": 1}
    assert action_for(action, "admin") == {"backup_name": "etc", "container": "/srv", "keep_last": 3, "no_such": 1}
    assert action_for(action, "backup")["path_to_backup"] == "/etc"
    assert action_for(action, "backup")["action"] == "backup"
    with pytest.raises(AnsibleFilterError, match="^backup-name and backup_name are one option and ask for"):
        action_for({**action, "backup_name": "home"}, "verify")
    for wrong in (([], "verify"), ({}, "exec")):
        with pytest.raises(AnsibleFilterError, match="action_for needs"):
            action_for(*wrong)


def test_the_fragments_are_what_the_table_says():
    checked = subprocess.run(
        [sys.executable, CHECKOUT / "tools/fragments.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("verb", spec.MODULES)
def test_of_a_document_with_every_key_in_every_spelling_a_module_takes_what_the_filter_selects(verb):
    document = {name: "x" for name in (*spec.BY_NAME, *spec.ALIASES) if name != "action"}
    taken = action_for(document, verb)
    assert set(taken) <= set(action_spec(verb))
    assert not foreign_options(verb, taken)


@pytest.mark.parametrize("verb", spec.MODULES)
def test_a_module_calls_none_of_its_own_options_those_of_a_module(verb):
    own = documented_by(verb)
    said = " ".join(text for option in own.values() for text in option["description"])
    assert not set(re.findall(r"O\(freezer\.backup\.\w+#module:(\w+)", said)) & set(own)
    assert "several times" not in said
    assert not re.search(r"Without it (no\b|V\()", said)
