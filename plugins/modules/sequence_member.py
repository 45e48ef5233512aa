# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sequence_member
short_description: Find out the work of a host in a run over several hosts
description:
  - Reads the variables of a host for the playbooks C(backup), C(restore), C(remove_backup), C(finalize), C(suspend) and
    C(resume), and finds and parses its hooks. If the workflow is about a backup, it also reads the records of
    the host. A part of these playbooks.
  - Problems are returned and are no failure, so that M(freezer.backup.sequence_plan) reports those of all hosts at once.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
extends_documentation_fragment:
  - freezer.backup._sequence.workflow
  - freezer.backup._attributes
  - freezer.backup._attributes.planned_on_controller
"""

EXAMPLES = r"""
- name: Find out the work of each host
  freezer.backup.sequence_member:
    workflow: backup
  register: freezer_member
"""

RETURN = r"""
host:
  description: The name of the host.
  returned: success
  type: str
  sample: db1
types:
  description: Its groups and C(freezer_types).
  returned: success
  type: list
  elements: str
  sample: [freezer_services]
is_service:
  description: Whether it is in the group C(freezer_services).
  returned: success
  type: bool
  sample: true
logs_in:
  description: Whether Ansible logs in to it.
  returned: success
  type: bool
  sample: true
server:
  description: The name or id of the server of the cloud that it is, if it is one.
  returned: success
  type: str
  sample: db1.prod
volumes:
  description: Names and ids of its volumes.
  returned: success
  type: list
  elements: str
  sample: [attached]
needs:
  description: The hosts that it needs, C(freezer_depends_on).
  returned: success
  type: list
  elements: str
  sample: []
targets:
  description: Whether it has targets to quiesce.
  returned: success
  type: bool
  sample: true
lvm:
  description: Whether it has volumes of LVM to take snapshots of.
  returned: success
  type: bool
  sample: false
skips:
  description: The steps that are left out.
  returned: success
  type: list
  elements: str
  sample: []
hooks:
  description: For each step its hooks, with C(found), the path of a file or the name or path of a role.
  returned: success
  type: dict
  sample: {snapshot: [{tasks: dump.yml, found: /srv/project/dump.yml}]}
known:
  description:
    - The backups that the host has on record, as M(freezer.backup.run_record_info) returns them, or the error of reading them. Empty for
      workflows without a backup, and for hosts that Ansible does not log in to.
  returned: success
  type: dict
  sample: {runs: [], done: [{workflow: backup, snapshot_name: before_upgrade}]}
has:
  description: The steps in which it has work.
  returned: success
  type: list
  elements: str
  sample: [delete, prepare, snapshot]
problems:
  description: Problems, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["skip_actions has snapshots, which is no step and no operation of Cloudify."]
"""
