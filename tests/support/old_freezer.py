# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The one index of an old Freezer, as its API and agent filled it: all kinds in it, and their traps.

The fields are those of ``freezer_api/common/db_mappings.py``; ``not_analyzed`` strings are ``keyword`` today, others
``text``. Kinds without a mapping (sessions, actions) were dynamic. The server that such an index lies on now has been
given it with its numbers as they were written, which for ``""`` only a lenient mapping takes.
"""

from __future__ import annotations

import json
from typing import Any

_KEYWORDS = ("client_id", "user_id", "project_id", "job_id", "session_id", "backup_id", "uuid", "action_id")
_BACKUP_NUMBERS = (
    *("backup_session", "backup_size_compressed", "backup_size_uncompressed", "level", "max_level", "ssh_port"),
    *("timestamp", "total_backup_session_size", "total_broken_links", "total_directories", "total_fs_files"),
)
_TEXT = {"type": "text"}
_KEYWORD = {"type": "keyword"}
#: What has taken ``""`` in a number.
_LENIENT = {"type": "long", "ignore_malformed": True}

MAPPING: dict[str, Any] = {
    "dynamic": "true",
    "properties": {
        **dict.fromkeys(_KEYWORDS, _KEYWORD),
        "description": _TEXT,
        "session_tag": _LENIENT,
        "client": {
            "properties": {"client_id": _KEYWORD, "config_id": _KEYWORD, "hostname": _TEXT, "description": _TEXT}
        },
        "backup_metadata": {
            "properties": {
                **dict.fromkeys(("backup_name", "container", "host_name", "broken_links"), _KEYWORD),
                **dict.fromkeys(_BACKUP_NUMBERS, _LENIENT),
                **dict.fromkeys(("hostname", "time_stamp", "curr_backup_level", "path_to_backup", "cli"), _TEXT),
                "always_level": {"type": "keyword"},
            }
        },
        "job_actions": {
            "properties": {
                "freezer_action": {
                    "properties": {"max_level": _LENIENT, "ssh_port": _LENIENT, "remove_older_then": _LENIENT}
                },
                "max_retries": _LENIENT,
            }
        },
        "job_schedule": {"properties": {"time_created": _LENIENT, "current_pid": _LENIENT}},
    },
}

_WHOSE = {"user_id": "anna", "project_id": "shop"}

#: Documents by the id that the server gave them. All of these can be taken in.
GOOD: dict[str, dict[str, Any]] = {
    # Clients have an automatic id.
    "AVx1": {"client": {"client_id": "shop_db1", "hostname": "db1", "description": "", "uuid": "u1"}, **_WHOSE},
    "AVx2": {"client": {"client_id": "web1", "hostname": "web1", "uuid": "u2", "config_id": "c"}, "user_id": "bert"},
    "b1": {
        "backup_id": "b1",
        "status": "available",
        "backup_metadata": {
            "backup_name": "etc",
            "container": "backups",
            "host_name": "db1",
            "time_stamp": "",
            "timestamp": 1450000000,
            "max_level": "",
            "ssh_port": "",
            "level": "1",
            "always_level": "",
            "curr_backup_level": "1",
            "dry_run": "",
            "encrypted": False,
            "path_to_backup": "/etc",
            "cli": "",
        },
        **_WHOSE,
    },
    "b2": {
        "backup_id": "b2",
        "user_name": "Anna",
        "backup_metadata": {
            "backup_name": "etc",
            "container": "backups",
            "hostname": "db1",
            "time_stamp": "1450086400",
            "level": 0,
        },
        **_WHOSE,
    },
    "b3": {"backup_id": "b3", "status": "creating", "backup_metadata": {"backup_name": "later"}, **_WHOSE},
    "j1": {
        "job_id": "j1",
        "client_id": "shop_db1",
        "description": "nightly",
        "session_id": "",
        "job_actions": [
            {
                "action_id": "a1",
                "user_id": "anna",
                "mandatory": "",
                "max_retries": "3",
                "max_retries_interval": "",
                "freezer_action": {"action": "backup", "path_to_backup": "/etc", "max_level": "", "ssh_port": "22"},
            },
            {"freezer_action": {"action": "backup", "remove_older_then": ""}},
        ],
        "job_schedule": {
            "time_created": 1450000000,
            "time_started": -1,
            "time_ended": -1,
            "current_pid": "",
            "event": "",
            "status": "scheduled",
            "result": "",
            "schedule_interval": "1 days",
        },
        "_version": 4,
        **_WHOSE,
    },
    "a1": {"action_id": "a1", "freezer_action": {"action": "backup", "max_level": ""}, "max_retries": "", **_WHOSE},
    "s1": {
        "session_id": "s1",
        "session_tag": 0,
        "status": "active",
        "last_start": "",
        "jobs": [],
        "hold_off": 30,
        "schedule": {"schedule_interval": "10 minutes"},
        **_WHOSE,
    },
    "s2": {
        "session_id": "s2",
        "session_tag": "7",
        "jobs": {"j1": {"client_id": "shop_db1", "status": "completed", "result": "success"}},
        "schedule": {},
        **_WHOSE,
    },
}

#: Documents that are rejected, with a part of the reason.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "x1": ({"something": "else", **_WHOSE}, "it has no key of a backup, client"),
    "x2": (
        {"backup_id": "x2", "backup_metadata": {"backup_name": "n", "container": "c"}, **_WHOSE},
        "'hostname' is missing",
    ),
    "x3": (
        {"backup_id": "x3", "backup_metadata": {"backup_name": "n", "max_level": "many"}, **_WHOSE},
        "backup_metadata.max_level has to be a number and is 'many'",
    ),
    "x4": (
        {"job_id": "x4", "client_id": "c", "job_actions": [], "job_schedule": {"status": "lost"}, **_WHOSE},
        "status",
    ),
    "x5": ({"job_id": "x5", "client_id": "c", "job_actions": [], "wish": 1, **_WHOSE}, "wish"),
    "x6": ({"job_id": "x 6", "client_id": "c", "job_actions": [], **_WHOSE}, "cannot be the id of a job"),
    "x7": ({"action_id": "x7", "freezer_action": {}, "project_id": "shop"}, "it has no user_id"),
    "x8": ({"backup_id": "x8", **_WHOSE}, "it has no backup_metadata"),
    # Elasticsearch 2 let clients be registered twice.
    "AVx9": ({"client": {"client_id": "shop_db1", "hostname": "other"}, **_WHOSE}, "an earlier document has this id"),
    "x10": (
        {"session_id": "x10", "session_tag": 0, "schedule": {}, "jobs": [{"status": "x"}], **_WHOSE},
        "an element of jobs has no job_id",
    ),
}


def make(server: Any, index: str) -> None:
    """Make the index in a server of the lab, with all documents."""
    server.ask("PUT", f"/{index}", {"mappings": MAPPING, "settings": {"number_of_replicas": 0}})
    documents = {**GOOD, **{name: document for name, (document, _reason) in BAD.items()}}
    lines = [line for name, document in documents.items() for line in ({"create": {"_id": name}}, _stored(document))]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    answer = server.ask("POST", f"/{index}/_bulk?refresh=true", body)
    assert not answer["errors"], [item for item in answer["items"] if "error" in item["create"]]


def _stored(document: dict[str, Any]) -> dict[str, Any]:
    # The name means something to a server of today.
    return {key: value for key, value in document.items() if key != "_version"}
