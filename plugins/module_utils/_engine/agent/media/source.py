# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where the bytes of an image come from: a snapshot that the cloud takes, and everything that goes away again after it."""

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
    """One disk as an image in Glance, for as long as it takes to read it."""

    image: Resource
    boot_index: int | None = None
    device_name: str | None = None
    volume: dict[str, Any] | None = None


@dataclass(frozen=True)
class Taken:
    """What is known of a snapshot when it is there."""

    consistency: str
    hold: dict[str, Any] | None = None
    server: dict[str, Any] | None = None


@dataclass(frozen=True)
class Workplace:
    """The cloud, and what is needed to work in it. ``temporary`` is the name of everything that goes away again."""

    cloud: Cloud
    options: Options
    temporary: str
    volumes: Volumes
    servers: Servers
    #: What went wrong beside the work, as sentences: of all workplaces that were made of one.
    problems: list[str] = field(default_factory=list)
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def named(self, temporary: str) -> Workplace:
        """The same one, where what goes away again has another name."""
        return replace(self, temporary=temporary)

    @property
    def timeout_seconds(self) -> float:
        """For each thing that is waited for."""
        return self.options.cloud_timeout_seconds

    def clock(self) -> Clock:
        """For the next piece of work."""
        return Clock(self.timeout_seconds)

    def cleaning_clock(self) -> Clock:
        """For taking away: a thing that the cloud does not let go of must not keep a run from ending."""
        return Clock(min(self.timeout_seconds, _CLEANING_SECONDS))

    def quietly(self, what: str, work: Callable[[], object]) -> None:
        """Do what must not stand in the way of anything else; what goes wrong is told beside the result."""
        try:
            work()
        except FreezerError as problem:
            self.problems.append(f"{what} is left, and the next backup removes it: {problem}")

    def remove_images(self) -> None:
        """Remove the temporary images. Raises RestError."""
        for image in images_named(self.cloud, self.temporary):
            delete_image(self.cloud, image["id"])

    def remove_volumes(self) -> None:
        """Remove the temporary volumes, when nothing is done with them any more. Raises FreezerError."""
        remove_volumes(self.volumes, self.temporary, self.cleaning_clock())

    @contextmanager
    def image_of_snapshot(self, snapshot: Resource, volume_type: str | None) -> Iterator[Resource]:
        """An image of a snapshot of a volume, by way of a volume; both go away in the end."""
        like = {"size": snapshot["size"], "volume_type": volume_type}
        with ExitStack() as stack:
            stack.callback(self.quietly, f"The volume {self.temporary}", self.remove_volumes)
            made = VolumeRestore(self.cloud, self.volumes, self.run, self.timeout_seconds).new_volume(
                self.temporary, like, snapshot, True, False
            )
            stack.callback(self.quietly, f"The image {self.temporary}", self.remove_images)
            yield image_of_volume(self.cloud, self.volumes, made["restored_volume_id"], self.temporary, self.clock())


class Source(ABC):
    """A server or a volume that images are made of."""

    medium: str

    def __init__(self, work: Workplace, resource: Resource) -> None:
        self._work = work
        #: What Nova or Cinder says of it.
        self.resource = resource

    @staticmethod
    @abstractmethod
    def resource_of(work: Workplace) -> Resource:
        """The server or the volume that the options mean. Raises CloudError if there is none."""

    @abstractmethod
    def consistency(self) -> str:
        """What a snapshot taken now would be: ``crash``, ``fs`` or ``app``."""

    @abstractmethod
    def clear(self) -> None:
        """Remove what a run that was killed has left."""

    @abstractmethod
    def take(self, stack: ExitStack) -> Taken:
        """Take the snapshot, which the stack removes, and release what is quiesced as soon as it is there."""

    @abstractmethod
    def copies(self) -> Iterator[Copy]:
        """The disks of the snapshot one after the other, each an image until the next one is asked for."""


def about_volume(volume: Resource) -> dict[str, Any]:
    """What a volume made of its image has to know."""
    return {
        "id": volume["id"],
        "name": volume.get("name") or "",
        "size_gib": volume["size"],
        "volume_type": volume.get("volume_type"),
        "bootable": str(volume.get("bootable")).lower() == "true",
    }
