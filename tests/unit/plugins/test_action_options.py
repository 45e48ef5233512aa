# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that backup, restore, verify and prune share: what they declare, what is documented, what the engine knows."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.freezer.backup.plugins.doc_fragments import _action, _media
from ansible_collections.freezer.backup.plugins.module_utils._engine.action import spec
from ansible_collections.freezer.backup.plugins.module_utils._module.host_module import action_spec

DECLARED = action_spec()
DOCUMENTED = {
    name: option
    for fragment in (_action, _media)
    for name, option in yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"].items()
}


def declared_by(option):
    """What documentation says of an option, in the form of an argument spec."""
    found = {key: value for key, value in option.items() if key not in ("description", "suboptions", "version_added")}
    if "suboptions" in option:
        found["options"] = {name: declared_by(inner) for name, inner in option["suboptions"].items()}
    return found


@pytest.mark.parametrize("name", sorted(DECLARED.keys() | DOCUMENTED.keys()))
def test_an_option_of_an_action_is_documented_as_it_is_declared(name):
    assert declared_by(DOCUMENTED[name]) == DECLARED[name]


def test_modules_take_every_option_of_the_engine_in_every_spelling():
    assert spec.OPTION_KEYS - set(DECLARED) == {"check", "compare_to"}, "verify declares its own"
    aliases = {alias for option in DECLARED.values() for alias in option.get("aliases", ())}
    assert aliases == set(spec.ALIASES)
