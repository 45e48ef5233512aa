# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One call of the engine in a process of its own, as a module makes it: `ours.py backup|restore|verify|list ACTION`.

ACTION is a freezer_action as JSON; the result is printed as JSON. `list` prints the name of each entry first, in lines.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def _done(verb: str, action: dict[str, Any]) -> dict[str, Any]:
    # As a module, each verb imports what it needs.
    if verb == "backup":
        from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.backup import backup

        return backup(action)
    if verb == "restore":
        from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.restore import restore

        return restore(action)
    if verb == "verify":
        from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.verify import verify

        return verify(action)
    from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.contents import read_contents

    return read_contents(action, "list", lambda entry: print(entry["path"]))


json.dump(_done(sys.argv[1], json.loads(sys.argv[2])), sys.stdout)
