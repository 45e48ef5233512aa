# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: clock_offset
short_description: Measure the offset of a host's clock from the controller's
description:
  - Reads the time of the host several times, and uses the quickest answer.
  - The playbooks C(backup) and C(restore) use it to hold all hosts at the same time, on the clock of each host.
  - Needs C(date) of GNU coreutils on the host, and no Python.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  tries:
    description: The number of measurements.
    type: int
    default: 4
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.info
attributes:
  action:
    description: Has an action plugin of its own.
    support: full
seealso:
  - module: freezer.backup.freeze
"""

EXAMPLES = r"""
- name: Measure the offset of the clock
  freezer.backup.clock_offset:
  register: clock

- name: Freeze at a moment of the controller's clock, ten seconds from now
  freezer.backup.freeze:
    targets:
      - path: /srv/data
    hold_at: "{{ now().timestamp() + 10 + clock.offset_seconds }}"
"""

RETURN = r"""
offset_seconds:
  description: The time of the host less the time of the controller.
  returned: success
  type: float
  sample: -0.0213
error_seconds:
  description: The maximum error of RV(offset_seconds), half of the time that the answer took.
  returned: success
  type: float
  sample: 0.0041
"""
