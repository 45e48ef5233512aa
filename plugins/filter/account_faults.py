# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: account_faults
short_description: What is wrong with accounts of freezer-api
description:
  - Says what the filter P(freezer.backup.htpasswd#filter) would refuse, without hashing or showing a password.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  _input:
    description: The accounts, as the option O(freezer.backup.htpasswd#filter:users) has them.
    type: dict
    required: true
seealso:
  - plugin: freezer.backup.htpasswd
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Check the accounts
  ansible.builtin.assert:
    that: faults | length == 0
    fail_msg: "{{ faults | join(' ') }}"
  vars:
    faults: "{{ users | freezer.backup.account_faults }}"
"""

RETURN = r"""
_value:
  description: A sentence for every account that something is wrong with. None has a password in it.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.freezer.backup.plugins.plugin_utils.account_options import faults_of


def account_faults(users: Mapping[str, Any]) -> list[str]:
    """A sentence for every account that something is wrong with."""
    return faults_of(users)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"account_faults": account_faults}
