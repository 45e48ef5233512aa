# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One snapshot of all volumes of a group of Cinder.

Whether it is of one moment is the type's of the group to say (``consistent_group_snapshot_enabled``); where it says no, Cinder
takes one volume after the other. The parts get the names and the metadata of snapshots of single volumes, so that they are found
and applied like those. Only their removal is another one: Cinder lets a part go with all others or not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ..connection import Cloud
from ..errors import CloudError
from ..listing import GROUP_VERSION, CopiesOfVolumes, OfCinder
from ..resources import Resource, utc_stamp
from ..waiting import Clock, made_once
from .volume_images import remove_those


@dataclass(frozen=True)
class Part:
    """What the snapshot of one volume of the group is to be called, and its metadata."""

    title: str
    metadata: Mapping[str, str]


def by_group(volumes: Sequence[Resource], known: Sequence[Resource]) -> dict[str, list[Resource]]:
    """Those of the volumes that are in groups. Raises CloudError if a group has `known` volumes that are not among them."""
    groups: dict[str, list[Resource]] = {}
    for volume in volumes:
        if volume.get("group_id"):
            groups.setdefault(volume["group_id"], []).append(volume)
    named = {volume["id"] for volume in volumes}
    for group_id in groups:
        missing = [
            one["name"] or one["id"] for one in known if one.get("group_id") == group_id and one["id"] not in named
        ]
        if missing:
            raise CloudError(
                f"The group {group_id} has further volumes, of which Cinder would take snapshots as well: "
                f"{', '.join(sorted(missing))}. Name them too, or leave as_groups out."
            )
    return groups


class GroupSnapshots:
    """The group snapshots of a project. Any number of threads may ask."""

    def __init__(self, cloud: Cloud, snapshots: CopiesOfVolumes) -> None:
        self._known = OfCinder(cloud, "group_snapshots", GROUP_VERSION)
        self._snapshots = snapshots
        self._removing = threading.Lock()

    def take(self, group_id: str, title: str, parts: Mapping[str, Part], clock: Clock) -> None:
        """Take one of a group, or go on with one of this title that a run before has begun; `parts` is by volume.

        Raises FreezerError, and leaves nothing of one that Cinder gave up.
        """
        begun = self._named(group_id, title)
        if begun is not None and begun["status"] not in ("creating", "available"):
            self._remove(begun["id"], clock)
            begun = None
        taken = begun["id"] if begun else self._ask_for(group_id, title, clock)
        clock.wait(lambda: self._finished(taken), title, lambda: self._known.discard(taken))
        self._snapshots.expire()
        for found in self.parts(taken):
            part = parts[found["volume_id"]]
            path = f"/snapshots/{quote(found['id'])}"
            service = self._snapshots.service
            metadata = service.request("POST", f"{path}/metadata", {"metadata": dict(part.metadata)}).document
            service.request("PUT", path, {"snapshot": {"name": part.title}})
            self._snapshots.add({**found, "name": part.title, **metadata})

    def parts(self, group_snapshot_id: str) -> list[Resource]:
        """The snapshots that belong to one. Raises RestError."""
        return [one for one in self._snapshots.fresh() if one.get("group_snapshot_id") == group_snapshot_id]

    def remove(self, group_snapshot_id: str, named: Collection[str], clock: Clock) -> None:
        """Remove one, whose parts are all of volumes that are `named` by their ids. Raises FreezerError."""
        others = [one["volume_id"] for one in self.parts(group_snapshot_id) if one["volume_id"] not in named]
        if others:
            raise CloudError(
                f"It was taken as one with snapshots of other volumes, and Cinder removes all of them or none. Name also "
                f"{', '.join(sorted(others))}."
            )
        self._remove(group_snapshot_id, clock)
        self._snapshots.expire()

    # ------------------------------------------------------------------

    def _named(self, group_id: str, title: str) -> Resource | None:
        self._known.expire()
        known = self._known.fresh()
        return next((one for one in known if one["name"] == title and one["group_id"] == group_id), None)

    def _ask_for(self, group_id: str, title: str, clock: Clock) -> str:
        new = {"group_snapshot": {"group_id": group_id, "name": title, "description": f"freezer.backup {utc_stamp()}"}}

        def make() -> str:
            service = self._known.service
            answer = service.request("POST", "/group_snapshots", new, repeatable=False, headers=GROUP_VERSION)
            self._known.expire()
            return str(answer.document["group_snapshot"]["id"])

        def look() -> str | None:
            found = self._named(group_id, title)
            return str(found["id"]) if found else None

        return made_once(make, look, clock, title, busy=f"Cinder works on the group {group_id}, whose end")

    def _finished(self, group_snapshot_id: str) -> bool | None:
        found = self._known.get(group_snapshot_id)
        if found is None or found["status"].startswith("error"):
            raise CloudError(
                f"The group snapshot {group_snapshot_id} is {found['status'] if found else 'gone'}: Cinder gave it up."
            )
        return True if found["status"] == "available" else None

    def _remove(self, group_snapshot_id: str, clock: Clock) -> None:
        what = f"the group snapshot {group_snapshot_id}"
        # Each of its volumes asks for it, and the first one does it for all.
        with self._removing:
            remove_those(self._known, "group snapshot", lambda one: one["id"] == group_snapshot_id, clock, what)
