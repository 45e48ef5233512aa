# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of Ansible without what went as it should."""

from __future__ import annotations

DOCUMENTATION = r"""
name: brief
type: stdout
short_description: The default output without tasks that went as they should
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
description:
  - Shows plays, failures, warnings and the recap as P(ansible.builtin.default#callback) does, and what the playbooks of this collection
    say themselves, and leaves out tasks that are ok, changed, included or skipped.
  - A run of C(freezer.backup.backup) over many hosts fits a screen with it.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in the configuration, C(ANSIBLE_STDOUT_CALLBACK=freezer.backup.brief)
"""

from typing import Any

from ansible.plugins.callback.default import CallbackModule as Default


class CallbackModule(Default):  # type: ignore[misc]  # a class of Ansible has no types
    """The callback brief."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "freezer.backup.brief"

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        """Nothing: a task that fails shows its name then."""
        self._task_type_cache[task._uuid] = prefix or "TASK"

    def v2_runner_on_ok(self, result: Any) -> None:
        """Warnings only."""
        self._handle_warnings_and_exception(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Warnings only."""
        self._handle_warnings_and_exception(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Nothing."""

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """Nothing."""

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Nothing."""
