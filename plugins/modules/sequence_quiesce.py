# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sequence_quiesce
short_description: Quiesce a host as a step of a run over several
description:
  - Takes the step C(prepare) or C(freeze) of a host that has no hooks in it, with M(freezer.backup.freeze), tries again where it fails, and
    tells the log. A part of the playbooks C(backup) and C(restore).
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  step:
    description: The step. V(clock) measures how far the host's clock is from the controller's, as M(freezer.backup.clock_offset) does.
    type: str
    choices: [clock, freeze, prepare]
    required: true
  targets:
    description: What to quiesce, as for M(freezer.backup.freeze). Without any the log is told that the step is done.
    type: list
    elements: dict
    default: []
  deadline_seconds:
    description: When the host is released by itself.
    type: float
  timeout_seconds:
    description: How long it may take to quiesce one target.
    type: float
  state_folder:
    description: Where the holder keeps its files.
    type: path
  moment:
    description: When the host is quiesced, in seconds since 1970 on the controller's clock. 0, or none, means at once.
    type: float
  offset_seconds:
    description: How far the host's clock is ahead of the controller's.
    type: float
    default: 0
  leave_out:
    description: Whether the host leaves this step out.
    type: bool
    default: false
  retries:
    description: How often the step is tried again where it fails.
    type: int
    default: 0
  retry_interval:
    description: After how many seconds.
    type: int
    default: 30
extends_documentation_fragment:
  - freezer.backup._sequence
  - freezer.backup._attributes
  - freezer.backup._attributes.quiesces_in_a_run
"""

EXAMPLES = r"""
- name: Freeze compute
  freezer.backup.sequence_quiesce:
    step: freeze
    run: "{{ freezer_plan.run }}"
    targets: "{{ freezer_targets }}"
  register: freezer_frozen
"""

RETURN = r"""
line:
  description: The last line that the log was told.
  returned: with O(step=prepare) and O(step=freeze)
  type: dict
  sample: {workflow: backup, run: before_upgrade, host: web1, step: freeze, event: done}
held_from:
  description: Since when the host is quiesced, on its own clock, in seconds since 1970.
  returned: when it is
  type: float
  sample: 1796000000.5
offset_seconds:
  description: How far the host's clock is ahead of the controller's.
  returned: with O(step=clock), where there are O(targets)
  type: float
  sample: 0.0021
error_seconds:
  description: How much that may be wrong.
  returned: with O(step=clock), where there are O(targets)
  type: float
  sample: 0.0105
"""
