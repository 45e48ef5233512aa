# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots of servers: images that Nova makes, what becomes of them, and servers made of them again.

Lists are asked for once for all servers of a call, so the number of requests for each server is small and stays so.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable
from urllib.parse import quote

from ..errors import FreezerError
from ..rest.errors import NotFound
from .connection import Cloud
from .errors import CloudError
from .listing import Images, Servers
from .many import all_of
from .resources import OWNER, Resource, age_seconds, snapshot_title
from .server_restore import ServerRestore
from .waiting import Clock, once

_BROKEN = ("killed", "error", "deleted", "pending_delete", "deactivated")


@dataclass(frozen=True)
class ServerSnapshotOptions:
    """What is wanted; times are in seconds."""

    snapshot_name: str
    incremental: bool = True
    backup_type: str = "irregular"
    rotation: int = 1
    require_quiesce: bool = False
    min_age: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    restore_as: str | None = None
    force: bool = False
    timeout_seconds: float = 600.0
    concurrency: int = 8


class ServerSnapshots:
    """Snapshots of several servers under one name."""

    def __init__(self, cloud: Cloud, options: ServerSnapshotOptions) -> None:
        self._cloud = cloud
        self._options = options
        self._servers = Servers(cloud)
        self._images = Images(cloud)
        self._run = uuid.uuid4().hex

    def present(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Make the snapshots that are missing, and wait until they are whole. Raises FreezerError."""
        return self._all(names, lambda server: self._ensure(server, dry_run))

    def absent(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Remove the snapshots of this name, and those of volumes that belong to them. Raises FreezerError."""
        return self._all(names, lambda server: self._remove(server, dry_run))

    def applied(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Let servers become what their snapshots are, or make new ones beside them. Raises FreezerError."""
        if self._options.restore_as and len(names) > 1:
            raise CloudError(
                "restore_as is the name of one server; apply the snapshots of several one after the other."
            )
        return self._all(names, lambda server: self._apply(server, dry_run))

    def _all(self, names: Sequence[str], work: Callable[[Resource], dict[str, Any]]) -> dict[str, Any]:
        return all_of(self._servers, names, "server", work, self._options.concurrency)

    def _title(self, server: Resource) -> str:
        return snapshot_title("vm", server["id"], self._options.snapshot_name, self._options.incremental)

    # ------------------------------------------------------------------ present

    def _ensure(self, server: Resource, dry_run: bool) -> dict[str, Any]:
        options = self._options
        title = self._title(server)
        known = self._images.named(title, server["id"])
        whole = [one for one in known if one["status"] == "active"]
        if whole:
            return self._described(whole[0], changed=False)
        if options.min_age is not None:
            young = [
                one
                for one in self._images.fresh()
                if one.get("freezer_server_id") == server["id"]
                and one["status"] == "active"
                and age_seconds(one["created_at"]) < options.min_age
            ]
            if young:
                return {
                    **self._described(young[0], changed=False),
                    "reason": f"the newest snapshot is younger than min_age ({options.min_age:g} seconds)",
                }
        volume_backed = not server.get("image")
        if volume_backed and not options.incremental:
            raise CloudError(
                "Nova makes no backups (incremental: false) of servers that boot from a volume; take an image of it with "
                "incremental: true, or back up its volumes with volume_snapshot."
            )
        consistency = self._consistency(server)
        if options.require_quiesce and consistency != "fs":
            raise CloudError(
                "Its file systems cannot be held still: its image does not have hw_qemu_guest_agent and "
                "os_require_quiesce, so the snapshot would be as after a power failure. Set both on the image, stop the "
                "server, or leave require_quiesce out."
            )
        planned = {"snapshot": title, "consistency": consistency, "changed": True, "outcome": "planned"}
        if dry_run:
            return planned
        clock = Clock(options.timeout_seconds)
        going_on = [one for one in known if one["status"] not in _BROKEN]
        for broken in [one for one in known if one["status"] in _BROKEN]:
            self._images.delete(broken["id"])
        image_id = going_on[0]["id"] if going_on else self._make(server, title, consistency, clock)
        try:
            image = clock.wait(lambda: self._finished(image_id), f"The snapshot {title}")
            self._check(image, volume_backed)
        except CloudError as problem:
            if "timeout" not in str(problem):
                # What is left of it would be in the way of the next run, and is no snapshot.
                self._discard(image_id)
            raise
        # Nova works on the server a little longer than on the image, and would refuse the next request until then.
        clock.wait(lambda: self._servers.idle(server["id"]), f"The end of Nova's work on {server['name']}")
        return self._described(image, changed=True)

    def _make(self, server: Resource, title: str, consistency: str, clock: Clock) -> str:
        options = self._options
        metadata = {
            **{str(key): str(value) for key, value in options.metadata.items()},
            "freezer_owner": OWNER,
            "freezer_server_id": server["id"],
            "freezer_server_name": server["name"][:255],
            "freezer_set": options.snapshot_name,
            "freezer_level": "0",
            "freezer_consistency": consistency,
            "freezer_run": self._run,
        }
        if options.incremental:
            action: dict[str, Any] = {"createImage": {"name": title, "metadata": metadata}}
        else:
            action = {
                "createBackup": {
                    "name": title,
                    "backup_type": options.backup_type,
                    "rotation": options.rotation,
                    "metadata": metadata,
                }
            }

        def do() -> None:
            self._servers.act(server["id"], action)
            self._images.expire()

        def find() -> str | None:
            found = [one for one in self._images.named(title, server["id"]) if one.get("freezer_run") == self._run]
            return found[0]["id"] if found else None

        return once(
            do,
            find,
            clock,
            f"The snapshot {title}",
            busy=f"Nova works on {server['name']} for somebody else, whose end",
        )

    def _finished(self, image_id: str) -> Resource | None:
        image = self._images.get(image_id)
        if image is None or image["status"] in _BROKEN:
            state = image["status"] if image else "gone"
            raise CloudError(
                f"The image {image_id} of the snapshot is {state}: Nova or Glance gave it up. Look at the server's last "
                "actions (openstack server event list)."
            )
        return image if image["status"] == "active" else None

    def _check(self, image: Resource, volume_backed: bool) -> None:
        if volume_backed:
            if not _volume_snapshots(image):
                raise CloudError(f"The image {image['id']} names no snapshot of a volume; it would restore nothing.")
        elif not image.get("size") or not (image.get("os_hash_value") or image.get("checksum")):
            raise CloudError(f"The image {image['id']} has no bytes or no checksum, so it is no snapshot.")

    def _discard(self, image_id: str) -> None:
        try:
            self._images.delete(image_id)
        except FreezerError:
            pass  # the problem that led here is the one to tell; the next run removes it

    def _consistency(self, server: Resource) -> str:
        """``fs`` where Nova holds the file systems or they are not in use, else ``crash``."""
        if server["status"] == "SHUTOFF":
            return "fs"
        image_id = (server.get("image") or {}).get("id")
        if image_id is None:
            volumes = server.get("os-extended-volumes:volumes_attached") or []
            properties = self._volume_image_metadata(volumes[0]["id"]) if volumes else {}
        else:
            try:
                properties = self._cloud.service("image").request("GET", f"/v2/images/{quote(image_id)}").document
            except NotFound:
                properties = {}
        wanted = ("hw_qemu_guest_agent", "os_require_quiesce")
        # With both, Nova refuses a snapshot that it could not quiesce; with the first alone it takes it all the same.
        return "fs" if all(str(properties.get(key, "")).lower() in ("yes", "true", "1") for key in wanted) else "crash"

    def _volume_image_metadata(self, volume_id: str) -> Mapping[str, Any]:
        answer = self._cloud.service("volume").request("GET", f"/volumes/{quote(volume_id)}")
        found: Mapping[str, Any] = answer.document["volume"].get("volume_image_metadata") or {}
        return found

    def _described(self, image: Resource, changed: bool) -> dict[str, Any]:
        return {
            "changed": changed,
            "outcome": "success" if changed else "unchanged",
            "snapshot": image.get("name"),
            "image_id": image["id"],
            "size_bytes": image.get("size"),
            "checksum": image.get("os_hash_value") or image.get("checksum"),
            "consistency": image.get("freezer_consistency"),
            "volume_snapshot_ids": _volume_snapshots(image),
            "created_at": image.get("created_at"),
        }

    # ------------------------------------------------------------------ absent

    def _remove(self, server: Resource, dry_run: bool) -> dict[str, Any]:
        title = self._title(server)
        known = self._images.named(title, server["id"])
        if not known:
            return {"changed": False, "outcome": "unchanged", "snapshot": title}
        if not dry_run:
            clock = Clock(self._options.timeout_seconds)
            for image in known:
                self._images.delete(image["id"])
                # Glance knows nothing of what an image of a server with volumes stands for.
                for snapshot_id in _volume_snapshots(image):
                    self._remove_volume_snapshot(snapshot_id, clock)
            clock.wait(lambda: True if not self._images.named(title, server["id"]) else None, f"The removal of {title}")
        return {
            "changed": True,
            "outcome": "planned" if dry_run else "success",
            "snapshot": title,
            "image_id": known[0]["id"],
        }

    def _remove_volume_snapshot(self, snapshot_id: str, clock: Clock) -> None:
        volumes = self._cloud.service("volume")

        def gone() -> bool | None:
            try:
                found = volumes.request("GET", f"/snapshots/{quote(snapshot_id)}").document["snapshot"]
            except NotFound:
                return True
            if found["status"] == "error_deleting":
                raise CloudError(f"Cinder could not delete the snapshot {snapshot_id} of a volume.")
            return None

        try:
            volumes.request("DELETE", f"/snapshots/{quote(snapshot_id)}")
        except NotFound:
            return
        clock.wait(gone, f"The removal of the snapshot {snapshot_id} of a volume")

    # ------------------------------------------------------------------ applied

    def _apply(self, server: Resource, dry_run: bool) -> dict[str, Any]:
        title = self._title(server)
        whole = [one for one in self._images.named(title, server["id"]) if one["status"] == "active"]
        if not whole:
            raise CloudError(f"There is no snapshot {title} that could be applied.")
        image = whole[0]
        about = {"snapshot": title, "image_id": image["id"]}
        restore = ServerRestore(self._cloud, self._servers, self._run, self._options.timeout_seconds)
        if self._options.restore_as:
            return {**about, **restore.boot_beside(server, image, self._options.restore_as, dry_run)}
        if not server.get("image"):
            raise CloudError(
                "A server that boots from a volume cannot be rebuilt in place; say with restore_as what a new server "
                "beside it is called, or restore its volumes with volume_snapshot."
            )
        if server["image"].get("id") == image["id"] and not self._options.force:
            return {
                **about,
                "changed": False,
                "outcome": "unchanged",
                "reason": "the server was made from this snapshot",
            }
        if not dry_run:
            restore.rebuild(server, image)
        return {**about, "changed": True, "outcome": "planned" if dry_run else "success"}


def _volume_snapshots(image: Resource) -> list[str]:
    """The snapshots of volumes that an image of a server with volumes stands for."""
    try:
        mapping = json.loads(image.get("block_device_mapping") or "[]")
    except ValueError:
        return []
    return [str(one["snapshot_id"]) for one in mapping if one.get("snapshot_id")]
