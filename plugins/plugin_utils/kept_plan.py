# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run, kept where no task of a hook writes: who is released must not depend on a fact that any hook can set.

It is a file in the temporary folder on the controller that each ansible-playbook has for itself and removes at its end.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible import constants


def keep(plan: dict[str, Any]) -> None:
    """Keep a plan, in place of an earlier one of this ansible-playbook. Raises OSError."""
    path = _path(str(plan["run"]["workflow"]))
    path.write_text(json.dumps(plan))


def recall(workflow: str) -> dict[str, Any]:
    """The plan of this workflow as it was kept. Raises OSError where there is none."""
    found: dict[str, Any] = json.loads(_path(workflow).read_text())
    return found


def _path(workflow: str) -> Path:
    # Of the process from which the workers come: they have the same folder.
    return Path(constants.DEFAULT_LOCAL_TMP) / f"freezer-plan-{os.path.basename(workflow)}.json"
