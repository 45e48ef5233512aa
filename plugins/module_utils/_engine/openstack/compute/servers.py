# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots of servers: images that Nova makes, what becomes of them, and servers made of them again.

Lists are asked for once for all servers of a call, so the number of requests for each server is small and stays so.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import quote

from ...http.errors import NotFound
from ..connection import Cloud
from ..errors import CloudError
from ..images import BROKEN
from ..listing import Images, Servers, Volumes
from ..resources import Resource, age_seconds, new_run, newest_first, snapshot_title, utc_stamp
from ..snapshots import SnapshotOptions, all_of
from ..waiting import Clock, made_once
from .server_restore import ServerRestore
from .server_volumes import ServerVolumes, snapshot_ids

#: States of an image whose bytes come, and what Nova does with its server then: the moment of the snapshot is over.
_BYTES_COME = ("saving", "uploading", "importing")
_UPLOADS = ("image_pending_upload", "image_uploading")
#: Nova answers with the id of the image that it begins.
_IMAGE_ID_VERSION = {"OpenStack-API-Version": "compute 2.45"}
_NO_ROTATION = 1_000_000
#: With both, Nova refuses a snapshot that it could not quiesce; with the first alone it takes it all the same.
_QUIESCED = ("hw_qemu_guest_agent", "os_require_quiesce")


@dataclass(frozen=True)
class ServerSnapshotOptions(SnapshotOptions):
    """Those of servers."""

    backup_type: str = "irregular"
    rotation: int = 1
    #: So many snapshots of a set are kept, whatever Nova's own rotation says; None keeps all.
    keep: int | None = None
    force: bool = False


