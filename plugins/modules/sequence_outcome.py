# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sequence_outcome
short_description: Report the result of a run over several hosts
description:
  - Reports what a run has made on which host, or which host has failed at which step, the reason, and leftovers.
  - Sets C(snapshot_name), and with the workflow C(backup) C(freezer_made), the results of each host, as
    M(ansible.builtin.set_stats) does, for the next nodes of a workflow of AWX. A part of the playbooks C(backup), C(restore),
    C(remove_backup), C(finalize), C(suspend) and C(resume).
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
extends_documentation_fragment:
  - freezer.backup._sequence
  - freezer.backup._sequence.members
  - freezer.backup._sequence.main_step
  - freezer.backup._attributes
  - freezer.backup._attributes.planned_on_controller
"""

EXAMPLES = r"""
- name: Report the result
  freezer.backup.sequence_outcome:
    run: "{{ freezer_plan.run }}"
    members: "{{ freezer_plan.members }}"
    main_step: snapshot
  run_once: true
"""

RETURN = r"""
failed_on:
  description: The hosts that have failed; a later task has to fail for them. Empty if none has.
  returned: success
  type: list
  elements: str
  sample: [web2]
msg:
  description: A sentence.
  returned: success
  type: str
  sample: backup before_upgrade is done on 2 hosts.
made:
  description: For each host the names of its snapshots of LVM, and its snapshots in the cloud.
  returned: success
  type: dict
  sample: {db1: {lvm: [data-before_upgrade], cloud: []}}
"""
