# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""GNU tar as a subprocess: its command lines and its messages.

The options and messages are those of GNU tar 1.27 and later (its manual, chapters 5.2 "Using tar to Perform
Incremental Dumps" and 8.3 "Handling File Attributes"). Names are quoted as C strings in everything that tar prints, so
that newlines and bytes that are not UTF-8 are unambiguous.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from ..repository.errors import ArchiveError
from ..system import process
from ..system.file_names import shown

_VERSION_SECONDS = 60.0
COMMON = ["--quoting-style=c", "--format=posix", "--blocking-factor=256"]
ATTRIBUTES = ["--xattrs", "--xattrs-include=*", "--acls", "--selinux"]
DEREFERENCE = {
    None: [],
    "none": [],
    "soft": ["--dereference"],
    "hard": ["--hard-dereference"],
    "all": ["--dereference", "--hard-dereference"],
}

_MESSAGE = re.compile(r'^tar: "(?P<name>(?:[^"\\]|\\.)*)": (?P<text>.*)$')
_ABOUT = re.compile(r"^tar: (?P<text>.*)$")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}

# Messages about unreadable files, which are missing from the archive, or have zeros as content.
_UNREADABLE = re.compile(
    r"^(Warning: )?(Cannot (open|read|stat|readlink|savedir|opendir|close|seek|llistxattrat|getxattr)|Read error)"
)
# Messages about files that changed while tar read them; they are archived as far as they could be read.
_CHANGED = {
    "file changed as we read it": "changed",
    "File shrank by": "shrank",
    "File removed before we read it": "vanished",
    "Cannot stat: No such file or directory": "vanished",
    "Cannot open: No such file or directory": "vanished",
    "socket ignored": "socket",
    "door ignored": "door",
    "file is on a different filesystem; not dumped": "other_file_system",
    "directory is on a different filesystem; not dumped": "other_file_system",
}
_REPLACED = re.compile(r"^(Warning: )?Cannot (open|stat): (Too many levels of symbolic links|Not a directory)$")
_NOT_FOLLOWED = (
    "Replaced before it was read, it or a folder above it, perhaps by a symbolic link, which was not followed"
)
_NOISE = re.compile(
    r"Directory is new|Directory has been renamed$|contains a cache directory tag|"
    r"Removing leading|Exiting with failure status due to previous errors"
)
# The second name of this message and the name in the next one have single quotes in every quoting style.
_MOVED = re.compile(r"^Directory has been renamed from ")
_MISSING_LINKS = re.compile(r"^tar: Missing links to '(?P<name>(?:[^'\\]|\\.)*)'\.$")
_ATTRIBUTE = re.compile(
    r"^\w*setxattr\w*: Cannot set '(?P<text>[^']*)' extended attribute for file '(?P<name>.*?)(': .*)?$"
)
# Messages of a restore on a host that lacks a right or a feature; the file itself is restored.
_NOT_RESTORED = re.compile(
    r"^(Warning: )?(Cannot (mknod|mkfifo|change ownership|change mode|utime|symlink|hard link|setxattr|"
    r"set .*(attribute|ACL|context))|setxattrat?: |lsetxattr|fsetxattr|setfilecon|acl_set)"
)


def unquote(quoted: str) -> str:
    """The file name for tar's C quoting, undecodable bytes as surrogates (as os.fsdecode gives them)."""
    if "\\" not in quoted:
        return quoted

    def plain(match: re.Match[bytes]) -> bytes:
        code = match.group(1)
        if code[:1].isdigit():
            return bytes([int(code, 8) & 0xFF])
        return _ESCAPES.get(code, code)

    return os.fsdecode(_ESCAPE.sub(plain, quoted.encode("utf-8", "surrogateescape")))


def below(folder: str, path: str) -> str | None:
    """The name that tar has for a path when it archives `folder` as ``.``: ``./...``; None if the path is not in it."""
    folder, path = os.path.realpath(folder), os.path.realpath(path)
    prefix = folder.rstrip("/") + "/"
    return f"./{path[len(prefix) :]}" if path.startswith(prefix) else None


