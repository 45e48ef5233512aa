#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_record
short_description: Put a run over several hosts on record, or take it off
description:
  - Keeps a file for each run that has begun and not ended, so that what a killed run has left is found and removed.
  - The playbooks C(backup), C(restore) and C(finalize) use it on every host that takes part.
  - A record is on disk when the module returns, also after a power cut.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  run:
    description:
      - The run. It has C(workflow) and C(snapshot_name), which together say which run it is, and whatever else is to be known of
        it. No secrets.
      - With C(run_id) and O(state=absent) another run of the same name stays on record.
      - Required with O(state=present) and O(state=done). With O(state=absent) and without it all runs that are under way are taken
        off the record.
    type: dict
  state:
    description:
      - Whether the run is on record as being under way. A name that is on record as having succeeded is refused.
      - With V(done) it is on record as having succeeded instead, which the playbooks C(restore) and C(remove_backup) look up.
      - With V(absent) a O(run) is taken off the record, also one that had succeeded.
    type: str
    choices: [present, absent, done]
    default: present
  folder:
    description: The folder of the records.
    type: path
    default: /var/lib/freezer-backup
  owner:
    description: Tells records apart that are in one folder and of different hosts. Letters, digits, dashes and underscores.
    type: str
    default: run
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.on_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: freezer.backup.run_record_info
"""

EXAMPLES = r"""
- name: Put on record that a run has begun
  freezer.backup.run_record:
    run:
      workflow: backup
      snapshot_name: before_upgrade

- name: Take it off again
  freezer.backup.run_record:
    run:
      workflow: backup
      snapshot_name: before_upgrade
    state: absent
"""

RETURN = r"""
others:
  description:
    - Other runs that are on record. They are still under way, or were killed.
    - With O(state=present) there is a warning that names them.
  returned: success
  type: list
  elements: dict
  sample: [{workflow: backup, snapshot_name: backup-1795337766}]
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._module.record_module import run_record_module


def main() -> None:
    """Hand the options to the engine."""
    run_record_module()


if __name__ == "__main__":
    main()
