# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Servers and volumes in a project of the lab, made and taken away by tests, and their bytes as the lab's files have them."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import NotFound, RestError
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import Cloud, connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.listing import GROUP_VERSION

from .cloud_lab import Project
from .keystone_lab import Keystone

#: What the lab's Cinder takes for a gigabyte, in bytes.
GIGABYTE = 16 << 20


class World:
    """What one project has. Everything is asked for directly, past any proxy."""

    def __init__(self, lab: Keystone, project: Project) -> None:
        self.project = project
        self.cloud: Cloud = connect_cloud({"auth": project.auth}, {})
        admin = {
            "auth_url": lab.auth_url,
            "username": "admin",
            "password": lab.environment["OS_PASSWORD"],
            "project_name": "admin",
        }
        self.admin: Cloud = connect_cloud({"auth": admin}, {})
        self._nova = Path(lab.environment["FREEZER_TEST_NOVA_STATE"])
        self._cinder = Path(lab.environment["FREEZER_TEST_CINDER_STATE"])
        #: How long anything is waited for.
        self.wait_seconds = 180
        #: Of servers that a test names, their ids; and of its volume with data.
        self.ids: dict[str, str] = {}
        self.data = ""
        self._servers: list[str] = []
        self._volumes: list[str] = []

    def ask(self, service: str, method: str, path: str, document: Any = None, **options: Any) -> Any:
        """The JSON of an answer."""
        return self.cloud.service(service).request(method, path, document, **options).document

    # ------------------------------------------------------------------ servers

    def flavor(self) -> str:
        """The id of the smallest flavor, which is made if it is missing."""
        known = self.ask("compute", "GET", "/flavors")["flavors"]
        for one in known:
            if one["name"] == "lab.small":
                return str(one["id"])
        new = {"flavor": {"name": "lab.small", "ram": 16, "vcpus": 1, "disk": 1, "id": "lab-small"}}
        try:
            self.admin.service("compute").request("POST", "/flavors", new)
        except RestError:
            pass  # another worker was quicker
        return "lab-small"

    def image(self, content: bytes, **properties: str) -> str:
        """An image with these bytes."""
        new = {"name": f"image-{secrets.token_hex(4)}", "disk_format": "raw", "container_format": "bare", **properties}
        image_id = self.ask("image", "POST", "/v2/images", new)["id"]
        self.cloud.service("image").request(
            "PUT",
            f"/v2/images/{image_id}/file",
            data=content,
            headers={"Content-Type": "application/octet-stream"},
            raw=True,
        )
        return str(image_id)

    def begin_server(self, image_id: str, name: str | None = None, **values: Any) -> str:
        """A server that is being made."""
        new = {
            "name": name or f"server-{secrets.token_hex(4)}",
            "imageRef": image_id,
            "flavorRef": self.flavor(),
            "networks": "none",
            **values,
        }
        answer = self.ask(
            "compute", "POST", "/servers", {"server": new}, headers={"OpenStack-API-Version": "compute 2.37"}
        )
        self._servers.append(answer["server"]["id"])
        return str(answer["server"]["id"])

    def server(self, image_id: str, name: str | None = None, **values: Any) -> str:
        """A server that runs."""
        server_id = self.begin_server(image_id, name, **values)
        self.wait(lambda: self.server_status(server_id) == "ACTIVE", "the server")
        return server_id

    def servers(self, image_id: str, names: Iterable[str]) -> dict[str, str]:
        """Servers that run, made side by side: their ids by name."""
        made = {name: self.begin_server(image_id, name) for name in names}
        for server_id in made.values():
            self.wait(lambda server_id=server_id: self.server_status(server_id) == "ACTIVE", "the server")
        return made

    def get_server(self, server_id: str) -> Any:
        """All that Nova says about it."""
        return self.ask("compute", "GET", f"/servers/{server_id}")["server"]

    def server_status(self, server_id: str) -> str | None:
        """Its status while Nova does not work on it, else None."""
        found = self.get_server(server_id)
        assert found["status"] != "ERROR", found.get("fault")
        return None if found["OS-EXT-STS:task_state"] else found["status"]

    def disk(self, server_id: str) -> Path:
        """The file that is the server's disk."""
        return self._nova / "instances" / server_id / "disk"

    # ------------------------------------------------------------------ volumes

    def begin_volume(self, name: str | None = None, gib: int = 1, **values: Any) -> str:
        """A volume that is being made."""
        new = {"name": name or f"volume-{secrets.token_hex(4)}", "size": gib, **values}
        volume_id = str(self.ask("volume", "POST", "/volumes", {"volume": new})["volume"]["id"])
        self._volumes.append(volume_id)
        return volume_id

    def volume(self, name: str | None = None, gib: int = 1, **values: Any) -> str:
        """A volume that is available."""
        volume_id = self.begin_volume(name, gib, **values)
        self.wait(lambda: self.get_volume(volume_id)["status"] == "available", "the volume")
        return volume_id

    def get_volume(self, volume_id: str) -> Any:
        """All that Cinder says about it."""
        return self.ask("volume", "GET", f"/volumes/{volume_id}")["volume"]

    def attach(self, server_id: str, volume_id: str) -> None:
        """Attach a volume to a server."""
        self.ask(
            "compute",
            "POST",
            f"/servers/{server_id}/os-volume_attachments",
            {"volumeAttachment": {"volumeId": volume_id}},
        )
        self.wait(lambda: self.get_volume(volume_id)["status"] == "in-use", "the attachment")

    def limit_volumes(self, most: int) -> None:
        """How many volumes the project may have; -1 is any number."""
        path = f"/os-quota-sets/{self.project.id}"
        self.admin.service("volume").request("PUT", path, {"quota_set": {"volumes": most}})

    def snapshots(self) -> list[Any]:
        """All that Cinder says about the snapshots of its volumes, their groups among it."""
        found: list[Any] = self.ask("volume", "GET", "/snapshots/detail", headers=GROUP_VERSION)["snapshots"]
        return found

    def group(self, name: str, volumes: Iterable[str]) -> str:
        """A group of volumes, whose type says that all are taken at the same moment."""
        kinds = self._group_types()
        if "lab-consistent" not in kinds:
            new = {"group_type": {"name": "lab-consistent", "is_public": True}}
            specs = {"group_specs": {"consistent_group_snapshot_enabled": "<is> True"}}
            try:
                made = self.admin.service("volume").request("POST", "/group_types", new, headers=GROUP_VERSION)
                path = f"/group_types/{made.document['group_type']['id']}/group_specs"
                self.admin.service("volume").request("POST", path, specs, headers=GROUP_VERSION)
            except RestError:
                pass  # another worker was quicker
            kinds = self._group_types()
        types = [one["id"] for one in self.ask("volume", "GET", "/types")["volume_types"]]
        new = {"group": {"name": name, "group_type": kinds["lab-consistent"], "volume_types": types}}
        group_id = str(self.ask("volume", "POST", "/groups", new, headers=GROUP_VERSION)["group"]["id"])
        self.wait(lambda: self._group(group_id)["status"] == "available", "the group")
        more = {"group": {"add_volumes": ",".join(volumes)}}
        self.cloud.service("volume").request("PUT", f"/groups/{group_id}", more, headers=GROUP_VERSION)
        self.wait(lambda: self._group(group_id)["status"] == "available", "the group")
        return group_id

    def _group(self, group_id: str) -> Any:
        return self.ask("volume", "GET", f"/groups/{group_id}", headers=GROUP_VERSION)["group"]

    def _group_types(self) -> dict[str, str]:
        found = self.ask("volume", "GET", "/group_types", headers=GROUP_VERSION)["group_types"]
        return {str(one["name"]): str(one["id"]) for one in found}

    def _active_file(self, volume_id: str) -> Path:
        store = self._cinder / "store"
        info = store / f"volume-{volume_id}.info"
        name = f"volume-{volume_id}"
        if info.exists():
            name = json.loads(info.read_text())["active"]
        return store / name

    def _qemu(self, *words: str | Path) -> str:
        root = self._nova.parent / "debian/root"
        libraries = next(root.glob("usr/lib/*-linux-gnu"))
        environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
        return subprocess.run(
            [root / "usr/bin/qemu-img", *words], env=environment, check=True, capture_output=True, text=True
        ).stdout

    def write(self, volume_id: str, offset: int, content: bytes) -> None:
        """Change bytes of a volume, as its server would."""
        path = self._active_file(volume_id)
        found = json.loads(self._qemu("info", "-U", "--output=json", path))
        if found["format"] == "raw":
            with open(path, "r+b") as file:
                file.seek(offset)
                file.write(content)
            return
        root = self._nova.parent / "debian/root"
        libraries = next(root.glob("usr/lib/*-linux-gnu"))
        pattern = self._nova.parent / f"pattern-{secrets.token_hex(4)}"
        pattern.write_bytes(content)
        try:
            subprocess.run(
                [root / "usr/bin/qemu-io", "-f", "qcow2", "-c", f"write -s {pattern} {offset} {len(content)}", path],
                env={**os.environ, "LD_LIBRARY_PATH": str(libraries)},
                check=True,
                capture_output=True,
            )
        finally:
            pattern.unlink()

    def digest(self, volume_id: str) -> str:
        """A hash of the first 2 MiB of a volume, whatever files it is made of; nobody writes behind these."""
        copy = self._nova.parent / f"copy-{secrets.token_hex(4)}"
        path = self._active_file(volume_id)
        try:
            found = json.loads(self._qemu("info", "-U", "--output=json", path))
            self._qemu("dd", "-U", "-f", found["format"], "-O", "raw", "bs=1M", "count=2", f"if={path}", f"of={copy}")
            return _digest(copy)
        finally:
            copy.unlink(missing_ok=True)

    # ------------------------------------------------------------------ the rest

    def wait(self, predicate: Callable[[], Any], what: str) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + self.wait_seconds
        while not predicate():
            assert time.monotonic() < deadline, f"{what} took too long"
            time.sleep(0.3)

    def images(self) -> list[Any]:
        """The snapshots of servers."""
        found: list[Any] = self.ask("image", "GET", "/v2/images?freezer_owner=freezer.backup")["images"]
        return found

    def clean(self) -> None:
        """Take away all that the project has: it is not used again, and volumes of many tests fill a disk."""
        for server in self.ask("compute", "GET", "/servers")["servers"]:
            self._remove("compute", f"/servers/{server['id']}")
        self.wait(lambda: not self.ask("compute", "GET", "/servers")["servers"], "the end of the servers")
        for image in self.ask("image", "GET", f"/v2/images?owner={self.project.id}&limit=1000")["images"]:
            self._remove("image", f"/v2/images/{image['id']}")
        for kind in ("backups", "group_snapshots"):
            self.remove_all_of_cinder(kind)
        for group in self.ask("volume", "GET", "/groups", headers=GROUP_VERSION)["groups"]:
            action = {"delete": {"delete-volumes": True}}
            path = f"/groups/{group['id']}/action"
            self.cloud.service("volume").request("POST", path, action, headers=GROUP_VERSION, raw=True)
        self.remove_all_of_cinder("snapshots")
        # Nothing waits for the volumes themselves: that they are deleted is enough.
        self.wait(lambda: self._ask_for_the_end_of("volumes")[0] == 0, "the end of the volumes' use")
        self._empty_containers()

    def remove_all_of_cinder(self, kind: str) -> None:
        """Remove everything of a kind: what others of it build on goes after them, so it is asked for again."""
        self.wait(lambda: self._ask_for_the_end_of(kind) == (0, 0), f"the end of the {kind}")

    def _ask_for_the_end_of(self, kind: str) -> tuple[int, int]:
        """Ask for the end of everything of a kind, and say how many were asked for now, and how many are being deleted."""
        found = self.ask("volume", "GET", f"/{kind}/detail", headers=GROUP_VERSION)[kind]
        left = [one["id"] for one in found if one["status"] not in ("deleting", "error_deleting")]
        for one in left:
            self._remove("volume", f"/{kind}/{one}")
        return len(left), sum(one["status"] == "deleting" for one in found)

    def _remove(self, service: str, path: str) -> None:
        try:
            self.cloud.service(service).request("DELETE", path, headers=GROUP_VERSION, raw=True)
        except RestError:
            pass  # gone already, or still needed by what goes first; then it is asked for again

    def containers(self) -> list[str]:
        """The names of the project's containers."""
        return [str(one["name"]) for one in self._swift("GET", "?format=json")]

    def objects(self, container: str) -> dict[str, int]:
        """Names and sizes of what backups have in a container; none if there is no such container."""
        found = self._all_objects(container)
        found.pop(".freezer-backup", None)  # the container's marker
        return found

    def _all_objects(self, container: str) -> dict[str, int]:
        try:
            return {str(one["name"]): int(one["bytes"]) for one in self._swift("GET", f"/{container}?format=json")}
        except NotFound:
            return {}

    def _swift(self, method: str, path: str) -> Any:
        return json.loads(self.cloud.service("object-store").request(method, path, raw=True).document or b"[]")

    def _empty_containers(self) -> None:
        for container in self.containers():
            for name in self._all_objects(container):
                self._remove("object-store", f"/{container}/{quote(name)}")
            self._remove("object-store", f"/{container}")


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()
