# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""GNU tar as a subprocess: its command lines, and what it says on its error stream.

The options and messages are those of GNU tar 1.27 and later (its manual, chapters 5.2 "Using tar to Perform
Incremental Dumps" and 8.3 "Handling File Attributes"). Names are quoted as C strings in everything that tar prints, so
that a newline or a byte that is no UTF-8 cannot be taken for something else.
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

# What tar says about a file that it could not read: the file is missing from the archive, or holds zeros.
_UNREADABLE = re.compile(
    r"^(Warning: )?(Cannot (open|read|stat|readlink|savedir|opendir|close|seek|llistxattrat|getxattr)|Read error)"
)
# What tar says about files that moved under it; they are in the archive as far as they could be read.
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
_NOISE = re.compile(
    r"Directory is new|Directory has been renamed$|contains a cache directory tag|"
    r"Removing leading|Exiting with failure status due to previous errors"
)
# The second name of this message and the one of the next have single quotes whatever the quoting style.
_MOVED = re.compile(r"^Directory has been renamed from ")
_MISSING_LINKS = re.compile(r"^tar: Missing links to '(?P<name>(?:[^'\\]|\\.)*)'\.$")
_ATTRIBUTE = re.compile(
    r"^\w*setxattr\w*: Cannot set '(?P<text>[^']*)' extended attribute for file '(?P<name>.*?)(': .*)?$"
)
# What a restore may meet on a host that lacks a right or a feature; the file itself is there.
_NOT_RESTORED = re.compile(
    r"^(Warning: )?(Cannot (mknod|mkfifo|change ownership|change mode|utime|symlink|hard link|setxattr|"
    r"set .*(attribute|ACL|context))|setxattrat?: |lsetxattr|fsetxattr|setfilecon|acl_set)"
)


def unquote(quoted: str) -> str:
    """The file name behind tar's C quoting, undecodable bytes as surrogates (as os.fsdecode gives them)."""
    if "\\" not in quoted:
        return quoted

    def plain(match: re.Match[bytes]) -> bytes:
        code = match.group(1)
        if code[:1].isdigit():
            return bytes([int(code, 8) & 0xFF])
        return _ESCAPES.get(code, code)

    return os.fsdecode(_ESCAPE.sub(plain, quoted.encode("utf-8", "surrogateescape")))


def below(folder: str, path: str) -> str | None:
    """How tar names a path when it archives `folder` as ``.``: ``./...``, or None if the path is not in it."""
    folder, path = os.path.realpath(folder), os.path.realpath(path)
    prefix = folder.rstrip("/") + "/"
    return f"./{path[len(prefix) :]}" if path.startswith(prefix) else None


@dataclass
class TarMessages:
    """What tar said, sorted by what it means for the backup or the restore."""

    unreadable: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)
    not_restored: list[dict[str, str]] = field(default_factory=list)
    #: Folders for which tar wrote a rename into the archive.
    moved: list[str] = field(default_factory=list)
    #: Files of which not every hard link is in the archive; the real names, not as they are shown.
    missing_links: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

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
            # The one message in which names stand as they are.
            self.not_restored.append({"path": shown(attribute.group("name")), "message": text})
        elif not _NOISE.match(text):
            self.unknown.append(text)

    def _add(self, path: str, text: str) -> None:
        """Sort what tar said about one file."""
        if _MOVED.match(text):
            self.moved.append(path)
            return
        if _NOISE.match(text):
            return
        for beginning, kind in _CHANGED.items():
            if text.replace("Warning: ", "").startswith(beginning):
                self.warnings.append({"path": path, "kind": kind, "message": text})
                return
        if _UNREADABLE.match(text):
            self.unreadable.append({"path": path, "message": text.replace("Warning: ", "")})
        elif _NOT_RESTORED.match(text):
            self.not_restored.append({"path": path, "message": text})
        else:
            self.unknown.append(f"{path}: {text}")


def is_about_attribute(entry: dict[str, str]) -> bool:
    """Whether something was not restored because an extended attribute could not be set."""
    return _ATTRIBUTE.match(entry["message"]) is not None


