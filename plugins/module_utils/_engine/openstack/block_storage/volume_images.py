# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes become images, images volumes, and both go away again when they were there only for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable
from urllib.parse import quote

from ...http.errors import Conflict, Rejected
from ...system.undo import on_failure
from ..connection import Cloud
from ..errors import CloudError, deletion_failed
from ..images import BROKEN, delete_image, get_image, images_named
from ..listing import Listing, Volumes
from ..resources import Resource
from ..waiting import Clock, once

#: States in which a volume or a snapshot can be removed. What is in another one is waited for.
_REMOVABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")


def image_of_volume(cloud: Cloud, volumes: Volumes, volume_id: str, name: str, clock: Clock) -> Resource:
    """A raw image of a volume that is not in use, when it is whole. Raises CloudError; then there is no such image."""
    asked = {
        "image_name": name,
        "disk_format": "raw",
        "container_format": "bare",
        "force": False,
    }
    made: list[str] = []

    def do() -> None:
        document = volumes.service.request(
            "POST", f"/volumes/{quote(volume_id)}/action", {"os-volume_upload_image": asked}, repeatable=False
        ).document
        made.append(document["os-volume_upload_image"]["image_id"])
        volumes.expire()

    def find() -> str | None:
        if made:
            return made[0]
        found = images_named(cloud, name)
        return found[0]["id"] if found else None

    image_id = once(do, find, clock, f"The image {name}", busy=f"Cinder works on the volume {volume_id}, whose end")

    def whole() -> Resource | None:
        image = get_image(cloud, image_id)
        if image is None or image["status"] in BROKEN:
            raise CloudError(f"The image {image_id} of a volume is {image['status'] if image else 'gone'}.")
        idle = volumes.idle(volume_id)
        if image["status"] == "active":
            return image if idle else None
        if idle and image["status"] == "queued" and made:
            # Cinder writes why it gave up into the volume's messages, and lets the image wait for ever.
            again = get_image(cloud, image_id)
            if again is not None and again["status"] == "queued":
                raise CloudError(f"Cinder did not store the volume {volume_id} as an image; see its messages.")
        return None

    with on_failure(lambda: delete_image(cloud, image_id)):
        return clock.wait(whole, f"The image {name}")


def volume_of_image(
    volumes: Volumes, name: str, image: Resource, like: Mapping[str, Any], metadata: Mapping[str, str], clock: Clock
) -> Resource:
    """A new volume with the bytes of an image, of the size (GiB) and, if it is known, the type that `like` has.

    `metadata` has to tell it from every other volume of that name. Raises CloudError; what is left of it is removed.
    """
    new: dict[str, Any] = {
        "name": name,
        "size": like["size"],
        "imageRef": image["id"],
        "metadata": dict(metadata),
    }
    if like.get("volume_type"):
        new["volume_type"] = like["volume_type"]
    made: list[str] = []

    def do() -> None:
        made.append(
            volumes.service.request("POST", "/volumes", {"volume": new}, repeatable=False).document["volume"]["id"]
        )
        volumes.expire()

    def find() -> Resource | None:
        known = {one["id"] for one in volumes.fresh() if one["name"] == name and _has(one, metadata)}
        wanted = made[0] if made else next(iter(known), None)
        return volumes.idle(wanted) if wanted is not None and wanted in known else None

    with on_failure(lambda: remove_volumes(volumes, name, clock, metadata)):
        return once(do, find, clock, f"Making the volume {name}")


def _has(volume: Resource, metadata: Mapping[str, str]) -> bool:
    own = volume.get("metadata") or {}
    return all(own.get(key) == value for key, value in metadata.items())


def remove_volumes(volumes: Volumes, name: str, clock: Clock, metadata: Mapping[str, str] | None = None) -> None:
    """Remove the volumes with a name (and metadata), waiting for what is still done with them. Raises FreezerError."""

    def is_meant(one: Resource) -> bool:
        return one["name"] == name and _has(one, metadata or {})

    remove_those(volumes, "volume", is_meant, clock, f"the volume {name}")


def remove_those(kind: Listing, noun: str, is_meant: Callable[[Resource], bool], clock: Clock, what: str) -> None:
    """Remove what is meant of a kind, waiting for what is still done with it; `noun` is one of it. Raises FreezerError."""

    def gone() -> bool | None:
        kind.expire()
        left = [one for one in kind.fresh() if is_meant(one)]
        for one in left:
            if one["status"] == "error_deleting":
                raise deletion_failed(f"the {noun} {one['id']} ({one['name']})")
            if one["status"] in _REMOVABLE:
                try:
                    kind.delete(one["id"])
                except (Conflict, Rejected):
                    pass  # something is still done with it: the next look tells
        return None if left else True

    clock.wait(gone, f"The removal of {what}")
