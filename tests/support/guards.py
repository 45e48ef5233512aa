# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What keeps a test from hanging, and what runs one without root."""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

NOBODY = 65534
Result = TypeVar("Result")


@contextmanager
def no_hang(seconds: int) -> Iterator[None]:
    """End a test that takes longer than this with the stacks of its threads."""

    def end(_signal: int, _frame: object) -> None:
        faulthandler.dump_traceback(sys.__stderr__)
        raise TimeoutError(f"the test did not end within {seconds} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def without_root(work: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns or raises for a user who is not root: in a child that has given root up if we are root.

    Everything that it returns has to be picklable.
    """
    if os.geteuid() != 0:
        return work(*arguments)
    answer_read, answer_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(answer_read)
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.environ["HOME"] = "/nonexistent"
            os.environ["FREEZER_BACKUP_STATE"] = f"{os.environ.get('FREEZER_BACKUP_STATE', '/nonexistent')}-{NOBODY}"
            answer = (True, work(*arguments), "")
        except BaseException as problem:  # noqa: BLE001 (it is raised again in the parent)
            answer = (False, problem, traceback.format_exc())
        try:
            with os.fdopen(answer_write, "wb") as pipe:
                pickle.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(answer_write)
    with os.fdopen(answer_read, "rb") as pipe:
        stored = pipe.read()
    os.waitpid(child, 0)
    well, result, trace = pickle.loads(stored)
    if not well:
        result.add_note(f"in the child without root:\n{trace}")
        raise result
    return result


@contextmanager
def folder_without_root() -> Iterator[Path]:
    """A fresh folder that belongs to the user that ``without_root`` works as."""
    with tempfile.TemporaryDirectory(prefix="freezer-test-") as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        try:
            yield Path(folder)
        finally:
            _open_for_removal(folder)


def _open_for_removal(folder: str) -> None:
    for path, folders, _files in os.walk(os.fsencode(folder)):
        for name in folders:
            below = os.path.join(path, name)
            if not os.path.islink(below):
                os.chmod(below, 0o700)
