# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Restore a backup of version 2 of the archive format without freezer.backup, on Python 3.9 or later.

This second reader was written from docs/archive-format.md alone, to show that the page is enough. Besides the standard library it
needs `cryptography`, and for zstd the module `zstandard` or the program `zstd`. The catalogues and maps of a chain, and a few
segments, have to fit into memory. ACLs and SELinux labels do not come back. SSH keys open nothing here: `age -d -i` opens the pair for them.
"""

import argparse
import base64
import bz2
import functools
import gzip
import hashlib
import hmac
import io
import json
import lzma
import os
import stat
import struct
import subprocess
import sys
import tarfile
from decimal import Decimal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:  # before version 47
    from cryptography.hazmat.primitives.ciphers.modes import CFB

MIB = 1 << 20


def need(condition, what):
    if not condition:
        sys.exit(f"refused: {what}")


def read(path):
    """The bytes of a file; none if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def unpack_zstd(packed):
    try:
        import zstandard
    except ImportError:
        return subprocess.run(["zstd", "-dc"], input=packed, stdout=subprocess.PIPE, check=True).stdout
    return zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read()


CODECS = {
    "zstd": unpack_zstd, "gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress, "none": bytes,
}  # fmt: skip


# Sealing: https://c2sp.org/age, and what `openssl enc` writes


def hkdf(secret, salt, info):
    return hmac.digest(hmac.digest(salt or bytes(32), secret, "sha256"), info + b"\1", "sha256")


def unbase64(text):
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def secret_keys(text):
    """The secret halves in the lines of a file: Bech32, of which the last six letters are a sum."""
    for line in text.decode().splitlines():
        if line.startswith("AGE-SECRET-KEY-1"):
            letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
            bits = "".join(f"{letters.index(letter):05b}" for letter in line.strip()[16:-6].lower())
            yield X25519PrivateKey.from_private_bytes(int(bits[:256], 2).to_bytes(32, "big"))


def wrapping_keys(kind, arguments, secrets, passphrase):
    """What may open one stanza of the header of an age file."""
    if kind == b"X25519":
        share = unbase64(arguments[0])
        for secret in secrets:
            own = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            shared = secret.exchange(X25519PublicKey.from_public_bytes(share))
            yield hkdf(shared, share + own, b"age-encryption.org/v1/X25519")
    elif kind == b"scrypt" and passphrase:
        salt, work = b"age-encryption.org/v1/scrypt" + unbase64(arguments[0]), int(arguments[1])
        need(0 < work <= 20, "a passphrase asks for too much work")
        yield hashlib.scrypt(passphrase, salt=salt, n=1 << work, r=8, p=1, maxmem=(1100 << work) + MIB, dklen=32)


def open_age(stored, secrets, passphrase=None):
    header, rest = stored.split(b"\n---", 1)
    code, payload = rest.split(b"\n", 1)
    for stanza in header.split(b"\n-> ")[1:]:
        line, *body = stanza.split(b"\n")
        kind, *arguments = line.split(b" ")
        for wrapping in wrapping_keys(kind, arguments, secrets, passphrase):
            try:
                key = ChaCha20Poly1305(wrapping).decrypt(bytes(12), unbase64(b"".join(body)), None)
            except InvalidTag:
                continue
            made = hmac.digest(hkdf(key, b"", b"header"), header + b"\n---", "sha256")
            need(hmac.compare_digest(made, unbase64(code.strip())), "a changed header")
            opener, chunks = ChaCha20Poly1305(hkdf(key, payload[:16], b"payload")), range(16, len(payload), 65552)
            need(chunks, "an end before the first chunk")
            return b"".join(
                opener.decrypt(number.to_bytes(11, "big") + bytes([at == chunks[-1]]), payload[at : at + 65552], None)
                for number, at in enumerate(chunks)
            )
    sys.exit("refused: none of the keys at hand opens it")


def open_cfb(stored, passphrase):
    key = hashlib.pbkdf2_hmac("sha256", passphrase, stored[8:16], 600_000, 48)
    return Cipher(algorithms.AES(key[:32]), CFB(key[32:])).decryptor().update(stored[16:])


# Who wrote it


def strings(data):
    """What SSH writes: strings, each with its length before it."""
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        yield data[4:end]
        data = data[end:]


