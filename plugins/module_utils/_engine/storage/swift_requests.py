# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of Swift: one request, a listing, a removal, an object; with names and errors in the storage's terms."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from ..http.errors import NotFound, RestError
from ..http.repeating import Answer
from ..openstack.connection import Cloud
from ..openstack.service import Service
from .base import Buffer
from .errors import NoContainer, ObjectMissing, StorageError

#: What a manifest may name if the cluster does not say so itself.
_MANIFEST_ENTRIES = 1000
_LISTED = 10000
_DELETED_AT_ONCE = 1000


def _md5(data: Buffer) -> str:
    # Swift's ETag; it finds damage on the way, and is no proof against anybody.
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _encoded(name: str) -> str:
    """A name as Swift can have it: bytes that are no UTF-8 are written as ``%FF``, and ``%`` as ``%25``."""
    return re.sub("[\udc80-\udcff]", lambda found: f"%{ord(found.group()) - 0xDC00:02X}", name.replace("%", "%25"))


def _decoded(name: str) -> str:
    return unquote_to_bytes(name).decode("utf-8", "surrogateescape")


def path_of(container: str, name: str) -> str:
    """Where a manifest finds a piece."""
    return f"/{container}/{_encoded(name)}"


def _entry(one: Any) -> tuple[str, int, bool]:
    """The name, the size and whether it is a manifest. Raises ValueError, TypeError or AttributeError."""
    return str(one.get("name") or one.get("subdir") or ""), int(one.get("bytes") or 0), "slo_etag" in one


