# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes made of their snapshots or backups again: in place, or new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable
from urllib.parse import quote

from ...errors import FreezerError
from ...http.errors import NotFound
from ..connection import Cloud
from ..errors import CloudError
from ..listing import Volumes
from ..resources import Resource
from ..snapshots import made_before
from ..waiting import Clock, once

#: Revert to a snapshot; a volume made from a backup.
_REVERT_VERSION = {"OpenStack-API-Version": "volume 3.40"}
_FROM_BACKUP_VERSION = {"OpenStack-API-Version": "volume 3.47"}


class VolumeRestore:
    """`run` marks what is made; each piece of work may take `timeout_seconds`."""

    def __init__(self, cloud: Cloud, volumes: Volumes, run: str, timeout_seconds: float) -> None:
        self._cloud = cloud
        self._volumes = volumes
        self._service = volumes.service
        self._run = run
        self._timeout_seconds = timeout_seconds

    def into_same(self, volume: Resource, found: Resource, is_snapshot: bool) -> None:
        """Overwrite a volume, which is detached before and attached again afterwards. Raises FreezerError."""
        clock = Clock(self._timeout_seconds)
        attachments = list(volume.get("attachments") or [])
        for attachment in attachments:
            self._detach(volume, attachment, clock)
        try:
            self._overwrite(volume, found, is_snapshot, clock)
            self._service.request(
                "POST", f"/volumes/{quote(volume['id'])}/metadata", {"metadata": {"freezer_applied": found["id"]}}
            )
        finally:
            for attachment in attachments:
                self._attach(volume, attachment, clock)

    def _overwrite(self, volume: Resource, found: Resource, is_snapshot: bool, clock: Clock) -> None:
        volume_id, label = volume["id"], volume["name"] or volume["id"]
        began: list[bool] = []

        def do() -> None:
            if is_snapshot:
                self._service.request(
                    "POST",
                    f"/volumes/{quote(volume_id)}/action",
                    {"revert": {"snapshot_id": found["id"]}},
                    repeatable=False,
                    headers=_REVERT_VERSION,
                )
            else:
                self._service.request(
                    "POST",
                    f"/backups/{quote(found['id'])}/restore",
                    {"restore": {"volume_id": volume_id}},
                    repeatable=False,
                )
            self._volumes.expire()
            began.append(True)

        def find() -> Resource | None:
            self._volumes.expire()
            current = self._volumes.get(volume_id)
            if current is not None and current["status"].startswith(("reverting", "restoring")):
                began.append(True)
            return self._volumes.idle(volume_id) if began else None

        once(do, find, clock, f"The restore into {label}", busy=f"Cinder works on {label}, whose end")

    def _detach(self, volume: Resource, attachment: Mapping[str, Any], clock: Clock) -> None:
        server_id = attachment["server_id"]

        def do() -> None:
            try:
                self._cloud.service("compute").request(
                    "DELETE", f"/servers/{quote(server_id)}/os-volume_attachments/{quote(volume['id'])}"
                )
            except NotFound:
                pass

        label = volume["name"] or volume["id"]
        self._by_nova(do, volume, "available", f"Detaching {label}", clock)

    def _attach(self, volume: Resource, attachment: Mapping[str, Any], clock: Clock) -> None:
        server_id = attachment["server_id"]

        def do() -> None:
            self._cloud.service("compute").request(
                "POST",
                f"/servers/{quote(server_id)}/os-volume_attachments",
                {"volumeAttachment": {"volumeId": volume["id"], "device": attachment.get("device")}},
                repeatable=False,
            )

        label = volume["name"] or volume["id"]
        self._by_nova(do, volume, "in-use", f"Attaching {label} again", clock)

    def _by_nova(self, ask: Callable[[], None], volume: Resource, ends_as: str, doing: str, clock: Clock) -> None:
        def do() -> None:
            ask()
            self._volumes.expire()

        def find() -> Resource | None:
            self._volumes.expire()
            current = self._volumes.idle(volume["id"])
            return current if current and current["status"] == ends_as else None

        once(do, find, clock, doing, busy=f"Nova works on the server of {volume['name'] or volume['id']}, whose end")

    def new_volume(
        self, name: str, like: Resource, found: Resource, is_snapshot: bool, dry_run: bool
    ) -> dict[str, Any]:
        """A new volume of the size and type of another one, made once. Raises FreezerError."""
        marks = {"freezer_applied": found["id"]}
        settled = made_before(self._volumes, "volume", name, marks, ("available", "in-use"), dry_run)
        if settled is not None:
            return settled
        clock = Clock(self._timeout_seconds)
        new: dict[str, Any] = {
            "name": name,
            "size": like["size"],
            "volume_type": like.get("volume_type"),
            "metadata": {**marks, "freezer_run": self._run},
        }
        headers: Mapping[str, str] = {}
        if is_snapshot:
            new["snapshot_id"] = found["id"]
        else:
            # A volume made from a backup: Cinder restores it as it makes it (3.47).
            new["backup_id"] = found["id"]
            headers = _FROM_BACKUP_VERSION

        before = {one["id"] for one in self._volumes.fresh()}
        made: list[str] = []

        def do() -> None:
            answer = self._service.request("POST", "/volumes", {"volume": new}, repeatable=False, headers=headers)
            made.append(answer.document["volume"]["id"])

        def find() -> Resource | None:
            self._volumes.expire()
            if not made:
                # Not by the marks: Cinder puts the metadata of the volume that was backed up in their place.
                made.extend(
                    one["id"] for one in self._volumes.fresh() if one["name"] == name and one["id"] not in before
                )
            return self._volumes.idle(made[0]) if made else None

        try:
            found_id = once(do, find, clock, f"Making the volume {name}")["id"]
        except CloudError:
            self._remove_remains(made)
            raise
        if not is_snapshot:
            path = f"/volumes/{quote(found_id)}/metadata"
            self._service.request("POST", path, {"metadata": new["metadata"]})
            self._volumes.expire()
        return {"changed": True, "outcome": "success", "restored_volume": name, "restored_volume_id": found_id}

    def _remove_remains(self, made: Sequence[str]) -> None:
        self._volumes.expire()
        try:
            for one in self._volumes.fresh():
                if one["id"] in made and one["status"].startswith("error"):
                    self._volumes.delete(one["id"])
        except FreezerError:
            pass  # the problem that led here is the one to tell
