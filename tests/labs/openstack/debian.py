# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What Debian 12 packages of OpenStack (Zed) and of the servers under it, unpacked into a folder and not installed.

So the host keeps the packages that it has, no daemon is started by a package, and the folder can be deleted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pieces import LabError, run, say

PYTHON = Path("/usr/bin/python3")
#: With everything that they depend on.
_PACKAGES = (
    "python3-nova",
    "python3-cinder",
    "python3-glance",
    "python3-placement",
    "python3-neutron",
    "python3-pymysql",
    "rabbitmq-server",
    "mariadb-server-core",
    "mariadb-client-core",
    "qemu-utils",
)
#: These alone: they have the files for paste.
_COMMON = ("nova-common", "cinder-common", "glance-common", "neutron-common")
#: What the packages above depend on and nothing here uses.
_UNUSED = ("systemd", "udev", "libnss-", "libpam-", "sudo_", "graphviz", "python3-mypy_", "open-iscsi", "logrotate")


class Packages:
    """The folder with the unpacked packages."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._archives = folder / "archives"
        self._stamp = folder / "unpacked"
        self._log = folder / "packages.log"
        self._folder = folder

    def ensure(self) -> None:
        """Fetch and unpack what is missing. Raises LabError."""
        wanted = " ".join((*_PACKAGES, *_COMMON))
        if self._stamp.is_file() and self._stamp.read_text() == wanted:
            return
        if not shutil.which("apt-get") or not _is_bookworm():
            raise LabError(
                "glance, cinder, nova and what they need are made from the packages of Debian 12; this is none"
            )
        say("fetching and unpacking the packages of Debian (130 MB, a minute)")
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._archives / "partial").mkdir(parents=True)
        self.root.mkdir()
        quiet = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
        if not list(Path("/var/lib/apt/lists").glob("*Packages*")):
            run([*quiet, "update"], self._log)
        own = ["-o", f"Dir::Cache::Archives={self._archives}", "-o", "Debug::NoLocking=1"]
        run([*quiet, *own, "-y", "-d", "--no-install-recommends", "install", *_PACKAGES], self._log)
        run(["env", "-C", self._archives, *quiet, "download", *_COMMON], self._log)
        for archive in sorted(self._archives.glob("*.deb")):
            if not archive.name.startswith(_UNUSED):
                run(["dpkg", "-x", archive, self.root], self._log)
        # The one program that knows by heart where it was installed.
        erl = self.root / "usr/lib/erlang/bin/erl"
        erl.write_text(erl.read_text().replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={self.root}/usr/lib/erlang"))
        shutil.rmtree(self._archives)
        self._stamp.write_text(wanted)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a program of the packages needs to find its parts. Nothing of the caller's Python goes there."""
        libraries = self.root / "usr/lib/x86_64-linux-gnu"
        if not libraries.is_dir():
            libraries = next(self.root.glob("usr/lib/*-linux-gnu"))
        own = {
            "LD_LIBRARY_PATH": f"{libraries}:{libraries}/blas:{libraries}/lapack",
            "PATH": f"{self.root}/usr/sbin:{self.root}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LAB_PYTHONPATH": f"{self.root}/usr/lib/python3/dist-packages",
        }
        return {**own, **(more or {})}


def _is_bookworm() -> bool:
    try:
        said = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return said.startswith("Python 3.11") and os.path.exists("/etc/debian_version")
