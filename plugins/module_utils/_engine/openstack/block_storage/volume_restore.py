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
            path, asked = f"/backups/{quote(found['id'])}/restore", {"restore": {"volume_id": volume_id}}
            if is_snapshot:
                path, asked = f"/volumes/{quote(volume_id)}/action", {"revert": {"snapshot_id": found["id"]}}
            headers = _REVERT_VERSION if is_snapshot else {}
            self._service.request("POST", path, asked, repeatable=False, headers=headers)
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
        def do() -> None:
            try:
                compute = self._cloud.service("compute")
                compute.request("DELETE", f"{_attachments_path(attachment)}/{quote(volume['id'])}")
            except NotFound:
                pass

        self._by_nova(do, volume, "available", "Detaching {0}", clock)

    def _attach(self, volume: Resource, attachment: Mapping[str, Any], clock: Clock) -> None:
        new = {"volumeAttachment": {"volumeId": volume["id"], "device": attachment.get("device")}}

        def do() -> None:
            self._cloud.service("compute").request("POST", _attachments_path(attachment), new, repeatable=False)

        self._by_nova(do, volume, "in-use", "Attaching {0} again", clock)

    def _by_nova(self, ask: Callable[[], None], volume: Resource, ends_as: str, doing: str, clock: Clock) -> None:
        label = volume["name"] or volume["id"]

        def do() -> None:
            ask()
            self._volumes.expire()

        def find() -> Resource | None:
            self._volumes.expire()
            current = self._volumes.idle(volume["id"])
            return current if current and current["status"] == ends_as else None

        busy = f"Nova works on the server of {label}, whose end"
        once(do, find, clock, doing.format(label), busy)

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


def _attachments_path(attachment: Mapping[str, Any]) -> str:
    return f"/servers/{quote(attachment['server_id'])}/os-volume_attachments"
