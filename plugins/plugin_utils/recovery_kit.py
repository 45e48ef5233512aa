# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recovery kit as files of the controller: what is in them, where they go, and the page that says how to use them."""

from __future__ import annotations

import base64
import binascii
import os
import re
import shlex
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.backup_set import set_folder
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.set_keys import (
    FOLDER,
    FOR_PASSPHRASE,
    FOR_RECIPIENTS,
    MOST_FORM_BYTES,
    PUBLIC,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.allowed_signers import AllowedSigners
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.state_file import write_whole
from ansible_collections.freezer.backup.plugins.module_utils._engine.system import trust
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable, shown

PAGE, SIGNERS, KEYS = "kit.txt", "allowed_signers", "keys"
_MOST_BYTES = 4 << 20
_HOST = re.compile(r"[^/\0\n.][^/\0\n]{0,199}")
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_PUBLIC = re.compile(r"age1[a-z0-9]{1,100}")
_WIDTH = 100


class KitFiles:
    """The files of one host, below a folder of the controller. What the host has given is checked here before it names or fills one."""

    def __init__(self, host: str, given: Mapping[str, Any]) -> None:
        """Raises FreezerError for what no host gives."""
        if not _HOST.fullmatch(host):
            raise OptionError(f"The name {shown(host)[:200]} of a host cannot name a folder of the controller.")
        self.host, self.sets = host, list(given["sets"])
        signers = "".join(f"{line}\n" for line in given["signers"]).encode("utf-8", "replace")
        #: Those of SIGNERS, as lines; none if the host signs with no key.
        self.signers: list[str] = []
        if signers:
            self.signers = [
                one.line for one in AllowedSigners.parsed(signers, f"What {host} says of its signers").signers
            ]
        #: What two storages have different forms of, as sentences.
        self.problems: list[str] = []
        self.content: dict[str, bytes] = {}
        for one in self.sets:
            self._add_keys(one)
        if self.signers:
            self.content[SIGNERS] = "".join(f"{line}\n" for line in self.signers).encode()
        self.content[PAGE] = page(self).encode()

    def _add_keys(self, one: Mapping[str, Any]) -> None:
        folder = set_folder(str(one["hostname"]), str(one["backup_name"]))
        for pair in one["keys"]:
            key_id, public = str(pair["key_id"]), pair["public"]
            if not _KEY_ID.fullmatch(key_id):
                raise FreezerError(f"{self.host} has given the key id {shown(key_id)[:100]}, which can be none.")
            files = {
                name: _form(pair["forms"][name]) for name in (FOR_PASSPHRASE, FOR_RECIPIENTS) if name in pair["forms"]
            }
            if isinstance(public, str) and _PUBLIC.fullmatch(public):
                files[PUBLIC] = f"{public}\n".encode()
            for name, stored in files.items():
                path = f"{KEYS}/{folder}/{key_id}/{name}"
                if self.content.setdefault(path, stored) != stored:
                    self.problems.append(
                        f"{name} of the key pair {key_id} in {where(one)} is not that of the storage before it; the kit has the one "
                        "of that."
                    )

    def key_files(self, one: Mapping[str, Any], content: Mapping[str, bytes]) -> dict[str, bytes]:
        """Those of the pairs of a set, by ``<key_id>/<name>``."""
        start = f"{KEYS}/{set_folder(one['hostname'], one['backup_name'])}/"
        return {path[len(start) :]: stored for path, stored in content.items() if path.startswith(start)}


def _form(given: str) -> bytes:
    try:
        stored = base64.b64decode(given, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise FreezerError("The host has given a secret half that is not in base64.") from None
    if (
        len(stored) > MOST_FORM_BYTES
        or b"AGE-SECRET-KEY-" in stored
        or not stored.startswith((b"age-encryption.org/", b"-----BEGIN AGE"))
    ):
        raise FreezerError("The host has given a secret half that is no file of age, so it was not kept.")
    return stored


def where(one: Mapping[str, Any]) -> str:
    """A location in a sentence."""
    return f"{one['storage']} storage {one['container']}"


# ---------------------------------------------------------------- the folder


class KitFolder:
    """The folder of one host. Raises FreezerError where others could change or read it."""

    def __init__(self, folder: str, host: str) -> None:
        self.path = os.path.join(os.path.abspath(folder), host)

    def differing(self, content: Mapping[str, bytes]) -> list[str]:
        """The names of files that are not there, or are not what they should be, and of folders with other modes."""
        wrong = [] if _is_private(self.path) else ["."]
        return wrong + sorted(name for name, stored in content.items() if self._stored(name) != stored)

    def write(self, content: Mapping[str, bytes], names: Sequence[str]) -> None:
        """Write some of the files; the page last. Files that are there and not named stay."""
        try:
            for name in sorted(names, key=lambda name: (name == PAGE, name)):
                if name == ".":
                    self._make(".")
                    continue
                self._make(os.path.dirname(name) or ".")
                write_whole(os.path.join(self.path, name), content[name])
        except OSError as problem:
            raise FreezerError(
                f"The kit cannot be written to {shown(self.path)}: {problem.strerror or problem}."
            ) from problem

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """The files as they are now."""
        return {name: self._stored(name) or b"" for name in names}

    def _make(self, below: str) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        steps = [self.path]
        for part in below.split("/"):
            if part != ".":
                steps.append(os.path.join(steps[-1], part))
        for path in steps:
            if not os.path.lexists(path):
                os.mkdir(path, 0o700)
            found = os.lstat(path)
            if not stat.S_ISDIR(found.st_mode) or not trust.is_own(found):
                raise FreezerError(
                    f"{shown(path)} is no folder of the user who runs this; choose another folder for the kit."
                )
            if stat.S_IMODE(found.st_mode) & 0o077:
                os.chmod(path, 0o700)

    def _stored(self, name: str) -> bytes | None:
        """A file as it is there; None if it is not, or others may read or change it."""
        path = os.path.join(self.path, name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or not trust.is_own(found) or stat.S_IMODE(found.st_mode) & 0o077:
                return None
            return file.read(_MOST_BYTES)


def _is_private(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and trust.is_own(found) and not stat.S_IMODE(found.st_mode) & 0o077


# ---------------------------------------------------------------- the page


def page(kit: KitFiles) -> str:
    """What to do with a kit, for a printer."""
    lines = [
        f"RECOVERY KIT OF {shown(kit.host)} (freezer.backup)",
        "",
        "This page and the files beside it, together with a passphrase or a secret key, restore the backups",
        "below. Neither is here: the secret halves are encrypted for them. Keep a copy away from the host",
        "and from the storage. PASSPHRASE_FILE is a file (mode 0600) whose first line is the passphrase;",
        "a secret key of age or SSH is given with --identity-file in its place.",
        "",
    ]
    for number, one in enumerate(kit.sets, 1):
        lines += [*_set_lines(number, one, kit), ""]
    lines += _without(kit)
    return "\n".join(printable(line).rstrip() for line in lines) + "\n"


def _set_lines(number: int, one: Mapping[str, Any], kit: KitFiles) -> list[str]:
    folder, content = set_folder(one["hostname"], one["backup_name"]), kit.content
    cloud = f", cloud {shown(str(one['cloud']))}" if one.get("cloud") else ""
    lines = [
        f"{number}. {shown(folder)}: backup {shown(one['backup_name'])} of host {shown(one['hostname'])}",
        f"   lies in {one['storage']} storage, container {shown(one['container'])}{cloud}",
    ]
    start = f"{KEYS}/{folder}/"
    ids = sorted({path[len(start) :].partition("/")[0] for path in content if path.startswith(start)})
    for key_id in ids:
        names = [name for name in (FOR_PASSPHRASE, FOR_RECIPIENTS) if f"{start}{key_id}/{name}" in content]
        opened = {FOR_PASSPHRASE: "the passphrase", FOR_RECIPIENTS: "a secret key"}
        public = content.get(f"{start}{key_id}/{PUBLIC}", b"").decode("ascii").strip()
        lines += [
            f"   key pair {key_id}, opened by {' or '.join(opened[name] for name in names) or 'NOTHING: its secret half is gone'}",
            *([f"     public half {public}"] if public else []),
            f"     secret half, encrypted, in {shown(start)}{key_id}/: {' '.join(names)}",
        ]
    if not ids:
        lines.append("   has no key pair: it is not encrypted, or with openssl and its passphrase alone (aes-256-cfb)")
    return [*lines, *_with_software(one, folder, ids, bool(kit.signers) and one.get("signs") is not False)]


def _with_software(one: Mapping[str, Any], folder: str, ids: Sequence[str], is_signed: bool) -> list[str]:
    options = {
        "--action": "restore",
        "--storage": one["storage"],
        "--container": one["container"],
        "--cloud": one.get("cloud"),
    }
    options.update(
        {"--hostname": one["hostname"], "--backup-name": one["backup_name"], "--restore-abs-path": "/tmp/restored"}
    )
    of_openssl = (one.get("backup") or {}).get("encryption") == "aes-256-cfb"
    options["--encrypt-pass-file"] = "PASSPHRASE_FILE" if ids or of_openssl else None
    options["--trusted-signers"] = SIGNERS if is_signed else None
    words = ["freezer-agent", *(f"{name} {_quoted(value)}" for name, value in options.items() if value)]
    lines = ["   restore:", *_wrapped(words)]
    if ids and one["storage"] == "local":
        keys = os.path.join(one["container"], folder, FOLDER)
        kept = (_quoted(f"{KEYS}/{folder}/{key_id}") for key_id in ids)
        copied = [f"mkdir -p {_quoted(keys)} &&", "cp -r", *kept, _quoted(f"{keys}/")]
        lines += ["   if the container has lost the secret half:", *_wrapped(copied)]
    elif ids:
        lines.append(
            f"   if the container has lost the secret half: upload {shown(KEYS)}/{shown(folder)}/ as {shown(folder)}/{FOLDER}/"
        )
    return lines


def _without(kit: KitFiles) -> list[str]:
    lines = [
        "WITHOUT THIS SOFTWARE, with age, zstd and GNU tar (docs/restore-with-a-shell.md has a script that checks",
        "hashes and signatures as well; keep that page with this one), in the folder of a set, and with an empty",
        "folder /tmp/restored: open the secret half once, then the levels of a chain in their order, 0 first:",
        "     umask 077; age -d -o secret KIT/keys/SET/ID/passphrase.age    (or: -i IDENTITY .../recipients.age)",
        "     for f in TIME_LEVEL/data.*.age; do age -d -i secret $f; done | zstd -dc |",
        "         tar -x -p -C /tmp/restored                            (from level 1 on: tar -x -p -G)",
        "   Not encrypted: zstd -dc TIME_LEVEL/data.* | tar ... Other endings: .gz gzip, .bz2 bzip2, .xz xz.",
        "   With aes-256-cfb: openssl enc -d -aes-256-cfb -pbkdf2 -iter 600000 -pass file:PASSPHRASE_FILE -in $f",
        "   Where a level has a file maps.*, increments have large files by their blocks: the lines above leave zeros",
        "   in such files without an error. Use the script, or docs/second_reader.py, for these.",
        "",
    ]
    if kit.signers:
        lines.append(f"SIGNED by these keys ({SIGNERS}):")
        lines += [f"     {shown(line)}" for line in kit.signers]
        lines += [
            "   check, in the folder of a backup (HOST is its hostname):",
            f"     ssh-keygen -Y verify -f KIT/{SIGNERS} -I HOST -n freezer-backup -s manifest.json.sig <manifest.json",
        ]
    else:
        lines.append("The host signs with no key; where a passphrase was given, it stands in for one.")
    return lines


def _wrapped(words: Sequence[str]) -> list[str]:
    """A command over several lines."""
    lines, line = [], "    "
    for word in words:
        if len(line) + len(word) > _WIDTH:
            lines.append(f"{line} \\")
            line = "        "
        line += f" {word}"
    return [*lines, line]


def _quoted(value: object) -> str:
    """A word as a shell reads it, on one line."""
    return shlex.quote(shown(str(value)))
