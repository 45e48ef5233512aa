# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module can do, in the words that Ansible has for it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would change without changing it.
  diff_mode:
    description: Returns what was or would be changed when in diff mode.
  idempotent:
    description: When run twice in a row, the second run reports no change, if nothing else has changed meanwhile.
"""

    # A module that only reads.
    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: It only reads, so check mode makes no difference.
  diff_mode:
    support: N/A
    details: It changes nothing.
  idempotent:
    support: full
"""

    # A module that asks a Freezer API.
    ACTION_GROUP = r"""
requirements:
  - Python 3.9 or later
options: {}
attributes:
  action_group:
    description: Set the options of the API once, with C(group/freezer.backup.registry) in C(module_defaults).
    support: full
    membership:
      - freezer.backup.registry
"""

    # A module that works on the data of a host.
    ACTION_GROUP_HOST = r"""
requirements:
  - Python 3.9 or later
options: {}
attributes:
  action_group:
    description: Set the options of the storage once, with C(group/freezer.backup.host) in C(module_defaults).
    support: full
    membership:
      - freezer.backup.host
"""

    # A module that asks an OpenStack cloud.
    ACTION_GROUP_CLOUD = r"""
requirements:
  - Python 3.9 or later
options: {}
attributes:
  action_group:
    description: Set the options of the cloud once, with C(group/freezer.backup.cloud) in C(module_defaults).
    support: full
    membership:
      - freezer.backup.cloud
"""

    # A module that asks Elasticsearch.
    ACTION_GROUP_SEARCH = r"""
requirements:
  - Python 3.9 or later
options: {}
attributes:
  action_group:
    description: Set the options of Elasticsearch once, with C(group/freezer.backup.search) in C(module_defaults).
    support: full
    membership:
      - freezer.backup.search
"""

    # A module that quiesces or freezes on a host.
    ACTION_GROUP_HOLD = r"""
requirements:
  - Python 3.9 or later
options: {}
attributes:
  action_group:
    description: Set the deadline of holds once, with C(group/freezer.backup.hold) in C(module_defaults).
    support: full
    membership:
      - freezer.backup.hold
"""

    # An action that does its work on the controller.
    ON_CONTROLLER = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: A line is written in check mode as well.
  diff_mode:
    support: N/A
    details: It changes nothing on a host.
  idempotent:
    support: N/A
    details: Each run writes a line.
  action:
    description: Has an action plugin of its own, and runs on the controller.
    support: full
"""

    # An action that looks at variables on the controller.
    PLANNED_ON_CONTROLLER = r"""
requirements:
  - Python 3.9 or later
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: It changes nothing.
  idempotent:
    support: full
  action:
    description: Has an action plugin of its own, and runs on the controller.
    support: full
"""

    # An action that quiesces a host as a step of a run.
    QUIESCES_IN_A_RUN = r"""
requirements:
  - Python 3.9 or later
options: {}
attributes:
  check_mode:
    support: full
    details: The log gets its line in check mode as well.
  diff_mode:
    support: N/A
    details: There is nothing to compare.
  idempotent:
    support: full
    details: A hold that exists stays as it is; the log gets another line.
  action:
    description: Has an action plugin of its own.
    support: full
"""

    # A module that works on a host and keeps no backups.
    ON_HOST = r"""
requirements:
  - Python 3.9 or later
options: {}
"""
