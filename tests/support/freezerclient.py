# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""python-freezerclient as its users have it: from the package index, in a virtual environment of its own.

The environments are kept beside what the labs keep; the first use of each takes a minute and needs PyPI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_INSTALL_SECONDS = 600
_CALLS = Path(__file__).with_name("scripts") / "freezerclient_calls.py"
_OPENSTACK = _CALLS.with_name("openstack_commands.py")


class FreezerclientUnavailable(Exception):
    """It cannot be installed here; the message says why."""


class Freezerclient:
    """One version of it, with other packages beside it. Raises FreezerclientUnavailable."""

    def __init__(self, version: str, *beside: str) -> None:
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self._folder = _cache() / "freezerclient" / "-".join([version, *beside, python])
        if not (self._folder / ".ready").exists():
            self._install(version, beside)

    def call_everything(self, api_version: int, url: str, project_id: str) -> subprocess.CompletedProcess[str]:
        """Call all of the library, with the session of keystoneauth that needs no Keystone."""
        return self._run(["bin/python", str(_CALLS), str(api_version), url, project_id], {})

    def command(self, *words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run ``freezer`` with some words."""
        return self._run(["bin/freezer", *words], environment)

    @contextmanager
    def openstack(self, environment: dict[str, str]) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
        """Runs ``openstack`` with some words, as often as wanted, as long as the context lasts."""
        process = subprocess.Popen(
            [self._folder / "bin/python", _OPENSTACK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_environment(environment),
        )

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(words) + "\n")
            process.stdin.flush()
            code, said, complained = json.loads(process.stdout.readline())
            return subprocess.CompletedProcess(words, code, said, complained)

        with process:
            yield run

    def _run(self, line: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._folder / line[0], *line[1:]],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=_environment(environment),
        )

    def _install(self, version: str, beside: Sequence[str]) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        for line in (
            [sys.executable, "-m", "venv", self._folder],
            [self._folder / "bin/pip", "install", "--quiet", f"python-freezerclient=={version}", *beside],
        ):
            try:
                done = subprocess.run(line, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise FreezerclientUnavailable(f"freezerclient {version} cannot be installed: {error}") from error
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
                raise FreezerclientUnavailable(f"freezerclient {version} cannot be installed: {last}")
        (self._folder / ".ready").touch()


def _environment(added: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**kept, "NO_PROXY": "*", **added}


def _cache() -> Path:
    named = os.environ.get("FREEZER_LAB_CACHE")
    return (
        Path(named)
        if named
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "freezer-backup-labs"
    )
