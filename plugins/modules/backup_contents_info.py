#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_contents_info
short_description: Tell what is in backups of files
description:
  - With O(action=list), the default, it lists what is in one backup; with V(find) where O(include) matches in all backups; with
    V(history) the state of O(path) in each of them; with V(diff) what changed between two backups, or how a folder differs
    from a backup.
  - Only the lists of names that are stored with each backup are read, not the files.
  - It fails if nothing is found. RV(entries) has the first 200 entries; O(path), O(include) and O(exclude) choose.
  - The options are the keys that a C(freezer_action) with one of these actions can have.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
requirements:
  - zstandard (Python) or zstd, for backups that were compressed with zstd
  - cryptography (Python), for encrypted backups and for O(trusted_signers)
extends_documentation_fragment:
  - freezer.backup._action
  - freezer.backup._action.backup_contents_info
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.action_group_host
attributes:
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.restore
    description: Its O(freezer.backup.restore#module:include) restores what was found.
  - module: freezer.backup.backup_info
    description: Lists backups by their records.
"""

EXAMPLES = r"""
- name: List the folder ssh of the newest backup
  freezer.backup.backup_contents_info:
    backup_name: etc
    storage: local
    container: /srv/backups
    path: /etc/ssh

- name: Find a file in all backups of all names
  freezer.backup.backup_contents_info:
    action: find
    storage: local
    container: /srv/backups
    include: hosts
  register: found

- name: See when a file changed
  freezer.backup.backup_contents_info:
    action: history
    backup_name: etc
    storage: local
    container: /srv/backups
    path: /etc/hosts

- name: Compare the folder of today with the newest backup
  freezer.backup.backup_contents_info:
    action: diff
    backup_name: etc
    storage: local
    container: /srv/backups
    compare_to: /etc
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
  description: V(success), or V(partial) if backups could not be read, which RV(not_read) names.
  returned: success
  type: str
  sample: success
entries_count:
  description: The number of entries that were found.
  returned: success
  type: int
  sample: 1
entries:
  description:
    - The first 200 entries. Sizes are in bytes, times in seconds since 1970, and odd bytes of names are escaped.
    - With V(find) and V(history) each also has C(hostname), C(backup_name), C(backup_id) and C(timestamp) of its backup, with
      V(history) C(present) and C(is_changed).
    - With V(diff) each has C(path), C(change) (V(added), V(removed) or V(changed)), C(fields) (what differs), C(kind), C(size), C(mtime).
  returned: success
  type: list
  elements: dict
  sample:
    - path: ssh/ssh_config
      kind: file
      mode: "644"
      uid: 0
      gid: 0
      owner: root
      group: root
      size: 1650
      mtime: 1796056968.25
      stored_in_level: 0
not_read_count:
  description: The number of sentences in RV(not_read) and of those beyond the first 200.
  returned: success
  type: int
  sample: 0
not_read:
  description: What could not be read, as sentences.
  returned: success
  type: list
  elements: str
  sample: []
backups_count:
  description: The number of backups that were searched.
  returned: with V(find) and V(history)
  type: int
  sample: 2
counts:
  description: The number of paths that were added, removed and changed.
  returned: with V(diff)
  type: dict
  sample: {added: 1, removed: 0, changed: 2}
since_backup_id:
  description: The older backup.
  returned: with V(diff), without O(compare_to)
  type: str
  sample: 46fa5551dc454a6287eb71ab921fa24a
compare_to:
  description: The folder.
  returned: with V(diff) and O(compare_to)
  type: str
  sample: /etc
path:
  description: The path that was followed.
  returned: with V(history)
  type: str
  sample: /etc/hosts
hostname:
  description: The host of the backup.
  returned: with V(list) and V(diff)
  type: str
  sample: web1
backup_name:
  description: The name of the backup.
  returned: with V(list) and V(diff)
  type: str
  sample: etc
backup_id:
  description: The id of the backup.
  returned: with V(list) and V(diff)
  type: str
  sample: 9d5bd16252b649659a12302c71d93271
level:
  description: The level of the backup, 0 for a full one.
  returned: with V(list) and V(diff)
  type: int
  sample: 1
timestamp:
  description: When the backup began, in seconds since 1970.
  returned: with V(list) and V(diff)
  type: int
  sample: 1795337766
chain:
  description: The chain of the backup, the full backup first.
  returned: with V(list) and V(diff)
  type: list
  elements: dict
  sample:
    - {backup_id: 9d5bd16252b649659a12302c71d93271, level: 0, timestamp: 1795337765}
storage:
  description: The kind of the storage that was read.
  returned: with V(list) and V(diff)
  type: str
  sample: local
container:
  description: The container that was read.
  returned: with V(list) and V(diff)
  type: str
  sample: /srv/backups
encrypted:
  description: Whether the backup is encrypted.
  returned: with V(list) and V(diff)
  type: bool
  sample: true
encryption:
  description: How it is encrypted, V(age), V(aes-256-cfb) or V(none).
  returned: with V(list) and V(diff)
  type: str
  sample: age
key_id:
  description: The id of the key pair that it is encrypted for, V(null) without one.
  returned: with V(list) and V(diff)
  type: str
  sample: d5190978f6334e06e5dfb213c1c7a7dd
signed_by:
  description:
    - Who has signed the backup, the fingerprint of a key that is believed or V(passphrase); V(null) if that was not checked.
  returned: with V(list) and V(diff)
  type: str
  sample: SHA256:4ReLiePEy9my4xN5yXq3u4cnActYRirwIPCmADzC/Ag
signed_by_reason:
  description: Why that is V(null), if it is.
  returned: with V(list) and V(diff)
  type: str
  sample: null
remarks:
  description: What is missing or was replaced of what this host has written, as sentences.
  returned: with V(list) and V(diff)
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_verb import refuse_foreign
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import is_given
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.contents import read_contents
from ansible_collections.freezer.backup.plugins.module_utils._module.host_module import run_on_host


def tell(action: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """Hand the options to the engine as an action."""
    what = action.get("action") or "list"
    refuse_foreign(what, [name for name, value in action.items() if is_given(name, value)])
    return read_contents(action, what)


def main() -> None:
    """Run the module."""
    run_on_host("list", tell, shown=[])


if __name__ == "__main__":
    main()
