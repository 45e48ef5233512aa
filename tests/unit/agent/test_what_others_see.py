# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What who reads a storage learns of sealed backups, byte for byte, and what other users of the host see meanwhile.

The threat model of docs/archive-format.md has the lists that these tests compare with.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import struct
import zlib
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import age
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import SealingError
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import ScryptIdentity
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.tests.support.key_files import (
    PASSPHRASE,
    AgeKey,
    SigningKey,
    State,
    pass_file,
    quick_scrypt,
    secret_file,
)
from ansible_collections.freezer.backup.tests.support.sets import Set, tick
from ansible_collections.freezer.backup.tests.support.trees import extended_attribute, write

MEBIBYTE = 1 << 20
#: What is in names, contents, attributes, links, patterns and paths of the source, and may be nowhere in the container.
SECRETS = [
    "payroll", "ministry", "Weihnachten", "hidden-pattern", "user.colour", "aubergine", "/nowhere/secret-link",
    "the content of a file", "the first block", "another block", "source", PASSPHRASE,
]  # fmt: skip
OBJECTS = {
    *(f"data.00000{number}" for number in range(5)),
    "blocks.000000",
    "catalogue",
    "maps",
    "snar",
    "frames",
    "details.json",
}
COMPRESSED = OBJECTS - {"frames", "details.json"}
FIELDS = [
    "format", "format_version", "self_sha256", "backup_id", "hostname", "backup_name", "timestamp", "level", "parent",
    "outcome", "time_started", "time_ended", "sealing", "objects",
]  # fmt: skip


@pytest.fixture
def state(tmp_path, monkeypatch) -> State:
    quick_scrypt(monkeypatch)
    return State(tmp_path / "state", monkeypatch)


@pytest.fixture
def one(tmp_path, state) -> Set:
    """A tree with what an observer could look for, and the same content again and again."""
    found = Set(
        tmp_path,
        max_level=9,
        encrypt_pass_file=pass_file(tmp_path),
        exclude=["*hidden-pattern*"],
        block_level_size=2 << 20,
    )
    write(found.source / "payroll" / "ministry\nWeihnachten", b"the content of a file\n" * 100)
    write(found.source / "payroll" / "the same", b"the content of a file\n" * 100)
    write(found.source / "hidden-pattern.txt", b"left out")
    extended_attribute(found.source / "payroll" / "the same", "user.colour", b"aubergine")
    (found.source / "link").symlink_to("/nowhere/secret-link")
    write(found.source / "large", b"the first block\n" * 65536 * 3)
    return found


def make_levels(one: Set, **options: object) -> list[Path]:
    """Two levels, and a full backup of the same source."""
    found = [one.folder_of(one.backup(**options))]
    tick()
    with open(one.source / "large", "r+b") as large:
        large.write(b"another block\n")
    (one.source / "payroll" / "the same").unlink()
    found.append(one.folder_of(one.backup(**options)))
    found.append(one.folder_of(one.backup(**options, no_incremental=True)))
    return found


def payloads_of_age(stored: bytes, stanzas: bytes = rb"-> X25519 [\w+/]{43}\n[\w+/]{43}\n") -> bytes:
    """What is behind the header of a file of age, which has such stanzas and nothing else."""
    header = re.match(rb"age-encryption\.org/v1\n" + stanzas + rb"--- [\w+/]{43}\n", stored)
    assert header is not None, stored[:300]
    return stored[header.end() :]


def payloads_of_openssl(stored: bytes) -> bytes:
    assert stored.startswith(b"Salted__")
    return stored[8:]


def check_manifest(folder: Path, method: str | None, key_id: str | None, parent: Path | None) -> dict:
    """A manifest has what the storage itself shows, names, times, and what the parent has; and nothing else."""
    stored = (folder / "manifest.json").read_bytes()
    manifest = json.loads(stored)
    assert list(manifest) == FIELDS
    assert (manifest["format"], manifest["format_version"], manifest["outcome"]) == ("freezer-backup", 2, "success")
    assert re.fullmatch("[0-9a-f]{32}", manifest["backup_id"])
    assert f"{manifest['hostname']}_{manifest['backup_name']}" == folder.parent.name == "host_tree"
    assert f"{manifest['timestamp']}_{manifest['level']}" == folder.name
    assert 0 <= manifest["time_ended"] - manifest["time_started"] < 600
    assert manifest["sealing"] == (method and {"method": method, "key_id": key_id})
    zeroed = stored.replace(manifest["self_sha256"].encode(), b"0" * 64, 1)
    assert hashlib.sha256(zeroed).hexdigest() == manifest["self_sha256"]
    if parent is None:
        assert manifest["parent"] is None
    else:
        above = (parent / "manifest.json").read_bytes()
        backup_id, sha256 = json.loads(above)["backup_id"], hashlib.sha256(above).hexdigest()
        assert manifest["parent"] == {"folder": parent.name, "backup_id": backup_id, "manifest_sha256": sha256}
    assert stored == json.dumps(manifest, indent=1).encode() + b"\n"
    return manifest


