# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sequence_plan
short_description: Plan a run over several hosts, or refuse it
description:
  - Decides which steps are done and which hosts take part, from the results of M(freezer.backup.sequence_member), or reports
    what forbids the run, and which hosts fail for that. A part of the playbooks C(backup), C(restore),
    C(remove_backup), C(finalize), C(suspend) and C(resume), which call it once, before anything is done.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  hosts:
    description: The pattern of the hosts, independent of C(--limit).
    type: raw
    default: all
  again:
    description:
      - Return the plan that this C(ansible-playbook) has made before, even if a hook has changed the variable that had it. It is
        kept in the temporary folder of Ansible on the controller. Fails if there is none.
    type: bool
    default: false
extends_documentation_fragment:
  - freezer.backup._sequence.workflow
  - freezer.backup._sequence.main_step
  - freezer.backup._attributes
  - freezer.backup._attributes.planned_on_controller
"""

EXAMPLES = r"""
- name: Plan
  freezer.backup.sequence_plan:
    workflow: backup
    main_step: snapshot
    hosts: freezer_services:freezer_compute
  register: freezer_plan
  run_once: true
"""

RETURN = r"""
refused_on:
  description:
    - The hosts that a later task fails because the run must not begin. They are those with problems, else the controller, if it is in the
      play, else the first one. Empty if the run may begin.
  returned: success
  type: list
  elements: str
  sample: []
run:
  description: What is asked for.
  returned: success
  type: dict
  sample: {workflow: backup, snapshot_name: before_upgrade, snapshot_incremental: true, snapshot_type: irregular, snapshot_rotation: 1}
hosts:
  description: All hosts of the run, also those that do not take part.
  returned: success
  type: list
  elements: str
  sample: [db1, web1, web2]
before:
  description: The files of tasks up to the main step of the run.
  returned: success
  type: list
  elements: str
  sample: [lvm_check_host, so_far, hold]
parts:
  description: For each step its files of tasks, those before its hooks and those after them.
  returned: success
  type: dict
  sample: {snapshot: {first: [lvm_host], last: []}}
then:
  description: The files of tasks after the release, in their order, for each of the following plays.
  returned: success
  type: dict
  sample: {finalize: [finalize_hooks], remove: [lvm_skew, undo], end: [record_off]}
members:
  description: The hosts that take part.
  returned: success
  type: list
  elements: str
  sample: [db1, web1]
known:
  description:
    - Whether hooks of the step C(delete) may run. False for a removal of a backup that no host has on record, unless
      C(freezer_allow_unrecorded) is true; a snapshot of that name that is found later counts as a record.
  returned: success
  type: bool
  sample: true
retries:
  description: How often a failed step is repeated, the variable C(task_retries).
  returned: success
  type: int
  sample: 0
retry_interval:
  description: The pause in seconds, the variable C(task_retry_interval).
  returned: success
  type: int
  sample: 30
logged_in:
  description: The hosts that take part and that Ansible logs in to, all of which are released at the end.
  returned: success
  type: list
  elements: str
  sample: [db1, web1]
api_only_members:
  description: Those of them that Ansible does not log in to.
  returned: success
  type: list
  elements: str
  sample: []
"""
