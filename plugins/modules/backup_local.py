#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_local
short_description: Back up a folder or a file of a host to folders of that host
description:
  - What M(freezer.backup.backup) runs on the host where files are read as they are and go to folders of the host, so that
    the parts for clouds, snapshots and databases need not be copied there. A part of that module, which chooses by itself.
  - Takes the same options, returns the same, and refuses what is not for it.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
requirements:
  - GNU tar 1.27 or later
  - zstandard (Python) or zstd, for O(compression=zstd)
extends_documentation_fragment:
  - freezer.backup._action
  - freezer.backup._action.backup
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group_host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Every run makes a backup, which is what is asked for. With O(min_age) a run changes nothing while there is a
        young enough one.
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.backup
"""

EXAMPLES = r"""
- name: Back up the configuration of a host, as freezer.backup.backup does with the same options
  freezer.backup.backup_local:
    path_to_backup: /etc
    backup_name: etc
    storage: local
    container: /srv/backups
"""

RETURN = r"""
outcome:
  description: What M(freezer.backup.backup) says here, and with it all else that that module returns of files.
  returned: success
  type: str
  sample: success
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.backup_local import backup_local
from ansible_collections.freezer.backup.plugins.module_utils._module.host_module import (
    SHOWN_OF_BACKUPS,
    run_on_host,
)


def main() -> None:
    """Hand the options to the engine as an action."""
    run_on_host(
        "backup",
        lambda action, check_mode: backup_local(action, dry_run=check_mode),
        shown=SHOWN_OF_BACKUPS,
    )


if __name__ == "__main__":
    main()
