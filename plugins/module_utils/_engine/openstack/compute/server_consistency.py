# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a snapshot of a server is worth: whether its file systems are held still meanwhile, and by whom."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ...http.errors import NotFound
from ..connection import Cloud
from ..listing import Volumes
from ..resources import Resource

#: With both, Nova refuses a snapshot that it could not quiesce; with the first alone it takes it all the same.
_QUIESCED = ("hw_qemu_guest_agent", "os_require_quiesce")


class ServerConsistency:
    """`held` has for ids of servers what whoever asks holds still: ``fs`` or ``app``."""

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
