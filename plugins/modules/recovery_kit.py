#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_kit
short_description: Keep on the controller what a restore of a host's backups needs, and prove that it is enough
description:
  - Writes into a folder of the controller the secret halves of the key pairs of backup sets as they are stored, encrypted; their public
    halves; the keys that the host signs with, as C(allowed_signers); and a page for a printer, with the locations of the backups and the
    commands that restore them, with this software and without it.
  - Then proves it. With the kit and the passphrase or the secret key of the controller alone, the newest backup of each set is opened, its
    signature is checked, and one of its files is restored into a scratch folder of the controller. Nothing that the host remembers takes
    part.
  - No passphrase and no secret half in the clear is written, and none comes from the host. What the host keeps of the backup is read
    there, encrypted as it is stored, 48 MiB at most.
  - The task fails if a kit is not enough, after all of it was written. Keys that an earlier kit has, and the host has not any more, stay.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  backups:
    description:
      - The backups of the host, a list of actions as M(freezer.backup.backup) takes them. Of each C(backup_name), C(storage), C(container),
        C(storages), C(hostname), C(cloud) and C(osrc) count, and C(signing_key).
      - Backups of servers and volumes, which are neither encrypted nor signed, are left out.
    type: list
    elements: dict
    required: true
  folder:
    description:
      - A folder of the controller. The kit lies below it in a folder with the name of the host in the inventory, which only the user who
        runs Ansible may read.
    type: path
    required: true
  pass_file:
    description: The file of the controller whose first line is the passphrase, for the proof. Only root and the user who runs Ansible may
      be able to read it.
    type: path
  identity_file:
    description: The file of the controller with a secret key of age or SSH that opens the backups, for the proof.
    type: path
requirements:
  - Python 3.9 or later
  - cryptography (Python), on the host and on the controller
  - GNU tar 1.27 or later, on the controller
  - zstandard (Python) or zstd, on the controller
extends_documentation_fragment:
  - freezer.backup._attributes
attributes:
  action:
    description: Has an action plugin of its own.
    support: full
  check_mode:
    support: full
    details: Nothing is written, and what would be written is proven.
  diff_mode:
    support: full
    details: The page before and after.
  idempotent:
    support: full
seealso:
  - module: freezer.backup.verify
"""

EXAMPLES = r"""
- name: Keep and prove what a restore of /etc needs
  freezer.backup.recovery_kit:
    folder: /srv/recovery_kits
    pass_file: /root/passphrase
    backups:
      - backup_name: etc
        storage: local
        container: /srv/backups
"""

RETURN = r"""
folder:
  description: The folder of the host's kit on the controller.
  returned: when the host could be asked
  type: str
  sample: /srv/recovery_kits/web1
page:
  description: The page for a printer.
  returned: when the host could be asked
  type: str
  sample: /srv/recovery_kits/web1/kit.txt
sets:
  description: Each backup set in each of its storages.
  returned: when the host could be asked
  type: list
  elements: dict
  contains:
    hostname:
      description: The host of the backups.
      type: str
      sample: web1
    backup_name:
      description: Their name.
      type: str
      sample: etc
    storage:
      description: The kind of the storage.
      type: str
      sample: local
    container:
      description: The container.
      type: str
      sample: /srv/backups
    key_ids:
      description: The ids of its key pairs.
      type: list
      elements: str
      sample: [d5190978f6334e06e5dfb213c1c7a7dd]
    proven:
      description: Whether the kit is enough for the newest backup.
      type: bool
      sample: true
    backup_id:
      description: The backup of the proof; V(null) without one.
      type: str
      sample: 9d5bd16252b649659a12302c71d93271
    sentence:
      description: What was restored, or why nothing could be.
      type: str
      sample: "etc of host web1 in local storage /srv/backups: level 0, 9d5bd16252b649659a12302c71d93271: the file hosts (221 bytes) was
        restored, signed by SHA256:4ReLiePEy9my4xN5yXq3u4cnActYRirwIPCmADzC/Ag"
problems:
  description: Why kits are not enough, as sentences.
  returned: when the host could be asked
  type: list
  elements: str
  sample: []
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.recovery_kit import recovery_kit
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._module.masking import DiscreetModule


def main() -> None:
    """Gather on the host; the action plugin does the rest on the controller."""
    module = DiscreetModule(
        argument_spec={
            "backups": {"type": "list", "elements": "dict", "required": True},
            "folder": {"type": "path", "required": True},
            "pass_file": {"type": "path", "no_log": False},
            "identity_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, kit=recovery_kit(module.params["backups"]))
    except FreezerError as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
