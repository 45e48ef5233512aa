# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Results as JSON for programs: on standard output, in a file, or on a descriptor of the caller.

A destination is opened before the work starts, so that nobody learns after hours that the answer has no place.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from .errors import UsageError


class Answer:
    """A place for one JSON document, or for lines that are one each."""

    def __init__(self, descriptor: int, name: str, own: bool) -> None:
        self._descriptor = descriptor
        self._name = name
        self._own = own

    def write(self, document: Mapping[str, Any]) -> None:
        """Write the document, and nothing else before or after it. Raises OSError."""
        self.append(json.dumps(document, indent=2) + "\n")
        self.close()

    def append(self, text: str) -> None:
        """Write some lines of it, which are ASCII. Raises OSError."""
        rest = text.encode("ascii")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Nothing more comes."""
        if self._own:
            os.close(self._descriptor)

    def describe(self) -> str:
        """How messages name it."""
        return self._name


def answer_to_path(path: str) -> Answer:
    """A file, or standard output for ``-``. Raises UsageError.

    A new file is readable for its owner only; an old one is emptied, so that nobody takes it for the answer to come.
    """
    if path == "-":
        return Answer(sys.stdout.fileno(), "standard output", own=False)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY, 0o600)
    except OSError as problem:
        raise UsageError(f"metadata_out {path} cannot be written: {problem.strerror}.") from None
    return Answer(descriptor, path, own=True)


def answer_to_descriptor(value: str) -> Answer:
    """A descriptor that the caller has opened. It is hidden from child processes. Raises UsageError."""
    try:
        descriptor = int(value, 10)
        writable = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except (ValueError, OverflowError, OSError):
        writable = False
    if not writable or descriptor < 1:
        raise UsageError("result_fd has to be the number of a descriptor that is open for writing.")
    if descriptor > 2:
        os.set_inheritable(descriptor, False)
    return Answer(descriptor, f"descriptor {descriptor}", own=False)
