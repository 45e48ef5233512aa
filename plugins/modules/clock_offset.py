# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: clock_offset
short_description: Measure how far a host's clock is from the controller's
description:
  - Asks the host for its time, several times, and takes the answer that came quickest.
  - The playbooks C(backup) and C(restore) hold all hosts at one moment with it, on each host's own clock.
  - Needs C(date) of GNU coreutils on the host, and no Python.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  tries:
    description: How often the host is asked.
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
- name: See how far the clock is off
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
  description: What the host's clock shows, less what the controller's shows.
  returned: success
  type: float
  sample: -0.0213
error_seconds:
  description: How far RV(offset_seconds) may be off at most, half of what the answer took.
  returned: success
  type: float
  sample: 0.0041
"""