class Refused(StorageError):
    """What Swift said no to; ``status`` is its answer's."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class Listed(NamedTuple):
    """One line of a listing; what a manifest joins is listed itself."""

    name: str
    size: int
    is_manifest: bool


class SwiftRequests:
    """The requests, with errors in the storage's terms."""

    def __init__(self, connect: Callable[[], Cloud], container: str) -> None:
        self._connect = connect
        self._service: Service | None = None
        self._lock = threading.Lock()
        self.container = container
        self.segments = f"{container}_segments"
        self._made: set[str] = set()
        self._entries: int | None = None

    def ask(self, doing: str, method: str, container: str, name: str = "", query: str = "", **options: Any) -> Answer:
        """One request. Raises ObjectMissing or StorageError."""
        path = f"/{quote(container, safe='')}"
        if name:
            path += f"/{quote(_encoded(name))}"
        try:
            return self._opened().request(method, path + query, raw=True, **options)
        except NotFound:
            raise ObjectMissing(f"{name or container} is missing in Swift container {container}.") from None
        except RestError as problem:
            hint = ""
            if problem.status in (413, 507):
                hint = " A quota or the cluster is full: free some space, or choose another container."
            raise Refused(f"{doing} {container}/{name} failed. {problem}{hint}", problem.status) from problem

    def url(self) -> str:
        """The address of the account. Raises StorageError."""
        return self._opened().url

    def ensure_container(self, container: str) -> None:
        """Make a container that is missing; once."""
        if container not in self._made:
            self.ask("Making the container", "PUT", container)
            self._made.add(container)

    def manifest_entries(self) -> int:
        """How many pieces one manifest may name here."""
        if self._entries is None:
            self._entries = _MANIFEST_ENTRIES
            service = self._opened()
            root = service.url.rpartition("/v1")[0]
            try:
                # /info is beside the accounts, and not below one.
                answer = service.at(root).request("GET", "/info", raw=True)
                found = json.loads(answer.document).get("slo", {}).get("max_manifest_segments")
            except (RestError, ValueError, AttributeError):
                found = None
            if isinstance(found, int) and found > 0:
                self._entries = found
        return self._entries

    def put(self, container: str, name: str, data: Buffer, headers: Mapping[str, str] | None = None) -> str:
        """Store an object in one upload; its ETag. Raises StorageError, also if it did not arrive as it was sent."""
        etag = _md5(data)
        answer = self.ask("Writing", "PUT", container, name, data=data, headers={**(headers or {}), "ETag": etag})
        stored = answer.headers.get("etag", "").strip('"')
        if stored != etag:
            raise StorageError(
                f"{container}/{name} was not stored as it was sent: its ETag is {stored} and not {etag}."
            )
        return etag

    def put_large(self, name: str, entries: list[dict[str, Any]], headers: Mapping[str, str] | None = None) -> None:
        """Let a large object appear, made of pieces that are there. Raises StorageError."""
        most = self.manifest_entries() if len(entries) > _MANIFEST_ENTRIES else _MANIFEST_ENTRIES
        level = 0
        while len(entries) > most:
            # A manifest may name manifests: one more storey.
            grouped = []
            self.ensure_container(self.segments)
            for number, start in enumerate(range(0, len(entries), most)):
                part = entries[start : start + most]
                part_name = f"{name}/{level}-{number:06d}"
                self._put_slo(self.segments, part_name, part)
                grouped.append({"path": path_of(self.segments, part_name)})
            entries, level = grouped, level + 1
        self._put_slo(self.container, name, entries, headers)

    def _put_slo(
        self,
        container: str,
        name: str,
        entries: list[dict[str, Any]],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        def put() -> None:
            self.ask(
                "Joining",
                "PUT",
                container,
                name,
                "?multipart-manifest=put",
                data=json.dumps(entries).encode(),
                headers={"Content-Type": "application/octet-stream", **(headers or {})},
            )

        try:
            put()
        except Refused as problem:
            if problem.status != 400:
                raise
            # Swift looks at the pieces before it looks at the token, and calls one that has expired a bad manifest.
            # A request that tells gets a new token.
            self.ask("Reading", "HEAD", container)
            put()

    def listed(self, container: str, prefix: str, delimiter: str = "", may_miss: bool = False) -> Iterator[Listed]:
        """Objects and, with a delimiter, folders below a prefix. Raises StorageError if there is no container."""
        marker = ""
        while True:
            query = f"?format=json&limit={_LISTED}&prefix={quote(_encoded(prefix), safe='')}"
            if delimiter:
                query += f"&delimiter={quote(delimiter, safe='')}"
            if marker:
                query += f"&marker={quote(marker, safe='')}"
            try:
                answer = self.ask("Listing", "GET", container, query=query)
            except ObjectMissing:
                if may_miss:
                    return
                raise NoContainer(f"There is no Swift container {container}, so no backup is stored there.") from None
            try:
                entries = [_entry(one) for one in json.loads(answer.document or b"[]")]
            except (ValueError, TypeError, AttributeError, RecursionError):
                raise StorageError(f"What Swift lists of the container {container} is no list of objects.") from None
            for name, size, is_manifest in entries:
                yield Listed(_decoded(name), size, is_manifest)
            if len(entries) < _LISTED:
                return
            marker = entries[-1][0]

    def containers(self) -> Iterator[tuple[str, int, int]]:
        """The containers of the account: name, number of objects and bytes, as Swift counts them. Raises StorageError."""
        marker = ""
        while True:
            query = f"?format=json&limit={_LISTED}" + (f"&marker={quote(marker, safe='')}" if marker else "")
            try:
                answer = self._opened().request("GET", query, raw=True)
                entries = json.loads(answer.document or b"[]")
                found = [(str(one["name"]), int(one["count"]), int(one["bytes"])) for one in entries]
            except RestError as problem:
                raise Refused(f"Listing the containers failed. {problem}", problem.status) from problem
            except (ValueError, TypeError, KeyError, RecursionError):
                raise StorageError("What Swift lists of the account is no list of containers.") from None
            yield from found
            if len(found) < _LISTED:
                return
            marker = found[-1][0]

    def delete(self, container: str, names: list[str]) -> None:
        """Delete objects; no error for those that are gone already. Raises StorageError."""
        for start in range(0, len(names), _DELETED_AT_ONCE):
            some = names[start : start + _DELETED_AT_ONCE]
            if len(some) < 4 or not self._delete_at_once(container, some):
                for name in some:
                    try:
                        self.ask("Removing", "DELETE", container, name)
                    except ObjectMissing:
                        pass

    def _delete_at_once(self, container: str, names: list[str]) -> bool:
        """Whether the cluster has removed all of them in one request."""
        lines = "\n".join(quote(f"{container}/{_encoded(name)}") for name in names)
        try:
            # A request at the account.
            answer = self._opened().request(
                "POST", "?bulk-delete", raw=True, data=lines.encode(), headers={"Content-Type": "text/plain"}
            )
            said = json.loads(answer.document)
        except (RestError, ValueError):
            return False  # a cluster without this middleware; one at a time is slower, and says what is wrong
        return isinstance(said, dict) and not said.get("Errors") and str(said.get("Response Status")).startswith("200")

    def _opened(self) -> Service:
        with self._lock:
            if self._service is None:
                try:
                    self._service = self._connect().service("object-store")
                except RestError as problem:
                    raise StorageError(f"Swift cannot be used: {problem}") from problem
            return self._service