class TarErrors(threading.Thread):
    """Collects what tar says on its error stream while it works."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(name="tar-errors", daemon=True)
        self.messages = TarMessages()
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        try:
            for line in self._pipe:
                self.messages.add_line(line.decode("utf-8", "surrogateescape").rstrip("\n"))
        except ValueError:
            pass  # the work was given up, and the pipe closed under us


def start(
    argv: Sequence[str],
    stdin: process.Stream = process.DISCARD,
    stdout: process.Stream = process.PIPE,
    pass_fds: Sequence[int] = (),
) -> process.Program:
    """Start a tar; its error stream is a pipe. It ends with this process's group."""
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
    """What tar reads: a folder as ``.``, or one file of a folder as ``./name``."""

    folder: str
    single_file: str | None = None
    dereference: str | None = None
    one_file_system: bool = True
    exclude: Sequence[str] = ()
    #: Paths relative to the folder (``./...``) that hold our own output and are never read.
    own_output: Sequence[str] = ()
    #: Folders of the same form that are archived as empty ones: what is mounted there holds no files.
    not_entered: Sequence[str] = ()

    @property
    def member(self) -> str:
        """What tar is told to archive, relative to the folder."""
        return "." if self.single_file is None else f"./{self.single_file}"

    def selection(self) -> dict[str, Any]:
        """What decides which files are read, and as what."""
        return {
            "exclude": sorted(self.exclude),
            "dereference": self.dereference or "none",
            "one_file_system": self.one_file_system,
        }


def create_argv(source: Source, snar: str, index_descriptor: int, increment: bool = False) -> list[str]:
    """The command that writes the archive to standard output and the list of members to a descriptor."""
    argv = ["tar", "--create", "--file=-", *COMMON, "--sparse", *ATTRIBUTES]
    argv += ["--pax-option=delete=atime,delete=ctime", "--no-check-device", "--ignore-failed-read"]
    argv += [f"--listed-incremental={snar}"]
    argv += ["-vv", "--full-time", "--utc", f"--index-file=/dev/fd/{index_descriptor}"]
    if increment:
        argv.append("--check-links")
    argv += DEREFERENCE[source.dereference]
    if source.single_file is not None and "--dereference" not in argv:
        # One file is wanted whatever leads to it; as a bare symbolic link it would be worth nothing.
        argv.append("--dereference")
    if source.one_file_system:
        argv.append("--one-file-system")
    argv += [f"--exclude={pattern}" for pattern in source.exclude]
    if source.not_entered:
        argv += ["--anchored", "--wildcards", *(f"--exclude={_literally(path)}/*" for path in source.not_entered)]
    if source.own_output or source.not_entered:
        # Last, because these switches are for the member as well: with --wildcards tar would leave all folders out.
        argv += ["--anchored", "--no-wildcards", *(f"--exclude={path}" for path in source.own_output)]
    return [*argv, f"--directory={source.folder}", "--", source.member]


def _literally(path: str) -> str:
    """A pattern with wildcards that means this path and no other one."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", path)


def extract_argv(folder: str, increment: bool) -> list[str]:
    """The command that replays one level from standard input into a folder, deletions included.

    Level 0 goes into an empty folder, where nothing is to be deleted; without the option tar also ignores the renames
    that it writes into the archive when it reaches a folder in two ways (a bind mount, a dereferenced link).
    """
    argv = ["tar", "--extract", "--file=-", "--quoting-style=c"]
    argv += [*ATTRIBUTES, "--preserve-permissions", "--numeric-owner", "--warning=no-timestamp"]
    if increment:
        argv.append("--incremental")
    if os.geteuid() == 0:
        argv.append("--same-owner")
    return [*argv, f"--directory={folder}"]


def extract_members_argv(folder: str, names_descriptor: int) -> list[str]:
    """The command that writes some members over the files that stand in a folder, without attributes or ACLs.

    Their names are read from a descriptor, each ended by NUL.
    """
    argv = ["tar", "--extract", "--file=-", "--quoting-style=c", "--overwrite", "--no-xattrs", "--no-acls"]
    argv += ["--preserve-permissions", "--numeric-owner", "--warning=no-timestamp"]
    # In this order: a folder is for the names that come after it.
    return [*argv, f"--directory={folder}", "--null", "--no-unquote", f"--files-from=/dev/fd/{names_descriptor}"]


def list_argv() -> list[str]:
    """The command that reads a whole level from standard input and prints one line per member."""
    return ["tar", "--list", "--file=-", "--quoting-style=c", "--warning=no-timestamp"]
