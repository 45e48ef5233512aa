# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: event_line
short_description: Write one line about a step of a run
description:
  - Shows a line about a step of a workflow, and appends it to a file of JSON lines on the controller.
  - The playbooks C(backup), C(restore), C(remove_backup) and C(finalize) write their log with it; hooks may use it too.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  step:
    description: The step.
    type: str
    required: true
  event:
    description: What happened.
    type: str
    choices: [done, failed, note, skipped, start]
    required: true
  workflow:
    description: The workflow of the step.
    type: str
    default: ""
  run:
    description: The name of the run.
    type: str
    default: ""
  details:
    description: More keys for the line. No secrets.
    type: dict
    default: {}
  path:
    description: The file on the controller to append to. Without it the line is shown only.
    type: path
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.on_controller
"""

EXAMPLES = r"""
- name: Say in the log of the run what this hook does
  freezer.backup.event_line:
    step: snapshot
    event: note
    run: "{{ freezer_run.snapshot_name }}"
    details:
      volume: data
    path: /var/log/freezer-events.jsonl
"""

RETURN = r"""
line:
  description: The line as it was written.
  returned: success
  type: dict
  sample: {at: "2026-11-25T14:00:00.000+00:00", workflow: backup, run: backup-1795337766, host: db1, step: freeze, event: done}
"""
