# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the actions that the playbooks over several hosts are made of."""

from __future__ import annotations


class ModuleDocFragment:
    # The plan of a run, and its log.
    DOCUMENTATION = r"""
options:
  run:
    description: The plan, from M(freezer.backup.sequence_plan).
    type: dict
    required: true
  path:
    description: The log, a file on the controller that gets a line of JSON. One that cannot be written is a warning.
    type: path
"""

    # An action on all members at once.
    MEMBERS = r"""
options:
  members:
    description: The hosts that take part.
    type: list
    elements: str
    required: true
"""

    MAIN_STEP = r"""
options:
  main_step:
    description: The main step of the run. At least one host has to have work in it.
    type: str
    required: true
"""

    WORKFLOW = r"""
options:
  workflow:
    description: The workflow.
    type: str
    choices: [backup, finalize, remove_backup, restore, resume, statistics, suspend]
    required: true
"""
