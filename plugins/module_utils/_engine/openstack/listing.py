# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a project has, listed once for all threads that wait for something in it.

The number of requests depends on how long is waited, and not on how many things are waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..errors import FreezerError
from ..http.errors import NotFound
from .connection import Cloud
from .errors import CloudError
from .resources import OWNER, Resource, chosen, newest_first, pages

#: How long a list that many threads wait for is good for.
_FRESH_SECONDS = 0.5
#: Metadata of backups.
BACKUP_VERSION = {"OpenStack-API-Version": "volume 3.43"}
#: Groups, their snapshots, and which volume and snapshot belongs to which.
GROUP_VERSION = {"OpenStack-API-Version": "volume 3.14"}


class Listing:
    """One kind of things of a project. Any number of threads may ask."""

    def __init__(
        self,
        cloud: Cloud,
        kind: str,
        path: str,
        key: str,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        listed_at: str = "",
    ) -> None:
        self.service = cloud.service(kind)
        self._path, self._key, self._query = path, key, query
        self._headers = dict(headers or {})
        self._listed_at = listed_at
        self._lock = threading.Lock()
        self._at = 0.0
        self._known: dict[str, Resource] = {}

    def fresh(self) -> list[Resource]:
        """All of them, as they were at most half a second ago. Raises RestError."""
        return list(self._by_id().values())

    def _by_id(self) -> dict[str, Resource]:
        with self._lock:
            if time.monotonic() - self._at > _FRESH_SECONDS:
                path = f"{self._path}{self._listed_at}"
                found = pages(self.service, path, self._key, self._query, headers=self._headers)
                self._known = {one["id"]: one for one in found}
                self._at = time.monotonic()
            return self._known

    def expire(self) -> None:
        """Let the next look be a new one."""
        with self._lock:
            self._at = 0.0

    def add(self, one: Resource) -> None:
        """Know what was made just now, without asking for the whole list again because of it."""
        with self._lock:
            self._known = {**self._known, one["id"]: one}

    def get(self, wanted: str) -> Resource | None:
        """The one with this id, if there is one."""
        return self._by_id().get(wanted)

    def one(self, wanted_id: str | None, name: str | None, what: str) -> Resource:
        """The one with an id, else the only one with a name; `what` it is, is also how its document is called.

        Raises CloudError if there is none, or if several have the name.
        """
        if not wanted_id:
            return chosen(self.fresh(), [str(name)], what)[0]
        try:
            found: Resource = self.service.request("GET", f"{self._path}/{quote(wanted_id)}").document[what]
        except NotFound:
            raise CloudError(f"There is no {what} {wanted_id!r} in this project.") from None
        return found

    def marked(self, marks: Mapping[str, str]) -> list[Resource]:
        """Those whose metadata has these marks."""
        return [one for one in self.fresh() if marks.items() <= (one.get("metadata") or {}).items()]

    def delete(self, wanted: str) -> None:
        """Ask for its removal; no error if it is gone already."""
        try:
            self.service.request("DELETE", f"{self._path}/{quote(wanted)}", headers=self._headers)
        except NotFound:
            pass
        known = self._known.get(wanted)
        if known is not None:
            self.add({**known, "status": "deleting"})

    def discard(self, wanted: str) -> None:
        """Ask for the removal of what came to nothing. Raises nothing: the caller has a problem to tell already."""
        try:
            self.delete(wanted)
        except FreezerError:
            pass  # the next run removes it


class Images(Listing):
    """The images of this collection."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud, "image", "/v2/images", "images", {"freezer_owner": OWNER})

    def named(self, title: str, server_id: str) -> list[Resource]:
        """Those of a server with a name, newest first."""
        return newest_first(
            one
            for one in self.fresh()
            if one.get("name") == title and one.get("freezer_server_id") == server_id and one["status"] != "deleted"
        )


class Servers(Listing):
    """The servers of the project."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud, "compute", "/servers", "servers", listed_at="/detail")

    def existing(self, server_id: str) -> Resource:
        """A server that has to be there. Raises CloudError if it is not."""
        found = self.get(server_id)
        if found is None:
            raise CloudError(f"The server {server_id} has gone.")
        return found

    def act(self, server_id: str, action: Mapping[str, Any], **options: Any) -> Any:
        """Ask Nova to do something with a server; the document that it answers with, if any."""
        path = f"/servers/{quote(server_id)}/action"
        answer = self.service.request("POST", path, action, repeatable=False, **options)
        known = self._known.get(server_id)
        if known is None:
            self.expire()
        else:
            # So that no thread takes it for idle until the list is asked for again, which is soon and for all at once.
            self.add({**known, "OS-EXT-STS:task_state": "asked"})
        return answer.document

    def idle(self, server_id: str, *statuses: str) -> Resource | None:
        """The server when Nova works on it no more and its status is one of these, else None. Raises CloudError."""
        server = self.existing(server_id)
        if server["status"] == "ERROR" and "ERROR" not in statuses:
            fault = (server.get("fault") or {}).get("message", "Nova does not say why")
            raise CloudError(f"The server {server['name']} is in the state ERROR: {fault}.")
        if server.get("OS-EXT-STS:task_state") is not None:
            return None
        return server if not statuses or server["status"] in statuses else None


class OfCinder(Listing):
    """What Cinder keeps of one kind; ``key`` is what a list of it is called."""

    def __init__(self, cloud: Cloud, key: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(cloud, "volume", f"/{key}", key, headers=headers, listed_at="/detail")


class Volumes(OfCinder):
    """The volumes of the project."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud, "volumes", GROUP_VERSION)

    def idle(self, volume_id: str) -> Resource | None:
        """The volume when Cinder works on it no more, else None. Raises CloudError."""
        volume = self.get(volume_id)
        if volume is None:
            raise CloudError(f"The volume {volume_id} has gone.")
        if volume["status"].startswith("error"):
            raise CloudError(f"The volume {volume['name'] or volume_id} is in the state {volume['status']}.")
        return volume if volume["status"] in ("available", "in-use") else None


class CopiesOfVolumes(OfCinder):
    """The snapshots, or the backups, of volumes of the project."""

    def named(self, title: str, volume_id: str) -> list[Resource]:
        """Those of a volume with a name, newest first: never one of another volume, or of another name."""
        found = [one for one in self.fresh() if one.get("name") == title and one.get("volume_id") == volume_id]
        return newest_first(found)


def snapshots_of_volumes(cloud: Cloud) -> CopiesOfVolumes:
    """Cinder's snapshots."""
    return CopiesOfVolumes(cloud, "snapshots", GROUP_VERSION)


def backups_of_volumes(cloud: Cloud) -> CopiesOfVolumes:
    """Cinder's backups, with their metadata."""
    return CopiesOfVolumes(cloud, "backups", BACKUP_VERSION)
