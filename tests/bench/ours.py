# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One call of the engine in a process of its own, as freezer-agent makes it: `ours.py backup|restore|verify ACTION`.

ACTION is a freezer_action as JSON; the result is printed as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent

WORK: dict[str, Callable[..., dict[str, Any]]] = {
    "backup": agent.backup,
    "restore": agent.restore,
    "verify": agent.verify,
}
json.dump(WORK[sys.argv[1]](json.loads(sys.argv[2])), sys.stdout)
