# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where the bytes of an image come from: a snapshot in the cloud, and temporary resources, which are removed."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ...action.options import Options
from ...errors import FreezerError
from ...openstack.block_storage.volume_images import image_of_volume, remove_volumes
from ...openstack.block_storage.volume_restore import VolumeRestore
from ...openstack.connection import Cloud
from ...openstack.images import delete_image, images_named
from ...openstack.listing import Servers, Volumes
from ...openstack.resources import Resource
from ...openstack.waiting import Clock

_CLEANING_SECONDS = 600.0


@dataclass(frozen=True)
class Copy:
    """One disk as a temporary image in Glance."""

    image: Resource
    boot_index: int | None = None
    device_name: str | None = None
    volume: dict[str, Any] | None = None


@dataclass(frozen=True)
class Taken:
    """Facts about a new snapshot."""

    consistency: str
    hold: dict[str, Any] | None = None
    server: dict[str, Any] | None = None


@dataclass(frozen=True)
class Workplace:
    """A cloud and what work in it needs. ``temporary`` is the name of all temporary resources."""

    cloud: Cloud
    options: Options
    temporary: str
    volumes: Volumes
    servers: Servers
    #: Sentences about leftovers, shared by all workplaces that `named` has made of one.
    problems: list[str] = field(default_factory=list)
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def named(self, temporary: str) -> Workplace:
        """The same workplace with another name for temporary resources."""
        return replace(self, temporary=temporary)

    @property
    def timeout_seconds(self) -> float:
        """The most seconds for each wait."""
        return self.options.cloud_timeout_seconds

    def clock(self) -> Clock:
        """A clock for the next wait."""
        return Clock(self.timeout_seconds)

    def cleaning_clock(self) -> Clock:
        """A clock for removals: a resource that the cloud does not remove must not keep a run from ending."""
        return Clock(min(self.timeout_seconds, _CLEANING_SECONDS))

    def quietly(self, what: str, work: Callable[[], object]) -> None:
        """Clean up; a failure becomes one of the ``problems`` and raises nothing."""
        try:
            work()
        except FreezerError as problem:
            self.problems.append(f"{what} could not be removed, and the next backup removes it: {problem}")

    def remove_images(self) -> None:
        """Remove the temporary images. Raises RestError."""
        for image in images_named(self.cloud, self.temporary):
            delete_image(self.cloud, image["id"])

    def remove_volumes(self) -> None:
        """Remove the temporary volumes as soon as they are not in use. Raises FreezerError."""
        remove_volumes(self.volumes, self.temporary, self.cleaning_clock())

    @contextmanager
    def image_of_snapshot(self, snapshot: Resource, volume_type: str | None) -> Iterator[Resource]:
        """A temporary image of a snapshot of a volume, by way of a temporary volume."""
        like = {"size": snapshot["size"], "volume_type": volume_type}
        with ExitStack() as stack:
            stack.callback(self.quietly, f"The volume {self.temporary}", self.remove_volumes)
            made = VolumeRestore(self.cloud, self.volumes, self.run, self.timeout_seconds).new_volume(
                self.temporary, like, snapshot, True, False
            )
            stack.callback(self.quietly, f"The image {self.temporary}", self.remove_images)
            yield image_of_volume(self.cloud, self.volumes, made["restored_volume_id"], self.temporary, self.clock())


class Source(ABC):
    """A server or a volume to copy."""

    medium: str

    def __init__(self, work: Workplace, resource: Resource) -> None:
        self._work = work
        #: The document of Nova or Cinder about it.
        self.resource = resource

    @staticmethod
    @abstractmethod
    def resource_of(work: Workplace) -> Resource:
        """The server or volume that the options name. Raises CloudError if there is none."""

    @abstractmethod
    def consistency(self) -> str:
        """The consistency that a snapshot would have now: ``crash``, ``fs`` or ``app``."""

    @abstractmethod
    def clear(self) -> None:
        """Remove the leftovers of a killed run."""

    @abstractmethod
    def take(self, stack: ExitStack) -> Taken:
        """Take the snapshot, which the stack removes; a quiesced application is released as soon as the snapshot is complete."""

    @abstractmethod
    def copies(self) -> Iterator[Copy]:
        """Yield the disks of the snapshot; the image of each exists until the next one is requested."""


def about_volume(volume: Resource) -> dict[str, Any]:
    """The properties that a restore of the volume needs."""
    return {
        "id": volume["id"],
        "name": volume.get("name") or "",
        "size_gib": volume["size"],
        "volume_type": volume.get("volume_type"),
        "bootable": str(volume.get("bootable")).lower() == "true",
    }