def check_objects(folder: Path, manifest: dict, codec: str, suffix: str) -> None:
    """Objects have these names, and the leaves are hashes of what is stored, which everyone can make."""
    leaves = b""
    for entry in manifest["objects"]:
        assert list(entry) == ["name", "bytes", "tree"]
        stem = entry["name"].removesuffix(codec + suffix).removesuffix(suffix)
        assert entry["name"] == stem + (codec if stem in COMPRESSED else "") + suffix
        assert stem in OBJECTS
        stored = (folder / entry["name"]).read_bytes()
        made = [hashlib.sha256(stored[at : at + MEBIBYTE]).digest() for at in range(0, len(stored), MEBIBYTE)]
        leaves += b"".join(made)
        assert (len(stored), hashlib.sha256(b"".join(made)).hexdigest()) == (entry["bytes"], entry["tree"])
    assert (folder / "leaves").read_bytes() == leaves
    names = {entry["name"] for entry in manifest["objects"]} | {"leaves", "manifest.json", "manifest.json.sig"}
    assert {path.name for path in folder.iterdir()} == names


def check_random(payloads: list[bytes]) -> None:
    """Ciphertexts have no pattern: none shrinks, and none has a part of itself or of another one."""
    seen: set[bytes] = set()
    for payload in payloads:
        blocks = [payload[at : at + 16] for at in range(0, len(payload) - 15, 16)]
        assert len({*blocks}) == len(blocks)
        assert seen.isdisjoint(blocks)
        seen.update(blocks)
    joined = b"".join(payloads)
    assert len(zlib.compress(joined)) > len(joined)


