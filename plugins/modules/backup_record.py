#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_record
short_description: Record a backup with a Freezer API
version_added: 1.0.0
description:
  - Records a backup, or removes the record. The archive itself is not touched.
  - A record says what happened, so it is never changed. Recording a backup again with other contents is an error.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  backup_id:
    description:
      - The id of the backup. Letters, digits, C(_) and C(-).
      - If it is not given, the C(backup_id) in O(metadata) is the id. If that is missing too, the backup is the one with
        the same C(container), C(hostname), C(backup_name) and C(time_stamp), and a new record gets an id from the
        server.
    type: str
  metadata:
    description: The metadata of the backup, in the form of RV(freezer.backup.backup#module:metadata).
    type: dict
    aliases: [backup_metadata]
  status:
    description: Written by the server. Accepted, so that a document can be given as it is, and ignored.
    type: str
  user_name:
    description: Written by the server. Accepted and ignored.
    type: str
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._document
  - freezer.backup._document.stamps
  - freezer.backup._registry
  - freezer.backup._registry.from_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: freezer.backup.backup
  - module: freezer.backup.backup_info
"""

EXAMPLES = r"""
- name: Back up /etc
  freezer.backup.backup:
    path_to_backup: /etc
    backup_name: etc
    storage: local
    container: /var/backups/freezer
  register: etc

- name: Record the backup
  freezer.backup.backup_record:
    url: http://backup.example.org:9090
    metadata: "{{ etc.metadata }}"
  delegate_to: localhost

- name: Remove the record
  freezer.backup.backup_record:
    url: http://backup.example.org:9090
    backup_id: "{{ etc.metadata.backup_id }}"
    state: absent
  delegate_to: localhost
"""

RETURN = r"""
backup_id:
  description: The id of the backup.
  returned: success
  type: str
  sample: 5f6c0d4f3f3d4a4f9a4e2a1f0c7d8e9b
backup:
  description: The record as it is stored now, or V(null) if it does not exist.
  returned: success
  type: dict
  sample:
    backup_id: 5f6c0d4f3f3d4a4f9a4e2a1f0c7d8e9b
    backup_metadata:
      container: /var/backups/freezer
      hostname: db1.example.org
      backup_name: etc
      time_stamp: 1795321994
      level: 0
    user_id: anna
    project_id: default
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.kinds import ensure_backup_record
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import present_absent, stamps
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule


def main():
    module = RegistryModule(
        {
            "backup_id": {"type": "str"},
            "metadata": {"type": "dict", "aliases": ["backup_metadata"]},
            "status": {"type": "str"},
            "user_name": {"type": "str"},
            **stamps(),
            "state": present_absent(),
        },
        required_one_of=[("backup_id", "metadata")],
        required_if=[("state", "present", ["metadata"])],
    )
    metadata, backup_id, state = (module.params[key] for key in ("metadata", "backup_id", "state"))
    module.run(
        lambda registry: ensure_backup_record(registry, metadata or {}, backup_id, state, module.check_mode),
        name="backup",
    )


if __name__ == "__main__":
    main()
