# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The bytes of images: out of Glance and into it, compared with the hash that Glance has of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Callable
from urllib.parse import quote, urlencode

from ..http.errors import NotFound, ServerError, Unreachable
from ..http.repeating import back_off_seconds
from ..system.undo import on_failure
from .connection import Cloud
from .errors import CloudError
from .resources import OWNER, Resource
from .waiting import Clock, made_once

BROKEN = ("killed", "error", "deleted", "pending_delete", "deactivated")
#: So often in a row a download may break without having got on.
_BREAKS = 5
_UPLOADS = 3
#: What Glance has hashed images with, by its own defaults.
_ALGORITHMS = ("md5", "sha512", "sha256")


def get_image(cloud: Cloud, image_id: str) -> Resource | None:
    """What Glance says of an image, if there is one."""
    try:
        found: Resource = cloud.service("image").request("GET", f"/v2/images/{quote(image_id)}").document
        return found
    except NotFound:
        return None


def images_named(cloud: Cloud, name: str) -> list[Resource]:
    """The project's own images with this name, newest first."""
    query = urlencode({"name": name, "owner": cloud.project_id(), "sort": "created_at:desc"})
    found: list[Resource] = cloud.service("image").request("GET", f"/v2/images?{query}").document["images"]
    return found


def delete_image(cloud: Cloud, image_id: str) -> None:
    """No error if it is gone already."""
    try:
        cloud.service("image").request("DELETE", f"/v2/images/{quote(image_id)}")
    except NotFound:
        pass


class HashOfImage:
    """The hash that Glance has of an image, computed again."""

    def __init__(self, image: Resource) -> None:
        self.algorithm: str = image.get("os_hash_algo") or "md5"
        self.expected: str | None = image.get("os_hash_value") or image.get("checksum")
        self._hash = hashlib.new(self.algorithm)
        self._id = image["id"]

    def update(self, data: bytes) -> None:
        """Add bytes."""
        self._hash.update(data)

    def check(self) -> None:
        """Raise CloudError if the bytes were not those of the image."""
        found = self._hash.hexdigest()
        if found != self.expected:
            raise CloudError(
                f"The bytes of the image {self._id} are not those that Glance has a hash of: their {self.algorithm} is "
                f"{found}, and not {self.expected}."
            )


def download(cloud: Cloud, image: Resource, take: Callable[[bytes], None]) -> None:
    """All bytes of an image, in order. A connection that breaks is taken up where it broke.

    Raises CloudError if it goes on breaking, or if they are not the image's bytes. `image` is what Glance says of it.
    """
    hash_of = HashOfImage(image)
    size = int(image.get("size") or 0)
    service = cloud.service("image")
    done = breaks = 0

    while done < size:
        skip = done
        before = done

        def sink(status: int, block: bytes) -> None:
            nonlocal skip, done
            if status == 206:
                skip = 0
            elif skip:
                # Glance that knows no ranges begins with the first byte again.
                dropped = min(skip, len(block))
                skip -= dropped
                block = block[dropped:]
            if block:
                hash_of.update(block)
                take(block)
                done += len(block)

        headers = {"Range": f"bytes={done}-{size - 1}"} if done else {}
        try:
            service.pour(f"/v2/images/{quote(image['id'])}/file", headers, sink)
        except (Unreachable, ServerError) as problem:
            breaks = 0 if done > before else breaks + 1
            if breaks == _BREAKS:
                raise CloudError(f"The image {image['id']} could not be read: {problem}") from problem
            time.sleep(back_off_seconds(breaks))
            continue
        if done < size:
            raise CloudError(f"The image {image['id']} ended after {done} of {size} bytes.")
    hash_of.check()


def upload(
    cloud: Cloud, name: str, facts: Mapping[str, Any], content: Callable[[], Iterable[bytes]], clock: Clock
) -> Resource:
    """A new image with these bytes, when it is whole. `facts` are the formats, least sizes and properties.

    `content` gives the bytes from the first one on each time that it is called. Raises CloudError, also if Glance stored
    other bytes, and what `content` raises; then there is no such image.
    """
    problem: Exception | None = None
    for _attempt in range(_UPLOADS):
        image_id = _make_image(cloud, name, facts, clock)
        with on_failure(partial(delete_image, cloud, image_id)):
            try:
                hashes = _send(cloud, image_id, content)
            except (Unreachable, ServerError) as obstacle:
                problem = obstacle
                found = get_image(cloud, image_id)
                if found is None or found["status"] != "active":
                    delete_image(cloud, image_id)
                    continue
                hashes = {}
            image = clock.wait(partial(_active, cloud, image_id), f"The image {name}")
            expected = HashOfImage(image)
            if hashes and hashes.get(expected.algorithm, expected.expected) != expected.expected:
                raise CloudError(f"Glance has stored other bytes of the image {name} than it was sent; it was removed.")
            return image
    raise CloudError(f"The image {name} could not be stored in Glance: {problem}") from problem


def _send(cloud: Cloud, image_id: str, content: Callable[[], Iterable[bytes]]) -> dict[str, str]:
    """Upload the bytes, and say what their hashes are by the algorithms that Glance may have used."""
    hashes: dict[str, str] = {}

    def counted() -> Iterator[bytes]:
        own = {algorithm: hashlib.new(algorithm) for algorithm in _ALGORITHMS}
        for block in content():
            for one in own.values():
                one.update(block)
            yield block
        hashes.update({algorithm: one.hexdigest() for algorithm, one in own.items()})

    cloud.service("image").request(
        "PUT",
        f"/v2/images/{image_id}/file",
        data=counted,
        headers={"Content-Type": "application/octet-stream"},
        raw=True,
        repeatable=False,
    )
    return hashes


def _make_image(cloud: Cloud, name: str, facts: Mapping[str, Any], clock: Clock) -> str:
    new = {"name": name, "freezer_owner": OWNER, **facts}

    def make() -> str:
        return str(cloud.service("image").request("POST", "/v2/images", new, repeatable=False).document["id"])

    def look() -> str | None:
        return next((one["id"] for one in images_named(cloud, name) if one["status"] == "queued"), None)

    return made_once(make, look, clock, f"The image {name}")


def _active(cloud: Cloud, image_id: str) -> Resource | None:
    image = get_image(cloud, image_id)
    if image is None or image["status"] in BROKEN:
        raise CloudError(f"The image {image_id} is {image['status'] if image else 'gone'}: Glance gave it up.")
    return image if image["status"] == "active" else None
