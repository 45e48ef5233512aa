# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tree_differences
short_description: What distinguishes two folders of the controller
description:
  - Compares two folders with all they hold, by names, types, contents, modes, owners, modification times, link
    targets, hard links, extended attributes and ACLs. Sockets are left out.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  _input:
    description: The path of the first folder.
    type: path
    required: true
  other:
    description: The path of the second folder.
    type: path
    required: true
  owner:
    description: Whether to compare owners, which only root can restore. By default they are compared for root.
    type: bool
positional: other
"""

EXAMPLES = r"""
- name: Stop unless a restored folder is what was backed up
  ansible.builtin.assert:
    that: "'/srv/data' | freezer.backup.tree_differences('/srv/restored') | length == 0"
"""

RETURN = r"""
_value:
  description: A line for every path that differs, empty if the folders are alike.
  type: list
  elements: str
"""

import os
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import tree_comparison


def tree_differences(first: str, other: str, owner: bool | None = None) -> list[str]:
    """The engine's comparison of two trees."""
    for path in (first, other):
        if not os.path.isdir(path):
            raise AnsibleFilterError(f"tree_differences compares folders, and {path} is not one.")
    return tree_comparison.differences(first, other, owner=os.geteuid() == 0 if owner is None else owner)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Their names."""
        return {"tree_differences": tree_differences}
