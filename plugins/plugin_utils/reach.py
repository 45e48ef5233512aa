# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that does an action. What it does not need need not be copied to the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.row import FILES
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import MODULES
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError


def module_for(verb: str, options: Mapping[str, Any]) -> str:
    """The name of the module for a verb: for a backup the small one where it can do what the options ask for."""
    return f"freezer.backup.{'backup_local' if verb == 'backup' and is_local(options) else MODULES[verb]}"


def is_local(options: Mapping[str, Any]) -> bool:
    """Whether the options of a backup read files as they are and keep them in folders of the host.

    False also where that cannot be told from here: the environment of the host may choose, or an option is wrong.
    """
    try:
        asked = parse_options(options)
        kinds = {kind for kind, _container in asked.locations(environ={})}
    except FreezerError:
        return False
    return kinds == {"local"} and asked.backup_media == FILES and asked.mode == FILES and not asked.wants_snapshot
