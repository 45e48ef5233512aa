# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that does a backup: the small one where files go to folders of the host, else the one that can do everything."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

from ansible_collections.freezer.backup.plugins.plugin_utils.reach import module_for


class ActionModule(ActionBase):
    """The action backup."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run a module on the host as Ansible runs those that have no action of their own."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        module = module_for("backup", self._task.args)
        in_background = self._task.async_val and not self._connection.has_native_async
        done = self._execute_module(module_name=module, task_vars=task_vars, wrap_async=in_background)
        if not in_background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return merge_hash(result, done)  # type: ignore[no-any-return]
