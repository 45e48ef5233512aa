# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups as file systems: mounted by freezer-agent in a process of its own, or opened here without a mount."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.choosing import choose
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media.files import Files
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.mounted import MountedChain

COMMAND = str(Path(sys.executable).parent / "freezer-agent")
_PATIENCE_SECONDS = 60


def arguments(action: Mapping[str, Any]) -> list[str]:
    """The words of a command line for an action whose values are texts."""
    keys = ("storage", "container", "backup_name", "hostname", "identity_file", "backup_id")
    return [word for key in keys if key in action for word in (f"--{key.replace('_', '-')}", str(action[key]))]


class Mount:
    """A mounted backup."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        self._process, self.path = process, path

    def end(self, how: int | str = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal, or by a command; its exit status, and what it said."""
        if isinstance(how, int):
            self._process.send_signal(how)
        else:
            subprocess.run([*how.split(), str(self.path)], check=True)
        _out, said = self._process.communicate(timeout=_PATIENCE_SECONDS)
        return self._process.returncode, said


def begin(library: str, action: Mapping[str, Any], path: Path) -> subprocess.Popen[str]:
    """freezer-agent, begun to mount the backup that an action asks for at a folder, with this libfuse."""
    return subprocess.Popen(
        [COMMAND, "--action", "mount", *arguments(action), "--mount-point", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FUSE_LIBRARY_PATH": library, "TERM": "dumb"},
    )


@contextlib.contextmanager
def mounted(library: str, action: Mapping[str, Any], path: Path) -> Iterator[Mount]:
    """The backup that an action asks for, mounted at a new folder with this libfuse. It is ended if it was not."""
    path.mkdir()
    process = begin(library, action, path)
    try:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not os.path.ismount(path):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < patience
            time.sleep(0.02)
        yield Mount(process, path)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=_PATIENCE_SECONDS)


@contextlib.contextmanager
def opened(action: Mapping[str, Any], tell: Callable[[str], None] | None = None) -> Iterator[MountedChain]:
    """The backup that an action asks for, as a mount has it. Raises FreezerError."""
    options = {key: value for key, value in action.items() if key not in ("path_to_backup", "exclude")}
    files = Files(parse_options(options))
    copy = choose(files).copies[0]
    storage = copy.backup_set.storage
    keys = files.sealing_of_data(storage, copy.stored)
    with MountedChain(storage, copy.chain, keys, tell or (lambda _sentence: None)) as tree:
        yield tree


def paths_in(tree: MountedChain, folder: bytes = b"") -> Iterator[bytes]:
    """All paths below a folder of it, each folder before what is in it."""
    for entry in tree.entries(folder, 0):
        path = folder + b"/" + entry.name if folder else entry.name
        yield path
        if entry.mode & 0o170000 == 0o040000:
            yield from paths_in(tree, path)
