#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prune
short_description: Remove old backups and what killed runs have left
description:
  - Removes the backups of one name that no rule keeps. Rules add up, a backup that one of them keeps stays; without any rule
    all stay.
  - What a backup that stays is built on stays too, and the newest backup always does. Whatever moment it is interrupted in,
    every backup that is left can be restored.
  - Removes halves of backups too, which have no manifest and which nobody writes any more, and scratch folders in the
    host's temporary folder that no process of this user uses any more; as root also LVM snapshots, with their mounts, of
    backups of this host whose process is gone. A run that is under way keeps what it has; the module
    fails if one writes backups of the same name.
  - Does not tell the Freezer API. RV(removed) has the ids for M(freezer.backup.backup_record).
  - The options are the keys that a C(freezer_action) with the action C(admin) can have, so that such a document can be given as
    it is.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
extends_documentation_fragment:
  - freezer.backup._action
  - freezer.backup._action.prune
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.backup
  - module: freezer.backup.backup_record
"""

EXAMPLES = r"""
- name: Keep all of the last two weeks, then one a week for two months and one a month for a year
  freezer.backup.prune:
    backup_name: etc
    storage: local
    container: /srv/backups
    remove_older_than: 14
    keep_weekly: 8
    keep_monthly: 12
  register: pruned

- name: Forget what is gone
  freezer.backup.backup_record:
    url: http://127.0.0.1:9090
    backup_id: "{{ item.backup_id }}"
    state: absent
  loop: "{{ pruned.removed }}"
  loop_control:
    label: "{{ item.folder }}"
  delegate_to: localhost

- name: Remove only what killed runs have left, if it is a day old
  freezer.backup.prune:
    backup_name: etc
    storage: local
    container: /srv/backups
    min_age: 86400
"""

RETURN = r"""
chosen:
  description: What was chosen for O(storage) and O(container) where they are not given, and why, as sentences.
  returned: when one of them was chosen
  type: list
  elements: str
  sample: ["container is not given: freezer_backups was chosen, the default of Freezer's agents for Swift."]
outcome:
  description: V(success), V(partial) when one of several storages failed, or V(planned) in check mode.
  returned: success
  type: str
  sample: success
hostname:
  description: The host that the backups are of.
  returned: success
  type: str
  sample: web1
backup_name:
  description: The name of the backups.
  returned: success
  type: str
  sample: etc
removed:
  description: The backups that went, or would go in check mode, newest first.
  returned: success
  type: list
  elements: dict
  sample:
    - backup_id: 9d5bd16252b649659a12302c71d93271
      level: 0
      timestamp: 1795337765
      stored_bytes: 1048576
      storage: local
      container: /srv/backups
      folder: web1_etc/1795337765_0
removed_count:
  description: How many these are.
  returned: success
  type: int
  sample: 1
kept:
  description: The backups that stay, newest first, each with the RV(ignore:reasons) for it.
  returned: success
  type: list
  elements: dict
  sample:
    - backup_id: 46fa5551dc454a6287eb71ab921fa24a
      level: 0
      timestamp: 1795424165
      stored_bytes: 1048576
      storage: local
      container: /srv/backups
      folder: web1_etc/1795424165_0
      reasons: [remove_older_than, keep_weekly (2026-W47)]
kept_count:
  description: How many these are.
  returned: success
  type: int
  sample: 1
leftovers:
  description: What was left of killed runs and went, in a container (with C(storage) and C(container)) or on the host.
  returned: success
  type: list
  elements: dict
  sample:
    - {path: /tmp/freezer-scratch-x1y2z3a4, bytes: 8192}
leftovers_count:
  description: How many these are.
  returned: success
  type: int
  sample: 1
freed_bytes:
  description: What became free, of backups and leftovers together.
  returned: success
  type: int
  sample: 1056768
damaged:
  description: Why folders were left alone whose manifests cannot be read. What they may be built on stays too.
  returned: success
  type: list
  elements: str
  sample: []
storages:
  description: What became of every storage.
  returned: success
  type: list
  elements: dict
  sample:
    - {storage: local, container: /srv/backups, outcome: success}
duration_seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 0.1
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.prune import prune
from ansible_collections.freezer.backup.plugins.module_utils._module.host_module import pruned_diff, run_on_host


def main() -> None:
    """Hand the options to the engine as an action."""
    run_on_host("admin", lambda action, check_mode: prune(action, dry_run=check_mode), shown=[], diff_of=pruned_diff)


if __name__ == "__main__":
    main()
