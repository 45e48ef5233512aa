# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The indices of freezer-api: one for each kind of document, and one for changes that concern several documents.

Every document is kept as its JSON text in ``body``, which Elasticsearch does not look into: it comes back byte for byte,
whatever is in it, and no document can be refused because an earlier one had another type under some key, or make the
mapping grow. All that is searched is taken from it into fields beside it, the same few in every index (``_COMMON``).
What is special to a kind (``SHOWN``) repeats values for dashboards, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Goes up by one with every change of what is below; ``_meta`` of an index says what it was made for.
SCHEMA_VERSION = 1

_KEYWORD: Mapping[str, Any] = {"type": "keyword"}
#: Found by equality or by a part of it, never sorted or counted.
_TERMS: Mapping[str, Any] = {"type": "keyword", "doc_values": False}
#: Kept, and not looked into.
_OPAQUE: Mapping[str, Any] = {"type": "object", "enabled": False}
_LONG: Mapping[str, Any] = {"type": "long"}

_COMMON: Mapping[str, Mapping[str, Any]] = {
    # The document: its JSON text.
    "body": _OPAQUE,
    # Its identity and its owner. ``_id`` is project_id/id.
    "id": _KEYWORD,
    "project_id": _KEYWORD,
    "user_id": _KEYWORD,
    # How often it was written.
    "version": {"type": "long", "index": False},
    # Lists are in this order: nanoseconds since 1970 at its creation; of two at the same moment the key decides.
    "order": _LONG,
    "key": {"type": "keyword", "index": False},
    # The id of the write that made this state, for a writer that has lost the answer.
    "write": {"type": "keyword", "index": False, "doc_values": False},
    # The moment of its creation, for people.
    "stored_at": {"type": "date", "format": "epoch_millis"},
    # Every value at every path, ``job_schedule.status=s:completed``: a search for a field is a search for such a term.
    "fields": _TERMS,
    # Every value as text in lower case, for searches in all of a document; without secrets, which not every user may find.
    "values": _TERMS,
    "secret_values": _TERMS,
    # Bounds on the time of a backup. No date: whole numbers of 64 bits, of seconds since 1970, are compared exactly.
    "time_stamp": _LONG,
    # A change that concerns several documents: its id, and this document as it will be when it is decided.
    "transaction": _KEYWORD,
    "next": _OPAQUE,
    # Set where a document does not exist before that.
    "is_absent": {"type": "boolean"},
}

_SHORT: Mapping[str, Any] = {"type": "keyword", "ignore_above": 1024}
_DATE: Mapping[str, Any] = {"type": "date", "format": "epoch_second"}

#: What dashboards show of a kind: the field, its mapping, and where in a document it comes from.
SHOWN: Mapping[str, Mapping[str, tuple[Mapping[str, Any], tuple[str, ...]]]] = {
    "client": {
        "hostname": (_SHORT, ("client", "hostname")),
    },
    "action": {
        "action": (_SHORT, ("freezer_action", "action")),
        "backup_name": (_SHORT, ("freezer_action", "backup_name")),
        "container": (_SHORT, ("freezer_action", "container")),
    },
    "job": {
        "client_id": (_SHORT, ("client_id",)),
        "session_id": (_SHORT, ("session_id",)),
        "status": (_SHORT, ("job_schedule", "status")),
        "result": (_SHORT, ("job_schedule", "result")),
        "time_started": (_DATE, ("job_schedule", "time_started")),
        "time_ended": (_DATE, ("job_schedule", "time_ended")),
    },
    "session": {
        "status": (_SHORT, ("status",)),
        "result": (_SHORT, ("result",)),
        "session_tag": (_LONG, ("session_tag",)),
        # A list of objects, and not a field for every job: a thousand jobs would be all the fields that an index takes.
        "jobs": (
            {
                "type": "nested",
                "dynamic": "strict",
                "properties": {"job_id": _SHORT, "client_id": _SHORT, "status": _SHORT, "result": _SHORT},
            },
            ("jobs",),
        ),
    },
    "backup": {
        "backup_name": (_SHORT, ("backup_metadata", "backup_name")),
        "container": (_SHORT, ("backup_metadata", "container")),
        "hostname": (_SHORT, ("backup_metadata", "hostname")),
        "status": (_SHORT, ("status",)),
        "level": (_LONG, ("backup_metadata", "curr_backup_level")),
        "time": (_DATE, ("backup_metadata", "time_stamp")),
    },
}

_TRANSACTION: Mapping[str, Mapping[str, Any]] = {
    # ``committed`` or ``aborted``. ``_id`` is the id that documents have in ``transaction``.
    "outcome": _KEYWORD,
    "decided_at": {"type": "date", "format": "epoch_millis"},
}


@dataclass(frozen=True)
class OwnIndex:
    """One index as it has to be; ``plural`` is the end of its name."""

    plural: str
    mapping: Mapping[str, Any]
    settings: Mapping[str, Any]

    def alias(self, prefix: str) -> str:
        """The name under which freezer-api reads and writes."""
        return f"{prefix}-{self.plural}"


TRANSACTIONS = "transactions"
#: The kind of document by the end of the name of its index.
PLURALS: Mapping[str, str] = {
    "client": "clients",
    "action": "actions",
    "job": "jobs",
    "session": "sessions",
    "backup": "backups",
}


def own_indices() -> tuple[OwnIndex, ...]:
    """All indices of freezer-api."""
    # One shard: sequence numbers, which tell whether something has changed, are counted in each shard.
    settings: dict[str, Any] = {"number_of_shards": 1}
    indices = [
        OwnIndex(
            plural,
            _mapping(plural, {**_COMMON, **{name: said for name, (said, _path) in SHOWN[kind].items()}}),
            settings,
        )
        for kind, plural in PLURALS.items()
    ]
    return (*indices, OwnIndex(TRANSACTIONS, _mapping(TRANSACTIONS, _TRANSACTION), settings))


def _mapping(plural: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dynamic": "strict",
        "_meta": {"managed_by": "freezer.backup", "schema_version": SCHEMA_VERSION, "documents": plural},
        "properties": dict(properties),
    }
