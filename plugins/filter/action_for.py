# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: action_for
short_description: What of an action document a module takes
description:
  - Takes a C(freezer_action), and returns the options of it that the module for a verb has, under their usual names.
  - An action may have keys for other verbs, such as C(compression) in an action that is restored too. The modules refuse them,
    so that a slip of the pen is found; this leaves them out. Keys that no module knows stay, and are refused.
  - What is empty is left out too.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  _input:
    description: The action.
    type: dict
    required: true
  verb:
    description: What the module does. The module for V(admin) is M(freezer.backup.prune).
    type: str
    required: true
    choices: [backup, restore, verify, admin]
positional: verb
seealso:
  - module: freezer.backup.backup
  - module: freezer.backup.verify
"""

EXAMPLES = r"""
- name: Prove what an action for a backup has made
  freezer.backup.verify:
  module_defaults:
    freezer.backup.verify: "{{ lookup('ansible.builtin.file', 'nightly.json') | from_json | freezer.backup.action_for('verify') }}"
"""

RETURN = r"""
_value:
  description: The options.
  type: dict
  sample: {backup_name: etc, storage: local, container: /srv/backups}
"""

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_verb import taken_by_module
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import MODULES
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import OptionError


def action_for(action: Any, verb: str) -> dict[str, Any]:
    """What the module for a verb takes of an action."""
    if not isinstance(action, Mapping):
        raise AnsibleFilterError(f"action_for needs an action, an object of keys, not {type(action).__name__}.")
    if verb not in MODULES:
        raise AnsibleFilterError(f"action_for needs one of {', '.join(MODULES)}, not {verb!r}.")
    try:
        return taken_by_module(verb, action)
    except OptionError as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"action_for": action_for}