def is_proven(manifest, signature, passphrase, signer):
    """Whether a manifest is by one who is believed; raises InvalidSignature."""
    if signature.startswith(b"hmac-sha256 pbkdf2-sha256 ") and passphrase:
        iterations, salt, code = signature.decode().split()[2:]
        need(len(iterations) <= 8 and int(iterations) <= 10_000_000, "a code that asks for too much work")
        key = hashlib.pbkdf2_hmac("sha256", passphrase, bytes.fromhex(salt), int(iterations), 32)
        made = hmac.new(key, b"freezer-backup manifest\n" + manifest, "sha256").hexdigest()
        need(hmac.compare_digest(made, code), "the manifest does not fit its code")
    elif signature.startswith(b"-----BEGIN SSH SIGNATURE-----\n") and signer:
        blob = base64.b64decode(b"".join(signature.split(b"\n")[1:-2]))
        public, space, reserved, algorithm, signed = strings(blob[10:])
        need(blob[:10] == b"SSHSIG\0\0\0\1" and space == b"freezer-backup", "a signature for another purpose")
        need(public == base64.b64decode(signer.split()[1]), "another key has signed it")
        parts = space, reserved, algorithm, hashlib.new(algorithm.decode(), manifest).digest()
        message = b"SSHSIG" + b"".join(struct.pack(">I", len(part)) + part for part in parts)
        (_kind, key), (_kind, code) = strings(public), strings(signed)
        Ed25519PublicKey.from_public_bytes(key).verify(code, message)
    else:
        return False
    return True


# What a level has


class Stream(io.RawIOBase):
    """The tar stream or the block stream of a level: the frames that are asked for."""

    def __init__(self, level, stem, table, size):
        self.level, self.frames, self.size, self.at = level, [], size, 0
        for segment in (name for name in level.objects if name.startswith(stem)):
            (count,) = struct.unpack(">I", table.read(4))
            lengths = struct.unpack(f">{count}I", table.read(4 * count))
            begin = 0
            for length in lengths:
                self.frames.append((segment, begin, length))
                begin += length

    @functools.lru_cache(4)  # noqa: B019
    def frame(self, number):
        segment, begin, length = self.frames[number]
        plain = self.level.unpack(self.level.opened(segment)[begin : begin + length])
        whole = self.level.details["frame_bytes"]
        need(len(plain) == min(whole, self.size - number * whole), f"frame {number} has another size")
        return plain

    def tell(self):
        return self.at

    def seek(self, offset, whence=0):
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def read(self, size=-1):
        end = min(self.size, self.at + size) if size >= 0 else self.size
        found = []
        while self.at < end:
            number, begin = divmod(self.at, self.level.details["frame_bytes"])
            found.append(self.frame(number)[begin : begin + end - self.at])
            self.at += len(found[-1])
        return b"".join(found)


