# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How servers and volumes are, how big, and what backups there are of them.

Five lists are asked for, however many servers and volumes there are; and of each running server its diagnostics, where
the cloud shows them to this user.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from ..http.errors import Forbidden, RestError
from .connection import Cloud
from .listing import BACKUP_VERSION
from .resources import OWNER, Resource, age_seconds, chosen, mark, newest_first, pages
from .service import Service
from .waiting import each

#: Diagnostics that are the same for all hypervisors (2.48); servers that say what their flavor has (2.47).
_COMPUTE_VERSION = {"OpenStack-API-Version": "compute 2.48"}
_HEADINGS = ("", "name", "state", "size", "backups", "newest", "of all")


def statistics(
    cloud: Cloud,
    servers: Sequence[str] = (),
    volumes: Sequence[str] = (),
    diagnostics: bool = True,
    concurrency: int = 8,
) -> dict[str, Any]:
    """What there is to say about servers, the volumes attached to them, and further volumes; names or ids.

    Of the whole project if none is named. Raises FreezerError.
    """
    all_servers = pages(cloud.service("compute"), "/servers/detail", "servers", headers=_COMPUTE_VERSION)
    all_volumes = pages(cloud.service("volume"), "/volumes/detail", "volumes")
    wanted_servers, wanted_volumes = all_servers, all_volumes
    if servers or volumes:
        wanted_servers = chosen(all_servers, servers, "server")
        attached = [
            one["id"] for one in all_volumes if set(_attached_to(one)) & {server["id"] for server in wanted_servers}
        ]
        wanted_volumes = chosen(all_volumes, [*attached, *volumes], "volume")
    now = datetime.now(timezone.utc)
    found = {
        "servers": _about_servers(cloud, wanted_servers, all_volumes, now),
        "volumes": _about_volumes(cloud, wanted_volumes, now),
    }
    if diagnostics:
        _add_diagnostics(cloud.service("compute"), found["servers"], concurrency)
    return {**found, "totals": _totals(found), "table": _table(found)}


def _about_servers(
    cloud: Cloud, servers: Iterable[Resource], volumes: Iterable[Resource], now: datetime
) -> list[dict[str, Any]]:
    images = pages(cloud.service("image"), "/v2/images", "images", {"freezer_owner": OWNER})
    own = _by("freezer_server_id", images)
    found = []
    for one in servers:
        flavor = one.get("flavor") or {}
        found.append(
            {
                "name": one["name"],
                "id": one["id"],
                "status": one["status"],
                "task_state": one.get("OS-EXT-STS:task_state"),
                "created_at": one.get("created"),
                "vcpus": flavor.get("vcpus"),
                "ram_mib": flavor.get("ram"),
                "disk_gib": flavor.get("disk"),
                "volume_ids": [volume["id"] for volume in volumes if one["id"] in _attached_to(volume)],
                "backups": _backups(own.get(one["id"], []), "active", now),
            }
        )
    return found


def _about_volumes(cloud: Cloud, volumes: Iterable[Resource], now: datetime) -> list[dict[str, Any]]:
    service = cloud.service("volume")
    snapshots = _by("volume_id", filter(_is_own, pages(service, "/snapshots/detail", "snapshots")))
    backups = _by("volume_id", filter(_is_own, pages(service, "/backups/detail", "backups", headers=BACKUP_VERSION)))
    return [
        {
            "name": one["name"],
            "id": one["id"],
            "status": one["status"],
            "created_at": one.get("created_at"),
            "size_gib": one["size"],
            "volume_type": one.get("volume_type"),
            "server_ids": _attached_to(one),
            "snapshots": _backups(snapshots.get(one["id"], []), "available", now),
            "backups": _backups(backups.get(one["id"], []), "available", now),
        }
        for one in volumes
    ]


def _attached_to(volume: Resource) -> list[str]:
    return [one["server_id"] for one in volume.get("attachments") or [] if one.get("server_id")]


def _is_own(one: Resource) -> bool:
    return mark(one, "freezer_owner") == OWNER


