# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: role_settings
short_description: The variables of a role of this collection, where an empty one means its default
description:
  - For the roles of this collection themselves, which read their variables through it.
  - An empty text, or none, means the default of the role. AWX hands over an empty text where a question of a survey was not
    answered, and as an extra variable, which goes before all other variables.
  - Texts become what the role expects, V(9090) a number and V(false) a boolean, since a survey may have texts only.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  _terms:
    description: The names of the roles, such as V(api).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show where the API would listen
  ansible.builtin.debug:
    msg: "{{ settings.bind_host }} {{ settings.bind_port }}"
  vars:
    settings: "{{ lookup('freezer.backup.role_settings', 'api') }}"
    freezer_api_bind_port: ""
"""

RETURN = r"""
_list:
  description: For every role, its variables by name, without the prefix that they have in common.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.lookup import LookupBase

_ROLES = Path(__file__).resolve().parents[2] / "roles"
#: The type of an option of type raw, by that of its default. An option of another type could not be empty.
_TYPES = ((bool, "bool"), (int, "int"), (float, "float"), (dict, "dict"))


class LookupModule(LookupBase):
    """The variables of roles, by the names of the roles."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Look at the variables as they are now. Raises AnsibleLookupError for a value that cannot be meant."""
        self.set_options(var_options=variables, direct=kwargs)
        return [self._settings(role, variables) for role in terms]

    def _settings(self, role: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        specs = self._loader.load_from_file(str(_ROLES / role / "meta" / "argument_specs.yml"))["argument_specs"]
        defaults = self._loader.load_from_file(str(_ROLES / role / "defaults" / "main.yml"), trusted_as_template=True)
        options = {name: option for spec in specs.values() for name, option in spec["options"].items()}
        given = {name: variables[name] for name in options if not self._is_empty(variables.get(name))}
        # A default may be made of other variables, which may be empty too.
        wanted = {**variables, **{name: default for name, default in defaults.items() if name not in given}}
        templar = self._templar.copy_with_new_env(available_variables=wanted)
        values = templar.template({name: wanted[name] for name in options})
        checked = ArgumentSpecValidator({name: _strict(option) for name, option in options.items()}).validate(values)
        if checked.error_messages:
            raise AnsibleLookupError(" ".join(f"{message.rstrip('.')}." for message in checked.error_messages))
        prefix = f"{role}_" if next(iter(options)).startswith(f"{role}_") else f"freezer_{role}_"
        return {
            name.removeprefix(prefix): checked.validated_parameters[name] if isinstance(value, str) else value
            for name, value in values.items()
        }

    def _is_empty(self, value: Any) -> bool:
        return value is None or (isinstance(value, str) and self._templar.template(value) in ("", None))


def _strict(option: Mapping[str, Any]) -> dict[str, Any]:
    """An option as it is when it is not empty."""
    kind = option.get("type", "str")
    if kind == "raw":
        kind = next((name for known, name in _TYPES if isinstance(option.get("default"), known)), "raw")
    # A path is one of the host, where ~ and $ mean something else than here.
    strict = {"type": "str" if kind == "path" else kind}
    if "elements" in option:
        strict["elements"] = option["elements"]
    if "choices" in option:
        strict["choices"] = [choice for choice in option["choices"] if choice != ""]
    return strict
