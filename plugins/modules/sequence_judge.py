# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sequence_judge
short_description: Decide whether a run over several hosts goes on
description:
  - Checks the state of all hosts of a run after a step, once for all of them, and writes to the log what they have in common. A part of the
    playbooks C(backup), C(restore) and C(finalize).
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  after:
    description:
      - The step that has ended. V(prepare) and V(freeze) return whether the next one may begin, V(release) and V(upload) the result
        of the run.
    type: str
    choices: [freeze, prepare, release, upload]
    required: true
  lead_seconds:
    description: The time for hosts to prepare for the common freeze.
    type: float
    default: 5
  tells_release:
    description: Whether the log gets a line about the step C(finalize) of each host. If hooks follow, they have lines of their own.
    type: bool
    default: false
extends_documentation_fragment:
  - freezer.backup._sequence
  - freezer.backup._sequence.members
  - freezer.backup._sequence.main_step
  - freezer.backup._attributes
  - freezer.backup._attributes.planned_on_controller
"""

EXAMPLES = r"""
- name: Check whether all services are ready
  freezer.backup.sequence_judge:
    after: prepare
    run: "{{ freezer_plan.run }}"
    members: "{{ freezer_plan.members }}"
    main_step: snapshot
  register: freezer_all_prepared
  run_once: true
"""

RETURN = r"""
go:
  description: Whether nothing has failed, and everything is quiesced that has to be by now.
  returned: O(after=prepare) and O(after=freeze)
  type: bool
  sample: true
moment:
  description: When all hosts of C(freezer_compute) are frozen, in seconds since 1970 on the controller's clock; 0 if there is only one.
  returned: O(after=prepare)
  type: float
  sample: 1796000000.5
done:
  description: The hosts that have completed O(main_step).
  returned: O(after=release) and O(after=upload)
  type: list
  elements: str
  sample: [db1, web1]
failures:
  description: The failures of each host until its release.
  returned: O(after=release) and O(after=upload)
  type: dict
  sample: {db1: []}
all_done:
  description: Whether all hosts have completed it, and were held until their release.
  returned: O(after=release) and O(after=upload)
  type: bool
  sample: true
undone:
  description: Whether the snapshots are removed again.
  returned: O(after=release) and O(after=upload)
  type: bool
  sample: false
"""
