# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that Ansible cannot know by the options that they stand in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import without_secrets

try:
    from ansible.module_utils.secrets import register_secrets
except ImportError:  # before ansible-core 2.22
    register_secrets = None


def mask(module: AnsibleModule, values: Iterable[str]) -> None:
    """Let Ansible blot values out of all that it shows.

    ansible-core 2.22 does it where results are shown, and looks for what was registered; before, a module did it itself when
    it returned.
    """
    found = set(values)
    module.no_log_values.update(found)
    if register_secrets is not None:
        register_secrets(found)


class DiscreetModule(AnsibleModule):
    """A module that repeats its options with asterisks for secrets.

    Ansible refuses options that it does not know before the module has a say, and returns all of them with that.
    """

    def exit_json(self, **kwargs: Any) -> NoReturn:
        super().exit_json(invocation=self._invocation(), **kwargs)

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        super().fail_json(msg, invocation=self._invocation(), **kwargs)

    def _invocation(self) -> dict[str, Any]:
        return {"module_args": without_secrets(self.params)}
