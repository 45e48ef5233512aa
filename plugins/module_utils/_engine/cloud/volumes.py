# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots and backups of volumes: those that Cinder makes, and volumes made of them again.

Lists are asked for once for all volumes of a call, so the number of requests for each volume is small and stays so.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..errors import FreezerError
from ..rest.errors import NotFound
from .connection import Cloud
from .errors import CloudError, SomeFailed
from .resources import OWNER, Resource, age_seconds, chosen, pages, snapshot_title
from .waiting import Clock, each, once

_BROKEN = ("error", "error_deleting", "error_restoring")
_FRESH_SECONDS = 0.5
#: Metadata of backups, and revert to a snapshot.
_BACKUP_VERSION = {"OpenStack-API-Version": "volume 3.43"}
_REVERT_VERSION = {"OpenStack-API-Version": "volume 3.40"}


@dataclass(frozen=True)
class VolumeSnapshotOptions:
    """What is wanted; times are in seconds. ``incremental`` is a snapshot, else it is a backup."""

    snapshot_name: str
    incremental: bool = True
    #: ``auto`` is incremental where there is a backup of this set to build on, else full.
    backup_level: str = "full"
    container: str | None = None
    require_quiesce: bool = False
    min_age: float | None = None
    #: So many full backups of a set are kept, with what builds on them; None keeps all.
    rotation: int | None = None
    #: What rotation counts: backups that have it in common. By default the snapshot's name.
    backup_set: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: ``same`` volume or a ``new`` one.
    restore_to: str = "same"
    restore_as: str | None = None
    timeout_seconds: float = 1200.0
    concurrency: int = 8


class _Kind:
    """Snapshots or backups of a project, listed once for all threads that wait for one."""

    def __init__(self, cloud: Cloud, path: str, key: str, headers: Mapping[str, str] | None = None) -> None:
        self._service = cloud.service("volume")
        self._path, self._key, self._headers = path, key, dict(headers or {})
        self._lock = threading.Lock()
        self._at = 0.0
        self._known: list[Resource] = []

    def fresh(self) -> list[Resource]:
        with self._lock:
            if time.monotonic() - self._at > _FRESH_SECONDS:
                self._known = pages(self._service, f"{self._path}/detail", self._key, headers=self._headers)
                self._at = time.monotonic()
            return self._known

    def expire(self) -> None:
        with self._lock:
            self._at = 0.0

    def named(self, title: str, volume_id: str) -> list[Resource]:
        """Those of a volume with a name, newest first: never one of another volume, or of another name."""
        found = [one for one in self.fresh() if one.get("name") == title and one.get("volume_id") == volume_id]
        return sorted(found, key=lambda one: str(one["created_at"]), reverse=True)

    def get(self, wanted: str) -> Resource | None:
        return next((one for one in self.fresh() if one["id"] == wanted), None)

    def delete(self, wanted: str) -> None:
        try:
            self._service.request("DELETE", f"{self._path}/{quote(wanted)}")
        except NotFound:
            pass
        self.expire()


