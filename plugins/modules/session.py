#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: session
short_description: Store a session with a Freezer API
version_added: 1.0.0
description:
  - Stores a session, changes it and its members, or removes it.
  - The jobs of a session start at the same time on their clients. Together they back up a distributed
    system. Each round of them has a number, the C(session_tag).
author:
  - The freezer.backup authors (@freezer-backup)
options:
  session_id:
    description:
      - The id of the session, which you choose. Letters, digits, C(_) and C(-).
      - If it is not given, the session with this O(description) is meant, and a new one gets an id from the server.
    type: str
  description:
    description: What the session is for. It identifies the session if O(session_id) is not given.
    type: str
  hold_off:
    description: For how many seconds after its first job has started others may join the same round.
    type: int
  jobs:
    description:
      - The ids of all jobs in the session. Other jobs leave it.
      - If it is not given, the jobs of the session do not change.
      - The C(jobs) of a session document, an object with the ids as keys, mean the same.
    type: raw
  session_tag:
    description: Written by the server. Accepted, so that a document can be given as it is, and ignored.
    type: int
  status:
    description: Written by the server. Accepted and ignored.
    type: str
  result:
    description: Written by the server. Accepted and ignored.
    type: str
  last_start:
    description: Written by the server. Accepted and ignored.
    type: raw
  time_start:
    description: Written by the server. Accepted and ignored.
    type: int
  time_end:
    description: Written by the server. Accepted and ignored.
    type: int
  time_started:
    description: Written by the server. Accepted and ignored.
    type: int
  time_ended:
    description: Written by the server. Accepted and ignored.
    type: int
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group
  - freezer.backup._document
  - freezer.backup._document.schedule
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
notes:
  - Jobs take over the schedule of their session when they join it, and once more when this module changes it.
  - When a session is removed, its jobs leave it first.
  - A job that leaves its session has its own schedule again, and goes on with it. If it has none, or the server does not
    know it, the job is stopped, and a warning names it; give it a C(job_schedule) and start it, or remove it.
seealso:
  - module: freezer.backup.session_info
  - module: freezer.backup.session_action
  - module: freezer.backup.job
"""

EXAMPLES = r"""
- name: Back up the web servers and the database of the shop at the same time, every night
  freezer.backup.session:
    url: http://backup.example.org:9090
    session_id: shop
    description: The whole shop
    hold_off: 120
    schedule:
      schedule_hour: "2"
      schedule_minute: "0"
    jobs:
      - shop_web1
      - shop_web2
      - shop_db

- name: Remove the session
  freezer.backup.session:
    url: http://backup.example.org:9090
    session_id: shop
    state: absent
"""

RETURN = r"""
session_id:
  description: The id of the session.
  returned: success
  type: str
  sample: shop
session:
  description: The session as it is stored now, or V(null) if it does not exist.
  returned: success
  type: dict
  sample:
    session_id: shop
    session_tag: 0
    description: The whole shop
    hold_off: 120
    schedule:
      schedule_hour: "2"
      schedule_minute: "0"
    jobs:
      shop_db:
        client_id: db1.example.org
        status: ''
        result: ''
        time_started: -1
        time_ended: -1
    status: active
    user_id: anna
    project_id: default
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.sessions import ensure_session
from ansible_collections.freezer.backup.plugins.module_utils._module.document_specs import (
    present_absent,
    schedule_spec,
    stamps,
)
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_module import RegistryModule

KEYS = {
    "session_id": {"type": "str"},
    "description": {"type": "str"},
    "hold_off": {"type": "int"},
    "schedule": schedule_spec(),
}
IGNORED = {
    "session_tag": {"type": "int"},
    "status": {"type": "str"},
    "result": {"type": "str"},
    "last_start": {"type": "raw"},
    "time_start": {"type": "int"},
    "time_end": {"type": "int"},
    "time_started": {"type": "int"},
    "time_ended": {"type": "int"},
    **stamps(),
}


def main():
    module = RegistryModule({**KEYS, **IGNORED, "jobs": {"type": "raw"}, "state": present_absent()})
    wanted, params = module.document(*KEYS), module.params
    module.run(
        lambda registry: ensure_session(registry, wanted, params["jobs"], params["state"], module.check_mode),
        name="session",
    )


if __name__ == "__main__":
    main()
