# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Servers made of their images again: in place, or new ones beside them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .connection import Cloud
from .errors import CloudError
from .listing import Servers
from .resources import Resource
from .waiting import Clock, once


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
        if was_active:
            once(
                lambda: self._servers.act(server_id, {"os-stop": None}),
                lambda: self._servers.idle(server_id, "SHUTOFF"),
                clock,
                f"Stopping {name}",
                busy=f"Nova works on {name} for somebody else, whose end",
            )

        # For a moment Nova has a server that was stopped as running, before it stops it again.
        ends_as = ("SHUTOFF", "ACTIVE") if server["status"] == "ERROR" else ("SHUTOFF",)

        def rebuilt() -> Resource | None:
            found = self._servers.idle(server_id, *ends_as)
            return found if found and (found.get("image") or {}).get("id") == image["id"] else None

        try:
            once(
                lambda: self._servers.act(server_id, {"rebuild": {"imageRef": image["id"]}}),
                rebuilt,
                clock,
                f"Rebuilding {name}",
                busy=f"Nova works on {name} for somebody else, whose end",
            )
        finally:
            if was_active:
                self._start(server_id, name, clock)

    def _start(self, server_id: str, name: str, clock: Clock) -> None:
        def do() -> None:
            # Nova starts a rebuilt server by itself if it was running before.
            if self._servers.existing(server_id)["status"] == "ACTIVE":
                return
            self._servers.act(server_id, {"os-start": None})

        once(
            do,
            lambda: self._servers.idle(server_id, "ACTIVE"),
            clock,
            f"Starting {name}",
            busy=f"Nova works on {name} for somebody else, whose end",
        )

    def boot_beside(self, server: Resource, image: Resource, name: str, dry_run: bool) -> dict[str, Any]:
        """A new server made of an image, which is made once. Raises FreezerError."""
        known = [
            one
            for one in self._servers.fresh()
            if one["name"] == name and (one.get("metadata") or {}).get("freezer_image_id") == image["id"]
        ]
        if known and known[0]["status"] in ("ACTIVE", "SHUTOFF"):
            return {
                "changed": False,
                "outcome": "unchanged",
                "restored_server": name,
                "restored_server_id": known[0]["id"],
            }
        if dry_run:
            return {"changed": True, "outcome": "planned", "restored_server": name}
        clock = Clock(self._timeout_seconds)
        new: dict[str, Any] = {
            "name": name,
            "imageRef": image["id"],
            "flavorRef": self._flavor(server),
            "networks": self._networks(server),
            "metadata": {"freezer_image_id": image["id"], "freezer_server_id": server["id"], "freezer_run": self._run},
        }
        if server.get("key_name"):
            new["key_name"] = server["key_name"]

        def find() -> Resource | None:
            found = [
                one for one in self._servers.fresh() if (one.get("metadata") or {}).get("freezer_run") == self._run
            ]
            return self._servers.idle(found[0]["id"], "ACTIVE") if found else None

        made = once(
            lambda: self._servers.service.request(
                "POST", "/servers", {"server": new}, repeatable=False, headers={"OpenStack-API-Version": "compute 2.37"}
            ),
            find,
            clock,
            f"Making the server {name}",
        )
        return {
            "changed": True,
            "outcome": "success",
            "restored_server": name,
            "restored_server_id": made["id"],
            "addresses": made.get("addresses"),
        }

    def _flavor(self, server: Resource) -> str:
        flavor = server["flavor"].get("id")
        if flavor:
            return str(flavor)
        raise CloudError(f"Nova does not say which flavor {server['name']} has.")

    def _networks(self, server: Resource) -> Any:
        """The networks of a server; its addresses stay its own, so a new server gets others."""
        found = self._servers.service.request("GET", f"/servers/{quote(server['id'])}/os-interface").document
        networks = [{"uuid": one["net_id"]} for one in found.get("interfaceAttachments") or []]
        return networks or "none"
