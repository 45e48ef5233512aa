#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_record_info
short_description: Say which runs over several hosts have begun and not ended
description:
  - Returns what M(freezer.backup.run_record) has put on record. Such a run is still under way, or was killed.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  folder:
    description: The folder of the records. One that is not there has none.
    type: path
    default: /var/lib/freezer-backup
  owner:
    description: The owner of the records.
    type: str
    default: run
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.on_host
seealso:
  - module: freezer.backup.run_record
"""

EXAMPLES = r"""
- name: List unfinished runs
  freezer.backup.run_record_info:
  register: found
"""

RETURN = r"""
runs:
  description: The runs, in the order of their workflows and names.
  returned: success
  type: list
  elements: dict
  sample: [{workflow: backup, snapshot_name: backup-1795337766}]
done:
  description: Those that have succeeded, with C(ended_at) in seconds since 1970; the oldest first.
  returned: success
  type: list
  elements: dict
  sample: [{workflow: backup, snapshot_name: before_upgrade, ended_at: 1795337766.1}]
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._module.record_module import run_record_info_module


def main() -> None:
    """Hand the options to the engine."""
    run_record_info_module()


if __name__ == "__main__":
    main()
