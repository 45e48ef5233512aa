# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is known about an option of a freezer_action: the form of a row of the table (`spec`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..documents.verbs import ACTIONS, OWN_ACTIONS, READ_ACTIONS
from . import values

FILES = "fs"
#: What is copied in place of files, through the interface of a cloud.
CLOUDS = ("nova", "cinder", "cindernative")
ALL_MEDIA = (FILES, *CLOUDS)

BACKUP, FIND = ("backup",), ("restore", "verify")
#: What looks into backups, and which of it into one.
READ, LOOK = READ_ACTIONS, ("list", "diff")
RESTORE, VERIFY, ADMIN, EXEC = ("restore",), ("verify",), ("admin",), ("exec",)
KEY, MOUNT = ("key",), ("mount",)
#: All that have to do with backups.
EACH = ("backup", "restore", "verify", "info", *READ_ACTIONS, "admin", "key", "mount")
WORK = ("backup", "restore", "verify", "admin")


#: What is true of all paths.
_ABSOLUTE = "In documents and modules the path has to be absolute."


@dataclass(frozen=True)
class Row:
    """One option.

    Its texts have the marks of Ansible's documentation: O(option=value), V(value), C(code), E(VARIABLE) and
    M(freezer.backup.module), which help and manual show as they are typed at a shell.
    """

    name: str
    #: What its value can be. None for what the engine passes over: it is the program's that runs it, or without effect.
    parser: values.Parser | None
    #: What its value is called in the help, which tells the unit too; empty for a switch.
    metavar: str = ""
    #: What it is about, in a sentence, which --help-all shows. Empty for what has no flag and no option of a module.
    text: str = ""
    #: What else there is to know, a paragraph on each line, for the manual and the documentation of modules.
    more: str = ""
    #: What is true of modules only, and is not in the manual.
    of_modules: str = ""
    #: A line for --help, which shows only options that have one.
    line: str = ""
    #: What it is where it is not given; None where that depends on other things, which ``otherwise`` tells in words.
    default: Any = None
    otherwise: str = ""
    #: Whether modules declare the default. Not if another value follows from other options.
    is_declared: bool = True
    #: The flag of one letter, and the spelling of the long one where it is not the key's.
    short: str = ""
    spelling: str = ""
    repeated: bool = False
    #: Older and hyphenless spellings that documents in the wild carry.
    aliases: Sequence[str] = ()
    #: Options that ask for the same in another way, so that only one of them can be given.
    excludes: Sequence[str] = ()
    #: Which actions take it, and for which media.
    verbs: Sequence[str] = (*ACTIONS, *OWN_ACTIONS)
    media: Sequence[str] = ALL_MEDIA
    #: The medium whose thing its value names.
    names: str = ""
    #: Whether a document that comes from outside may have it. What may not names a file which the program reads or writes
    #: for itself, or says how it behaves.
    of_node: bool = False
    #: Whether the command of a backup's record has it; what others say already, or no command line can say, it has not.
    is_repeated_by_record: bool = True
    #: Whether its value is the path of a file or a folder of the host, and for which media.
    is_path: bool = False
    path_media: Sequence[str] = ALL_MEDIA

    @property
    def paragraphs(self) -> list[str]:
        """What there is to know beside the sentence that says what it is about."""
        return [*self.more.splitlines(), *([_ABSOLUTE] if self.is_path else [])]

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that its value can be; none if it is not one of a few."""
        return self.parser.choices if isinstance(self.parser, values.Choice) else ()

    @property
    def typed_default(self) -> Any:
        """The default as a user would type it, without what is empty; None if there is none."""
        if self.parser is values.size and self.default is not None:
            return f"{self.default // 1024**2}M"
        return None if self.default in ("", ()) else self.default
