# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a restore needs beside the storage and a passphrase or a secret key, gathered on the host, with what proves that it is enough.

Nothing is opened here. Secret halves are given as they are stored, encrypted. What is read of the container is that of the newest
backup which a reader needs for one of its first files: so a proof elsewhere has to do with the kit and these objects alone.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..action.of_verb import taken_by_module
from ..action.options import parse_options
from ..action.row import FILES
from ..errors import FreezerError
from ..repository.backup_set import BackupSet, StoredBackup
from ..repository.public_manifest import PublicManifest
from ..repository.set_keys import key_ids, read_forms, read_public
from ..repository.stored_set import MANIFEST_NAME, SIGNATURE_NAME
from ..repository.verified import LEAVES_NAME
from ..sealing.allowed_signers import Signer, principal_of
from ..sealing.ssh_keys import PublicKey
from ..sealing.ssh_signature import NAMESPACE
from ..storage.base import Storage
from ..storage.errors import ObjectMissing, OddObject
from .conduct import readable_errors
from .media.base import Medium
from .media.files import Files
from .media.held_keys import named_signing_key, own_public_key
from .media.upstream_copies import is_upstreams

#: Of the objects of a newest backup, for all sets of a host together.
_MOST_BYTES = 48 << 20
#: Of a segment: the leaves in which its first frame can lie, whatever seals it.
_FIRST_BYTES = 2 << 20
_NEEDED = ("catalogue", "frames", "details.json")


def recovery_kit(actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The ``sets`` of some actions, as freezer.backup.backup takes them, and the ``signers`` of this host, as lines of allowed_signers.

    What is wrong with one set is its ``problem``. Raises OptionError for an action that cannot be one.
    """
    with readable_errors("gathering of the recovery kit"):
        return _Kit().gather(actions)


class _Kit:
    def __init__(self) -> None:
        self._room = _MOST_BYTES
        self._signers: dict[str, None] = {}

    def gather(self, actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        sets = [found for action in actions for found in self._sets_of(action)]
        return {"sets": sets, "signers": list(self._signers)}

    def _sets_of(self, action: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        options = parse_options({**taken_by_module("verify", action), "action": "verify"})
        options.refuse_for("verify")
        if options.backup_media != FILES:
            return  # images and Cinder's backups lie in their cloud, not encrypted and not signed
        files, signing_key = Files(options), action.get("signing_key")
        keys = [own_public_key()]
        if signing_key not in (None, "", "none"):
            keys.append(named_signing_key(str(signing_key)).public)
        for one in files.sets():
            self._add_signers(one.hostname, keys)
            yield {"cloud": options.cloud, "signs": signing_key != "none", **self._set(files, one)}

    def _add_signers(self, hostname: str, keys: Sequence[PublicKey | None]) -> None:
        for key in keys:
            if key is not None:
                self._signers[Signer(principal_of(hostname), key._replace(comment=""), NAMESPACE).line] = None

    def _set(self, files: Files, one: BackupSet) -> dict[str, Any]:
        storage = one.storage
        found: dict[str, Any] = {
            "hostname": one.hostname,
            "backup_name": one.backup_name,
            "storage": storage.kind,
            "container": storage.container,
            "keys": [],
            "backup": None,
            "objects": {},
            "problem": None,
        }
        try:
            files.containers.check(storage)
            found["keys"] = [_pair(storage, one.folder, key_id) for key_id in key_ids(storage, one.folder)]
            copy = Medium.find(files, one)
            if is_upstreams(copy) or not isinstance(copy.manifest, PublicManifest):
                raise FreezerError(
                    f"The newest backup {copy.manifest.backup_id} of {one.describe()} was made by an earlier release; it is not "
                    "encrypted, and is proven with freezer-agent --action verify. The next backup can be proven from here."
                )
            sealed = copy.manifest.sealing
            found["backup"] = {
                "backup_id": copy.manifest.backup_id,
                "level": copy.manifest.level,
                "encryption": sealed.method if sealed else "none",
                "key_id": sealed.key_id if sealed else None,
            }
            for level in copy.chain:
                found["objects"].update(self._objects(storage, level, level.manifest))
            for level in copy.chain:
                found["objects"].update(self._beginning(storage, level, level.manifest))
        except FreezerError as problem:
            found["problem"] = str(problem)
            found["objects"] = {}
        return found

    def _objects(self, storage: Storage, level: StoredBackup, manifest: PublicManifest) -> dict[str, Any]:
        """What is read of a level but for its data, by its name in the container: its size, and what is in it in base64."""
        found = {}
        for name in (MANIFEST_NAME, SIGNATURE_NAME, LEAVES_NAME, *(str(manifest.side(stem)) for stem in _NEEDED)):
            try:
                stored = storage.read(f"{level.folder}/{name}", self._room)
            except ObjectMissing:
                continue
            except OddObject:
                raise self._too_large(level) from None
            found[f"{level.folder}/{name}"] = self._taken(stored, len(stored))
        return found

    def _beginning(self, storage: Storage, level: StoredBackup, manifest: PublicManifest) -> dict[str, Any]:
        """The beginning of the first segment of a level, as far as there is room."""
        first = manifest.segments("data")[0]
        size = next(one.bytes for one in manifest.objects if one.name == first)
        if min(size, _FIRST_BYTES) > self._room:
            return {}
        with storage.ranges(f"{level.folder}/{first}") as ranges:
            return {f"{level.folder}/{first}": self._taken(ranges.read(0, min(size, _FIRST_BYTES)), size)}

    def _taken(self, stored: bytes, size: int) -> dict[str, Any]:
        self._room -= len(stored)
        return {"bytes": size, "content": base64.b64encode(stored).decode("ascii")}

    def _too_large(self, level: StoredBackup) -> FreezerError:
        return FreezerError(
            f"The list of files of {level.folder} and what was read before it for the proof have more than "
            f"{_MOST_BYTES >> 20} MiB, so this backup was not proven from here; prove it with freezer-agent --action verify."
        )


def _pair(storage: Storage, set_folder: str, key_id: str) -> dict[str, Any]:
    forms = read_forms(storage, set_folder, key_id)
    return {
        "key_id": key_id,
        "public": read_public(storage, set_folder, key_id),
        "forms": {name: base64.b64encode(stored).decode("ascii") for name, stored in forms.items()},
    }
