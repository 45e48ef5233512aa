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

from ...errors import FreezerError
from ..connection import Cloud
from ..errors import CloudError
from ..listing import GROUP_VERSION, CopiesOfVolumes
from ..resources import Resource, pages, utc_stamp
from ..waiting import Clock, once
from .removal import look_up, remove_at


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
        self._service = cloud.service("volume")
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
        try:
            clock.wait(lambda: self._finished(taken), title)
        except CloudError as problem:
            if "timeout" not in str(problem):
                self._give_up(taken)
            raise
        self._snapshots.expire()
        for found in self.parts(taken):
            part = parts[found["volume_id"]]
            path = f"/snapshots/{quote(found['id'])}"
            metadata = self._service.request("POST", f"{path}/metadata", {"metadata": dict(part.metadata)}).document
            self._service.request("PUT", path, {"snapshot": {"name": part.title}})
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
        known = pages(self._service, "/group_snapshots/detail", "group_snapshots", headers=GROUP_VERSION)
        return next((one for one in known if one["name"] == title and one["group_id"] == group_id), None)

    def _ask_for(self, group_id: str, title: str, clock: Clock) -> str:
        new = {"group_snapshot": {"group_id": group_id, "name": title, "description": f"freezer.backup {utc_stamp()}"}}
        made: list[str] = []

        def do() -> None:
            answer = self._service.request("POST", "/group_snapshots", new, repeatable=False, headers=GROUP_VERSION)
            made.append(answer.document["group_snapshot"]["id"])

        def find() -> str | None:
            if made:
                return made[0]
            found = self._named(group_id, title)
            return str(found["id"]) if found else None

        return once(do, find, clock, title, busy=f"Cinder works on the group {group_id}, whose end")

    def _path(self, group_snapshot_id: str) -> str:
        return f"/group_snapshots/{quote(group_snapshot_id)}"

    def _finished(self, group_snapshot_id: str) -> bool | None:
        found = look_up(self._service, self._path(group_snapshot_id), "group_snapshot", GROUP_VERSION)
        if found is None or found["status"].startswith("error"):
            raise CloudError(
                f"The group snapshot {group_snapshot_id} is {found['status'] if found else 'gone'}: Cinder gave it up."
            )
        return True if found["status"] == "available" else None

    def _give_up(self, group_snapshot_id: str) -> None:
        try:
            self._service.request("DELETE", self._path(group_snapshot_id), headers=GROUP_VERSION)
        except FreezerError:
            pass  # the problem that led here is the one to tell; the next run removes it

    def _remove(self, group_snapshot_id: str, clock: Clock) -> None:
        what = f"the group snapshot {group_snapshot_id}"
        # Each of its volumes asks for it, and the first one does it for all.
        with self._removing:
            remove_at(self._service, self._path(group_snapshot_id), "group_snapshot", what, clock, GROUP_VERSION)
