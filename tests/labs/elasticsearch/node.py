# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""One server process of the lab, its folder, and what can befall it."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STOP_SECONDS = 20


@dataclass(frozen=True)
class User:
    """Who runs the servers: they refuse to run as root."""

    uid: int
    gid: int

    @classmethod
    def of_servers(cls) -> User:
        """Whoever asks, and ``nobody`` if that is root."""
        if os.getuid() != 0:
            return cls(os.getuid(), os.getgid())
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    def can_reach(self, folder: Path) -> bool:
        """Whether nothing above a folder, or the folder itself, shuts this user out."""
        if self.uid == os.getuid():
            return True
        above = [path for path in (folder, *folder.parents) if path.exists()]
        return all(path.stat().st_mode & stat.S_IXOTH for path in above)

    def gets(self, folder: Path) -> None:
        """Give the user a folder with all that is in it."""
        if self.uid == os.getuid():
            return
        for path, _folders, files in os.walk(folder):
            os.chown(path, self.uid, self.gid)
            for name in files:
                os.chown(os.path.join(path, name), self.uid, self.gid)


class Node:
    """One server; everything of it lies in ``folder``."""

    def __init__(self, folder: Path, user: User) -> None:
        self.folder = folder
        self.name = folder.name
        self.log = folder / "server.log"
        self._user = user
        self._pid_file = folder / "run/pid"
        self._mark = f"-Dfreezer.lab.node={folder}"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """Its process id, if it runs."""
        try:
            process_id = int(self._pid_file.read_text())
            line = Path(f"/proc/{process_id}/cmdline").read_text()
        except (OSError, ValueError):
            return None
        return process_id if self._mark in line.split("\0") else None

    @property
    def has_ended(self) -> bool:
        """Whether what this very command has started has failed."""
        return self._child is not None and bool(self._child.poll())

    def last_words(self) -> str:
        """The end of its log that says most."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        told = [line for line in lines if "ERROR" in line or "xception" in line] or lines
        return "".join(told[-1:])[-400:]

    def configure(self, home: Path, program: str, settings: Mapping[str, Any]) -> None:
        """Write its configuration, beside what the distribution brings along."""
        for name in ("data", "logs", "run", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if not (self.folder / "config").is_dir():
            shutil.copytree(home / "config", self.folder / "config")
            # Logs of the garbage collector would go to the folder of the program.
            java_options = self.folder / "config/jvm.options"
            kept = [line for line in java_options.read_text().splitlines() if "-Xlog" not in line]
            java_options.write_text("\n".join(kept) + "\n")
        # JSON is YAML.
        self.write(f"config/{program}.yml", json.dumps(dict(settings), indent=1) + "\n")

    def forget_ports(self) -> None:
        """Let it listen elsewhere when it is started again."""
        for path in self.folder.glob("*.port"):
            path.unlink()

    def write(self, name: str, text: str) -> None:
        """Write one of its files."""
        (self.folder / name).write_text(text)

    def start(self, home: Path, java: Path, java_options: str) -> None:
        """Start it, detached."""
        program = home.name.partition("-")[0]
        self._user.gets(self.folder)
        prefix = "ES" if program == "elasticsearch" else "OPENSEARCH"
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            f"{prefix}_JAVA_HOME": str(java),
            f"{prefix}_PATH_CONF": str(self.folder / "config"),
            f"{prefix}_TMPDIR": str(self.folder / "tmp"),
            f"{prefix}_JAVA_OPTS": f"{java_options} {self._mark}",
            # The launcher is a Java of its own.
            "CLI_JAVA_OPTS": "-Xms4m -Xmx64m -XX:TieredStopAtLevel=1",
        }
        self._pid_file.unlink(missing_ok=True)
        is_other_user = self._user.uid != os.getuid()
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                ["bash", home / "bin" / program, "-d", "-p", self._pid_file],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
                user=self._user.uid if is_other_user else None,
                group=self._user.gid if is_other_user else None,
                extra_groups=[] if is_other_user else None,
            )

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        process_id = self.process_id
        if process_id is None:
            return
        os.kill(process_id, signal.SIGKILL)
        deadline = time.monotonic() + _STOP_SECONDS
        while self.process_id is not None and time.monotonic() < deadline:
            time.sleep(0.02)

    def lock_disk(self) -> None:
        """Let it write no more: none of its files and folders of data can be written, and no new ones be made."""
        self._set_writable(False)

    def unlock_disk(self) -> None:
        """Let it write again."""
        self._set_writable(True)

    def _set_writable(self, is_writable: bool) -> None:
        for path, folders, files in os.walk(self.folder / "data", topdown=is_writable):
            for entry in (path, *(os.path.join(path, name) for name in (*folders, *files))):
                # Files come and go under a running server.
                with contextlib.suppress(FileNotFoundError):
                    mode = stat.S_IMODE(os.stat(entry).st_mode)
                    os.chmod(entry, mode | stat.S_IWUSR if is_writable else mode & ~0o222)


def port_for(remembered: Path) -> int:
    """The port that a file remembers; a free one is written to it if there is none."""
    with contextlib.suppress(OSError, ValueError):
        return int(remembered.read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    remembered.parent.mkdir(parents=True, exist_ok=True)
    remembered.write_text(str(port))
    return port
