# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What schemathesis cannot know: that the action which a job names by its id alone has to exist."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """Whether a body can be sent."""
    actions = body.get("job_actions") if isinstance(body, dict) else None
    if not isinstance(actions, list):
        return True
    return not any(
        isinstance(action, dict) and "freezer_action" not in action and "action_id" in action for action in actions
    )
