# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a backup reaches, as its task says it: what it does not need need not be copied to the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.row import FILES
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError


def is_local(options: Mapping[str, Any]) -> bool:
    """Whether the options of a backup read files as they are and keep them in folders of the host.

    False also where that cannot be told from here: the environment of the host may choose, or an option is wrong.
    """
    try:
        asked = parse_options(options)
        kinds = {kind for kind, _container in asked.places(environ={})}
    except FreezerError:
        return False
    return kinds == {"local"} and asked.backup_media == FILES and asked.mode == FILES and not asked.wants_snapshot