class Level:
    """A backup in its folder. Nothing of an object is looked at before its hash is right."""

    def __init__(self, folder, arguments, continued=None):
        self.folder, self.passphrase, self.secrets = folder, arguments.passphrase, list(arguments.secrets)
        stored = read(f"{folder}/manifest.json")
        self.manifest = manifest = json.loads(stored)
        zeroed = stored.replace(manifest["self_sha256"].encode(), b"0" * 64, 1)
        need(hashlib.sha256(zeroed).hexdigest() == manifest["self_sha256"], "the manifest is damaged")
        need((manifest["format"], manifest["format_version"]) == ("freezer-backup", 2), "another format")
        need(os.path.basename(folder) == f"{manifest['timestamp']}_{manifest['level']}", "the folder of another backup")
        self.number, sealing = manifest["level"], manifest["sealing"] or {"method": None}
        if continued:  # the level above has the hash of this manifest, so that what proves it proves this one
            is_parent = hashlib.sha256(stored).hexdigest() == continued.manifest["parent"]["manifest_sha256"]
            need(is_parent and self.number == continued.number - 1, "another level is continued")
        elif not is_proven(stored, read(f"{folder}/manifest.json.sig"), arguments.passphrase, arguments.signer):
            need(not arguments.signer and sealing["method"] != "aes-256-cfb", "nobody who is believed has proven it")
            print("nobody has proven who wrote it", file=sys.stderr)
        self.objects = {entry["name"]: entry for entry in manifest["objects"]}
        need(not any("/" in name or name.startswith(".") for name in self.objects), "a name that leads elsewhere")
        self.method = sealing["method"]
        for form in ("passphrase.age", "recipients.age") if self.method == "age" else ():
            half = read(f"{os.path.dirname(folder)}/.keys/{sealing['key_id']}/{form}")
            if half and (self.passphrase if form == "passphrase.age" else arguments.secrets):
                self.secrets += secret_keys(open_age(half, arguments.secrets, self.passphrase))
        self.details = json.loads(self.opened(self.named("details.json")))
        need(self.details["backup_id"] == manifest["backup_id"], "the details of another backup")
        self.unpack = CODECS[self.details["codec"]]
        table = io.BytesIO(self.opened(self.named("frames")))
        self.data = Stream(self, "data.", table, self.details["stream_bytes"])
        self.blocks = Stream(self, "blocks.", table, self.details["block_stream_bytes"])
        self.maps = self.unpack(self.opened(maps)) if (maps := self.named("maps")) else b""
        fields = self.unpack(self.opened(self.named("catalogue"))).split(b"\0")
        found = [Record(self, fields[at : at + 13]) for at in range(0, len(fields) - 1, 13)]
        self.records = {record.name: record for record in found}

    def named(self, stem):
        return next((name for name in self.objects if f"{name}.".startswith(f"{stem}.")), None)

    @functools.lru_cache(8)  # noqa: B019
    def opened(self, name):
        stored = read(f"{self.folder}/{name}")
        leaves = b"".join(hashlib.sha256(stored[at : at + MIB]).digest() for at in range(0, len(stored), MIB))
        need(hashlib.sha256(leaves).hexdigest() == self.objects[name]["tree"], f"{name} is damaged")
        if self.method == "age":
            return open_age(stored, self.secrets)
        return open_cfb(stored, self.passphrase) if self.method else stored