class VolumeSnapshots:
    """Snapshots or backups of several volumes under one name."""

    def __init__(self, cloud: Cloud, options: VolumeSnapshotOptions) -> None:
        self._cloud = cloud
        self._options = options
        self._service = cloud.service("volume")
        self._volumes = _Kind(cloud, "/volumes", "volumes")
        self._snapshots = _Kind(cloud, "/snapshots", "snapshots")
        self._backups = _Kind(cloud, "/backups", "backups", _BACKUP_VERSION)
        self._own = self._snapshots if options.incremental else self._backups
        self._run = uuid.uuid4().hex

    def present(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Make what is missing, and wait until it is whole. Raises FreezerError."""
        return self._all(names, lambda volume: self._ensure(volume, dry_run))

    def absent(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Remove what has this name, and nothing else of these volumes. Raises FreezerError."""
        return self._all(names, lambda volume: self._remove(volume, dry_run))

    def applied(self, names: Sequence[str], dry_run: bool = False) -> dict[str, Any]:
        """Let volumes become what was kept of them, or make new ones of it. Raises FreezerError."""
        return self._all(names, lambda volume: self._apply(volume, dry_run))

    def _all(self, names: Sequence[str], work: Any) -> dict[str, Any]:
        volumes = chosen(self._volumes.fresh(), names, "volume")
        results = []
        problems = []
        for volume, result, problem in each(volumes, work, self._options.concurrency):
            label = volume["name"] or volume["id"]
            about = {"volume": volume["name"], "volume_id": volume["id"]}
            if problem is not None:
                problems.append(f"{label}: {problem}")
                results.append({**about, "changed": False, "outcome": "failed", "message": str(problem)})
            else:
                results.append({**about, **(result or {})})
        answer = {"changed": any(one["changed"] for one in results), "snapshots": results}
        if problems:
            more = f" ({len(problems)} of {len(results)} volumes failed)" if len(results) > 1 else ""
            raise SomeFailed(f"{problems[0].rstrip('.')}{more}.", answer)
        return answer

    def _title(self, volume: Resource) -> str:
        return snapshot_title("volume", volume["id"], self._options.snapshot_name, self._options.incremental)

    def _set(self) -> str:
        return self._options.backup_set or self._options.snapshot_name

    # ------------------------------------------------------------------ present

    def _ensure(self, volume: Resource, dry_run: bool) -> dict[str, Any]:
        options = self._options
        title = self._title(volume)
        known = self._own.named(title, volume["id"])
        whole = [one for one in known if one["status"] == "available"]
        if whole:
            return self._described(whole[0], changed=False)
        if options.min_age is not None:
            young = self._young(volume, options.min_age)
            if young:
                return {
                    **self._described(young, changed=False),
                    "reason": f"the newest one is younger than min_age ({options.min_age:g} seconds)",
                }
        in_use = volume["status"] == "in-use"
        consistency = "crash" if in_use else "fs"
        if options.require_quiesce and in_use:
            raise CloudError(
                "It is attached to a server, and Cinder cannot hold the file system of that still. Hold the server with "
                "freeze, take a server_snapshot, detach the volume, or leave require_quiesce out."
            )
        if volume["status"] not in ("available", "in-use", "backing-up", "snapshotting"):
            raise CloudError(f"It is {volume['status']}; only volumes that are available or in use can be copied.")
        base = self._base(volume)
        planned = {
            "snapshot": title,
            "changed": True,
            "outcome": "planned",
            "consistency": consistency,
            "level": self._level(base),
        }
        if dry_run:
            return planned
        clock = Clock(options.timeout_seconds)
        for broken in [one for one in known if one["status"] in _BROKEN]:
            self._discard(broken["id"])
        going_on = [one for one in known if one["status"] in ("creating", "backing-up")]
        made = going_on[0]["id"] if going_on else self._make(volume, title, base, consistency, clock)
        try:
            found = clock.wait(lambda: self._finished(made), f"{title}")
        except CloudError as problem:
            if "timeout" not in str(problem):
                self._discard(made)
            raise
        clock.wait(lambda: self._idle(volume["id"]), f"The end of Cinder's work on {volume['name'] or volume['id']}")
        result = self._described(found, changed=True)
        if options.rotation is not None:
            result["removed"] = self._rotate(volume, options.rotation, clock)
        return result

    def _young(self, volume: Resource, min_age: float) -> Resource | None:
        for one in self._own.fresh():
            mine = one.get("volume_id") == volume["id"] and (one.get("metadata") or {}).get("freezer_owner") == OWNER
            if mine and one["status"] == "available" and age_seconds(one["created_at"]) < min_age:
                return one
        return None

    def _base(self, volume: Resource) -> Resource | None:
        """The backup that an incremental one builds on."""
        if self._options.incremental or self._options.backup_level == "full":
            return None
        known = [
            one for one in self._backups.fresh() if one["volume_id"] == volume["id"] and one["status"] == "available"
        ]
        if not known:
            if self._options.backup_level == "incremental":
                raise CloudError(
                    "There is no backup of it that an incremental one could build on; take a full one first."
                )
            return None
        # Cinder builds on the newest one, whoever made it.
        return max(known, key=lambda one: str(one["created_at"]))

    def _level(self, base: Resource | None) -> int:
        if base is None:
            return 0
        try:
            return int((base.get("metadata") or {}).get("freezer_level", 0)) + 1
        except ValueError:
            return 1

    def _make(self, volume: Resource, title: str, base: Resource | None, consistency: str, clock: Clock) -> str:
        options = self._options
        metadata = {
            **{str(key): str(value) for key, value in options.metadata.items()},
            "freezer_owner": OWNER,
            "freezer_set": self._set(),
            "freezer_level": str(self._level(base)),
            "freezer_consistency": consistency,
            "freezer_run": self._run,
        }
        new: dict[str, Any] = {"volume_id": volume["id"], "name": title, "force": True, "metadata": metadata}
        path, key, headers = "/snapshots", "snapshot", {}
        if not options.incremental:
            path, key, headers = "/backups", "backup", _BACKUP_VERSION
            new["incremental"] = base is not None
            if options.container:
                new["container"] = options.container

        def do() -> None:
            self._service.request("POST", path, {key: new}, repeatable=False, headers=headers)
            self._own.expire()

        def find() -> str | None:
            self._own.expire()
            found = [
                one
                for one in self._own.named(title, volume["id"])
                if (one.get("metadata") or {}).get("freezer_run") == self._run
            ]
            return found[0]["id"] if found else None

        return once(do, find, clock, title, busy=f"Cinder works on {volume['name'] or volume['id']}, whose end")

    def _finished(self, wanted: str) -> Resource | None:
        found = self._own.get(wanted)
        if found is None or found["status"] in _BROKEN:
            why = (found or {}).get("fail_reason") or "Cinder gave it up"
            raise CloudError(f"{wanted} is {found['status'] if found else 'gone'}: {why}.")
        return found if found["status"] == "available" else None

    def _idle(self, volume_id: str) -> Resource | None:
        volume = self._volumes.get(volume_id)
        if volume is None:
            raise CloudError(f"The volume {volume_id} has gone.")
        if volume["status"].startswith("error"):
            raise CloudError(f"The volume {volume['name'] or volume_id} is in the state {volume['status']}.")
        return volume if volume["status"] in ("available", "in-use") else None

    def _discard(self, wanted: str) -> None:
        try:
            self._own.delete(wanted)
        except FreezerError:
            pass  # the problem that led here is the one to tell; the next run removes it

    def _described(self, found: Resource, changed: bool) -> dict[str, Any]:
        metadata = found.get("metadata") or {}
        own = "snapshot_id" if self._options.incremental else "backup_id"
        described = {
            "changed": changed,
            "outcome": "success" if changed else "unchanged",
            "snapshot": found.get("name"),
            own: found["id"],
            "size_gib": found.get("size"),
            "consistency": metadata.get("freezer_consistency"),
            "level": int(metadata.get("freezer_level") or 0),
            "created_at": found.get("created_at"),
        }
        if not self._options.incremental:
            described["container"] = found.get("container")
            described["object_count"] = found.get("object_count")
        return described

    # ------------------------------------------------------------------ rotation and absent

    def _rotate(self, volume: Resource, keep: int, clock: Clock) -> list[str]:
        """Remove the oldest full backups (or snapshots) of the set beyond `keep`, after all that builds on them."""
        own = [
            one
            for one in self._own.fresh()
            if one.get("volume_id") == volume["id"]
            and (one.get("metadata") or {}).get("freezer_owner") == OWNER
            and (one.get("metadata") or {}).get("freezer_set") == self._set()
            and one["status"] == "available"
        ]
        own.sort(key=lambda one: str(one["created_at"]))
        chains: list[list[Resource]] = []
        for one in own:
            if not chains or (one.get("metadata") or {}).get("freezer_level", "0") == "0":
                chains.append([])
            chains[-1].append(one)
        removed = []
        for chain in chains[: max(0, len(chains) - keep)]:
            for one in reversed(chain):
                self._remove_one(one, clock)
                removed.append(str(one["id"]))
        return removed

    def _remove_one(self, one: Resource, clock: Clock) -> None:
        self._own.expire()
        current = self._own.get(one["id"])
        if current is None:
            return
        if current.get("has_dependent_backups"):
            raise CloudError(f"{one['name']} has backups that build on it; remove those first.")
        self._own.delete(one["id"])

        def gone() -> bool | None:
            self._own.expire()
            found = self._own.get(one["id"])
            if found is not None and found["status"] in _BROKEN:
                raise CloudError(f"{one['name']} could not be removed, it is {found['status']}.")
            return True if found is None else None

        clock.wait(gone, f"The removal of {one['name']}")

    def _remove(self, volume: Resource, dry_run: bool) -> dict[str, Any]:
        title = self._title(volume)
        known = self._own.named(title, volume["id"])
        if not known:
            return {"changed": False, "outcome": "unchanged", "snapshot": title}
        if not dry_run:
            clock = Clock(self._options.timeout_seconds)
            for one in known:
                self._remove_one(one, clock)
        return {
            "changed": True,
            "outcome": "planned" if dry_run else "success",
            "snapshot": title,
            "removed": [one["id"] for one in known],
        }

    # ------------------------------------------------------------------ applied

    def _apply(self, volume: Resource, dry_run: bool) -> dict[str, Any]:
        title = self._title(volume)
        whole = [one for one in self._own.named(title, volume["id"]) if one["status"] == "available"]
        if not whole:
            raise CloudError(f"There is no {title} that could be applied.")
        found = whole[0]
        about = {"snapshot": title, ("snapshot_id" if self._options.incremental else "backup_id"): found["id"]}
        if self._options.restore_to == "new":
            return {**about, **self._new_volume(volume, found, dry_run)}
        if (volume.get("metadata") or {}).get("freezer_applied") == found["id"] and volume["status"] == "available":
            return {**about, "changed": False, "outcome": "unchanged", "reason": "this is what was applied to it last"}
        if self._options.incremental:
            self._check_newest(volume, found)
        if not dry_run:
            self._into_same(volume, found)
        return {**about, "changed": True, "outcome": "planned" if dry_run else "success"}

    def _check_newest(self, volume: Resource, snapshot: Resource) -> None:
        own = [one for one in self._snapshots.fresh() if one["volume_id"] == volume["id"]]
        newest = max(own, key=lambda one: str(one["created_at"]))
        if newest["id"] != snapshot["id"]:
            raise CloudError(
                f"Cinder reverts a volume to its newest snapshot only, and that is {newest['name'] or newest['id']}. Remove "
                "newer ones first, or make a new volume with restore_to: new."
            )

    def _into_same(self, volume: Resource, found: Resource) -> None:
        clock = Clock(self._options.timeout_seconds)
        attachments = list(volume.get("attachments") or [])
        for attachment in attachments:
            self._detach(volume, attachment, clock)
        try:
            self._overwrite(volume, found, clock)
            self._service.request(
                "POST", f"/volumes/{quote(volume['id'])}/metadata", {"metadata": {"freezer_applied": found["id"]}}
            )
        finally:
            for attachment in attachments:
                self._attach(volume, attachment, clock)

    def _overwrite(self, volume: Resource, found: Resource, clock: Clock) -> None:
        volume_id, label = volume["id"], volume["name"] or volume["id"]
        began: list[bool] = []

        def do() -> None:
            if self._options.incremental:
                self._service.request(
                    "POST",
                    f"/volumes/{quote(volume_id)}/action",
                    {"revert": {"snapshot_id": found["id"]}},
                    repeatable=False,
                    headers=_REVERT_VERSION,
                )
            else:
                self._service.request(
                    "POST",
                    f"/backups/{quote(found['id'])}/restore",
                    {"restore": {"volume_id": volume_id}},
                    repeatable=False,
                )
            self._volumes.expire()
            began.append(True)

        def find() -> Resource | None:
            self._volumes.expire()
            current = self._volumes.get(volume_id)
            if current is not None and current["status"].startswith(("reverting", "restoring")):
                began.append(True)
            return self._idle(volume_id) if began else None

        once(do, find, clock, f"The restore into {label}", busy=f"Cinder works on {label}, whose end")

    def _detach(self, volume: Resource, attachment: Mapping[str, Any], clock: Clock) -> None:
        server_id = attachment["server_id"]

        def do() -> None:
            try:
                self._cloud.service("compute").request(
                    "DELETE", f"/servers/{quote(server_id)}/os-volume_attachments/{quote(volume['id'])}"
                )
            except NotFound:
                pass
            self._volumes.expire()

        def find() -> Resource | None:
            self._volumes.expire()
            current = self._idle(volume["id"])
            return current if current and current["status"] == "available" else None

        label = volume["name"] or volume["id"]
        once(do, find, clock, f"Detaching {label}", busy=f"Nova works on the server of {label}, whose end")

    def _attach(self, volume: Resource, attachment: Mapping[str, Any], clock: Clock) -> None:
        server_id = attachment["server_id"]

        def do() -> None:
            self._cloud.service("compute").request(
                "POST",
                f"/servers/{quote(server_id)}/os-volume_attachments",
                {"volumeAttachment": {"volumeId": volume["id"], "device": attachment.get("device")}},
                repeatable=False,
            )
            self._volumes.expire()

        def find() -> Resource | None:
            self._volumes.expire()
            current = self._idle(volume["id"])
            return current if current and current["status"] == "in-use" else None

        label = volume["name"] or volume["id"]
        once(do, find, clock, f"Attaching {label} again", busy=f"Nova works on the server of {label}, whose end")

    def _new_volume(self, volume: Resource, found: Resource, dry_run: bool) -> dict[str, Any]:
        name = self._options.restore_as or f"volume-restore-{found['id']}"
        known = [
            one
            for one in self._volumes.fresh()
            if one["name"] == name and (one.get("metadata") or {}).get("freezer_applied") == found["id"]
        ]
        if known and known[0]["status"] in ("available", "in-use"):
            return {
                "changed": False,
                "outcome": "unchanged",
                "restored_volume": name,
                "restored_volume_id": known[0]["id"],
            }
        if dry_run:
            return {"changed": True, "outcome": "planned", "restored_volume": name}
        clock = Clock(self._options.timeout_seconds)
        new: dict[str, Any] = {
            "name": name,
            "size": volume["size"],
            "volume_type": volume.get("volume_type"),
            "metadata": {"freezer_applied": found["id"], "freezer_run": self._run},
        }
        headers: Mapping[str, str] = {}
        if self._options.incremental:
            new["snapshot_id"] = found["id"]
        else:
            # A volume made from a backup: Cinder restores it as it makes it (3.47).
            new["backup_id"] = found["id"]
            headers = {"OpenStack-API-Version": "volume 3.47"}

        def do() -> None:
            self._service.request("POST", "/volumes", {"volume": new}, repeatable=False, headers=headers)

        def find() -> Resource | None:
            self._volumes.expire()
            mine = [one for one in self._volumes.fresh() if (one.get("metadata") or {}).get("freezer_run") == self._run]
            return self._idle(mine[0]["id"]) if mine else None

        try:
            made = once(do, find, clock, f"Making the volume {name}")
        except CloudError:
            self._remove_remains()
            raise
        return {"changed": True, "outcome": "success", "restored_volume": name, "restored_volume_id": made["id"]}

    def _remove_remains(self) -> None:
        self._volumes.expire()
        try:
            for one in self._volumes.fresh():
                if (one.get("metadata") or {}).get("freezer_run") == self._run and one["status"].startswith("error"):
                    self._volumes.delete(one["id"])
        except FreezerError:
            pass  # the problem that led here is the one to tell
