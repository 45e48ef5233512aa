# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fails with a sentence where Python is too old for everything else here. Modules import it before anything of ours.

ansible-core 2.19 still runs modules with Python 3.8, which stops at the first ``dict[str, Any]``. What stands here has to
be understood by it, and AnsibleModule may not be there yet.
"""

from __future__ import annotations

import json
import sys

if sys.version_info < (3, 9):  # noqa: UP036 - what this is for
    _SENTENCE = (
        f"freezer.backup needs Python 3.9 or later on the host, and {sys.executable} is Python {sys.version.split()[0]}. "
        "Name another one in ansible_python_interpreter."
    )
    sys.stdout.write(json.dumps({"failed": True, "msg": _SENTENCE}))
    raise SystemExit(1)