class Record:
    """What a catalogue says of one path."""

    def __init__(self, level, fields):
        self.kind, mode, self.uid, self.gid, _owner, _group, self.size, mtime = fields[:8]
        self.offset, _length, self.map, self.name, self.link = fields[8:]
        need(not self.name or not {b"", b".", b".."} & {*self.name.split(b"/")}, "a name that leads elsewhere")
        self.level, self.mode, self.mtime = level, int(mode or b"0", 8), int(Decimal(mtime.decode() or 0) * 10**9)

    def member(self):
        """Its member of the tar stream: what reads it, and its header."""
        self.level.data.seek(int(self.offset))
        tar = tarfile.TarFile(fileobj=self.level.data, encoding="utf-8", errors="surrogateescape")
        need(os.fsencode(tar.firstmember.name) == (b"./" + self.name if self.name else b"."), "another member")
        return tar, tar.firstmember

    def content(self, levels):
        """The blocks of a file of the chain, of 1 MiB each but the last."""
        size, block = int(self.size), self.level.details["block_bytes"]
        count = -(-size // block) if self.map else 0
        begin = int(self.map or 0) + 8
        entries = [*struct.iter_unpack(">BHQ32s", self.level.maps[begin : begin + 43 * count])]
        if not count or any(entry[0] == 3 for entry in entries):
            tar, header = self.member()
            yield from iter(functools.partial(tar.extractfile(header).read, block), b"")
            return
        for number, (place, level, offset, digest) in enumerate(entries):
            found = bytes(min(block, size - number * block))
            if place:
                stream = (levels[level].data, levels[level].blocks)[place - 1]
                stream.seek(offset)
                found = stream.read(len(found))
                need(hashlib.new(self.level.details["block_hash"], found).digest() == digest, "another block")
            yield found


# How a chain is restored


def final_state(levels):
    """The newest record of each path that is there, each folder before what is in it."""
    last = {name: record for level in levels for name, record in level.records.items()}
    no_folder = {name: level.number for level in levels for name, one in level.records.items() if one.kind != b"d"}
    for name in sorted(last, key=lambda name: name.replace(b"/", b"\0")):
        above = [name[:at] for at, byte in enumerate(name) if byte == ord("/")] + [b""] * (name != b"" and b"" in last)
        if last[name].kind != b"x" and all(no_folder.get(one, -1) <= last[name].level.number for one in above):
            need(all(one in last and last[one].kind == b"d" for one in above), f"{name} is below what is no folder")
            yield last[name]


def restore(levels, target):
    """Restore the last of the levels into a new folder, in which nobody else can do anything before all is in its place."""
    os.mkdir(target, 0o700)
    records, first_paths = list(final_state(levels)), {}
    # A hard link leads to a file or a symbolic link of its level, which may be gone or have changed in a later one.
    meant = [(one, one.level.records[one.link] if one.kind == b"h" else one) for one in records]
    # Symbolic links come last: until then there is none that a path could lead through.
    for named, record in sorted(meant, key=lambda pair: b"d-pbcl".index(pair[1].kind)):
        path, kind = os.path.join(os.fsencode(target), named.name), record.kind
        need(named is record or kind in (b"-", b"l"), "a hard link to what has none")
        if (first := first_paths.setdefault(record, path)) != path:
            os.link(first, path, follow_symlinks=False)
            continue
        if kind == b"-":
            with open(path, "xb") as file:
                for block in record.content(levels):
                    file.write(block) if block.strip(b"\0") else file.seek(len(block), os.SEEK_CUR)
                file.truncate(int(record.size))
        elif kind == b"d":
            os.makedirs(path, 0o700, exist_ok=not record.name)
        elif kind == b"l":
            os.symlink(record.link, path)
        else:
            numbers = os.makedev(*map(int, record.size.split(b","))) if kind != b"p" else 0
            os.mknod(path, {b"p": stat.S_IFIFO, b"b": stat.S_IFBLK, b"c": stat.S_IFCHR}[kind], numbers)
        if kind != b"d":
            set_attributes(path, record)
    for record in reversed(records):  # what is in a folder before the folder
        if record.kind == b"d":
            set_attributes(os.path.join(os.fsencode(target), record.name), record)


def set_attributes(path, record):
    if os.geteuid() == 0:
        os.chown(path, int(record.uid), int(record.gid), follow_symlinks=False)
    for key, value in record.member()[1].pax_headers.items() if record.kind in (b"-", b"d") else ():
        if key.startswith("SCHILY.xattr."):
            try:
                os.setxattr(path, os.fsencode(key[13:]), os.fsencode(value))
            except OSError as problem:  # only root may set some, and not every file system has them
                print(f"not restored: {key[13:]} of {problem.filename} ({problem.strerror})", file=sys.stderr)
    if record.kind != b"l":
        os.chmod(path, record.mode)
    os.utime(path, ns=(record.mtime, record.mtime), follow_symlinks=False)


def main():
    parser = argparse.ArgumentParser(description="Restore a backup of version 2 of the archive format.")
    parser.add_argument("backup", help="the folder of the backup, <container>/<set>/<timestamp>_<level>")
    parser.add_argument("target", help="a folder that does not exist")
    parser.add_argument("--identity", metavar="FILE", help="a file with AGE-SECRET-KEY-1...")
    parser.add_argument("--passphrase-file", metavar="FILE", help="a file whose first line is the passphrase")
    parser.add_argument("--signer", metavar="KEY", help="'ssh-ed25519 AAAA...', of the only one who is believed")
    arguments = parser.parse_args()
    arguments.secrets = [*secret_keys(read(arguments.identity))] if arguments.identity else []
    arguments.passphrase = read(arguments.passphrase_file).split(b"\n")[0] if arguments.passphrase_file else None
    try:
        levels = [Level(os.path.abspath(arguments.backup), arguments)]
        while parent := levels[0].manifest["parent"]:
            folder = os.path.join(os.path.dirname(levels[0].folder), os.path.basename(parent["folder"]))
            levels.insert(0, Level(folder, arguments, levels[0]))
        need(levels[0].number == 0, "the chain does not begin with level 0")
        restore(levels, arguments.target)
    except (InvalidTag, InvalidSignature):
        sys.exit("refused: something is not what was sealed or signed")
    except (LookupError, TypeError, ValueError, EOFError, tarfile.TarError, struct.error) as problem:
        sys.exit(f"refused: it is not what the format says ({problem!r})")


if __name__ == "__main__":
    main()
