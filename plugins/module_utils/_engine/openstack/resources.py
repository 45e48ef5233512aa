# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Lists of a cloud, page after page, and the one thing that a name or an id means in them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from .errors import CloudError
from .service import Service

Resource = dict[str, Any]
PAGE = 1000
#: What marks everything that this collection makes.
OWNER = "freezer.backup"
_NAME_BYTES = 255


def pages(
    service: Service, path: str, key: str, query: Mapping[str, Any] | None = None, **options: Any
) -> list[Resource]:
    """A whole list. Raises RestError."""
    found: list[Resource] = []
    given = {**(query or {}), "limit": PAGE}
    while True:
        answer = service.request("GET", f"{path}?{urlencode(given)}", **options)
        page = answer.document.get(key) or []
        found += page
        # Services may give fewer than were asked for; a link says that there is more.
        has_more = bool(answer.document.get(f"{key}_links") or answer.document.get("next"))
        if not page or not (has_more or len(page) >= PAGE):
            return found
        given["marker"] = page[-1]["id"]


def chosen(known: Iterable[Resource], wanted: Sequence[str], what: str) -> list[Resource]:
    """Those that ids or names mean, each once. Raises CloudError for a name that none or several have."""
    by_id: dict[str, Resource] = {}
    by_name: dict[str, list[Resource]] = {}
    for one in known:
        by_id[one["id"]] = one
        by_name.setdefault(one.get("name") or "", []).append(one)
    found: dict[str, Resource] = {}
    for word in wanted:
        fitting = [by_id[word]] if word in by_id else by_name.get(word, [])
        if not fitting:
            raise CloudError(f"There is no {what} {word!r} in this project.")
        if len(fitting) > 1:
            ids = ", ".join(sorted(one["id"] for one in fitting))
            raise CloudError(f"Several {what}s are called {word!r}; name one of them by its id: {ids}.")
        found[fitting[0]["id"]] = fitting[0]
    return list(found.values())


def mark(one: Resource, name: str) -> str:
    """What this collection has written to a resource: into its metadata, of an image beside its own keys; else empty."""
    return str(one.get(name) or (one.get("metadata") or {}).get(name) or "")


def newest_first(found: Iterable[Resource], made_last: str = "") -> list[Resource]:
    """By the time of their creation. Of those of the same second `made_last` is the newest; else their runs say it."""

    def age(one: Resource) -> tuple[str, bool, str]:
        return str(one["created_at"])[:19], one["id"] == made_last, mark(one, "freezer_run")

    return sorted(found, key=age, reverse=True)


def new_run() -> str:
    """What a run is called in all that it makes: like no other, and after those that this host has called before it."""
    return f"{time.time_ns():020}-{uuid.uuid4().hex[:12]}"


def snapshot_title(kind: str, resource_id: str, name: str, incremental: bool) -> str:
    """What a snapshot is called: the names of Cloudify's plugin. Raises CloudError if it would be too long."""
    title = f"{kind}-{resource_id}-{name}-{'increment' if incremental else 'backup'}"
    if len(title.encode()) > _NAME_BYTES:
        raise CloudError(f"snapshot_name {name!r} is too long: {title!r} has more than {_NAME_BYTES} bytes.")
    return title


def age_seconds(stamp: str, now: datetime | None = None) -> float:
    """How long ago a moment was, as clouds write them: UTC, with or without a zone and fractions of a second."""
    text = stamp.rstrip("Z").split("+")[0]
    moment = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    return ((now or datetime.now(timezone.utc)) - moment).total_seconds()


def utc_stamp() -> str:
    """This moment, as clouds write moments."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
