# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: dependency_waves
short_description: Hosts in waves, each after those that it needs
description:
  - Puts names into lists. What is in one needs only what is in the lists before it, so that all of a list can be started at
    the same time; the other way around they can be stopped.
  - Names that are needed and not among those given are left out. A circle is an error that names who is in it.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  _input:
    description: The names.
    type: list
    elements: str
    required: true
  needs:
    description: For a name those that it needs. Names that need nothing may be missing.
    type: dict
    required: true
positional: needs
"""

EXAMPLES = r"""
- name: See in which order hosts are started
  ansible.builtin.debug:
    msg: "{{ ['web1', 'web2', 'db1'] | freezer.backup.dependency_waves({'web1': ['db1'], 'web2': ['db1']}) }}"
"""

RETURN = r"""
_value:
  description: The waves.
  type: list
  elements: list
  sample: [[db1], [web1, web2]]
"""

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def dependency_waves(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The names in waves, in the order in which they were given within each."""
    missing = {name: set(needs.get(name) or ()) & set(names) for name in names}
    waves: list[list[str]] = []
    while missing:
        wave = [name for name, needed in missing.items() if not needed]
        if not wave:
            raise AnsibleFilterError(f"Each of these needs another one of them: {', '.join(sorted(missing))}.")
        waves.append(wave)
        missing = {name: needed - set(wave) for name, needed in missing.items() if needed}
    return waves


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"dependency_waves": dependency_waves}
