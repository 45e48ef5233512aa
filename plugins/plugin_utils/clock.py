# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a host's clock is from the controller's: asked several times, of which the quickest answer counts."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from ansible.errors import AnsibleActionFail

#: How often a host is asked where nothing else is said.
TRIES = 4


class _Reading(NamedTuple):
    """What the host's clock showed, between two moments of the controller's, all in seconds since 1970."""

    before: float
    shown: float
    after: float

    @property
    def offset_seconds(self) -> float:
        return self.shown - (self.before + self.after) / 2

    @property
    def error_seconds(self) -> float:
        """It was shown at some moment in between, which is not known."""
        return (self.after - self.before) / 2


def measure(action: Any, tries: int = TRIES) -> dict[str, float]:
    """Ask the host that an action works on. Raises AnsibleActionFail where it does not say its time."""
    best = min((_read(action) for _try in range(max(1, tries))), key=lambda reading: reading.error_seconds)
    return {"offset_seconds": round(best.offset_seconds, 6), "error_seconds": round(best.error_seconds, 6)}


def _read(action: Any) -> _Reading:
    before = time.time()
    answer = action._low_level_execute_command("date +%s.%N", sudoable=False)
    after = time.time()
    said = answer.get("stdout", "").strip()
    try:
        return _Reading(before, float(said), after)
    except ValueError:
        reason = said or answer.get("stderr", "").strip() or f"nothing, and status {answer.get('rc')}"
        raise AnsibleActionFail(
            f"The host's clock cannot be read: `date +%s.%N` says {' '.join(reason.split())[:200]}."
        ) from None
