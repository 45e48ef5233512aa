# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Servers made of their images again: in place, or new ones beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable
from urllib.parse import quote

from ...errors import FreezerError
from ..block_storage.volume_images import remove_those
from ..connection import Cloud
from ..errors import CloudError
from ..listing import Servers, Volumes
from ..resources import Resource, age_seconds
from ..snapshots import made_before
from ..waiting import Clock, once

#: Servers without a network.
_NETWORKS_VERSION = {"OpenStack-API-Version": "compute 2.37"}


class ServerRestore:
    """`run` marks what is made; each piece of work may take `timeout_seconds`."""

    def __init__(self, cloud: Cloud, servers: Servers, run: str, timeout_seconds: float) -> None:
        self._cloud = cloud
        self._servers = servers
        self._run = run
        self._timeout_seconds = timeout_seconds

    def rebuild(self, server: Resource, image: Resource) -> None:
        """Let a server become what an image is; it runs afterwards if it ran before. Raises FreezerError."""
        clock = Clock(self._timeout_seconds)
        name, server_id = server["name"], server["id"]
        server = clock.wait(
            lambda: self._servers.idle(server_id, "ACTIVE", "SHUTOFF", "ERROR"), f"The end of Nova's work on {name}"
        )
        was_active = server["status"] == "ACTIVE"

        def ask(do: Callable[[], object], until: Callable[[], Resource | None], doing: str) -> None:
            once(do, until, clock, f"{doing} {name}", busy=f"Nova works on {name} for another client, whose end")

        def start() -> None:
            # Nova starts a rebuilt server by itself if it was running before.
            if self._servers.existing(server_id)["status"] != "ACTIVE":
                self._servers.act(server_id, {"os-start": None})

        def rebuilt() -> Resource | None:
            # For a moment Nova has a server that was stopped as running, before it stops it again.
            found = self._servers.idle(server_id, "SHUTOFF", *(["ACTIVE"] if server["status"] == "ERROR" else []))
            return found if found and (found.get("image") or {}).get("id") == image["id"] else None

        if was_active:
            stop = {"os-stop": None}
            ask(
                lambda: self._servers.act(server_id, stop), lambda: self._servers.idle(server_id, "SHUTOFF"), "Stopping"
            )
        try:
            new = {"rebuild": {"imageRef": image["id"]}}
            ask(lambda: self._servers.act(server_id, new), rebuilt, "Rebuilding")
        finally:
            if was_active:
                ask(start, lambda: self._servers.idle(server_id, "ACTIVE"), "Starting")

    def boot_beside(self, server: Resource, image: Resource, name: str, dry_run: bool) -> dict[str, Any]:
        """A new server made of an image, which is made once. Raises FreezerError."""
        about = {"imageRef": image["id"]} if dry_run else {"imageRef": image["id"], **facts_of(self._servers, server)}
        return self.boot(name, about, {"freezer_image_id": image["id"], "freezer_server_id": server["id"]}, dry_run)

    def boot(self, name: str, about: Mapping[str, Any], marks: Mapping[str, str], dry_run: bool) -> dict[str, Any]:
        """A new server, which is made once: one of this name whose metadata has these marks is it. Raises FreezerError.

        `about` is what Nova has to know besides. A server that Nova could not make is removed again, with the volumes that
        Nova has made of snapshots for it.
        """
        settled = made_before(self._servers, "server", name, marks, ("ACTIVE", "SHUTOFF"), dry_run)
        if settled is not None:
            return settled
        clock = Clock(self._timeout_seconds)
        new = {"name": name, **about, "metadata": {**marks, "freezer_run": self._run}}

        def own() -> list[Resource]:
            self._servers.expire()
            return self._servers.marked({"freezer_run": self._run})

        def find() -> Resource | None:
            found = own()
            return self._servers.idle(found[0]["id"], "ACTIVE") if found else None

        try:
            made = once(
                lambda: self._servers.service.request(
                    "POST", "/servers", {"server": new}, repeatable=False, headers=_NETWORKS_VERSION
                ),
                find,
                clock,
                f"Making the server {name}",
            )
        except CloudError:
            self._remove_broken(own())
            raise
        return {
            "changed": True,
            "outcome": "success",
            "restored_server": name,
            "restored_server_id": made["id"],
            "addresses": made.get("addresses"),
        }

    def _remove_broken(self, servers: Sequence[Resource]) -> None:
        broken = [one for one in servers if one["status"] == "ERROR"]
        volumes = Volumes(self._cloud)
        try:
            made = {volume_id for one in broken for volume_id in _made_for(one, volumes)}
            for one in broken:
                self._servers.delete(one["id"])
            if made:
                what = f"the volumes {', '.join(sorted(made))}"
                remove_those(volumes, "volume", lambda one: one["id"] in made, Clock(self._timeout_seconds), what)
        except FreezerError:
            pass  # the problem that led here is the one to tell


def _made_for(server: Resource, volumes: Volumes) -> set[str]:
    """The volumes that Nova has made of snapshots for a server: they are younger than it."""
    attached = {one["id"] for one in server.get("os-extended-volumes:volumes_attached") or []}
    return {
        one["id"]
        for one in volumes.fresh()
        if one["id"] in attached
        and one.get("snapshot_id")
        and age_seconds(one["created_at"]) <= age_seconds(server["created"])
    }


def facts_of(servers: Servers, server: Resource) -> dict[str, Any]:
    """What a server that is to be like another one needs of it: flavor, networks (its addresses stay its own), key.

    Raises RestError, and CloudError if Nova does not say which flavor it has.
    """
    flavor = server["flavor"].get("id")
    if not flavor:
        raise CloudError(f"Nova does not say which flavor {server['name']} has.")
    found = servers.service.request("GET", f"/servers/{quote(server['id'])}/os-interface").document
    networks = [{"uuid": one["net_id"]} for one in found.get("interfaceAttachments") or []]
    facts: dict[str, Any] = {"flavorRef": str(flavor), "networks": networks or "none"}
    if server.get("key_name"):
        facts["key_name"] = server["key_name"]
    return facts
