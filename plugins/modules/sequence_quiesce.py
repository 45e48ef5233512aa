# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sequence_quiesce
short_description: Quiesce a host as a step of a run over several
description:
  - Does the step C(prepare) or C(freeze) of a host without hooks for it, with M(freezer.backup.freeze), repeats it after a failure, and
    writes to the log. A part of the playbooks C(backup) and C(restore).
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  step:
    description: The step. V(clock) measures the offset of the host's clock, as M(freezer.backup.clock_offset) does.
    type: str
    choices: [clock, freeze, prepare]
    required: true
  targets:
    description: What to quiesce, as for M(freezer.backup.freeze). Without any, the log says that the step is done.
    type: list
    elements: dict
    default: []
  deadline_seconds:
    description: The deadline of the hold, in seconds.
    type: float
  timeout_seconds:
    description: The longest time to quiesce one target.
    type: float
  state_folder:
    description: The folder for the files of the holder.
    type: path
  moment:
    description: When the host is quiesced, in seconds since 1970 on the controller's clock. 0, or none, means at once.
    type: float
  offset_seconds:
    description: The offset of the host's clock from the controller's.
    type: float
    default: 0
  leave_out:
    description: Whether the host leaves this step out.
    type: bool
    default: false
  retries:
    description: How often the step is repeated after a failure.
    type: int
    default: 0
  retry_interval:
    description: The pause in seconds.
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
  description: The last line in the log.
  returned: with O(step=prepare) and O(step=freeze)
  type: dict
  sample: {workflow: backup, run: before_upgrade, host: web1, step: freeze, event: done}
held_from:
  description: The time from which the host is quiesced, on its own clock, in seconds since 1970.
  returned: when it is
  type: float
  sample: 1796000000.5
offset_seconds:
  description: The offset of the host's clock from the controller's.
  returned: with O(step=clock), where there are O(targets)
  type: float
  sample: 0.0021
error_seconds:
  description: The maximum error of that.
  returned: with O(step=clock), where there are O(targets)
  type: float
  sample: 0.0105
"""
