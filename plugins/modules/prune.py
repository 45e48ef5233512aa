#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prune
short_description: Remove old backups and leftovers of killed runs
description:
  - Removes the backups of one name that no rule keeps. A backup is kept if any rule keeps it; without any rule
    all stay.
  - The chain of every kept backup is kept too, and the newest backup always. Even if it is interrupted, every remaining
    backup can be restored.
  - Also removes incomplete backups, which have no manifest and no writer, and scratch folders in the host's temporary
    folder that no process of this user uses; as root also LVM snapshots, with their mounts, of backups of this host whose
    process has ended. Nothing of a current run is removed; the module fails if one writes backups of the same name.
  - Does not change records of the Freezer API. RV(removed) has the ids for M(freezer.backup.backup_record).
  - The options are the keys that a C(freezer_action) with the action C(admin) can have. Of a document that has more, such as keys
    for other actions or C(client_id), the filter P(freezer.backup.action_for#filter) selects them.
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

- name: Remove the records of removed backups
  freezer.backup.backup_record:
    url: http://127.0.0.1:9090
    backup_id: "{{ item.backup_id }}"
    state: absent
  loop: "{{ pruned.removed }}"
  loop_control:
    label: "{{ item.folder }}"
  delegate_to: localhost

- name: Remove only leftovers of killed runs, if they are a day old
  freezer.backup.prune:
    backup_name: etc
    storage: local
    container: /srv/backups
    min_age: 86400
"""

RETURN = r"""
chosen:
  description: The choices for O(storage) and O(container) if they are not given, with the reasons, as sentences.
  returned: when one of them was chosen
  type: list
  elements: str
  sample: ["container is not given: freezer_backups was chosen, the default of Freezer's agents for Swift."]
no_backup:
  description: Whether it failed because there is no backup that the options ask for, and for nothing else.
  returned: failure, if it is so
  type: bool
  sample: true
outcome:
  description: V(success), V(partial) if one of several storages failed, or V(planned) in check mode.
  returned: success
  type: str
  sample: success
hostname:
  description: The host of the backups.
  returned: success
  type: str
  sample: web1
backup_name:
  description: The name of the backups.
  returned: success
  type: str
  sample: etc
removed:
  description: The removed backups, in check mode those that would be removed, newest first.
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
  description: The number of these.
  returned: success
  type: int
  sample: 1
kept:
  description: The kept backups, newest first, each with its RV(ignore:reasons).
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
  description: The number of these.
  returned: success
  type: int
  sample: 1
leftovers:
  description: The removed leftovers of killed runs, in a container (with C(storage) and C(container)) or on the host.
  returned: success
  type: list
  elements: dict
  sample:
    - {path: /tmp/freezer-scratch-x1y2z3a4, bytes: 8192}
leftovers_count:
  description: The number of these.
  returned: success
  type: int
  sample: 1
freed_bytes:
  description: The freed bytes of backups and leftovers.
  returned: success
  type: int
  sample: 1056768
damaged:
  description: Sentences about folders that were kept because their manifests cannot be read. Backups that they may continue are kept too.
  returned: success
  type: list
  elements: str
  sample: []
storages:
  description: The outcome in every storage.
  returned: success
  type: list
  elements: dict
  sample:
    - {storage: local, container: /srv/backups, outcome: success}
duration_seconds:
  description: The duration.
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