class ServerSnapshots:
    """Snapshots of several servers under one name."""

    def __init__(self, cloud: Cloud, options: ServerSnapshotOptions) -> None:
        self._cloud = cloud
        self._options = options
        self._servers = Servers(cloud)
        self._images = Images(cloud)
        self._volumes = ServerVolumes(cloud)
        self._consistency = _Consistency(cloud, options.held)
        self._run = new_run()

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
        whole = [one for one in known if self._is_whole(one)]
        if whole:
            return self._rotated(server, self._described(whole[0], changed=False), dry_run)
        if options.min_age is not None:
            young = newest_first(
                one
                for one in self._images.fresh()
                if one.get("freezer_server_id") == server["id"]
                and one["status"] == "active"
                and age_seconds(one["created_at"]) < options.min_age
            )
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
        group_id = self._volumes.group_of(server) if options.as_groups and volume_backed else None
        consistency = self._consistency.of(server, by_nova=group_id is None)
        if options.require_quiesce and consistency == "crash":
            if group_id is not None:
                raise CloudError(
                    "Its file systems are not frozen: Nova does not do that for a group snapshot. Stop the server, hold it "
                    "with freeze and say so in held, or leave require_quiesce or as_groups out."
                )
            raise CloudError(
                "Its file systems cannot be frozen: its image does not have hw_qemu_guest_agent and "
                "os_require_quiesce, so the snapshot would be as after a power failure. Set both on the image, stop the "
                "server, or leave require_quiesce out."
            )
        # Nova goes on with what was begun; an image of a group snapshot is left of a run that was killed.
        going_on = [one for one in known if one["status"] not in BROKEN and group_id is None]
        if dry_run:
            planned = {"snapshot": title, "consistency": consistency, "changed": True, "outcome": "planned"}
            return {**planned, "image_id": going_on[0]["id"]} if going_on else planned
        clock = Clock(options.timeout_seconds)
        for broken in [one for one in known if one not in going_on]:
            self._images.delete(broken["id"])
        if volume_backed and not going_on:
            # What an image stood for that came to nothing.
            self._volumes.remove([one["id"] for one in self._volumes.named(title)], clock)
        if going_on:
            image_id = going_on[0]["id"]
        elif group_id is not None:
            image = self._volumes.take(server, group_id, title, self._metadata(server, consistency), clock)
            self._images.add(image)
            image_id = str(image["id"])
        else:
            image_id = self._make(server, title, consistency, clock)

        def give_up() -> None:
            # What is left of it would be in the way of the next run, and is no snapshot.
            self._images.discard(image_id)

        if options.wait_for == "taken":
            moment = f"The moment of the snapshot {title}"
            image = clock.wait(lambda: self._taken(server, image_id), moment, give_up)
            return {**self._described(image, changed=not going_on), "outcome": "taken"}
        image = clock.wait(lambda: self._finished(image_id, volume_backed), f"The snapshot {title}", give_up)
        # Nova works on the server a little longer than on the image, and would refuse the next request until then.
        clock.wait(lambda: self._servers.idle(server["id"]), f"The end of Nova's work on {server['name']}")
        return self._rotated(server, self._described(image, changed=True), dry_run)

    def _metadata(self, server: Resource, consistency: str) -> dict[str, str]:
        about = {"freezer_server_id": server["id"], "freezer_server_name": server["name"][:255]}
        return {**self._options.marks(self._run, consistency), **about}

    def _make(self, server: Resource, title: str, consistency: str, clock: Clock) -> str:
        options = self._options
        metadata = self._metadata(server, consistency)
        if options.incremental:
            action: dict[str, Any] = {"createImage": {"name": title, "metadata": metadata}}
        else:
            action = {
                "createBackup": {
                    "name": title,
                    "backup_type": options.backup_type,
                    # Nova removes others at once; what keep means goes at the end.
                    "rotation": options.rotation if options.keep is None else _NO_ROTATION,
                    "metadata": metadata,
                }
            }

        def make() -> str:
            image_id = self._servers.act(server["id"], action, headers=_IMAGE_ID_VERSION)["image_id"]
            about = {"id": image_id, "name": title, "status": "queued", "created_at": utc_stamp()}
            self._images.add({**metadata, **about})
            return str(image_id)

        def look() -> str | None:
            self._images.expire()
            known = self._images.named(title, server["id"])
            return next((one["id"] for one in known if one.get("freezer_run") == self._run), None)

        busy = f"Nova works on {server['name']} for another client, whose end"
        return made_once(make, look, clock, f"The snapshot {title}", busy)

    def _there(self, image_id: str) -> Resource:
        image = self._images.get(image_id)
        if image is None or image["status"] in BROKEN:
            state = image["status"] if image else "gone"
            raise CloudError(
                f"The image {image_id} of the snapshot is {state}: Nova or Glance gave it up. Look at the server's last "
                "actions (openstack server event list)."
            )
        return image

    def _is_whole(self, image: Resource) -> bool:
        parts = self._volumes.snapshots_of(image)
        return image["status"] == "active" and all(part and part["status"] == "available" for _id, part in parts)

    def _finished(self, image_id: str, volume_backed: bool) -> Resource | None:
        """The image when all of it is in Glance, and the snapshots of volumes that it may stand for in Cinder."""
        image = self._there(image_id)
        if image["status"] != "active":
            return None
        for snapshot_id, found in self._volumes.snapshots_of(image):
            if found is None or found["status"].startswith("error"):
                raise CloudError(
                    f"The snapshot {snapshot_id} of a volume is {found['status'] if found else 'gone'}: Cinder gave it up."
                )
            if found["status"] != "available":
                return None
        self._check(image, volume_backed)
        return image

    def _taken(self, server: Resource, image_id: str) -> Resource | None:
        """The image when no later write of the server gets into it any more, though its bytes may still be on their way."""
        image = self._there(image_id)
        if image["status"] == "active":
            return self._finished(image_id, volume_backed=not server.get("image"))
        task_state = self._servers.existing(server["id"]).get("OS-EXT-STS:task_state")
        return image if image["status"] in _BYTES_COME or task_state in _UPLOADS else None

    def _check(self, image: Resource, volume_backed: bool) -> None:
        if volume_backed:
            if not snapshot_ids(image):
                raise CloudError(f"The image {image['id']} names no snapshot of a volume; it would restore nothing.")
        elif not image.get("size") or not (image.get("os_hash_value") or image.get("checksum")):
            raise CloudError(f"The image {image['id']} has no bytes or no checksum, so it is no snapshot.")

    def _described(self, image: Resource, changed: bool) -> dict[str, Any]:
        return {
            "changed": changed,
            "outcome": "success" if changed else "unchanged",
            "snapshot": image.get("name"),
            "image_id": image["id"],
            "size_bytes": image.get("size"),
            "checksum": image.get("os_hash_value") or image.get("checksum"),
            "consistency": image.get("freezer_consistency"),
            "volume_snapshot_ids": snapshot_ids(image),
            "created_at": image.get("created_at"),
        }

    # ------------------------------------------------------------------ rotation and absent

    def _rotated(self, server: Resource, result: dict[str, Any], dry_run: bool) -> dict[str, Any]:
        """The result, after the oldest snapshots of the set beyond ``keep`` are removed."""
        if self._options.keep is None:
            return result
        own = [
            one
            for one in self._images.fresh()
            if one.get("freezer_server_id") == server["id"]
            and one.get("freezer_set") == self._options.set_name
            and one["status"] == "active"
        ]
        beyond = newest_first(own, result["image_id"])[self._options.keep :]
        removed = [one for one in beyond if one["id"] != result["image_id"]]
        if not removed:
            return result
        if not dry_run:
            clock = Clock(self._options.timeout_seconds)
            for one in removed:
                self._delete(one, clock)
        outcome = "planned" if dry_run else "success"
        return {**result, "changed": True, "outcome": outcome, "removed": [one["id"] for one in removed]}

    def _delete(self, image: Resource, clock: Clock) -> None:
        # Glance knows nothing of what an image of a server with volumes stands for. Without the image it could not be found again.
        self._volumes.remove(snapshot_ids(image), clock)
        self._images.delete(image["id"])

    def _remove(self, server: Resource, dry_run: bool) -> dict[str, Any]:
        title = self._title(server)
        known = self._images.named(title, server["id"])
        # Also of a run that was killed before it made the image.
        parts = [] if server.get("image") else [one["id"] for one in self._volumes.named(title)]
        if not known and not parts:
            return {"changed": False, "outcome": "unchanged", "snapshot": title}
        if not dry_run:
            clock = Clock(self._options.timeout_seconds)
            for image in known:
                self._delete(image, clock)
            self._volumes.remove(parts, clock)
            clock.wait(lambda: True if not self._images.named(title, server["id"]) else None, f"The removal of {title}")
        done = {"changed": True, "outcome": "planned" if dry_run else "success", "snapshot": title}
        return {**done, "image_id": known[0]["id"]} if known else done

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