def _by(key: str, resources: Iterable[Resource]) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for one in resources:
        found.setdefault(str(one.get(key)), []).append(one)
    return found


def _backups(known: Iterable[Resource], whole_status: str, now: datetime) -> dict[str, Any]:
    """How many there are, and about the newest one. The size of an image is in bytes, those of Cinder's are in GiB."""
    known = newest_first(known)
    whole = [one for one in known if one["status"] == whole_status]
    newest = whole[0] if whole else {}
    sizes = [one.get("size") or 0 for one in whole]
    is_image = whole_status == "active"
    return {
        "count": len(whole),
        "not_whole": len(known) - len(whole),
        "size_bytes" if is_image else "size_gib": sum(sizes),
        "newest": newest.get("name"),
        "newest_created_at": newest.get("created_at"),
        "newest_age_seconds": round(age_seconds(newest["created_at"], now), 1) if whole else None,
        "newest_size_bytes" if is_image else "newest_size_gib": sizes[0] if whole else None,
    }


def _add_diagnostics(service: Service, servers: Iterable[dict[str, Any]], concurrency: int) -> None:
    """Ask every running server's hypervisor; no more of them once the cloud has said that we may not."""
    refused = threading.Event()

    def ask(server: dict[str, Any]) -> None:
        server["diagnostics"] = None
        if server["status"] != "ACTIVE":
            server["diagnostics_reason"] = f"it is {server['status']}"
            return
        if not refused.is_set():
            try:
                path = f"/servers/{quote(server['id'])}/diagnostics"
                server["diagnostics"] = service.request("GET", path, headers=_COMPUTE_VERSION).document
                return
            except Forbidden:
                refused.set()
            except RestError as problem:
                server["diagnostics_reason"] = str(problem)
                return
        server["diagnostics_reason"] = "the cloud's policy shows diagnostics to others only, usually administrators"

    each(servers, ask, concurrency)


def _totals(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    servers, volumes = found["servers"], found["volumes"]
    return {
        "servers": len(servers),
        "volumes": len(volumes),
        "volume_size_gib": sum(one["size_gib"] for one in volumes),
        "image_size_bytes": sum(one["backups"]["size_bytes"] for one in servers),
        "snapshot_size_gib": sum(one["snapshots"]["size_gib"] for one in volumes),
        "backup_size_gib": sum(one["backups"]["size_gib"] for one in volumes),
        "servers_without_backup": [one["name"] for one in servers if not one["backups"]["count"]],
        "volumes_without_backup": [
            one["name"] or one["id"] for one in volumes if not one["backups"]["count"] + one["snapshots"]["count"]
        ],
    }


# ---------------------------------------------------------------------- the table


def _table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """The same for people: a line for each server and volume, in columns."""
    rows: list[Sequence[str]] = [_HEADINGS]
    for one in found["servers"]:
        size = f"{one['vcpus']} CPU, {one['ram_mib']} MiB, {one['disk_gib']} GiB"
        kept = one["backups"]
        rows.append(_row("server", one, size, [kept], _bytes(kept["size_bytes"])))
    for one in found["volumes"]:
        kinds = [one["snapshots"], one["backups"]]
        of_all = f"{sum(kept['size_gib'] for kept in kinds)} GiB"
        rows.append(_row("volume", one, f"{one['size_gib']} GiB", kinds, of_all))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip() for row in rows]


def _row(
    kind: str, one: Mapping[str, Any], size: str, kinds: Sequence[Mapping[str, Any]], of_all: str
) -> tuple[str, ...]:
    ages = [kept["newest_age_seconds"] for kept in kinds if kept["newest_age_seconds"] is not None]
    count = sum(kept["count"] for kept in kinds)
    broken = sum(kept["not_whole"] for kept in kinds)
    counted = f"{count} ({broken} not whole)" if broken else str(count)
    newest = f"{_age(min(ages))} ago" if ages else "never"
    return kind, one["name"] or one["id"], str(one["status"]), size, counted, newest, of_all if count else ""


def _age(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _bytes(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