def check_names_and_bytes(container: Path, secrets: list[str]) -> None:
    """Nothing of the source is in a name or in a file, as it is, in capitals, in hexadecimal or in Base64."""
    everything = b"\n".join(os.fsencode(path) for path in sorted(container.rglob("*"))).replace(
        os.fsencode(container), b""
    )
    everything += b"".join(path.read_bytes() for path in container.rglob("*") if path.is_file())
    everything = everything.lower()
    for secret in secrets:
        raw = secret.encode()
        inside = (base64.b64encode(raw[cut:])[: (len(raw) - cut) // 3 * 4] for cut in range(3))
        for form in (raw, raw.hex().encode(), *inside):
            assert len(form) < 6 or form.lower() not in everything, (secret, form)


def test_who_reads_a_container_that_is_sealed_with_age_sees_what_the_threat_model_lists_and_no_more(one, tmp_path):
    person, with_ssh = AgeKey(tmp_path, "person"), SigningKey(tmp_path, "of SSH").public
    given = {"encryption_recipients": [person.public, with_ssh.line]}
    folders = make_levels(one, **given, compression="none", max_segment_size="64k")
    (pair,) = (one.set_folder / ".keys").iterdir()
    public = (pair / "public").read_text()
    assert re.fullmatch("age1[a-z0-9]{58}\n", public)
    assert pair.name == hashlib.sha256(public.strip().encode()).hexdigest()[:32]
    payloads = [payloads_of_age((pair / "passphrase.age").read_bytes(), rb"-> scrypt [\w+/]{22} 4\n[\w+/]{43}\n")]
    # How many recipients there are, and of which kind (the pair itself is one); who they are of keys of SSH only, by four bytes.
    stanza = rb"-> X25519 [\w+/]{43}\n[\w+/]{43}\n"
    who = base64.b64encode(hashlib.sha256(base64.b64decode(with_ssh.line.split()[1])).digest()[:4]).rstrip(b"=")
    of_ssh = rb"-> ssh-ed25519 " + re.escape(who) + rb" [\w+/]{43}\n[\w+/]{43}\n"
    payloads.append(payloads_of_age((pair / "recipients.age").read_bytes(), b"(?:" + stanza + b"){2}" + of_ssh))
    signers = set()
    for folder, parent in zip(folders, (None, folders[0], None), strict=True):
        manifest = check_manifest(folder, "age", pair.name, parent)
        check_objects(folder, manifest, "", ".age")
        payloads += [payloads_of_age((folder / entry["name"]).read_bytes()) for entry in manifest["objects"]]
        lines = (folder / "manifest.json.sig").read_text().splitlines()
        assert (lines[0], lines[-1]) == ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----")
        blob = base64.b64decode("".join(lines[1:-1]))
        assert blob.startswith(b"SSHSIG\0\0\0\1")
        fields, at = [], 10
        while at < len(blob):
            (length,) = struct.unpack_from(">I", blob, at)
            fields.append(blob[at + 4 : at + 4 + length])
            at += 4 + length
        assert (fields[1:4], len(fields)) == ([b"freezer-backup", b"", b"sha512"], 5)
        signers.add(fields[0])
    assert len(signers) == 1  # the same key tells that the same host has written
    check_random(payloads)
    # The frames of 1 MiB can be counted: an unfinished part of the plain size shows in the last segment only, and compressed.
    count = len([path for path in folders[0].iterdir() if path.name.startswith("data.")])
    assert len(payloads_of_age((folders[0] / "frames.age").read_bytes())) == 16 + 4 * (count + count) + 16
    paths = {str(path.relative_to(one.container)) for path in one.container.rglob("*") if path.is_file()}
    in_backups = {
        str((folder / path.name).relative_to(one.container)) for folder in folders for path in folder.iterdir()
    }
    keys = {f"host_tree/.keys/{pair.name}/{name}" for name in ("public", "passphrase.age", "recipients.age")}
    assert paths == in_backups | keys | {".freezer-backup", "host_tree/.lock"}
    assert (one.set_folder / ".lock").read_bytes() == b""
    marker = json.loads((one.container / ".freezer-backup").read_bytes())
    assert sorted(marker) == ["container_id", "created", "format", "format_version"]
    check_names_and_bytes(one.container, [*SECRETS, person.public, person.identity.reveal()])


def test_who_reads_a_container_that_is_sealed_with_a_passphrase_sees_no_more_either(one):
    """One backup, because each object is a fifth of a second of work."""
    folder = one.folder_of(one.backup(encryption="aes-256-cfb", compression="none"))
    manifest = check_manifest(folder, "aes-256-cfb", None, None)
    check_objects(folder, manifest, "", ".enc")
    payloads = [payloads_of_openssl((folder / entry["name"]).read_bytes()) for entry in manifest["objects"]]
    assert len({payload[:8] for payload in payloads}) == len(payloads) == 6  # the salts
    code = (folder / "manifest.json.sig").read_text()
    assert re.fullmatch("hmac-sha256 pbkdf2-sha256 600000 [0-9a-f]{32} [0-9a-f]{64}\n", code)
    check_random(payloads)
    assert not (one.set_folder / ".keys").exists()
    check_names_and_bytes(one.container, SECRETS)


def test_the_same_looks_find_what_is_in_a_container_that_is_not_sealed(one):
    folder = make_levels(one, encryption="none", compression="none")[0]
    for secret in SECRETS[:-1]:
        with pytest.raises(AssertionError, match=re.escape(secret)):
            check_names_and_bytes(one.container, [secret])
    with pytest.raises(AssertionError):
        check_random([(folder / "data.000000").read_bytes()])
    with pytest.raises(AssertionError):
        check_objects(folder, check_manifest(folder, None, None, None), "", ".age")


def test_other_users_of_the_host_see_nothing_of_a_backup_or_a_restore_while_it_is_made(one, tmp_path, monkeypatch):
    """Looked at each time when tar begins: whatever is new, also in the folder of temporary files, is its owner's alone."""
    work, programs, log = tmp_path / "work", tmp_path / "programs", tmp_path / "log"
    for folder in (work, programs, tmp_path / "targets"):
        folder.mkdir()
        folder.chmod(0o1777)
    looked = f"find '{work}' '{tmp_path}/targets' '{one.container}' '{tmp_path}/state' -printf '%m %y %P\\0' >>'{log}'"
    write(programs / "tar", f'#!/bin/sh\n{looked} 2>/dev/null\nexec {shutil.which("tar")} "$@"\n'.encode(), 0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(work))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = os.umask(0)
    try:
        one.backup()
        one.restore(tmp_path / "targets" / "restored")
    finally:
        os.umask(before)
    seen = [line.split(" ", 2) for line in log.read_text().split("\0")[:-1]]
    found = [(int(mode, 8), kind, path) for mode, kind, path in seen if path and "/" not in path]
    assert any(kind == "d" and path.startswith("freezer-scratch-") for _mode, kind, path in found)
    assert [path for mode, _kind, path in found if mode & 0o077] == []
    assert list(work.iterdir()) == []


def test_root_of_another_host_opens_nothing_but_its_own_sets_of_the_same_container(one, tmp_path, monkeypatch):
    backup = one.backup()
    (tmp_path / "other").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        State(tmp_path / "state of the other", patch)
        own = pass_file(tmp_path / "other", "another passphrase")
        other = Set(tmp_path / "other", hostname="other", container=str(one.container), encrypt_pass_file=own)
        write(other.source / "file", b"of the other host")
        other.backup(init=True)
        assert other.restore()["outcome"] == "success"
        (pair,) = (one.container / "other_tree" / ".keys").iterdir()
        stored = (pair / "passphrase.age").read_bytes()
        half = age.opened(stored, [ScryptIdentity(Passphrase(b"another passphrase"))]).splitlines()[-1]
        for key in (
            {"encrypt_pass_file": own},
            {"encrypt_pass_file": None, "identity_file": secret_file(tmp_path, "half", half)},
        ):
            with pytest.raises(SealingError):
                other.restore(hostname="host", backup_id=backup["backup_id"], **key)
            (line,) = other.info(hostname="host", **key)["backups"]
            assert line["path_to_backup"] is None
    assert one.restore()["outcome"] == "success"