class _Consistency:
    """What a snapshot of a server is worth: whether its file systems are frozen meanwhile, and by whom.

    `held` has for ids of servers what the caller quiesces: ``fs`` or ``app``.
    """

    def __init__(self, cloud: Cloud, held: Mapping[str, str]) -> None:
        self._cloud = cloud
        self._held = held
        self._volumes = Volumes(cloud)
        self._properties: dict[str, Mapping[str, Any]] = {}
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def of(self, server: Resource, by_nova: bool = True) -> str:
        """``fs`` also where Nova holds the file systems (if it is `by_nova`) or they are not in use, else ``crash``.

        Raises RestError.
        """
        if server["id"] in self._held:
            return self._held[server["id"]]
        if server["status"] == "SHUTOFF":
            return "fs"
        if not by_nova:
            return "crash"
        image_id = (server.get("image") or {}).get("id")
        properties = self._of_volume(server) if image_id is None else self._of_image(image_id)
        return (
            "fs" if all(str(properties.get(key, "")).lower() in ("yes", "true", "1") for key in _QUIESCED) else "crash"
        )

    def _of_image(self, image_id: str) -> Mapping[str, Any]:
        """The properties of an image, which many servers may have in common, asked for once by all threads."""
        with self._asking[image_id]:
            if image_id not in self._properties:
                try:
                    answer = self._cloud.service("image").request("GET", f"/v2/images/{quote(image_id)}").document
                except NotFound:
                    answer = {}
                self._properties[image_id] = answer
            return self._properties[image_id]

    def _of_volume(self, server: Resource) -> Mapping[str, Any]:
        """Those of the image that the volume was made of which a server boots from."""
        attached = server.get("os-extended-volumes:volumes_attached") or []
        volume = self._volumes.get(attached[0]["id"]) if attached else None
        return (volume or {}).get("volume_image_metadata") or {}
