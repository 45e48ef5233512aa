# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sequence_outcome
short_description: Say how a run over several hosts has ended
description:
  - Says what a run has made on which host, or which host has failed at which step, why, and what is left there.
  - Hands on C(snapshot_name), and with the workflow C(backup) C(freezer_made), what was made of each host, as
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
- name: Say what became of it
  freezer.backup.sequence_outcome:
    run: "{{ freezer_plan.run }}"
    members: "{{ freezer_plan.members }}"
    main_step: snapshot
  run_once: true
"""

RETURN = r"""
failed_on:
  description: The hosts that have failed, which is for a task after it to make known. Empty if none has.
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
  description: For each host the names of its snapshots of LVM, and what is in the cloud of it.
  returned: success
  type: dict
  sample: {db1: {lvm: [data-before_upgrade], cloud: []}}
"""