@dataclass
class TarMessages:
    """The messages of tar, sorted by their effect on the backup or the restore."""

    unreadable: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)
    not_restored: list[dict[str, str]] = field(default_factory=list)
    #: Folders whose rename tar has written into the archive.
    moved: list[str] = field(default_factory=list)
    #: Files with hard links outside the archive; the real names, not the shown ones.
    missing_links: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    #: Whether tar reads a folder in which no link is followed: it is refused one only where a folder was replaced meanwhile.
    without_links: bool = False

    def add_line(self, line: str) -> None:
        """Sort one line of tar's error stream."""
        match = _MESSAGE.match(line)
        if match is not None:
            self._add(shown(unquote(match.group("name"))), match.group("text"))
            return
        links = _MISSING_LINKS.match(line)
        if links is not None:
            self.missing_links.append(unquote(links.group("name")))
            return
        about = _ABOUT.match(line)
        text = about.group("text") if about else line
        attribute = _ATTRIBUTE.match(text)
        if attribute is not None:
            # The only message with unquoted names.
            self.not_restored.append({"path": shown(attribute.group("name")), "message": text})
        elif not _NOISE.match(text):
            self.unknown.append(text)

    def _add(self, path: str, text: str) -> None:
        """Sort a message about one file."""
        if _MOVED.match(text):
            self.moved.append(path)
            return
        if _NOISE.match(text):
            return
        for beginning, kind in _CHANGED.items():
            if text.replace("Warning: ", "").startswith(beginning):
                self.warnings.append({"path": path, "kind": kind, "message": text})
                return
        if self.without_links and _REPLACED.match(text):
            self.warnings.append({"path": path, "kind": "vanished", "message": _NOT_FOLLOWED})
        elif _UNREADABLE.match(text):
            self.unreadable.append({"path": path, "message": text.replace("Warning: ", "")})
        elif _NOT_RESTORED.match(text):
            self.not_restored.append({"path": path, "message": text})
        else:
            self.unknown.append(f"{path}: {text}")


def is_about_attribute(entry: dict[str, str]) -> bool:
    """Whether a problem is that an extended attribute could not be set."""
    return _ATTRIBUTE.match(entry["message"]) is not None


class TarErrors(threading.Thread):
    """Collects the messages of a running tar."""

    def __init__(self, pipe: IO[bytes], without_links: bool = False) -> None:
        super().__init__(name="tar-errors", daemon=True)
        self.messages = TarMessages(without_links=without_links)
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        try:
            for line in self._pipe:
                self.messages.add_line(line.decode("utf-8", "surrogateescape").rstrip("\n"))
        except ValueError:
            pass  # the work was abandoned, and the pipe closed


def start(
    argv: Sequence[str],
    stdin: process.Stream = process.DISCARD,
    stdout: process.Stream = process.PIPE,
    pass_fds: Sequence[int] = (),
) -> process.Program:
    """Start a tar; its error stream is a pipe. It belongs to the process group of this process."""
    env = process.environment({"TZ": "UTC"})
    return process.Program(argv, stdin=stdin, stdout=stdout, stderr=process.PIPE, pass_fds=pass_fds, env=env)


def require() -> None:
    """Raise ArchiveError if there is no tar."""
    if process.find("tar") is None:
        raise ArchiveError("There is no tar on this host; install GNU tar 1.27 or later.")


def version() -> str:
    """The first line of ``tar --version``. Raises ArchiveError if there is no GNU tar."""
    require()
    first = process.run(["tar", "--version"], timeout_seconds=_VERSION_SECONDS).output.partition("\n")[0]
    if "GNU tar" not in first:
        raise ArchiveError("The tar of this host is not GNU tar; install GNU tar 1.27 or later.")
    return first


