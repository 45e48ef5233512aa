#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Prove that a backup can be restored
description:
  - Reads and checks a backup and its chain, up to a restore into a scratch folder that is compared with another folder.
  - Fails when the proof fails, and when one of O(storages) does not have the backup.
  - The options are the keys that a C(freezer_action) with the action C(verify) can have. The filter
    P(freezer.backup.action_for#filter) selects them from an action for a backup.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
requirements:
  - GNU tar 1.27 or later
  - zstandard (Python) or zstd, for backups that were compressed with zstd
  - cryptography (Python), for encrypted backups and for O(trusted_signers)
extends_documentation_fragment:
  - freezer.backup._action
  - freezer.backup._action.verify
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
  - module: freezer.backup.restore
"""

EXAMPLES = r"""
- name: Check that the newest backup can be read
  freezer.backup.verify:
    backup_name: etc
    storage: local
    container: /srv/backups

- name: Prove that the last backup restores to the present state
  freezer.backup.verify:
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
  description: V(success), or V(different) when the module fails because O(compare_to) is not the same.
  returned: success
  type: str
  sample: success
hostname:
  description: The host of the backup.
  returned: success
  type: str
  sample: web1
backup_name:
  description: The name of the backup.
  returned: success
  type: str
  sample: etc
backup_id:
  description: The id of the backup.
  returned: success
  type: str
  sample: 9d5bd16252b649659a12302c71d93271
level:
  description: The level of the backup, 0 for a full one.
  returned: success
  type: int
  sample: 1
timestamp:
  description: When the backup began, in seconds since 1970.
  returned: success
  type: int
  sample: 1795337766
chain:
  description: The chain that was read, the full backup first.
  returned: success
  type: list
  elements: dict
  sample:
    - {backup_id: 9d5bd16252b649659a12302c71d93271, level: 0, timestamp: 1795337765}
    - {backup_id: 46fa5551dc454a6287eb71ab921fa24a, level: 1, timestamp: 1795337766}
storage:
  description: The kind of the storage that was read.
  returned: success
  type: str
  sample: local
container:
  description: The container that was read.
  returned: success
  type: str
  sample: /srv/backups
encrypted:
  description: Whether the backup is encrypted.
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: bool
  sample: true
encryption:
  description: How it is encrypted, V(age), V(aes-256-cfb) or V(none).
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: str
  sample: age
key_id:
  description: The id of the key pair that it is encrypted for, V(null) without one.
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: str
  sample: d5190978f6334e06e5dfb213c1c7a7dd
signed_by:
  description:
    - Who has signed the backup, the fingerprint of a key that is believed or V(passphrase); V(null) if that was not checked.
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: str
  sample: SHA256:4ReLiePEy9my4xN5yXq3u4cnActYRirwIPCmADzC/Ag
is_recorded:
  description: Whether the manifest is the one on record; not so if the backup is on no record, and is signed by one who is believed.
  returned: with O(recorded_manifests), for files
  type: bool
  sample: true
signed_by_reason:
  description: Why that is V(null), if it is.
  returned: for files, unless the agent of OpenStack's Freezer made the backup
  type: str
  sample: null
check:
  description: The check that was made.
  returned: success
  type: str
  sample: stream
format:
  description: V(freezer) for a backup that the agent of OpenStack's Freezer has made.
  returned: for such a backup
  type: str
  sample: freezer
remarks:
  description:
    - What could not be proven of a backup that the agent of OpenStack's Freezer has made, and what is missing or was replaced of what
      this host has written.
  returned: if there are any
  type: list
  elements: str
  sample: []
stored_bytes:
  description: The size of all segments that were read.
  returned: success
  type: int
  sample: 1048576
differences_count:
  description: The number of paths that differ between O(compare_to) and the restored copy.
  returned: success
  type: int
  sample: 0
differences:
  description: The first 200 of these paths, each with its differences.
  returned: success
  type: list
  elements: str
  sample: []
duration_seconds:
  description: The duration.
  returned: success
  type: float
  sample: 1.5
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.verify import verify
from ansible_collections.freezer.backup.plugins.module_utils._module.host_module import run_on_host


def main() -> None:
    """Hand the options to the engine as an action."""
    run_on_host("verify", lambda action, check_mode: verify(action), shown=[])


if __name__ == "__main__":
    main()