@dataclass(frozen=True)
class Source:
    """The source of an archive: a folder as ``.``, or one file of a folder as ``./name``."""

    folder: str
    single_file: str | None = None
    dereference: str | None = None
    one_file_system: bool = True
    exclude: Sequence[str] = ()
    #: Paths relative to the folder (``./...``) with our own output, which is never read.
    own_output: Sequence[str] = ()
    #: Folders, in the same form, that are archived as empty: virtual file systems are mounted there.
    not_entered: Sequence[str] = ()
    #: A descriptor of the folder in a private mount, in which no link is followed; None if tar reads the folder by its path.
    private: int | None = None

    @property
    def directory(self) -> str:
        """The argument for tar that names the folder."""
        return self.folder if self.private is None else f"/dev/fd/{self.private}"

    @property
    def member(self) -> str:
        """The argument for tar, relative to the folder."""
        return "." if self.single_file is None else f"./{self.single_file}"

    def selection(self) -> dict[str, Any]:
        """The options that select files and decide how they are read."""
        return {
            "exclude": sorted(self.exclude),
            "dereference": self.dereference or "none",
            "one_file_system": self.one_file_system,
        }


def create_argv(source: Source, snar: str, increment: bool = False) -> list[str]:
    """The command that writes an archive to standard output."""
    argv = ["tar", "--create", "--file=-", *COMMON, "--sparse", *ATTRIBUTES]
    argv += ["--pax-option=delete=atime,delete=ctime", "--no-check-device", "--ignore-failed-read"]
    argv += [f"--listed-incremental={snar}"]
    if increment:
        argv.append("--check-links")
    argv += DEREFERENCE[source.dereference]
    if source.single_file is not None and "--dereference" not in argv:
        # A single file is archived as the target of its symbolic link, because the bare link would be useless.
        argv.append("--dereference")
    if source.one_file_system:
        argv.append("--one-file-system")
    argv += [f"--exclude={pattern}" for pattern in source.exclude]
    if source.not_entered:
        argv += ["--anchored", "--wildcards", *(f"--exclude={_literally(path)}/*" for path in source.not_entered)]
    if source.own_output or source.not_entered:
        # Last, because these switches also apply to the member: with --wildcards tar would leave out all folders.
        argv += ["--anchored", "--no-wildcards", *(f"--exclude={path}" for path in source.own_output)]
    return [*argv, f"--directory={source.directory}", "--", source.member]


def _literally(path: str) -> str:
    """A pattern with wildcards that matches only this path."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", path)


def extract_argv(folder: str, increment: bool) -> list[str]:
    """The command that replays one level from standard input into a folder, deletions included.

    Level 0 is for an empty folder and needs no deletions; without that option tar also ignores the renames that it has
    written into the archive for a folder that it reached in two ways (a bind mount, a dereferenced link).
    """
    argv = ["tar", "--extract", "--file=-", "--quoting-style=c"]
    argv += [*ATTRIBUTES, "--preserve-permissions", "--numeric-owner", "--warning=no-timestamp"]
    if increment:
        argv.append("--incremental")
    if os.geteuid() == 0:
        argv.append("--same-owner")
    return [*argv, f"--directory={folder}"]


def extract_members_argv(folder: str, names_descriptor: int) -> list[str]:
    """The command that overwrites some members in a folder, without attributes or ACLs.

    Their names are read from a descriptor, each ended by NUL.
    """
    argv = ["tar", "--extract", "--file=-", "--quoting-style=c", "--overwrite", "--no-xattrs", "--no-acls"]
    argv += ["--preserve-permissions", "--numeric-owner", "--warning=no-timestamp"]
    # In this order: --directory applies to the names after it.
    return [*argv, f"--directory={folder}", "--null", "--no-unquote", f"--files-from=/dev/fd/{names_descriptor}"]


def list_argv() -> list[str]:
    """The command that reads a whole level from standard input and prints one line per member."""
    return ["tar", "--list", "--file=-", "--quoting-style=c", "--warning=no-timestamp"]
